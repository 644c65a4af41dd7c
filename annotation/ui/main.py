"""The page script: what every visit runs. It finds out who is here and on which project, then runs the page asked for."""

from pathlib import Path

import streamlit as st

from annotation.ui import navigation, sign_in
from annotation.ui.session import choose_project, chosen_project, current_store, known_annotator
from annotation.ui.text import plain

_FOLDER = Path(__file__).parent

st.set_page_config(page_title="MANER", page_icon=str(_FOLDER / "icon.svg"), layout="wide")
st.logo(str(_FOLDER / "logo.svg"), size="large", icon_image=str(_FOLDER / "icon.svg"))


def main() -> None:
    """Sign in once, then the pages with the project picker beside them."""
    annotator = known_annotator()
    if annotator is None:
        # At every address, so that a link somebody was sent leads on once they have given their name.
        st.navigation(
            [
                st.Page(sign_in.page, title="Welcome", url_path=name, default=name == navigation.DEFAULT)
                for name in navigation.PAGES
            ],
            position="hidden",
        ).run()
        return
    page = st.navigation([navigation.page(name) for name in navigation.PAGES])
    with st.sidebar:
        _project_picker()
        sign_in.person(annotator)
    page.run()


def _project_picker() -> None:
    chosen = chosen_project()
    if chosen is None:
        return
    names = {project.id: project.settings.name for project in current_store().projects()}
    if len(names) > 1:
        picked = st.selectbox(
            "Project", list(names), index=list(names).index(chosen.id), format_func=lambda project_id: names[project_id]
        )
    else:
        with st.container(gap=None):
            st.caption("Project")
            st.markdown(f"**{plain(chosen.settings.name)}**")
        picked = chosen.id
    choose_project(picked)


main()
