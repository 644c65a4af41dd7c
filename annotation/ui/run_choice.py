"""Choosing the run that serves, from wherever on the pages there is a button for it."""

import streamlit as st

from annotation.permissions import Action
from annotation.serving import choose_run
from annotation.ui.session import allow, current_settings, current_store
from annotation.ui.text import plain
from maner_core.errors import ManerError


def choose(project_id: int, run_id: int, pinned: bool) -> None:
    """Let a run serve; says so where it cannot."""
    by = allow(Action.CHOOSE_RUN, project_id).annotator.id
    try:
        choose_run(current_store(), run_id, current_settings().home, pinned=pinned, by=by)
    except ManerError as error:
        st.toast(plain(str(error)), icon=":material/error:")
        return
    st.toast(f"Run {run_id} serves from now on.", icon=":material/check:")
