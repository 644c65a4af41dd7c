"""The line and the chart of the dashboard that say how far quick scorer and tagger rank alike."""

import json

import pytest
from loop_helpers import label, make_project
from streamlit.testing.v1 import AppTest

from storage import Project, Store


@pytest.fixture
def project(page_store: Store) -> Project:
    project = make_project(page_store, pool=40, reserve=0)
    label(page_store, project, 20)
    return project


def finish(store: Store, project: Project, n_train: int, quick: dict[str, object] | None) -> None:
    run = store.start_run(project.id, 1, {"preset": "default", "train": {}}, 1, store.max_seq(project.id), n_train)
    store.finish_run(run.id, {"quick": quick}, f"runs/{run.id}", True, "It serves.")


def dashboard() -> tuple[str, list[dict[str, object]]]:
    """What it says, and the charts of correlations on it."""
    app = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not app.exception
    specs = [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]
    return "\n".join(str(element.value) for element in app.markdown), [
        spec for spec in specs if "Rank correlation" in json.dumps(spec)
    ]


def compared(correlation: float) -> dict[str, object]:
    return {"rank_correlation": correlation, "sentences": 200, "used": correlation >= 0.4}


def test_a_project_whose_tagger_reads_the_whole_pool_says_nothing(page_store: Store, project: Project) -> None:
    finish(page_store, project, 20, None)
    assert "quick scorer" not in dashboard()[0]


def test_one_comparison_is_a_line_and_two_are_a_chart(page_store: Store, project: Project) -> None:
    finish(page_store, project, 20, compared(0.63))
    said, charts = dashboard()
    assert "The quick scorer ranks like the tagger: 0.63 on 200 random sentences" in said
    assert not charts
    finish(page_store, project, 40, compared(0.31))
    said, charts = dashboard()
    assert "The quick scorer ranks otherwise than the tagger: 0.31" in said
    assert "So the tagger scores a sub-sample of the pool itself" in said
    assert len(charts) == 1
