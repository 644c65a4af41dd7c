"""The figures of a simulation: F1 against what it costs, and savings with their intervals."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import altair as alt
import pandas as pd

from annotation.simulation.points import AXES, Mean
from annotation.simulation.savings import FEWEST_SEEDS, Saving

WIDTH, HEIGHT = 300, 200


def write_figures(out: Path, means: Sequence[Mean], saved: Sequence[Saving]) -> None:
    """curve.* and, where there is something to compare, savings.*: SVG, an HTML page, and the Vega-Lite behind them."""
    charts = {"curve": curve(means)} | ({"savings": savings_chart(saved)} if saved else {})
    for name, chart in charts.items():
        for suffix in ("json", "html", "svg"):
            chart.save(str(out / f"{name}.{suffix}"))


def curve(means: Sequence[Mean]) -> alt.VConcatChart:
    """F1 against each axis, a line for each strategy and a band of one deviation; a row for each set."""
    rows = []
    for name in sorted({mean.set for mean in means}):
        own = [mean for mean in means if mean.set == name]
        panels = [panel(own, axis).properties(width=WIDTH, height=HEIGHT) for axis in AXES]
        rows.append(alt.hconcat(*panels).properties(title=name))
    return alt.vconcat(*rows)


def panel(means: Sequence[Mean], axis: str) -> "alt.LayerChart | alt.FacetChart":
    """F1 of one set against one of AXES."""
    table = pd.DataFrame([asdict(mean) for mean in means])
    spread = table["deviation"].astype(float).fillna(0.0)
    table = table.assign(low=table["f1"] - spread, high=table["f1"] + spread)
    base = alt.Chart(table).encode(x=alt.X(f"{axis}:Q", title=AXES[axis]), color="strategy:N")
    f1 = alt.Y("f1:Q", title="F1 on the test file", scale=alt.Scale(zero=False))
    line = base.mark_line(point=True).encode(y=f1, tooltip=["strategy", "labels", "f1", "deviation", "words"])
    band = base.mark_area(opacity=0.15).encode(y="low:Q", y2="high:Q")
    return alt.layer(band, line)


def savings_chart(saved: Sequence[Saving]) -> alt.FacetChart:
    """What is saved, a row for each set and a column for each axis."""
    layers = savings_panel(saved).properties(width=WIDTH, height=HEIGHT)
    facets: alt.FacetChart = layers.facet(row=alt.Row("set:N", title=None), column=alt.Column("axis:N", title=None))
    return facets


def savings_panel(saved: Sequence[Saving]) -> "alt.LayerChart | alt.FacetChart":
    """Share saved against random order by level, a point with its interval for each strategy; a level not reached has none.

    With fewer than FEWEST_SEEDS repetitions there is a point alone.
    """
    table = pd.DataFrame([asdict(each) for each in saved])
    table[["low", "high"]] = table[["low", "high"]].astype(float)
    table.loc[table["seeds"] < FEWEST_SEEDS, ["low", "high"]] = None
    table = table.assign(
        shown_low=table["low"].astype(float).fillna(-1.0).clip(lower=-1.0),
        axis=table["axis"].map(AXES),
        level=[f"{100 * level:.0f} %" for level in table["level"]],
    )
    base = alt.Chart().encode(
        x=alt.X("level:N", title="of the F1 of random order at the end", axis=alt.Axis(labelAngle=0)),
        xOffset="strategy:N",
        color="strategy:N",
        tooltip=["strategy", "level", "saving", "low", "high", "at", "random_at"],
    )
    share = alt.Y("saving:Q", title="saved", axis=alt.Axis(format=".0%"))
    points = base.mark_point(filled=True, size=60).encode(y=share)
    bars = (
        base.mark_rule()
        .encode(y=alt.Y("shown_low:Q", title="saved"), y2="high:Q")
        .transform_filter(f"datum.seeds >= {FEWEST_SEEDS}")
    )
    return alt.layer(bars, points, data=table).transform_filter("isValid(datum.saving)")
