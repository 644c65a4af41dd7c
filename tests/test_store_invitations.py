"""Invitations, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from store_helpers import RawDatabase, invite, new_account, new_project

from maner_core.errors import ManerError, NotFound, Refused
from storage import NewAccount, Role, Store


def test_an_invitation_makes_a_member_once(store: Store) -> None:
    project = new_project(store)
    lead = new_account(store)
    made = invite(store, project, by=lead.annotator_id)
    assert (made.project, made.role, made.invited_by) == ("demo", Role.ANNOTATOR, "Asha")
    assert store.invitation("t") == made
    assert store.invitations(project.id) == [made]
    juma = store.accept_invitation("t", NewAccount("Juma", "x"))
    assert not juma.administrator
    assert store.person(juma.annotator_id).roles == {project.id: Role.ANNOTATOR}
    assert store.invitations(project.id) == []
    for attempt in (lambda: store.invitation("t"), lambda: store.accept_invitation("t", NewAccount("Neema", "x"))):
        with pytest.raises(NotFound, match="used already or is too old"):
            attempt()
    assert [account.name for account in store.accounts()] == ["Asha", "Juma"]


def test_a_named_link_hands_out_no_part_in_a_project_that_the_inviter_does_not_lead(store: Store) -> None:
    """Asha worked alone and made both projects; Bob leads one of them."""
    asha = store.annotator("Asha")
    one = store.create_project(replace(new_project(store).settings, name="one"), by=asha.id)
    other = store.create_project(replace(one.settings, name="other"), by=asha.id)
    boss, bob = new_account(store, "Boss", administrator=True), new_account(store, "Bob")
    store.set_role(one.id, bob.annotator_id, Role.LEAD)
    with pytest.raises(Refused, match="'Asha' has a part in other projects too"):
        invite(store, one, name="asha", by=bob.annotator_id)
    store.set_role(other.id, boss.annotator_id, Role.LEAD)
    store.set_role(other.id, asha.id, None)
    invite(store, one, name="asha", by=bob.annotator_id)
    store.set_role(other.id, asha.id, Role.LEAD)  # meanwhile
    with pytest.raises(Refused, match="an administrator can invite them"):
        store.accept_invitation("t", NewAccount("Asha", "x"))
    invite(store, one, "by the boss", name="Asha", by=boss.annotator_id)
    assert store.accept_invitation("by the boss", NewAccount("Asha", "x")).annotator_id == asha.id
    assert store.person(asha.id).roles == {one.id: Role.LEAD, other.id: Role.LEAD}


def test_a_link_ends_with_the_right_to_make_it(store: Store) -> None:
    project, other = new_project(store), new_project(store, "other")
    new_account(store, "Root", administrator=True)
    bob = new_account(store, "Bob", administrator=True).annotator_id
    store.set_role(project.id, new_account(store).annotator_id, Role.LEAD)
    for where in (project, other):
        invite(store, where, f"to {where.id}", by=bob)
    store.set_role(project.id, bob, Role.LEAD)
    store.set_administrator(bob, False)
    assert [len(store.invitations(where.id)) for where in (project, other)] == [1, 0]
    store.set_role(project.id, bob, Role.CURATOR)
    assert store.invitations(project.id) == []


def test_of_many_who_use_a_link_at_the_same_time_one_gets_in(store: Store) -> None:
    invite(store, new_project(store))

    def accept(name: str) -> bool:
        try:
            store.accept_invitation("t", NewAccount(name, "x"))
        except ManerError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(accept, ("A", "B", "C", "D"))) == 1
    assert len(store.accounts()) == 1


def test_an_invitation_ends_with_time_and_can_be_withdrawn(store: Store, raw: RawDatabase) -> None:
    project, other = new_project(store), new_project(store, "other")
    invite(store, project, "old")
    raw.execute("UPDATE invitations SET expires_at = created_at")
    assert store.invitations(project.id) == []
    with pytest.raises(NotFound, match="too old"):
        store.accept_invitation("old", NewAccount("Juma", "x"))
    new = invite(store, project, "new")
    with pytest.raises(NotFound, match="no such invitation"):
        store.withdraw_invitation(other.id, new.id)
    store.withdraw_invitation(project.id, new.id)
    with pytest.raises(NotFound):
        store.accept_invitation("new", NewAccount("Juma", "x"))
    assert store.accounts() == []


def test_a_name_in_an_invitation_is_the_name_of_the_account(store: Store) -> None:
    project = new_project(store)
    juma = store.annotator("Juma")
    invite(store, project, name=" juma ")
    assert store.accept_invitation("t", NewAccount("Somebody else", "x")).annotator_id == juma.id


def test_a_link_used_under_the_name_of_an_account_says_how_its_owner_joins(store: Store) -> None:
    project = new_project(store)
    new_account(store)
    for token, name, otherwise in (
        ("any", "", "choose another one"),
        ("hers", "asha", "ask for a link without a name"),
    ):
        invite(store, project, token, name=name)
        says = f"the name 'Asha' is taken; if it is yours, sign in first and open the link again, else {otherwise}"
        with pytest.raises(Refused, match=f"^{says}$"):
            store.accept_invitation(token, NewAccount("asha", "x"))
        assert store.invitation(token).project == project.settings.name


def test_somebody_with_an_account_gets_the_role_but_never_a_lower_one(store: Store) -> None:
    project = new_project(store)
    asha = new_account(store)
    store.invite("up", project.id, Role.CURATOR)
    store.accept_invitation("up", asha.annotator_id)
    assert store.person(asha.annotator_id).roles == {project.id: Role.CURATOR}
    invite(store, project, "down")
    store.accept_invitation("down", asha.annotator_id)
    assert store.person(asha.annotator_id).roles == {project.id: Role.CURATOR}


def test_an_invitation_without_a_project_makes_an_administrator(store: Store) -> None:
    store.annotator("Asha")
    store.invite("old", None, None)
    store.withdraw_first_invitations()
    with pytest.raises(NotFound):
        store.invitation("old")
    store.invite("t", None, None)
    asha = store.accept_invitation("t", NewAccount("Asha", "x"))
    assert asha.administrator
    assert store.has_administrator()
