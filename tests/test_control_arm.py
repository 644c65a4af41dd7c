"""Sentences drawn by chance against sentences chosen: how labels are divided, when both are trained, what is shown."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from loop_helpers import (
    draft,
    fill_randomly,
    gold_spans,
    label_reserve,
    make_project,
    open_store,
    queue_items,
    run_stub_round,
    save,
    sentence_tokens,
)
from store_helpers import new_project, start_run
from streamlit.testing.v1 import AppTest
from stub_tagger import STUB

from annotation.control_arm import EVERY, arms, due, measure, seconds
from annotation.tagging import Tools
from annotation.worker import Worker
from maner_core.errors import NotFound
from maner_core.spans import Span
from storage import (
    ArmMeasure,
    LabelledSentence,
    NewSentence,
    Origin,
    Project,
    QueueItem,
    Split,
    Store,
)


@pytest.fixture
def lead_store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def label_by(store: Store, project: Project, origin: Origin, n: int, milliseconds: int = 2000) -> None:
    """Label n sentences that came by way of this origin."""
    chosen = store.unlabelled_pool(project.id)[:n]
    items = [QueueItem(each.id, origin, rank, "x", None, None, None, 1) for rank, each in enumerate(chosen)]
    assert store.fill_queue(project.id, items, replace=True) == n
    save(store, project, [replace(draft(each), milliseconds=milliseconds) for each in chosen])


def origins(items: Sequence[LabelledSentence]) -> str:
    return "".join(item.annotation.origin.value[0] for item in items)


def test_labels_are_divided_after_the_first_chosen_one(lead_store: Store) -> None:
    project = make_project(lead_store)
    for origin, n in ((Origin.RANDOM, 3), (Origin.ACTIVE, 2), (Origin.RANDOM, 2), (Origin.ACTIVE, 2)):
        label_by(lead_store, project, origin, n)
    labelled = lead_store.labelled(project.id, Split.POOL)
    found = arms(labelled)
    assert (origins(found.chance), origins(found.choice), found.n_common) == ("rrrrr", "rrraa", 3)
    assert found.chance[:3] == found.choice[:3] == labelled[:3]
    assert found.choice[3:] == labelled[3:5]  # in the order of labelling
    assert arms(labelled[:3]).n_common == 3
    assert arms([]).chance == []


def test_idle_and_untimed_labels_count_as_much_as_the_median() -> None:
    assert seconds([2, 4, 9, 0, 121]) == 2 + 4 + 9 + 4 + 4
    assert seconds([]) == 0


def compared_project(store: Store, home: Path, evaluation: int = 20, **settings: object) -> Project:
    """A project in which each way has EVERY labels of its own after 20 common ones, and one run."""
    project = make_project(store, pool=200, reserve=20, **settings)  # type: ignore[arg-type]
    label_reserve(store, project, evaluation)
    for origin, n in ((Origin.RANDOM, 20), (Origin.ACTIVE, EVERY), (Origin.RANDOM, EVERY)):
        label_by(store, project, origin, n)
    run_stub_round(store, project, home)
    return store.project(project.id)


def test_both_arms_are_trained_on_equally_many_labels_and_measured_on_the_reserve(
    lead_store: Store, tmp_path: Path
) -> None:
    project = compared_project(lead_store, tmp_path, control_share=0.5)
    assert due(lead_store, project)
    trained: list[int] = []

    def train(*args: object) -> object:
        trained.append(len(args[0]))  # type: ignore[arg-type]
        return STUB.train(*args)  # type: ignore[arg-type]

    measure(lead_store, project, tmp_path, Tools(train, STUB.load))
    assert trained == [20 + EVERY, 20 + EVERY]
    found = lead_store.arm_measures(project.id)
    assert [(one.arm, one.n_labels, one.seconds) for one in found] == [("chance", 30, 60.0), ("choice", 30, 60.0)]
    assert all(len(one.predictions) == 20 for one in found)
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["1"]  # no weights are left behind
    assert not due(lead_store, project)
    label_by(lead_store, project, Origin.ACTIVE, EVERY)
    run_stub_round(lead_store, project, tmp_path)
    assert not due(lead_store, project)  # only one of them has grown
    label_by(lead_store, project, Origin.RANDOM, EVERY)
    run_stub_round(lead_store, project, tmp_path)
    assert due(lead_store, project)


def test_corrections_change_neither_who_is_in_which_arm_nor_what_it_took(lead_store: Store, tmp_path: Path) -> None:
    project = compared_project(lead_store, tmp_path, control_share=0.5)
    common = lead_store.labelled(project.id, Split.POOL)[:15]
    corrections = [replace(draft(item.sentence), milliseconds=10, supersedes=item.annotation.id) for item in common]
    save(lead_store, project, corrections)
    run_stub_round(lead_store, project, tmp_path)
    assert due(lead_store, project)
    measure(lead_store, project, tmp_path, STUB)
    found = lead_store.arm_measures(project.id)
    assert [(one.arm, one.n_labels, one.seconds) for one in found] == [("chance", 30, 60.0), ("choice", 30, 60.0)]


def test_imported_labels_took_nobody_time(lead_store: Store, tmp_path: Path) -> None:
    project = make_project(lead_store, pool=60, reserve=20, control_share=0.5)
    label_reserve(lead_store, project, 20)
    gold = [NewSentence(tokens, gold=gold_spans(tokens)) for tokens in sentence_tokens(40, seed=7)]
    lead_store.add_sentences(project.id, gold, lead_store.annotator("import").id, "gold.conll")
    for origin in (Origin.ACTIVE, Origin.RANDOM):
        label_by(lead_store, project, origin, EVERY - 1)
        label_by(lead_store, project, origin, 1, milliseconds=0)  # a person's, whose time is not known
    run_stub_round(lead_store, project, tmp_path)
    measure(lead_store, project, tmp_path, STUB)
    found = lead_store.arm_measures(project.id)
    assert [(one.n_labels, one.seconds) for one in found] == [(40 + EVERY, EVERY * 2.0)] * 2


def test_nothing_is_compared_where_nobody_asks(lead_store: Store, tmp_path: Path) -> None:
    assert not due(lead_store, compared_project(lead_store, tmp_path))


def test_a_comparison_that_fails_is_not_tried_again_before_there_are_new_labels(
    lead_store: Store, tmp_path: Path
) -> None:
    project = compared_project(lead_store, tmp_path, control_share=0.5)

    def train(*_: object) -> object:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        measure(lead_store, project, tmp_path, Tools(train, STUB.load))
    assert not due(lead_store, project)
    assert [dict(one.predictions) for one in lead_store.arm_measures(project.id)] == [{}, {}]


def test_the_worker_compares_after_a_round(lead_store: Store, tmp_path: Path) -> None:
    project = compared_project(lead_store, tmp_path, control_share=0.5, retrain_every=1000)
    Worker(lead_store, tmp_path, threading.Event(), tools=STUB).serve(once=True)
    assert len(lead_store.arm_measures(project.id)) == 2
    assert len(lead_store.runs(project.id)) == 1


def test_the_share_drawn_by_chance_follows_the_setting(lead_store: Store, tmp_path: Path) -> None:
    project = make_project(lead_store, pool=400, control_share=0.4)
    fill_randomly(lead_store, project, 10)
    label_by(lead_store, project, Origin.RANDOM, 60)
    run = run_stub_round(lead_store, project, tmp_path)
    items = [item for item in queue_items(lead_store, project).values() if item.run_id == run.id]
    assert sum(item.origin is Origin.RANDOM for item in items) == round(0.4 * len(items))
    assert run.config["selection_rule"]["random_share"] == 0.4


def test_measures_come_back_as_they_were_kept(store: Store) -> None:
    project = new_project(store)
    run = start_run(store, project)
    kept = [ArmMeasure(run, arm, 30, 61.5, {3: (Span(0, 2, "PER"),), 4: ()}) for arm in ("chance", "choice")]
    store.save_arm_measures(kept)
    store.save_arm_measures(kept)
    assert store.arm_measures(project.id) == kept
    with pytest.raises(NotFound):
        store.save_arm_measures([replace(kept[0], run_id=10**6)])


def test_the_dashboard_sets_both_against_each_other(page_store: Store, tmp_path: Path) -> None:
    project = compared_project(page_store, tmp_path, control_share=0.5)
    app = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not app.exception
    assert any("costs two trainings" in each.value.replace("\n", " ") for each in app.caption)
    gold = {item.sentence.id: item.gold.spans for item in page_store.labelled(project.id, Split.RESERVE)}
    run = page_store.runs(project.id)[-1].id
    nothing = dict.fromkeys(gold, ())
    page_store.save_arm_measures(
        [ArmMeasure(run, "chance", 30, 90.0, nothing), ArmMeasure(run, "choice", 30, 150.0, gold)]
    )
    app.run()
    assert not app.exception
    said = "\n".join(str(each.value) for each in app.markdown)
    assert (
        "The tagger that learned from chosen sentences is better: with 30 labels each, F1 100.0 where sentences were "
        "chosen and 0.0 where they were drawn"
    ) in said
    assert "It is one training each: how far two trainings differ by chance is not counted." in said
    assert (
        "All labels with chosen sentences took people 2 min, all with drawn ones 2 min, those in common included"
        in said
    )
    app.segmented_control(key="arms_axis").set_value("minutes").run()
    assert not app.exception


def test_few_evaluation_sentences_do_not_tell_the_two_taggers_apart(page_store: Store, tmp_path: Path) -> None:
    project = compared_project(page_store, tmp_path, evaluation=5, control_share=0.5)
    gold = {item.sentence.id: item.gold.spans for item in page_store.labelled(project.id, Split.RESERVE)}
    run = page_store.runs(project.id)[-1].id
    page_store.save_arm_measures(
        [ArmMeasure(run, "chance", 30, 90.0, dict.fromkeys(gold, ())), ArmMeasure(run, "choice", 30, 150.0, gold)]
    )
    app = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not app.exception
    said = "\n".join(str(each.value) for each in app.markdown)
    assert "There are too few evaluation sentences to tell the two taggers apart, 20 are needed: with 30 labels" in said
    assert "a difference of +100.0 points on 5 evaluation sentences." in said
