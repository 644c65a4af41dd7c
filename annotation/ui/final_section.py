"""The part of the page of runs for final trainings: asking for one, what became of them, where their weights lie."""

from pathlib import Path

import pandas as pd
import streamlit as st

from annotation import final_training
from annotation.permissions import Action
from annotation.run_history import state
from annotation.serving import checkpoint_folder
from annotation.ui.run_choice import choose
from annotation.ui.session import allow, allows, current_settings, current_store
from annotation.ui.text import counted, plain
from annotation.work_state import duration
from maner_core.errors import ManerError
from maner_core.model_card import NO_ESTIMATE
from storage import Project, Run, RunState, Store

_WHAT = (
    "When labelling is over, one more tagger can learn from everything, the evaluation sentences too. Nothing is left to "
    "measure it with then: it has no F1, is compared with no other run, and serves only if you pin it. The other runs, "
    "their F1 and the next trainings stay as they are."
)


def final_section(store: Store, project: Project) -> None:
    """Final trainings so far and, for a lead, the way to the next."""
    runs = sorted(store.final_runs(project.id), key=lambda run: -run.id)
    may_ask = allows(Action.TRAIN_FINALLY, project.id)
    if not runs and not may_ask:
        return
    st.subheader("Final training")
    st.caption(_WHAT)
    if runs:
        _table(project, runs)
    kept = [run for run in runs if run.state is RunState.DONE and checkpoint_folder(_home(), run).is_dir()]
    for run in kept:
        _weights(project, run)
    if may_ask:
        _ask(store, project)


def _home() -> Path:
    return current_settings().home


def _table(project: Project, runs: list[Run]) -> None:
    rows = [
        {
            "Run": run.id,
            "State": state(run, project.serving_run),
            "Trained on": run.n_train,
            "Of these for evaluation": run.config["evaluation_sentences"],
            "F1": "no estimate is left" if run.state is RunState.DONE else "",
            "Time": duration((run.finished_at - run.started_at).total_seconds()) if run.finished_at else "",
            "When": run.started_at,
            "What happened": run.failure or run.message,
        }
        for run in runs
    ]
    columns = {
        "When": st.column_config.DatetimeColumn("When", format="distance"),
        "What happened": st.column_config.TextColumn("What happened", width="large"),
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="final_runs", column_config=columns)


def _weights(project: Project, run: Run) -> None:
    with st.container(border=True, key=f"final_{run.id}"):
        st.markdown(f"**Run {run.id}** {NO_ESTIMATE}. Its weights, tokenizer and model card:")
        st.code(str(checkpoint_folder(_home(), run)), language=None)
        if run.id != project.serving_run and allows(Action.CHOOSE_RUN, project.id):
            st.button(
                "Serve and pin",
                icon=":material/keep:",
                key=f"pin_final_{run.id}",
                on_click=choose,
                args=(project.id, run.id, True),
                help="Its suggestions may carry what it knows of evaluation sentences into labels that later runs learn from",
            )


def _ask(store: Store, project: Project) -> None:
    if store.final_request(project.id) is not None:
        st.write(
            ":material/hourglass_top: A final training is asked for; the worker does it after any that is due before."
        )
        return
    n = store.progress(project.id).evaluation_labelled
    with st.form(f"final_{project.id}", border=False):
        words = st.text_input(
            f'To release {counted(n, "labelled evaluation sentence")}, write "{final_training.CONFIRMATION}"',
            key=f"confirmation_{project.id}",
            max_chars=80,
        )
        if st.form_submit_button("Start the final training", icon=":material/school:"):
            _start(project.id, words)


def _start(project_id: int, words: str) -> None:
    by = allow(Action.TRAIN_FINALLY, project_id).annotator.id
    try:
        final_training.ask(current_store(), project_id, by, words)
    except ManerError as error:
        message = str(error)
        st.error(plain(f"{message[:1].upper()}{message[1:]}."))
        return
    st.rerun()
