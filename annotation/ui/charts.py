"""The charts, as Altair objects from plain rows. Colours come from the theme; nothing here reads the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import altair as alt
import pandas as pd

from annotation.ui.text import cell

Chart = alt.Chart | alt.LayerChart | alt.FacetChart


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One run on the curve: F1 and its 95 % interval in 0 to 1, and per label, all on the same evaluation sentences."""

    run: int
    annotations: int
    f1: float
    low: float
    high: float
    serves: bool
    per_label: Mapping[str, float]


def f1_curve(points: Sequence[CurvePoint]) -> Chart:
    """F1 against annotations with its interval as a band; the serving run is the filled point."""
    rows = pd.DataFrame(
        {
            "run": [point.run for point in points],
            "annotations": [point.annotations for point in points],
            "F1": [100 * point.f1 for point in points],
            "low": [100 * point.low for point in points],
            "high": [100 * point.high for point in points],
            "state": ["serving" if point.serves else "not serving" for point in points],
        }
    )
    base = alt.Chart(rows).encode(x=_annotations_axis(rows["annotations"]))
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", title="F1 (%)", scale=alt.Scale(domain=[0, 100])), y2="high:Q"
    )
    # With one run there is no area yet; the rule shows its interval from the first run on.
    interval = base.mark_rule(opacity=0.35).encode(y="low:Q", y2="high:Q")
    line = base.mark_line(strokeWidth=2.5).encode(y="F1:Q")
    dots = base.mark_point(size=70, filled=True, opacity=1).encode(
        y="F1:Q",
        shape=alt.Shape(
            "state:N",
            scale=alt.Scale(domain=["serving", "not serving"], range=["diamond", "circle"]),
            legend=None,
        ),
        size=alt.condition("datum.state == 'serving'", alt.value(170), alt.value(60)),
        tooltip=[
            alt.Tooltip("run:O", title="Run"),
            alt.Tooltip("annotations:Q", title="Annotations"),
            alt.Tooltip("F1:Q", format=".1f", title="F1 (%)"),
            alt.Tooltip("low:Q", format=".1f", title="95 % interval from"),
            alt.Tooltip("high:Q", format=".1f", title="to"),
            alt.Tooltip("state:N", title="Now"),
        ],
    )
    return alt.layer(band, interval, line, dots).properties(height=340)


def arms_curve(rows: pd.DataFrame, axis: str) -> Chart:
    """F1 of both arms with their intervals, against the column `axis`: labels or minutes."""
    title = "Labels of each arm" if axis == "labels" else "Minutes of people's work"
    base = alt.Chart(rows).encode(
        x=alt.X(f"{axis}:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color("arm:N", title=None, legend=alt.Legend(orient="top")),
    )
    interval = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title="F1 (%)"), y2="high:Q")
    line = base.mark_line(point=True, strokeWidth=2.5).encode(
        y=alt.Y("F1:Q", scale=alt.Scale(domain=[0, 100])),
        tooltip=[
            "arm:N",
            "labels:Q",
            alt.Tooltip("minutes:Q", format=".0f"),
            alt.Tooltip("F1:Q", format=".1f", title="F1 (%)"),
        ],
    )
    return alt.layer(interval, line).properties(height=300)


def correlations(rows: pd.DataFrame, lowest: float) -> Chart:
    """Rank correlation of quick scorer and tagger by run; below the dashed line at `lowest` the tagger chooses."""
    y = alt.Y(
        "correlation:Q", title="Rank correlation", scale=alt.Scale(domain=[min(0.0, rows["correlation"].min()), 1])
    )
    line = (
        alt.Chart(rows)
        .mark_line(point=True, strokeWidth=2.5)
        .encode(
            x=_annotations_axis(rows["annotations"]),
            y=y,
            tooltip=["run:O", "annotations:Q", alt.Tooltip("correlation:Q", format=".2f")],
        )
    )
    rule = alt.Chart(pd.DataFrame({"correlation": [lowest]})).mark_rule(strokeDash=[5, 4], opacity=0.6).encode(y=y)
    return alt.layer(rule, line).properties(height=180)


def label_curves(points: Sequence[CurvePoint], colors: Mapping[str, str]) -> Chart:
    """F1 of each label against annotations, in the labels' own colours."""
    rows = pd.DataFrame(
        [
            (point.annotations, cell(label), 100 * f1, point.run)
            for point in points
            for label, f1 in point.per_label.items()
        ],
        columns=["annotations", "label", "F1", "run"],
    )
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_line(point=True, strokeWidth=2)
        .encode(
            x=_annotations_axis(rows["annotations"]),
            y=alt.Y("F1:Q", title="F1 (%)", scale=alt.Scale(domain=[0, 100])),
            color=_label_color(colors),
            tooltip=["label:N", alt.Tooltip("F1:Q", format=".1f", title="F1 (%)"), "annotations:Q", "run:O"],
        )
        .properties(height=340)
    )
    return chart


def label_counts(counts: Mapping[str, int], colors: Mapping[str, str]) -> Chart:
    """How many spans of each label people have marked, in the order of the project's labels."""
    rows = pd.DataFrame(
        {"label": [cell(label) for label in colors], "spans": [counts.get(label, 0) for label in colors]}
    )
    base = alt.Chart(rows).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13, ticks=False, domain=False)),
        x=alt.X("spans:Q", title=None, axis=None),
        tooltip=["label:N", "spans:Q"],
    )
    bars = base.mark_bar(cornerRadiusEnd=4, height={"band": 0.65}).encode(color=_label_color(colors, legend=False))
    numbers = base.mark_text(align="left", dx=6, fontSize=13, color="gray").encode(text="spans:Q")
    return alt.layer(bars, numbers).properties(height=max(36 * len(colors), 60))


def labels_per_hour(rows: Sequence[tuple[datetime, str, int]]) -> Chart:
    """Sentences finished in each hour, stacked by person; `rows` are (hour in UTC, name, sentences)."""
    last = max(hour for hour, _, _ in rows)
    # Empty hours before it: a first hour alone must not fill the whole width.
    padding = [(last - timedelta(hours=back), rows[-1][1], 0) for back in range(12)]
    data = pd.DataFrame([(hour, cell(name), n) for hour, name, n in (*padding, *rows)], columns=["hour", "person", "n"])
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("yearmonthdatehours(hour):T", title=None, axis=alt.Axis(format="%a %H:00", labelOverlap=True)),
            y=alt.Y("sum(n):Q", title="Sentences", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("person:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                "person:N",
                alt.Tooltip("hour:T", format="%a %d %b, %H:00"),
                alt.Tooltip("n:Q", title="Sentences"),
            ],
        )
        .properties(height=300)
    )
    return chart


def _annotations_axis(annotations: "pd.Series[int]") -> alt.X:
    highest = max(int(annotations.max()), 1) if len(annotations) else 1
    return alt.X(
        "annotations:Q",
        title="Annotated sentences",
        scale=alt.Scale(domain=[0, highest * 1.05]),
        axis=alt.Axis(tickMinStep=1, tickCount=8, format="d"),
    )


def _label_color(colors: Mapping[str, str], legend: bool = True) -> alt.Color:
    scale = alt.Scale(domain=[cell(label) for label in colors], range=list(colors.values()))
    return alt.Color("label:N", title=None, scale=scale, legend=alt.Legend(orient="top") if legend else None)
