"""The labelling page: the span editor in the middle, the guidelines below it. The editor talks to the server by itself."""

import streamlit as st

from annotation import hand_out
from annotation.http import status_of
from annotation.permissions import Action, require
from annotation.sync_request import SyncRequest
from annotation.ui import navigation
from annotation.ui.component import span_editor
from annotation.ui.session import (
    allows,
    current_annotator,
    current_person,
    current_project,
    current_store,
    current_words,
    sync_token,
    sync_url,
)
from maner_core.errors import ManerError
from storage import Annotator, Project


def page() -> None:
    """Label the sentences of the current project, one after the other."""
    annotator = current_annotator()
    project = current_project(Action.LABEL)
    if not project.settings.labels:
        st.title(current_words()["annotate"])
        st.write("This project has no labels yet. Say first what is to be found in the sentences: people, places …")
        if not allows(Action.CHANGE_PROJECT, project.id):
            st.write("Its lead has to add them.")
        elif st.button("Add labels", type="primary", icon=":material/tune:"):
            navigation.go_to("project")
        return
    _editor(project, annotator)
    if project.settings.guidelines:
        # The editor opens and closes it by a key, and finds it by the key of its container.
        label = f"{current_words()['guidelines']} :gray-badge[G]"
        with (
            st.container(key="guidelines"),
            st.expander(label, icon=":material/menu_book:", expanded=_is_new(project, annotator)),
        ):
            st.markdown(project.settings.guidelines)


def _is_new(project: Project, annotator: Annotator) -> bool:
    """Whether the person had finished no sentence of the project when they came to this page."""
    key = f"is-new-{project.id}"
    if key not in st.session_state:
        st.session_state[key] = current_store().done(project.id, annotator.id) == 0
    return bool(st.session_state[key])


@st.fragment
def _editor(project: Project, annotator: Annotator) -> None:
    """The editor, in a fragment: where it must fall back on triggers, each of them runs only this."""
    key = f"annotate-{project.id}"
    answer_key = f"{key}-answer"

    def answer_trigger() -> None:
        st.session_state[answer_key] = _answer(project, annotator, st.session_state[key]["sync"])

    span_editor(
        key=key,
        # The time of creation tells a project from one with the same number in another database of this address.
        scope=f"{project.id}-{int(project.created_at.timestamp())}-{annotator.id}",
        url=sync_url(),
        token=sync_token(project, annotator),
        labels=project.settings.labels,
        words=_words(project),
        answer=st.session_state.get(answer_key),
        on_sync=answer_trigger,
    )


def _words(project: Project) -> dict[str, str]:
    """The words of the editor; who may not import sentences is not told to."""
    words = current_words().all()
    if not allows(Action.IMPORT, project.id):
        words |= {"none_yet_advice": words["none_yet_wait"], "all_done_advice": words["all_done_thanks"]}
    if current_person().reads:
        words |= {"nothing_now_advice": words["nothing_you_read"]}
    return words


def _answer(project: Project, annotator: Annotator, body: object) -> dict[str, object]:
    """The answer to a sync that came as a trigger, in the form of the JSON route; an error as its status and sentence."""
    try:
        require(current_person(), Action.LABEL, project.id)
        request = SyncRequest.parse(body)
        # Read anew: the page may be older than the run that serves.
        now = current_store().project(project.id)
        return hand_out.sync(current_store(), now, annotator.id, request).to_dict()
    except ManerError as error:
        fields = body if isinstance(body, dict) else {}
        return {
            "seq": fields.get("seq"),
            "nonce": fields.get("nonce"),
            "error": str(error),
            "code": status_of(error),
        }
