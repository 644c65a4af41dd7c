"""Who is here and what they work on: the open store, the settings, the person, the project. Reads; changes nothing."""

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from annotation import api
from annotation.access import Access, open_access
from annotation.account_routes import COOKIE, mint_identity
from annotation.permissions import Action, may, require
from annotation.settings import Settings
from annotation.ui.words import Words, words_for
from maner_core.errors import NotAllowed, NotFound
from storage import Annotator, Person, Project, Store

PROJECT_PARAMETER = "project"
_PROJECT = "project_id"


def current_settings() -> Settings:
    """The settings of this process, out of its environment."""
    return Settings.from_environment()


def current_store() -> Store:
    """The open store; one for all sessions of this process."""
    return _open_store(current_settings().database_url)


def current_access() -> Access:
    """Who may come in; decided once for all sessions of this process."""
    return _open_access(current_settings(), st.get_option("server.address"))


def secret() -> str:
    """The key that signs tokens."""
    return api.read_secret(current_settings().home)


def session_cookie() -> str | None:
    """The cookie of this browser, as it was when the page was opened."""
    return st.context.cookies.get(COOKIE)


def current_session() -> str:
    """The hash of that cookie: what the store knows this session by; "" without accounts."""
    return current_access().session(session_cookie())


def known_person() -> Person | None:
    """The person this browser is signed in as, asked anew each time; None for nobody (any more)."""
    return current_access().person(session_cookie())


def current_person() -> Person:
    """The person at work; shows the sign-in page and stops where nobody is known."""
    person = known_person()
    if person is None:
        from annotation.ui import sign_in  # it needs this module

        sign_in.page()
        st.stop()
    return person


def current_annotator() -> Annotator:
    """The person at work, as they stand beside their annotations."""
    return current_person().annotator


def current_words() -> Words:
    """The words of the interface in the language of whoever is there."""
    person = known_person()
    return words_for(None if person is None else person.language, st.context.locale)


def allow(action: Action, project_id: int | None = None) -> Person:
    """The person at work, who may do this; says that they may not, and stops, where they may not.

    To be called at the top of each page, and again in each callback that changes something: a role may have ended since.
    """
    person = current_person()
    try:
        require(person, action, project_id)
    except (NotAllowed, NotFound) as refusal:
        st.error(str(refusal), icon=":material/lock:")
        st.stop()
    return person


def allows(action: Action, project_id: int | None = None) -> bool:
    """Whether the person at work may do this."""
    return may(current_person(), action, project_id)


def visible_projects() -> dict[int, Project]:
    """The projects the person at work has a part in, by id; not those in the archive."""
    return {id_: project for id_, project in _projects(Action.LABEL).items() if project.archived_at is None}


def archived_projects() -> dict[int, Project]:
    """The projects in the archive that the person at work may take out, by id."""
    return {
        id_: project for id_, project in _projects(Action.CHANGE_PROJECT).items() if project.archived_at is not None
    }


def _projects(action: Action) -> dict[int, Project]:
    person = current_person()
    projects = current_store().projects()
    return {project.id: project for project in projects if may(person, action, project.id)}


def chosen_project() -> Project | None:
    """The project in the address, else the one last chosen in this session, else the newest; None when there is none."""
    projects = visible_projects()
    for wanted in (_number(st.query_params.get(PROJECT_PARAMETER)), st.session_state.get(_PROJECT)):
        if wanted in projects:
            return projects[wanted]
    return projects[max(projects)] if projects else None


def choose_project(project_id: int) -> None:
    """Work on this project from now on, and say so in the address."""
    st.session_state[_PROJECT] = project_id
    st.query_params[PROJECT_PARAMETER] = str(project_id)


def current_project(action: Action) -> Project:
    """The project at work, in which the person may do this; where there is none, says how to begin and stops."""
    project = chosen_project()
    if project is None:
        from annotation.ui import navigation  # it needs the pages, and they need this module

        st.title("Welcome")
        if not allows(Action.CREATE_PROJECT):
            st.write("You work in no project now. Ask the lead of a project for an invitation link.")
            st.stop()
        if archived_projects():
            st.write("All projects are in the archive. Take one out, or make a new one.")
            begin, icon = "Go there", ":material/unarchive:"
        else:
            st.write("There is no project yet. A project holds your labels, your sentences and your model.")
            begin, icon = "Create the first project", ":material/add:"
        if st.button(begin, type="primary", icon=icon):
            navigation.go_to("project")
        st.stop()
    allow(action, project.id)
    return project


def base_path() -> str:
    """The path the whole server is published at: "" or "/ner"."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def own_url() -> str:
    """Where a browser on this machine reaches the server."""
    address = st.get_option("server.address")
    host = address if address not in (None, "0.0.0.0", "::") else "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}{base_path()}"


def sync_url() -> str:
    """Where the span editor sends finished annotations."""
    return f"{base_path()}/api/sync"


def sync_token(project: Project, annotator: Annotator) -> str:
    """What the span editor shows there, good for a day or until the session ends."""
    return api.mint_token(secret(), project.id, annotator.id, current_session())


def identity_token() -> str | None:
    """What an identity provider said of this browser's person, for the sign-in route; None where it said nothing."""
    if not has_provider() or not st.user.is_logged_in:
        return None
    return mint_identity(secret(), f"{st.user.get('iss', '')} {st.user['sub']}")


def has_provider() -> bool:
    """Whether people can sign in by an identity provider: the secrets have an [auth] section."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:  # no secrets at all
        return False


@st.cache_resource(show_spinner=False)
def _open_store(url: str) -> Store:
    return Store(url)


@st.cache_resource(show_spinner=False)
def _open_access(settings: Settings, address: str | None) -> Access:
    return open_access(_open_store(settings.database_url), settings, address)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 19 else None
