"""The lead's settings: labels with colours and keys, guidelines, language, and how the model learns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import pandas as pd
import streamlit as st

from annotation.adapted_backbone import FEWEST_SENTENCES
from annotation.backbone_lookup import BackboneLookup
from annotation.labels import DEFAULT_LABEL_NAMES, make_labels
from annotation.permissions import Action
from annotation.project_settings import checked
from annotation.sampling import QUERY_STRATEGIES
from annotation.starting import require_own
from annotation.ui import navigation
from annotation.ui.archive_section import archive_section
from annotation.ui.session import allow, allows, choose_project, chosen_project, current_settings, current_store
from annotation.ui.starting_field import starting_field
from annotation.ui.strategies import STRATEGIES
from annotation.ui.text import plain
from maner_core.calibration import FEWEST_SPANS
from maner_core.config import ADAPTATIONS, PRESETS
from maner_core.encoding import INPUT_SCHEMES
from maner_core.errors import ManerError
from storage import LARGEST_OVERLAP, Label, Project, ProjectSettings, SuggestWhen

BACKBONES = ("bundled", "xlm-roberta-base", "xlm-roberta-large", "Davlan/afro-xlmr-base", "cis-lmu/glot500-base")

_DIRECTIONS = {"auto": "Automatic", "ltr": "Left to right", "rtl": "Right to left"}
_SUGGEST = {
    SuggestWhen.ALWAYS: "Always",
    SuggestWhen.EARNED: "Once the model has earned it",
    SuggestWhen.NEVER: "Never",
}
_SYSTEMS = {
    "maner": "maner: a mask before each word",
    "maner_rand": "maner_rand: an untrained token before each word",
    "sner": "sner: the first sub-word of each word",
    "mlm_ner": "mlm_ner: the same, with some words masked while training",
}
_ADAPTATIONS = {
    "none": "No",
    "before": "Before the first training: the backbone guesses hidden words of them",
    "beside": "Beside every training: hidden words are guessed as well",
}
_MAKING_NEW = "making_new_project"


def page() -> None:
    """Settings of the chosen project, or of one about to be made."""
    project = chosen_project()
    if project is None or st.session_state.get(_MAKING_NEW):
        allow(Action.CREATE_PROJECT)
        _new_project(project)
        archive_section(None)
    else:
        allow(Action.CHANGE_PROJECT, project.id)
        _existing_project(project)
        archive_section(project)


def _new_project(other: Project | None) -> None:
    st.title("New project")
    st.write("A name and labels are enough; everything else can be changed later.")
    start = ProjectSettings(name="", labels=make_labels(DEFAULT_LABEL_NAMES))
    settings = _form(start, "new")
    with st.container(horizontal=True):
        if st.button("Create project", type="primary", icon=":material/check:"):
            _create(settings)
        if other is not None and st.button("Cancel"):
            st.session_state[_MAKING_NEW] = False
            st.rerun()


def _existing_project(project: Project) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Project")
        if allows(Action.CREATE_PROJECT) and st.button("New project", icon=":material/add:"):
            st.session_state[_MAKING_NEW] = True
            st.rerun()
    settings = _form(project.settings, _key(project))
    changed = settings != project.settings
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Save", type="primary", icon=":material/check:", disabled=not changed):
            _save(project, settings)
        st.caption("There are changes that are not saved yet." if changed else "Everything is saved.")


def _create(settings: ProjectSettings) -> None:
    try:
        person = allow(Action.CREATE_PROJECT)
        require_own(current_store(), current_settings().home, person, settings)
        project = current_store().create_project(checked(settings), person.annotator.id)
    except ManerError as error:
        st.error(plain(str(error)))
        return
    st.session_state[_MAKING_NEW] = False
    choose_project(project.id)
    st.toast(f"{plain(project.settings.name)} is ready. Next: import sentences.")
    navigation.go_to("data")


def _save(project: Project, settings: ProjectSettings) -> None:
    try:
        person = allow(Action.CHANGE_PROJECT, project.id)
        require_own(current_store(), current_settings().home, person, settings)
        current_store().update_project(project.id, checked(settings), person.annotator.id)
    except ManerError as error:
        st.error(plain(str(error)))
        return
    st.toast("Saved", icon=":material/check:")
    st.rerun()


def _form(start: ProjectSettings, key: str) -> ProjectSettings:
    """The settings as they stand in the widgets; `key` keeps the widgets of different projects apart."""
    settings = _basics(start, key)
    settings = replace(settings, labels=_labels(start.labels, key))
    settings = replace(
        settings,
        guidelines=st.text_area(
            "Guidelines",
            start.guidelines,
            height=180,
            key=f"guidelines_{key}",
            help="Shown below the sentence while people label. Markdown works.",
            placeholder="What counts as a name? What about titles, nicknames, names within names?",
        ),
    )
    return _learning(_doubling(_suggestions(settings, start, key), start, key), start, key)


def _key(project: Project) -> str:
    """A new key once settings are saved: the table of labels keeps what was typed under the old one."""
    return f"{project.id}_{crc32(repr(project.settings).encode())}"


def _basics(start: ProjectSettings, key: str) -> ProjectSettings:
    st.subheader("What it is")
    left, middle, right = st.columns([4, 2, 6])
    return replace(
        start,
        name=left.text_input("Name", start.name, key=f"name_{key}", max_chars=80),
        language=middle.text_input(
            "Language",
            start.language,
            key=f"language_{key}",
            max_chars=40,
            placeholder="swa",
            help="A code or a name; only for people",
        ),
        direction=right.segmented_control(
            "Text direction",
            list(_DIRECTIONS),
            default=start.direction,
            format_func=_DIRECTIONS.__getitem__,
            key=f"direction_{key}",
        )
        or start.direction,
    )


def _labels(start: Sequence[Label], key: str) -> tuple[Label, ...]:
    st.subheader("Labels")
    st.caption(
        "Add a line for a new label. The key is the one character people press; leave it empty for the next free one."
    )
    frame = pd.DataFrame(
        {"name": [label.name for label in start], "key": [label.key for label in start],
         "description": [label.description for label in start]}
    )  # fmt: skip
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        key=f"labels_{key}",
        column_config={
            "name": st.column_config.TextColumn("Label", required=True, max_chars=80),
            "key": st.column_config.TextColumn("Key", max_chars=1, width="small"),
            "description": st.column_config.TextColumn("What it means", width="large"),
        },
    )
    lines = [{str(column): cell for column, cell in row.items()} for row in edited.to_dict("records")]
    rows = [row for row in lines if _cell(row, "name")]
    # A new label gets a colour, and a key where none is given, that no other label has.
    taken = [replace(label, key="") for label in start]
    typed = [Label("", "", _cell(row, "key")) for row in rows]
    proposed = {label.name: label for label in make_labels(_new_names(rows, start), (*taken, *typed))}
    known = {label.name: replace(label, key="") for label in start}
    with st.container(horizontal=True, gap="medium"):
        return tuple(
            _label(row, {**proposed, **known}[_cell(row, "name")], f"color_{key}_{place}")
            for place, row in enumerate(rows)
        )


def _new_names(rows: Sequence[dict[str, Any]], start: Sequence[Label]) -> list[str]:
    known = {label.name for label in start}
    return [_cell(row, "name") for row in rows if _cell(row, "name") not in known]


def _label(row: dict[str, Any], proposed: Label, key: str) -> Label:
    name = _cell(row, "name")
    return Label(
        name=name,
        color=st.color_picker(plain(name), proposed.color, key=f"{key}_{name}"),
        key=_cell(row, "key") or proposed.key,
        description=_cell(row, "description"),
    )


def _cell(row: dict[str, Any], column: str) -> str:
    """A cell of the editor as text; an untouched cell of a new line is empty."""
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""


def _suggestions(settings: ProjectSettings, start: ProjectSettings, key: str) -> ProjectSettings:
    st.subheader("Suggestions")
    left, right = st.columns(2)
    when = left.segmented_control(
        "People see the model's suggestions",
        list(_SUGGEST),
        default=start.suggest_when,
        format_func=_SUGGEST.__getitem__,
        key=f"suggest_{key}",
        help="Earned: F1 is at least 50 % with 95 % certainty, on 50 evaluation sentences or more. "
        "Names of the list and names marked elsewhere do not wait for that. Never keeps these back, too. Evaluation "
        "sentences never show any.",
    )
    threshold = right.slider(
        "Show names the model is at least so sure of",
        0,
        100,
        round(100 * start.suggestion_threshold),
        step=5,
        format="%d %%",
        key=f"threshold_{key}",
        help=f"By its own reckoning, which is mostly too sure. From {FEWEST_SPANS} judged names on people see beside each one "
        "how often such names were right so far",
    )
    blind = left.slider(
        "Withhold them from this share of the sentences",
        0,
        50,
        round(100 * start.blind_share),
        step=5,
        format="%d %%",
        key=f"blind_{key}",
        help="Drawn by chance. Only so can the dashboard tell what suggestions change: time, and how far people follow them",
    )
    return replace(
        settings,
        suggest_when=when or start.suggest_when,
        suggestion_threshold=threshold / 100,
        blind_share=blind / 100,
    )


def _doubling(settings: ProjectSettings, start: ProjectSettings, key: str) -> ProjectSettings:
    st.subheader("Checking that people agree")
    left, right = st.columns(2)
    overlap = left.number_input(
        "So many people label a doubled sentence",
        1,
        LARGEST_OVERLAP,
        start.overlap,
        key=f"overlap_{key}",
        help="1: no sentence is doubled. Nobody sees a suggestion there, nor what the others answered",
    )
    share = right.slider(
        "Share of the sentences that are doubled",
        0,
        100,
        round(100 * start.overlap_share),
        step=5,
        format="%d %%",
        key=f"overlap_share_{key}",
        help="Drawn by chance, among sentences for evaluation too; applies to what nobody has begun",
        disabled=overlap == 1,
    )
    return replace(settings, overlap=int(overlap), overlap_share=share / 100)


def _learning(settings: ProjectSettings, start: ProjectSettings, key: str) -> ProjectSettings:
    st.subheader("How the model learns")
    left, right = st.columns(2)
    retrain_every = left.number_input(
        "Train again after so many new labels", 1, 10_000, start.retrain_every, key=f"every_{key}"
    )
    retrain_after = right.number_input(
        "or after so many seconds with at least five",
        10,
        86_400,
        start.retrain_after_seconds,
        step=30,
        key=f"after_{key}",
    )
    with st.expander("For those who know: model, selection, evaluation, seed"):
        left, right = st.columns(2)
        backbone = left.selectbox(
            "Backbone",
            _with(BACKBONES, start.backbone),
            index=_with(BACKBONES, start.backbone).index(start.backbone),
            accept_new_options=True,
            key=f"backbone_{key}",
            help="bundled works everywhere; else a hub id or a folder with an encoder that has a mask token",
        )
        with left:
            _backbone_note(str(backbone or start.backbone).strip())
        system = right.selectbox(
            "System",
            list(INPUT_SCHEMES),
            index=list(INPUT_SCHEMES).index(start.system),
            format_func=lambda name: _SYSTEMS.get(name, name),
            key=f"system_{key}",
        )
        strategy = left.selectbox(
            "Which sentences come next",
            list(QUERY_STRATEGIES),
            index=list(QUERY_STRATEGIES).index(start.strategy),
            format_func=lambda name: STRATEGIES.get(name, name),
            key=f"strategy_{key}",
        )
        control = left.slider(
            "Draw this share by chance, to tell whether choosing pays",
            0,
            50,
            round(100 * start.control_share),
            step=5,
            format="%d %%",
            key=f"control_{key}",
            help="0: no comparison (a tenth is drawn by chance anyway). Else two more trainings after a round, once each "
            "way has ten new labels; the dashboard draws both by labels and by minutes",
        )
        noise = left.checkbox(
            "Measure the chance in trainings by itself",
            start.measure_noise,
            key=f"noise_{key}",
            help="At 100, 200, 400 labels and so on the worker trains once more on the same ones, when it has nothing else to "
            "do. Only so can the dashboard tell whether a tagger that still changes has learned",
        )
        preset = right.selectbox(
            "Training preset", list(PRESETS), index=list(PRESETS).index(start.preset), key=f"preset_{key}"
        )
        adaptation = left.selectbox(
            "Learn from unlabelled sentences too",
            list(ADAPTATIONS),
            index=list(ADAPTATIONS).index(start.adaptation),
            format_func=lambda name: _ADAPTATIONS.get(name, name),
            key=f"adaptation_{key}",
            help=f"Needs {FEWEST_SENTENCES} unlabelled sentences. Before: once, and again when they have become many more; "
            "beside: every training takes about three times as long",
        )
        reserve = left.slider(
            "Share of imported sentences kept for evaluation",
            0,
            50,
            round(100 * start.reserve_fraction),
            format="%d %%",
            key=f"reserve_{key}",
            help="Applies to sentences imported from now on",
        )
        with left:
            starting = starting_field(settings, start.starting_tagger, key)
        seed = right.number_input("Seed", 0, 2**31 - 1, start.seed, key=f"seed_{key}", help="All chance comes from it")
    return replace(
        settings,
        retrain_every=int(retrain_every),
        retrain_after_seconds=int(retrain_after),
        backbone=str(backbone or start.backbone).strip(),
        system=system,
        strategy=strategy,
        control_share=control / 100,
        measure_noise=noise,
        preset=preset,
        adaptation=adaptation,
        starting_tagger=starting,
        reserve_fraction=reserve / 100,
        seed=int(seed),
    )


def _backbone_note(name: str) -> None:
    """Says it when this machine cannot load a backbone; looks again each second until that is known."""
    looking = _backbone_lookup().problem(name) is None

    def note() -> None:
        problem = _backbone_lookup().problem(name)
        if problem is None:
            st.caption("Looking for it …")
            return
        if looking:
            st.rerun()
        if problem:
            st.warning(f"{plain(problem[:1].upper() + problem[1:])}. What counts is the machine of the worker.")

    st.fragment(note, run_every=1 if looking else None)()


@st.cache_resource(show_spinner=False)
def _backbone_lookup() -> BackboneLookup:
    return BackboneLookup()


def _with(options: Sequence[str], chosen: str) -> list[str]:
    return list(options) if chosen in options else [chosen, *options]
