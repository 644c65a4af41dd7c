"""The span editor: a Streamlit component (version 2) in plain JavaScript and CSS, without a build step.

The files of frontend/ are put together at import, in the order of _SCRIPTS, into the one module that Streamlit loads;
they share one scope, and each begins with what it is for. The editor talks to the server by itself (see sync.js), so
Python only mounts it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import streamlit as st

from storage import Label

_FRONTEND = Path(__file__).parent / "frontend"
_SCRIPTS = (
    "words.js",  # the words of the interface
    "spans.js",  # span arithmetic
    "keys.js",  # which key does what
    "journal.js",  # what must survive the death of the browser
    "outbox.js",  # what must survive a reload
    "session.js",  # the work: sentences, edits, undo
    "sync.js",  # the conversation with the server
    "frame.js",  # what may wait until the screen is drawn
    "work.js",  # session and sync together: what outlives the view
    "sentence_view.js",  # draws the sentence
    "edge_view.js",  # draws what surrounds it
    "editor.js",  # brings keys, mouse and touch to the work; the entry point
)


class EditorData(TypedDict):
    """What the editor gets: where and as whom it syncs, the labels, the words, and in the fallback the last answer."""

    scope: str
    url: str
    token: str
    labels: list[dict[str, str]]
    words: dict[str, str]
    answer: dict[str, object] | None


def read_frontend(name: str) -> str:
    """A file of frontend/, as text."""
    return (_FRONTEND / name).read_text(encoding="utf-8")


# Once, at import: the name of a component is known to the whole process.
_mount = st.components.v2.component(
    "maner_span_editor",
    html=read_frontend("editor.html"),
    css=read_frontend("editor.css"),
    js="\n".join(read_frontend(name) for name in _SCRIPTS),
    isolate_styles=True,
)


def span_editor(
    *,
    key: str,
    scope: str,
    url: str,
    token: str,
    labels: Sequence[Label],
    words: Mapping[str, str],
    answer: dict[str, object] | None = None,
    on_sync: Callable[[], None] | None = None,
) -> None:
    """Show the editor.

    `scope` names the work it keeps in the browser: one for each project and annotator of a database; `words` are those of
    annotation/ui/words in one language. It posts to `url` with `token`. Where that route is not served it triggers "sync"
    instead: then `on_sync` finds the request in `st.session_state[key]["sync"]`, and its answer belongs into the `answer`
    of the next run.
    """
    data = EditorData(
        scope=scope,
        url=url,
        token=token,
        labels=[
            {"name": label.name, "color": label.color, "key": label.key, "description": label.description}
            for label in labels
        ],
        words=dict(words),
        answer=answer,
    )
    _mount(key=key, data=data, height="content", on_sync_change=on_sync or _ignore)


def _ignore() -> None:
    """A trigger must have a callback to be known to Streamlit."""
