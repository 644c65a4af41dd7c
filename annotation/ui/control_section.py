"""The part of the dashboard that sets sentences chosen by the strategy against sentences drawn by chance."""

import pandas as pd
import streamlit as st

from annotation.run_comparison import RunComparison, compare_runs
from annotation.serving import Gold, evaluate, evaluation_labels
from annotation.ui import charts
from annotation.ui.text import counted
from annotation.work_state import duration
from maner_core.evaluation import FEWEST_SENTENCES
from storage import ArmMeasure, Project, Store

_NAMES = {"chance": "drawn by chance", "choice": "chosen"}
_AXES = {"labels": "By labels", "minutes": "By people's minutes"}
_HELP = (
    "Two taggers trained alike on equally many labels. Both learned from everything labelled before the first sentence was "
    "chosen; one also from sentences drawn by chance, the other also from sentences chosen by the strategy."
)


def control_section(store: Store, project: Project) -> None:
    """Nothing where the comparison is off and never was on."""
    measures = [measure for measure in store.arm_measures(project.id) if measure.predictions]
    if not measures and not project.settings.control_share:
        return
    gold = evaluation_labels(store, project.id)
    st.subheader("Does choosing pay?", help=_HELP)
    if not measures or not gold:
        st.caption(
            "Both ways are compared once each has ten labels of its own, on the evaluation sentences labelled by then; it "
            "costs two trainings, after which the next one of the project begins."
        )
        return
    st.write(_in_words(measures[-2:], gold))
    axis = st.segmented_control(
        "Axis",
        list(_AXES),
        default="labels",
        format_func=_AXES.__getitem__,
        key="arms_axis",
        label_visibility="collapsed",
    )
    st.altair_chart(charts.arms_curve(_rows(measures, gold), axis or "labels"), key="arms")


def _rows(measures: list[ArmMeasure], gold: Gold) -> pd.DataFrame:
    rows = []
    for measure in measures:
        metrics = evaluate(gold, measure.predictions)
        if metrics["evaluation_sentences"] == len(gold):
            rows.append(
                {
                    "arm": _NAMES[measure.arm],
                    "labels": measure.n_labels,
                    "minutes": measure.seconds / 60,
                    "F1": 100 * metrics["f1"],
                    "low": 100 * metrics["f1_low"],
                    "high": 100 * metrics["f1_high"],
                }
            )
    return pd.DataFrame(rows, columns=["arm", "labels", "minutes", "F1", "low", "high"])


def _in_words(last: list[ArmMeasure], gold: Gold) -> str:
    by_arm = {measure.arm: measure for measure in last}
    chance, choice = by_arm["chance"], by_arm["choice"]
    found = compare_runs(gold, chance.predictions, choice.predictions)
    if not found.n_sentences:
        return (
            "The evaluation sentences labelled so far were imported after the comparison; the next one can be measured."
        )
    overall = found.overall
    interval = f" (95 %: {100 * overall.low:+.1f} to {100 * overall.high:+.1f})" if overall.enough else ""
    return (
        f"{_verdict(found)}: with {choice.n_labels} labels each, F1 {100 * overall.after:.1f} where sentences were chosen "
        f"and {100 * overall.before:.1f} where they were drawn, a difference of {100 * overall.change:+.1f} points{interval} "
        f"on {counted(found.n_sentences, 'evaluation sentence')}. "
        "It is one training each: how far two trainings differ by chance is not counted. "
        f"All labels with chosen sentences took people {duration(choice.seconds)}, all with drawn ones "
        f"{duration(chance.seconds)}, those in common included; imported labels took none."
    )


def _verdict(found: RunComparison) -> str:
    return {
        "better": "The tagger that learned from chosen sentences is better",
        "worse": "The tagger that learned from chosen sentences is worse",
        "not told apart": "The taggers that learned from chosen and from drawn sentences cannot be told apart",
        "too few to tell": "There are too few evaluation sentences to tell the two taggers apart, "
        f"{FEWEST_SENTENCES} are needed",
    }[found.overall.verdict]
