"""How far people agree who labelled the same sentences, and where they differ, sentence by sentence."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from annotation.agreement import (
    Agreement,
    Answers,
    EntityAgreement,
    LabelAgreement,
    Measured,
    PairAgreement,
    agreement,
    answers_of,
    in_words,
)
from annotation.permissions import Action
from annotation.ui import navigation
from annotation.ui.marked import marked
from annotation.ui.session import allows, current_annotator, current_project, current_store
from annotation.ui.text import cell, counted, plain
from storage import DoubledSentence, Project, Store

PER_PAGE = 10  # sentences
EVERYBODY = "Everybody"
UNKNOWN = "–"


def page() -> None:
    """Figures in words, by pair and by label, and the sentences that people read differently."""
    project = current_project(Action.SEE_ANSWERS)
    store = current_store()
    st.title("Agreement")
    doubled = store.doubled(project.id)
    answers = answers_of(doubled)
    if not answers:
        _nothing_yet(project)
        return
    found = _measured(answers)
    names = {who: store.annotator_by_id(who).name for one in answers for who in one.spans}
    st.write(in_words(found))
    _headline(found)
    _by_pair(found, names)
    _by_label(found.by_label)
    _differences(store, project, doubled, answers, names)


@st.cache_data(show_spinner="Comparing what people say …", max_entries=20)
def _measured(answers: list[Answers]) -> Agreement:
    """Looked up by what people say: computed again only when that has changed."""
    return agreement(answers)


def _nothing_yet(project: Project) -> None:
    settings = project.settings
    if settings.overlap > 1:
        st.write(
            f"{settings.overlap_share:.0%} of the sentences go to {settings.overlap} people each, without suggestions. "
            "Once two people have labelled the same one, this page shows how far they agree."
        )
        return
    st.write(
        "No sentence goes to more than one person yet, so nobody can say how far people agree. Let a share of the "
        "sentences be labelled by two people; they see no suggestions there, nor each other's answers."
    )
    if not allows(Action.CHANGE_PROJECT, project.id):
        st.caption("A lead of the project can set that.")
    elif st.button("Set it up", type="primary", icon=":material/tune:"):
        navigation.go_to("project")


def _headline(found: Agreement) -> None:
    entities = found.entities
    with st.container(horizontal=True, key="headline"):
        st.metric("Same words, same label", _short(entities.exact), help=f"F1 of names; {_interval(entities.exact)}")
        st.metric(
            "Same words",
            _short(entities.span_only),
            help=f"F1 whatever the label: what is lost to the left is about labels; {_interval(entities.span_only)}",
        )
        st.metric(
            "Same label, a word in common",
            _short(entities.overlap),
            help=f"F1 of the same label on some of the same words: what is lost is about where names start and end; "
            f"{_interval(entities.overlap)}",
        )
        st.metric(
            "Krippendorff's alpha",
            UNKNOWN if found.alpha.value is None else f"{found.alpha.value:.2f}",
            help="1: agreement everywhere, 0: as by chance; on the words that somebody marked, which is harder than on "
            f"all of them; 95%: {found.alpha.low:.2f} to {found.alpha.high:.2f}",
        )
        st.metric(
            "Sentences", found.n_sentences, help=f"labelled by two of {counted(found.n_people, 'person')} or more"
        )


def _by_pair(found: Agreement, names: Mapping[int, str]) -> None:
    st.subheader("Who agrees with whom")
    label = None
    if len(found.by_label) > 1:
        label = st.segmented_control("On one label alone", list(found.by_label), format_func=plain, key="pair_label")

    def figures(pair: PairAgreement) -> tuple[EntityAgreement, Measured]:
        return (pair.entities, pair.kappa) if label is None else pair.by_label[label]

    def worst_first(pair: PairAgreement) -> float:
        value = figures(pair)[0].exact.value
        return 2.0 if value is None else value

    rows = [
        {
            "One": cell(names[pair.first]),
            "Other": cell(names[pair.second]),
            "Sentences": pair.n_sentences,
            **_figures(entities, span_only=label is None),
            **_coefficient("Kappa", kappa),
        }
        for pair in sorted(found.pairs, key=worst_first)
        for entities, kappa in [figures(pair)]
    ]
    _table(rows, "pairs")


def _by_label(by_label: Mapping[str, LabelAgreement]) -> None:
    st.subheader("Label by label")
    rows = [
        {
            "Label": cell(label),
            "Marked": found.entities.n_entities,
            **_figures(found.entities, span_only=False),
            **_coefficient("Kappa", found.kappa),
            **_coefficient("Alpha", found.alpha),
        }
        for label, found in by_label.items()
    ]
    _table(rows, "labels")
    st.caption(
        "Kappa and alpha of a label: of the words that somebody marked, whether it is this label or not. "
        "Kappa is the mean over the pairs of people."
    )


def _figures(found: EntityAgreement, span_only: bool = True) -> dict[str, object]:
    """The columns of F1, in percent; of one label, agreement on words alone would say nothing else."""
    without_label = {"Same words": _percent(found.span_only)} if span_only else {}
    return {
        "Agree on": _percent(found.exact),
        "95%": UNKNOWN if found.exact.value is None else f"{found.exact.low:.0%} to {found.exact.high:.0%}",
        **without_label,
        "Same label, a word in common": _percent(found.overlap),
    }


def _coefficient(name: str, found: Measured) -> dict[str, object]:
    """The columns of kappa or alpha."""
    interval = UNKNOWN if found.value is None else f"{found.low:.2f} to {found.high:.2f}"
    return {name: found.value, f"{name}, 95%": interval}


def _table(rows: Sequence[Mapping[str, object]], key: str) -> None:
    percent = st.column_config.NumberColumn(format="%.0f%%")
    config: dict[str, ColumnConfig] = {
        **dict.fromkeys(("Agree on", "Same words", "Same label, a word in common"), percent),
        "Marked": st.column_config.NumberColumn(help="How often, by anybody"),
        "Kappa": st.column_config.NumberColumn(format="%.2f", help="Cohen's, on the words that either marked"),
        "Alpha": st.column_config.NumberColumn(format="%.2f", help="Krippendorff's, on the words that somebody marked"),
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, key=key, column_config=config)


def _differences(
    store: Store,
    project: Project,
    doubled: Sequence[DoubledSentence],
    answers: Sequence[Answers],
    names: Mapping[int, str],
) -> None:
    st.subheader("Where people differ")
    closed = _still_to_label(doubled, current_annotator().id)
    differing = [one for one in answers if one.differ]
    shown = [one for one in differing if one.sentence_id not in closed]
    if len(shown) < len(differing):
        hidden = counted(len(differing) - len(shown), "sentence")
        st.caption(f"Not shown, since you may be asked to label it yourself: {hidden}.")
    who = st.selectbox(
        "Who",
        [None, *sorted(names, key=names.__getitem__)],
        format_func=lambda one: names.get(one, EVERYBODY),
        width=320,
    )
    shown = [one for one in shown if who is None or who in one.spans]
    if not shown:
        st.caption("Nowhere.")
        return
    pages = math.ceil(len(shown) / PER_PAGE)
    page = int(st.number_input(f"Page of {pages}", 1, pages, 1, key="page", width=160)) if pages > 1 else 1
    colors = {label.name: label.color for label in project.settings.labels}
    tokens = {one.sentence.id: one.sentence.tokens for one in doubled}
    for one in shown[(page - 1) * PER_PAGE : page * PER_PAGE]:
        with st.container(border=True, key=f"sentence_{one.sentence_id}"):
            for annotator_id, spans in one.spans.items():
                name, text = st.columns([1, 6], gap="small")
                name.caption(plain(names[annotator_id]))
                text.html(marked(tokens[one.sentence_id], spans, colors, project.settings.direction))


def _still_to_label(doubled: Sequence[DoubledSentence], viewer: int) -> set[int]:
    """Sentences with a seat left that this person has not labelled: seeing what others say would spoil their answer."""
    return {
        one.sentence.id
        for one in doubled
        if len(one.annotations) < one.seats and viewer not in {own.annotator_id for own in one.annotations}
    }


def _short(figure: Measured) -> str:
    return UNKNOWN if figure.value is None else f"{figure.value:.0%}"


def _interval(figure: Measured) -> str:
    return "nothing is marked" if figure.value is None else f"95%: {figure.low:.0%} to {figure.high:.0%}"


def _percent(figure: Measured) -> float | None:
    return None if figure.value is None else 100 * figure.value
