"""What of the pool is labelled next, and why: read, score, select, suggest, queue."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from annotation.names import NameIndex, NameList
from annotation.phases import Phase, Phases
from annotation.queue_filling import NAMED_REASON, NAMED_STRATEGY, holding_names
from annotation.quick_scorer import COMPARED_SENTENCES, LOWEST_CORRELATION, rank_correlation
from annotation.sampling import (
    NEEDS_STATES,
    RANDOM_REASON,
    REASONS,
    Cost,
    Head,
    Pick,
    Pool,
    Ranking,
    SelectionRule,
    Stream,
    Timed,
    WordStates,
    acquisition_function,
    alike_by_cosine,
    mnlp,
    neighbours,
    query_strategy,
    select,
    subsample,
    why,
)
from annotation.sampling.acquisition import REMEMBERED_ROUNDS
from annotation.selection_log import drawn_order, log_of, select_by_names
from annotation.span_scaling import span_scaling
from annotation.stability import fixed_set
from annotation.starting_places import StartingPlaces, log_of_places, may_choose, starting_places
from annotation.tagging import LoadedTagger, QuickScorer, TaggerPrediction
from annotation.training_set import TrainingSet, label_shares
from maner_core.spans import iob2_tags
from storage import (
    Origin,
    Project,
    QueueItem,
    Run,
    RunState,
    Sentence,
    SkipReason,
    Split,
    Status,
    Store,
    SuggestedSpan,
    Suggestion,
)

SHORTEST_QUEUE = 100
QUEUED_ROUNDS = 4
"""The queue lasts for so many rounds, and has SHORTEST_QUEUE sentences at least."""
SUGGESTED_SENTENCES = 1000
"""Sentences that get stored suggestions: those queued, and the highest scores up to this number."""
SENTENCES_WITH_STATES = 2000
"""Sentences whose word states are kept for the strategies that need them: those that `mnlp` puts first."""


@dataclass
class Chooser:
    """Chooses for one run, by the tagger of the run `source`: its own, or the one that goes on serving."""

    store: Store
    project: Project
    run: Run
    labelled: TrainingSet
    rule: SelectionRule
    tagger: LoadedTagger
    source: int
    phases: Phases
    quick: Callable[[], QuickScorer] | None = None
    """Trains the quick scorer, which ranks a pool larger than the rule's sub-sample."""
    comparison: dict[str, Any] | None = None
    """How far the quick scorer and the tagger agreed, where both were asked."""

    def choose(self) -> dict[str, Any]:
        """Score and rank unlabelled sentences, store suggestions, swap the queue; the numbers of it."""
        seq = self.store.max_seq(self.project.id)
        pool = ReadPool(self.store.unlabelled_pool(self.project.id, seq), self.tagger)
        strategy, no_sentences = self.project.settings.strategy, self.no_sentences()
        # A choice before in this round, of another tagger and a pool in which less was labelled, must not be replayed.
        self.store.drop_scores(self.run.id)
        # Once the last sentence is labelled there is nothing to read, and strategies need a sentence at least.
        if pool.sentences and (strategy != "random" or no_sentences):
            self.score(pool)
            self.hide(pool, no_sentences)
        hidden = self.store.hidden(self.project.id)
        pool.hidden = {index for index, sentence in enumerate(pool.sentences) if sentence.id in hidden}
        name = strategy if self.labelled.opens_gate else "random"
        batch = self.project.settings.retrain_every
        n = max(SHORTEST_QUEUE, QUEUED_ROUNDS * batch) + self.leased(pool)
        ranking = self.ranking(pool, name, n)
        order = drawn_order(pool.sentences, self.run.seed, by_length=not self.labelled.opens_gate)
        if not self.labelled.opens_gate and (named := self.named(pool)) is not None:
            name, ranking = NAMED_STRATEGY, named
            selection = select_by_names(order, n, named, pool.hidden)
        else:
            selection = select(len(order), n, ranking, self.rule, batch, self.run.seed, pool.hidden, order)
        starting = self.starting(pool)
        index_of = {sentence.id: index for index, sentence in enumerate(pool.sentences)}
        chosen = [pick.index for pick in selection.picks]
        self.suggest(pool, chosen + [index_of[item.sentence_id] for item in starting.picks])
        items = [self.queue_item(pool, pick, rank, name) for rank, pick in enumerate(selection.picks)]
        items = starting.among(items)
        queued = self.store.fill_queue(self.project.id, items, replace=True)
        ids = [sentence.id for sentence in pool.sentences]
        log = log_of(ids, pool.hidden, seq, n, batch, name, ranking, selection)
        log |= {"by_length": not self.labelled.opens_gate, "starting": log_of_places(starting)}
        cost = asdict(pool.arrays.cost) if pool.arrays is not None else None
        scored = {"scored": len(pool.read), "quick": self.comparison, "cost": cost}
        scaling = span_scaling(self.store.suggested_work(self.project.id))
        scored["span_scaling"] = None if scaling is None else asdict(scaling)
        return {**scored, "queued": queued, "selection": name, "selection_log": log}

    def score(self, pool: "ReadPool") -> None:
        """Read a sub-sample of the pool and keep its scores, where the strategy has any.

        A larger pool is read by the quick scorer instead: the sub-sample, and all that it has read in earlier rounds.
        """
        n = len(pool.sentences)
        pool.read = subsample(n, self.rule.subsample, self.run.seed)
        of = "" if len(pool.read) == n else f" of {n}"
        read = self.read_quickly(pool) if of and self.labelled.opens_gate else None
        if read is None:
            self.read_pool(pool, pool.read.tolist(), "scoring", f"Scoring {len(pool.read)}{of} sentences")
            read = [pool.predictions[index] for index in pool.read]
        pool.arrays = self.arrays(pool, read)
        acquisition = acquisition_function(self.project.settings.strategy)
        if acquisition is not None:
            scores = acquisition(pool.arrays).tolist()
            pool.scores = dict(zip(pool.read.tolist(), scores, strict=True))
            ids = [pool.sentences[index].id for index in pool.read]
            doubts = dict(zip(ids, mnlp(pool.arrays).tolist(), strict=True))
            self.store.save_scores(self.run.id, zip(ids, scores, strict=True), doubts)

    def read_quickly(self, pool: "ReadPool") -> list[TaggerPrediction] | None:
        """What the quick scorer says of the sentences it knows and of the sub-sample, which `pool.read` then are.

        None where there is none, or where it ranks random sentences too unlike the tagger.
        """
        if self.quick is None:
            return None
        started = time.monotonic()
        self.phases.tell("scoring", 0.0, None, "Training the quick scorer")
        scorer = self.quick()
        self.phases.took("scoring", time.monotonic() - started)
        n = len(pool.sentences)
        compared = Stream.COMPARED.generator(self.run.seed).permutation(n)[:COMPARED_SENTENCES].tolist()
        message = f"Comparing the quick scorer with the tagger on {len(compared)} sentences"
        self.read_pool(pool, compared, "scoring", message)
        again = self.phases.read(scorer, [pool.sentences[index] for index in compared], "scoring", message)
        by_tagger = Pool.of([pool.predictions[index].probabilities for index in compared], pool.tags)
        by_scorer = Pool.of([each.probabilities for each in again], iob2_tags(scorer.labels))
        agreement = rank_correlation(mnlp(by_tagger), mnlp(by_scorer))
        used = agreement >= LOWEST_CORRELATION
        self.comparison = {"rank_correlation": agreement, "sentences": len(compared), "used": used}
        if not used:
            return None
        wanted = set(pool.read.tolist())
        indices = [i for i, each in enumerate(pool.sentences) if i in wanted or scorer.knows(each.tokens)]
        pool.read, pool.scorer = np.array(indices, np.intp), scorer
        sentences = [pool.sentences[index] for index in indices]
        return self.phases.read(scorer, sentences, "scoring", f"Scoring {len(indices)} of {n} sentences quickly")

    def no_sentences(self) -> list[Sentence]:
        """What people skipped as not being a sentence."""
        skipped = self.store.labelled(self.project.id, Split.POOL, {Status.SKIPPED})
        return [item.sentence for item in skipped if item.annotation.skip_reason is SkipReason.NOT_A_SENTENCE]

    def hide(self, pool: "ReadPool", no_sentences: Sequence[Sentence]) -> None:
        """Ask nobody about what is like one of `no_sentences`, among the sentences that were read."""
        if pool.arrays is None or pool.arrays.embeddings is None or not no_sentences:
            return
        read = self.phases.read(pool.scorer, no_sentences, "scoring", "Looking for more of what is no sentence")
        found = neighbours(pool.arrays.embeddings, np.stack([each.embedding for each in read]), self.rule.alike)
        like = {pool.sentences[pool.read[row]].id: no_sentences[other].id for row, other in found.items()}
        self.store.hide(self.run.id, like)

    def arrays(self, pool: "ReadPool", read: Sequence[TaggerPrediction]) -> Pool:
        """What a query strategy sees of the sentences that were read."""
        embeddings = np.stack([prediction.embedding for prediction in read]) if read else None
        seen = replace(
            Pool.of([prediction.probabilities for prediction in read], iob2_tags(pool.scorer.labels), embeddings),
            label_shares=label_shares(self.labelled.sentences, self.labelled.spans),
            cost=project_cost(self.store, self.project.id),
            history=self.history(pool),
            seed=self.run.seed,
        )
        if self.project.settings.strategy not in NEEDS_STATES:
            return seen
        return replace(seen, states=pool.states(seen), head=Head(*pool.scorer.head))

    def history(self, pool: "ReadPool") -> "np.typing.NDArray[np.float64] | None":
        """`mnlp` of the sentences that were read in the rounds before, (n_read, n_rounds); nan where it is not known."""
        if self.project.settings.strategy != "fluctuation":
            return None
        done = [run.id for run in self.store.runs(self.project.id) if run.state is RunState.DONE]
        known = [self.store.doubts(run_id) for run_id in done[-(REMEMBERED_ROUNDS - 1) :]]
        ids = [pool.sentences[index].id for index in pool.read]
        return np.array([[doubts.get(id_, np.nan) for doubts in known] for id_ in ids]).reshape(len(ids), len(known))

    def ranking(self, pool: "ReadPool", name: str, n: int) -> Ranking | None:
        """What the strategy of that name makes of the sentences that were read, `n` at least; None for chance."""
        if name == "random" or pool.arrays is None or self.project.settings.strategy == "random":
            return None
        if pool.scores is None:
            order = query_strategy(name)(pool.arrays, n, Stream.STRATEGY.generator(self.run.seed))
            return Ranking(pool.read[order])
        assert pool.arrays.embeddings is not None
        too_alike = alike_by_cosine(pool.read, pool.arrays.embeddings, self.rule.alike)
        scores = np.array(list(pool.scores.values()))
        return Ranking.by_score(pool.read, scores, self.run.seed, too_alike)

    def named(self, pool: "ReadPool") -> Ranking | None:
        """The sentences that hold a name of the lead's list, by chance; None without any, or where names raise nothing.

        Before a tagger may choose they get half of the places, as said in queue_filling.with_names.
        """
        listed = self.store.listed_names(self.project.id) if may_choose(self.project.settings) else []
        if not listed:
            return None
        labelled = zip(self.labelled.ids, self.labelled.sentences, self.labelled.spans, strict=True)
        waiting = {i: sentence.tokens for i, sentence in enumerate(pool.sentences) if i not in pool.hidden}
        holding = holding_names(NameIndex(NameList(listed), labelled), waiting)
        order = Stream.STRATEGY.generator(self.run.seed).permutation(np.array(holding, np.intp))
        return Ranking(order) if holding else None

    def starting(self, pool: "ReadPool") -> StartingPlaces:
        """What a starting tagger puts first, before the project's own may choose."""
        if self.labelled.opens_gate:
            return StartingPlaces([], 0)
        waiting = [sentence.id for index, sentence in enumerate(pool.sentences) if index not in pool.hidden]
        return starting_places(self.store, self.project, waiting)

    def leased(self, pool: "ReadPool") -> int:
        """Unlabelled sentences that lie on somebody's screen: they stay there, so the order must be longer by them."""
        queued = len(pool.sentences) - len(pool.hidden) - len(self.store.unqueued_pool_ids(self.project.id))
        return max(queued - self.store.ready(self.project.id, Split.POOL), 0)

    def suggest(self, pool: "ReadPool", chosen: Sequence[int]) -> None:
        """Store suggestions for what is chosen, was queued, may be next, or is read in every round; all spans of them.

        The hand-out filters.
        """
        unqueued = set(self.store.unqueued_pool_ids(self.project.id))
        wanted = set(chosen)
        wanted |= {i for i, sentence in enumerate(pool.sentences) if sentence.id not in unqueued} - pool.hidden
        places = {sentence.id: i for i, sentence in enumerate(pool.sentences)}
        wanted |= {places[sentence_id] for sentence_id in fixed_set(self.project, places)}
        if pool.scores is not None:
            highest = sorted(pool.scores, key=pool.scores.__getitem__, reverse=True)
            wanted |= set(highest[: max(SUGGESTED_SENTENCES - len(wanted), 0)])
        indices = sorted(wanted)
        self.read_pool(pool, indices, "suggesting", f"Suggesting spans for {len(indices)} sentences")
        self.store.save_suggestions(self.source, (pool.suggestion(i, self.source) for i in indices))

    def queue_item(self, pool: "ReadPool", pick: Pick, rank: int, rule: str) -> QueueItem:
        """A place in the queue with everything that says how it was come by."""
        sentence = pool.sentences[pick.index]
        if not pick.by_chance and rule == NAMED_STRATEGY:
            reason = NAMED_REASON
        elif not pick.by_chance and (strategy := rule.partition(":")[0]) in REASONS:
            reason = REASONS[strategy]
        elif not pick.by_chance:
            reason = why(pool.predictions[pick.index].probabilities, pool.tags, sentence.tokens)
        else:
            reason = RANDOM_REASON
        return QueueItem(
            sentence_id=sentence.id,
            origin=Origin.RANDOM if pick.by_chance else Origin.ACTIVE,
            rank=rank,
            strategy="random" if pick.by_chance else rule,
            score=None if pool.scores is None else pool.scores.get(pick.index),
            propensity=pick.propensity,
            run_id=self.run.id,
            round=self.run.round,
            seed=self.run.seed,
            reason=reason,
        )

    def read_pool(self, pool: "ReadPool", indices: Sequence[int], phase: Phase, message: str) -> None:
        """Ask the tagger about those of these sentences that it has not read yet."""
        missing = [i for i in indices if i not in pool.predictions]
        found = self.phases.read(pool.tagger, [pool.sentences[i] for i in missing], phase, message)
        pool.predictions.update(zip(missing, found, strict=True))


@dataclass
class ReadPool:
    """The unlabelled sentences with what the tagger said of those it has read."""

    sentences: list[Sentence]
    tagger: LoadedTagger
    predictions: dict[int, TaggerPrediction] = field(default_factory=dict)
    read: "np.typing.NDArray[np.intp]" = field(default_factory=lambda: np.zeros(0, np.intp))
    """Indices of the sentences that `arrays` holds, in their order."""
    scores: dict[int, float] | None = None
    """By index, in the order of `read`."""
    hidden: set[int] = field(default_factory=set)
    """Indices of sentences that nobody is asked about."""
    arrays: Pool | None = None

    def __post_init__(self) -> None:
        self.scorer = self.tagger
        """Who has read what `arrays` holds: the tagger, or the quick scorer."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that its probabilities are of."""
        return tuple(iob2_tags(self.tagger.labels))

    def states(self, arrays: Pool) -> WordStates:
        """The word states of the sentences that `mnlp` puts first."""
        first = np.sort(np.argsort(-mnlp(arrays), kind="stable")[:SENTENCES_WITH_STATES])
        read = [self.sentences[self.read[i]].tokens for i in first]
        return WordStates(first, np.concatenate(self.scorer.word_states(read)))

    def suggestion(self, index: int, run_id: int) -> Suggestion:
        """What the run says of a sentence that was read."""
        prediction = self.predictions[index]
        spans = tuple(
            SuggestedSpan(span.start, span.end, span.label, confidence)
            for span, confidence in zip(prediction.spans, prediction.span_confidences(), strict=True)
        )
        confidence = tuple(prediction.word_confidences().tolist())
        return Suggestion(run_id, self.sentences[index].id, spans, confidence)


def project_cost(store: Store, project_id: int) -> Cost:
    """Seconds that a sentence costs the people of this project; a guess while few are timed."""
    times = store.timings(project_id)
    return Cost.fitted([Timed(time.annotator_id, time.words, time.entities, time.seconds) for time in times])
