"""Which run serves after a round, how it was measured, and whose weights are kept."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loop_helpers import (
    claim_all,
    label,
    label_reserve,
    make_project,
    open_store,
    run_stub_round,
)
from stub_tagger import STUB, StubTagger

from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.serving import KEPT_RUNS, choose_run, evaluate, f1_history, prune_checkpoints, run_folder
from annotation.tagging import LoadedTagger, Tools
from maner_core.errors import Refused
from storage import Project, RunState, Split, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def project(store: Store) -> Project:
    return make_project(store)


def worse_after(run_id: int) -> Tools:
    """From the run after this one on, taggers call every word they know a person."""

    def load(folder: Path) -> LoadedTagger:
        tagger = StubTagger.load(folder)
        known = tagger.memory
        return tagger if int(folder.name) <= run_id else replace(tagger, memory=dict.fromkeys(known, "B-PER"))

    return Tools(STUB.train, load)


def test_the_first_run_serves(store: Store, home: Path, project: Project) -> None:
    label(store, project, 20)
    run = run_stub_round(store, project, home)
    assert run.state is RunState.DONE
    assert run.served
    assert store.project(project.id).serving_run == run.id
    assert run.metrics["f1"] is None
    assert run.metrics["evaluation_sentences"] == 0


def test_metrics_hold_f1_with_its_interval_on_the_labelled_evaluation_sentences(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 100)
    label_reserve(store, project, 25)
    metrics = run_stub_round(store, project, home).metrics
    assert metrics["evaluation_sentences"] == 25
    assert 0 < metrics["f1_low"] <= metrics["f1"] <= metrics["f1_high"] <= 1
    assert set(metrics["per_label"]) <= {"PER", "LOC", "ORG"}
    assert {"training", "evaluating", "scoring", "suggesting"} <= set(metrics["seconds"])


def test_a_run_that_is_significantly_worse_does_not_serve(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    good = run_stub_round(store, project, home)
    label(store, project, 10)
    bad = run_round(store, store.project(project.id), home, tools=worse_after(good.id))
    assert not bad.served
    assert store.project(project.id).serving_run == good.id
    assert f"Run {good.id} goes on serving" in bad.message
    assert bad.metrics["p_worse"] < 0.05
    handed = store.claim(project.id, store.annotator("Achieng").id, "tab", Split.POOL, 30, per_tab_share=False)
    assert {item.suggestion.run_id for item in handed if item.suggestion} == {good.id}
    assert all(item.suggestion for item in handed)


def test_a_run_that_is_significantly_better_says_so(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    run_round(store, project, home, tools=worse_after(0))
    better = run_stub_round(store, project, home)
    assert better.served
    assert better.message.startswith("It is significantly better: F1 ")


def test_without_evaluation_labels_a_new_run_serves(store: Store, home: Path, project: Project) -> None:
    label(store, project, 30)
    first = run_stub_round(store, project, home)
    second = run_round(store, store.project(project.id), home, tools=worse_after(first.id))
    assert second.served
    assert "no evaluation labels" in second.message


def test_on_few_evaluation_sentences_a_new_run_serves_however_it_reads_them(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 60)
    label_reserve(store, project, 19)
    good = run_stub_round(store, project, home)
    later = run_round(store, store.project(project.id), home, tools=worse_after(good.id))
    assert later.served
    assert later.metrics["p_worse"] is None
    assert later.message == (
        f"There are too few evaluation sentences to compare it with run {good.id}: 19, and 20 are needed."
    )
    label_reserve(store, project, 1)
    choose_run(store, good.id, home, pinned=False, by=None)
    assert not run_round(store, store.project(project.id), home, tools=worse_after(good.id)).served


def test_a_run_no_better_than_the_serving_one_serves(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    run_stub_round(store, project, home)
    again = run_stub_round(store, project, home)
    assert again.served
    assert "not significantly worse" in again.message


def test_the_curve_is_computed_again_on_todays_labels_from_stored_predictions(
    store: Store, home: Path, project: Project
) -> None:
    label_reserve(store, project, 5)
    label(store, project, 20)
    first = run_stub_round(store, project, home)
    label(store, project, 60)
    second = run_stub_round(store, project, home)
    label_reserve(store, project, 25)
    # No weights are left: only stored predictions can answer.
    for run in (first, second):
        (run_folder(home, run.id) / "stub.json").unlink()
    history = f1_history(store, project.id)
    assert [point.run.id for point in history] == [first.id, second.id]
    assert {point.evaluation_sentences for point in history} == {30}
    gold = [(item.sentence.id, item.annotation.spans) for item in store.labelled(project.id, Split.RESERVE)]
    assert history[0].f1 == evaluate(gold, store.predictions(first.id))["f1"]
    assert first.metrics["evaluation_sentences"] == 5


def test_weights_of_the_serving_the_best_and_the_newest_runs_stay(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    best = run_stub_round(store, project, home)
    tools = worse_after(best.id)
    later = [run_round(store, store.project(project.id), home, tools=tools).id for _ in range(KEPT_RUNS + 2)]
    kept = {int(folder.name) for folder in (home / "runs").iterdir()}
    assert store.project(project.id).serving_run == best.id
    assert kept == {best.id, *later[-KEPT_RUNS:]}


def test_a_pinned_run_goes_on_serving_and_chooses_the_sentences(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    pinned = run_stub_round(store, project, home)
    choose_run(store, pinned.id, home, pinned=True, by=None)
    later = [run_stub_round(store, project, home) for _ in range(KEPT_RUNS + 1)]
    assert not any(run.served for run in later)
    assert later[-1].message == f"Run {pinned.id} is pinned: it goes on serving until a lead unpins it."
    assert all(store.suggestion(pinned.id, sentence_id) for sentence_id in claim_all(store, project))
    assert not any(store.suggestion(run.id, sentence_id) for run in later for sentence_id in claim_all(store, project))
    assert run_folder(home, pinned.id).exists()
    choose_run(store, pinned.id, home, pinned=False, by=None)
    assert run_stub_round(store, project, home).served


@pytest.mark.parametrize("phase", ["training", "scoring", "suggesting"])
def test_a_run_chosen_during_a_round_is_the_one_the_gate_compares_with(
    store: Store, home: Path, project: Project, phase: str
) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    first, _ = run_stub_round(store, project, home), run_stub_round(store, project, home)

    def roll_back(progress: RoundProgress) -> None:
        if progress.phase == phase:
            choose_run(store, first.id, home, pinned=False, by=None)

    third = run_round(store, store.project(project.id), home, roll_back, tools=STUB)
    assert f"of run {first.id} on 30 evaluation sentences" in third.message


def test_a_run_whose_weights_are_gone_cannot_be_chosen(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    first, second = run_stub_round(store, project, home), run_stub_round(store, project, home)
    shutil.rmtree(run_folder(home, first.id))
    with pytest.raises(Refused, match=f"the weights of run {first.id} are no longer there"):
        choose_run(store, first.id, home, pinned=True, by=None)
    assert store.project(project.id).serving_run == second.id
    # The pinned one lost its weights: the new run chooses the sentences, the pinned one goes on serving.
    choose_run(store, second.id, home, pinned=True, by=None)
    shutil.rmtree(run_folder(home, second.id))
    third = run_stub_round(store, project, home)
    assert store.project(project.id).serving_run == second.id
    assert all(store.suggestion(third.id, sentence_id) for sentence_id in claim_all(store, project))


def test_a_run_pinned_while_the_pool_is_read_has_suggestions_for_what_is_queued(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 60)
    first, _ = run_stub_round(store, project, home), run_stub_round(store, project, home)

    def pin(progress: RoundProgress) -> None:
        if progress.phase == "suggesting":
            choose_run(store, first.id, home, pinned=True, by=None)

    run_round(store, store.project(project.id), home, pin, tools=STUB)
    assert store.project(project.id).serving_run == first.id
    assert all(store.suggestion(first.id, sentence_id) for sentence_id in claim_all(store, project))


def test_pruning_spares_what_another_project_is_trained_from(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    runs = [run_stub_round(store, project, home).id for _ in range(KEPT_RUNS)]
    settings = replace(project.settings, name="other", backbone=str(run_folder(home, runs[0])))
    store.create_project(settings)
    more = [run_stub_round(store, project, home).id for _ in range(3)]
    there = {int(folder.name) for folder in (home / "runs").iterdir()}
    assert there == {runs[0], *runs[3:], *more}


def test_the_best_run_that_still_has_weights_keeps_them(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    label_reserve(store, project, 30)
    best, *_ = [run_stub_round(store, project, home).id for _ in range(KEPT_RUNS + 2)]
    shutil.rmtree(run_folder(home, best))
    with_weights = {int(folder.name) for folder in (home / "runs").iterdir()}
    f1 = {point.run.id: point.f1 for point in f1_history(store, project.id)}
    run_stub_round(store, project, home)
    left = {int(folder.name) for folder in (home / "runs").iterdir()}
    assert max(with_weights, key=lambda run: f1[run]) in left


def test_pruning_spares_a_run_that_is_still_running(store: Store, home: Path, project: Project) -> None:
    label(store, project, 20)
    running = store.start_run(project.id, 1, {}, 1, 0, 20)
    run_folder(home, running.id).mkdir(parents=True)
    assert prune_checkpoints(store, project.id, home) == []
    store.fail_run(running.id, "it was only a test")
    assert prune_checkpoints(store, project.id, home) == [running.id]


def test_half_written_weights_of_a_killed_worker_are_swept_away(store: Store, home: Path, project: Project) -> None:
    old, fresh = home / "runs" / ".unfinished-old", home / "runs" / ".unfinished-fresh"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    prune_checkpoints(store, project.id, home)
    assert not old.exists()
    assert fresh.exists()
