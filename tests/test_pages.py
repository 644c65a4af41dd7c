"""Every page run by Streamlit's own test runner on a real store: what it shows, and that looking changes nothing."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from annotation import backbone_lookup
from annotation.labels import make_labels
from maner_core.errors import UnsupportedBackbone
from maner_core.spans import Span
from storage import (
    AnnotationDraft,
    NewSentence,
    Project,
    ProjectSettings,
    RunPrediction,
    Split,
    Status,
    Store,
    SuggestWhen,
)

PAGES = ("dashboard", "runs", "agreement", "review", "data", "simulation", "project")


@pytest.fixture
def store(page_store: Store) -> Store:
    return page_store


@pytest.fixture
def project(store: Store) -> Project:
    project = store.create_project(ProjectSettings(name="Habari", labels=make_labels(("PER", "LOC")), retrain_every=10))
    pool = [NewSentence(("Asha", "yuko", f"Mji{i}")) for i in range(20)]
    reserve = [
        NewSentence(("Juma", "yuko", f"Kijiji{i}"), split=Split.RESERVE, gold=(Span(0, 1, "PER"), Span(2, 3, "LOC")))
        for i in range(12)
    ]
    store.add_sentences(project.id, pool + reserve, store.annotator("Mwalimu").id, "test")
    return project


def page(name: str, store: Store, **query: str) -> AppTest:
    app = AppTest.from_string(f"from annotation.ui import {name}\n{name}.page()", default_timeout=30)
    for key, value in query.items():
        app.query_params[key] = value
    return app


def shown(app: AppTest) -> str:
    """All the text on the page."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "success", "info")
    texts = [element.value for kind in kinds for element in getattr(app, kind)]
    texts += [f"{metric.label}: {metric.value}" for metric in app.metric]
    texts += [button.label for button in app.button]
    return "\n".join(map(str, texts))


def label_some(store: Store, project: Project, n: int) -> None:
    annotator = store.annotator("Asha")
    for place, sentence in enumerate(store.unlabelled_pool(project.id)[:n]):
        draft = AnnotationDraft(
            id=f"a{sentence.id}",
            sentence_id=sentence.id,
            status=Status.LABELLED,
            spans=(Span(0, 1, "PER"),) if place else (),
            comment="",
            milliseconds=1000,
            client_time=datetime.now(UTC),
            suggestion_run=None,
            supersedes=None,
        )
        _, rejections = store.save_annotations(project.id, annotator.id, [draft])
        assert not rejections


def finish_run(store: Store, project: Project, n_train: int, right: int, served: bool = True) -> int:
    """A run that has all entities right in the first `right` evaluation sentences and finds nothing in the others."""
    run = store.start_run(project.id, 1, {}, 1, store.max_seq(project.id), n_train)
    reserve = list(store.sentences(project.id, Split.RESERVE))
    spans = (Span(0, 1, "PER"), Span(2, 3, "LOC"))
    store.save_predictions(
        run.id, [RunPrediction(s.id, spans if place < right else ()) for place, s in enumerate(reserve)]
    )
    store.finish_run(
        run.id, {}, f"runs/{run.id}", served, "It is not significantly worse." if served else "It is worse."
    )
    return run.id


def snapshot(store: Store) -> list[object]:
    """Everything a page could change by being looked at."""
    return [
        (project, store.progress(project.id), store.runs(project.id), store.audit(project.id),
         store.ready(project.id, Split.POOL), store.ready(project.id, Split.RESERVE), store.retrain_requested(project.id))
        for project in store.projects()
    ]  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_and_changes_nothing(name: str, store: Store, project: Project) -> None:
    label_some(store, project, 3)
    finish_run(store, project, 3, right=6)
    before = snapshot(store)
    app = page(name, store).run()
    assert not app.exception
    assert app.title
    assert snapshot(store) == before


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_any_project(name: str, store: Store) -> None:
    app = page(name, store).run()
    assert not app.exception
    assert "first project" in shown(app) or "New project" in shown(app)
    assert store.projects() == []


@pytest.mark.parametrize("name", ["dashboard", "runs"])
def test_a_label_is_text_where_runs_are_compared(name: str, store: Store) -> None:
    label = "![x](http://x.example/x.png)"
    project = store.create_project(ProjectSettings(name="Habari", labels=make_labels((label,))))
    spans = (Span(0, 1, label),)
    reserve = [NewSentence(("Juma", f"yuko{i}"), split=Split.RESERVE, gold=spans) for i in range(20)]
    store.add_sentences(project.id, reserve, store.annotator("Mwalimu").id, "test")
    ids = [sentence.id for sentence in store.sentences(project.id, Split.RESERVE)]
    for found in ((), spans):
        run = store.start_run(project.id, 1, {}, 1, 0, 20)
        store.save_predictions(run.id, [RunPrediction(id_, found) for id_ in ids])
        store.finish_run(run.id, {}, f"runs/{run.id}", True, "It is not significantly worse.")
    app = page(name, store).run()
    assert not app.exception
    assert "better at" in shown(app)
    assert label not in shown(app)


def test_a_run_that_nothing_could_be_found_by_is_on_the_curve_all_the_same(store: Store, project: Project) -> None:
    """The only evaluation sentence labelled so far holds no name, and the run finds none in it: no label has an F1."""
    own = store.create_project(ProjectSettings(name="Mpya", labels=make_labels(("PER",))))
    bare = NewSentence(("mvua", "inanyesha"), split=Split.RESERVE, gold=())
    store.add_sentences(own.id, [bare], store.annotator("Mwalimu").id, "test")
    finish_run(store, own, 6, right=0)
    app = page("dashboard", store, project=str(own.id)).run()
    assert not app.exception
    assert "on the same 1 evaluation sentence labelled so far" in shown(app)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_on_an_empty_project(name: str, store: Store) -> None:
    store.create_project(ProjectSettings(name="Tupu", labels=make_labels(("PER",))))
    app = page(name, store).run()
    assert not app.exception


def test_an_empty_project_says_what_to_do_next(store: Store) -> None:
    store.create_project(ProjectSettings(name="Tupu", labels=make_labels(("PER",))))
    app = page("dashboard", store).run()
    assert "Tupu has no sentences yet" in shown(app)
    assert "Import sentences" in [button.label for button in app.button]


def test_before_the_first_training_the_dashboard_says_when_it_comes(store: Store, project: Project) -> None:
    label_some(store, project, 4)
    store.worker_seen("w", "idle")
    app = page("dashboard", store).run()
    assert "6 to go" in shown(app)
    assert "Worker is ready" in shown(app)
    assert "Labelled to learn from: 4" in shown(app)


def test_the_curve_measures_every_run_on_the_same_evaluation_labels(store: Store, project: Project) -> None:
    label_some(store, project, 10)
    finish_run(store, project, 5, right=6)
    finish_run(store, project, 10, right=12)
    app = page("dashboard", store).run()
    assert not app.exception
    assert "F1 of the suggestions: 100.0 %" in shown(app)
    table = page("runs", store).run().dataframe[0].value
    assert table["F1 (%)" if "F1 (%)" in table else "F1"].round(1).tolist() == [100.0, 66.7]
    assert table["State"].tolist() == ["serves now", "served"]


def test_a_failed_run_is_shown_with_its_reason_and_can_be_tried_again(store: Store, project: Project) -> None:
    label_some(store, project, 5)
    run = store.start_run(project.id, 1, {}, 1, store.max_seq(project.id), 5, attempt=2)
    store.fail_run(run.id, "The machine ran out of memory.")
    store.worker_seen("w", "idle")
    app = page("dashboard", store).run()
    assert "Training failed" in shown(app)
    (retry,) = [button for button in app.button if button.label == "Try again"]
    retry.click().run()
    assert not app.exception
    assert store.retrain_requested(project.id)
    assert [event.kind for event in store.audit(project.id)][-1] == "retrain_requested"


def test_a_training_on_nothing_is_refused_in_words(store: Store, project: Project) -> None:
    label_some(store, project, 1)  # without a name in it
    store.worker_seen("w", "idle")
    app = page("dashboard", store).run()
    next(button for button in app.button if button.label == "Train now").click().run()
    assert "nothing to learn" in app.toast[0].value
    assert not store.retrain_requested(project.id)


def test_a_running_training_shows_how_far_it_is(store: Store, project: Project) -> None:
    label_some(store, project, 10)
    run = store.start_run(project.id, 1, {}, 1, store.max_seq(project.id), 10)
    store.heartbeat(run.id, "training", 0.4, 130.0, "Training on 10 sentences, step 200 of 500")
    store.worker_seen("w", "training")
    app = page("dashboard", store).run()
    assert "**Training**" in shown(app)
    (bar,) = app.get("progress")
    assert bar.proto.value == 40
    assert bar.proto.text.endswith("about 2 min left")
    assert next(button for button in app.button if button.label == "Train now").disabled


def test_without_a_worker_the_dashboard_says_so(store: Store, project: Project) -> None:
    assert "Worker is off" in shown(page("dashboard", store).run())


def test_a_project_is_made_with_labels_of_its_own_colours_and_keys(store: Store) -> None:
    app = page("project", store).run()
    app.text_input[0].set_value("  Kinyarwanda  ").run()
    create = next(button for button in app.button if button.label == "Create project")
    create.click().run()
    (project,) = store.projects()
    assert project.settings.name == "Kinyarwanda"
    assert [(label.name, label.key) for label in project.settings.labels] == [("PER", "1"), ("LOC", "2"), ("ORG", "3")]
    assert len({label.color for label in project.settings.labels}) == 3


def test_a_project_without_a_name_is_refused_in_words(store: Store) -> None:
    app = page("project", store).run()
    next(button for button in app.button if button.label == "Create project").click().run()
    assert "name" in app.error[0].value
    assert store.projects() == []


def test_settings_are_saved_only_when_asked(store: Store, project: Project) -> None:
    app = page("project", store).run()
    every = next(field for field in app.number_input if "new labels" in field.label)
    every.set_value(40).run()
    assert "not saved yet" in shown(app)
    assert store.project(project.id).settings.retrain_every == 10
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert store.project(project.id).settings == replace(project.settings, retrain_every=40)
    assert "Everything is saved" in shown(app)


def test_a_lead_puts_a_project_into_the_archive_and_takes_it_out(store: Store, project: Project) -> None:
    other = store.create_project(replace(project.settings, name="Mahakama"))
    app = page("project", store).run()
    next(button for button in app.button if button.label == "New project").click().run()
    assert "Archive" not in [expander.label for expander in app.expander]
    next(button for button in app.button if button.label == "Cancel").click().run()
    assert "Archive" in [expander.label for expander in app.expander]
    app.button(key="archive").click().run()
    assert not app.exception
    assert store.project(other.id).archived_at is not None  # it is the newest, so it was at work
    assert app.text_input[0].value == project.settings.name
    assert [button.label for button in app.button if button.key == f"unarchive_{other.id}"] == ["Take out"]
    app.button(key="archive").click().run()  # and the last one
    assert app.title[0].value == "New project"
    assert "All projects are in the archive" in shown(page("dashboard", store).run())
    app.button(key=f"unarchive_{other.id}").click().run()
    assert not app.exception
    assert store.project(other.id).archived_at is None
    assert (app.text_input[0].value, app.query_params["project"]) == ("Mahakama", str(other.id))


def test_the_form_gives_back_what_it_was_given(store: Store) -> None:
    settings = ProjectSettings(
        name="Zote", language="swa", direction="rtl", guidelines="**Majina** tu.", labels=make_labels(("PER", "DATE")),
        retrain_every=7, retrain_after_seconds=60, strategy="random", system="sner", backbone="./a-folder", preset="paper",
        seed=9, suggest_when=SuggestWhen.EARNED, suggestion_threshold=0.75, reserve_fraction=0.2, blind_share=0.25,
        control_share=0.3, measure_noise=False, adaptation="beside", overlap=3, overlap_share=0.4,
    )  # fmt: skip
    store.create_project(settings)
    app = page("project", store).run()
    assert not app.exception
    assert "Everything is saved" in shown(app)


def test_the_project_in_the_address_is_the_one_shown(store: Store, project: Project) -> None:
    other = store.create_project(ProjectSettings(name="Nyingine", labels=make_labels(("PER",))))
    assert "Nyingine has no sentences yet" in shown(page("dashboard", store, project=str(other.id)).run())
    assert "no sentences yet" not in shown(page("dashboard", store, project=str(project.id)).run())


def test_a_backbone_that_cannot_be_had_is_said_beside_its_name(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()

    def find(name: str) -> str:
        looked.wait(20)
        raise UnsupportedBackbone(f"the backbone {name!r} cannot be loaded")

    monkeypatch.setattr(backbone_lookup, "_find", find)
    store.update_project(project.id, replace(project.settings, backbone="no-such/model"))
    app = page("project", store).run()
    assert "Looking for it" in shown(app)  # the page does not wait
    looked.set()
    for _ in range(200):
        app.run()
        if app.warning:
            break
    assert "The backbone 'no-such/model' cannot be loaded" in app.warning[0].value.replace("\\", "")


@pytest.mark.parametrize("address", ["999", "-1", "x", "9" * 30, ""])
def test_a_wrong_project_in_the_address_does_no_harm(address: str, store: Store, project: Project) -> None:
    assert not page("dashboard", store, project=address).run().exception
