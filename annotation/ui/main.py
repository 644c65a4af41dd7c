"""The page script: what every visit runs. It finds out who is here and on which project, then runs the page asked for."""

from pathlib import Path

import streamlit as st

from annotation.ui import navigation, sign_in
from annotation.ui.session import (
    choose_project,
    chosen_project,
    current_access,
    current_words,
    known_person,
    visible_projects,
)
from annotation.ui.text import plain
from storage import Project

_FOLDER = Path(__file__).parent

st.set_page_config(page_title="MANER", page_icon=str(_FOLDER / "icon.svg"), layout="wide")
st.logo(str(_FOLDER / "logo.svg"), size="large", icon_image=str(_FOLDER / "icon.svg"))


def main() -> None:
    """Sign in once, then the pages with the project picker beside them."""
    person = known_person()
    if person is None:
        # At every address, so that a link somebody was sent leads on once they have signed in.
        pages = [
            st.Page(sign_in.page, title="Welcome", url_path=name, default=name == navigation.ROOT)
            for name in (navigation.ROOT, *navigation.PAGES)
        ]
        st.navigation([*pages, navigation.join_page()], position="hidden").run()
        return
    chosen = chosen_project()
    page = st.navigation([*navigation.pages(person, chosen), *navigation.hidden_pages(person, chosen)])
    with st.sidebar:
        # Not on the way into another project: naming one in the address drops the secret of the link behind its #.
        if chosen is not None and page.url_path != navigation.JOIN:
            _project_picker(chosen)
        if current_access().single_user is None:
            sign_in.person(person.annotator)
    page.run()


def _project_picker(chosen: Project) -> None:
    names = {project_id: project.settings.name for project_id, project in visible_projects().items()}
    if len(names) > 1:
        picked = st.selectbox(
            current_words()["project"],
            list(names),
            index=list(names).index(chosen.id),
            format_func=lambda project_id: names[project_id],
        )
    else:
        with st.container(gap=None):
            st.caption(current_words()["project"])
            st.markdown(f"**{plain(chosen.settings.name)}**")
        picked = chosen.id
    choose_project(picked)
    if picked != chosen.id:
        st.rerun()  # the menu is that of the project before: there one may do other things


main()
