"""The labelling page under Streamlit's test runner: what the editor is given, and the fallback without our route."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from store_helpers import draft, save
from streamlit.testing.v1 import AppTest

from annotation import api
from annotation.labels import make_labels
from storage import Label, NewSentence, Project, ProjectSettings, Status, Store, SuggestedSpan, Suggestion

SCRIPT = "from annotation.ui import annotate\nannotate.page()"


@pytest.fixture
def store(page_store: Store) -> Store:
    return page_store


def make_project(store: Store, labels: tuple[Label, ...] = make_labels(["PER", "LOC"])) -> Project:
    settings = ProjectSettings(name="Habari", labels=labels, guidelines="Names are **PER**.", blind_share=0.0)
    project = store.create_project(settings)
    store.add_sentences(project.id, [NewSentence(("Asha", "yuko", f"Mji{i}")) for i in range(30)], None, "test")
    return project


def run_page(store: Store) -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=30)
    return app.run()


def editor(app: AppTest) -> Any:
    """The component on the page as it travels to the browser; the test runner has no class for it."""

    def find(node: Any) -> Any:
        proto = getattr(node, "proto", None)
        if type(proto).__name__ == "BidiComponent":
            return proto
        return next((found for child in getattr(node, "children", {}).values() if (found := find(child))), None)

    return find(app._tree)


def given(app: AppTest) -> dict[str, Any]:
    """The data the editor gets."""
    data: dict[str, Any] = json.loads(editor(app).json)
    return data


def trigger_sync(app: AppTest, request: dict[str, Any]) -> dict[str, Any]:
    """What the editor does where our route is not served, and the answer it finds in its data."""
    states = app._tree.get_widget_states()
    state = states.widgets.add()
    state.id = f"$$STREAMLIT_INTERNAL_KEY_{editor(app).id}__events"
    state.json_trigger_value = json.dumps([{"event": "sync", "value": request}])
    app._run(states)
    assert not app.exception
    answer: dict[str, Any] = given(app)["answer"]
    return answer


def request(outbox: list[dict[str, Any]], have: list[int], seq: int = 1) -> dict[str, Any]:
    return {"seq": seq, "nonce": "n", "client": "tab", "outbox": outbox, "have": have, "want": 5}


def test_the_editor_gets_labels_a_route_and_a_token_for_this_person_and_project(store: Store, tmp_path: Path) -> None:
    project = make_project(store)
    data = given(run_page(store))
    assert [label["name"] for label in data["labels"]] == ["PER", "LOC"]
    assert [label["key"] for label in data["labels"]] == ["1", "2"]
    assert data["url"] == "/api/sync"
    right = api.read_token(api.read_secret(tmp_path), data["token"])
    assert (right.project_id, right.annotator_id) == (project.id, store.annotator("Asha").id)


def test_the_guidelines_are_on_the_page(store: Store) -> None:
    make_project(store)
    app = run_page(store)
    assert app.expander[0].label.startswith("Guidelines")
    assert app.expander[0].markdown[0].value == "Names are **PER**."


def test_the_guidelines_are_open_until_somebody_has_finished_a_sentence(store: Store) -> None:
    project = make_project(store)
    app = run_page(store)
    assert app.expander[0].proto.expanded
    sentence = store.unlabelled_pool(project.id)[0]
    save(store, project, store.annotator("Asha").id, draft(sentence.id, (0, 1, "PER")))
    assert app.run().expander[0].proto.expanded  # nothing jumps while one works
    assert not run_page(store).expander[0].proto.expanded


def test_a_project_without_labels_says_where_to_add_them(store: Store) -> None:
    make_project(store, labels=())
    app = run_page(store)
    assert [button.label for button in app.button] == ["Add labels"]
    assert editor(app) is None


def test_without_our_route_a_trigger_saves_and_hands_out(store: Store) -> None:
    project = make_project(store)
    app = run_page(store)
    first = trigger_sync(app, request([], []))
    assert len(first["batch"]) == 5
    held = [item["id"] for item in first["batch"]]
    annotation = {
        "id": str(uuid.uuid4()),
        "sentence": held[0],
        "status": "labelled",
        "spans": [[0, 1, "PER"]],
        "comment": "",
        "time": 1_700_000_000_000,
        "milliseconds": 900,
        "run": None,
        "supersedes": None,
    }
    answer = trigger_sync(app, request([annotation], held[1:], seq=2))
    assert (answer["seq"], answer["acks"]) == (2, [annotation["id"]])
    rows = [row.annotation for row in store.export_rows(project.id, None, {Status.LABELLED}, False)]
    assert [row.id for row in rows if row is not None] == [annotation["id"]]


def test_a_trigger_gets_the_suggestions_of_a_run_newer_than_the_page(store: Store) -> None:
    project = make_project(store)
    app = run_page(store)
    held = [item["id"] for item in trigger_sync(app, request([], []))["batch"]]
    run = store.start_run(project.id, 1, {}, 1, 0, 0)
    spans = (SuggestedSpan(0, 1, "PER", 0.9),)
    store.save_suggestions(run.id, [Suggestion(run.id, id_, spans, (0.9, 0.9, 0.9)) for id_ in held])
    store.finish_run(run.id, {}, f"runs/{run.id}", True, "The first run.")
    [first, *_] = trigger_sync(app, {**request([], held, seq=2), "refresh": True})["refreshed"]
    assert first["run"] == run.id


def test_a_trigger_that_cannot_be_read_is_answered_with_the_reason(store: Store) -> None:
    make_project(store)
    answer = trigger_sync(run_page(store), {"seq": 1, "nonce": "n"})
    assert answer["code"] == 400
    assert "client" in answer["error"] or "have" in answer["error"]
    assert (answer["seq"], answer["nonce"]) == (1, "n")


def test_looking_at_the_page_changes_nothing(store: Store) -> None:
    project = make_project(store)
    before = store.progress(project.id), store.audit(project.id)
    run_page(store)
    assert (store.progress(project.id), store.audit(project.id)) == before
