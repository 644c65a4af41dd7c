"""The archive on the Project page: where projects go that nobody works on any more, and come back from."""

import streamlit as st

from annotation.permissions import Action
from annotation.ui.session import allow, archived_projects, choose_project, current_store
from annotation.ui.text import plain
from storage import Project


def archive_section(project: Project | None) -> None:
    """Puts the project at work into the archive, takes others out of it; nothing where there is nothing to do."""
    archived = archived_projects()
    if project is None and not archived:
        return
    with st.expander(f"Archive: {len(archived)}" if archived else "Archive", icon=":material/archive:"):
        st.write("Of a project in the archive nothing is lost. Nobody is asked to label there, and nothing is trained.")
        for each in archived.values():
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.markdown(f"**{plain(each.settings.name)}**")
                st.button(
                    "Take out",
                    icon=":material/unarchive:",
                    key=f"unarchive_{each.id}",
                    on_click=_archive,
                    args=(each.id, each.settings.name, False),
                )
        if project is not None:
            st.button(
                f"Put {plain(project.settings.name)} into the archive",
                icon=":material/archive:",
                key="archive",
                on_click=_archive,
                args=(project.id, project.settings.name, True),
            )


def _archive(project_id: int, name: str, archived: bool) -> None:
    person = allow(Action.CHANGE_PROJECT, project_id)
    current_store().archive_project(project_id, archived, person.annotator.id)
    if archived:
        st.toast(f"{plain(name)} is in the archive now.", icon=":material/archive:")
    else:
        choose_project(project_id)
        st.toast(f"{plain(name)} is back.", icon=":material/unarchive:")
