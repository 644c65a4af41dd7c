"""When the tool asks for accounts, who the one person is when it does not, and who is kept out then."""

import getpass

import pytest
from signed_in import sign_in
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from store_helpers import add_pool, draft, new_project, save

from annotation.access import Access, OnlyThisMachine, SafeHeaders, asks_for_accounts, is_loopback, open_access
from annotation.settings import Settings
from maner_core.errors import InvalidConfig
from storage import Store


def settings(**environment: str) -> Settings:
    return Settings.from_environment({"MANER_HOME": "/nowhere", **environment})


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_some_addresses_are_for_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "0.0.0.0", "::", "192.168.1.7", "example.org", "localhost.example.org", "1"]
)
def test_all_other_addresses_are_not(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("switch", "address", "has_accounts", "asks"),
    [
        ("", "127.0.0.1", False, False),
        ("", "127.0.0.1", True, True),
        ("", "0.0.0.0", False, True),
        ("", None, False, True),
        ("on", "127.0.0.1", False, True),
        ("off", "127.0.0.1", True, False),
    ],
)
def test_when_accounts_are_asked_for(
    store: Store, switch: str, address: str | None, has_accounts: bool, asks: bool
) -> None:
    if has_accounts:
        sign_in(store, "Juma")
    assert asks_for_accounts(store, settings(MANER_ACCOUNTS=switch), address) is asks
    assert (open_access(store, settings(MANER_ACCOUNTS=switch), address).single_user is None) is asks


@pytest.mark.parametrize("address", [None, "0.0.0.0", "192.168.1.7"])
def test_accounts_cannot_be_switched_off_for_other_machines(store: Store, address: str | None) -> None:
    with pytest.raises(InvalidConfig, match="loopback"):
        open_access(store, settings(MANER_ACCOUNTS="off"), address)


def test_a_switch_is_on_or_off() -> None:
    with pytest.raises(InvalidConfig, match="MANER_ACCOUNTS is 'perhaps'"):
        settings(MANER_ACCOUNTS="perhaps")


def test_the_one_person_is_who_the_environment_names(store: Store) -> None:
    found = open_access(store, settings(MANER_USER=" Asha "), "127.0.0.1").single_user
    assert found == store.annotator("asha")


def test_the_one_person_is_who_has_labelled_alone(store: Store) -> None:
    project = new_project(store)
    juma = store.annotator("Juma")
    save(store, project, juma.id, draft(add_pool(store, project, 1)[0]))
    assert open_access(store, settings(), "127.0.0.1").single_user == juma


@pytest.mark.parametrize(("login", "name"), [("asha", "asha"), ("two\nlines", "me"), (KeyError("uid"), "me")])
def test_else_the_one_person_is_called_as_they_log_in(
    store: Store, monkeypatch: pytest.MonkeyPatch, login: str | Exception, name: str
) -> None:
    def getuser() -> str:
        if isinstance(login, Exception):
            raise login
        return login

    monkeypatch.setattr(getpass, "getuser", getuser)
    found = open_access(store, settings(), "127.0.0.1").single_user
    assert found is not None
    assert found.name == name


def test_the_one_person_may_do_everything_without_a_cookie(store: Store) -> None:
    asha = store.annotator("Asha")
    alone = Access(store, asha)
    for cookie in (None, "anything"):
        person = alone.person(cookie)
        assert person is not None
        assert (person.annotator, person.administrator) == (asha, True)


def test_a_token_made_without_accounts_ends_when_accounts_begin_and_the_other_way_round(store: Store) -> None:
    person = sign_in(store, "Juma")
    alone, together = Access(store, store.annotator("Asha")), Access(store, None)
    assert alone.holder(person.annotator.id, "") is not None
    assert together.holder(person.annotator.id, "") is None
    assert together.holder(person.annotator.id, person.session) is not None
    assert alone.holder(person.annotator.id, person.session) is None


def test_a_token_is_for_the_person_of_its_session(store: Store) -> None:
    asha, juma = sign_in(store, "Asha"), sign_in(store, "Juma")
    assert Access(store, None).holder(juma.annotator.id, asha.session) is None


# Who comes in while the tool serves one person.


def client(applies: bool = True, address: str = "127.0.0.1") -> TestClient:
    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("the page")

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")

    app = Starlette(routes=[Route("/", page), WebSocketRoute("/talk", talk)])
    app.add_middleware(SafeHeaders)
    app.add_middleware(OnlyThisMachine, applies=lambda: applies)
    return TestClient(app, base_url="http://127.0.0.1:8501", client=(address, 50_000))


FOREIGN = [
    {"host": "rebound.example.org"},
    {"host": "127.0.0.1.example.org:8501"},
    {"host": "["},
    {"x-forwarded-for": "10.0.0.9"},
    {"x-forwarded-host": "ner.example.org"},
    {"forwarded": "for=10.0.0.9"},
    {"via": "1.1 proxy"},
]


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "localhost"])
def test_this_machine_comes_in(host: str) -> None:
    with client() as browser:
        answer = browser.get("/", headers={"host": host})
        assert (answer.text, answer.headers["x-frame-options"]) == ("the page", "SAMEORIGIN")
        with browser.websocket_connect("/talk", headers={"host": host}) as websocket:
            assert websocket.receive_text() == "hello"


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: "-".join(headers.values()))
def test_others_do_not(headers: dict[str, str]) -> None:
    with client() as browser:
        answer = browser.get("/", headers=headers)
        assert (answer.status_code, "MANER_ACCOUNTS=on" in answer.text) == (403, True)
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect("/talk", headers=headers):
            pass


def test_another_machine_does_not_come_in() -> None:
    with client(address="192.168.1.7") as browser:
        assert browser.get("/").status_code == 403


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: "-".join(headers.values()))
def test_with_accounts_everybody_may_knock(headers: dict[str, str]) -> None:
    with client(applies=False, address="192.168.1.7") as browser:
        assert browser.get("/", headers=headers).text == "the page"
