"""Every role against every route and every page: what the server lets them do, whatever a browser shows."""

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from signed_in import SignedIn, sign_in
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from annotation.access import Access
from annotation.account_routes import COOKIE
from annotation.api import Api, mint_token
from annotation.labels import make_labels
from annotation.queue_filling import top_up
from annotation.ui import navigation, session
from storage import NewSentence, Person, Project, ProjectSettings, Role, Status, Store

SECRET = "a secret of the tests"
KINDS = ("nobody", "outsider", "annotator", "curator", "lead", "administrator", "disabled")
LABELLERS = ("annotator", "curator", "lead", "administrator")
CURATORS = ("curator", "lead", "administrator")
LEADS = ("lead", "administrator")
PAGES = {
    "annotate": LABELLERS,
    "dashboard": CURATORS,
    "runs": CURATORS,
    "agreement": CURATORS,
    "review": CURATORS,
    "data": CURATORS,
    "simulation": LEADS,
    "project": LEADS,
    "people": LEADS,
    "you": ("outsider", *LABELLERS),
}


@dataclass
class World:
    """A project, another one, and one person of each kind."""

    store: Store
    project: Project
    other: Project
    people: dict[str, SignedIn]

    def token(self, kind: str, project: Project | None = None) -> str:
        """What the editor of this person would send; for nobody a forged one."""
        project_id = (project or self.project).id
        if kind == "nobody":
            return mint_token("another key", project_id, 1)
        person = self.people[kind]
        return mint_token(SECRET, project_id, person.annotator.id, person.session)


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """The world, made once, and its database to copy for every test."""
    path = tmp_path_factory.mktemp("world") / "maner.db"
    shutil.copy(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    project, other = (
        store.create_project(ProjectSettings(name=name, labels=make_labels(("PER", "LOC"))))
        for name in ("Habari", "Siri")
    )
    for one in (project, other):
        new = [NewSentence(("Asha", "yuko", f"{one.settings.name}{i}")) for i in range(30)]
        store.add_sentences(one.id, new, None, "test")
        top_up(store, one.id)
    people = {}
    for kind in KINDS[1:]:
        role = {"outsider": Role.LEAD, "disabled": Role.LEAD, "administrator": None}.get(kind, Role.ANNOTATOR)
        role = Role(kind) if kind in list(Role) else role
        where = other if kind == "outsider" else project
        people[kind] = sign_in(store, kind.title(), role, where.id, administrator=kind == "administrator")
    store.set_disabled(people["disabled"].annotator.id, True)
    store.close()
    return path, World(store, project, other, people)


@pytest.fixture
def world(made: tuple[Path, World], tmp_path: Path, page_store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    path, world = made
    shutil.copy(path, tmp_path / "maner.db")
    monkeypatch.setenv("MANER_ACCOUNTS", "on")
    return replace(world, store=page_store)


@pytest.fixture
def browser(world: World) -> Iterator[TestClient]:
    access = Access(world.store, None)
    with TestClient(Starlette(routes=Api(lambda: access, lambda: SECRET).routes())) as browser:
        yield browser


def demote_lead(world: World) -> None:
    """The lead is a curator from now on; another one leads."""
    world.store.set_role(world.project.id, world.people["outsider"].annotator.id, Role.LEAD)
    world.store.set_role(world.project.id, world.people["lead"].annotator.id, Role.CURATOR)


def sync(browser: TestClient, token: str, **changes: Any) -> Any:
    body = {"seq": 1, "nonce": "n", "client": "tab", "outbox": [], "have": [], "want": 5} | changes
    return browser.post("/api/sync", json=body, headers={"Authorization": f"Bearer {token}"})


def finished(sentence: int, spans: list[list[object]]) -> dict[str, object]:
    return {
        "id": str(uuid.uuid4()), "sentence": sentence, "status": "labelled", "spans": spans, "comment": "a note",
        "time": int(1000 * time.time()), "milliseconds": 900, "run": None, "supersedes": None,
    }  # fmt: skip


# Routes.


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_label(world: World, browser: TestClient, kind: str) -> None:
    answer = sync(browser, world.token(kind))
    expected = 200 if kind in LABELLERS else 404 if kind == "outsider" else 401
    assert answer.status_code == expected
    assert ("batch" in answer.json()) is (expected == 200)


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_label_in_another_project(world: World, browser: TestClient, kind: str) -> None:
    expected = {"outsider": 200, "administrator": 200, "nobody": 401, "disabled": 401}.get(kind, 404)
    assert sync(browser, world.token(kind, world.other)).status_code == expected


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_export(world: World, browser: TestClient, kind: str) -> None:
    if kind != "nobody":
        browser.cookies.set(COOKIE, world.people[kind].cookie)
    expected = {"nobody": 401, "disabled": 401, "outsider": 404, "annotator": 403}.get(kind, 200)
    answer = browser.get(f"/api/export/{world.project.id}")
    assert answer.status_code == expected
    elsewhere = {"nobody": 401, "disabled": 401, "outsider": 200, "administrator": 200}.get(kind, 404)
    assert browser.get(f"/api/export/{world.other.id}").status_code == elsewhere


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_cannot_start_an_export(world: World, browser: TestClient, site: str) -> None:
    browser.cookies.set(COOKIE, world.people["lead"].cookie)
    assert browser.get(f"/api/export/{world.project.id}", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_a_token_ends_with_its_session(world: World, browser: TestClient) -> None:
    token = world.token("annotator")
    assert sync(browser, token).status_code == 200
    world.store.end_session(world.people["annotator"].session)
    answer = sync(browser, token)
    assert answer.status_code == 401
    assert "reload the page" in answer.json()["error"]


def test_a_role_that_ended_ends_at_the_next_request(world: World, browser: TestClient) -> None:
    token = world.token("annotator")
    world.store.set_role(world.project.id, world.people["annotator"].annotator.id, None)
    assert sync(browser, token).status_code == 404


def test_a_forged_role_is_nothing(world: World, browser: TestClient) -> None:
    answer = sync(browser, world.token("annotator"), role="lead", annotator=world.people["lead"].annotator.id)
    assert answer.status_code == 200
    browser.cookies.set(COOKIE, world.people["annotator"].cookie)
    export = browser.get(f"/api/export/{world.project.id}", headers={"X-Role": "lead", "X-Remote-User": "Lead"})
    assert export.status_code == 403


def test_an_annotator_is_shown_nothing_of_what_others_answered(world: World, browser: TestClient) -> None:
    curator, annotator = world.token("curator"), world.token("annotator")
    for item in sync(browser, curator).json()["batch"]:
        sync(browser, curator, outbox=[finished(item["id"], [[2, 3, "LOC"]])], want=0)
    sentence = next(
        row.sentence.id for row in world.store.export_rows(world.project.id, None, {Status.LABELLED}, False)
    )
    answer = sync(browser, annotator, have=[sentence], want=20).json()
    assert answer["batch"]
    assert sentence not in [item["id"] for item in answer["batch"]]
    assert all(item["suggestions"] == [] for item in answer["batch"])
    assert "a note" not in str(answer)


def test_a_sentence_of_another_project_is_neither_taken_nor_given(world: World, browser: TestClient) -> None:
    foreign = next(world.store.sentences(world.other.id, None)).id
    answer = sync(browser, world.token("lead"), outbox=[finished(foreign, [])], have=[foreign])
    assert answer.json()["acks"] == []
    assert len(answer.json()["rejects"]) == 1
    assert foreign not in [item["id"] for item in answer.json()["batch"]]
    assert world.store.progress(world.other.id).labelled == 0


# Pages.


def open_page(world: World, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> AppTest:
    cookie = None if kind == "nobody" else world.people[kind].cookie
    monkeypatch.setattr(session, "session_cookie", lambda: cookie)
    app = AppTest.from_string(f"from annotation.ui import {name}\n{name}.page()", default_timeout=60)
    app.query_params["project"] = str(world.project.id)
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PAGES)
def test_who_sees_which_page(world: World, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    app = open_page(world, monkeypatch, kind, name)
    titles = [title.value for title in app.title]
    if kind in ("nobody", "disabled"):
        assert titles == ["Welcome"]
        assert not app.button
    elif kind == "outsider" and name != "you":
        assert "Habari" not in str(app._tree)  # their own project, whatever the address says
    elif kind in PAGES[name]:
        assert not app.error
    else:
        assert [error.value.partition(" as ")[0] for error in app.error] != []
        assert "You may not" in app.error[0].value
        assert not app.button
        assert not app.dataframe


def script(monkeypatch: pytest.MonkeyPatch, world: World, kind: str) -> AppTest:
    cookie = None if kind == "nobody" else world.people[kind].cookie
    monkeypatch.setattr(session, "session_cookie", lambda: cookie)
    root = Path(__file__).parents[1]
    app = AppTest.from_file(str(root / "annotation" / "ui" / "main.py"), default_timeout=60).run()
    assert not app.exception
    return app


def test_a_person_is_offered_their_own_projects_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert script(monkeypatch, world, "annotator").query_params["project"] == str(world.project.id)
    assert script(monkeypatch, world, "outsider").query_params["project"] == str(world.other.id)
    both = script(monkeypatch, world, "administrator").sidebar.selectbox[0]
    assert both.options == ["Habari", "Siri"]


def test_the_menu_is_that_of_the_project_picked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.set_role(world.other.id, world.people["annotator"].annotator.id, Role.LEAD)
    offered: list[tuple[str, ...]] = []
    pages = navigation.pages

    def seen(person: Person, project: Project | None) -> Sequence[Any]:
        found = pages(person, project)
        offered.append(tuple(page.title for page in found))
        return found

    monkeypatch.setattr(navigation, "pages", seen)
    app = script(monkeypatch, world, "annotator")
    assert "Dashboard" in offered[-1]  # of the newest project, which they lead
    app.sidebar.selectbox[0].set_value(world.project.id).run()
    assert app.query_params["project"] == str(world.project.id)
    assert "Dashboard" not in offered[-1]


def test_pages_that_are_not_offered_say_who_may_see_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[str] = []
    hidden_pages = navigation.hidden_pages

    def seen(person: Person, project: Project | None) -> Sequence[Any]:
        found = hidden_pages(person, project)
        hidden.extend(page.url_path for page in found)
        return found

    monkeypatch.setattr(navigation, "hidden_pages", seen)
    script(monkeypatch, world, "annotator")
    assert sorted(hidden) == sorted({*PAGES, "annotate", "join"} - {"you"})


def test_the_page_script_asks_who_is_there_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [title.value for title in script(monkeypatch, world, "nobody").title] == ["Welcome"]


def test_somebody_in_no_project_is_told_how_to_get_into_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.set_role(world.project.id, world.people["annotator"].annotator.id, None)
    app = script(monkeypatch, world, "annotator")
    assert "invitation link" in app.markdown[-1].value
    assert not app.button


def test_a_part_that_runs_alone_asks_again_whether_it_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "session_cookie", lambda: world.people["annotator"].cookie)
    alone = "from annotation.ui import review, session\nreview._decide(session.chosen_project())"
    app = AppTest.from_string(alone, default_timeout=60).run()
    assert "You may not" in app.error[0].value
    assert not app.caption


@pytest.mark.parametrize("kind", ["annotator", *CURATORS])
def test_who_may_release_the_evaluation_sentences(world: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    world.store.start_run(world.project.id, 1, {}, 1, 0, 0)
    app = open_page(world, monkeypatch, kind, "runs")
    offered = [button for button in app.button if button.label == "Start the final training"]
    assert bool(offered) is (kind in LEADS)
    if offered and kind == "lead":  # asked again when pressed
        demote_lead(world)
        app.text_input[0].set_value("no estimate is left")
        offered[0].click().run()
        assert "Start the final training" not in [button.label for button in app.button]
        assert world.store.final_request(world.project.id) is None


def test_a_callback_asks_again_whether_it_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(world, monkeypatch, "lead", "project")
    every = next(field for field in app.number_input if "new labels" in field.label)
    every.set_value(40).run()
    demote_lead(world)
    next(button for button in app.button if button.label == "Save").click().run()
    assert "You may not" in app.error[0].value
    assert world.store.project(world.project.id).settings.retrain_every == 25
