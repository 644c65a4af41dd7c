"""A tagger for tests of the loop: it remembers the words it was trained on, in milliseconds, without torch."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from annotation.tagging import LoadedTagger, Tools, TrainProgress
from maner_core.config import ADAPTATION_RECORD, TrainConfig
from maner_core.errors import NoCheckpoint
from maner_core.spans import Span, iob2_tags, repair_tags, spans_to_tags, tags_to_spans

STEPS = 4


@dataclass(frozen=True)
class StubProgress:
    step: int
    steps: int
    seconds_left: float


@dataclass(frozen=True)
class StubReport:
    train_f1: float
    seed: int
    peak_memory_bytes: int = 0


@dataclass(frozen=True)
class StubAdaptReport:
    sentences: int


@dataclass(frozen=True)
class StubPrediction:
    tags: list[str]
    probabilities: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]

    @property
    def spans(self) -> list[Span]:
        return tags_to_spans(self.tags)

    def span_confidences(self) -> list[float]:
        return [float(self.probabilities[span.start : span.end].max(axis=1).min()) for span in self.spans]

    def word_confidences(self) -> npt.NDArray[np.float32]:
        confidences: npt.NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidences


@dataclass(frozen=True)
class StubTagger:
    """Sure of the words it knows, in doubt about the others: O at 0.5 to 0.7, the rest shared out by the word's hash."""

    labels: list[str]
    memory: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> "StubTagger":
        try:
            saved = json.loads((folder / "stub.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise NoCheckpoint(f"{folder} holds no checkpoint") from error
        return cls(saved["labels"], saved["memory"])

    @property
    def head(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
        """Its states are its probabilities, so its head passes them on."""
        n_tags = len(iob2_tags(self.labels))
        return np.eye(n_tags, dtype=np.float32), np.zeros(n_tags, np.float32), 0.1

    def word_states(self, sentences: Sequence[Sequence[str]]) -> list[npt.NDArray[np.float32]]:
        return [self._read(sentence).probabilities for sentence in sentences]

    def predict(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None] | None = None
    ) -> list[StubPrediction]:
        predictions = [self._read(sentence) for sentence in sentences]
        if on_progress is not None:
            on_progress(1.0)
        return predictions

    def _read(self, sentence: Sequence[str]) -> StubPrediction:
        tags = iob2_tags(self.labels)
        rows = np.array([self._word(word, tags) for word in sentence], dtype=np.float32).reshape(-1, len(tags))
        best = repair_tags([tags[i] for i in rows.argmax(axis=1)])
        return StubPrediction(best, rows, rows.mean(axis=0))

    def _word(self, word: str, tags: list[str]) -> npt.NDArray[np.float64]:
        if word in self.memory:
            row = np.full(len(tags), 0.04 / (len(tags) - 1))
            row[tags.index(self.memory[word])] = 0.96
            return row
        rng = np.random.default_rng(zlib.crc32(word.encode()))
        outside = 0.5 + 0.2 * rng.random()
        return np.concatenate([[outside], (1 - outside) * rng.dirichlet(np.ones(len(tags) - 1))])


def train(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    config: TrainConfig,
    folder: Path,
    text: Sequence[Sequence[str]],
    on_progress: Callable[[TrainProgress], None],
) -> StubReport:
    assert bool(text) == (config.adaptation != "none")
    for step in range(1, STEPS + 1):
        on_progress(StubProgress(step, STEPS, float(STEPS - step)))
    memory = {
        word: tag
        for sentence, its_spans in zip(sentences, spans, strict=True)
        for word, tag in zip(sentence, spans_to_tags(its_spans, len(sentence)), strict=True)
    }
    folder.mkdir(parents=True)
    (folder / "stub.json").write_text(json.dumps({"labels": list(labels), "memory": memory}), encoding="utf-8")
    return StubReport(1.0, config.seed)


def load(folder: Path) -> LoadedTagger:
    return StubTagger.load(folder)


def adapt(
    text: Sequence[Sequence[str]], config: TrainConfig, folder: Path, on_progress: Callable[[TrainProgress], None]
) -> StubAdaptReport:
    for step in range(1, STEPS + 1):
        on_progress(StubProgress(step, STEPS, float(STEPS - step)))
    folder.mkdir(parents=True, exist_ok=True)
    report = StubAdaptReport(len(text))
    record = {"config": config.to_dict(), "report": asdict(report)}
    (folder / ADAPTATION_RECORD).write_text(json.dumps(record), encoding="utf-8")
    return report


STUB = Tools(train, load, adapt)
