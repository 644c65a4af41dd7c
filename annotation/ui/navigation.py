"""The pages by name, and the way from one to another."""

from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page


@dataclass(frozen=True, slots=True)
class _Entry:
    module: str
    title: str
    icon: str


PAGES = {
    "annotate": _Entry("annotation.ui.annotate", "Annotate", ":material/ink_highlighter:"),
    "dashboard": _Entry("annotation.ui.dashboard", "Dashboard", ":material/monitoring:"),
    "data": _Entry("annotation.ui.data", "Data", ":material/database:"),
    "project": _Entry("annotation.ui.project", "Project", ":material/tune:"),
}
DEFAULT = "annotate"


def import_pages() -> None:
    """Import every page now, so that the first visitor does not wait for it."""
    for entry in PAGES.values():
        import_module(entry.module)


def page(name: str) -> Page:
    """The page `name` of PAGES, ready for st.navigation."""
    entry = PAGES[name]
    function = import_module(entry.module).page
    return st.Page(function, title=entry.title, icon=entry.icon, url_path=name, default=name == DEFAULT)


def go_to(name: str) -> NoReturn:
    """Open the page `name` on the same project."""
    st.switch_page(page(name), query_params=dict(st.query_params))
