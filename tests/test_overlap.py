"""Sentences that several people label, and sentences that only some people read, on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import RawDatabase, add, add_pool, add_reserve, draft, item, new_project, queue, save, start_run

from annotation.hand_out import LEASE_SECONDS, Desk
from annotation.sync_request import SyncRequest
from maner_core.errors import InvalidInput
from storage import HandOut, NewAccount, NewSentence, Origin, Project, Role, Split, Store, Suggestion
from storage._overlap import seats
from storage.migrations import upgrade


def ids_of(hand_outs: list[HandOut]) -> list[int]:
    return [hand_out.sentence.id for hand_out in hand_outs]


def take(store: Store, project: Project, who: int, n: int = 9, tab: str = "tab", seconds: float = 600) -> list[int]:
    return ids_of(store.claim(project.id, who, tab, Split.POOL, n, seconds=seconds, per_tab_share=False))


def doubled_project(store: Store, overlap: int = 2, share: float = 1.0) -> Project:
    return new_project(store, overlap=overlap, overlap_share=share)


def people(store: Store, n: int) -> list[int]:
    return [store.annotator(f"person {number}").id for number in range(n)]


def test_a_doubled_sentence_goes_to_two_people_and_to_no_third(store: Store) -> None:
    project = doubled_project(store)
    ids = add_pool(store, project, 4)
    queue(store, project, ids)
    asha, ben, cem = people(store, 3)
    assert take(store, project, asha) == ids
    assert take(store, project, ben) == ids
    assert take(store, project, cem) == []
    for who in (asha, ben):
        save(store, project, who, *(draft(id_) for id_ in ids))
    assert take(store, project, cem) == []
    assert store.progress(project.id).annotators == {"person 0": 4, "person 1": 4}


def test_nobody_gets_a_doubled_sentence_twice_however_many_tabs_they_open(store: Store) -> None:
    project = doubled_project(store, overlap=3)
    ids = add_pool(store, project, 2)
    queue(store, project, ids)
    asha, ben = people(store, 2)
    assert take(store, project, asha, 1, "a") == ids[:1]
    assert take(store, project, asha, 9, "b") == ids[1:]
    assert take(store, project, asha, 9, "c") == []
    save(store, project, asha, *(draft(id_) for id_ in ids))
    assert take(store, project, asha, 9, "d") == []
    assert take(store, project, ben) == ids


def test_a_lease_that_ran_out_gives_nobody_a_second_seat_of_the_same_sentence(store: Store, raw: RawDatabase) -> None:
    project = doubled_project(store)
    [sentence] = add_pool(store, project, 1)
    queue(store, project, [sentence])
    asha, ben = people(store, 2)
    assert take(store, project, ben) == [sentence]
    assert take(store, project, asha, tab="old") == [sentence]
    raw.execute("UPDATE queue SET leased_until = '2026-01-01 00:00:00'")
    assert take(store, project, asha, tab="new") == [sentence]
    assert store.renew(project.id, asha, "old", [sentence]) == []
    assert ids_of(store.held(project.id, "new", asha)) == [sentence]


def test_a_sentence_that_one_of_two_has_labelled_comes_first_for_the_other(store: Store) -> None:
    project = doubled_project(store)
    ids = add_pool(store, project, 5)
    queue(store, project, ids)
    asha, ben = people(store, 2)
    take(store, project, asha)
    save(store, project, asha, draft(ids[3]), draft(ids[2]))
    assert take(store, project, ben, 3) == [ids[2], ids[3], ids[0]]


def test_a_round_that_fills_the_queue_anew_keeps_what_somebody_has_begun(store: Store) -> None:
    project = doubled_project(store)
    done, held, free, other = add_pool(store, project, 4)
    queue(store, project, [done, held, free])
    asha, ben = people(store, 2)
    take(store, project, asha, 2)
    save(store, project, asha, draft(done))
    assert store.fill_queue(project.id, [item(other)], replace=True) == 1
    assert take(store, project, ben) == [done, other, held]
    assert store.unqueued_pool_ids(project.id) == [free]


def test_what_one_person_has_labelled_does_not_count_as_ready(store: Store) -> None:
    """One person alone would else be left without new sentences: the seats of a second one would fill the queue."""
    project = doubled_project(store)
    ids = add_pool(store, project, 3)
    queue(store, project, ids)
    assert store.ready(project.id, Split.POOL) == 6
    [asha] = people(store, 1)
    save(store, project, asha, *(draft(id_) for id_ in ids))
    assert store.ready(project.id, Split.POOL) == 0


def test_somebody_who_labels_without_a_lease_leaves_the_others_theirs(store: Store) -> None:
    project = doubled_project(store, overlap=3)
    [sentence] = add_pool(store, project, 1)
    queue(store, project, [sentence])
    asha, ben, cem, dina = people(store, 4)
    take(store, project, ben)
    save(store, project, asha, draft(sentence))
    save(store, project, asha, draft(sentence))
    assert ids_of(store.held(project.id, "tab", ben)) == [sentence]
    assert take(store, project, cem) == [sentence]
    assert take(store, project, dina) == []
    save(store, project, dina, draft(sentence))
    assert len(store.renew(project.id, ben, "tab", [sentence]) + store.renew(project.id, cem, "tab", [sentence])) == 1


def test_a_doubled_sentence_is_handed_out_without_a_suggestion(store: Store) -> None:
    project = new_project(store, overlap=2, overlap_share=0.5)
    ids = add_pool(store, project, 40)
    queue(store, project, ids)
    run = start_run(store, project)
    store.save_suggestions(run, [Suggestion(run, id_, (), (1.0,) * 5) for id_ in ids])
    store.finish_run(run, {}, None, True, "")
    asha, ben = people(store, 2)
    with_suggestion = {
        hand_out.sentence.id: hand_out.suggestion is not None
        for hand_out in store.claim(project.id, asha, "tab", Split.POOL, 40, per_tab_share=False)
    }
    doubled = set(take(store, project, ben, 40))
    assert 0 < len(doubled) < 40
    assert with_suggestion == {id_: id_ not in doubled for id_ in ids}


def test_evaluation_sentences_are_doubled_too(store: Store) -> None:
    project = doubled_project(store)
    ids = add_reserve(store, project, 2)
    queue(store, project, ids, Origin.EVALUATION)
    for who in people(store, 2):
        got = ids_of(store.claim(project.id, who, "tab", Split.RESERVE, 9, per_tab_share=False))
        assert got == ids


def test_a_lead_who_changes_the_overlap_changes_what_waits_but_not_what_is_begun(store: Store) -> None:
    project = new_project(store)
    held, *others = add_pool(store, project, 4)
    queue(store, project, [held, *others])
    asha, ben = people(store, 2)
    assert take(store, project, asha, 1) == [held]
    store.update_project(project.id, replace(project.settings, overlap=2, overlap_share=1.0))
    assert take(store, project, asha, 9, "b") == others
    assert take(store, project, ben) == others
    store.release(asha, "b")
    store.release(ben)
    store.update_project(project.id, replace(project.settings, overlap=1))
    assert take(store, project, ben) == others
    assert take(store, project, asha, 9, "b") == []


@pytest.mark.parametrize(("field", "value"), [("overlap", 0), ("overlap", 11), ("overlap_share", 1.1)])
def test_an_overlap_that_makes_no_sense_is_refused(sqlite_store: Store, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"{field} is {value}"):
        new_project(sqlite_store, **{field: value})


def test_a_tenth_of_the_sentences_is_drawn_the_same_ones_every_time() -> None:
    drawn = {number for number in range(20_000) if seats("salt", number, 3, 0.1) == 3}
    assert len(drawn) == pytest.approx(2_000, abs=130)  # three standard deviations: sqrt(20,000 · 0.1 · 0.9) = 42
    assert drawn == {number for number in range(20_000) if seats("salt", number, 2, 0.1) == 2}
    assert drawn != {number for number in range(20_000) if seats("other salt", number, 3, 0.1) == 3}


@given(st.integers(1, 2**63 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_has_drawn(sentence: int, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert seats("salt", sentence, 4, small) <= seats("salt", sentence, 4, large)
    assert seats("salt", sentence, 4, 0.0) == 1
    assert seats("salt", sentence, 4, 1.0) == 4


# What people read.


def mixed_project(store: Store) -> tuple[Project, dict[str, list[int]]]:
    project = new_project(store)
    ids = add(store, project, "Asha anaishi Mwanza", "أحمد يسكن هنا", "አበበ እዚህ ይኖራል", "1 2 3")
    [german] = add(store, project, NewSentence(("Anna", "wohnt", "hier"), meta={"language": "deu"}))
    queue(store, project, [*ids, german])
    names = ("Latin", "Arabic", "Ethiopic", "digits", "deu")
    return project, {name: [id_] for name, id_ in zip(names, [*ids, german], strict=True)}


def test_people_get_what_they_read_and_what_nobody_can_tell(store: Store) -> None:
    project, ids = mixed_project(store)
    asha, ben, cem = people(store, 3)
    store.set_reads(asha, ["Arabic", "deu"])
    store.set_reads(ben, ["Latin"])
    assert take(store, project, asha) == ids["Arabic"] + ids["digits"] + ids["deu"]
    assert take(store, project, ben) == ids["Latin"]
    assert take(store, project, cem) == ids["Ethiopic"]
    assert store.written_in(project.id) == {"Arabic": 1, "Ethiopic": 1, "Latin": 1, "deu": 1}


def test_what_a_person_no_longer_reads_goes_back(store: Store) -> None:
    project, ids = mixed_project(store)
    [asha] = people(store, 1)
    take(store, project, asha)
    store.set_reads(asha, ["Latin"])
    assert ids_of(store.held(project.id, "tab", asha)) == ids["Latin"] + ids["digits"]
    assert store.person(asha).reads == ("Latin",)
    store.set_reads(asha, [])
    assert len(take(store, project, asha)) == 3


def test_sentences_that_no_member_reads_are_named(store: Store) -> None:
    project, _ = mixed_project(store)
    assert store.unread(project.id) == {}
    asha, ben = (store.create_account(NewAccount(name, password_hash="x")).annotator_id for name in ("Asha", "Ben"))
    store.set_role(project.id, asha, Role.ANNOTATOR)
    store.set_reads(asha, ["Latin", "deu"])
    assert store.unread(project.id) == {"Arabic": 1, "Ethiopic": 1}
    store.set_role(project.id, ben, Role.LEAD)
    assert store.unread(project.id) == {}
    store.set_disabled(ben, True)
    assert store.unread(project.id) == {"Arabic": 1, "Ethiopic": 1}


def test_somebody_who_reads_little_is_not_starved_by_a_queue_full_of_other_things(sqlite_store: Store) -> None:
    store = sqlite_store
    project = new_project(store)
    add_pool(store, project, 1_010)
    arabic = add(store, project, "أحمد يسكن هنا", "علي يسكن هناك")
    queue(store, project, store.unqueued_pool_ids(project.id)[:1_005])
    [asha] = people(store, 1)
    store.set_reads(asha, ["Arabic"])
    answer = Desk(store).sync(project, asha, SyncRequest(1, "n", "tab", (), (), 20))
    assert sorted(item.id for item in answer.batch) == arabic


# Leases go back.


def test_what_a_person_holds_goes_back_when_they_sign_out_or_leave_the_project(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    queue(store, project, add_pool(store, project, 4))
    asha = store.create_account(NewAccount("Asha", password_hash="x")).annotator_id
    store.set_role(project.id, asha, Role.ANNOTATOR)
    take(store, project, asha, 2)
    store.start_session("hash", asha, 60)
    store.end_session("hash")
    assert store.held(project.id, "tab", asha) == []
    take(store, project, asha, 2)
    store.set_role(project.id, asha, None)
    assert store.held(project.id, "tab", asha) == []


def test_silence_gives_a_lease_back_after_ten_minutes(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 1)
    asha, ben = people(store, 2)
    desk = Desk(store)
    assert [item.id for item in desk.sync(project, asha, SyncRequest(1, "n", "a", (), (), 5)).batch] == ids
    [(until,)] = raw.execute("SELECT leased_until FROM queue")
    ends = datetime.fromisoformat(until).replace(tzinfo=UTC) if isinstance(until, str) else until
    assert LEASE_SECONDS == 600
    assert (ends - datetime.now(UTC)).total_seconds() == pytest.approx(600, abs=30)
    raw.execute("UPDATE queue SET leased_until = '2026-01-01 00:00:00'")
    assert [item.id for item in desk.sync(project, ben, SyncRequest(1, "n", "b", (), (), 5)).batch] == ids
    assert desk.sync(project, asha, SyncRequest(2, "n", "a", (), tuple(ids), 5)).drop == tuple(ids)


def test_a_queue_from_before_there_were_seats_keeps_its_rows_and_leases(empty_url: str) -> None:
    raw = RawDatabase(empty_url)
    with raw.engine.begin() as connection:
        upgrade(connection, "r0004")
    at = "2026-05-01 12:00:00" + ("" if raw.engine.dialect.name == "sqlite" else "+00")
    raw.execute(
        "INSERT INTO projects (id, name, language, direction, guidelines, retrain_every, retrain_after_seconds, strategy,"
        " system, backbone, preset, seed, suggest_when, suggestion_threshold, reserve_fraction, split_salt,"
        " retrain_requested, created_at)"
        " VALUES (1, 'old', '', 'auto', '', 25, 300, 'mnlp', 'maner', 'bundled', 'default', 1, 'always', 0.5, 0.1, '',"
        " false, :at)",
        at=at,
    )
    raw.execute("INSERT INTO annotators (id, name, name_key) VALUES (1, 'Asha', 'asha')")
    raw.execute(
        "INSERT INTO sentences (id, project_id, tokens, n_tokens, source, split, content_hash, meta)"
        """ VALUES (1, 1, '["أحمد"]', 1, '', 'pool', '', '{}'), (2, 1, '["7"]', 1, '', 'pool', '', '{}')"""
    )
    raw.execute(
        "INSERT INTO selections (sentence_id, project_id, split, origin, rank, strategy, round, reason)"
        " VALUES (1, 1, 'pool', 'random', 5, 'random', 1, ''), (2, 1, 'pool', 'random', 6, 'random', 1, '')"
    )
    raw.execute(
        "INSERT INTO queue VALUES (1, 1, 'pool', 5, 1, 'tab', :at), (2, 1, 'pool', 6, NULL, NULL, NULL)",
        at=at,
    )
    store = Store(empty_url)
    store.migrate()
    columns = "sentence_id, seat, project_id, split, rank, annotator_id, client"
    rows = raw.execute(f"SELECT {columns} FROM queue WHERE leased_until = :at OR sentence_id = 2 ORDER BY rank", at=at)
    assert [tuple(row) for row in rows] == [(1, 0, 1, "pool", 5, 1, "tab"), (2, 0, 1, "pool", 6, None, None)]
    assert [sentence.written_in for sentence in store.sentences(1, None)] == ["Arabic", None]
    assert store.person(1).reads == ()
    settings = store.project(1).settings
    assert (settings.overlap, settings.overlap_share) == (1, 0.1)
    store.close()
    raw.close()
