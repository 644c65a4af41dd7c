"""The page of the stand-in server: only the editor, and a text box to see that other widgets keep their keys."""

import streamlit as st

from annotation.ui.component import span_editor
from annotation.ui.words import Words
from browser.fake_server import FAKE
from storage import Label

st.set_page_config(page_title="Editor", layout="wide")


def answer_trigger() -> None:
    """The fallback: the request of the trigger, answered by the same stand-in."""
    st.session_state["answer"] = FAKE.sync(st.session_state["editor"]["sync"])


with st.sidebar:
    st.text_input("Something else")
    st.button("Rerun the page")
span_editor(
    key="editor",
    scope="fake.1",
    url="/api/sync",
    token="token",
    labels=[Label(**label) for label in FAKE.labels],
    words=Words("en").all(),
    answer=st.session_state.get("answer"),
    on_sync=answer_trigger,
)
