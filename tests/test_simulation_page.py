"""The page of simulations: a file looked at, a simulation begun, cancelled and ended, its advice and its one click."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loop_helpers import label, make_project
from streamlit.testing.v1 import AppTest
from test_gold import decide
from test_simulation_desk import HERE, LABELLED, ORDER, TO_LABEL, TO_MEASURE, conll, until

from annotation.settings import Settings
from annotation.simulation import desk
from annotation.simulation.desk import Simulations
from annotation.ui import simulation
from storage import DecisionKind, Project, Status, Store


@pytest.fixture
def project(page_store: Store) -> Project:
    return make_project(page_store, pool=30, strategy="random")


@pytest.fixture
def simulations(page_store: Store, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulations]:
    """Those of the page, with the stub for a tagger."""
    monkeypatch.setattr(desk, "COMMAND", (sys.executable, str(HERE / "stub_simulation.py"), "0"))
    yield simulation.current_simulations()
    simulation.current_simulations().cancel(project.id)


def open_page() -> AppTest:
    app = AppTest.from_string("from annotation.ui import simulation\nsimulation.page()", default_timeout=60).run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    kinds = ("markdown", "caption", "error", "warning", "subheader")
    texts = [element.value for kind in kinds for element in getattr(app, kind)]
    return "\n".join(map(str, [*texts, *(button.label for button in app.button)])).replace("\\", "")


def upload(app: AppTest, content: bytes) -> AppTest:
    app.file_uploader(key="simulation_file").set_value([("swa.conll", content, "text/plain")])
    app.run()
    assert not app.exception
    return app


def test_a_file_is_shown_escaped_and_a_click_starts_a_simulation_that_the_next_visit_finds_done(
    page_store: Store, project: Project, simulations: Simulations
) -> None:
    names = [(("<img", "src=x", *tokens), ()) for tokens, _ in LABELLED[:1]]
    marked = [((f"<b>{tokens[0]}", *tokens[1:]), spans) for tokens, spans in LABELLED]
    app = upload(open_page(), conll([*names, *marked]))
    assert "others to measure on; labels: LOC, ORG, PER" in said(app)
    assert all("<b>" not in element.proto.body and "&lt;b&gt;" in element.proto.body for element in app.get("html"))
    app.number_input(key="simulation_seeds").set_value(1)
    app.number_input(key="simulation_first").set_value(40)
    app.number_input(key="simulation_budget").set_value(60)
    app.run()
    assert "4 trainings with the backbone bundled: seconds each" in said(app)
    app.button(key="simulation_start").click().run()
    assert not app.exception
    assert [event.kind for event in page_store.audit(project.id)] == ["simulation_started"]
    until(lambda: not simulations.standing(project.id).running)  # type: ignore[union-attr]
    app = open_page()
    assert "Too few repetitions for an interval" in said(app)
    assert "1 repetition, 40 labels at first and 60 in the end" in said(app)
    assert [one.proto.label for one in app.get("download_button")] == [f"{name}.csv" for name in desk.RESULTS]
    table = app.dataframe[0].value
    assert table["Strategy"].tolist() == ["mnlp"]
    app.button_group(key="simulation_axis").set_value("hard_minutes")
    app.run()
    assert not app.exception
    app.button(key="use_mnlp").click().run()
    assert page_store.project(project.id).settings.strategy == "mnlp"
    assert "mnlp is what this project uses" in said(app)


def test_one_that_runs_shows_how_far_it_is_and_can_be_cancelled(
    page_store: Store, project: Project, tmp_path: Path
) -> None:
    hanging = Simulations(Settings(tmp_path, "sqlite://"), [sys.executable, str(HERE / "stub_simulation.py"), "2"])
    hanging.start(project.id, ORDER, TO_LABEL, TO_MEASURE)
    until(lambda: hanging.standing(project.id).done)  # type: ignore[union-attr]
    app = open_page()
    assert "Simulating on swa.conll" in said(app)
    [bar] = app.get("progress")
    assert bar.proto.text.startswith("1 of 6 trainings done · about ")
    assert not app.get("file_uploader")
    app.button(key="cancel").click().run()
    until(lambda: not hanging.standing(project.id).running)  # type: ignore[union-attr]
    app = open_page()
    assert "The simulation was stopped after 1 of 6 trainings" in said(app)
    assert "Go on" in said(app)


def test_what_cannot_be_simulated_is_said_and_the_labels_of_the_project_can(
    page_store: Store, project: Project, simulations: Simulations
) -> None:
    app = upload(open_page(), conll(LABELLED[:30]))
    assert "has 30 labelled sentences" in said(app)
    assert "Start" not in said(app)
    app.button_group(key="simulation_source").set_value("project")
    app.run()
    assert "The project has 0 labelled sentences" in said(app)
    label(page_store, make_project(page_store, pool=200, name="labelled"), 200)
    app = open_page()
    app.button_group(key="simulation_source").set_value("project")
    app.run()
    app.button_group(key="simulation_quick").set_value(False)
    app.run()
    assert "one to five minutes each on two cores" in said(app)
    assert simulations.standing(project.id) is None


def test_a_decision_changes_the_labels_of_the_project_that_a_simulation_reads(
    page_store: Store, simulations: Simulations
) -> None:
    labelled = make_project(page_store, pool=200, name="labelled")
    first, *_ = label(page_store, labelled, 200)

    def sentences() -> int:
        app = open_page()
        app.button_group(key="simulation_source").set_value("project")
        app.run()
        found = re.search(r"(\d+) sentences to label from, (\d+) others to measure on", said(app))
        assert found
        return int(found[1]) + int(found[2])

    assert sentences() == 200
    curator = page_store.annotator("Curator").id
    [annotation] = page_store.history(labelled.id, first.id).annotations
    left_out = {"sources": (annotation.id,), "status": Status.SKIPPED}
    decide(page_store, labelled, curator, first.id, DecisionKind.EDIT, **left_out)
    assert sentences() == 199
