"""Asking for a training, from wherever on the pages there is a button for it."""

import streamlit as st

from annotation.permissions import Action
from annotation.ui.session import allow, current_store


def request_training(project_id: int) -> None:
    """Ask the worker for a training with the labels there are; says so where there is nothing to learn."""
    store, annotator = current_store(), allow(Action.TRAIN, project_id).annotator
    if not any(store.progress(project_id).by_label.values()):
        st.toast("No labelled sentence holds a name yet, so there is nothing to learn. Label some first.")
        return
    store.request_retrain(project_id)
    store.record(project_id, annotator.id, "retrain_requested")
