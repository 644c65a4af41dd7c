"""The part of the Data page where a lead gives a list of names."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from annotation.formats import SourceFile
from annotation.name_list import remove_list, replace_list
from annotation.permissions import Action
from annotation.ui.session import allow
from annotation.ui.text import cell, counted, plain
from maner_core.errors import ManerError
from storage import Project, Store

SHOWN = 500  # names in the table
MAX_UPLOAD = 20  # MB
_UPLOADS = "names_uploads"
_HELP = (
    "Names that occur in your sentences: a name, a tab and its label on each line, saved as UTF-8. From the next sentence "
    "handed out they are suggested, marked as coming from the list; until there are labels enough to ask a tagger, half of "
    "the sentences are such as hold one. A name with a capital is found where the text has one, too; a name without "
    "one only as it is written."
)


def name_section(store: Store, project: Project) -> None:
    """The list there is, another in its place, none any more."""
    listed = store.listed_names(project.id)
    with st.expander(f"List of names: {len(listed):,}" if listed else "List of names", icon=":material/list:"):
        st.caption(_HELP)
        upload = st.file_uploader(
            "File with a name, a tab and a label on each line",
            max_upload_size=MAX_UPLOAD,
            key=f"names_{st.session_state.get(_UPLOADS, 0)}",
        )
        with st.container(horizontal=True):
            use = "Replace the list" if listed else "Use these names"
            if st.button(use, type="primary", icon=":material/upload:", disabled=upload is None, key="use_names"):
                _replace(store, project, upload)
            if listed and st.button("Remove the list", icon=":material/delete:", key="remove_names"):
                remove_list(store, project.id, allow(Action.LIST_NAMES, project.id).annotator.id)
                st.rerun()
        if listed:
            st.dataframe(
                [{"Name": cell(it.name), "Label": cell(it.label)} for it in listed[:SHOWN]],
                hide_index=True,
                key="names",
            )
            if len(listed) > SHOWN:
                st.caption(f"and {counted(len(listed) - SHOWN, 'name')} more")


def _replace(store: Store, project: Project, upload: UploadedFile | None) -> None:
    if upload is None:
        return
    by = allow(Action.LIST_NAMES, project.id).annotator.id
    try:
        replace_list(store, project.id, SourceFile(upload.name, upload.getvalue()), by)
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1  # an empty uploader
    st.rerun()
