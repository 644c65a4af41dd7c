"""A starting tagger of another language: which places are its, what it reads, what is shown, and that nobody is blocked."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from loop_helpers import (
    NAMES,
    claim_all,
    gold_spans,
    label,
    make_project,
    open_store,
    queue_items,
    run_stub_round,
    sentence_tokens,
)
from signed_in import sign_in
from store_helpers import add_pool, add_reserve, item, new_project
from streamlit.testing.v1 import AppTest
from stub_tagger import STUB

from annotation import starting
from annotation.queue_filling import top_up
from annotation.sampling import tag_count
from annotation.selection_log import replayed
from annotation.serving import run_of
from annotation.starting import common_labels, of_labels, read, require_own, starting_tagger
from annotation.starting_places import is_starting_place, picks, reason, with_starting
from annotation.ui import session
from annotation.worker import Worker
from maner_core.config import TrainConfig
from maner_core.errors import InvalidInput, NoCheckpoint, NotFound, Refused, RunStopped
from maner_core.model_card import SETTINGS, labels_of
from storage import NewSentence, Origin, Project, ProjectSettings, QueueItem, Role, Split, StartingScore, Store


@pytest.fixture
def lead_store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def make_tagger(folder: Path, labels: tuple[str, ...] = ("PER", "LOC", "ORG", "DATE")) -> Path:
    """A checkpoint that knows all names of the sentences of these tests."""
    words = tuple(NAMES)
    STUB.train([words], [gold_spans(words)], labels, TrainConfig(), folder, (), lambda progress: None)
    (folder / SETTINGS).write_text(json.dumps({"labels": list(labels)}), encoding="utf-8")
    return folder


def started_project(store: Store, folder: Path, **settings: object) -> Project:
    """A project with 120 sentences in the queue and a starting tagger."""
    project = make_project(store, starting_tagger=str(make_tagger(folder / "other")), **settings)  # type: ignore[arg-type]
    top_up(store, project.id)
    return project


def work(store: Store, home: Path) -> None:
    Worker(store, home, threading.Event(), tools=STUB).serve(once=True)


def still_wanted() -> None:
    """Goes on."""


# Places and scores, by hand.


def test_twenty_of_the_first_fifty_places_are_its() -> None:
    assert [place for place in range(100) if is_starting_place(place)] == [
        1, 3, 6, 8, 11, 13, 16, 18, 21, 23, 26, 28, 31, 33, 36, 38, 41, 43, 46, 48
    ]  # fmt: skip


def test_its_sentences_take_their_places_and_the_drawn_ones_keep_their_order() -> None:
    drawn = [item(number, rank=100 + number) for number in range(6)]
    chosen = [item(number, origin=Origin.ACTIVE) for number in (0, 5, 9)]

    def ids(order: list[QueueItem]) -> list[int]:
        return [each.sentence_id for each in order]

    order = with_starting(drawn, chosen, done=47)
    assert ids(order) == [0, 5, 1, 2, 3, 4]  # 0 is drawn before the tagger is asked
    assert [each.origin for each in order[:3]] == [Origin.RANDOM, Origin.ACTIVE, Origin.RANDOM]
    assert [each.rank for each in order] == list(range(100, 106))
    assert with_starting(drawn, chosen, done=50) == drawn
    assert ids(with_starting(drawn, [], done=0)) == ids(drawn)
    assert ids(with_starting([], chosen, done=0)) == [0, 5, 9]
    assert with_starting([], [], done=0) == []


def test_labels_that_the_project_lacks_count_as_no_name() -> None:
    probabilities = np.array([[0.2, 0.5, 0.1, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    pool = of_labels([probabilities], ["PER", "DATE"], ["PER"])
    np.testing.assert_allclose(pool.probs, [[0.4, 0.5, 0.1], [1.0, 0.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(tag_count(pool), [0.6], atol=1e-6)


@pytest.mark.parametrize(("names", "said"), [(0, "hints of a name"), (1, "1 name"), (3, "3 names")])
def test_the_reason_is_said_in_words(names: int, said: str) -> None:
    assert reason(names) == f"a tagger of another language sees {said} here"


# The store.


def test_what_was_read_replaces_what_was_read_before_and_evaluation_sentences_are_refused(store: Store) -> None:
    project = new_project(store)
    first, second, third = add_pool(store, project, 3)
    [reserved] = add_reserve(store, project, 1)
    assert store.starting_read(project.id) is None
    store.save_starting_read(project.id, "a", 7, 3, failure="there is no such folder")
    store.save_starting_read(
        project.id, "b", 7, 3, [StartingScore(third, 1.5, 1), StartingScore(first, 1.5, 2), StartingScore(second, 2, 0)]
    )
    kept = store.starting_read(project.id)
    assert kept is not None
    assert (kept.tagger, kept.seed, kept.n_pool, kept.failure) == ("b", 7, 3, None)
    assert [score.sentence_id for score in store.starting_scores(project.id)] == [second, first, third]
    with pytest.raises(Refused):
        store.save_starting_read(project.id, "c", 7, 4, [StartingScore(reserved, 1.0, 1)])
    assert len(store.starting_scores(project.id)) == 3
    store.save_starting_read(project.id, "c", 7, 4, failure="there is no such folder")
    assert len(store.starting_scores(project.id)) == 3  # a failure forgets nothing


# Which tagger.


def test_a_tagger_is_a_folder_or_a_run_and_needs_a_label_in_common(lead_store: Store, tmp_path: Path) -> None:
    folder = make_tagger(tmp_path / "other", ("PER", "DATE"))
    assert common_labels(lead_store, tmp_path, str(folder), ["LOC", "PER"]) == (folder, ["PER"])
    with pytest.raises(InvalidInput, match="knows the labels PER, DATE, of which the project has none"):
        common_labels(lead_store, tmp_path, str(folder), ["LOC"])
    for word, why in (("nowhere", "there is no such folder"), (str(tmp_path), f"it has no {SETTINGS}")):
        with pytest.raises(NoCheckpoint, match=why):
            common_labels(lead_store, tmp_path, word, ["PER"])
    with pytest.raises(NotFound, match="there is no run 99"):
        common_labels(lead_store, tmp_path, "run 99", ["PER"])
    project = make_project(lead_store)
    label(lead_store, project, 20)
    run = run_stub_round(lead_store, project, tmp_path)
    (tmp_path / "runs" / str(run.id) / SETTINGS).write_text('{"labels": ["PER"]}', encoding="utf-8")
    assert common_labels(lead_store, tmp_path, f"run {run.id}", ["PER"])[1] == ["PER"]
    assert run_of(str(tmp_path / "runs" / ".." / "runs" / "12"), tmp_path) == 12
    assert run_of(str(folder), tmp_path) is None


@pytest.mark.parametrize("damage", ["{", "[]", '{"labels": "PER"}', '{"labels": [1]}', "[" * 100_000])
def test_a_damaged_checkpoint_is_named_without_loading_it(tmp_path: Path, damage: str) -> None:
    (tmp_path / SETTINGS).write_text(damage, encoding="utf-8")
    with pytest.raises(NoCheckpoint, match="is damaged"):
        labels_of(tmp_path)


def test_a_backbone_that_is_a_tagger_itself_starts_too(lead_store: Store, tmp_path: Path) -> None:
    folder = str(make_tagger(tmp_path / "other"))
    settings = make_project(lead_store).settings
    assert starting_tagger(lead_store, tmp_path, settings) == ""
    assert starting_tagger(lead_store, tmp_path, replace(settings, backbone=folder)) == folder
    assert starting_tagger(lead_store, tmp_path, replace(settings, backbone=str(tmp_path))) == ""
    assert starting_tagger(lead_store, tmp_path, replace(settings, backbone=folder, starting_tagger="x")) == "x"


def test_a_run_of_a_project_that_one_does_not_work_in_cannot_be_named(lead_store: Store, tmp_path: Path) -> None:
    own, other = make_project(lead_store), make_project(lead_store, name="other")
    foreign = lead_store.start_run(other.id, 1, {}, 1, 0, 0).id
    lead = lead_store.person(sign_in(lead_store, "Asha", Role.LEAD, own.id).annotator.id)
    for word in (f"run {foreign}", str(tmp_path / "runs" / str(foreign)), "run 99"):
        for change in ({"starting_tagger": word}, {"backbone": word}):
            with pytest.raises(NotFound, match=r"there is no run \d+ for you"):
                require_own(lead_store, tmp_path, lead, replace(own.settings, **change))  # type: ignore[arg-type]
    lead_store.set_role(other.id, lead.annotator.id, Role.CURATOR)
    require_own(
        lead_store, tmp_path, lead_store.person(lead.annotator.id), ProjectSettings("", starting_tagger="run 1")
    )


# Reading.


def test_it_reads_the_pool_once_and_decides_20_of_the_first_50(lead_store: Store, tmp_path: Path) -> None:
    project = started_project(lead_store, tmp_path)
    work(lead_store, tmp_path)
    assert not starting.due(lead_store, project, tmp_path)
    scores = lead_store.starting_scores(project.id)
    assert len(scores) == 120
    items = queue_items(lead_store, project)
    order = claim_all(lead_store, project)
    assert len(order) == 120
    first = [items[number] for number in order[:50]]
    chosen = [each for each in first if each.origin is Origin.ACTIVE]
    assert len(chosen) == 20
    assert all(each.origin is Origin.RANDOM for each in (items[number] for number in order[50:]))
    assert [place for place, each in enumerate(first) if each in chosen] == [*filter(is_starting_place, range(50))]
    counts = [each.score for each in chosen]
    assert counts == sorted(counts, key=lambda score: -(score or 0))
    tokens = {sentence.id: sentence.tokens for sentence in lead_store.sentences(project.id, Split.POOL)}
    assert {(each.strategy, each.seed, each.propensity, each.run_id) for each in chosen} == {
        ("tag_count", project.settings.seed, 1.0, None)
    }
    assert [each.reason for each in chosen] == [reason(len(gold_spans(tokens[each.sentence_id]))) for each in chosen]
    # From what is stored the same places come again.
    drawn = {each.sentence_id for each in first} - {each.sentence_id for each in chosen}
    kept = lead_store.starting_read(project.id)
    assert kept is not None
    again = [pick for pick in picks(lead_store, project.id, kept) if pick.sentence_id not in drawn]
    assert [pick.sentence_id for pick in again[:20]] == [each.sentence_id for each in chosen]


def test_a_small_pool_that_has_doubled_is_read_again(lead_store: Store, tmp_path: Path) -> None:
    project = started_project(lead_store, tmp_path, pool=30)
    work(lead_store, tmp_path)
    for seed, n, again in ((7, 29, False), (8, 1, True)):
        new = [NewSentence(tokens) for tokens in sentence_tokens(n, seed)]
        lead_store.add_sentences(project.id, new, None, "more.txt")
        assert starting.due(lead_store, project, tmp_path) is again
    work(lead_store, tmp_path)
    assert len(lead_store.starting_scores(project.id)) == 60
    assert not starting.due(lead_store, project, tmp_path)


def test_a_training_before_50_labels_leaves_it_the_rest_of_its_places(lead_store: Store, tmp_path: Path) -> None:
    project = started_project(lead_store, tmp_path)
    work(lead_store, tmp_path)
    label(lead_store, project, 30)
    run = run_stub_round(lead_store, project, tmp_path)
    items, order = queue_items(lead_store, project), claim_all(lead_store, project)
    chosen = [place for place, number in enumerate(order) if items[number].strategy == "tag_count"]
    assert chosen == [place - 30 for place in range(30, 50) if is_starting_place(place)]
    queue = [items[number] for number in order]
    assert [replace(each, reason="") for each in queue] == replayed(lead_store, run)
    lead_store.save_starting_read(project.id, "another one", 8, 9, [])
    assert [replace(each, reason="") for each in queue] == replayed(lead_store, run)
    label(lead_store, project, 30)
    run_stub_round(lead_store, project, tmp_path)
    later = [each for each in queue_items(lead_store, project).values() if each.round == 2]
    assert later
    assert "tag_count" not in {each.strategy for each in later}


@pytest.mark.parametrize("settings", [{"strategy": "random"}, {"control_share": 0.3}])
def test_where_chance_alone_decides_it_has_no_say(
    lead_store: Store, tmp_path: Path, settings: dict[str, object]
) -> None:
    project = started_project(lead_store, tmp_path, **settings)
    assert not starting.due(lead_store, project, tmp_path)
    work(lead_store, tmp_path)
    assert lead_store.starting_read(project.id) is None


def test_a_folder_that_is_gone_holds_up_nothing_and_is_tried_again(
    lead_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = started_project(lead_store, tmp_path, retrain_every=5)
    (tmp_path / "other" / "stub.json").unlink()
    label(lead_store, project, 20)
    work(lead_store, tmp_path)
    failed = lead_store.starting_read(project.id)
    assert failed is not None
    assert failed.failure == f"{tmp_path / 'other'} holds no checkpoint"
    assert len(lead_store.runs(project.id)) == 1
    assert claim_all(lead_store, project)
    assert not starting.due(lead_store, project, tmp_path)
    make_tagger(tmp_path / "again").rename(tmp_path / "other2")
    lead_store.update_project(project.id, replace(project.settings, starting_tagger=str(tmp_path / "other2")))
    assert starting.due(lead_store, lead_store.project(project.id), tmp_path)  # another one is tried at once
    monkeypatch.setattr(starting, "RETRY_SECONDS", timedelta(0).total_seconds())
    assert starting.due(lead_store, project, tmp_path)


def test_with_50_labels_it_comes_too_late(lead_store: Store, tmp_path: Path) -> None:
    project = started_project(lead_store, tmp_path)
    label(lead_store, project, 50)
    assert not read(lead_store, project, tmp_path, STUB, still_wanted)
    kept = lead_store.starting_read(project.id)
    assert kept is not None
    assert kept.failure == "50 sentences are labelled already: the project's own tagger chooses"
    later = replace(project.settings, starting_tagger=str(make_tagger(tmp_path / "third")))
    assert not starting.due(lead_store, lead_store.update_project(project.id, later), tmp_path)


def test_a_worker_that_is_stopped_meanwhile_keeps_nothing(lead_store: Store, tmp_path: Path) -> None:
    project = started_project(lead_store, tmp_path)

    def stop() -> None:
        raise RunStopped("the worker was asked to stop")

    with pytest.raises(RunStopped):
        read(lead_store, project, tmp_path, STUB, stop)
    assert lead_store.starting_read(project.id) is None


# The page.


def open_page() -> AppTest:
    app = AppTest.from_string("from annotation.ui import project\nproject.page()", default_timeout=30).run()
    assert not app.exception
    return app


def test_the_page_says_what_speaks_against_a_tagger_and_what_came_of_it(page_store: Store) -> None:
    home = session.current_settings().home
    other = make_project(page_store, name="Habari", language="swa")
    label(page_store, other, 20)
    run = run_stub_round(page_store, other, home)
    project = make_project(page_store, name="Mawulire", starting_tagger="nowhere")
    top_up(page_store, project.id)
    app = open_page()
    assert any("there is no such folder" in warning.value.replace("\\", "") for warning in app.warning)
    field = next(box for box in app.selectbox if box.label.startswith("Starting tagger"))
    assert f"Run {run.id} of Habari (swa)" in field.options
    work(page_store, home)
    app.run()
    assert sum("no such folder" in warning.value for warning in app.warning) == 1  # of now, and none twice over
    folder = str(make_tagger(home / "other"))
    page_store.update_project(project.id, replace(project.settings, starting_tagger=folder))
    work(page_store, home)
    said = [caption.value for caption in open_page().caption]
    assert r"It looks for PER\, LOC\, ORG and has read 120 sentences." in said
