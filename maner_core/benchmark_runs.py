"""What a benchmark keeps of each run: one JSON line in runs.jsonl, on disk as soon as the run is over."""

import base64
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from maner_core.config import TrainConfig
from maner_core.errors import FormatError
from maner_core.evaluation import Counts

_OWN_KEYS = ("system", "backbone", "seed")
"""Fields of TrainConfig that are dimensions of the grid and not part of its recipe."""


@dataclass(frozen=True)
class Cell:
    """Which training a run is. Two runs of the same cell would give the same result, so only one is made."""

    collection: str
    """Such as "masakhaner2"."""
    language: str
    """Such as "swa"; may be empty."""
    data_hash: str
    """NerSet.fingerprint."""
    system: str
    backbone: str
    size: int
    """Training sentences."""
    seed: int
    """Of the draw of the training sentences and of the training."""
    config_hash: str
    """recipe_hash of the configuration."""
    test_limit: int | None
    """Test sentences at most; None: all."""

    @property
    def set_name(self) -> str:
        """Such as "masakhaner2/swa"."""
        return f"{self.collection}/{self.language}" if self.language else self.collection

    def __str__(self) -> str:
        return f"{self.set_name}, {self.size} sentences, {self.backbone}, {self.system}, seed {self.seed}"


@dataclass(frozen=True)
class Run:
    """A run that was made, or one that failed: then `error` says why and there are no scores."""

    cell: Cell
    preset: str
    overrides: Mapping[str, Any]
    """Fields of TrainConfig that differ from the preset on purpose."""
    config: Mapping[str, Any]
    """The whole TrainConfig."""
    script: str
    date: str
    """UTC, when the run was over."""
    versions: Mapping[str, str]
    error: str = ""
    drawn: str = ""
    """Fingerprint of the training sentences: the same for every system."""
    n_test: int = 0
    """Test sentences."""
    n_seen: int = 0
    """Test sentences whose words are, all of them, those of a drawn training sentence."""
    f1: float = 0.0
    precision: float = 0.0
    recall: float = 0.0
    per_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Label -> precision, recall, f1 (0 to 1) and n_gold."""
    counts: str = ""
    """`pack_counts` of the test sentences, in their order."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """The TrainReport: seconds, steps, loss, train_f1, peak_memory_bytes, device, restarts and more."""
    test_seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return bool(self.error)


def recipe_hash(config: TrainConfig) -> str:
    """8 digits for everything of a configuration but system, backbone and seed.

    Fields that are off (0, False, None, empty) do not count, so that a new setting that is off leaves old runs valid.
    """
    values = {name: value for name, value in config.to_dict().items() if name not in _OWN_KEYS and value}
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def pack_counts(counts: Counts) -> str:
    """(n_sentences, 3) counts in little room; `unpack_counts` is the reverse."""
    return base64.b64encode(zlib.compress(counts.astype("<u2").tobytes(), 9)).decode()


def unpack_counts(packed: str) -> Counts:
    """(n_sentences, 3): entities found, predicted and gold in each test sentence."""
    counts: Counts = np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<u2").reshape(-1, 3).astype(np.int64)
    return counts


def append_run(file: Path, run: Run) -> None:
    """Write one line and wait until it is on the disk."""
    values = asdict(run)
    line = json.dumps({**values.pop("cell"), **values}, ensure_ascii=False) + "\n"
    with file.open("a", encoding="utf-8") as lines:
        lines.write(line)
        lines.flush()
        os.fsync(lines.fileno())


def read_runs(file: Path) -> dict[Cell, Run]:
    """The last run of each cell, in the order in which the cells first came; nothing where there is no file.

    One that failed stands for its cell only where none succeeded. A last line without its end, which a killed process
    leaves, counts as not there. Raises FormatError on any other line that is none of these.
    """
    if not file.exists():
        return {}
    whole = file.read_bytes().rpartition(b"\n")[0]
    runs: dict[Cell, Run] = {}
    for number, line in enumerate(whole.decode("utf-8", "replace").split("\n"), 1):
        if line:
            run = _run(file, number, line)
            if not run.failed or runs.get(run.cell, run).failed:
                runs[run.cell] = run
    return runs


def drop_unfinished_line(file: Path) -> None:
    """Cut off a last line that has no end, so that the next one begins a line of its own."""
    if file.exists():
        os.truncate(file, file.read_bytes().rfind(b"\n") + 1)


def _run(file: Path, number: int, line: str) -> Run:
    of_cell = {item.name for item in fields(Cell)}
    try:
        values = json.loads(line)
        cell = Cell(**{name: values.pop(name) for name in of_cell})
        return Run(cell=cell, **values)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FormatError(
            str(file), number, "is no run of a benchmark", "delete the line or choose another --out"
        ) from None
