"""How much taggers still change: the names two of them find in the same unlabelled sentences.

Bloodgood & Vijay-Shanker (2009) compare successive models on a fixed unlabelled set; here by span F1, which looks past the
many words outside every name (Altschuler & Bloodgood 2019 do so for positive predictions). Two trainings on the same labels
differ too: only what lies above that noise is learning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from maner_core.evaluation import entity_counts, f1_of_counts
from maner_core.spans import Span
from storage import Project, Run, RunState, Store, SuggestedSpan
from storage.chance import drawn

FIXED_SENTENCES = 500
"""Sentences of the pool every tagger reads: always those that come first in an order drawn once for all."""
FEWEST_COMMON = 50
"""Sentences that two runs must have in common to be compared."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Span F1 (0 to 1) of what run `after` finds against what run `before` found in so many unlabelled sentences."""

    before: int
    after: int
    f1: float
    sentences: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Span F1 (0 to 1) of two trainings on the same labels, so many of them, in so many unlabelled sentences."""

    run: int
    labels: int
    f1: float
    sentences: int


@dataclass(frozen=True, slots=True)
class Stability:
    """The newest step between runs trained on different labels, and the noise as it was measured last."""

    step: Agreement | None
    noise: Noise | None


def fixed_set(project: Project, sentence_ids: Iterable[int]) -> set[int]:
    """Of these unlabelled sentences those that every tagger reads, so that taggers can be compared."""
    return set(
        sorted(sentence_ids, key=lambda number: drawn(project.split_salt, "stability", number))[:FIXED_SENTENCES]
    )


def stability(store: Store, project: Project, runs: Sequence[Run]) -> Stability:
    """From stored suggestions; only runs whose suggestions were stored can be compared, which a refused run's are not.

    Two runs in a row that have seen the same annotations and decisions were trained on the same labels; so were a run and
    the training of annotation/noise_floor.py.
    """
    done = sorted((run for run in runs if run.state is RunState.DONE), key=lambda run: -run.id)
    step = noise = None
    for after, before in pairwise(done):
        same = (after.watermark, after.decision_watermark) == (before.watermark, before.decision_watermark)
        if (noise if same else step) is not None:
            continue
        agreement = _compared(store, project, before.id, after.id)
        if agreement is not None and same:
            noise = Noise(after.id, after.n_train, agreement.f1, agreement.sentences)
        elif agreement is not None:
            step = agreement
        if step is not None and noise is not None:
            break
    floors = (
        Noise(it.run_id, it.n_labels, it.f1, it.sentences) for it in store.noise_floors(project.id) if it.f1 is not None
    )
    return Stability(step, max((each for each in (noise, *floors) if each), key=lambda each: each.run, default=None))


def agreement(before: Mapping[int, Sequence[Span]], after: Mapping[int, Sequence[Span]]) -> tuple[float, int]:
    """Span F1 on the sentences both have read, and how many these are; 1.0 where neither finds a name."""
    common = sorted(before.keys() & after.keys())
    found, n_after, n_before = (
        entity_counts([before[i] for i in common], [after[i] for i in common]).sum(axis=0).tolist()
    )
    return (f1_of_counts(found, n_after, n_before) if n_after + n_before else 1.0), len(common)


def _compared(store: Store, project: Project, before: int, after: int) -> Agreement | None:
    said = [store.suggested_spans(run_id) for run_id in (before, after)]
    fixed = fixed_set(project, said[0].keys() & said[1].keys())
    first, second = ({i: _spans(spans) for i, spans in each.items() if i in fixed} for each in said)
    f1, n = agreement(first, second)
    return Agreement(before, after, f1, n) if n >= FEWEST_COMMON else None


def _spans(suggested: Sequence[SuggestedSpan]) -> tuple[Span, ...]:
    return tuple(Span(span.start, span.end, span.label) for span in suggested)
