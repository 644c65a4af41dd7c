"""The part of the dashboard that says whether it is worth labelling on."""

from collections.abc import Sequence

import streamlit as st

from annotation.learning_curve import FEWEST_SIZES
from annotation.noise_floor import next_at
from annotation.permissions import Action
from annotation.run_history import same_recipe
from annotation.stability import Stability, stability
from annotation.stopping import advice, change
from annotation.ui.charts import CurvePoint
from annotation.ui.run_figures import forecasts
from annotation.ui.session import allows
from annotation.ui.training_request import request_training
from storage import Project, Run, RunState, Store

_HELP = (
    "Advice, no more: a curve (a power law) is fitted to the points above and carried on. Its interval holds the few "
    "evaluation sentences and the chance in every training; it is too narrow where the text to come is unlike the text so far."
)


def advice_section(
    store: Store, project: Project, runs: Sequence[Run], points: Sequence[CurvePoint], n_sentences: int
) -> None:
    """Nothing before the first point of the curve, which was measured on `n_sentences`."""
    if not points:
        return
    on_curve = {point.run for point in points}
    alike = same_recipe(sorted((run for run in runs if run.id in on_curve), key=lambda run: run.id))
    n_sizes = len({run.n_train for run in alike})
    st.subheader("Is it worth labelling on?", help=_HELP)
    st.write(advice(forecasts(store, project, alike) if n_sizes >= FEWEST_SIZES else [], n_sizes, n_sentences))
    done = tuple(run.id for run in runs if run.state is RunState.DONE)
    floors = tuple(floor.run_id for floor in store.noise_floors(project.id))
    found = _stability(done, floors, project.id, store)
    if said := change(found, next_at(store, project.id) if project.settings.measure_noise else None):
        st.write(said)
    if found.step is not None and allows(Action.TRAIN, project.id):
        _noise_button(store, project, runs)


def _noise_button(store: Store, project: Project, runs: Sequence[Run]) -> None:
    last = max(runs, key=lambda run: run.id)
    new = store.training_labels_since(project.id, last.watermark, last.decision_watermark)
    if last.state is not RunState.DONE or new or store.retrain_requested(project.id):
        return
    st.button(
        "Measure the chance in trainings",
        icon=":material/casino:",
        key="noise",
        help="Trains once more on the same labels. How far the two differ is how far any two trainings differ by chance.",
        on_click=request_training,
        args=(project.id,),
    )


@st.cache_data(max_entries=50, show_spinner=False)
def _stability(done: tuple[int, ...], floors: tuple[int, ...], project_id: int, _store: Store) -> Stability:
    """Computed once after every run, and after every measure of the chance in trainings."""
    return stability(_store, _store.project(project_id), [run for run in _store.runs(project_id) if run.id in done])
