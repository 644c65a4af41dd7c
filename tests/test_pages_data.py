"""The Data page and the page script, run by Streamlit's own test runner on a real store."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from annotation.labels import make_labels
from annotation.ui.text import counted, plain
from storage import AnnotationDraft, NewSentence, Project, ProjectSettings, Split, Status, Store

ROOT = Path(__file__).parents[1]
CONLL = b"Asha B-PER\nyuko O\nDodoma B-LOC\n\nJuma B-PER\nalilala O\n\n"
TEXT = b"Asha yuko Dodoma.\nAsha yuko Dodoma.\nMvua ilinyesha Arusha wiki nzima.\n"


@pytest.fixture
def store(page_store: Store) -> Store:
    return page_store


@pytest.fixture
def project(store: Store) -> Project:
    return store.create_project(
        ProjectSettings(name="Habari", labels=make_labels(("PER", "LOC")), reserve_fraction=0.0)
    )


def data_page(store: Store) -> AppTest:
    app = AppTest.from_string("from annotation.ui import data\ndata.page()", default_timeout=30)
    return app.run()


def upload(app: AppTest, name: str, content: bytes, use_as: str = "pool", skip_bad: bool = False) -> AppTest:
    app.file_uploader[0].set_value([(name, content, "text/plain")])
    app.button_group(key="use_as").set_value(use_as)
    if skip_bad:
        next(box for box in app.checkbox if "bad sentences" in box.label).check()
    app.run()
    next(button for button in app.button if button.label == "Import").click().run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    texts = [element.value for kind in ("success", "error", "markdown", "caption") for element in getattr(app, kind)]
    return "\n".join(map(str, [*texts, *(expander.label for expander in app.expander)]))


def test_the_page_says_that_nothing_was_kept_for_evaluation_though_a_share_was_asked_for(store: Store) -> None:
    store.create_project(ProjectSettings(name="Habari", labels=make_labels(("PER", "LOC")), reserve_fraction=1e-9))
    app = upload(data_page(store), "news.txt", TEXT)
    assert "By chance none of these sentences was kept for evaluation" in app.warning[0].value


def test_sentences_to_be_labelled_are_imported_counted_and_queued(store: Store, project: Project) -> None:
    app = upload(data_page(store), "news.txt", TEXT)
    assert "3 sentences imported" in said(app)
    assert "word for word: 1" in said(app)
    assert {metric.label: metric.value for metric in app.metric}["Sentences"] == "3"
    assert store.ready(project.id, Split.POOL) == 2
    assert "Label them now" in [button.label for button in app.button]


def test_an_imported_file_is_taken_out_of_the_uploader(store: Store, project: Project) -> None:
    app = upload(data_page(store), "news.txt", TEXT)
    assert next(button for button in app.button if button.label == "Import").disabled
    assert store.progress(project.id).sentences == 3


@pytest.mark.parametrize(("use_as", "labelled", "evaluation"), [("gold", 2, 0), ("evaluation", 0, 2), ("pool", 0, 0)])
def test_tags_in_a_file_are_used_as_asked(
    store: Store, project: Project, use_as: str, labelled: int, evaluation: int
) -> None:
    upload(data_page(store), "swa.conll", CONLL, use_as)
    progress = store.progress(project.id)
    assert (progress.sentences, progress.labelled, progress.evaluation_labelled) == (2, labelled, evaluation)


def test_a_wrong_file_imports_nothing_and_names_file_and_line(store: Store, project: Project) -> None:
    app = upload(data_page(store), "swa.conll", CONLL + b"Neema B-PER\nhapa X-Y-\n", "gold")
    assert "swa.conll:9" in said(app).replace("\\", "")
    assert store.progress(project.id).sentences == 0


def test_a_wrong_file_can_be_imported_without_its_bad_sentences(store: Store, project: Project) -> None:
    app = upload(data_page(store), "swa.conll", CONLL + b"Neema B-PER\nhapa X-Y-\n", "gold", skip_bad=True)
    assert "2 sentences imported" in said(app)
    assert "Bad sentences left out: 1" in said(app)


def test_the_export_link_holds_what_was_chosen(store: Store, project: Project) -> None:
    upload(data_page(store), "swa.conll", CONLL, "gold")
    app = data_page(store)
    app.selectbox(key="export_format").set_value("jsonl")
    app.button_group(key="export_include").set_value(["labelled", "skipped"])
    app.run()
    (link,) = app.get("link_button")
    assert link.proto.url == f"/api/export/{project.id}?format=jsonl&include=labelled%2Cskipped&split=all"


def test_a_conll_export_says_that_it_does_not_mark_evaluation_sentences(store: Store, project: Project) -> None:
    mixed = "CoNLL does not say which are which"
    upload(data_page(store), "swa.conll", CONLL, "gold")
    assert mixed not in said(data_page(store))
    upload(data_page(store), "jaribio.conll", b"Neema B-PER\nameondoka O\n\n", "evaluation")
    app = data_page(store)
    assert mixed in said(app)
    app.button_group(key="export_split").set_value("train").run()
    assert mixed not in said(app)


def script() -> AppTest:
    return AppTest.from_file(str(ROOT / "annotation" / "ui" / "main.py"), default_timeout=30)


def test_the_page_script_keeps_the_project_in_the_address(store: Store, project: Project) -> None:
    other = store.create_project(ProjectSettings(name="Nyingine", labels=make_labels(("PER",))))
    app = script().run()
    assert not app.exception
    assert app.query_params["project"] == str(other.id)
    app.sidebar.selectbox[0].set_value(project.id).run()
    assert app.query_params["project"] == str(project.id)


def test_names_and_messages_cannot_format_the_page() -> None:
    assert plain("a*b_[c](d) $1$ :red[x] <b>") == r"a\*b\_\[c\]\(d\) \$1\$ \:red\[x\] \<b\>"


def test_one_sentence_is_not_counted_in_the_plural() -> None:
    assert [counted(n, "sentence") for n in (0, 1, 2)] == ["0 sentences", "1 sentence", "2 sentences"]


def test_flagged_sentences_are_listed_with_their_comment(store: Store, project: Project) -> None:
    store.add_sentences(project.id, [NewSentence(("Mto", "Tana"))], None, "test")
    (sentence,) = store.sentences(project.id, Split.POOL)
    draft = AnnotationDraft(
        id=str(uuid4()),
        sentence_id=sentence.id,
        status=Status.FLAGGED,
        spans=(),
        comment="river or county?",
        milliseconds=1000,
        client_time=datetime.now(UTC),
        suggestion_run=None,
        supersedes=None,
    )
    store.save_annotations(project.id, store.annotator("Juma").id, [draft])
    app = data_page(store)
    assert not app.exception
    assert "Flagged: 1 sentence" in said(app)
    (row,) = app.dataframe[0].value.to_dict("records")
    assert (row["Comment"], row["Sentence"], row["By"]) == ("river or county?", "Mto Tana", "Juma")


def test_a_lead_freezes_the_data_and_sees_what_changed_since(store: Store, project: Project) -> None:
    app = upload(data_page(store), "gold.conll", CONLL, use_as="gold")
    for name in ("before", "after"):
        app.text_input[-1].set_value(name)
        next(button for button in app.button if button.label == "Freeze").click().run()
        assert not app.exception
    assert [snapshot.name for snapshot in store.snapshots(project.id)] == ["before", "after"]
    assert "2 sentences the same in both." in said(app)
    assert app.selectbox(key="export_state").options == ["as it is now", "before", "after"]


def test_why_a_download_was_refused_is_said_on_the_page(store: Store, project: Project) -> None:
    store.add_sentences(project.id, [NewSentence(("Dar es Salaam", "ni", "jiji"))], None, "test")
    app = AppTest.from_string("from annotation.ui import data\ndata.page()", default_timeout=30)
    app.query_params["refused"] = "format=conll&include=unlabelled"
    app.run()
    assert "the token 'Dar es Salaam', which CoNLL cannot carry" in plain_text(app)
    app.run()
    assert "CoNLL cannot carry" not in plain_text(app)


def plain_text(app: AppTest) -> str:
    """What is said, without the signs that keep Markdown away."""
    return said(app).replace("\\", "")


def test_a_lead_gives_a_list_of_names_and_takes_it_away(store: Store, project: Project) -> None:
    def give(content: bytes) -> AppTest:
        app = data_page(store)
        app.file_uploader[1].set_value([("places.tsv", content, "text/plain")])
        app.run()
        return app.button(key="use_names").click().run()

    app = give(b"Mji3\tLOC\nAsha LOC\n")
    assert "has 1 columns" in app.error[0].value
    assert store.listed_names(project.id) == []
    app = give(b"Mji3\tLOC\n=Asha\tPER\n")
    assert not app.exception
    assert [(it.name, it.label) for it in store.listed_names(project.id)] == [("=Asha", "PER"), ("Mji3", "LOC")]
    table = next(frame.value for frame in app.dataframe if "Label" in frame.value)
    assert list(table["Name"]) == ["'=Asha", "Mji3"]
    app.button(key="remove_names").click().run()
    assert not app.exception
    assert store.listed_names(project.id) == []
    assert all(button.key != "remove_names" for button in app.button)
