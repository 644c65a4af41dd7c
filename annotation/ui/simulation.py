"""The page on which a lead compares query strategies on labelled sentences, before people are paid."""

from collections.abc import Sequence
from dataclasses import replace

import altair as alt
import pandas as pd
import streamlit as st

from annotation.permissions import Action
from annotation.simulation import Saving, summarise
from annotation.simulation.advice import advice, best
from annotation.simulation.desk import RESULTS, Simulations, Standing
from annotation.simulation.figures import panel, savings_panel
from annotation.simulation.savings import FEWEST_SEEDS, in_words
from annotation.ui.session import allow, allows, current_project, current_settings, current_store
from annotation.ui.simulation_order import new_simulation
from annotation.ui.text import counted, plain
from annotation.work_state import duration
from maner_core.errors import ManerError
from storage import Project

LOOK_SECONDS = 2

_AXES = {"labels": "By labels", "words": "By words", "entities": "By names", "hard_minutes": "By modelled minutes"}
_HELP = (
    "A simulated annotator gives sentences the labels that people have given them; the tagger learns, chooses the next "
    "ones, and is measured on sentences it never saw. Nobody's time is in it but by a model that is slower on hard sentences."
)


def page() -> None:
    """What runs or has been found, and the form for a new one. Opening it starts and stops nothing."""
    project = current_project(Action.SIMULATE)
    st.title("Simulation", help=_HELP)
    st.write(
        "Which way of choosing sentences needs the fewest labels in your language? A labelled file can tell before people "
        "are paid: of the project, of an earlier one, or of a related language."
    )
    standing = current_simulations().standing(project.id)
    if standing is not None and standing.running:
        st.fragment(_running, run_every=LOOK_SECONDS)(project.id)
        return
    if standing is not None:
        _ended(project, standing)
    with st.container(border=True, key="new"):
        st.subheader("New simulation" if standing is None else "Another simulation, in place of this one")
        new_simulation(project, current_simulations())


def current_simulations() -> Simulations:
    """The simulations of this installation."""
    return Simulations(current_settings())


def _running(project_id: int) -> None:
    allow(Action.SIMULATE, project_id)
    standing = current_simulations().standing(project_id)
    if standing is None or not standing.running:
        st.rerun()
    left = " · the first takes longest"
    if standing.done == standing.rounds:
        left = " · the savings and their intervals are worked out"
    elif standing.seconds_left is not None:
        left = f" · about {duration(standing.seconds_left)} left"
    with st.container(border=True, key="running"):
        st.markdown(f":material/science: **Simulating on {plain(standing.order.source)}**")
        st.progress(
            standing.done / standing.rounds,
            text=f"{standing.done} of {counted(standing.rounds, 'training')} done{left}",
        )
        st.caption(f"{_what(standing)} It goes on when you leave this page, and ends when the server does.")
        st.button("Cancel", icon=":material/stop_circle:", on_click=_cancel, args=(project_id,), key="cancel")
    if standing.points:
        _curves(standing, _axis())


def _cancel(project_id: int) -> None:
    by = allow(Action.SIMULATE, project_id).annotator.id
    current_simulations().cancel(project_id)
    current_store().record(project_id, by, "simulation_cancelled")


def _ended(project: Project, standing: Standing) -> None:
    if not standing.complete:
        _broken_off(project, standing)
        if standing.points:
            _curves(standing, _axis())
        return
    simulations = current_simulations()
    matches = simulations.matches(project.id)
    with st.container(border=True, key="found"):
        st.markdown(f":material/science: **{plain(advice(matches))}**")
        st.caption(f"{_what(standing)} Measured on {plain(standing.order.source)}; another language may differ.")
        found = best(matches)
        with st.container(horizontal=True):
            for strategy in standing.order.config.strategies:
                _use_button(project, strategy, primary=found is not None and found.strategy == strategy)
    axis = _axis()
    _curves(standing, axis)
    _savings(simulations.savings(project.id), axis)
    with st.container(horizontal=True, key="downloads"):
        for name in RESULTS:
            st.download_button(
                f"{name}.csv",
                simulations.table(project.id, name),
                file_name=f"simulation-{name}.csv",
                mime="text/csv",
                icon=":material/download:",
                key=f"download_{name}",
            )


def _what(standing: Standing) -> str:
    order = standing.order
    tagger = "the quick scorer for a tagger" if order.quick else f"the tagger ({plain(order.system)})"
    return (
        f"{', '.join(('random', *map(plain, order.strategies)))}; {counted(order.seeds, 'repetition')}, {order.seed_size} "
        f"labels at first and {order.budget} in the end, a training every {order.batch}, {tagger}."
    )


def _broken_off(project: Project, standing: Standing) -> None:
    done = f"after {standing.done} of {counted(standing.rounds, 'training')}"
    with st.container(border=True, key="broken_off"):
        if standing.failure:
            st.error(f"The simulation failed {done}: {plain(standing.failure)}", icon=":material/error:")
        else:
            st.markdown(f":orange[:material/stop_circle: **The simulation was stopped {done}**]")
        st.caption(f"{_what(standing)} What is done stays; a repetition that was broken off begins again.")
        st.button("Go on", type="primary", icon=":material/play_arrow:", on_click=_go_on, args=(project.id,))


def _go_on(project_id: int) -> None:
    allow(Action.SIMULATE, project_id)
    try:
        current_simulations().go_on(project_id)
    except ManerError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _use_button(project: Project, strategy: str, primary: bool) -> None:
    if not allows(Action.CHANGE_PROJECT, project.id):
        return
    used = project.settings.strategy == strategy
    st.button(
        f"{strategy} is what this project uses" if used else f"Use {strategy} in this project",
        type="primary" if primary and not used else "secondary",
        icon=":material/check:",
        disabled=used,
        on_click=_use,
        args=(project.id, strategy),
        key=f"use_{strategy}",
    )


def _use(project_id: int, strategy: str) -> None:
    by = allow(Action.CHANGE_PROJECT, project_id).annotator.id
    store = current_store()
    store.update_project(project_id, replace(store.project(project_id).settings, strategy=strategy), by)
    st.toast(f"From the next training on, {plain(strategy)} chooses the sentences.", icon=":material/check:")


def _axis() -> str:
    chosen = st.segmented_control(
        "Axis",
        list(_AXES),
        default="labels",
        format_func=_AXES.__getitem__,
        key="simulation_axis",
        label_visibility="collapsed",
    )
    return chosen or "labels"


def _curves(standing: Standing, axis: str) -> None:
    st.subheader("How F1 grows", help="Mean over the repetitions; the band is one deviation between them")
    chart = panel(summarise(standing.points), axis).properties(height=340)
    st.altair_chart(_with_legend(chart), key="simulation_curves")


def _savings(found: Sequence[Saving], axis: str) -> None:
    st.subheader(
        "What each strategy saves",
        help="Against random order, where both reach this share of random's F1 in the end; with the 95 % interval over "
        f"repetitions, from {FEWEST_SEEDS} on. Minutes are modelled: people are slower on what a tagger is unsure of.",
    )
    shown = [each for each in found if each.axis == axis]
    if any(each.saving is not None for each in shown):
        st.altair_chart(_with_legend(savings_panel(shown).properties(height=240)), key="simulation_saved")
    rows: dict[str, dict[str, str]] = {}
    for each in shown:
        rows.setdefault(each.strategy, {})[f"{100 * each.level:.0f} % of random's F1"] = in_words(each)
    table = [{"Strategy": strategy, **levels} for strategy, levels in rows.items()]
    st.dataframe(pd.DataFrame(table), hide_index=True, key="simulation_savings")


def _with_legend(chart: "alt.LayerChart | alt.FacetChart") -> "alt.LayerChart | alt.FacetChart":
    shown: alt.LayerChart | alt.FacetChart = chart.configure_legend(
        orient="top", title=None, columns=4, symbolOpacity=1
    )
    return shown
