"""What a round chooses: sub-sample, costs, history, and the same queue again from what is stored."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from loop_helpers import draft, label, make_project, open_store, queue_items, run_stub_round, save
from stub_tagger import STUB, StubPrediction, StubTagger

from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.queue_filling import of_all_lengths, top_up
from annotation.quick_scorer import for_a_lead, in_words, rank_correlation
from annotation.sampling import Cost, SelectionRule
from annotation.selection_log import replayed
from annotation.serving import choose_run
from annotation.tagging import LoadedTagger, Tools
from annotation.training_set import GATE_LABELS
from maner_core.config import TrainConfig
from maner_core.errors import InvalidInput
from maner_core.spans import Span
from storage import NewSentence, Project, SkipReason, Split, Status, Store

RULE = SelectionRule(subsample=150, alike=0.999)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


# Replay.


@pytest.mark.parametrize("strategy", ["random", "mnlp", "fluctuation", "kmeans"])
def test_a_rounds_queue_is_made_again_from_stored_rows(store: Store, tmp_path: Path, strategy: str) -> None:
    project = make_project(store, pool=400, strategy=strategy)
    label(store, project, GATE_LABELS)
    run = run_stub_round(store, project, tmp_path, RULE)
    stored = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    label(store, project, 30)  # what is annotated later does not change what was chosen then
    store.add_sentences(project.id, [NewSentence(("mpya", "kabisa"))], None, "later.txt")
    again = replayed(store, store.run(run.id))
    assert again == [replace(item, reason="") for item in stored]
    assert {item.seed for item in stored} == {run.seed}
    assert strategy == "random" or {"random", strategy} == {item.strategy for item in stored}


def test_ten_rounds_of_a_project_are_all_made_again(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=400)
    queues = []
    for _ in range(10):
        label(store, project, 15)  # the first three rounds are before there are labels enough
        run = run_stub_round(store, project, tmp_path, RULE)
        items = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
        queues.append((run.id, [replace(item, reason="") for item in items if item.run_id == run.id]))
    assert [store.run(run_id).metrics["selection"] for run_id, _ in queues] == ["random"] * 3 + ["mnlp"] * 7
    assert all(len(queue) >= 100 for _, queue in queues)
    for run_id, queue in queues:
        assert replayed(store, store.run(run_id)) == queue


@pytest.mark.parametrize("pool", [120, 400])
def test_a_queue_chosen_twice_in_a_round_is_made_again_as_it_was_last(store: Store, tmp_path: Path, pool: int) -> None:
    project = make_project(store, pool=pool)
    label(store, project, GATE_LABELS)
    first, _ = run_stub_round(store, project, tmp_path, RULE), run_stub_round(store, project, tmp_path, RULE)

    def pin_and_label(progress: RoundProgress) -> None:
        if progress.phase == "suggesting" and not store.project(project.id).pinned:
            choose_run(store, first.id, tmp_path, pinned=True, by=None)
            label(store, project, 3)

    run = run_round(store, store.project(project.id), tmp_path, pin_and_label, tools=STUB, rule=RULE)
    assert len(store.scores(run.id)) == run.metrics["scored"] == min(pool - GATE_LABELS - 3, 150)
    items = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    assert replayed(store, run) == [replace(item, reason="") for item in items if item.run_id == run.id]


def test_no_doubt_is_claimed_of_a_sentence_that_was_not_chosen_for_it(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=400, strategy="tag_count")
    label(store, project, GATE_LABELS)
    run_stub_round(store, project, tmp_path, RULE)
    reasons = {item.reason for item in queue_items(store, project).values()}
    assert reasons == {"drawn at random", "many names expected here"}


def test_a_pool_that_has_changed_cannot_be_replayed_and_says_so(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=150)
    label(store, project, GATE_LABELS)
    run = run_stub_round(store, project, tmp_path)
    twin = store.unlabelled_pool(project.id)[0].tokens
    store.add_sentences(project.id, [NewSentence(twin, split=Split.RESERVE)], None, "evaluation.txt")
    with pytest.raises(InvalidInput, match="100 sentences then, 99 now"):
        replayed(store, store.run(run.id))


def test_a_run_without_a_log_cannot_be_replayed(store: Store) -> None:
    project = make_project(store, pool=5)
    run = store.start_run(project.id, 1, {}, 1, 0, 0)
    with pytest.raises(InvalidInput, match="no log"):
        replayed(store, run)


# What is read, and what it costs.


def test_of_a_large_pool_a_sub_sample_is_scored_and_another_one_in_the_next_round(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=400)
    label(store, project, GATE_LABELS)
    first, second = (run_stub_round(store, project, tmp_path, RULE) for _ in range(2))
    read = [set(store.scores(run.id)) for run in (first, second)]
    assert [len(ids) for ids in read] == [150, 150] == [first.metrics["scored"], second.metrics["scored"]]
    assert read[0] != read[1]
    by_chance = [item for item in queue_items(store, project).values() if item.origin == "random"]
    assert {item.propensity for item in by_chance} == {10 / 350}
    assert any(item.sentence_id not in read[1] for item in by_chance)


def test_costs_are_fitted_to_the_times_of_the_project(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=200)
    chosen = store.unlabelled_pool(project.id)[:60]
    drafts = [draft(sentence) for sentence in chosen]
    timed = [
        replace(item, milliseconds=2000 + 1000 * len(sentence.tokens) + 500 * len(item.spans))
        for item, sentence in zip(drafts, chosen, strict=True)
    ]
    save(store, project, timed)
    cost = run_stub_round(store, project, tmp_path).metrics["cost"]
    assert (cost["sentence"], cost["word"], cost["entity"]) == pytest.approx((2, 1, 0.5))
    later = replace(draft(chosen[0]), supersedes=timed[0].id, milliseconds=90_000)
    save(store, project, [later])
    assert len(store.timings(project.id)) == 60


def test_without_times_costs_are_the_guess(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=200)
    label(store, project, GATE_LABELS - 1)
    cost = Cost(**run_stub_round(store, project, tmp_path).metrics["cost"])
    assert cost == Cost()


def test_fluctuation_remembers_the_doubt_of_the_rounds_before(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=200, strategy="fluctuation")
    label(store, project, 8)
    first = run_stub_round(store, project, tmp_path)
    assert store.doubts(first.id) == pytest.approx(store.scores(first.id))
    label(store, project, 60)
    second = run_stub_round(store, project, tmp_path)
    now, before = store.doubts(second.id), store.doubts(first.id)
    moved = {id_: abs(now[id_] - before[id_]) / 2 for id_ in now}
    assert max(moved.values()) > 0
    assert store.scores(second.id) == pytest.approx({id_: now[id_] + moved[id_] for id_ in now})


# Skipped as not a sentence.


def not_a_sentence(store: Store, project: Project) -> int:
    """Skip a line of dashes; the pool has forty more like it."""
    lines = [NewSentence(("-", "--", f"{number}")) for number in range(41)]
    store.add_sentences(project.id, lines, None, "tables.txt")
    first = next(sentence for sentence in store.unlabelled_pool(project.id) if sentence.tokens[0] == "-")
    save(store, project, [replace(draft(first, (), Status.SKIPPED), skip_reason=SkipReason.NOT_A_SENTENCE)])
    return first.id


class Dashes(StubTagger):
    """Sees only two kinds of sentences."""

    def _read(self, sentence: Sequence[str]) -> StubPrediction:
        read = super()._read(sentence)
        rng = np.random.default_rng(len("".join(sentence)))
        kind = np.array([9.0, 0.0, 0.0]) if sentence[0] == "-" else rng.normal(size=3)
        return replace(read, embedding=kind.astype(np.float32))


def load_dashes(folder: Path) -> LoadedTagger:
    known = StubTagger.load(folder)
    return Dashes(known.labels, known.memory)


@pytest.mark.parametrize("strategy", ["mnlp", "random"])
def test_what_is_like_a_sentence_skipped_as_none_is_neither_queued_nor_counted(
    store: Store, tmp_path: Path, strategy: str
) -> None:
    project = make_project(store, pool=300, strategy=strategy)
    label(store, project, GATE_LABELS)
    example = not_a_sentence(store, project)
    run = run_round(store, project, tmp_path, tools=Tools(STUB.train, load_dashes))
    hidden = store.hidden(project.id)
    dashes = {each.id for each in store.unlabelled_pool(project.id) if each.tokens[0] == "-"}
    assert hidden >= dashes
    assert len(dashes) == 40
    assert not hidden & set(queue_items(store, project))
    top_up(store, project.id)
    assert not hidden & set(queue_items(store, project))
    progress = store.progress(project.id)
    assert progress.hidden == len(hidden)
    assert progress.unlabelled_pool == 250 + 40 - len(hidden)
    assert [item.sentence_id for item in replayed(store, store.run(run.id))]

    save(store, project, [draft(store.sentence(example), ())])  # a sentence after all
    assert store.hidden(project.id) == set()
    top_up(store, project.id)
    assert dashes <= set(queue_items(store, project))


def test_a_reason_to_skip_belongs_to_skipped_sentences_only(store: Store) -> None:
    project = make_project(store, pool=3)
    sentence = store.unlabelled_pool(project.id)[0]
    wrong = replace(draft(sentence, ()), skip_reason=SkipReason.NOT_A_SENTENCE)
    _, [rejection] = store.save_annotations(project.id, store.annotator("Asha").id, [wrong])
    assert "belongs to a skipped sentence" in rejection.why


def test_near_duplicates_are_never_asked_twice(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=200)
    same = [NewSentence(("Rais", "alisema", "hivyo", str(number)), group="one") for number in range(5)]
    store.add_sentences(project.id, same, None, "again.txt")
    label(store, project, GATE_LABELS)
    run = run_stub_round(store, project, tmp_path)
    top_up(store, project.id)
    repeated = {each.id for each in store.sentences(project.id, Split.POOL) if each.duplicate_of is not None}
    assert len(repeated) == 4
    assert not repeated & set(queue_items(store, project))
    assert not repeated & set(store.scores(run.id))


# The quick scorer.


@dataclass(frozen=True)
class QuickStub(StubTagger):
    """Like the stub tagger; where it `disagrees`, it is sure of what that doubts. It knows the sentences in `read`."""

    disagrees: bool = False
    read: frozenset[tuple[str, ...]] = frozenset()

    def knows(self, sentence: Sequence[str]) -> bool:
        return tuple(sentence) in self.read

    def _word(self, word: str, tags: list[str]) -> npt.NDArray[np.float64]:
        row = super()._word(word, tags)
        if not self.disagrees:
            return row
        outside = 1.45 - row.max()
        return np.array([outside, *np.full(len(tags) - 1, (1 - outside) / (len(tags) - 1))])


def with_quick(disagrees: bool, read: frozenset[tuple[str, ...]] = frozenset()) -> Tools:
    def quick(
        sentences: Sequence[Sequence[str]],
        spans: Sequence[Sequence[Span]],
        labels: Sequence[str],
        config: TrainConfig,
        folder: Path,
    ) -> QuickStub:
        assert "features" in folder.parts
        words = [(word, "O") for sentence in sentences for word in sentence]
        return QuickStub(list(labels), dict(words), disagrees, read)

    return Tools(STUB.train, STUB.load, STUB.adapt, quick=quick)


def test_a_large_pool_is_ranked_by_the_quick_scorer_which_remembers_what_it_read(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=700)
    label(store, project, GATE_LABELS)
    read = frozenset(sentence.tokens for sentence in store.unlabelled_pool(project.id)[:300])
    run = run_round(store, project, tmp_path, tools=with_quick(False, read), rule=RULE)
    assert run.metrics["quick"]["used"]
    assert run.metrics["quick"]["rank_correlation"] > 0.9
    scored = {store.sentence(id_).tokens for id_ in store.scores(run.id)}
    assert scored >= read
    assert 300 < len(scored) <= 450
    stored = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    assert replayed(store, store.run(run.id)) == [replace(item, reason="") for item in stored]


def test_a_quick_scorer_that_ranks_otherwise_does_not_choose(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=700)
    label(store, project, GATE_LABELS)
    run = run_round(store, project, tmp_path, tools=with_quick(True), rule=RULE)
    assert not run.metrics["quick"]["used"]
    assert run.metrics["quick"]["rank_correlation"] < 0.4
    assert len(store.scores(run.id)) == 150 == run.metrics["scored"]


def test_a_small_pool_is_read_by_the_tagger_alone(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=150)
    label(store, project, GATE_LABELS)
    run = run_round(store, project, tmp_path, tools=with_quick(True), rule=RULE)
    assert run.metrics["quick"] is None


def test_a_lead_is_told_who_chose_and_how_far_both_agree() -> None:
    told = {"rank_correlation": 0.834, "sentences": 200}
    assert in_words({**told, "used": True}).endswith("a rank correlation of 0.83 on 200 random sentences")
    assert "by the tagger from a part of the pool" in in_words({**told, "rank_correlation": 0.1, "used": False})
    assert for_a_lead({**told, "used": True}).startswith("The quick scorer ranks like the tagger: 0.83 on 200 random")
    low = for_a_lead({**told, "rank_correlation": 0.1, "used": False})
    assert "below 0.4. So the tagger scores a sub-sample of the pool itself." in low


def test_rank_correlation_is_spearmans() -> None:
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([10.0, 30, 20])) == pytest.approx(0.5)
    assert rank_correlation(np.array([1.0, 2, 2, 4]), np.array([1.0, 2, 2, 9])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert rank_correlation(np.ones(3), np.array([1.0, 2, 3])) == 0


# Before there is a tagger.


def test_what_is_labelled_first_has_short_middling_and_long_sentences_alike(store: Store) -> None:
    project = make_project(store, pool=300)
    top_up(store, project.id)
    ranked = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    lengths = store.lengths([item.sentence_id for item in ranked])
    by_length = sorted(lengths.values())
    for first in range(0, 60, 3):
        three = sorted(lengths[item.sentence_id] for item in ranked[first : first + 3])
        assert by_length[0] <= three[0] <= by_length[99] <= three[1] <= by_length[199] <= three[2]
    assert {item.propensity for item in ranked} == {1.0}


def test_so_has_what_a_training_draws_before_there_are_labels_enough(store: Store, tmp_path: Path) -> None:
    project = make_project(store, pool=180)
    label(store, project, GATE_LABELS - 20)
    run = run_stub_round(store, project, tmp_path)
    left = store.unlabelled_pool(project.id)
    by_length, third = sorted(len(sentence.tokens) for sentence in left), len(left) // 3
    ranked = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    lengths = store.lengths([item.sentence_id for item in ranked])
    for first in range(0, 90, 3):
        short, middling, long = sorted(lengths[item.sentence_id] for item in ranked[first : first + 3])
        assert short <= by_length[third - 1] <= middling <= by_length[2 * third - 1] <= long
    assert [replace(item, reason="") for item in ranked] == replayed(store, run)


def test_the_stratified_draw_gives_every_sentence_the_same_chance() -> None:
    ids, drawn = list(range(30)), Counter[int]()
    for seed in range(2000):
        drawn.update(of_all_lengths(ids, {id_: id_ // 4 for id_ in ids}, 6, random.Random(seed)))
    expected = 2000 * 6 / 30
    assert sum((drawn[id_] - expected) ** 2 / expected for id_ in ids) < 58  # chi-square, 29 degrees, p < 0.001
