"""What a round chooses: sub-sample, costs, history, and the same queue again from what is stored."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loop_helpers import draft, label, make_project, open_store, queue_items, run_stub_round, save

from annotation.choosing import replayed
from annotation.sampling import Cost, SelectionRule
from annotation.training_set import GATE_LABELS
from maner_core.errors import InvalidInput
from storage import NewSentence, Split, Store

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
