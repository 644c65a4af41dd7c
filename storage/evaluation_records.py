"""Records of what is measured, of labels drawn and chosen, and of trainings after which nothing can be measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from maner_core.spans import Span
from storage.records import SuggestedName, SuggestedSpan


@dataclass(frozen=True, slots=True)
class SuggestedWork:
    """A sentence of the pool that somebody labelled for the first time, and what a run said of it.

    Where none was `shown`, `suggestion` is what could have been: that of the run that served then, or None. `run_id` is the
    run that says it, None before the first. `names` were on the screen because they were known, with or without a run's
    suggestion.
    """

    sentence_id: int
    annotator_id: int
    words: int
    seconds: float
    spans: tuple[Span, ...]
    shown: bool
    suggestion: tuple[SuggestedSpan, ...] | None
    created_at: datetime
    run_id: int | None
    names: tuple[SuggestedName, ...] = ()


@dataclass(frozen=True, slots=True)
class FirstAnnotation:
    """When a sentence was first annotated, as the number of that annotation, how long that took, whether it was imported."""

    seq: int
    seconds: float
    imported: bool


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """How far a second training on the `n_labels` of a run finds the same names: span F1 on so many unlabelled `sentences`.

    `f1` is None where the training failed or there were too few sentences.
    """

    run_id: int
    n_labels: int
    f1: float | None
    sentences: int


@dataclass(frozen=True, slots=True)
class ArmMeasure:
    """What a tagger predicts on the reserve that learned from one arm of a run's labels: "chance" or "choice".

    `seconds` is what people took for these labels; `predictions` is empty where the training failed.
    """

    run_id: int
    arm: str
    n_labels: int
    seconds: float
    predictions: Mapping[int, tuple[Span, ...]]


@dataclass(frozen=True, slots=True)
class FinalRequest:
    """A training on the evaluation sentences too, which a person asked for and which has not ended yet."""

    requested_by: int
    requested_at: datetime
