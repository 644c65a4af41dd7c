"""What a lead is told of a run: what it learned from, by which recipe, how long it took, who let it serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from maner_core.config import TrainConfig
from maner_core.errors import UnknownName
from storage import AuditEvent, Run, RunState

CHOICES = ("run_served", "run_pinned", "run_unpinned")
"""Kinds of audit events by which people, not the gate, say what serves."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's word on a run: `what` is one of CHOICES."""

    what: str
    annotator_id: int | None
    at: datetime


def recipe_changes(config: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Knobs of a run's stored config that differ from its preset, with their value and the preset's, but for the seed.

    `{"preset": "default", "train": {"epochs": 20.0, "system": "maner"}} -> {"epochs": (20.0, 12.0)}`
    """
    try:
        preset = TrainConfig.preset(str(config.get("preset", "default")))
    except UnknownName:  # of a release that had other presets
        preset = TrainConfig()
    asked: dict[str, Any] = config.get("train", {})
    like_it = {knob: asked[knob] for knob in ("backbone", "adaptation", "lora_rank") if knob in asked}
    usual = {**preset.to_dict(), "reinitialised_layers": replace(preset, **like_it).layers_anew}
    return {
        knob: (value, usual.get(knob)) for knob, value in asked.items() if knob != "seed" and value != usual.get(knob)
    }


def same_recipe(runs: Sequence[Run]) -> list[Run]:
    """Of these runs those trained by the recipe of the newest, but for the seed: only they lie on one curve."""
    return [run for run in runs if _recipe(run) == _recipe(runs[-1])]


def _recipe(run: Run) -> dict[str, Any]:
    asked = {knob: value for knob, value in run.config.get("train", {}).items() if knob != "seed"}
    return {"preset": run.config.get("preset"), **asked}


def choice(events: Sequence[AuditEvent], run_id: int) -> Choice | None:
    """The last word of a person that let this run serve or pinned it; None where the gate alone spoke."""
    for event in reversed(events):
        if event.kind in CHOICES and event.details.get("run") == run_id:
            return Choice(event.kind, event.annotator_id, event.at)
    return None


def state(run: Run, serving: int | None) -> str:
    """Where a run stands, in a word or two."""
    if run.state is RunState.RUNNING:
        return "in work"
    if run.state is RunState.FAILED:
        return "failed"
    if run.id == serving:
        return "serves now"
    return "served" if run.served else "not served"
