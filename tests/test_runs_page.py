"""The page of all runs: what it says of each, two compared sentence by sentence, rolling back and pinning."""

import math
from pathlib import Path

import pytest
from loop_helpers import gold_spans, label, label_reserve, make_project, sentence_tokens
from streamlit.testing.v1 import AppTest

from annotation.ui import session
from annotation.ui.marked import marked
from maner_core.spans import Span
from storage import NewSentence, Project, Run, RunPrediction, Split, Store


@pytest.fixture
def store(page_store: Store) -> Store:
    return page_store


@pytest.fixture
def project(store: Store) -> Project:
    project = make_project(store, pool=40, reserve=20)
    label(store, project, 20)
    label_reserve(store, project, 20)
    return project


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store) -> Path:
    return session.current_settings().home


def finish(
    store: Store, project: Project, home: Path, right: int, served: bool = True, report: dict[str, int] | None = None
) -> Run:
    """A run that reads the first `right` evaluation sentences as people did and calls all of the others one name."""
    asked = {"system": "maner", "backbone": "bundled", "epochs": 20.0, "seed": 5}
    run = store.start_run(project.id, 1, {"preset": "default", "train": asked}, 5, store.max_seq(project.id), 20)
    found = {
        sentence.id: gold_spans(sentence.tokens) if place < right else (Span(0, len(sentence.tokens), "ORG"),)
        for place, sentence in enumerate(store.sentences(project.id, Split.RESERVE))
    }
    store.save_predictions(run.id, [RunPrediction(*item) for item in found.items()])
    (home / "runs" / str(run.id)).mkdir(parents=True)
    why = "It is not significantly worse." if served else "Run 1 goes on serving."
    store.finish_run(run.id, {"seconds": {"training": 61.0}, "train": report or {}}, f"runs/{run.id}", served, why)
    return store.run(run.id)


def open_page() -> AppTest:
    app = AppTest.from_string("from annotation.ui import runs\nruns.page()", default_timeout=30).run()
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in getattr(app, kind))


def button(app: AppTest, label: str) -> object:
    return next(one for one in app.button if one.label == label)


def test_a_lead_sees_data_recipe_curve_point_time_and_reason_of_a_run(
    store: Store, project: Project, home: Path
) -> None:
    finish(store, project, home, right=20)
    said = text(open_page())
    assert "**Run 1 serves**" in said
    assert "20 labelled sentences: everything up to annotation 40" in said
    assert "training 1 min" in said
    assert "**F1** 100.0 % (95 %: 100.0 to 100.0)" in said
    assert "not significantly worse" in said


def test_a_run_that_was_repeated_shows_the_seed_of_its_weights(store: Store, project: Project, home: Path) -> None:
    finish(store, project, home, right=20)
    assert "attempt 1, seed 5\n" in text(open_page())
    finish(store, project, home, right=20, report={"seed": 6, "restarts": 1})
    assert "attempt 1, seed 6, repeated 1 time\n" in text(open_page())


def test_what_a_run_learned_from_is_kept_under_a_name_and_called_by_it(
    store: Store, project: Project, home: Path
) -> None:
    finish(store, project, home, right=20)
    app = open_page()
    assert "snapshot" not in text(app)
    next(field for field in app.text_input if field.label == "As the snapshot").set_value("May *2026*")
    button(app, "Freeze").click().run()  # type: ignore[attr-defined]
    assert not app.exception
    assert r"which is the snapshot May \*2026\*" in text(app)
    assert "As the snapshot" not in [field.label for field in app.text_input]
    assert [snapshot.run_id for snapshot in store.snapshots(project.id)] == [1]


def test_the_recipe_shows_what_differs_from_the_preset(store: Store, project: Project, home: Path) -> None:
    finish(store, project, home, right=20)
    tables = [frame.value for frame in open_page().dataframe]
    recipe = next(table for table in tables if "Knob" in table)
    assert recipe.to_numpy().tolist() == [["epochs", "20.0", "12.0"]]


def test_rolling_back_takes_one_click_and_is_on_record(store: Store, project: Project, home: Path) -> None:
    first = finish(store, project, home, right=20)
    second = finish(store, project, home, right=10)
    app = open_page()
    app.selectbox(key=f"run_{project.id}").select(first.id).run()
    button(app, f"Let run {first.id} serve").click().run()  # type: ignore[attr-defined]
    assert store.project(project.id).serving_run == first.id
    (event,) = store.audit(project.id)
    assert (event.kind, event.details) == ("run_served", {"run": first.id, "before": second.id})
    assert event.annotator_id is not None
    assert "Chosen by" in text(app)


def test_pinning_and_unpinning_take_one_click_each(store: Store, project: Project, home: Path) -> None:
    run = finish(store, project, home, right=20)
    app = open_page()
    button(app, "Pin").click().run()  # type: ignore[attr-defined]
    assert store.project(project.id).pinned
    assert "none replaces a pinned run" in text(app)
    button(app, "Unpin").click().run()  # type: ignore[attr-defined]
    assert (store.project(project.id).serving_run, store.project(project.id).pinned) == (run.id, False)


def test_a_run_without_weights_offers_no_roll_back(store: Store, project: Project, home: Path) -> None:
    first = finish(store, project, home, right=20)
    finish(store, project, home, right=10)
    (home / "runs" / str(first.id)).rmdir()
    app = open_page()
    app.selectbox(key=f"run_{project.id}").select(first.id).run()
    assert "Its weights are deleted" in text(app)
    assert not [one for one in app.button if "serve" in one.label.lower()]


def test_two_runs_are_compared_in_words_and_sentence_by_sentence(store: Store, project: Project, home: Path) -> None:
    finish(store, project, home, right=0)
    finish(store, project, home, right=20)
    app = open_page()
    assert "Run 2 is better than run 1" in text(app)
    assert "reads 20 sentences differently: it makes fewer mistakes in 20, more in 0" in text(app)
    shown = [element.proto.body for element in app.get("html")]
    assert len(shown) == 30  # ten sentences, each as people, the one and the other run read it
    assert "ORG</small>" in shown[1]


def test_a_run_from_before_an_import_shows_no_f1_beside_those_on_all_evaluation_sentences(
    store: Store, home: Path
) -> None:
    project = make_project(store, pool=40, reserve=5)
    label_reserve(store, project, 5)
    first = finish(store, project, home, right=5)
    more = [NewSentence(tokens, split=Split.RESERVE, gold=gold_spans(tokens)) for tokens in sentence_tokens(25, seed=2)]
    store.add_sentences(project.id, more, store.annotator("import").id, "more.conll")
    dashboard = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    (shown,) = [metric for metric in dashboard.metric if metric.label == "F1 of the suggestions"]
    assert shown.value == "–"
    assert shown.help == "The run that serves is not measured: some evaluation sentences were imported after it"
    second = finish(store, project, home, right=0)
    app = open_page()
    table = next(frame.value for frame in app.dataframe if "F1" in frame.value).set_index("Run")
    assert math.isnan(table["F1"][first.id])
    assert table["F1"][second.id] == 0
    assert table["95 % interval"].to_dict() == {second.id: "0.0 – 0.0", first.id: ""}
    assert "on today's 30 evaluation sentences" in text(app)
    app.selectbox(key=f"run_{project.id}").select(first.id).run()
    assert "on 5 evaluation sentences alone: the others were imported after it" in text(app)


def test_two_runs_on_few_evaluation_sentences_are_compared_without_intervals(store: Store, home: Path) -> None:
    project = make_project(store, pool=40, reserve=20)
    label_reserve(store, project, 5)
    finish(store, project, home, right=0)
    finish(store, project, home, right=20)
    app = open_page()
    assert "too few evaluation sentences to tell run 2 and run 1 apart" in text(app)
    by_label = next(frame.value for frame in app.dataframe if "So" in frame.value)
    assert set(by_label["95 % interval"]) == {""}
    assert set(by_label["So"]) == {"too few to tell"}


def test_marked_names_are_escaped_and_underlined_in_their_colour() -> None:
    html = marked(["<b>", "Asha", "Juma", "&"], [Span(1, 3, "PER")], {"PER": 'red"'}, "rtl")
    assert html == (
        '<div dir="rtl">&lt;b&gt; <span style="border-bottom: 3px solid red&quot;; padding-bottom: 1px">Asha Juma</span> '
        '<small style="opacity: 0.7">PER</small> &amp;</div>'
    )
