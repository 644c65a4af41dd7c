"""A simulated annotator: takes sentences from the queue and gives them their gold spans, with errors if asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from annotation.formats import ReadSentence
from annotation.labels import make_labels
from annotation.queue_filling import top_up
from annotation.sampling import HARD_PACE, Cost, Pool, mnlp
from annotation.simulation.config import AnnotatorNoise, SimulationConfig
from annotation.simulation.points import Point
from annotation.tagging import LoadedTagger
from maner_core.errors import InvalidInput
from maner_core.spans import Span, iob2_tags
from storage import (
    AnnotationDraft,
    NewSentence,
    Origin,
    Project,
    ProjectSettings,
    Run,
    Split,
    Status,
    Store,
)

CLIENT = "simulation"
HELD_SECONDS = 1e7
"""What was taken from the queue stays taken, however long a training lasts."""
COMPARED_SENTENCES = 300
"""Unlabelled sentences that say from which doubt on a sentence belongs to the hard third."""


@dataclass
class SimulatedAnnotator:
    """Labels one repetition; `taken` are the sentences done, in order."""

    store: Store
    project: Project
    annotator_id: int
    config: SimulationConfig
    set_name: str
    strategy: str
    seed: int
    gold: dict[int, tuple[Span, ...]]
    tokens: dict[int, tuple[str, ...]]
    first: list[int]
    taken: list[int] = field(default_factory=list)
    given: dict[int, tuple[Span, ...]] = field(default_factory=dict)
    chosen_by_doubt: set[int] = field(default_factory=set)
    in_hand: list[int] = field(default_factory=list)
    """Taken from the queue before the last training, and not labelled yet."""
    last_tagger: LoadedTagger | None = None
    """Set where the annotator errs more often on what the tagger is unsure of."""

    @classmethod
    def begin(
        cls,
        store: Store,
        config: SimulationConfig,
        set_name: str,
        strategy: str,
        seed: int,
        pool: Sequence[ReadSentence],
        test: Sequence[ReadSentence],
    ) -> "SimulatedAnnotator":
        """A new project that holds the pool without labels and the test file as its evaluation set."""
        store.migrate()
        names = sorted({span.label for sentence in (*pool, *test) for span in sentence.gold or ()})
        settings = ProjectSettings(
            name="simulation",
            labels=make_labels(names),
            retrain_every=config.batch,
            strategy=strategy,
            preset=config.preset,
            seed=seed,
        )
        project, annotator = store.create_project(settings), store.annotator("simulation")
        without = [NewSentence(sentence.tokens) for sentence in pool]
        store.add_sentences(project.id, without, annotator.id, "train")
        reserve = [NewSentence(sentence.tokens, split=Split.RESERVE, gold=sentence.gold) for sentence in test]
        store.add_sentences(project.id, reserve, annotator.id, "test")
        # Sentences with the same words can carry different tags; the first one of them is the one that is annotated.
        by_tokens = {sentence.tokens: sentence.gold or () for sentence in reversed(pool)}
        open_sentences = store.unlabelled_pool(project.id)
        order = np.random.default_rng(seed).permutation(len(open_sentences))
        return cls(
            store=store,
            project=project,
            annotator_id=annotator.id,
            config=config,
            set_name=set_name,
            strategy=strategy,
            seed=seed,
            gold={sentence.id: by_tokens[sentence.tokens] for sentence in open_sentences},
            tokens={sentence.id: sentence.tokens for sentence in open_sentences},
            first=[open_sentences[i].id for i in order[: config.seed_size]],
        )

    def label_up_to(self, size: int) -> None:
        """Label the seed sentences, then what is in hand, then what the queue hands out, until `size` are labelled."""
        if not self.taken:
            self._label(self.first)
        self.take(size - len(self.taken) - len(self.in_hand))
        now, self.in_hand = self.in_hand, []
        self._label(now)

    def take(self, n: int) -> None:
        """Take `n` more sentences from the queue, to be labelled later."""
        for _ in range(2):
            if n <= 0:
                return
            handed = self.store.claim(
                self.project.id, self.annotator_id, CLIENT, Split.POOL, n, HELD_SECONDS, per_tab_share=False
            )
            self.in_hand += [item.sentence.id for item in handed]
            self.chosen_by_doubt |= {item.sentence.id for item in handed if item.origin is Origin.ACTIVE}
            n -= len(handed)
            if n > 0:  # as in life: what the ranking does not fill, chance does
                top_up(self.store, self.project.id)
        if n > 0:
            done = len(self.taken) + len(self.in_hand)
            raise InvalidInput(f"the pool ran out of sentences at {done} labels; lower the budget")

    def _hard_ones(self, sentence_ids: Sequence[int]) -> set[int]:
        """Those that the last tagger is less sure of than of two thirds of the pool; none before there is one."""
        if self.last_tagger is None or not sentence_ids:
            return set()
        rng = np.random.default_rng([self.seed, len(self.taken)])
        pool = [sentence.id for sentence in self.store.unlabelled_pool(self.project.id)]
        compared = rng.permutation(pool)[:COMPARED_SENTENCES].tolist()
        tags = iob2_tags(self.last_tagger.labels)
        read = self.last_tagger.predict([self.tokens[id_] for id_ in (*compared, *sentence_ids)])
        doubts = mnlp(Pool.of([prediction.probabilities for prediction in read], tags))
        threshold = np.quantile(doubts[: len(compared)], 2 / 3)
        own = doubts[len(compared) :]
        return {id_ for id_, doubt in zip(sentence_ids, own.tolist(), strict=True) if doubt > threshold}

    def _label(self, sentence_ids: Sequence[int]) -> None:
        hard, labels = self._hard_ones(sentence_ids), [label.name for label in self.project.settings.labels]
        for id_ in sentence_ids:
            rng = np.random.default_rng([self.seed, id_])  # the same slips in every strategy
            noise = self.config.noise
            self.given[id_] = noisy(self.gold[id_], len(self.tokens[id_]), labels, noise, id_ in hard, rng)
        drafts = [
            AnnotationDraft(
                id=str(uuid5(NAMESPACE_OID, f"{self.strategy}/{self.seed}/{sentence_id}")),
                sentence_id=sentence_id,
                status=Status.LABELLED,
                spans=self.given[sentence_id],
                comment="",
                milliseconds=0,
                client_time=datetime.now(UTC),
                suggestion_run=None,
                supersedes=None,
            )
            for sentence_id in sentence_ids
        ]
        _, rejected = self.store.save_annotations(self.project.id, self.annotator_id, drafts)
        if rejected:
            raise InvalidInput(f"a simulated annotation was refused: {rejected[0].why}")
        self.taken += sentence_ids

    def point(self, run: Run, seconds: float, last: bool) -> Point:
        """What the run made of the labels so far, and what these cost."""
        words = np.array([len(self.tokens[id_]) for id_ in self.taken])
        entities = np.array([len(self.given[id_]) for id_ in self.taken], dtype=np.float64)
        minutes = Cost().seconds(words, entities) / 60
        pace = np.where([id_ in self.chosen_by_doubt for id_ in self.taken], HARD_PACE, 1.0)
        return Point(
            set=self.set_name,
            strategy=self.strategy,
            seed=self.seed,
            labels=len(self.taken),
            words=int(words.sum()),
            entities=int(entities.sum()),
            minutes=round(float(minutes.sum()), 2),
            hard_minutes=round(float((minutes / pace).sum()), 2),
            f1=run.metrics["f1"],
            f1_low=run.metrics["f1_low"],
            f1_high=run.metrics["f1_high"],
            train_f1=run.metrics["train"]["train_f1"],
            training_seconds=round(run.metrics["seconds"]["training"], 1),
            round_seconds=round(seconds, 1),
            chosen=sha256(json.dumps(self.taken).encode()).hexdigest()[:16],
            last=last,
        )


def noisy(
    spans: Sequence[Span],
    n_words: int,
    labels: Sequence[str],
    noise: AnnotatorNoise,
    hard: bool,
    rng: np.random.Generator,
) -> tuple[Span, ...]:
    """What a person who errs makes of the gold `spans` of a sentence of `n_words`; each entity is hit by one error at most.

    A shifted end stays where there is no room for it: at the edge of the sentence, beside another entity, and where the
    entity would be empty.
    """
    times = noise.on_hard if hard else 1.0
    given: list[Span] = []
    for position, span in enumerate(spans):
        luck, up = rng.random(), rng.random() < 0.5
        other = str(rng.choice([label for label in labels if label != span.label] or [span.label]))
        if luck < times * noise.dropped:
            continue
        if luck < times * (noise.dropped + noise.shifted):
            start = span.start + (1 if up else -1)
            before = given[-1].end if given else 0
            after = spans[position + 1].start if position + 1 < len(spans) else n_words
            if rng.random() < 0.5 and before <= start < span.end:
                span = Span(start, span.end, span.label)
            elif span.start < span.end + (1 if up else -1) <= after:
                span = Span(span.start, span.end + (1 if up else -1), span.label)
        elif luck < times * (noise.dropped + noise.shifted + noise.confused):
            span = Span(span.start, span.end, other)
        given.append(span)
    return tuple(given)
