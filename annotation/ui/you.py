"""What belongs to the person at work: the interface's language, what they read, the password, where they are signed in."""

import streamlit as st

from annotation import accounts
from annotation.ui.session import (
    current_access,
    current_person,
    current_session,
    current_store,
    current_words,
    visible_projects,
)
from annotation.ui.text import counted, plain
from annotation.ui.words import LANGUAGES
from maner_core.errors import ManerError
from storage import Person


def page() -> None:
    """One's own settings."""
    person = current_person()
    st.title(plain(person.annotator.name))
    _language(person)
    _reads(person)
    if current_access().single_user is not None:
        st.caption(
            "This tool runs for you alone at this machine and asks for nothing. To work in it with others, start it with "
            "`make run MANER_ACCOUNTS=on`."
        )
        return
    if current_store().account(person.annotator.id).has_password:
        _password()
    _sessions(person)


def _language(person: Person) -> None:
    chosen = st.selectbox(
        current_words()["language"],
        list(LANGUAGES),
        index=list(LANGUAGES).index(current_words().language),
        format_func=LANGUAGES.__getitem__,
        key="language",
        width=320,
    )
    if chosen != current_words().language:
        current_store().set_language(person.annotator.id, chosen)
        st.rerun()


def _reads(person: Person) -> None:
    """The languages and scripts there are in one's projects, to choose from; shown where there is a choice."""
    store, words = current_store(), current_words()
    there = {name for project_id in visible_projects() for name in store.written_in(project_id)} | set(person.reads)
    if len(there) < 2:
        return
    chosen = st.multiselect(
        words["reads"],
        sorted(there),
        list(person.reads),
        format_func=lambda name: name.replace("_", " "),
        key="reads",
        placeholder=words["reads_all"],
        help=words["reads_help"],
        width=480,
    )
    if set(chosen) != set(person.reads):
        store.set_reads(person.annotator.id, chosen)
        st.rerun()


def _password() -> None:
    with st.form("password", width=480, clear_on_submit=True):
        st.subheader("Password")
        old = st.text_input("Present password", type="password", autocomplete="current-password")
        new = st.text_input(
            "New password",
            type="password",
            autocomplete="new-password",
            help=f"At least {accounts.MIN_PASSWORD} characters; a few words in a row are a good one",
        )
        if st.form_submit_button("Change password"):
            _change_password(old, new)


def _change_password(old: str, new: str) -> None:
    address = st.context.ip_address or "this machine"
    try:
        accounts.change_password(current_store(), current_person(), old, new, current_session(), address)
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")
    else:
        st.success("Your password is changed. Other browsers are signed out.", icon=":material/check:")


def _sessions(person: Person) -> None:
    st.subheader("Other browsers")
    st.caption(
        f"Signing in lasts {accounts.SESSION_WHOLE_SECONDS // accounts.DAY} days, or until a browser was not used for "
        f"{accounts.SESSION_IDLE_SECONDS // accounts.DAY} days."
    )
    if st.button("Sign out everywhere else", icon=":material/logout:"):
        ended = current_store().end_other_sessions(person.annotator.id, current_session())
        st.toast(f"{counted(ended, 'other browser')} signed out.")
