"""Hostile input: nothing executes, nothing leaks, nothing crashes. More of it by tests/benchmarks/fuzz_importers.py."""

import csv
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from first_release import open_first_release
from hostile import PIECES, mutated, read_hostile, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signed_in import SignedIn, sign_in
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from store_helpers import add_pool, new_project

from annotation.access import Access, SafeHeaders
from annotation.api import Api, mint_token
from annotation.backup import back_up, restore
from annotation.exporting import ExportOptions, export_stream
from annotation.formats import EXPORT_FORMATS, IMPORT_FORMATS, SourceFile, read_file
from annotation.importing import import_files
from annotation.ui.text import cell
from maner_core.benchmark_report import _no_formula
from maner_core.errors import FormatError, InvalidInput, ManerError
from storage import Project, Role, Status, Store

SECRET = "a secret of the tests"
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
files = st.binary(max_size=300) | st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=8).map(b"".join)


# Files.


@pytest.mark.parametrize("format", ["auto", *IMPORT_FORMATS])
@quick
@given(data=files)
def test_any_bytes_are_read_or_refused_in_words(format: str, data: bytes) -> None:
    try:
        reading = read_file(SourceFile("a.txt", data), format)
    except FormatError:
        return
    assert all(token for sentence in reading.sentences for token in sentence.tokens)


@pytest.fixture
def project(sqlite_store: Store) -> Project:
    return new_project(sqlite_store)


def test_hostile_files_through_every_importer_are_taken_or_refused(
    sqlite_store: Store, project: Project, tmp_path: Path
) -> None:
    rng = Random(5)
    results = [read_hostile(mutated(rng), rng, sqlite_store, project.id, tmp_path) for _ in range(250)]
    assert {"taken", "refused"} == set(results)
    for format in EXPORT_FORMATS:
        options = ExportOptions.parse({"format": format, "include": "labelled,unlabelled", "split": "all"})
        try:
            assert "".join(export_stream(sqlite_store, sqlite_store.project(project.id), options))
        except InvalidInput:
            assert format != "jsonl"  # it can carry anything


def test_hostile_backups_are_restored_or_refused(tmp_path: Path) -> None:
    first = open_first_release(tmp_path / "first.db")
    back_up(first, tmp_path / "backup.zip")
    first.close()
    whole, rng = (tmp_path / "backup.zip").read_bytes(), Random(6)
    before = {path for path in tmp_path.parent.rglob("*") if not path.is_relative_to(tmp_path)}
    for number in range(8):
        (tmp_path / "hostile.zip").write_bytes(zipped(rng, whole))
        store = Store(f"sqlite:///{tmp_path / f'{number}.db'}")
        try:
            restore(store, tmp_path / "hostile.zip", tmp_path / "runs")
            assert store.projects()
        except ManerError:
            continue
        finally:
            store.close()
    assert {path for path in tmp_path.parent.rglob("*") if not path.is_relative_to(tmp_path)} == before


def test_a_token_of_a_megabyte_is_refused_by_its_length(sqlite_store: Store, project: Project) -> None:
    for data in (b"x" * 1_000_000, b"x" * 1_000_000 + b" B-PER\n", json.dumps({"tokens": ["x" * 10**6]}).encode()):
        with pytest.raises(FormatError, match="1,000,000 characters"):
            import_files(sqlite_store, project.id, [SourceFile("a.txt", data)])
    assert list(sqlite_store.sentences(project.id, None)) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04" + bytes(40), "spreadsheet.*save a table as CSV"),
        (b"\x1f\x8b\x08" + bytes(40), "compressed; unpack it"),
    ],
)
def test_an_archive_is_not_unpacked_but_refused(
    sqlite_store: Store, project: Project, data: bytes, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        import_files(sqlite_store, project.id, [SourceFile("bomb.zip", data)])


@pytest.mark.parametrize(
    "label",
    ["人名", "اسم", "שם", "ናም", "имя", "ߒߞߏ", "PER\u0301", "👩🏾\u200d🌾", "<b>x</b>", "=1+1", "';DROP"],
)
def test_label_names_may_be_of_any_script(sqlite_store: Store, project: Project, label: str) -> None:
    data = f"Asha B-{label}\nyuko O\n".encode()
    import_files(sqlite_store, project.id, [SourceFile("a.conll", data)], use_as="gold", reserve=0, add_labels=True)
    now = sqlite_store.project(project.id)
    assert label in [known.name for known in now.settings.labels]
    for format in EXPORT_FORMATS:
        written = "".join(export_stream(sqlite_store, now, ExportOptions.parse({"format": format})))
        [sentence] = read_file(SourceFile("b", written.encode()), "jsonl" if format == "jsonl" else "conll").sentences
        assert [span.label for span in sentence.gold or ()] == [label]


# Spreadsheets.


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", " =1+1", "\t=1+1", "\r=1+1", "\n=1"]
)
@pytest.mark.parametrize("guard", [cell, _no_formula])
def test_no_cell_of_a_table_is_a_formula(guard: Callable[[str], str], text: str, tmp_path: Path) -> None:
    assert guard(text) == f"'{text}"
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerow([guard(text)])
    assert (tmp_path / "a.csv").read_text().lstrip('"').startswith("'")


@pytest.mark.parametrize("text", ["Asha", "a=b", "", "1-2", "اسم", "'quoted'"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert cell(text) == _no_formula(text) == text


def test_numbers_stay_numbers() -> None:
    assert _no_formula(-0.5) == -0.5


# Requests.


@pytest.fixture
def asha(sqlite_store: Store, project: Project) -> SignedIn:
    return sign_in(sqlite_store, "Asha", Role.ANNOTATOR, project.id)


@pytest.fixture
def client(sqlite_store: Store) -> Iterator[TestClient]:
    routes = Api(lambda: Access(sqlite_store, None), lambda: SECRET).routes()
    with TestClient(Starlette(routes=routes, middleware=[Middleware(SafeHeaders)])) as client:
        yield client


def request(**changes: Any) -> dict[str, Any]:
    return {"seq": 1, "nonce": "n", "client": "tab", "outbox": [], "have": [], "want": 5, **changes}


def finished(sentence: int, **changes: Any) -> dict[str, Any]:
    values = {
        "id": str(uuid.uuid4()),
        "sentence": sentence,
        "status": "labelled",
        "spans": [[0, 1, "PER"]],
        "comment": "",
    }
    return {**values, "time": 1_800_000_000_000, "milliseconds": 9, "run": None, "supersedes": None, **changes}


def bearer(project: Project, person: SignedIn) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(SECRET, project.id, person.annotator.id, person.session)}"}


def test_a_forged_client_takes_no_sentence_from_another_person(
    sqlite_store: Store, project: Project, asha: SignedIn, client: TestClient
) -> None:
    add_pool(sqlite_store, project, 30)
    juma = sign_in(sqlite_store, "Juma", Role.ANNOTATOR, project.id)
    hers = client.post("/api/sync", json=request(), headers=bearer(project, asha)).json()["batch"]
    held = [item["id"] for item in hers]
    assert held
    # Juma claims to be Asha's tab and to hold what she holds.
    stolen = client.post("/api/sync", json=request(have=held, refresh=True), headers=bearer(project, juma)).json()
    assert {item["id"] for item in [*stolen["batch"], *stolen["refreshed"]]}.isdisjoint(held)
    assert set(stolen["drop"]) == set(held)
    still = client.post("/api/sync", json=request(have=held, want=0), headers=bearer(project, asha)).json()
    assert still["drop"] == []


def test_another_projects_sentences_are_neither_labelled_nor_shown_nor_said_to_exist(
    sqlite_store: Store, project: Project, asha: SignedIn, client: TestClient
) -> None:
    secret = new_project(sqlite_store, "secret")
    [there] = add_pool(sqlite_store, secret, 1)
    answers = [
        client.post(
            "/api/sync", json=request(outbox=[finished(id_)], have=[id_], refresh=True), headers=bearer(project, asha)
        )
        for id_ in (there, there + 1_000)
    ]
    reasons = [answer.json()["rejects"][0]["why"] for answer in answers]
    reasons = [why.replace(str(id_), "N") for why, id_ in zip(reasons, (there, there + 1_000), strict=True)]
    assert reasons[0] == reasons[1]
    assert [answer.json()["refreshed"] for answer in answers] == [[], []]
    assert sqlite_store.progress(secret.id).labelled == 0
    token = {"Authorization": f"Bearer {mint_token(SECRET, secret.id, asha.annotator.id, asha.session)}"}
    assert client.post("/api/sync", json=request(), headers=token).status_code in (403, 404)


def test_a_role_or_a_person_said_in_the_request_counts_for_nothing(
    sqlite_store: Store, project: Project, asha: SignedIn, client: TestClient
) -> None:
    [sentence] = add_pool(sqlite_store, project, 1)
    forged = {"role": "lead", "administrator": True, "annotator": 1, "annotator_id": 1, "project": 99}
    body = request(outbox=[{**finished(sentence), **forged}], **forged)
    assert client.post("/api/sync", json=body, headers=bearer(project, asha)).status_code == 200
    [row] = [row for row in sqlite_store.export_rows(project.id, None, (Status.LABELLED,), False) if row.annotation]
    assert row.annotation is not None
    assert row.annotation.annotator_id == asha.annotator.id
    cookie = {"maner_session": asha.cookie, "role": "lead"}
    client.cookies.update(cookie)
    assert client.get(f"/api/export/{project.id}?role=lead", headers={"X-Role": "lead"}).status_code == 403


def test_an_annotation_id_of_another_person_changes_nothing_of_theirs(
    sqlite_store: Store, project: Project, asha: SignedIn, client: TestClient
) -> None:
    [sentence, other] = add_pool(sqlite_store, project, 2)
    juma = sign_in(sqlite_store, "Juma", Role.ANNOTATOR, project.id)
    hers = finished(sentence)
    client.post("/api/sync", json=request(outbox=[hers]), headers=bearer(project, asha))
    theirs = finished(other, id=hers["id"], spans=[[1, 2, "LOC"]])
    corrects = finished(other, supersedes=hers["id"])
    client.post("/api/sync", json=request(outbox=[theirs, corrects]), headers=bearer(project, juma))
    rows = {
        row.sentence.id: row.annotation for row in sqlite_store.export_rows(project.id, None, (Status.LABELLED,), False)
    }
    saved = rows[sentence]
    assert saved is not None
    assert saved.annotator_id == asha.annotator.id
    assert [(span.start, span.end, span.label) for span in saved.spans] == [(0, 1, "PER")]


def test_every_answer_forbids_frames_and_guessing_of_types(client: TestClient) -> None:
    for answer in (client.post("/api/sync", content=b"<script>"), client.get("/nowhere"), client.get("/api/export/1")):
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert "object-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "\u202e\u2066", "\x1b[2J", "x" * 2_000])
def test_hostile_text_in_a_refusal_comes_back_as_json(
    project: Project, asha: SignedIn, client: TestClient, text: str
) -> None:
    answer = client.post("/api/sync", json=request(client=text * 40), headers=bearer(project, asha))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.content) < 5_000
