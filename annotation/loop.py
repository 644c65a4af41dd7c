"""One round of active learning, top to bottom: (adapt ->) train -> evaluate -> gate -> score -> select -> suggest -> queue.

The one place where tagger, sampling and store meet; the worker runs it in a process of its own and the simulation in a
loop. Importing this module loads no torch: training and inference are imported when a round needs them.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.adapted_backbone import adapted, adapted_folder
from annotation.sampling import (
    ACQUISITION_FUNCTIONS,
    NEEDS_STATES,
    RANDOM_REASON,
    Head,
    Pick,
    Pool,
    WordStates,
    mnlp,
    query_strategy,
    random,
    select,
    why,
)
from annotation.serving import checkpoint_folder, evaluate, evaluation_labels, judge, prune_checkpoints, run_folder
from annotation.tagging import (
    AdaptFunction,
    LoadedTagger,
    TaggerPrediction,
    Tools,
    TrainFunction,
    TrainProgress,
    real_tools,
)
from maner_core.config import TrainConfig
from maner_core.errors import ManerError, RunFailed, RunStopped
from maner_core.model_card import DataCard, Evaluation
from maner_core.spans import OUTSIDE, Span, iob2_tags
from storage import (
    Origin,
    Project,
    QueueItem,
    Run,
    RunPrediction,
    RunState,
    Sentence,
    Split,
    Store,
    SuggestedSpan,
    Suggestion,
)

GATE_LABELS = 50
"""Training labels from which on the tagger's doubts are worth more than chance ..."""
GATE_ENTITIES = 20
"""... and entities in them."""
RANDOM_SHARE = 0.1
"""Share of the queue still drawn by chance behind the gate: it finds what the tagger is wrongly sure of."""
SHORTEST_QUEUE = 100
QUEUED_ROUNDS = 4
"""The queue lasts for so many rounds, and has SHORTEST_QUEUE sentences at least."""
SUGGESTED_SENTENCES = 2000
"""Sentences that get stored suggestions: those queued, and the highest scores up to this number."""
SENTENCES_WITH_STATES = 2000
"""Sentences whose word states are kept for the strategies that need them: those that `mnlp` puts first."""
STOPPED = "The worker was stopped during this run; it starts again with the next worker."
"""Failure text of a run that ended only because the worker was asked to."""

READ_AT_ONCE = 4000  # sentences handed to the tagger together

Phase = str  # adapting, training, evaluating, scoring, suggesting


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Where a round stands: `progress` 0 to 1 of this phase, a guess of its `seconds_left`, one sentence for people."""

    run_id: int
    phase: Phase
    progress: float
    seconds_left: float | None
    message: str


OnProgress = Callable[[RoundProgress], None]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The gold annotations of the pool when a round begins; `watermark` is the newest annotation it has seen.

    Sentences saved with no entity belong to it; skipped and flagged ones and the reserve do not.
    """

    ids: list[int]
    sentences: list[tuple[str, ...]]
    spans: list[tuple[Span, ...]]
    watermark: int

    @property
    def n_entities(self) -> int:
        """Gold spans in all sentences."""
        return sum(map(len, self.spans))

    @property
    def opens_gate(self) -> bool:
        """Whether the tagger trained on it may choose the next sentences."""
        return len(self.ids) >= GATE_LABELS and self.n_entities >= GATE_ENTITIES


def training_set(store: Store, project_id: int) -> TrainingSet:
    """Everything people have labelled for training up to now; what comes later belongs to the next round."""
    watermark = store.max_seq(project_id)
    items = [item for item in store.labelled(project_id, Split.POOL) if item.annotation.seq <= watermark]
    return TrainingSet(
        ids=[item.sentence.id for item in items],
        sentences=[item.sentence.tokens for item in items],
        spans=[item.annotation.spans for item in items],
        watermark=watermark,
    )


def label_shares(sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Share of all words that carry each label, O among them: `[["Rais", "Ruto"]], [[Span(1, 2, "PER")]]` -> halves."""
    counts = Counter[str]()
    for its_spans in spans:
        for span in its_spans:
            counts[span.label] += span.end - span.start
    words = sum(map(len, sentences))
    counts[OUTSIDE] = words - counts.total()
    return {label: count / max(words, 1) for label, count in counts.items()}


def run_seed(project_seed: int, round_number: int, attempt: int) -> int:
    """The seed of a run: the same for the same project seed, round and attempt, unlike those of its neighbours."""
    return int(np.random.SeedSequence([project_seed, round_number, attempt]).generate_state(1)[0] >> 1)


def run_round(
    store: Store,
    project: Project,
    home: Path,
    on_progress: OnProgress = lambda progress: None,
    *,
    tools: Tools | None = None,
    attempt: int = 1,
    overrides: Mapping[str, Any] | None = None,
) -> Run:
    """Train on today's labels, evaluate, and queue what to annotate next; the finished run.

    `on_progress` hears of every step and may raise to end the round. Whatever ends it early is stored as the run's
    failure and raised again; the queue and the serving run are then as before. `overrides` replace fields of
    TrainConfig. Raises RunFailed when there is no entity to learn from.
    """
    labelled = training_set(store, project.id)
    if not labelled.n_entities:
        raise RunFailed(f"none of the {len(labelled.ids)} labelled sentences has an entity yet; label some first")
    number = max((run.round for run in store.runs(project.id) if run.state is RunState.DONE), default=0) + 1
    settings, seed = project.settings, run_seed(project.settings.seed, number, attempt)
    asked = {
        "system": settings.system,
        "backbone": settings.backbone,
        "adaptation": settings.adaptation,
        **(overrides or {}),
        "seed": seed,
    }
    stored = {
        "preset": settings.preset,
        "train": asked,
        "labels": [label.name for label in settings.labels],
        "strategy": settings.strategy,
        "random_share": RANDOM_SHARE,
    }
    run = store.start_run(project.id, number, stored, seed, labelled.watermark, len(labelled.ids), attempt)
    try:
        config = TrainConfig.preset(settings.preset, **asked)
        _Round(store, project, home, run, config, labelled, on_progress).complete(tools)
    except Exception as error:
        store.fail_run(run.id, plain_words(error))
        raise
    prune_checkpoints(store, project.id, home)
    return store.run(run.id)


def plain_words(error: BaseException) -> str:
    """Why a run failed, for the page: a sentence of ours, or what happened and where to read more."""
    if isinstance(error, RunStopped):
        return STOPPED
    if isinstance(error, ManerError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The machine ran out of memory; choose a smaller backbone or close other programs."
    first_line = (str(error).strip().splitlines() or ["no message"])[0]
    if isinstance(error, OSError):
        return f"A file could not be read or written: {first_line}."
    return f"An unexpected error: {type(error).__name__}: {first_line}. The worker's log file has the details."


@dataclass(slots=True)
class _Round:
    store: Store
    project: Project
    home: Path
    run: Run
    config: TrainConfig
    labelled: TrainingSet
    on_progress: OnProgress
    seconds: dict[Phase, float] = field(default_factory=dict)
    text: list[tuple[str, ...]] = field(default_factory=list)
    """The unlabelled sentences, for an adaptation."""

    def complete(self, tools: Tools | None) -> None:
        tools = tools or real_tools()
        adaptation = self.adapt(tools.adapt)
        report = self.train(tools.train)
        tagger = tools.load(run_folder(self.home, self.run.id))
        predictions = self.predict_reserve(tagger)
        metrics = {"train": asdict(report), **evaluate(evaluation_labels(self.store, self.project.id), predictions)}
        tools.describe(run_folder(self.home, self.run.id), self.card(metrics))
        verdict = judge(self.store, self.project, predictions, self.home)
        source = self.run.id
        if not verdict.serves and self.project.serving_run is not None:
            source = self.project.serving_run
            tagger = tools.load(checkpoint_folder(self.home, self.store.run(source)))
        pool = _ScoredPool(self.store.unlabelled_pool(self.project.id), tagger)
        metrics |= self.choose_next(pool, source)
        metrics |= {"adaptation": adaptation, "seconds": self.seconds, "p_worse": verdict.p_worse}
        checkpoint = str(run_folder(self.home, self.run.id).relative_to(self.home))
        self.store.finish_run(self.run.id, metrics, checkpoint, verdict.serves, verdict.why)

    def tell(self, phase: Phase, progress: float, seconds_left: float | None, message: str) -> None:
        self.on_progress(RoundProgress(self.run.id, phase, progress, seconds_left, message))

    def adapt(self, adapt: AdaptFunction) -> dict[str, Any] | None:
        """Learn from the unlabelled sentences before the training, where that is due; the report of it."""
        started, folder = time.monotonic(), adapted_folder(self.home, self.project.id)
        if self.config.adaptation != "none":
            self.text = [sentence.tokens for sentence in self.store.unlabelled_pool(self.project.id)]
        message = f"Reading {len(self.text)} unlabelled sentences before the training"
        if self.config.adaptation == "before":
            self.tell("adapting", 0.0, None, message)

        def step(progress: TrainProgress) -> None:
            told = f"{message}, step {progress.step} of {progress.steps}"
            self.tell("adapting", progress.step / progress.steps, progress.seconds_left, told)

        self.config, report = adapted(self.config, self.text, folder, adapt, step)
        if report is not None:
            self.seconds["adapting"] = time.monotonic() - started
        return report

    def train(self, train: TrainFunction) -> Any:
        started = time.monotonic()
        self.tell("training", 0.0, None, f"Training on {len(self.labelled.ids)} sentences")
        self.store.add_training_sentences(self.run.id, self.labelled.ids)

        def step(progress: TrainProgress) -> None:
            message = f"Training on {len(self.labelled.ids)} sentences, step {progress.step} of {progress.steps}"
            self.tell("training", progress.step / progress.steps, progress.seconds_left, message)

        report = train(
            self.labelled.sentences,
            self.labelled.spans,
            [label.name for label in self.project.settings.labels],
            self.config,
            run_folder(self.home, self.run.id),
            self.text if self.config.adaptation == "beside" else (),
            step,
        )
        self.seconds["training"] = time.monotonic() - started
        return report

    def card(self, metrics: Mapping[str, Any]) -> DataCard:
        """What the project knows of the checkpoint: language, name, sentences, and F1 where there are evaluation labels."""
        n, evaluation = metrics["evaluation_sentences"], None
        if n:
            of = f"the project {self.project.settings.name}"
            evaluation = Evaluation(metrics["f1"], metrics["f1_low"], metrics["f1_high"], n, of)
        settings = self.project.settings
        return DataCard(settings.language, settings.name, self.labelled.ids, evaluation)

    def predict_reserve(self, tagger: LoadedTagger) -> dict[int, tuple[Span, ...]]:
        """The whole reserve, labelled or not: what is labelled later is compared without asking the tagger again."""
        reserve = list(self.store.sentences(self.project.id, Split.RESERVE))
        found = self.read(tagger, reserve, "evaluating", f"Evaluating on {len(reserve)} sentences")
        predictions = {
            sentence.id: tuple(prediction.spans) for sentence, prediction in zip(reserve, found, strict=True)
        }
        self.store.save_predictions(self.run.id, (RunPrediction(*found) for found in predictions.items()))
        return predictions

    def choose_next(self, pool: "_ScoredPool", source: int) -> dict[str, Any]:
        """Score and rank the unlabelled sentences, store suggestions, swap the queue; the numbers of it."""
        strategy = self.project.settings.strategy
        acquisition = ACQUISITION_FUNCTIONS.get(strategy)
        n_scored = 0 if strategy == "random" else len(pool.sentences)
        if n_scored:
            self.read_pool(pool, range(n_scored), "scoring", f"Scoring {n_scored} sentences")
            pool.arrays = self.arrays(pool, with_states=strategy in NEEDS_STATES)
        if acquisition is not None and pool.arrays is not None:
            pool.scores = acquisition(pool.arrays)
            ids = [sentence.id for sentence in pool.sentences]
            self.store.save_scores(source, zip(ids, pool.scores.tolist(), strict=True))
        picks, rule = self.select(pool)
        self.suggest(pool, picks, source)
        items = [self.queue_item(pool, pick, rank, rule, source) for rank, pick in enumerate(picks)]
        queued = self.store.fill_queue(self.project.id, items, replace=True)
        return {"scored": n_scored, "queued": queued, "selection": rule}

    def arrays(self, pool: "_ScoredPool", with_states: bool) -> Pool:
        """What a query strategy sees; every sentence must have been read."""
        read = [pool.predictions[i] for i in range(len(pool.sentences))]
        shares = label_shares(self.labelled.sentences, self.labelled.spans)
        embeddings = np.stack([prediction.embedding for prediction in read])
        seen = Pool.of([prediction.probabilities for prediction in read], pool.tags, embeddings)
        seen = replace(seen, label_shares=shares, seed=self.run.seed)
        return replace(seen, states=pool.states(seen), head=Head(*pool.tagger.head)) if with_states else seen

    def select(self, pool: "_ScoredPool") -> tuple[list[Pick], str]:
        """The new order of the queue and the name of the strategy that made it."""
        name = self.project.settings.strategy if self.labelled.opens_gate else "random"
        strategy = query_strategy(name)
        length = max(SHORTEST_QUEUE, QUEUED_ROUNDS * self.project.settings.retrain_every) + self.leased(pool)
        rng = np.random.default_rng(self.run.seed)
        arrays = Pool(pool.lengths) if strategy is random or pool.arrays is None else pool.arrays
        return select(arrays, length, strategy, RANDOM_SHARE, rng), name

    def leased(self, pool: "_ScoredPool") -> int:
        """Unlabelled sentences that lie on somebody's screen: they stay there, so the order must be longer by them."""
        queued = len(pool.sentences) - len(self.store.unqueued_pool_ids(self.project.id))
        return max(queued - self.store.ready(self.project.id, Split.POOL), 0)

    def suggest(self, pool: "_ScoredPool", picks: Sequence[Pick], source: int) -> None:
        """Store suggestions for what is queued, was queued, and may be next; all spans, the hand-out filters."""
        unqueued = set(self.store.unqueued_pool_ids(self.project.id))
        wanted = {pick.index for pick in picks}
        wanted |= {i for i, sentence in enumerate(pool.sentences) if sentence.id not in unqueued}
        if pool.scores is not None:
            highest = np.argsort(-pool.scores, kind="stable").tolist()
            wanted |= set(highest[: max(SUGGESTED_SENTENCES - len(wanted), 0)])
        indices = sorted(wanted)
        self.read_pool(pool, indices, "suggesting", f"Suggesting spans for {len(indices)} sentences")
        self.store.save_suggestions(source, (pool.suggestion(i, source) for i in indices))

    def queue_item(self, pool: "_ScoredPool", pick: Pick, rank: int, rule: str, source: int) -> QueueItem:
        sentence, score = pool.sentences[pick.index], pool.scores
        if not pick.by_chance:
            reason = why(pool.predictions[pick.index].probabilities, pool.tags, sentence.tokens)
        else:
            reason = RANDOM_REASON
        return QueueItem(
            sentence_id=sentence.id,
            origin=Origin.RANDOM if pick.by_chance else Origin.ACTIVE,
            rank=rank,
            strategy="random" if pick.by_chance else rule,
            score=None if score is None else float(score[pick.index]),
            propensity=pick.propensity,
            run_id=source,
            round=self.run.round,
            reason=reason,
        )

    def read_pool(self, pool: "_ScoredPool", indices: Sequence[int], phase: Phase, message: str) -> None:
        """Ask the tagger about those of these sentences that it has not read yet."""
        missing = [i for i in indices if i not in pool.predictions]
        found = self.read(pool.tagger, [pool.sentences[i] for i in missing], phase, message)
        pool.predictions.update(zip(missing, found, strict=True))

    def read(
        self, tagger: LoadedTagger, sentences: Sequence[Sentence], phase: Phase, message: str
    ) -> list[TaggerPrediction]:
        """One prediction a sentence, in their order, telling how far it is."""
        started, found = time.monotonic(), list[TaggerPrediction]()
        self.tell(phase, 0.0, None, message)
        for first in range(0, len(sentences), READ_AT_ONCE):
            part = [sentence.tokens for sentence in sentences[first : first + READ_AT_ONCE]]

            def step(share: float, first: int = first, part: Sequence[Sequence[str]] = part) -> None:
                done = (first + share * len(part)) / len(sentences)
                left = (time.monotonic() - started) * (1 - done) / done if done else None
                self.tell(phase, done, left, message)

            found += tagger.predict(part, step)
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.monotonic() - started
        return found


@dataclass
class _ScoredPool:
    """The unlabelled sentences with what the tagger said of those it has read."""

    sentences: list[Sentence]
    tagger: LoadedTagger
    predictions: dict[int, TaggerPrediction] = field(default_factory=dict)
    scores: npt.NDArray[np.float64] | None = None
    arrays: Pool | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(iob2_tags(self.tagger.labels))

    @cached_property
    def lengths(self) -> npt.NDArray[np.intp]:
        return np.array([len(sentence.tokens) for sentence in self.sentences], dtype=np.intp)

    def states(self, arrays: Pool) -> WordStates:
        """The word states of the sentences that `mnlp` puts first."""
        first = np.sort(np.argsort(-mnlp(arrays), kind="stable")[:SENTENCES_WITH_STATES])
        return WordStates(first, np.concatenate(self.tagger.word_states([self.sentences[i].tokens for i in first])))

    def suggestion(self, index: int, run_id: int) -> Suggestion:
        prediction = self.predictions[index]
        spans = tuple(
            SuggestedSpan(span.start, span.end, span.label, confidence)
            for span, confidence in zip(prediction.spans, prediction.span_confidences(), strict=True)
        )
        confidence = tuple(prediction.word_confidences().tolist())
        return Suggestion(run_id, self.sentences[index].id, spans, confidence)
