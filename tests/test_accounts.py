"""Signing in and out, joining by a link, and what leads may do with accounts: over HTTP, on the real store and argon2."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from signed_in import SignedIn, sign_in
from starlette.applications import Starlette
from starlette.testclient import TestClient
from store_helpers import RawDatabase, add_pool, new_project, queue

from annotation import accounts
from annotation.access import Access
from annotation.account_routes import COOKIE, mint_identity
from annotation.api import Api
from maner_core.errors import InvalidInput, NotAllowed, NotFound, Refused
from storage import NewAccount, Person, Project, Role, Split, Store

SECRET = "a secret of the tests"
PAGE = {"X-Requested-With": "maner"}
PASSWORD = "maji ya kunywa"
IDENTITY = "https://id.example 17"
PATHS = ("/api/sign-in", "/api/sign-out", "/api/invitation", "/api/join")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2 as ever, but with little work."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    accounts._nobodys_hash.cache_clear()


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


@pytest.fixture
def raw(store: Store, sqlite_url: str) -> Iterator[RawDatabase]:
    raw = RawDatabase(sqlite_url)
    yield raw
    raw.close()


@pytest.fixture
def access(store: Store) -> Access:
    return Access(store, None)


@pytest.fixture
def browser(access: Access) -> Iterator[TestClient]:
    app = Starlette(routes=Api(lambda: access, lambda: SECRET).routes())
    with TestClient(app, base_url="http://127.0.0.1:8501", headers=PAGE) as browser:
        yield browser


@pytest.fixture
def project(store: Store) -> Project:
    return new_project(store)


@pytest.fixture
def lead(store: Store, project: Project) -> SignedIn:
    return sign_in(store, "Lead", Role.LEAD, project.id)


@pytest.fixture
def asha(store: Store) -> int:
    return accounts.create_account(store, "Asha", PASSWORD).annotator_id


def person(access: Access, browser: TestClient) -> Person | None:
    return access.person(browser.cookies.get(COOKIE))


def give(browser: TestClient, name: str = "Asha", password: str = PASSWORD) -> Any:
    return browser.post("/api/sign-in", json={"name": name, "password": password})


def link(store: Store, project: Project, lead: SignedIn, role: Role = Role.ANNOTATOR, name: str = "") -> str:
    return accounts.invite(store, store.person(lead.annotator.id), project.id, role, name)[0]


# Signing in.


def test_a_name_and_its_password_sign_in_by_a_cookie_no_script_can_read(
    browser: TestClient, access: Access, asha: int
) -> None:
    answer = give(browser, " asha ")
    assert (answer.status_code, answer.json()) == (200, {})
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/;", "max-age=2592000"))
    assert "secure" not in cookie
    found = person(access, browser)
    assert found is not None
    assert found.annotator.id == asha


def test_behind_https_the_cookie_never_travels_without_it(browser: TestClient, asha: int) -> None:
    fields = {"name": "Asha", "password": PASSWORD}
    answer = browser.post("/api/sign-in", json=fields, headers={"x-forwarded-proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_only_hashes_are_kept(browser: TestClient, raw: RawDatabase, asha: int) -> None:
    give(browser)
    [(password_hash,)] = raw.execute("SELECT password_hash FROM accounts")
    assert password_hash.startswith("$argon2id$")
    [(token_hash,)] = raw.execute("SELECT token_hash FROM sessions")
    assert token_hash == accounts.hash_of(browser.cookies[COOKIE])
    assert PASSWORD not in password_hash
    assert browser.cookies[COOKIE] not in token_hash


def test_a_password_is_the_same_however_the_keyboard_composes_it(browser: TestClient, store: Store) -> None:
    accounts.create_account(store, "Zoë", unicodedata.normalize("NFD", "Çöpçü Özgür"))
    assert give(browser, "Zoë", unicodedata.normalize("NFC", "Çöpçü Özgür")).status_code == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [("Asha", "wrong password"), ("Nobody", PASSWORD), ("Asha", ""), ("", PASSWORD), ("x" * 300, "x")],
)
def test_what_is_wrong_is_not_said(browser: TestClient, asha: int, name: str, password: str) -> None:
    answer = give(browser, name, password)
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "This name and password do not belong together. Please check both."},
    )
    assert "set-cookie" not in answer.headers


def test_who_is_disabled_or_has_no_password_cannot_sign_in(browser: TestClient, store: Store, asha: int) -> None:
    store.set_disabled(asha, True)
    store.create_account(NewAccount("Juma", identity=IDENTITY))
    assert give(browser).status_code == 401
    assert give(browser, "Juma").status_code == 401


@pytest.mark.parametrize(
    "fields", [{}, {"name": "Asha"}, {"name": 5, "password": "x"}, {"name": "Asha", "password": "x" * 201}]
)
def test_a_sign_in_needs_two_texts(browser: TestClient, fields: dict[str, object]) -> None:
    assert browser.post("/api/sign-in", json=fields).status_code == 400


def test_wrong_tries_make_the_next_ones_slower_also_the_right_one(
    browser: TestClient, raw: RawDatabase, asha: int
) -> None:
    statuses = [give(browser, password="guess number 1").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = give(browser)
    assert answer.status_code == 429
    assert "wait" in answer.json()["error"]
    assert int(answer.headers["retry-after"]) >= 1
    raw.execute("UPDATE sign_in_tries SET free_at = last_at")
    assert give(browser).status_code == 200
    assert give(browser, password="guess number 2").status_code == 401


def test_an_address_that_guesses_at_many_names_is_slowed_down(browser: TestClient, asha: int) -> None:
    statuses = [give(browser, f"Name {number}").status_code for number in range(21)]
    assert statuses == [401] * 20 + [429]
    assert give(browser).status_code == 429


def test_neither_names_nor_passwords_stand_among_the_tries(browser: TestClient, raw: RawDatabase) -> None:
    give(browser, "a password typed as a name", "x")
    keys = sorted(key for (key,) in raw.execute("SELECT key FROM sign_in_tries"))
    assert keys[0] == "address:testclient"
    assert "typed" not in keys[1]


def test_a_subscriber_of_ipv6_is_one_address() -> None:
    assert accounts._network("2001:db8:1:2:3:4:5:6") == accounts._network("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert accounts._network("10.0.0.1") != accounts._network("10.0.0.2")


def test_a_password_hashed_by_weaker_parameters_is_hashed_anew(
    browser: TestClient, raw: RawDatabase, asha: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert give(browser).status_code == 200
    assert ",t=2," in raw.execute("SELECT password_hash FROM accounts")[0][0]
    assert give(browser).status_code == 200


def test_signing_in_again_ends_the_session_before(browser: TestClient, access: Access, asha: int) -> None:
    give(browser)
    first = browser.cookies[COOKIE]
    give(browser)
    assert access.person(first) is None
    assert person(access, browser) is not None


def test_signing_out_ends_the_session_and_gives_back_what_was_held(
    browser: TestClient, access: Access, store: Store, project: Project, asha: int
) -> None:
    give(browser)
    cookie = browser.cookies[COOKIE]
    queue(store, project, add_pool(store, project, 3))
    store.claim(project.id, asha, "tab", Split.POOL, 2)
    answer = browser.post("/api/sign-out", json={})
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert access.person(cookie) is None
    assert store.ready(project.id, Split.POOL) == 3
    assert browser.post("/api/sign-out", json={}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [{"X-Requested-With": ""}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
    ids=["without-our-header", "from-another-site", "from-a-sister-site"],
)
def test_a_page_of_another_site_can_do_nothing(
    browser: TestClient, asha: int, path: str, headers: dict[str, str]
) -> None:
    answer = browser.post(path, json={"name": "Asha", "password": PASSWORD, "invitation": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/api/sign-out"])
def test_without_accounts_there_is_nothing_to_sign_in_to(store: Store, path: str) -> None:
    alone = Access(store, store.annotator("Asha"))
    with TestClient(Starlette(routes=Api(lambda: alone, lambda: SECRET).routes()), headers=PAGE) as browser:
        assert browser.post(path, json={}).status_code == 409


# An identity provider.


def test_somebody_an_identity_provider_knows_signs_in_without_a_password(
    browser: TestClient, access: Access, store: Store
) -> None:
    account = store.create_account(NewAccount("Juma", identity=IDENTITY))
    answer = browser.post("/api/sign-in", json={"identity": mint_identity(SECRET, IDENTITY)})
    assert answer.status_code == 200
    found = person(access, browser)
    assert found is not None
    assert found.annotator.id == account.annotator_id


@pytest.mark.parametrize(
    "identity",
    ["nonsense", mint_identity("another key", IDENTITY), mint_identity(SECRET, "x y"), ""],
    ids=["no-token", "signed-by-another", "known-to-nobody", "empty"],  # a token differs from second to second
)
def test_an_identity_nobody_vouches_for_or_nobody_knows_is_refused(
    browser: TestClient, store: Store, identity: str
) -> None:
    store.create_account(NewAccount("Juma", identity=IDENTITY))
    assert browser.post("/api/sign-in", json={"identity": identity}).status_code in (400, 401)
    assert COOKIE not in browser.cookies


# Joining.


def test_a_link_says_what_it_is_for_and_lets_one_person_in(
    browser: TestClient, access: Access, store: Store, project: Project, lead: SignedIn
) -> None:
    token = link(store, project, lead)
    about = browser.post("/api/invitation", json={"invitation": token}).json()
    assert about == {"project": "demo", "role": "annotator", "name": "", "by": "Lead", "as": None}
    fields = {"invitation": token, "name": "Juma", "password": PASSWORD}
    assert browser.post("/api/join", json=fields).status_code == 200
    found = person(access, browser)
    assert found is not None
    assert (found.annotator.name, found.roles) == ("Juma", {project.id: Role.ANNOTATOR})
    browser.cookies.clear()
    assert browser.post("/api/join", json={**fields, "name": "Neema"}).status_code == 404
    assert browser.post("/api/invitation", json={"invitation": token}).status_code == 404
    assert give(browser, "Juma").status_code == 200


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("Juma", "too short", 400),
        ("Juma", "aaaaaaaaaaaa", 400),
        ("Juma Mwangi", "juma mwangi", 400),
        ("Juma", None, 400),
        ("two\nlines", PASSWORD, 400),
        ("", PASSWORD, 400),
        ("Lead", PASSWORD, 409),
    ],
)
def test_who_is_refused_at_the_door_may_try_the_link_again(
    browser: TestClient, store: Store, project: Project, lead: SignedIn, name: str, password: object, status: int
) -> None:
    token = link(store, project, lead)
    fields = {"invitation": token, "name": name, "password": password}
    assert browser.post("/api/join", json=fields).status_code == status
    assert len(store.invitations(project.id)) == 1
    assert len(store.accounts()) == 1


@pytest.mark.parametrize("token", ["", "x", "x" * 5_000, 7, None])
def test_a_link_cannot_be_guessed(browser: TestClient, project: Project, token: object) -> None:
    for path in ("/api/invitation", "/api/join"):
        answer = browser.post(path, json={"invitation": token, "name": "Juma", "password": PASSWORD})
        assert answer.status_code in (400, 404)


def test_somebody_signed_in_joins_with_the_account_they_have(
    browser: TestClient, store: Store, project: Project, lead: SignedIn, asha: int
) -> None:
    token = link(store, project, lead, Role.CURATOR)
    assert browser.post("/api/join", json={"invitation": token}).status_code == 401
    give(browser)
    assert browser.post("/api/invitation", json={"invitation": token}).json()["as"] == "Asha"
    assert browser.post("/api/join", json={"invitation": token}).status_code == 200
    assert store.person(asha).roles == {project.id: Role.CURATOR}


def test_an_identity_joins_by_a_link_and_with_another_link_gets_a_further_role(
    browser: TestClient, store: Store, project: Project, lead: SignedIn
) -> None:
    fields = {"name": "Juma", "identity": mint_identity(SECRET, IDENTITY)}
    assert browser.post("/api/join", json={"invitation": link(store, project, lead), **fields}).status_code == 200
    account = store.account_of_identity(IDENTITY)
    assert account is not None
    assert store.person(account.annotator_id).roles == {project.id: Role.ANNOTATOR}
    token = link(store, project, lead, Role.CURATOR)
    assert browser.post("/api/join", json={"invitation": token, **fields}).status_code == 200
    assert store.person(account.annotator_id).roles == {project.id: Role.CURATOR}
    store.set_disabled(account.annotator_id, True)
    token = link(store, project, lead)
    assert browser.post("/api/join", json={"invitation": token, **fields}).status_code == 403


def test_the_first_administrator_is_who_opens_the_link_of_the_terminal(browser: TestClient, store: Store) -> None:
    first, second = accounts.invite_first_administrator(store), accounts.invite_first_administrator(store)
    assert first is not None
    assert second is not None
    fields = {"name": "Asha", "password": PASSWORD}
    assert browser.post("/api/join", json={"invitation": first, **fields}).status_code == 404
    assert browser.post("/api/join", json={"invitation": second, **fields}).status_code == 200
    assert store.account_of("Asha").administrator
    assert accounts.invite_first_administrator(store) is None


def test_a_name_that_worked_without_an_account_is_only_for_whom_a_lead_names(
    browser: TestClient, store: Store, project: Project, lead: SignedIn
) -> None:
    juma = store.annotator("Juma")
    fields = {"name": "Juma", "password": PASSWORD}
    assert browser.post("/api/join", json={"invitation": link(store, project, lead), **fields}).status_code == 409
    named = link(store, project, lead, name="juma")
    assert browser.post("/api/join", json={"invitation": named, **fields}).status_code == 200
    assert store.account(juma.id).name == "Juma"


# One's own password.


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(
    browser: TestClient, access: Access, store: Store, asha: int
) -> None:
    give(browser)
    here, elsewhere = browser.cookies[COOKIE], accounts.start_session(store, asha)
    me = store.person(asha)
    with pytest.raises(accounts.NotSignedIn):
        accounts.change_password(store, me, "wrong password", "chai na mandazi", accounts.hash_of(here), "here")
    with pytest.raises(InvalidInput, match="10 to 200"):
        accounts.change_password(store, me, PASSWORD, "short", accounts.hash_of(here), "here")
    accounts.change_password(store, me, PASSWORD, "chai na mandazi", accounts.hash_of(here), "here")
    assert access.person(here) is not None
    assert access.person(elsewhere) is None
    assert give(browser).status_code == 401
    assert give(browser, password="chai na mandazi").status_code == 200


def test_guessing_the_old_password_is_slowed_down_too(store: Store, asha: int) -> None:
    for _ in range(5):
        with pytest.raises(accounts.NotSignedIn):
            accounts.change_password(store, store.person(asha), "a wrong guess", "chai na mandazi", "", "here")
    with pytest.raises(accounts.TooManyTries):
        accounts.change_password(store, store.person(asha), PASSWORD, "chai na mandazi", "", "here")


# What leads and administrators do.


def test_only_leads_of_the_project_invite_and_change_roles(store: Store, project: Project, lead: SignedIn) -> None:
    other = new_project(store, "other")
    curator = sign_in(store, "Curator", Role.CURATOR, project.id).annotator.id
    for who, where, error in ((curator, project, NotAllowed), (lead.annotator.id, other, NotFound)):
        with pytest.raises(error):
            accounts.invite(store, store.person(who), where.id, Role.LEAD)
        with pytest.raises(error):
            accounts.set_role(store, store.person(who), where.id, curator, Role.LEAD)
    made = accounts.invite(store, store.person(lead.annotator.id), project.id, Role.LEAD)[1]
    with pytest.raises(NotAllowed):
        accounts.withdraw(store, store.person(curator), made)
    accounts.withdraw(store, store.person(lead.annotator.id), made)
    accounts.set_role(store, store.person(lead.annotator.id), project.id, curator, None)
    assert store.person(curator).roles == {}


def test_nobody_takes_the_last_lead_from_a_project(store: Store, project: Project, lead: SignedIn) -> None:
    boss = sign_in(store, "Boss", administrator=True)
    for person in (lead, boss):
        with pytest.raises(Refused, match="make somebody else a lead first"):
            accounts.set_role(store, store.person(person.annotator.id), project.id, lead.annotator.id, None)
    assert store.roles(lead.annotator.id) == {project.id: Role.LEAD}


def test_a_lead_disables_whom_they_lead_everywhere(store: Store, project: Project, lead: SignedIn, asha: int) -> None:
    other = new_project(store, "other")
    me = store.person(lead.annotator.id)
    with pytest.raises(NotAllowed):
        accounts.set_disabled(store, me, asha, True)
    store.set_role(project.id, asha, Role.ANNOTATOR)
    accounts.set_disabled(store, me, asha, True)
    assert store.account(asha).disabled
    accounts.set_disabled(store, me, asha, False)
    store.set_role(other.id, asha, Role.ANNOTATOR)
    with pytest.raises(NotAllowed, match="every project"):
        accounts.set_disabled(store, me, asha, True)
    with pytest.raises(NotAllowed):
        accounts.set_disabled(store, me, lead.annotator.id, True)


def test_administrators_are_made_and_disabled_by_administrators_alone(
    store: Store, project: Project, lead: SignedIn, asha: int
) -> None:
    store.set_role(project.id, asha, Role.ANNOTATOR)
    store.set_administrator(asha, True)
    with pytest.raises(NotAllowed):
        accounts.set_disabled(store, store.person(lead.annotator.id), asha, True)
    with pytest.raises(NotAllowed):
        accounts.set_administrator(store, store.person(lead.annotator.id), lead.annotator.id, True)
    accounts.set_administrator(store, store.person(asha), lead.annotator.id, True)
    accounts.set_disabled(store, store.person(lead.annotator.id), asha, True)
    with pytest.raises(Refused, match="nobody else"):
        accounts.set_administrator(store, store.person(lead.annotator.id), lead.annotator.id, False)
