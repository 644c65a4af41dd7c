"""The Agreement page on a real store: what it says, whom it shows what, and that nothing anybody wrote is more than text."""

import pytest
from store_helpers import draft, save
from streamlit.testing.v1 import AppTest

from annotation.labels import make_labels
from maner_core.spans import Span
from storage import NewSentence, Origin, Project, ProjectSettings, QueueItem, Status, Store


@pytest.fixture
def store(page_store: Store) -> Store:
    return page_store


def project_with(store: Store, *texts: str, overlap: int = 2) -> tuple[Project, list[int]]:
    settings = ProjectSettings(
        name="Habari", labels=make_labels(("PER", "LOC")), overlap=overlap, overlap_share=1.0, direction="rtl"
    )
    project = store.create_project(settings)
    store.add_sentences(project.id, [NewSentence(tuple(text.split())) for text in texts], None, "test")
    ids = [sentence.id for sentence in store.sentences(project.id, None)]
    items = [QueueItem(id_, Origin.RANDOM, rank, "random", None, None, None, 0) for rank, id_ in enumerate(ids)]
    store.fill_queue(project.id, items, replace=False)
    return project, ids


def agreement_page(project: Project) -> AppTest:
    app = AppTest.from_string("from annotation.ui import agreement\nagreement.page()", default_timeout=60)
    app.query_params["project"] = str(project.id)
    app.run()
    assert not app.exception
    return app


def text_of(app: AppTest) -> str:
    return "\n".join(str(one.value) for kind in ("markdown", "caption", "subheader") for one in getattr(app, kind))


def drawn(app: AppTest) -> list[str]:
    """The sentences as HTML, in order."""
    return [one.proto.body for one in app.get("html") if "<div dir" in one.proto.body]


def test_without_doubled_sentences_the_page_says_how_to_get_them(store: Store) -> None:
    project, _ = project_with(store, "Asha yuko Mwanza", overlap=1)
    app = agreement_page(project)
    assert "No sentence goes to more than one person yet" in text_of(app)
    assert [button.label for button in app.button] == ["Set it up"]


def test_before_two_people_have_labelled_the_same_sentence_the_page_says_what_comes(store: Store) -> None:
    project, _ = project_with(store, "Asha yuko Mwanza")
    assert "100% of the sentences go to 2 people each, without suggestions" in text_of(agreement_page(project))


def test_figures_in_words_by_pair_and_by_label(store: Store) -> None:
    project, (one, two) = project_with(store, "Asha yuko Mwanza", "Juma yuko Arusha")
    juma, neema = store.annotator("Juma").id, store.annotator("Neema").id
    for sentence_id in (one, two):
        save(store, project, juma, draft(sentence_id, (0, 1, "PER"), (2, 3, "LOC")))
    save(store, project, neema, draft(one, (0, 1, "PER"), (2, 3, "LOC")))
    save(store, project, neema, draft(two, (0, 1, "PER")))
    app = agreement_page(project)
    assert "agree on 86% of the names" in text_of(app)  # 2 · 3 / (4 + 3)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Same words, same label"] == "86%"
    assert metrics["Sentences"] == "2"
    pairs, labels = (table.value.to_dict("records") for table in app.dataframe)
    assert [(row["One"], row["Other"], row["Sentences"]) for row in pairs] == [("Juma", "Neema", 2)]
    assert {row["Label"]: row["Agree on"] for row in labels} == pytest.approx({"PER": 100, "LOC": 200 / 3})
    # Four words, in one of which Neema says nothing. LOC: observed 3/4, expected (2·1 + 2·3)/16.
    assert {row["Label"]: row["Kappa"] for row in labels} == pytest.approx({"PER": 1, "LOC": 0.5})
    app.button_group(key="pair_label").set_value("LOC").run()
    [pair] = app.dataframe[0].value.to_dict("records")
    assert (pair["Agree on"], pair["Kappa"]) == pytest.approx((200 / 3, 0.5))
    assert "Same words" not in pair


def test_both_sides_of_a_difference_are_drawn_escaped_and_in_the_direction_of_the_text(store: Store) -> None:
    project, [sentence] = project_with(store, "<script>alert(1)</script> yuko Mwanza")
    save(store, project, store.annotator("**Juma**").id, draft(sentence, (0, 1, "PER")))
    save(store, project, store.annotator("<b>Neema").id, draft(sentence, (2, 3, "LOC"), (0, 1, "PER")))
    app = agreement_page(project)
    juma, neema = drawn(app)
    assert "<script" not in juma + neema
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in juma
    assert juma.startswith('<div dir="rtl">')
    assert (juma.count("PER"), juma.count("LOC"), neema.count("PER"), neema.count("LOC")) == (1, 0, 1, 1)
    assert r"\*\*Juma\*\*" in text_of(app)
    assert r"\<b\>Neema" in text_of(app)


def test_sentences_on_which_people_agree_are_not_listed_and_one_person_can_be_picked(store: Store) -> None:
    project, ids = project_with(store, "Asha yuko Mwanza", "Juma yuko Arusha", "Neema yuko Moshi")
    juma, neema, ali = (store.annotator(name).id for name in ("Juma", "Neema", "Ali"))
    save(store, project, juma, *(draft(id_, (0, 1, "PER")) for id_ in ids))
    save(store, project, neema, draft(ids[0], (0, 1, "PER")), draft(ids[1], (0, 1, "LOC")))
    save(store, project, ali, draft(ids[2]))
    app = agreement_page(project)
    assert len(drawn(app)) == 4
    app.selectbox[0].set_value(ali).run()
    assert len(drawn(app)) == 2
    assert "Neema" in drawn(app)[0]


def test_who_may_still_be_asked_to_label_a_sentence_does_not_see_what_others_said(store: Store) -> None:
    """Asha looks at the page: one sentence waits for a third person, whom she may be."""
    project, (waiting, own, full) = project_with(
        store, "Asha yuko Mwanza", "Juma yuko Arusha", "Neema yuko Moshi", overlap=3
    )
    people = [store.annotator(name).id for name in ("Juma", "Neema", "Ali", "Asha")]
    for place, who in enumerate(people[:2]):
        save(store, project, who, *(draft(id_, (0, 1 + place, "PER")) for id_ in (waiting, full)))
    save(store, project, people[2], draft(full, status=Status.SKIPPED))
    save(store, project, people[0], draft(own, (0, 1, "LOC")))
    save(store, project, people[3], draft(own, (0, 1, "PER")))
    app = agreement_page(project)
    assert "you may be asked to label it yourself: 1 sentence" in text_of(app)
    assert [text for text in ("Mwanza", "Arusha", "Moshi") if any(text in one for one in drawn(app))] == [
        "Arusha",
        "Moshi",
    ]
    assert Span(0, 1, "PER") in store.doubled(project.id)[0].annotations[0].spans


def test_a_table_that_can_be_downloaded_holds_no_formula(store: Store) -> None:
    project, ids = project_with(store, "Asha yuko Mwanza", "Juma yuko Arusha")
    for place, name in enumerate(('=HYPERLINK("http://x.example","y")', "+Neema")):
        save(store, project, store.annotator(name).id, *(draft(id_, (0, 1 + place, "PER")) for id_ in ids))
    pairs = agreement_page(project).dataframe[0].value
    assert {pairs["One"][0][0], pairs["Other"][0][0]} == {"'"}
