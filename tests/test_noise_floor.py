"""The chance in trainings, measured by itself when labels have doubled: when, on what, and never before a round."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import draft, label, label_reserve, make_project, open_store, run_stub_round, save
from store_helpers import new_project, start_run
from streamlit.testing.v1 import AppTest
from stub_tagger import STUB

import annotation.worker
from annotation.label_errors import search
from annotation.noise_floor import due, measure, next_at
from annotation.stability import Noise, stability
from annotation.stopping import change
from annotation.tagging import Tools
from annotation.worker import Worker
from maner_core.errors import NotFound
from storage import NoiseFloor, Project, Split, Store


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def trained_project(store: Store, home: Path, n: int = 100, **settings: Any) -> Project:
    project = make_project(store, pool=260, retrain_every=1000, **settings)
    label(store, project, n)
    run_stub_round(store, project, home)
    return store.project(project.id)


def test_floors_come_back_as_they_were_kept(store: Store) -> None:
    project = new_project(store)
    run = start_run(store, project)
    kept = NoiseFloor(run, 104, 0.875, 200)
    store.save_noise_floor(replace(kept, f1=None, sentences=0))
    store.save_noise_floor(kept)
    assert store.noise_floors(project.id) == [kept]
    with pytest.raises(NotFound):
        store.save_noise_floor(replace(kept, run_id=10**6))


@pytest.mark.parametrize(("measured_at", "then"), [((), 100), ((104,), 200), ((104, 220), 400), ((5_000,), 6_400)])
def test_it_is_measured_whenever_labels_have_doubled(
    small_store: Store, measured_at: tuple[int, ...], then: int
) -> None:
    project = new_project(small_store)
    for n_labels in measured_at:
        run = start_run(small_store, project)
        small_store.fail_run(run, "over")
        small_store.save_noise_floor(NoiseFloor(run, n_labels, None, 0))
    assert next_at(small_store, project.id) == then


def test_it_is_due_after_the_hundredth_label_and_not_where_a_project_does_not_want_it(
    small_store: Store, tmp_path: Path
) -> None:
    project = trained_project(small_store, tmp_path, n=99)
    assert not due(small_store, project)
    label(small_store, project, 1)
    run_stub_round(small_store, project, tmp_path)
    assert due(small_store, project)
    unwanted = replace(project, settings=replace(project.settings, measure_noise=False))
    assert not due(small_store, unwanted)


def test_a_second_training_learns_the_labels_of_the_run_as_they_were_from_another_seed(
    small_store: Store, tmp_path: Path
) -> None:
    project = trained_project(small_store, tmp_path)
    run = small_store.last_run(project.id)
    assert run is not None
    first = next(item for item in small_store.labelled(project.id, Split.POOL) if item.gold.spans)
    save(small_store, project, [draft(first.sentence, ())])  # corrected since
    label(small_store, project, 5)  # and labelled since
    seen: list[Any] = []

    def train(*arguments: Any) -> Any:
        seen.append(arguments)
        return STUB.train(*arguments)

    floor = measure(small_store, project, tmp_path, Tools(train, STUB.load))
    [(sentences, spans, labels, config, *_)] = seen
    assert len(sentences) == 100
    assert dict(zip(sentences, spans, strict=True))[first.sentence.tokens] == first.gold.spans
    assert labels == ["PER", "LOC", "ORG"]
    assert config.seed != run.seed
    assert floor == NoiseFloor(run.id, 100, 1.0, 160)  # the stand-in learns the same from every seed
    assert small_store.noise_floors(project.id) == [floor]
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == [str(run.id)]
    assert not due(small_store, project)


def test_what_is_measured_stands_in_the_sentence_of_the_dashboard(page_store: Store, tmp_path: Path) -> None:
    project = trained_project(page_store, tmp_path)
    label_reserve(page_store, project, 30)
    measure(page_store, project, tmp_path, STUB)
    label(page_store, project, 20)
    run_stub_round(page_store, project, tmp_path)
    found = stability(page_store, project, page_store.runs(project.id))
    assert found.noise == Noise(1, 100, 1.0, 160)
    assert "two trainings on the same 100 labels by 100 %" in change(found)
    app = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not app.exception
    assert change(found) in [element.value for element in app.markdown]


def test_the_worker_measures_when_it_has_nothing_else_to_do_and_gives_way_to_a_round(
    small_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation.worker, "POLL_SECONDS", 0.0)
    project = trained_project(small_store, tmp_path)
    search(small_store, project, tmp_path, STUB)  # which comes first
    order: list[int] = []

    def train(*arguments: Any) -> Any:
        order.append(len(arguments[0]))
        if len(order) == 1:
            small_store.request_retrain(project.id)
        return STUB.train(*arguments)

    label(small_store, project, 10)
    Worker(small_store, tmp_path, threading.Event(), tools=Tools(train, STUB.load)).serve(once=True)
    assert order[:3] == [100, 110, 110]  # given up for the round on all labels, measured after it
    assert [(floor.run_id, floor.n_labels) for floor in small_store.noise_floors(project.id)] == [(2, 110)]


def test_a_failure_waits_for_the_next_doubling_and_a_small_pool_is_not_compared(
    small_store: Store, tmp_path: Path
) -> None:
    project = trained_project(small_store, tmp_path)

    def fails(*_: object) -> None:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        measure(small_store, project, tmp_path, Tools(fails, STUB.load))
    assert small_store.noise_floors(project.id) == [NoiseFloor(1, 100, None, 0)]
    assert not due(small_store, project)
    label(small_store, project, 120)
    run_stub_round(small_store, project, tmp_path)
    assert measure(small_store, project, tmp_path, Tools(fails, STUB.load)) == NoiseFloor(2, 220, None, 40)
