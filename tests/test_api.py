"""The routes over HTTP on the real store: who may do what, and what comes back when a request is wrong."""

import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import open_store
from signed_in import SignedIn, sign_in
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotation import api
from annotation.access import Access
from annotation.account_routes import COOKIE, mint_identity
from annotation.api import Api, mint_token, read_secret
from annotation.http import MAX_BODY
from maner_core.errors import DatabaseUnavailable
from storage import Label, NewSentence, Project, ProjectSettings, Role, Split, Store

SECRET = "a secret of the tests"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=Api(lambda: Access(store, None), lambda: SECRET).routes())) as client:
        yield client


@pytest.fixture
def project(store: Store) -> Project:
    labels = (Label("PER", "#4477AA", "1"), Label("LOC", "#228833", "2"))
    project = store.create_project(ProjectSettings(name="Habari", labels=labels))
    store.add_sentences(project.id, [NewSentence(("Asha", "yuko", f"Mji{i}")) for i in range(30)], None, "test")
    return project


@pytest.fixture
def asha(store: Store, project: Project) -> SignedIn:
    return sign_in(store, "Asha", Role.LEAD, project.id)


def bearer(project: Project, person: SignedIn) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(SECRET, project.id, person.annotator.id, person.session)}"}


def body(**changes: Any) -> dict[str, Any]:
    return {"seq": 1, "nonce": "n", "client": "tab", "outbox": [], "have": [], "want": 5} | changes


def finished(sentence: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()), "sentence": sentence, "status": "labelled", "spans": [[0, 1, "PER"]], "comment": "",
        "time": int(1000 * time.time()), "milliseconds": 900, "run": None, "supersedes": None,
    } | changes  # fmt: skip


def test_a_tab_gets_sentences_and_what_it_sends_is_saved(
    client: TestClient, store: Store, project: Project, asha: SignedIn
) -> None:
    first = client.post("/api/sync", json=body(), headers=bearer(project, asha)).json()
    assert set(first) == {
        "seq",
        "nonce",
        "acks",
        "rejects",
        "batch",
        "drop",
        "done",
        "run",
        "refreshed",
        "status",
        "names",
    }
    assert set(first["batch"][0]) == {
        "id", "tokens", "spaces", "direction", "document", "run", "reason", "suggestions", "names",
    }  # fmt: skip
    assert set(first["status"]) == {"labelled", "pool", "left", "evaluation", "until_training", "worker"}
    assert set(first["status"]["worker"]) == {"state", "progress", "seconds_left", "text"}
    sentence = first["batch"][0]["id"]
    sent = finished(sentence)
    second = client.post("/api/sync", json=body(outbox=[sent]), headers=bearer(project, asha)).json()
    assert (second["acks"], second["done"]) == ([sent["id"]], 1)
    (saved,) = store.labelled(project.id, Split.POOL)
    assert saved.annotation.id == sent["id"]


def test_sending_again_after_a_lost_answer_changes_nothing(
    client: TestClient, store: Store, project: Project, asha: SignedIn
) -> None:
    sentence = store.unlabelled_pool(project.id)[0].id
    request = body(outbox=[finished(sentence)], want=0)
    answers = [client.post("/api/sync", json=request, headers=bearer(project, asha)).json() for _ in range(3)]
    assert all(answer["acks"] == [request["outbox"][0]["id"]] and not answer["rejects"] for answer in answers)
    assert answers[-1]["done"] == 1


def test_a_rejected_annotation_comes_back_with_its_reason(
    client: TestClient, store: Store, project: Project, asha: SignedIn
) -> None:
    sentence = store.unlabelled_pool(project.id)[0].id
    sent = finished(sentence, spans=[[0, 1, "DATE"]])
    answer = client.post("/api/sync", json=body(outbox=[sent]), headers=bearer(project, asha)).json()
    assert answer["acks"] == []
    assert answer["rejects"][0]["id"] == sent["id"]
    assert "DATE" in answer["rejects"][0]["why"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Basic {token}", "Bearer {token}x"])
def test_a_bad_token_is_refused(client: TestClient, project: Project, asha: SignedIn, header: str | None) -> None:
    token = mint_token(SECRET, project.id, asha.annotator.id, asha.session)
    headers = {} if header is None else {"Authorization": header.format(token=token)}
    answer = client.post("/api/sync", json=body(), headers=headers)
    assert answer.status_code == 401
    assert "reload the page" in answer.json()["error"]


def test_a_token_signed_with_another_key_or_for_another_purpose_is_refused(
    client: TestClient, project: Project, asha: SignedIn
) -> None:
    forged = mint_token("another key", project.id, asha.annotator.id, asha.session)
    for token in (forged, mint_identity(SECRET, "Asha"), asha.cookie):
        assert client.post("/api/sync", json=body(), headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_is_good_for_a_day(
    client: TestClient, project: Project, asha: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(project, asha)
    monkeypatch.setattr(api, "TOKEN_SECONDS", -1)
    assert client.post("/api/sync", json=body(), headers=headers).status_code == 401


def test_a_token_gives_no_right_to_another_project(
    client: TestClient, store: Store, project: Project, asha: SignedIn
) -> None:
    other = store.create_project(ProjectSettings(name="Nyingine", labels=(Label("PER", "#4477AA", "1"),)))
    store.add_sentences(other.id, [NewSentence(("Siri", "hapa"))], None, "test")
    (foreign,) = store.unlabelled_pool(other.id)
    answer = client.post(
        "/api/sync", json=body(outbox=[finished(foreign.id)], have=[foreign.id]), headers=bearer(project, asha)
    )
    assert [rejection["id"] for rejection in answer.json()["rejects"]]
    assert foreign.id not in [item["id"] for item in answer.json()["batch"]]
    assert not store.labelled(other.id, Split.POOL)


def test_a_project_that_is_gone_is_not_found(client: TestClient, asha: SignedIn) -> None:
    headers = {"Authorization": f"Bearer {mint_token(SECRET, 77, asha.annotator.id, asha.session)}"}
    answer = client.post("/api/sync", json=body(), headers=headers)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_a_database_that_does_not_answer_is_told_so_that_the_tab_tries_again(
    client: TestClient, store: Store, project: Project, asha: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise DatabaseUnavailable("the database was busy for 10 seconds; try again")

    monkeypatch.setattr(store, "save_annotations", busy)
    answer = client.post("/api/sync", json=body(), headers=bearer(project, asha))
    assert (answer.status_code, list(answer.json())) == (503, ["error"])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"seq": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(client: TestClient, project: Project, asha: SignedIn, content: bytes) -> None:
    answer = client.post("/api/sync", content=content, headers=bearer(project, asha))
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_wrong_field_is_named(client: TestClient, project: Project, asha: SignedIn) -> None:
    answer = client.post("/api/sync", json=body(have="all"), headers=bearer(project, asha))
    assert (answer.status_code, answer.json()) == (400, {"error": "have must be a list"})


def test_a_request_over_the_limit_is_refused(client: TestClient, project: Project, asha: SignedIn) -> None:
    content = b'{"nonce": "' + b"x" * MAX_BODY + b'"}'
    assert client.post("/api/sync", content=content, headers=bearer(project, asha)).status_code == 413


def test_a_body_sent_in_pieces_is_counted_too(client: TestClient, project: Project, asha: SignedIn) -> None:
    pieces = (b"x" * 100_000 for _ in range(11))
    assert client.post("/api/sync", content=pieces, headers=bearer(project, asha)).status_code == 413


def test_an_export_needs_a_signed_in_person(client: TestClient, project: Project) -> None:
    assert client.get(f"/api/export/{project.id}").status_code == 401


def test_an_export_is_a_file_with_what_was_asked_for(
    client: TestClient, store: Store, project: Project, asha: SignedIn
) -> None:
    client.cookies.set(COOKIE, asha.cookie)
    sentence = store.unlabelled_pool(project.id)[0].id
    client.post("/api/sync", json=body(outbox=[finished(sentence)], want=0), headers=bearer(project, asha))
    answer = client.get(f"/api/export/{project.id}", params={"format": "conll", "include": "labelled"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Habari.conll"
    assert answer.text == "Asha B-PER\nyuko O\nMji0 O\n\n"
    everything = client.get(f"/api/export/{project.id}", params={"format": "jsonl", "include": "labelled,unlabelled"})
    assert len(everything.text.splitlines()) == 30
    taken = [event for event in store.audit(project.id) if event.kind == "exported"]
    assert [(event.annotator_id, event.details["format"]) for event in taken] == [
        (asha.annotator.id, "conll"),
        (asha.annotator.id, "jsonl"),
    ]


@pytest.mark.parametrize("query", ["format=xml", "include=everything", "split=test", "page=2"])
def test_an_export_that_does_not_exist_is_refused(
    client: TestClient, store: Store, project: Project, asha: SignedIn, query: str
) -> None:
    client.cookies.set(COOKIE, asha.cookie)
    answer = client.get(f"/api/export/{project.id}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert "exported" not in [event.kind for event in store.audit(project.id)]


def test_a_browser_that_asks_for_a_refused_export_is_led_to_the_page_that_says_why(
    client: TestClient, project: Project, asha: SignedIn
) -> None:
    client.cookies.set(COOKIE, asha.cookie)
    address = f"/api/export/{project.id}?format=conll&snapshot=a%26b"
    answer = client.get(address, headers={"Accept": "text/html,*/*"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"../../data?project={project.id}&refused=format%3Dconll%26snapshot%3Da%2526b"


def test_the_file_of_a_snapshot_is_called_by_it(client: TestClient, store: Store, project: Project) -> None:
    lead = sign_in(store, "Lead", Role.LEAD, project.id)
    client.cookies.set(COOKIE, lead.cookie)
    store.create_snapshot(project.id, "Mei 2026", lead.annotator.id)
    answer = client.get(f"/api/export/{project.id}?snapshot=Mei 2026")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Habari%2C%20Mei%202026.conll"


def test_an_export_of_a_project_that_is_gone_is_not_found(client: TestClient, asha: SignedIn) -> None:
    client.cookies.set(COOKIE, asha.cookie)
    assert client.get("/api/export/77").status_code == 404


def test_the_secret_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = read_secret(home)
    assert len(first) > 40
    assert read_secret(home) == first
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]
