"""The pages by name, and the way from one to another."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page

from annotation.permissions import Action, may
from annotation.ui.session import current_access, current_words
from annotation.ui.words import Words
from storage import Person, Project


@dataclass(frozen=True, slots=True)
class _Entry:
    module: str
    icon: str
    action: Action | None = None  # what one must be allowed to do in the project at work to be shown the page
    needs_accounts: bool = False


PAGES = {
    "annotate": _Entry("annotation.ui.annotate", ":material/ink_highlighter:", Action.LABEL),
    "dashboard": _Entry("annotation.ui.dashboard", ":material/monitoring:", Action.SEE_PROGRESS),
    "runs": _Entry("annotation.ui.runs", ":material/history:", Action.SEE_PROGRESS),
    "agreement": _Entry("annotation.ui.agreement", ":material/handshake:", Action.SEE_ANSWERS),
    "review": _Entry("annotation.ui.review", ":material/rule:", Action.REVIEW),
    "data": _Entry("annotation.ui.data", ":material/database:", Action.SEE_ANSWERS),
    "simulation": _Entry("annotation.ui.simulation", ":material/science:", Action.SIMULATE),
    "project": _Entry("annotation.ui.project", ":material/tune:", Action.CHANGE_PROJECT),
    "people": _Entry("annotation.ui.people", ":material/group:", Action.MANAGE_PEOPLE, needs_accounts=True),
    "you": _Entry("annotation.ui.you", ":material/person:"),
}
DEFAULT = "annotate"
JOIN = "join"
ROOT = "start"


def import_pages() -> None:
    """Import every page now, so that the first visitor does not wait for it."""
    for entry in PAGES.values():
        import_module(entry.module)


def pages(person: Person, project: Project | None) -> list[Page]:
    """The pages this person is shown with this project at work. Each looks by itself whether it may be seen."""
    words = current_words()
    return [_page(name, words) for name in _shown(person, project)]


def hidden_pages(person: Person, project: Project | None) -> list[Page]:
    """What is in nobody's menu: the other pages, which say who may see them, and the default one under its name.

    People send each other addresses; "page not found" would be untrue of these.
    """
    words, shown = current_words(), set(_shown(person, project))
    others = [_page(name, words, hidden=True) for name in _existing() if name not in shown]
    named = st.Page(_to_default, title=words[DEFAULT], url_path=DEFAULT, visibility="hidden")
    return [*others, named, join_page()]


def _to_default() -> NoReturn:
    go_to(DEFAULT)


def _existing() -> Iterator[str]:
    alone = current_access().single_user is not None
    return (name for name, entry in PAGES.items() if not (entry.needs_accounts and alone))


def _shown(person: Person, project: Project | None) -> Iterator[str]:
    project_id = None if project is None else project.id
    for name in _existing():
        entry = PAGES[name]
        first_project = name == "project" and project is None and may(person, Action.CREATE_PROJECT)
        if name == DEFAULT or entry.action is None or first_project or may(person, entry.action, project_id):
            yield name


def _page(name: str, words: Words, hidden: bool = False) -> Page:
    entry = PAGES[name]
    function = import_module(entry.module).page
    default = name == DEFAULT and not hidden
    return st.Page(
        function,
        title=words[name],
        icon=entry.icon,
        url_path=ROOT if default else name,  # the default page is served at "/", and each path only once
        default=default,
        visibility="hidden" if hidden else "visible",
    )


def join_page() -> Page:
    """What the link of an invitation leads to, whoever opens it; in no menu."""
    function = import_module("annotation.ui.sign_in").join_page
    return st.Page(function, title=current_words()["join"], url_path=JOIN, visibility="hidden")


def go_to(name: str) -> NoReturn:
    """Open the page `name` on the same project."""
    st.switch_page(_page(name, current_words()), query_params=dict(st.query_params))
