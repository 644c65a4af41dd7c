"""Accounts from the terminal: what `python -m annotation user` does and says."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from annotation import accounts
from annotation.cli import main
from annotation.settings import Settings
from storage import ProjectSettings, Role, Store

PASSWORD = "maji ya kunywa"

Type = Callable[[str], None]


@pytest.fixture
def store(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.setenv("MANER_DATABASE_URL", sqlite_url)
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts._nobodys_hash.cache_clear()
    store = Store(Settings.from_environment().database_url)
    store.create_project(ProjectSettings(name="Habari"))
    yield store
    store.close()


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Sets what is typed; a password to begin with."""

    def type_in(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    type_in(f"{PASSWORD}\n")
    return type_in


def test_an_account_made_at_the_terminal_signs_in(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "add", "Asha", "--project", "Habari", "--role", "curator"]) == 0
    output = capsys.readouterr()
    assert "Asha has an account, curator in Habari." in output.out
    assert PASSWORD not in output.out + output.err
    assert accounts.sign_in(store, "asha", PASSWORD, "here")
    [project] = store.projects()
    assert store.person(store.account_of("Asha").annotator_id).roles == {project.id: Role.CURATOR}


def test_an_administrator_can_be_made_and_may_take_the_name_they_labelled_under(store: Store) -> None:
    asha = store.annotator("Asha")
    assert main(["user", "add", "asha", "--administrator"]) == 0
    account = store.account_of("Asha")
    assert (account.annotator_id, account.administrator) == (asha.id, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "Juma", "--project", "Nyingine"], "no project named 'Nyingine'"),
        (["add", "Juma", "--role", "owner"], "no role 'owner'; there are: annotator, curator, lead"),
        (["add", "x" * 61], "a name of 1 to 60 characters"),
        (["role", "Juma", "--project", "Habari", "lead"], "no account named 'Juma'"),
        (["password", "Juma"], "no account named 'Juma'"),
        (["disable", "Juma"], "no account named 'Juma'"),
        (["enable", "Juma"], "no account named 'Juma'"),
        (["list", "--project", "Nyingine"], "no project named 'Nyingine'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["user", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert store.accounts() == []


def test_an_easy_password_is_refused(store: Store, typed: Type) -> None:
    typed("short\n")
    assert main(["user", "add", "Asha"]) == 1
    typed("")
    assert main(["user", "add", "Asha"]) == 1
    assert store.accounts() == []


def test_a_role_is_changed_and_ended(store: Store) -> None:
    main(["user", "add", "Asha"])
    asha = store.account_of("Asha").annotator_id
    [project] = store.projects()
    assert main(["user", "role", "Asha", "--project", "Habari", "curator"]) == 0
    assert store.person(asha).roles == {project.id: Role.CURATOR}
    assert main(["user", "role", "Asha", "--project", "Habari", "none"]) == 0
    assert store.person(asha).roles == {}


def test_the_last_lead_stays_also_for_the_terminal(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    main(["user", "add", "Asha", "--project", "Habari", "--role", "lead"])
    assert main(["user", "role", "Asha", "--project", "Habari", "none"]) == 1
    assert "nobody else leads this project; make somebody else a lead first" in capsys.readouterr().err
    [project] = store.projects()
    assert store.roles(store.account_of("Asha").annotator_id) == {project.id: Role.LEAD}


def test_a_new_password_takes_the_place_of_the_old_one(store: Store, typed: Type) -> None:
    main(["user", "add", "Asha"])
    session = accounts.sign_in(store, "Asha", PASSWORD, "here")
    typed("chai na mandazi\r\n")
    assert main(["user", "password", "Asha"]) == 0
    assert accounts.session_person(store, accounts.hash_of(session)) is None
    assert accounts.sign_in(store, "Asha", "chai na mandazi", "here")
    with pytest.raises(accounts.NotSignedIn):
        accounts.sign_in(store, "Asha", PASSWORD, "here")


def test_an_account_is_disabled_and_enabled(store: Store) -> None:
    main(["user", "add", "Asha"])
    assert main(["user", "disable", "asha"]) == 0
    assert store.account_of("Asha").disabled
    assert main(["user", "enable", "asha"]) == 0
    assert not store.account_of("Asha").disabled


def test_people_are_listed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "list"]) == 0
    assert capsys.readouterr().out == "Nobody yet.\n"
    main(["user", "add", "Asha", "--administrator"])
    capsys.readouterr()
    assert main(["user", "list"]) == 0
    assert capsys.readouterr().out == "Asha: administrator, 0 sentences, 0 in the last 24 hours\n"
    assert main(["user", "list", "--json"]) == 0
    [person] = json.loads(capsys.readouterr().out)["people"]
    assert (person["name"], person["administrator"], person["has_account"]) == ("Asha", True, True)
    assert main(["user", "list", "--project", "Habari"]) == 0
    assert capsys.readouterr().out == "Nobody yet.\n"
