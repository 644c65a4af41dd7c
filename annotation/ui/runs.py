"""Every training of a project: what it learned from, why it serves or not, any two compared, and who serves from now on."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from annotation.permissions import Action
from annotation.queue_filling import NAMED_STRATEGY
from annotation.quick_scorer import in_words
from annotation.run_history import Choice, choice, recipe_changes, state
from annotation.serving import checkpoint_folder
from annotation.ui.compared_runs import compared_runs
from annotation.ui.final_section import final_section
from annotation.ui.run_choice import choose
from annotation.ui.run_figures import curve
from annotation.ui.session import allow, allows, current_project, current_settings, current_store
from annotation.ui.text import counted, plain
from annotation.work_state import duration
from maner_core.errors import ManerError
from storage import Project, Run, RunState, Store

_CHOICES = {"run_served": "chosen", "run_pinned": "pinned", "run_unpinned": "unpinned"}


def page() -> None:
    """The history of a project's taggers; looking changes nothing."""
    project = current_project(Action.SEE_PROGRESS)
    store = current_store()
    st.title("Runs")
    runs = sorted(store.runs(project.id), key=lambda run: -run.id)
    if not runs and not store.final_runs(project.id):
        st.write("Every training is listed here with its F1, its time, and why it serves or not. There was none yet.")
        return
    _serving(store, project)
    if runs:
        points, metrics = curve(store, project, runs)
        on_all = {point.run for point in points}
        _table(runs, {run_id: metrics[run_id] for run_id in on_all}, project.serving_run)
        _one_run(store, project, runs, metrics, on_all)
    done = [run for run in runs if run.state is RunState.DONE]
    if len(done) > 1 and allows(Action.SEE_ANSWERS, project.id):
        compared_runs(store, project, done)
    final_section(store, project)


def _serving(store: Store, project: Project) -> None:
    if project.serving_run is None:
        return
    serving = store.run(project.serving_run)
    with st.container(border=True, key="serving"):
        pin = " :material/keep: pinned" if project.pinned else ""
        st.markdown(f":material/verified: **Run {serving.id} serves**{pin}")
        chosen = choice(store.audit(project.id), serving.id)
        st.write(_by_whom(store, chosen) if chosen is not None else plain(serving.message))
        if project.pinned:
            st.caption("Trainings go on and are measured, but none replaces a pinned run.")
        if allows(Action.CHOOSE_RUN, project.id):
            _pin_button(project, serving)


def _by_whom(store: Store, chosen: Choice) -> str:
    who = "Somebody" if chosen.annotator_id is None else plain(store.annotator_by_id(chosen.annotator_id).name)
    return f"{_CHOICES[chosen.what].capitalize()} by {who} on {chosen.at:%d %B %Y, %H:%M} UTC."


def _pin_button(project: Project, serving: Run) -> None:
    if project.pinned:
        label, icon, advice = (
            "Unpin",
            ":material/keep_off:",
            "The next training replaces it" + ("" if serving.final else " if it is not worse"),
        )
    else:
        label, icon, advice = "Pin", ":material/keep:", "No training replaces a pinned run until it is unpinned"
    st.button(
        label, icon=icon, help=advice, key="pin", on_click=choose, args=(project.id, serving.id, not project.pinned)
    )


def _table(runs: Sequence[Run], metrics: Mapping[int, dict[str, Any]], serving: int | None) -> None:
    """`metrics` of those runs alone that have read all evaluation sentences: a column is of one test set."""
    st.dataframe(
        pd.DataFrame([_row(run, metrics.get(run.id, {}), serving) for run in runs]),
        hide_index=True,
        key="runs",
        placeholder="–",
        column_config={
            "F1": st.column_config.NumberColumn(
                "F1 (%)",
                format="%.1f",
                help="On all of today's evaluation labels; none for a run from before some of them were imported",
            ),
            "When": st.column_config.DatetimeColumn("When", format="distance"),
            "Why": st.column_config.TextColumn("Why", width="large"),
        },
    )


def _row(run: Run, metrics: Mapping[str, Any], serving: int | None) -> dict[str, Any]:
    f1 = metrics.get("f1")
    return {
        "Run": run.id,
        "State": state(run, serving),
        "Trained on": run.n_train,
        "F1": None if f1 is None else 100 * f1,
        "95 % interval": "" if f1 is None else f"{100 * metrics['f1_low']:.1f} – {100 * metrics['f1_high']:.1f}",
        "Time": _time(run),
        "When": run.started_at,
        "Why": run.failure or run.message,
    }


def _time(run: Run) -> str:
    return duration((run.finished_at - run.started_at).total_seconds()) if run.finished_at else ""


def _one_run(
    store: Store, project: Project, runs: Sequence[Run], metrics: Mapping[int, dict[str, Any]], on_all: Container[int]
) -> None:
    st.subheader("One run")
    by_id = {run.id: run for run in runs}
    first = project.serving_run if project.serving_run in by_id else runs[0].id
    picked = st.selectbox(
        "Run",
        list(by_id),
        index=list(by_id).index(first),
        format_func=lambda run_id: f"Run {run_id} · {counted(by_id[run_id].n_train, 'sentence')}",
        key=f"run_{project.id}",
        label_visibility="collapsed",
    )
    run = by_id[picked]
    left, right = st.columns(2, gap="large")
    with left:
        frozen = [snapshot.name for snapshot in store.snapshots_of_run(run.id)]
        _facts(run, metrics.get(run.id, {}), run.id in on_all, frozen)
        if not frozen and allows(Action.FREEZE, project.id):
            _freeze(store, project, run)
    with right:
        _recipe(run)
    if run.state is RunState.DONE:
        _weights(store, project, run)


def _facts(run: Run, metrics: Mapping[str, Any], on_all: bool, frozen: Sequence[str]) -> None:
    lines = [
        f"**Learned from** {counted(run.n_train, 'labelled sentence')}: everything up to annotation {run.watermark}"
        + (f", which is the snapshot {plain(', '.join(frozen))}" if frozen else ""),
        f"**Round** {run.round}, attempt {run.attempt}, {_seed(run)}",
        f"**Began** {run.started_at:%d %B %Y, %H:%M} UTC" + (f", took {_time(run)}" if run.finished_at else ""),
    ]
    seconds: dict[str, float] = run.metrics.get("seconds", {})
    if seconds:
        lines.append("**Of that** " + ", ".join(f"{phase} {duration(took)}" for phase, took in seconds.items()))
    if metrics.get("f1") is not None:
        n = metrics["evaluation_sentences"]
        where = f"on today's {counted(n, 'evaluation sentence')}"
        if not on_all:
            where = f"on {counted(n, 'evaluation sentence')} alone: the others were imported after it"
        lines.append(
            f"**F1** {100 * metrics['f1']:.1f} % (95 %: {100 * metrics['f1_low']:.1f} to {100 * metrics['f1_high']:.1f}), "
            f"precision {100 * metrics['precision']:.1f} %, recall {100 * metrics['recall']:.1f} %, {where}"
        )
    if run.metrics.get("quick"):
        lines.append(f"**Chosen** {in_words(run.metrics['quick'])}")
    if scaling := run.metrics.get("span_scaling"):
        spans = counted(scaling["spans"], "suggested name")
        lines.append(
            f"**Confidence** of its suggestions: how often such names were right, by {spans} that people had judged"
        )
    lines.append(f"**Why** {plain(run.failure or run.message)}")
    st.markdown("\n".join(f"- {line}" for line in lines))


def _seed(run: Run) -> str:
    """The seed that the weights come from, which is another than the run's where a training was repeated."""
    report = run.metrics.get("train", {})
    restarts = report.get("restarts", 0)
    return f"seed {report.get('seed', run.seed)}" + (f", repeated {counted(restarts, 'time')}" if restarts else "")


def _freeze(store: Store, project: Project, run: Run) -> None:
    """A name for what the run learned from, so that it can be exported and compared under it."""
    with st.popover("Keep what it learned from", icon=":material/photo_camera:"), st.form("freeze", border=False):
        name = st.text_input("As the snapshot", f"run {run.id}", max_chars=200, key=f"freeze_{run.id}")
        if st.form_submit_button("Freeze", icon=":material/photo_camera:"):
            try:
                store.create_snapshot(project.id, name, allow(Action.FREEZE, project.id).annotator.id, run.id)
            except ManerError as error:
                st.error(plain(str(error)), icon=":material/error:")
                return
            st.rerun()


def _recipe(run: Run) -> None:
    changes = recipe_changes(run.config)
    preset = plain(str(run.config.get("preset", "default")))
    st.markdown(f"**Recipe**: preset {preset}" + ("" if changes else ", nothing changed"))
    if changes:
        rows = [(knob, str(value), str(default)) for knob, (value, default) in changes.items()]
        st.dataframe(pd.DataFrame(rows, columns=["Knob", "This run", "Preset"]), hide_index=True, key="recipe")
    strategy = run.metrics.get("selection")
    if strategy:
        st.caption(f"The sentences after it were {_chosen_words(str(strategy))}.")


def _chosen_words(strategy: str) -> str:
    if strategy == "random":
        return "drawn by chance"
    if strategy == NAMED_STRATEGY:
        return "drawn by chance, every other one among those that hold a listed name"
    return f"chosen by the strategy {plain(strategy)}"


def _weights(store: Store, project: Project, run: Run) -> None:
    kept = checkpoint_folder(current_settings().home, run).is_dir()
    if not kept:
        st.caption("Its weights are deleted; its predictions and figures stay.")
    if run.id == project.serving_run or not kept or not allows(Action.CHOOSE_RUN, project.id):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Let run {run.id} serve",
            icon=":material/undo:",
            key="serve",
            on_click=choose,
            args=(project.id, run.id, False),
            help="People see its suggestions from now on; a later training that is not worse replaces it",
        )
        st.button(
            "Serve and pin",
            icon=":material/keep:",
            key="serve_pinned",
            on_click=choose,
            args=(project.id, run.id, True),
        )
