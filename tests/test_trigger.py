"""When a training is due: by labels, by waiting, by asking, and after one that failed or was stopped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from loop_helpers import draft, label, make_project, run_stub_round, save

from annotation.loop import STOPPED
from annotation.trigger import ATTEMPTS, Due, Trigger
from maner_core.spans import Span
from storage import NewSentence, Project, Run, Split, Store


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.fixture
def project(store: Store) -> Project:
    return make_project(store, pool=200, retrain_every=50)


def due(store: Store, project: Project, later_seconds: float = 0.0) -> Due | None:
    return Trigger(store).due(project, datetime.now(UTC) + timedelta(seconds=later_seconds))


def failing_run(store: Store, project: Project, attempt: int, failure: str = "it broke") -> Run:
    watermark = store.max_seq(project.id)
    run = store.start_run(project.id, 1, {}, 1, watermark, 0, attempt)
    store.fail_run(run.id, failure)
    return store.run(run.id)


def test_a_count_that_steps_over_the_multiple_still_starts_a_training(store: Store, project: Project) -> None:
    label(store, project, 49)
    assert due(store, project) is None
    label(store, project, 2)
    assert due(store, project) == Due(1, "51 new labels")


def test_labels_count_from_the_watermark_of_the_last_run(store: Store, tmp_path: Path, project: Project) -> None:
    label(store, project, 60)
    run_stub_round(store, project, tmp_path)
    label(store, project, 49)
    assert due(store, project) is None
    label(store, project, 1)
    assert due(store, project) == Due(1, "50 new labels")


def test_five_labels_that_waited_long_enough_start_a_training(store: Store, tmp_path: Path, project: Project) -> None:
    label(store, project, 50)
    run_stub_round(store, project, tmp_path)
    label(store, project, 5)
    assert due(store, project, later_seconds=290) is None
    found = due(store, project, later_seconds=310)
    assert found is not None
    assert found.why.startswith("5 new labels have waited 3")


def test_four_labels_wait_for_ever(store: Store, tmp_path: Path, project: Project) -> None:
    label(store, project, 50)
    run_stub_round(store, project, tmp_path)
    label(store, project, 4)
    assert due(store, project, later_seconds=1e6) is None


def test_the_wait_begins_with_the_oldest_new_label(store: Store, tmp_path: Path, project: Project) -> None:
    label(store, project, 50)
    run_stub_round(store, project, tmp_path)
    trigger = Trigger(store)
    label(store, project, 5)
    begin = datetime.now(UTC)
    assert trigger.due(project, begin) is None
    label(store, project, 5)
    assert trigger.due(project, begin + timedelta(seconds=301)) is not None


def test_the_first_training_too_comes_after_a_while_with_a_few_labels(store: Store, project: Project) -> None:
    label(store, project, 4)
    assert due(store, project, later_seconds=1e6) is None
    label(store, project, 1)
    assert due(store, project) is None
    assert due(store, project, later_seconds=301) is not None


def test_labels_without_an_entity_start_no_training(store: Store, project: Project) -> None:
    sentences = store.unlabelled_pool(project.id)[:51]
    save(store, project, [draft(sentence, ()) for sentence in sentences[:50]])
    assert due(store, project) is None
    save(store, project, [draft(sentence) for sentence in sentences[50:]] + [draft(sentences[0])])
    label(store, project, 5)
    assert due(store, project) is not None


def test_somebody_may_ask_for_a_training(store: Store, project: Project) -> None:
    label(store, project, 8)
    store.request_retrain(project.id)
    assert due(store, project) == Due(1, "somebody asked for it")


def test_a_wish_that_cannot_be_granted_is_dropped_and_recorded(store: Store, project: Project) -> None:
    store.request_retrain(project.id)
    assert due(store, project) is None
    assert not store.retrain_requested(project.id)
    assert "retrain_refused" in [event.kind for event in store.audit(project.id)]


def test_a_failed_run_is_tried_once_more_and_then_waits_for_people(store: Store, project: Project) -> None:
    label(store, project, 50)
    failing_run(store, project, attempt=1)
    second = due(store, project)
    assert second is not None
    assert second.attempt == ATTEMPTS == 2
    failing_run(store, project, attempt=2)
    assert due(store, project) is None
    store.request_retrain(project.id)
    assert due(store, project) == Due(1, "somebody asked for it")
    store.clear_retrain_request(project.id)
    label(store, project, 50)
    assert due(store, project) == Due(1, "50 new labels")


def test_a_stopped_run_starts_again_and_stopping_costs_no_attempt(store: Store, project: Project) -> None:
    label(store, project, 50)
    failing_run(store, project, attempt=2, failure=STOPPED)
    again = due(store, project)
    assert again is not None
    assert again.attempt == 2


def test_nothing_is_due_while_a_run_is_running(store: Store, project: Project) -> None:
    label(store, project, 50)
    store.start_run(project.id, 1, {}, 1, 0, 50)
    label(store, project, 50)
    store.request_retrain(project.id)
    assert due(store, project) is None


def test_entities_only_in_a_repetition_that_does_not_count_start_no_training(store: Store, project: Project) -> None:
    [*_, last] = label(store, project, 60)
    for item in store.labelled(project.id, Split.POOL):
        save(store, project, [replace(draft(item.sentence, ()), supersedes=item.annotation.id)])
    again = NewSentence(last.tokens, gold=(Span(0, 1, "PER"),))
    store.add_sentences(project.id, [again], store.annotator("import").id, "again.conll")
    store.request_retrain(project.id)
    assert due(store, project) is None
