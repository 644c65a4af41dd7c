"""The table of roles and actions, asked of people as the store knows them."""

from collections.abc import Iterator

import pytest

from annotation.permissions import ANYWHERE, IN_PROJECT, Action, may, require
from maner_core.errors import NotAllowed, NotFound
from storage import NewAccount, Person, ProjectSettings, Role, Store

# What each may do in the project they have the role in: written out by hand, beside the table of the code.
ALLOWED = {
    "nobody": set[Action](),
    "annotator": {Action.LABEL},
    "curator": {Action.LABEL, Action.SEE_PROGRESS, Action.SEE_ANSWERS, Action.REVIEW, Action.EXPORT},
    "lead": set(Action) - {Action.ADMINISTRATE},
    "administrator": set(Action),
    "disabled lead": set[Action](),
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, dict[str, Person]]]:
    """Two projects, and one person of each kind, who have their role in the first one."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('people') / 'maner.db'}")
    store.migrate()
    project, other = (store.create_project(ProjectSettings(name=name)).id for name in ("one", "two"))
    found = {}
    for kind in ALLOWED:
        account = store.create_account(NewAccount(kind, "x"), administrator=kind == "administrator")
        role = kind.split()[-1]
        if role in list(Role):
            store.set_role(project, account.annotator_id, Role(role))
        store.set_disabled(account.annotator_id, kind.startswith("disabled"))
        found[kind] = store.person(account.annotator_id)
    yield project, other, found
    store.close()


def test_every_action_is_in_one_table() -> None:
    assert set(IN_PROJECT) | set(ANYWHERE) == set(Action)
    assert set(IN_PROJECT).isdisjoint(ANYWHERE)


@pytest.mark.parametrize("action", Action, ids=lambda action: action.name)
@pytest.mark.parametrize("kind", ALLOWED)
def test_a_role_allows_what_the_table_says(
    people: tuple[int, int, dict[str, Person]], kind: str, action: Action
) -> None:
    project, other, found = people
    person = found[kind]
    allowed = action in ALLOWED[kind]
    assert may(person, action, project) is allowed
    if allowed:
        require(person, action, project)
    else:
        with pytest.raises(NotAllowed if project in person.roles else NotFound):
            require(person, action, project)
    # A role in one project is none in another.
    if action in IN_PROJECT and kind != "administrator":
        assert not may(person, action, other)
        with pytest.raises(NotFound, match=f"no project {other}"):
            require(person, action, other)
        assert not may(person, action)


def test_a_refusal_says_what_and_as_whom(people: tuple[int, int, dict[str, Person]]) -> None:
    project, _, found = people
    with pytest.raises(NotAllowed, match="You may not export the project as annotator; ask a lead"):
        require(found["annotator"], Action.EXPORT, project)
    with pytest.raises(NotAllowed, match="You may not create a project; ask"):
        require(found["annotator"], Action.CREATE_PROJECT)
