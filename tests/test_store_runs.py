"""Runs, what they say about sentences, and the workers that hold them, on SQLite and PostgreSQL."""

import pytest
from store_helpers import RawDatabase, add_pool, add_reserve, draft, new_project, save, start_run

from maner_core.errors import LeaseLost, NotFound, Refused
from maner_core.spans import Span
from storage import RunPrediction, RunState, Store, SuggestedSpan, Suggestion


def test_a_run_starts_beats_and_ends(store: Store) -> None:
    project = new_project(store)
    config = {"backbone": "bundled", "steps": 390, "nested": {"rates": [0.1, None]}}
    run = store.start_run(project.id, 2, config, seed=7, watermark=41, n_train=30, attempt=2)
    assert (run.project_id, run.round, run.state, run.attempt) == (project.id, 2, RunState.RUNNING, 2)
    assert (run.config, run.seed, run.watermark, run.n_train) == (config, 7, 41, 30)
    assert (run.progress, run.seconds_left, run.failure, run.finished_at, run.served) == (0.0, None, None, None, False)
    assert store.last_run(project.id) == run

    store.heartbeat(run.id, "training", 0.5, 12.5, "step 195 of 390")
    beating = store.run(run.id)
    assert (beating.phase, beating.progress, beating.seconds_left) == ("training", 0.5, 12.5)
    assert beating.message == "step 195 of 390"
    assert beating.heartbeat_at >= run.heartbeat_at

    store.finish_run(run.id, {"f1": 0.5, "by_label": {"PER": 0.6}}, "runs/1", True, "better than before")
    done = store.run(run.id)
    assert (done.state, done.progress, done.seconds_left, done.served) == (RunState.DONE, 1.0, None, True)
    assert (done.metrics, done.checkpoint) == ({"f1": 0.5, "by_label": {"PER": 0.6}}, "runs/1")
    assert done.message == "better than before"
    assert done.finished_at is not None
    assert done.started_at <= done.heartbeat_at <= done.finished_at
    assert store.project(project.id).serving_run == run.id


def test_a_run_that_is_not_served_leaves_the_serving_one(store: Store) -> None:
    project = new_project(store)
    first, second, third = (start_run(store, project, round=number) for number in (1, 2, 3))
    store.finish_run(first, {}, "runs/1", True, "")
    store.finish_run(second, {}, "runs/2", False, "significantly worse")
    assert store.project(project.id).serving_run == first
    store.finish_run(third, {}, "runs/3", True, "")
    assert store.project(project.id).serving_run == third
    assert [run.id for run in store.runs(project.id)] == [first, second, third]
    assert [run.served for run in store.runs(project.id)] == [True, False, True]


def test_a_failed_run_says_why_and_stays_failed(store: Store) -> None:
    project = new_project(store)
    run = start_run(store, project)
    store.fail_run(run, "out of memory")
    store.fail_run(run, "something else")
    failed = store.run(run)
    assert (failed.state, failed.failure) == (RunState.FAILED, "out of memory")
    assert failed.finished_at is not None
    with pytest.raises(LeaseLost, match="not running but failed"):
        store.heartbeat(run, "training", 0.1, None, "")
    with pytest.raises(LeaseLost, match="not running but failed"):
        store.finish_run(run, {}, None, True, "")
    assert store.project(project.id).serving_run is None


def test_a_run_that_is_done_cannot_fail(store: Store) -> None:
    run = start_run(store, new_project(store))
    store.finish_run(run, {}, None, False, "")
    with pytest.raises(Refused, match="is done"):
        store.fail_run(run, "too late")


def test_what_does_not_exist_is_not_found(store: Store) -> None:
    project = new_project(store)
    assert store.last_run(project.id) is None
    assert store.runs(project.id) == []
    with pytest.raises(NotFound, match="no project 99"):
        store.start_run(99, 1, {}, 1, 0, 0)
    with pytest.raises(NotFound, match="no run 99"):
        store.run(99)
    with pytest.raises(NotFound, match="no run 99"):
        store.heartbeat(99, "", 0, None, "")
    with pytest.raises(NotFound, match="no run 99"):
        store.fail_run(99, "")
    with pytest.raises(NotFound, match="no run 99"):
        store.save_scores(99, [(1, 0.5)])
    with pytest.raises(NotFound, match="no run 99"):
        store.add_training_sentences(99, [1])


def test_predictions_on_the_reserve_come_back(store: Store) -> None:
    project = new_project(store)
    first, second = add_reserve(store, project, 2)
    run = start_run(store, project)
    spans = (Span(0, 2, "PER"), Span(2, 3, "LOC"))
    store.save_predictions(run, [RunPrediction(first, spans), RunPrediction(second, ())])
    store.save_predictions(run, iter([RunPrediction(second, spans[:1])]))
    assert store.predictions(run) == {first: spans, second: spans[:1]}
    assert store.predictions(start_run(store, project)) == {}


def test_suggestions_come_back_with_every_confidence(store: Store) -> None:
    project = new_project(store)
    first, second = add_pool(store, project, 2)
    run = start_run(store, project)
    suggestion = Suggestion(run, first, (SuggestedSpan(0, 2, "PER", 0.125),), (0.125, 0.5, 1.0, 0.75, 0.25))
    store.save_suggestions(run, [Suggestion(run, first, (), ())])
    store.save_suggestions(run, iter([suggestion]))
    assert store.suggestion(run, first) == suggestion
    assert store.suggestion(run, second) is None


def test_many_scores_are_kept_and_replaced(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 2_500)
    run = start_run(store, project)
    store.save_scores(run, ((id_, 0.0) for id_ in ids))
    expected = {id_: number / 8 for number, id_ in enumerate(ids)}
    store.save_scores(run, expected.items())
    assert store.scores(run) == expected
    other = start_run(store, project)
    store.save_scores(other, expected.items())
    store.drop_scores(run)
    assert (store.scores(run), store.scores(other)) == ({}, expected)


def test_machine_work_on_the_wrong_split_is_refused(store: Store) -> None:
    project = new_project(store)
    [in_pool] = add_pool(store, project, 1)
    [reserved] = add_reserve(store, project, 1)
    run = start_run(store, project)
    with pytest.raises(Refused):
        store.add_training_sentences(run, [in_pool, reserved])
    with pytest.raises(Refused):
        store.save_scores(run, [(in_pool, 0.5), (reserved, 0.5)])
    with pytest.raises(Refused):
        store.save_suggestions(run, [Suggestion(run, reserved, (), ())])
    with pytest.raises(Refused):
        store.save_predictions(run, [RunPrediction(reserved, ()), RunPrediction(in_pool, ())])
    assert store.scores(run) == {}
    assert store.predictions(run) == {}


def test_a_run_has_no_part_in_the_sentences_of_another_project(store: Store) -> None:
    one, two = new_project(store, "one"), new_project(store, "two")
    [foreign] = add_pool(store, two, 1)
    run = start_run(store, one)
    with pytest.raises(Refused):
        store.save_scores(run, [(foreign, 0.5)])
    with pytest.raises(Refused):
        store.add_training_sentences(run, [foreign])


def test_training_sentences_are_kept_once(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 3)
    save(store, project, store.annotator("Asha").id, *(draft(id_) for id_ in ids))
    run = start_run(store, project)
    store.add_training_sentences(run, ids)
    store.add_training_sentences(run, ids[:1])
    rows = raw.execute("SELECT run_id, sentence_id FROM run_training_sentences ORDER BY sentence_id")
    assert rows == [(run, id_) for id_ in ids]


def test_one_worker_at_a_time_holds_a_project(store: Store) -> None:
    one, two = new_project(store, "one"), new_project(store, "two")
    assert store.take_lease(one.id, "first", 60)
    assert store.take_lease(one.id, "first", 60)
    assert not store.take_lease(one.id, "second", 60)
    assert store.take_lease(two.id, "second", 60)
    store.renew_lease(one.id, "first", 60)
    store.release_lease(one.id, "second")
    assert not store.take_lease(one.id, "second", 60)
    store.release_lease(one.id, "first")
    assert store.take_lease(one.id, "second", 60)
    with pytest.raises(LeaseLost, match="first no longer holds"):
        store.renew_lease(one.id, "first", 60)


def test_a_lease_that_ran_out_can_be_taken_over(store: Store) -> None:
    project = new_project(store)
    assert store.take_lease(project.id, "first", 0)
    assert store.take_lease(project.id, "second", 60)
    with pytest.raises(LeaseLost):
        store.renew_lease(project.id, "first", 60)
    store.renew_lease(project.id, "second", 60)


def test_a_lease_on_nothing_is_refused(store: Store) -> None:
    with pytest.raises(Refused):
        store.take_lease(99, "first", 60)
    with pytest.raises(LeaseLost):
        store.renew_lease(99, "first", 60)


def test_workers_are_listed_while_they_are_heard_of(store: Store) -> None:
    assert store.workers(60) == []
    store.worker_seen("host:1", "idle")
    store.worker_seen("host:2", "idle")
    store.worker_seen("host:1", "training")
    assert [(worker.holder, worker.state) for worker in store.workers(60)] == [
        ("host:1", "training"),
        ("host:2", "idle"),
    ]
    assert store.workers(-1) == []


def test_a_person_rolls_back_pins_and_unpins_and_all_of_it_is_on_record(store: Store) -> None:
    project = new_project(store)
    asha = store.annotator("Asha").id
    first, second, third = (start_run(store, project, round=number) for number in (1, 2, 3))
    store.finish_run(first, {}, "runs/1", True, "")
    store.finish_run(second, {}, "runs/2", True, "not worse")
    store.serve_run(first, pinned=False, by=asha)
    assert (store.project(project.id).serving_run, store.project(project.id).pinned) == (first, False)
    store.serve_run(first, pinned=True, by=asha)
    store.serve_run(first, pinned=True, by=asha)  # nothing new: nothing recorded
    assert store.project(project.id).pinned
    store.serve_run(first, pinned=False, by=asha)
    store.finish_run(third, {}, "runs/3", True, "not worse")
    assert store.project(project.id).serving_run == third
    events = [(event.kind, event.annotator_id, event.details) for event in store.audit(project.id)]
    assert events == [
        ("run_served", asha, {"run": first, "before": second}),
        ("run_pinned", asha, {"run": first, "before": first}),
        ("run_unpinned", asha, {"run": first, "before": first}),
    ]
    assert store.run(second).served  # what the gate said of a run does not change


def test_no_finished_run_replaces_one_that_was_pinned_meanwhile(store: Store) -> None:
    project = new_project(store)
    first, second = (start_run(store, project, round=number) for number in (1, 2))
    store.finish_run(first, {}, "runs/1", True, "")
    store.serve_run(first, pinned=True, by=None)
    store.finish_run(second, {}, "runs/2", True, "not worse")
    assert store.project(project.id).serving_run == first
    assert not store.run(second).served
    assert store.run(second).message == f"Run {first} is pinned: it goes on serving until a lead unpins it."


def test_only_a_run_that_is_done_can_serve(store: Store) -> None:
    project = new_project(store)
    running, failed = (start_run(store, project, round=number) for number in (1, 2))
    store.fail_run(failed, "out of memory")
    for run, state in ((running, "running"), (failed, "failed")):
        with pytest.raises(Refused, match=f"run {run} is {state} and cannot serve"):
            store.serve_run(run, pinned=False, by=None)
    with pytest.raises(NotFound):
        store.serve_run(10**6, pinned=False, by=None)
