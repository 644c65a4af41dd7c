"""The part of the dashboard that says whether the quick scorer may choose in the tagger's place."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from annotation.quick_scorer import LOWEST_CORRELATION, for_a_lead
from annotation.ui import charts
from storage import Run, RunState

_HELP = (
    "In a large pool not even the worker can wait for the tagger to read everything. A small network on kept word vectors "
    "reads it in its place, as long as both put the same random sentences into much the same order: measured in each round."
)


def quick_section(runs: Sequence[Run]) -> None:
    """Nothing where no run has asked the quick scorer, as in a small pool."""
    asked = [run for run in runs if run.state is RunState.DONE and run.metrics.get("quick")]
    if not asked:
        return
    asked.sort(key=lambda run: run.id)
    st.subheader("Who reads the pool?", help=_HELP)
    st.write(for_a_lead(asked[-1].metrics["quick"]))
    if len(asked) > 1:
        rows = [
            {"run": run.id, "annotations": run.n_train, "correlation": run.metrics["quick"]["rank_correlation"]}
            for run in asked
        ]
        st.altair_chart(charts.correlations(pd.DataFrame(rows), LOWEST_CORRELATION), key="quick")
