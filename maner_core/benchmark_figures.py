"""The figures of a benchmark as SVG and PNG: F1 by set, gains over SNER, F1 against training size.

Altair and vl-convert are imported only where a figure is drawn; a machine without them still gets every table.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maner_core.benchmark_statistics import BASELINE

if TYPE_CHECKING:
    import altair as alt

    from maner_core.benchmark_report import Block

    Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart | alt.HConcatChart

COLORS = {BASELINE: "#8a8f98", "mlm_ner": "#e69f00", "maner": "#0072b2", "maner_rand": "#56b4e9"}
"""Distinguishable without colour vision (Okabe & Ito); the baseline is grey."""

_SETS_PER_ROW = 24
_LONGEST_NAME = 120
_MORE_COLORS = ("#009e73", "#cc79a7", "#d55e00", "#000000")

Row = Mapping[str, Any]


def draw_figures(folder: Path, blocks: Sequence["Block"]) -> tuple[list[Path], str]:
    """Write every figure that the runs allow; returns the SVG files, and a sentence where none could be drawn."""
    if find_spec("altair") is None or find_spec("vl_convert") is None:
        return [], "None were drawn: they need the packages altair and vl-convert-python."
    charts: dict[str, Chart] = {}
    for block in blocks:
        if block.scores:
            charts[_file_name("f1", block.recipe, block.backbone, block.size)] = score_bars(block)
        if block.gains:
            charts[_file_name("gain", block.recipe, block.backbone, block.size)] = gain_bars(block)
    for (recipe, backbone), its in by_recipe_and_backbone(blocks).items():
        if len([block for block in its if block.scores]) > 1:
            charts[_file_name("size", recipe, backbone)] = size_curves(its)
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in charts.items():
        chart.save(folder / f"{name}.svg")
        chart.save(folder / f"{name}.png", scale_factor=2)
    return [folder / f"{name}.svg" for name in charts], ""


def by_recipe_and_backbone(blocks: Sequence["Block"]) -> dict[tuple[str, str], list["Block"]]:
    """The blocks that differ in nothing but the training size, by size."""
    groups: dict[tuple[str, str], list[Block]] = {}
    for block in blocks:
        groups.setdefault((block.recipe, block.backbone), []).append(block)
    return groups


def score_bars(block: "Block") -> "Chart":
    """Mean F1 of every system on every set, with a deviation over seeds up and down, by the baseline's F1."""
    import altair as alt

    first_f1 = {score.set_name: score.f1 for score in block.scores if score.system == block.systems[0]}
    names_there = {score.set_name for score in block.scores}
    ordered = sorted(names_there, key=lambda name: (-first_f1.get(name, 0.0), name))
    short = _short_names(ordered)
    rows: list[Row] = [
        {"set": short[score.set_name], "system": score.system, **_with_spread(score.f1, score.deviation)}
        for score in block.scores
    ]
    panels = []
    for first in range(0, len(ordered), _SETS_PER_ROW):
        names = [short[name] for name in ordered[first : first + _SETS_PER_ROW]]
        base = alt.Chart(_data([row for row in rows if row["set"] in names])).encode(
            x=alt.X("set:N", title=None, sort=names, axis=alt.Axis(labelAngle=-40 if len(names) > 6 else 0)),
            xOffset=alt.XOffset("system:N", sort=block.systems),
        )
        bars = base.mark_bar().encode(y=_f1_axis(zero=True), color=_system_color(block.systems))
        spread = base.mark_rule().encode(y="low:Q", y2="high:Q")
        panels.append(alt.layer(bars, spread).properties(width=alt.Step(max(8, 48 // len(block.systems))), height=220))
    return _titled(alt.vconcat(*panels).resolve_scale(y="shared"), "F1 by set", block.title)


def gain_bars(block: "Block") -> "Chart":
    """Gain of every system over the baseline on every set, the largest first, with its 95% interval."""
    import altair as alt

    short = _short_names(sorted({gain.set_name for gain in block.gains}))
    panels = []
    others = [name for name in block.systems if name != BASELINE]
    for system in others:
        its = [gain for gain in block.gains if gain.system == system]
        if not its:
            continue
        rows: list[Row] = [
            {
                "set": short[gain.set_name],
                "system": system,
                "gain": 100 * gain.absolute,
                "low": 100 * gain.low,
                "high": 100 * gain.high,
            }
            for gain in sorted(its, key=lambda gain: (-gain.absolute, gain.set_name))
        ]
        base = alt.Chart(_data(rows)).encode(
            y=alt.Y("set:N", title=None, sort=[row["set"] for row in rows]),
        )
        x = alt.X("gain:Q", title="gain over SNER (points of F1)")
        bars = base.mark_bar(height={"band": 0.7}).encode(x=x, color=_system_color(others).legend(None))
        spread = base.mark_rule().encode(x="low:Q", x2="high:Q")
        panels.append(alt.layer(bars, spread).properties(width=320, height=alt.Step(18), title=system))
    return _titled(alt.hconcat(*panels).resolve_scale(x="shared"), "Gain over SNER, with 95% intervals", block.title)


def size_curves(blocks: Sequence["Block"]) -> "Chart":
    """Mean F1 against the number of training sentences, a panel for each set, with a deviation up and down."""
    import altair as alt

    systems = list(dict.fromkeys(system for block in blocks for system in block.systems))
    short = _short_names(sorted({score.set_name for block in blocks for score in block.scores}))
    rows: list[Row] = [
        {
            "set": short[score.set_name],
            "system": score.system,
            "size": block.size,
            **_with_spread(score.f1, score.deviation),
        }
        for block in blocks
        for score in block.scores
    ]
    sizes = sorted({block.size for block in blocks})
    scale = alt.Scale(type="log", domain=[0.85 * sizes[0], 1.18 * sizes[-1]], nice=False)
    x = alt.X("size:Q", title="training sentences", scale=scale, axis=alt.Axis(values=sizes, format="d"))
    base = alt.Chart().encode(x=x, color=_system_color(systems))
    line = base.mark_line(point=True).encode(y=_f1_axis(zero=False))
    spread = base.mark_rule().encode(y="low:Q", y2="high:Q")
    panels = alt.layer(spread, line, data=_data(rows)).properties(width=240, height=180)
    chart = panels.facet(facet=alt.Facet("set:N", title=None), columns=3)
    return _titled(chart, "F1 against training size", f"{blocks[0].recipe}, {blocks[0].backbone}")


def _with_spread(f1: float, deviation: float | None) -> dict[str, float]:
    spread = deviation or 0.0
    return {"f1": 100 * f1, "low": 100 * max(0.0, f1 - spread), "high": 100 * min(1.0, f1 + spread)}


def _f1_axis(zero: bool) -> "alt.Y":
    import altair as alt

    return alt.Y("f1:Q", title="F1 (points)", scale=alt.Scale(zero=zero))


def _system_color(systems: Sequence[str]) -> "alt.Color":
    import altair as alt

    unknown = [name for name in systems if name not in COLORS]
    colors = COLORS | {name: _MORE_COLORS[i % len(_MORE_COLORS)] for i, name in enumerate(unknown)}
    scale = alt.Scale(domain=list(systems), range=[colors[name] for name in systems])
    return alt.Color("system:N", title=None, scale=scale, legend=alt.Legend(orient="top"))


def _data(rows: Sequence[Row]) -> "alt.InlineData":
    import altair as alt

    return alt.InlineData(values=[dict(row) for row in rows])


def _titled(chart: Any, title: str, what: str) -> "Chart":
    import altair as alt

    words = alt.TitleParams(title, subtitle=textwrap.wrap(what, 70), anchor="start")
    titled: Chart = chart.properties(title=words, background="white").configure_view(stroke=None)
    return titled


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Languages alone where that leaves every set a name of its own: `["a/swa", "a/yor"] -> swa, yor`."""
    short = {name: name.rpartition("/")[2] for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _file_name(*parts: object) -> str:
    """A name for a file that tells what is in it: `("f1", "default, a=1", "me/tiny", 100) -> "f1_default-a-1_me-tiny_100"`."""
    name = "_".join(re.sub(r"[^\w.]+", "-", str(part)).strip("-.") for part in parts)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{sha256(name.encode()).hexdigest()[:8]}"
