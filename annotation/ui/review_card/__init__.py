"""The card of the Review page: a Streamlit component that shows the versions of a sentence and takes a decision by key.

It shares with the span editor how sentences are drawn, keys are read and spans are counted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from annotation.ui.component import read_frontend

_FOLDER = Path(__file__).parent
_SHARED = ("words.js", "spans.js", "keys.js", "sentence_view.js")


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_mount = st.components.v2.component(
    "maner_review_card",
    html=_read("card.html"),
    css=read_frontend("editor.css") + _read("card.css"),
    js="\n".join([*map(read_frontend, _SHARED), _read("card.js")]),
    isolate_styles=True,
)


def review_card(*, key: str, data: dict[str, Any], on_act: Callable[[], None]) -> None:
    """Show a sentence; `on_act` finds what was decided in `st.session_state[key]["act"]`.

    `data`: `item` (see annotation/ui/review.py), `labels`, `problem` to say or None, and `turn` with `stamp`: the card is
    drawn anew, and takes the next decision, when one of them has changed.
    """
    _mount(key=key, data=data, height="content", on_act_change=on_act)
