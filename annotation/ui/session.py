"""Who is here and what they work on: the open store, the settings, the person, the project. Reads; changes nothing."""

import streamlit as st

from annotation import api
from annotation.settings import Settings
from maner_core.errors import NotFound
from storage import Annotator, Project, Store

PROJECT_PARAMETER = "project"
_ANNOTATOR = "annotator_id"
_PROJECT = "project_id"


def current_settings() -> Settings:
    """The settings of this process, out of its environment."""
    return Settings.from_environment()


def current_store() -> Store:
    """The open store; one for all sessions of this process."""
    return _open_store(current_settings().database_url)


def secret() -> str:
    """The key that signs cookies and tokens."""
    return api.read_secret(current_settings().home)


def known_annotator() -> Annotator | None:
    """The person this browser belongs to, or None when nobody has given a name yet."""
    remembered: int | None = st.session_state.get(_ANNOTATOR)
    if remembered is not None:
        try:
            return current_store().annotator_by_id(remembered)
        except NotFound:
            del st.session_state[_ANNOTATOR]
    annotator = api.signed_annotator(secret(), current_store(), st.context.cookies.get(api.COOKIE))
    if annotator is not None:
        st.session_state[_ANNOTATOR] = annotator.id
    return annotator


def current_annotator() -> Annotator:
    """The person at work; shows the sign-in page and stops where nobody is known."""
    annotator = known_annotator()
    if annotator is None:
        from annotation.ui import sign_in  # it needs this module

        sign_in.page()
        st.stop()
    return annotator


def chosen_project() -> Project | None:
    """The project in the address, else the one last chosen in this session, else the newest; None when there is none."""
    projects = {project.id: project for project in current_store().projects()}
    for wanted in (_number(st.query_params.get(PROJECT_PARAMETER)), st.session_state.get(_PROJECT)):
        if wanted in projects:
            return projects[wanted]
    return projects[max(projects)] if projects else None


def choose_project(project_id: int) -> None:
    """Work on this project from now on, and say so in the address."""
    st.session_state[_PROJECT] = project_id
    st.query_params[PROJECT_PARAMETER] = str(project_id)


def current_project() -> Project:
    """The project at work; where there is none, says how to begin and stops."""
    project = chosen_project()
    if project is None:
        from annotation.ui import navigation  # it needs the pages, and they need this module

        st.title("Welcome")
        st.write("There is no project yet. A project holds your labels, your sentences and your model.")
        if st.button("Create the first project", type="primary", icon=":material/add:"):
            navigation.go_to("project")
        st.stop()
    return project


def base_path() -> str:
    """The path the whole server is published at: "" or "/ner"."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def sync_url() -> str:
    """Where the span editor sends finished annotations."""
    return f"{base_path()}/api/sync"


def sync_token(project: Project, annotator: Annotator) -> str:
    """What the span editor shows there, good for a day."""
    return api.mint_token(secret(), project.id, annotator.id)


@st.cache_resource(show_spinner=False)
def _open_store(url: str) -> Store:
    return Store(url)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 19 else None
