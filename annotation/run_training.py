"""The training of a run: the adaptation before it, where one is due, and the tagger itself, each telling how far it is."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from annotation.adapted_backbone import adapted, adapted_folder
from annotation.phases import Phases
from annotation.serving import run_folder
from annotation.tagging import AdaptFunction, TrainFunction, TrainProgress
from annotation.training_set import TrainingSet
from maner_core.config import TrainConfig
from maner_core.errors import ManerError
from storage import Project, Store


def recipe(project: Project, seed: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What a run keeps of how it is trained: `preset`, `train` (the whole TrainConfig), `labels`.

    The whole of it, so that whoever repeats the run later does so by its recipe and not by what has become the default.
    """
    settings = project.settings
    train: dict[str, Any] = {
        "system": settings.system,
        "backbone": settings.backbone,
        "adaptation": settings.adaptation,
    }
    train |= {**overrides, "seed": seed}
    with suppress(ManerError):  # settings of another release: the run fails of them, where a lead sees why
        config = TrainConfig.preset(settings.preset, **train)
        train = replace(config, reinitialised_layers=config.layers_anew).to_dict()
    return {"preset": settings.preset, "train": train, "labels": [label.name for label in settings.labels]}


@dataclass(slots=True)
class RunTraining:
    """Trains a tagger on `labelled` into the folder of the run that `phases` tells of."""

    store: Store
    project: Project
    home: Path
    config: TrainConfig
    labelled: TrainingSet
    phases: Phases
    text: list[tuple[str, ...]] = field(default_factory=list)
    """The unlabelled sentences, for an adaptation."""

    @property
    def folder(self) -> Path:
        """Where the checkpoint lies."""
        return run_folder(self.home, self.phases.run_id)

    def adapt(self, adapt: AdaptFunction) -> dict[str, Any] | None:
        """Learn from the unlabelled sentences before the training, where that is due; the report of it."""
        started, folder = time.monotonic(), adapted_folder(self.home, self.project.id)
        if self.config.adaptation != "none":
            self.text = [sentence.tokens for sentence in self.store.unlabelled_pool(self.project.id)]
        message = f"Reading {len(self.text)} unlabelled sentences before the training"
        if self.config.adaptation == "before":
            self.phases.tell("adapting", 0.0, None, message)

        def step(progress: TrainProgress) -> None:
            told = f"{message}, step {progress.step} of {progress.steps}"
            self.phases.tell("adapting", progress.step / progress.steps, progress.seconds_left, told)

        self.config, report = adapted(self.config, self.text, folder, adapt, step)
        if report is not None:
            self.phases.took("adapting", time.monotonic() - started)
        return report

    def train(self, train: TrainFunction) -> Any:
        """Train, and write the checkpoint; the report of it."""
        started = time.monotonic()
        message = f"Training on {len(self.labelled.ids)} sentences"
        self.phases.tell("training", 0.0, None, message)

        def step(progress: TrainProgress) -> None:
            told = f"{message}, step {progress.step} of {progress.steps}"
            self.phases.tell("training", progress.step / progress.steps, progress.seconds_left, told)

        report = train(
            self.labelled.sentences,
            self.labelled.spans,
            [label.name for label in self.project.settings.labels],
            self.config,
            self.folder,
            self.text if self.config.adaptation == "beside" else (),
            step,
        )
        self.phases.took("training", time.monotonic() - started)
        return report
