"""Records of what a tagger of another language said of the pool before the project had labels of its own."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StartingRead:
    """That `tagger` (as the settings name it) read a part of the `n_pool` unlabelled sentences, or why it did not."""

    tagger: str
    seed: int  # by which that part was drawn
    n_pool: int
    failure: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class StartingScore:
    """What it said of one sentence: the expected words in names, and how many names it reads."""

    sentence_id: int
    score: float
    names: int
