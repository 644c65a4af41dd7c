"""Accounts, roles, sessions and tries to sign in, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from store_helpers import DAY, LONG_AGO, RawDatabase, add_pool, draft, invite, new_account, new_project, queue, save

from maner_core.errors import InvalidInput, NotFound, Refused
from storage import NewAccount, Role, Split, Store

# Accounts.


def test_an_account_is_found_by_any_spelling_of_its_name(store: Store) -> None:
    account = new_account(store)
    assert (account.name, account.administrator, account.disabled, account.has_password) == ("Asha", False, False, True)
    assert store.account_of("  ASHA ") == store.account(account.annotator_id) == account
    assert store.accounts() == [account]
    found = store.credentials("asha")
    assert found is not None
    assert (found.annotator_id, found.password_hash, found.disabled) == (account.annotator_id, "hash of Asha", False)


def test_without_an_account_there_is_nothing_to_check_a_password_against(store: Store) -> None:
    juma = store.annotator("Juma")
    assert store.credentials("Juma") is None
    assert store.credentials("Nobody") is None
    with pytest.raises(NotFound):
        store.account(juma.id)
    with pytest.raises(NotFound, match="Juma"):
        store.account_of("Juma")
    assert not store.has_accounts()


def test_a_name_belongs_to_one_account(store: Store) -> None:
    new_account(store)
    with pytest.raises(Refused, match="'Asha' is taken"):
        new_account(store, "asha")
    with pytest.raises(Refused, match="'Asha' is taken"):
        store.create_account(NewAccount("Asha", "x"), take_over=True)


def test_the_name_of_somebody_who_worked_without_an_account_is_not_for_everybody(store: Store) -> None:
    juma = store.annotator("Juma")
    with pytest.raises(Refused, match="taken"):
        new_account(store, "Juma")
    account = store.create_account(NewAccount("juma", "x"), take_over=True)
    assert (account.annotator_id, account.name) == (juma.id, "Juma")


def test_an_identity_has_one_account(store: Store) -> None:
    account = store.create_account(NewAccount("Asha", identity="https://id.example 17"))
    assert not account.has_password
    assert store.account_of_identity("https://id.example 17") == account
    assert store.account_of_identity("https://id.example 18") is None
    with pytest.raises(Refused, match="identity"):
        store.create_account(NewAccount("Juma", identity="https://id.example 17"))


def test_an_account_needs_a_way_in(store: Store) -> None:
    with pytest.raises(InvalidInput, match="password or an identity"):
        store.create_account(NewAccount("Asha"))
    assert store.accounts() == []


def test_the_last_administrator_stays(store: Store) -> None:
    asha = new_account(store, administrator=True)
    for attempt in (store.set_disabled, lambda id_, _: store.set_administrator(id_, False)):
        with pytest.raises(Refused, match="nobody else"):
            attempt(asha.annotator_id, True)
    juma = new_account(store, "Juma", administrator=True)
    store.set_disabled(juma.annotator_id, True)
    with pytest.raises(Refused, match="nobody else"):
        store.set_administrator(asha.annotator_id, False)
    store.set_disabled(juma.annotator_id, False)
    store.set_administrator(asha.annotator_id, False)
    assert not store.account(asha.annotator_id).administrator


def test_the_last_lead_of_a_project_stays_its_lead(store: Store) -> None:
    project, other = new_project(store), new_project(store, "other")
    asha, juma = new_account(store).annotator_id, new_account(store, "Juma").annotator_id
    store.set_role(project.id, asha, Role.LEAD)
    store.set_role(other.id, juma, Role.LEAD)
    store.set_role(project.id, store.annotator("Nobody").id, Role.LEAD)  # cannot sign in
    for role in (Role.ANNOTATOR, None):
        with pytest.raises(Refused, match="nobody else leads this project"):
            store.set_role(project.id, asha, role)
    store.set_role(project.id, juma, Role.LEAD)
    store.set_disabled(juma, True)
    with pytest.raises(Refused, match="nobody else leads"):
        store.set_role(project.id, asha, None)
    store.set_disabled(juma, False)
    store.set_role(project.id, asha, None)
    assert store.roles(asha) == {}


def test_a_disabled_account_is_out_at_once_and_can_come_back(store: Store) -> None:
    project = new_project(store)
    asha = new_account(store)
    store.set_role(project.id, asha.annotator_id, Role.LEAD)
    queue(store, project, add_pool(store, project, 3))
    store.claim(project.id, asha.annotator_id, "tab", Split.POOL, 2)
    store.start_session("s", asha.annotator_id, DAY)
    invite(store, project, by=asha.annotator_id)
    store.set_disabled(asha.annotator_id, True)
    assert store.session_person("s", DAY, DAY) is None
    assert store.ready(project.id, Split.POOL) == 3
    assert store.invitations(project.id) == []
    assert store.person(asha.annotator_id).roles == {}
    credentials = store.credentials("Asha")
    assert credentials is not None
    assert credentials.disabled
    store.set_disabled(asha.annotator_id, False)
    assert store.session_person("s", DAY, DAY) is None
    assert store.person(asha.annotator_id).roles == {project.id: Role.LEAD}


# Roles.


def test_a_role_is_given_changed_and_taken_away(store: Store) -> None:
    one, two = new_project(store, "one"), new_project(store, "two")
    asha = new_account(store)
    store.set_role(one.id, asha.annotator_id, Role.ANNOTATOR)
    store.set_role(two.id, asha.annotator_id, Role.LEAD)
    store.set_role(one.id, asha.annotator_id, Role.CURATOR)
    assert store.person(asha.annotator_id).roles == {one.id: Role.CURATOR, two.id: Role.LEAD}
    store.set_role(one.id, asha.annotator_id, None)
    assert store.person(asha.annotator_id).roles == {two.id: Role.LEAD}
    assert [event.details["now"] for event in store.audit(one.id)] == ["annotator", "curator", None]


def test_a_role_needs_a_project_and_a_person(store: Store) -> None:
    project = new_project(store)
    with pytest.raises(NotFound, match="project 99"):
        store.set_role(99, new_account(store).annotator_id, Role.LEAD)
    with pytest.raises(NotFound, match="annotator 99"):
        store.set_role(project.id, 99, Role.LEAD)


def test_whoever_makes_a_project_leads_it(store: Store) -> None:
    asha = new_account(store)
    project = store.create_project(new_project(store, "other").settings.__class__(name="mine"), by=asha.annotator_id)
    assert store.person(asha.annotator_id).roles == {project.id: Role.LEAD}


def test_a_role_without_an_account_counts_for_nothing(store: Store) -> None:
    project = new_project(store)
    juma = store.annotator("Juma")
    store.set_role(project.id, juma.id, Role.LEAD)
    assert store.person(juma.id).roles == {}
    store.create_account(NewAccount("Juma", "x"), take_over=True)
    assert store.person(juma.id).roles == {project.id: Role.LEAD}


def test_members_are_those_with_a_role_or_work_and_what_they_did(store: Store) -> None:
    project, other = new_project(store), new_project(store, "other")
    asha, juma = new_account(store), new_account(store, "Juma", administrator=True)
    neema = store.annotator("Neema")
    store.set_role(project.id, asha.annotator_id, Role.ANNOTATOR)
    first, second, third = add_pool(store, project, 3)
    save(store, project, asha.annotator_id, draft(first), draft(second), draft(first))
    save(store, project, neema.id, draft(third))
    save(store, other, juma.annotator_id, draft(add_pool(store, other, 1)[0]))
    members = store.members(project.id, LONG_AGO)
    assert [(member.name, member.role, member.labels, member.recent_labels) for member in members] == [
        ("Asha", Role.ANNOTATOR, 2, 2),
        ("Neema", None, 1, 1),
    ]
    assert [member.has_account for member in members] == [True, False]
    assert [member.recent_labels for member in store.members(project.id, datetime.now(UTC) + timedelta(hours=1))] == [
        0,
        0,
    ]
    everybody = store.members(None, LONG_AGO)
    assert [(member.name, member.administrator, member.labels) for member in everybody] == [
        ("Asha", False, 2),
        ("Juma", True, 1),
        ("Neema", False, 1),
    ]


def test_the_only_labeller_is_who_labelled_alone(store: Store) -> None:
    project = new_project(store)
    one, two, _ = add_pool(store, project, 3)
    assert store.only_labeller() is None
    asha, juma = store.annotator("Asha"), store.annotator("Juma")
    save(store, project, asha.id, draft(one))
    assert store.only_labeller() == asha
    save(store, project, juma.id, draft(two))
    assert store.only_labeller() is None


def test_a_language_is_remembered(store: Store) -> None:
    asha = store.annotator("Asha")
    assert store.person(asha.id).language is None
    store.set_language(asha.id, "sw")
    assert store.person(asha.id).language == "sw"


# Sessions.


def test_a_session_is_its_person_until_it_ends(store: Store) -> None:
    asha = new_account(store)
    store.start_session("s", asha.annotator_id, DAY)
    person = store.session_person("s", DAY, DAY)
    assert person is not None
    assert person.annotator.name == "Asha"
    assert store.session_person("other", DAY, DAY) is None
    store.end_session("s")
    assert store.session_person("s", DAY, DAY) is None
    store.end_session("s")


def test_a_session_ends_after_a_time_unseen_and_after_a_time_at_all(store: Store, raw: RawDatabase) -> None:
    asha = new_account(store)
    store.start_session("s", asha.annotator_id, DAY)
    raw.execute("UPDATE sessions SET created_at = :at, seen_at = :at", at="2026-01-01 00:00:00+00")
    forever = 1e9
    assert store.session_person("s", forever, DAY) is None
    assert store.session_person("s", DAY, forever) is None
    assert store.session_person("s", forever, forever) is not None


def test_being_here_is_noted_once_a_minute(store: Store, raw: RawDatabase) -> None:
    asha = new_account(store)
    store.start_session("s", asha.annotator_id, DAY)
    seen = store.account(asha.annotator_id).seen_at
    assert seen is not None
    store.session_person("s", DAY, DAY)
    assert store.account(asha.annotator_id).seen_at == seen
    raw.execute("UPDATE sessions SET seen_at = :at", at="2026-01-01 00:00:00+00")
    assert store.session_person("s", 1e9, DAY) is not None
    after = store.account(asha.annotator_id).seen_at
    assert after is not None
    assert after > seen
    assert store.session_person("s", 60, DAY) is not None


def test_old_sessions_are_forgotten_when_a_new_one_starts(store: Store, raw: RawDatabase) -> None:
    asha = new_account(store)
    store.start_session("old", asha.annotator_id, DAY)
    raw.execute("UPDATE sessions SET created_at = :at", at="2026-01-01 00:00:00+00")
    store.start_session("new", asha.annotator_id, DAY)
    assert raw.execute("SELECT token_hash FROM sessions") == [("new",)]


def test_the_last_session_gives_back_what_was_leased(store: Store) -> None:
    project = new_project(store)
    asha = new_account(store)
    queue(store, project, add_pool(store, project, 3))
    store.claim(project.id, asha.annotator_id, "tab", Split.POOL, 2)
    store.start_session("one", asha.annotator_id, DAY)
    store.start_session("two", asha.annotator_id, DAY)
    store.end_session("one")
    assert store.ready(project.id, Split.POOL) == 1
    store.end_session("two")
    assert store.ready(project.id, Split.POOL) == 3


def test_a_new_password_ends_the_other_sessions(store: Store) -> None:
    asha, juma = new_account(store), new_account(store, "Juma")
    for token, account in (("here", asha), ("there", asha), ("his", juma)):
        store.start_session(token, account.annotator_id, DAY)
    store.set_password(asha.annotator_id, "new", by=asha.annotator_id, keep="here")
    assert [store.session_person(token, DAY, DAY) is not None for token in ("here", "there", "his")] == [
        True,
        False,
        True,
    ]
    credentials = store.credentials("Asha")
    assert credentials is not None
    assert credentials.password_hash == "new"


def test_a_person_can_be_signed_out_everywhere_else(store: Store) -> None:
    asha = new_account(store)
    for token in ("here", "there", "elsewhere"):
        store.start_session(token, asha.annotator_id, DAY)
    assert store.end_other_sessions(asha.annotator_id, keep="here") == 2
    assert store.session_person("here", DAY, DAY) is not None


# Tries.


def pass_time(raw: RawDatabase) -> None:
    """As if every pause were over."""
    raw.execute("UPDATE sign_in_tries SET free_at = last_at")


def test_after_some_free_tries_each_one_waits_longer(store: Store, raw: RawDatabase) -> None:
    free = {"name:asha": 3}
    assert [store.count_try(free, 40) for _ in range(3)] == [0, 0, 0]
    pauses = []
    for _ in range(6):
        pauses.append(store.count_try(free, 40))
        assert store.count_try(free, 40) > 0  # while it waits, nothing is counted
        pass_time(raw)
        assert store.count_try(free, 40) == 0
    assert all(n - 2 < pause <= n for pause, n in zip(pauses, (5, 10, 20, 40, 40, 40), strict=True)), pauses


def test_the_longest_pause_of_all_keys_counts_and_other_keys_are_free(store: Store) -> None:
    for _ in range(3):
        store.count_try({"address:1": 1}, 60)
    assert store.count_try({"name:juma": 9, "address:1": 9}, 60) > 0
    assert store.count_try({"name:juma": 9, "address:2": 9}, 60) == 0


def test_a_right_try_forgets_those_of_the_name_and_takes_itself_back_from_the_address(
    store: Store, raw: RawDatabase
) -> None:
    keys = {"name:asha": 3, "address:1": 9}
    for _ in range(3):
        assert store.count_try(keys, 60) == 0
    store.forget_try("name:asha", ["address:1"])
    assert raw.execute("SELECT key, failures FROM sign_in_tries") == [("address:1", 2)]


def test_tries_are_forgotten_after_an_hour(store: Store, raw: RawDatabase) -> None:
    for _ in range(3):
        store.count_try({"name:asha": 1}, 60)
    raw.execute("UPDATE sign_in_tries SET last_at = :at, free_at = :at", at="2026-01-01 00:00:00+00")
    assert store.count_try({"name:asha": 1}, 60) == 0
    assert raw.execute("SELECT failures FROM sign_in_tries") == [(1,)]


def test_of_tries_at_the_same_time_one_is_looked_at(store: Store, raw: RawDatabase) -> None:
    store.count_try({"name:asha": 3}, 60)
    raw.execute("UPDATE sign_in_tries SET failures = 20, free_at = last_at")
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: store.count_try({"name:asha": 3}, 600), range(8)))
    assert sum(wait == 0 for wait in waits) == 1


# The record.


def test_what_was_done_to_accounts_is_on_record(store: Store) -> None:
    project = new_project(store)
    asha = new_account(store, administrator=True)
    by = asha.annotator_id
    invitation = invite(store, project, by=by)
    juma = store.accept_invitation("t", NewAccount("Juma", "x")).annotator_id
    store.withdraw_invitation(project.id, invite(store, project, "u", by=by).id, by)
    store.set_role(project.id, juma, None, by)
    store.start_session("s", juma, DAY)
    store.end_session("s")
    store.set_password(juma, "y", by)
    store.set_disabled(juma, True, by)
    store.set_disabled(juma, False, by)
    store.set_administrator(juma, True, by)
    store.update_project(project.id, project.settings.__class__(name="new", labels=project.settings.labels), by)
    of_project = [(event.kind, event.annotator_id) for event in store.audit(project.id)]
    assert of_project == [
        ("invited", by), ("joined", juma), ("role_changed", juma), ("invited", by), ("invitation_withdrawn", by),
        ("role_changed", by), ("settings_changed", by),
    ]  # fmt: skip
    assert store.audit(project.id)[0].details == {"invitation": invitation.id, "role": "annotator", "name": ""}
    assert store.audit(project.id)[-1].details == {"settings": ["name"]}
    of_all = [(event.kind, event.annotator_id) for event in store.audit(None)]
    assert of_all == [
        ("account_made", by), ("account_made", juma), ("signed_in", juma), ("signed_out", juma), ("password_changed", by),
        ("account_disabled", by), ("account_enabled", by), ("administrator_changed", by),
    ]  # fmt: skip
