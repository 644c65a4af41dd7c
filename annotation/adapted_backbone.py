"""A project's own backbone, which has guessed hidden words of its unlabelled sentences: where it lies, and when it is made.

It is made once, before a round's training, and serves all later rounds; again when settings or the pool have changed much.
Importing this module loads no torch.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from annotation.tagging import AdaptFunction, TrainProgress
from maner_core.config import ADAPTATION_RECORD, TrainConfig

FEWEST_SENTENCES = 100
"""With fewer unlabelled sentences there is no adaptation: it would learn them by heart."""
GROWTH = 1.5
"""It is made again once there are so many times the unlabelled sentences it was made from."""

_MADE_WITH = ("system", "backbone", "mlm_probability", "mlm_batch_size", "mlm_steps", "mlm_learning_rate")


def adapted_folder(home: Path, project_id: int) -> Path:
    """Where the adapted backbone of a project lies."""
    return home / "backbones" / f"project-{project_id}"


def adapted(
    config: TrainConfig,
    text: Sequence[Sequence[str]],
    folder: Path,
    adapt: AdaptFunction,
    on_progress: Callable[[TrainProgress], None],
) -> tuple[TrainConfig, dict[str, Any] | None]:
    """The settings to train with, and the report of the adaptation that was made for them, if one was.

    With the adaptation `before` the training starts from the backbone in `folder`, which is made now unless it is current;
    with others a backbone that lies there is deleted. Too little text to learn from is left alone.
    """
    if config.adaptation != "before":
        shutil.rmtree(folder, ignore_errors=True)
    current = config.adaptation == "before" and is_current(folder, config, len(text))
    if config.adaptation == "none" or (len(text) < FEWEST_SENTENCES and not current):
        return replace(config, adaptation="none"), None
    if config.adaptation == "beside":
        return config, None
    report = None if current else asdict(adapt(text, config, folder, on_progress))
    return replace(config, backbone=str(folder), adaptation="none"), report


def is_current(folder: Path, config: TrainConfig, n_sentences: int) -> bool:
    """Whether `folder` holds a backbone made with these settings, from not much less text than there is now."""
    try:
        record = json.loads((folder / ADAPTATION_RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    made_with = record["config"]
    same = all(made_with[name] == getattr(config, name) for name in _MADE_WITH)
    return same and n_sentences < GROWTH * record["report"]["sentences"]
