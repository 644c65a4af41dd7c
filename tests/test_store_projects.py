"""Projects, labels and people, on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from store_helpers import LABELS, add_pool, draft, new_project, save

from maner_core.errors import InvalidInput, NotFound, Refused
from storage import Label, ProjectSettings, Store, SuggestWhen


def test_a_project_comes_back_as_it_was_created(store: Store) -> None:
    settings = ProjectSettings(
        name="Habari",
        language="swa",
        direction="ltr",
        guidelines="Watu, mahali, mashirika. 😀",
        labels=LABELS,
        retrain_every=10,
        retrain_after_seconds=60,
        strategy="random",
        system="sner",
        backbone="xlm-roberta-base",
        preset="paper",
        adaptation="before",
        seed=7,
        suggest_when=SuggestWhen.EARNED,
        suggestion_threshold=0.25,
        reserve_fraction=0.0,
    )
    project = store.create_project(settings)
    assert project.settings == settings
    assert project.serving_run is None
    assert abs(datetime.now(UTC) - project.created_at) < timedelta(minutes=1)
    assert store.project(project.id) == project
    assert store.project_by_name("Habari") == project
    assert store.projects() == [project]


def test_every_project_has_its_own_salt(store: Store) -> None:
    assert new_project(store, "one").split_salt != new_project(store, "two").split_salt


def test_a_taken_project_name_is_refused(store: Store) -> None:
    new_project(store, "one")
    other = new_project(store, "two")
    with pytest.raises(Refused, match="already a project named 'one'"):
        new_project(store, " one ")
    with pytest.raises(Refused, match="already a project named 'one'"):
        store.update_project(other.id, replace(other.settings, name="one"))


def test_settings_change_and_unused_labels_can_go(store: Store) -> None:
    project = new_project(store)
    labels = (Label("DATE", "#000", "1"), replace(LABELS[0], key="2", color="#111"))
    settings = replace(project.settings, labels=labels, retrain_every=5, name="renamed")
    assert store.update_project(project.id, settings).settings == settings
    assert store.project(project.id).settings == settings
    assert store.project(project.id).split_salt == project.split_salt


def test_two_labels_can_swap_their_keys(store: Store) -> None:
    project = new_project(store)
    swapped = (replace(LABELS[0], key="2"), replace(LABELS[1], key="1"))
    assert store.update_project(project.id, replace(project.settings, labels=swapped)).settings.labels == swapped


def test_a_label_that_stands_in_an_annotation_cannot_be_removed(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    save(store, project, store.annotator("Asha").id, draft(sentence, (0, 1, "LOC")))
    with pytest.raises(Refused, match="LOC stand in saved annotations"):
        store.update_project(project.id, replace(project.settings, labels=LABELS[:1]))
    assert store.project(project.id).settings.labels == LABELS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "x" * 201}, "200 are the most"),
        ({"language": "x" * 41}, "40 are the most"),
        ({"direction": "up"}, "direction 'up'"),
        ({"retrain_every": 0}, "retrain_every is 0"),
        ({"retrain_after_seconds": -1}, "retrain_after_seconds is -1"),
        ({"suggestion_threshold": 1.5}, "suggestion_threshold is 1.5"),
        ({"reserve_fraction": 1.0}, "reserve_fraction is 1.0"),
        ({"seed": -1}, "seed is -1"),
        ({"guidelines": "a\x00b"}, r"guidelines holds the character U\+0000"),
        ({"guidelines": "\ud83d"}, "half of a surrogate pair"),
        ({"labels": (Label("A  B", "#000", ""),)}, "'A  B' cannot name a label"),
        ({"labels": (Label(" AB", "#000", ""),)}, "' AB' cannot name a label"),
        ({"labels": (Label("O", "#000", ""),)}, "O cannot name a label"),
        ({"labels": (Label("PER", "#000", ""), Label("PER", "#111", ""))}, "there twice"),
        ({"labels": (Label("PER", "#000", "12"),)}, "not a single character"),
        ({"labels": (Label("PER", "#000", "1"), Label("LOC", "#111", "1"))}, "belongs to two labels"),
    ],
)
def test_settings_outside_their_range_are_refused_by_name(
    sqlite_store: Store, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        sqlite_store.create_project(replace(ProjectSettings(name="demo"), **change))


def test_what_does_not_exist_is_not_found(store: Store) -> None:
    project = new_project(store, "the only one")
    with pytest.raises(NotFound, match="no project 99"):
        store.project(99)
    with pytest.raises(NotFound, match="there are: the only one"):
        store.project_by_name("another")
    with pytest.raises(NotFound, match="no project 99"):
        store.update_project(99, project.settings)
    with pytest.raises(NotFound, match="no project 99"):
        store.progress(99)
    with pytest.raises(NotFound, match="no project 99"):
        store.request_retrain(99)
    with pytest.raises(NotFound, match="no project 99"):
        store.retrain_requested(99)
    with pytest.raises(NotFound, match="no annotator 99"):
        store.annotator_by_id(99)


def test_a_person_is_the_same_in_any_spelling_of_the_name(store: Store) -> None:
    asha = store.annotator("  Asha  Juma ")
    assert asha.name == "Asha Juma"
    assert store.annotator("ASHA juma") == asha
    assert store.annotator_by_id(asha.id) == asha
    assert store.annotator("Rene\u0301").id == store.annotator("René").id
    assert store.annotator("Ashe").id != asha.id


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x00b"])
def test_a_name_that_is_none_is_refused(sqlite_store: Store, name: str) -> None:
    with pytest.raises(InvalidInput):
        sqlite_store.annotator(name)


def test_a_project_goes_into_the_archive_and_comes_out_as_it_was(store: Store) -> None:
    project, asha = new_project(store), store.annotator("Asha")
    store.archive_project(project.id, by=asha.id)
    store.archive_project(project.id, by=asha.id)  # somebody else may have been quicker
    archived = store.project(project.id)
    assert archived.archived_at is not None
    assert replace(archived, archived_at=None) == project
    assert store.projects() == [archived]
    with pytest.raises(Refused, match="perhaps in the archive"):
        new_project(store, project.settings.name)
    store.archive_project(project.id, archived=False, by=asha.id)
    assert store.project(project.id) == project
    assert [(event.kind, event.annotator_id) for event in store.audit(project.id)] == [
        ("archived", asha.id),
        ("unarchived", asha.id),
    ]


def test_a_request_to_train_is_remembered_until_it_is_answered(store: Store) -> None:
    project = new_project(store)
    assert not store.retrain_requested(project.id)
    store.request_retrain(project.id)
    store.request_retrain(project.id)
    assert store.retrain_requested(project.id)
    store.clear_retrain_request(project.id)
    assert not store.retrain_requested(project.id)


def test_events_are_kept_in_order(store: Store) -> None:
    project = new_project(store)
    asha = store.annotator("Asha")
    store.record(project.id, asha.id, "exported", format="conll", sentences=3)
    store.record(None, None, "started")
    store.record(project.id, None, "trained")
    first, second = store.audit(project.id)
    assert (first.kind, first.annotator_id, first.details) == ("exported", asha.id, {"format": "conll", "sentences": 3})
    assert (second.kind, second.annotator_id, second.details) == ("trained", None, {})
    assert first.id < second.id
    assert first.at <= second.at
