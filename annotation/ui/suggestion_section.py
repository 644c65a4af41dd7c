"""The part of the dashboard that says what suggestions change: time, and how far people follow them."""

from functools import partial

import pandas as pd
import streamlit as st

from annotation.blind import is_withheld
from annotation.sampling.cost import IDLE_SECONDS
from annotation.suggestion_effect import Arm, Estimate, SuggestionEffect, in_words, suggestion_effect
from storage import Project, Store

_HELP = (
    "Compared are sentences that people saw with a suggestion and sentences from which it was withheld by chance. Times are "
    f"medians of first labellings; what took longer than {IDLE_SECONDS:.0f} s is left out, since people did something else "
    "meanwhile. Intervals hold 95 %, over sentences drawn again."
)


def suggestion_section(store: Store, project: Project) -> None:
    """Nothing before somebody has seen a suggestion."""
    effect = _effect(store.max_seq(project.id), project, store)
    if not effect.shown.sentences:
        return
    st.subheader("What suggestions change", help=_HELP)
    st.write(in_words(effect))
    rows = [_row("With a suggestion", effect.shown), _row("Withheld by chance", effect.withheld)]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="suggestion_effect",
        placeholder="–",
        column_config={
            "s a sentence": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    st.caption(
        f"{100 * effect.blind_share:.0f} % of what people labelled to learn from was labelled without seeing a suggestion; "
        "evaluation sentences, which never show one, are not counted. "
        + (
            ""
            if project.settings.blind_share
            else "None are withheld by chance: a lead can set a share on the Project page."
        )
    )


def _row(name: str, arm: Arm) -> dict[str, str | int | float | None]:
    pace = arm.seconds_per_word
    return {
        "": name,
        "Sentences": arm.sentences,
        "s a sentence": arm.seconds,
        "s a word": None if pace is None else f"{pace.value:.2f} ({pace.low:.2f} to {pace.high:.2f})",
        "Agreement": _percent(arm.agreement),
        "Saved as suggested": _percent(arm.unchanged),
    }


def _percent(share: Estimate | None) -> str | None:
    """`52 % (45 to 60)`"""
    return None if share is None else f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


@st.cache_data(max_entries=20, show_spinner=False, hash_funcs={Project: repr})
def _effect(watermark: int, project: Project, _store: Store) -> SuggestionEffect:
    """Computed once for what has been labelled up to `watermark`."""
    work = _store.suggested_work(project.id)
    return suggestion_effect(work, partial(is_withheld, project), project.settings.suggestion_threshold)
