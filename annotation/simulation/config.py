"""What a simulation compares, and how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotation.sampling import DEFAULT_RULE, SelectionRule, query_strategy
from maner_core.config import TrainConfig
from maner_core.errors import InvalidConfig, InvalidInput


@dataclass(frozen=True, slots=True)
class GoldSet:
    """Two files with gold tags: to label from, and to evaluate on."""

    name: str
    train: Path
    test: Path


def gold_sets(train: Sequence[Path], test: Sequence[Path]) -> list[GoldSet]:
    """Pairs of files in their order, named by the file or, where it is just `train`, by its folder.

    Raises InvalidInput where the numbers differ or two pairs have one name.
    """
    if len(train) != len(test):
        raise InvalidInput(f"there are {len(train)} training files and {len(test)} test files; give one for each")
    names = [file.resolve().parent.name if file.stem.lower() == "train" else file.stem for file in train]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"two training files go by the name {name!r}; put them into folders of different names")
    return [GoldSet(name, *files) for name, *files in zip(names, train, test, strict=True)]


@dataclass(frozen=True, slots=True)
class AnnotatorNoise:
    """How often a simulated annotator errs, as shares of the entities, 0 to 1."""

    dropped: float = 0.0
    """Not seen at all."""
    shifted: float = 0.0
    """One end a word off."""
    confused: float = 0.0
    """Given another label."""
    on_hard: float = 2.0
    """All of this so many times as often on the third of the sentences that the last tagger was least sure of."""

    @property
    def errs(self) -> bool:
        """Whether there is any noise."""
        return self.dropped + self.shifted + self.confused > 0


TYPICAL_NOISE = AnnotatorNoise(dropped=0.05, shifted=0.05, confused=0.03)


@dataclass(frozen=True)
class SimulationConfig:
    """What is compared, and how long; stored beside the results, which continue only under the same settings."""

    strategies: tuple[str, ...] = ("random", "mnlp")
    """Names of QUERY_STRATEGIES, with other parameters if need be: `ent_mnlp:alpha=1,gamma=0`."""
    seeds: int = 3
    """Repetitions; number i of each strategy starts from the same sentences."""
    seed_size: int = 50
    """Random sentences labelled before the first training."""
    batch: int = 25
    """Labels between two trainings."""
    budget: int = 300
    """Labels at which a repetition ends."""
    at: tuple[int, ...] = ()
    """Numbers of labels at which a tagger is trained, instead of one after each batch; the last one is the budget."""
    stale: bool = True
    """As in life: while a tagger is trained, people label what the one before has put into the queue."""
    noise: AnnotatorNoise = AnnotatorNoise()
    """How the simulated annotator errs; the test file stays as it is."""
    rule: SelectionRule = DEFAULT_RULE
    """How scores become a queue."""
    preset: str = "default"
    """TrainConfig preset."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """TrainConfig fields that differ from it, such as system and backbone."""
    quick: bool = False
    """The quick scorer on the backbone is the tagger: a training takes seconds."""
    pool_limit: int | None = None
    """Use so many random sentences of the training file, others for each seed; None: all."""
    test_limit: int | None = None
    """Use so many random sentences of the test file, the same ones always; None: all."""

    def __post_init__(self) -> None:
        for name in self.strategies:
            query_strategy(name)
        TrainConfig.preset(self.preset, **self.overrides)
        for setting in ("seeds", "seed_size", "batch"):
            if getattr(self, setting) < 1:
                raise InvalidConfig(f"{setting} is {getattr(self, setting)}; it must be 1 or more")
        if self.last < self.seed_size:
            raise InvalidConfig(f"budget is {self.last}, less than seed_size {self.seed_size}; raise it")

    @property
    def last(self) -> int:
        """Labels at which a repetition ends."""
        return max(self.at, default=self.budget)

    @property
    def sizes(self) -> list[int]:
        """Numbers of labels at which a tagger is trained: `50, 25, 110 -> [50, 75, 100, 110]`."""
        if self.at:
            return sorted({self.seed_size, *(size for size in self.at if size >= self.seed_size)})
        return sorted({*range(self.seed_size, self.budget, self.batch), self.budget})
