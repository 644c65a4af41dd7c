"""Trainings that strategies have in common: until the first choice takes effect all have labelled the same sentences."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from annotation.tagging import TrainFunction, TrainProgress
from maner_core.config import TrainConfig
from maner_core.spans import Span


class SharedTrainings:
    """Trains once what is to be trained again alike, and copies the checkpoint then; `train` is a TrainFunction."""

    def __init__(self, train: TrainFunction, folder: Path) -> None:
        self.keeps = False
        """Whether what is trained now may be wanted again; a checkpoint takes room on the disk."""
        self._train = train
        self._folder = folder
        self._reports: dict[str, Any] = {}

    def train(
        self,
        sentences: Sequence[Sequence[str]],
        spans: Sequence[Sequence[Span]],
        labels: Sequence[str],
        config: TrainConfig,
        folder: Path,
        text: Sequence[Sequence[str]],
        on_progress: Callable[[TrainProgress], None],
    ) -> Any:
        """The report of the training, by now or before, whose checkpoint is in `folder`."""
        alike = json.dumps([sentences, spans, labels, config.to_dict(), text], default=asdict)
        kept = sha256(alike.encode()).hexdigest()
        if kept in self._reports:
            shutil.copytree(self._folder / kept, folder)
            return self._reports[kept]
        report = self._train(sentences, spans, labels, config, folder, text, on_progress)
        if self.keeps:
            shutil.copytree(folder, self._folder / kept)
            self._reports[kept] = report
        return report
