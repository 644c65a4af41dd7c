"""The lead's page: how good the tagger is after so many annotations, who did how much, and what the worker does."""

from collections.abc import Container, Sequence

import streamlit as st

from annotation.permissions import Action
from annotation.ui import charts, navigation
from annotation.ui.advice_section import advice_section
from annotation.ui.charts import CurvePoint
from annotation.ui.control_section import control_section
from annotation.ui.quick_section import quick_section
from annotation.ui.run_figures import curve, last_change
from annotation.ui.session import allow, allows, current_project, current_store
from annotation.ui.suggestion_section import suggestion_section
from annotation.ui.text import counted, plain
from annotation.ui.training_request import request_training
from annotation.work_state import WorkState, duration, work_state
from storage import Progress, Project, Run, RunState, Store

WORKER_EVERY = 2  # seconds between two looks at the worker
CHARTS_EVERY = 10  # seconds between two looks at runs and labels

_STATE_ICONS = {
    "off": ":material/power_off:",
    "idle": ":material/bedtime:",
    "training": ":material/model_training:",
    "scoring": ":material/sort:",
    "failed": ":material/error:",
}
_STATE_NAMES = {
    "off": "Worker is off",
    "idle": "Worker is ready",
    "training": "Training",
    "scoring": "Choosing sentences",
    "failed": "Training failed",
}


def page() -> None:
    """Everything about one project that changes by itself, each part refreshed in its own time."""
    project = current_project(Action.SEE_PROGRESS)
    st.title("Dashboard")
    if not current_store().progress(project.id).sentences:
        _nothing_yet(project)
        return
    _worker(project.id)
    _figures(project.id)


def _nothing_yet(project: Project) -> None:
    with st.container(border=True):
        st.subheader(f"{plain(project.settings.name)} has no sentences yet")
        st.write(
            "Import sentences in your language: a plain text file with one sentence a line is enough. Then people can "
            "label, and this page shows how the model learns from them."
        )
        if not allows(Action.IMPORT, project.id):
            st.caption("A lead of the project can import them.")
        elif st.button("Import sentences", type="primary", icon=":material/upload:"):
            navigation.go_to("data")


@st.fragment(run_every=WORKER_EVERY)
def _worker(project_id: int) -> None:
    allow(Action.SEE_PROGRESS, project_id)
    store = current_store()
    project = store.project(project_id)
    work = work_state(store, project)
    with st.container(border=True, key="worker"):
        left, right = st.columns([4, 1], vertical_alignment="center")
        with left:
            _worker_state(work, project)
        if allows(Action.TRAIN, project_id):
            with right:
                _train_button(store, project, work)


def _worker_state(work: WorkState, project: Project) -> None:
    title = f"{_STATE_ICONS[work.state]} **{_STATE_NAMES[work.state]}**"
    if work.state in ("off", "failed"):
        st.markdown(f":red[{title}]" if work.state == "failed" else f":orange[{title}]")
        st.write(_worker_text(work))
    else:
        st.markdown(title)
        st.progress(_worker_progress(work, project), text=_worker_text(work))


def _worker_progress(work: WorkState, project: Project) -> float:
    """How far the worker is with its phase or, while it waits, how full the next batch of labels is."""
    if work.progress is not None:
        return min(max(work.progress, 0.0), 1.0)
    missing = work.until_training or 0
    return min(max(1 - missing / project.settings.retrain_every, 0.0), 1.0)


def _worker_text(work: WorkState) -> str:
    text = plain(work.text)
    if work.state == "off":
        return f"{text}. Start one with `python -m annotation worker`."
    if work.seconds_left is not None:
        return f"{text} · about {duration(work.seconds_left)} left"
    return text


def _train_button(store: Store, project: Project, work: WorkState) -> None:
    requested = store.retrain_requested(project.id)
    busy = work.state in ("training", "scoring")
    label = "Try again" if work.state == "failed" else "Train now"
    st.button(
        "Requested" if requested else label,
        icon=":material/play_arrow:",
        disabled=busy or requested,
        help="Train with the labels there are, without waiting for the next batch",
        on_click=request_training,
        args=(project.id,),
        width="stretch",
        key="train",
    )


@st.fragment(run_every=CHARTS_EVERY)
def _figures(project_id: int) -> None:
    allow(Action.SEE_PROGRESS, project_id)
    store = current_store()
    project, progress, runs = store.project(project_id), store.progress(project_id), store.runs(project_id)
    points, per_run = curve(store, project, runs)
    colors = {label.name: label.color for label in project.settings.labels}
    n_sentences = per_run[points[-1].run]["evaluation_sentences"] if points else 0
    _numbers(progress, points, _why_unmeasured(project.serving_run, per_run))
    st.subheader("How good the suggestions are", help=_CURVE_HELP)
    if points:
        st.altair_chart(charts.f1_curve(points), key="curve")
        left_out = len(per_run) - len(points)
        st.caption(
            f"All runs measured on the same {counted(n_sentences, 'evaluation sentence')} "
            "labelled so far, never trained on; the band is the 95 % interval, the diamond is the run that serves."
            + (f" Left out: {counted(left_out, 'run')} from before some of them were imported." if left_out else "")
        )
        st.write(plain(last_change(store, project, points)))
    else:
        _no_curve_yet(project, progress, runs)
    if not runs and not _touched(progress):
        return  # headings over nothing would only hide the next step
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("By label")
        if points:
            st.altair_chart(charts.label_curves(points, colors), key="label_curves")
        else:
            st.caption("F1 of each label, once there is a run to measure.")
    with right:
        st.subheader("Marked names")
        st.altair_chart(charts.label_counts(progress.by_label, colors), key="label_counts")
    advice_section(store, project, runs, points, n_sentences)
    quick_section(runs)
    control_section(store, project)
    suggestion_section(store, project)
    _labels_per_hour(store, project.id)
    _runs_link(runs)


_CURVE_HELP = (
    "F1 is the harmonic mean of precision and recall over whole names: a name counts only if its first word, its last "
    "word and its label are all right. 100 % would mean that the model finds every name and nothing else."
)


def _why_unmeasured(serving: int | None, per_run: Container[int]) -> str:
    """Why the run that serves has no point on the curve, if it has none."""
    if serving is None:
        return "No run serves yet"
    if serving in per_run:
        return "The run that serves is not measured: some evaluation sentences were imported after it"
    return "Nothing measures the run that serves: no labelled evaluation sentences, or it has learned from them"


def _numbers(progress: Progress, points: Sequence[CurvePoint], why_unmeasured: str) -> None:
    serving = next((point for point in reversed(points) if point.serves), None)
    pool = progress.labelled + progress.skipped + progress.flagged + progress.unlabelled_pool
    with st.container(horizontal=True, key="numbers"):
        st.metric("Labelled to learn from", progress.labelled, help=f"{progress.no_entity} of them hold no name")
        st.metric("Still to label", progress.unlabelled_pool, help=f"of {pool} sentences that are not duplicates")
        st.metric(
            "Evaluation sentences", progress.evaluation_labelled, help=f"labelled, of {progress.reserve} reserved"
        )
        st.metric("Skipped or flagged", progress.skipped + progress.flagged)
        st.metric(
            "F1 of the suggestions",
            f"{100 * serving.f1:.1f} %" if serving else "–",
            help=_interval(serving) if serving else why_unmeasured,
        )


def _interval(point: CurvePoint) -> str:
    return f"95 % interval {100 * point.low:.1f} to {100 * point.high:.1f}"


def _no_curve_yet(project: Project, progress: Progress, runs: Sequence[Run]) -> None:
    finished = any(run.state is RunState.DONE for run in runs)
    running = any(run.state is RunState.RUNNING for run in runs)
    with st.container(border=True):
        if finished and not progress.evaluation_labelled:
            st.write(
                "A model is trained, but no evaluation sentence is labelled yet. Every fifth sentence people get is "
                "one; or import a labelled file as evaluation set."
            )
        elif finished:
            st.write("The curve appears once a run has read the evaluation sentences.")
        elif running:
            st.write("The curve begins with the first training, which is going on now.")
        else:
            missing = max(project.settings.retrain_every - progress.labelled, 0)
            st.write(
                f"The curve begins with the first training, after {project.settings.retrain_every} labelled sentences"
                + (f": {missing} to go." if missing else ", which is about to start.")
            )
        go_on = "Go on labelling" if _touched(progress) else "Start labelling"
        if st.button(go_on, type="primary", icon=":material/ink_highlighter:"):
            navigation.go_to("annotate")


def _touched(progress: Progress) -> int:
    return progress.labelled + progress.skipped + progress.flagged


def _labels_per_hour(store: Store, project_id: int) -> None:
    rows = store.labels_per_hour(project_id)
    st.subheader("Work")
    if rows:
        st.altair_chart(charts.labels_per_hour(rows), key="labels_per_hour")
    else:
        st.caption("Sentences finished in each hour, by person, once somebody has labelled.")


def _runs_link(runs: Sequence[Run]) -> None:
    st.subheader("Runs")
    done = sum(run.state is RunState.DONE for run in runs)
    st.caption(f"{counted(done, 'training')} done. What each learned from, why it serves or not, and any two compared:")
    if st.button("See all runs", icon=":material/history:"):
        navigation.go_to("runs")
