"""The form for a new simulation: whose labels, which strategies, how long."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from annotation.formats import SourceFile
from annotation.permissions import Action
from annotation.sampling import QUERY_STRATEGIES
from annotation.simulation.desk import Order, Simulations
from annotation.simulation.one_file import (
    LARGEST_FILE,
    MOST_TO_LABEL,
    MOST_TO_MEASURE,
    Labelled,
    project_labels,
    read_labelled,
)
from annotation.ui.marked import marked
from annotation.ui.session import allow, current_store
from annotation.ui.strategies import STRATEGIES
from annotation.ui.text import counted, plain
from annotation.work_state import duration
from maner_core.errors import ManerError
from storage import Project, RunState, Store

Parts = tuple[list[Labelled], list[Labelled]]

_SOURCES = {"file": "A labelled file", "project": "Labels of this project"}
_TAGGERS = {True: "Quick scorer", False: "The project's tagger"}
_SHOWN = 3  # sentences of the file
_LARGEST_SHARE = 0.8
"""Of the sentences to label from: where all are labelled, no choice is left."""


def new_simulation(project: Project, simulations: Simulations) -> None:
    """Asks, and starts it on a click."""
    source = st.segmented_control(
        "Labels", list(_SOURCES), default="file", format_func=_SOURCES.__getitem__, key="simulation_source"
    )
    name, parts = _file() if source != "project" else _labels_here(project)
    if parts is None:
        return
    _preview(project, parts)
    order = _order(project, name, min(len(parts[0]), MOST_TO_LABEL))
    if order is None:
        return
    st.caption(_how_long(project, order))
    if st.button("Start", type="primary", icon=":material/play_arrow:", key="simulation_start"):
        _start(project, simulations, order, parts)


def _file() -> tuple[str, Parts | None]:
    upload = st.file_uploader(
        "CoNLL or JSON lines, with names marked",
        max_upload_size=LARGEST_FILE,
        key="simulation_file",
    )
    if upload is None:
        return "", None
    try:
        return upload.name, _read(upload.file_id, upload)
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return upload.name, None


@st.cache_data(max_entries=4, show_spinner="Reading the file")
def _read(file_id: str, _upload: UploadedFile) -> Parts:
    """Read once, not at every click on the page."""
    return read_labelled(SourceFile(_upload.name, _upload.getvalue()))


def _labels_here(project: Project) -> tuple[str, Parts | None]:
    name, store = f"the labels of {project.settings.name}", current_store()
    try:
        return name, _labelled_here(project.id, (store.max_seq(project.id), store.max_decision(project.id)), store)
    except ManerError as error:
        st.warning(plain(str(error)), icon=":material/info:")
        return name, None


@st.cache_data(max_entries=4, show_spinner=False)
def _labelled_here(project_id: int, watermarks: tuple[int, int], _store: Store) -> Parts:
    """Read anew only once there are other annotations or decisions."""
    return project_labels(_store, project_id)


def _preview(project: Project, parts: Parts) -> None:
    to_label, to_measure = min(len(parts[0]), MOST_TO_LABEL), min(len(parts[1]), MOST_TO_MEASURE)
    named = sorted({span.label for part in parts for _, spans in part for span in spans})
    st.caption(
        f"{counted(to_label, 'sentence')} to label from, {to_measure} others to measure on; labels: "
        f"{plain(', '.join(named))}."
    )
    colors = {label.name: label.color for label in project.settings.labels}
    shown = [item for item in parts[0] if item[1]][:_SHOWN]
    with st.expander("A look at the sentences"):
        for tokens, spans in shown:
            st.html(marked(tokens, spans, colors, project.settings.direction))


def _order(project: Project, source: str, n_to_label: int) -> Order | None:
    settings = project.settings
    others = [name for name in QUERY_STRATEGIES if name != "random"]
    proposed = dict.fromkeys(name for name in ("mnlp", settings.strategy) if name in others)
    strategies = st.multiselect(
        "Compare with random order",
        others,
        default=list(proposed),
        format_func=lambda name: STRATEGIES.get(name, name),
        max_selections=5,
        key="simulation_strategies",
    )
    left, right = st.columns(2)
    quick = left.segmented_control(
        "Tagger",
        list(_TAGGERS),
        default=True,
        format_func=_TAGGERS.__getitem__,
        key="simulation_quick",
        help="The quick scorer is a small network on the frozen backbone: it trains in seconds, and mostly, not always, "
        "ranks strategies like the tagger does",
    )
    seeds = right.number_input(
        "Repetitions",
        1,
        10,
        5,
        key="simulation_seeds",
        help="Each from other first sentences; five tell more than three",
    )
    most = int(_LARGEST_SHARE * n_to_label)
    with st.expander("How many labels"):
        first, each, last = st.columns(3)
        seed_size = first.number_input("Labels at first, by chance", 10, most, min(50, most), key="simulation_first")
        batch = each.number_input("Labels from one training to the next", 5, 500, 25, key="simulation_batch")
        budget = last.number_input(
            "Labels in the end", int(seed_size), most, max(min(300, most), int(seed_size)), key="simulation_budget"
        )
    if not strategies:
        st.caption("Choose at least one strategy.")
        return None
    return Order(
        source=source,
        strategies=tuple(strategies),
        seeds=int(seeds),
        seed_size=int(seed_size),
        batch=int(batch),
        budget=int(budget),
        quick=quick is not False,
        system=settings.system,
        backbone=settings.backbone,
        preset=settings.preset,
    )


def _how_long(project: Project, order: Order) -> str:
    trainings = f"{counted(order.rounds, 'training')} with the backbone {plain(order.backbone)}"
    if order.quick:
        return f"{trainings}: seconds each, the first ones longer, while the backbone reads the sentences."
    seconds = _round_seconds(project)
    if seconds is None:
        return f":orange[{trainings}: one to five minutes each on two cores, beside the trainings of the project.]"
    total = duration(seconds * order.rounds)
    return f":orange[{trainings}: about {total}, if each takes as long as the last one here, {duration(seconds)}.]"


def _round_seconds(project: Project) -> float | None:
    done = [run for run in current_store().runs(project.id) if run.state is RunState.DONE and "seconds" in run.metrics]
    return sum(max(done, key=lambda run: run.id).metrics["seconds"].values()) if done else None


def _start(project: Project, simulations: Simulations, order: Order, parts: Parts) -> None:
    by = allow(Action.SIMULATE, project.id).annotator.id
    try:
        simulations.start(project.id, order, *parts)
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    current_store().record(project.id, by, "simulation_started", strategies=list(order.strategies))
    st.rerun()
