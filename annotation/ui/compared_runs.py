"""Two runs compared on the evaluation sentences, in words, by label and sentence by sentence."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from annotation.run_comparison import RunComparison, SentenceChange, compare_runs, in_words
from annotation.serving import evaluation_labels
from annotation.ui.marked import marked
from annotation.ui.text import cell, counted, plain
from maner_core.spans import Span
from storage import Project, Run, Store

PER_PAGE = 10  # sentences
_KINDS = ("Better", "Worse", "As good")


def compared_runs(store: Store, project: Project, done: Sequence[Run]) -> None:
    """Pick two of the finished runs (newest first) and see what changed between them."""
    st.subheader("Two runs compared")
    ids = [run.id for run in done]
    left, right = st.columns(2)
    before = left.selectbox("Before", ids, index=1, format_func=_name, key=f"before_{project.id}")
    after = right.selectbox("After", ids, index=0, format_func=_name, key=f"after_{project.id}")
    if before == after:
        st.caption("Pick two different runs.")
        return
    gold = evaluation_labels(store, project.id)
    comparison = compare_runs(gold, store.predictions(before), store.predictions(after))
    st.write(plain(in_words(before, after, comparison)))
    if not comparison.n_sentences:
        return
    _by_label(comparison, before, after)
    _sentences(store, project, comparison, before, after)


def _name(run_id: int) -> str:
    return f"Run {run_id}"


def _by_label(comparison: RunComparison, before: int, after: int) -> None:
    rows = [
        {
            "Label": cell(label),
            "Names": found.n_gold,
            _name(before): 100 * found.before,
            _name(after): 100 * found.after,
            "Change": 100 * found.change,
            "95 % interval": f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found.enough else "",
            "So": found.verdict,
        }
        for label, found in comparison.by_label.items()
    ]
    number = st.column_config.NumberColumn(format="%.1f")
    columns = {_name(before): number, _name(after): number, "Change": st.column_config.NumberColumn(format="%+.1f")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="by_label", column_config=columns)


def _sentences(store: Store, project: Project, comparison: RunComparison, before: int, after: int) -> None:
    kinds = dict(zip(_KINDS, (comparison.better, comparison.worse, comparison.as_good), strict=True))
    st.caption(
        f"{_name(after)} reads {counted(len(comparison.changes), 'sentence')} differently: it makes fewer mistakes in "
        f"{len(comparison.better)}, more in {len(comparison.worse)}, as many in {len(comparison.as_good)}."
    )
    if not comparison.changes:
        return
    first = next(kind for kind in _KINDS if kinds[kind])
    kind = st.segmented_control(
        "Sentences", _KINDS, default=first, key=f"kind_{before}_{after}", label_visibility="collapsed"
    )
    changes = kinds[kind or first]
    pages = math.ceil(len(changes) / PER_PAGE)
    page = 1
    if pages > 1:
        page = int(st.number_input(f"Page of {pages}", 1, pages, 1, key=f"page_{before}_{after}_{kind}"))
    colors = {label.name: label.color for label in project.settings.labels}
    for change in changes[(page - 1) * PER_PAGE : page * PER_PAGE]:
        _sentence(store, change, colors, project.settings.direction, before, after)
    if not changes:
        st.caption("None.")


def _sentence(
    store: Store, change: SentenceChange, colors: Mapping[str, str], direction: str, before: int, after: int
) -> None:
    tokens = store.sentence(change.sentence_id).tokens
    readings: tuple[tuple[str, tuple[Span, ...]], ...] = (
        ("People", change.gold),
        (_name(before), change.before),
        (_name(after), change.after),
    )
    with st.container(border=True, key=f"sentence_{change.sentence_id}"):
        for who, spans in readings:
            name, text = st.columns([1, 7], gap="small")
            name.caption(who)
            text.html(marked(tokens, spans, colors, direction))
