"""Exports out of the store: what leaves, what does not, and that it comes back the same."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_helpers import add_reserve, new_project

from annotation.exporting import ExportOptions, export, export_stream, mixes_splits
from annotation.formats import SourceFile
from annotation.importing import import_files
from maner_core.errors import InvalidInput, NotFound, UnknownName
from maner_core.spans import Span
from storage import (
    AnnotationDraft,
    NewSentence,
    Origin,
    Project,
    QueueItem,
    Split,
    Status,
    Store,
    SuggestedSpan,
    Suggestion,
)

CONLL = """\
Asha B-PER
Otieno I-PER
yuko O
Nairobi B-LOC
Mjini B-LOC

Mvua O
inanyesha O

"""


def save(store: Store, sentence_id: int, status: Status, spans: Sequence[Span] = (), run: int | None = None) -> str:
    """One annotation by Wanjiku; its id."""
    sentence = store.sentence(sentence_id)
    person = store.annotator("Wanjiku")
    moment = datetime(2026, 1, 5, 10, 0, 9, tzinfo=UTC)
    draft = AnnotationDraft(str(uuid4()), sentence_id, status, tuple(spans), "sijui", 9_000, moment, run, None)
    acknowledged, rejected = store.save_annotations(sentence.project_id, person.id, [draft])
    assert rejected == []
    return acknowledged[0]


@pytest.fixture
def four_states(sqlite_store: Store) -> tuple[Store, Project]:
    """A project with a labelled, an empty, a skipped, a flagged, an unlabelled and a reserved sentence."""
    project = new_project(sqlite_store)
    texts = ["Asha yuko Nairobi", "Mvua inanyesha", "Habari zenu", "Ziwa Viktoria", "Bado hajafika", "Mto Tana"]
    new = [NewSentence(tuple(text.split())) for text in texts[:5]]
    new.append(NewSentence(("Mto", "Tana"), split=Split.RESERVE, gold=(Span(1, 2, "LOC"),)))
    sqlite_store.add_sentences(project.id, new, sqlite_store.annotator("import").id, "habari.txt")
    ids = [sentence.id for sentence in sqlite_store.sentences(project.id, None)]
    save(sqlite_store, ids[0], Status.LABELLED, [Span(0, 1, "PER"), Span(2, 3, "LOC")])
    save(sqlite_store, ids[1], Status.LABELLED)
    save(sqlite_store, ids[2], Status.SKIPPED)
    save(sqlite_store, ids[3], Status.FLAGGED, [Span(0, 2, "LOC")])
    return sqlite_store, project


def text(store: Store, project: Project, format: str = "conll", *include: str, split: str = "all") -> str:
    return "".join(export(store, project.id, format, set(include or ("labelled",)), split))


def objects(exported: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported.splitlines()]


def test_skipped_flagged_and_unlabelled_sentences_are_left_out(four_states: tuple[Store, Project]) -> None:
    assert text(*four_states) == ("Asha B-PER\nyuko O\nNairobi B-LOC\n\nMvua O\ninanyesha O\n\nMto O\nTana B-LOC\n\n")


def test_four_columns_are_those_of_conll_2003(four_states: tuple[Store, Project]) -> None:
    assert text(*four_states, "conll4").startswith("Asha -X- O B-PER\nyuko -X- O O\nNairobi -X- O B-LOC\n\n")


def test_what_is_asked_for_besides_is_marked_as_what_it_is(four_states: tuple[Store, Project]) -> None:
    assert text(*four_states, "conll", "skipped", "flagged", "unlabelled") == (
        "# status = skipped\nHabari O\nzenu O\n\n# status = flagged\nZiwa B-LOC\nViktoria I-LOC\n\n"
        "# status = unlabelled\nBado O\nhajafika O\n\n"
    )


@pytest.mark.parametrize(("split", "n"), [("all", 3), ("train", 2), ("reserve", 1)])
def test_one_split_can_be_had_by_itself(four_states: tuple[Store, Project], split: str, n: int) -> None:
    assert len(objects(text(*four_states, "jsonl", split=split))) == n


def test_every_state_is_another_in_jsonl(four_states: tuple[Store, Project]) -> None:
    found = objects(text(*four_states, "jsonl", "labelled", "skipped", "flagged", "unlabelled"))
    assert [item["status"] for item in found] == [
        "labelled",
        "labelled",
        "skipped",
        "flagged",
        "unlabelled",
        "labelled",
    ]
    assert [item.get("spans") is None for item in found] == [False, False, False, False, True, False]
    assert [item["split"] for item in found] == ["pool"] * 5 + ["reserve"]


def test_jsonl_says_who_when_and_how_long(four_states: tuple[Store, Project]) -> None:
    item = objects(text(*four_states, "jsonl"))[0]
    assert (item["annotator"], item["comment"], item["active_ms"]) == ("Wanjiku", "sijui", 9_000)
    assert item["started_at"] == "2026-01-05T10:00:00.000+00:00"
    assert item["submitted_at"] == "2026-01-05T10:00:09.000+00:00"
    assert (item["suggestions_shown"], item["sampling"]) == (False, {"arm": "random"})
    assert (item["text"], item["text_is_source"], item["script"]) == ("Asha yuko Nairobi", False, "LATIN")
    assert item["tokens"][1] == {"text": "yuko", "start": 5, "end": 9, "ws": True}
    assert item["spans"][1] == {
        "start": 10, "end": 17, "token_start": 2, "token_end_exclusive": 3, "label": "LOC",
        "origin": "manual", "score": None, "model_version": None,
    }  # fmt: skip


def test_jsonl_says_how_a_sentence_was_chosen_and_what_became_of_the_suggestion(sqlite_store: Store) -> None:
    project = new_project(sqlite_store)
    sqlite_store.add_sentences(project.id, [NewSentence(("Asha", "Otieno", "yuko", "Nairobi", "leo"))], None, "a")
    (sentence,) = sqlite_store.sentences(project.id, None)
    run = sqlite_store.start_run(project.id, 2, {}, 1, 0, 0)
    spans = (SuggestedSpan(0, 1, "PER", 0.5), SuggestedSpan(3, 4, "LOC", 0.75), SuggestedSpan(4, 5, "ORG", 0.25))
    sqlite_store.save_suggestions(run.id, [Suggestion(run.id, sentence.id, spans, (0.5,) * 5)])
    sqlite_store.finish_run(run.id, {}, None, True, "")
    item = QueueItem(sentence.id, Origin.ACTIVE, 4, "mnlp", 1.5, 0.25, run.id, 2, "unsure of Asha")
    sqlite_store.fill_queue(project.id, [item], replace=False)
    sqlite_store.claim(project.id, sqlite_store.annotator("Wanjiku").id, "tab", Split.POOL, 1)
    chosen = [Span(0, 2, "PER"), Span(3, 4, "LOC"), Span(4, 5, "ORG")]
    save(sqlite_store, sentence.id, Status.LABELLED, chosen, run.id)
    (found,) = objects(text(sqlite_store, project, "jsonl"))
    assert [(span["origin"], span["score"]) for span in found["spans"]] == [
        ("edited", None),
        ("suggested", 0.75),
        ("manual", None),
    ]
    assert found["suggestions_shown"] is True
    assert found["sampling"] == {
        "arm": "active", "strategy": "mnlp", "score": 1.5, "rank": 4, "p": 0.25, "round": 2,
        "reason": "unsure of Asha", "model_version": run.id,
    }  # fmt: skip
    assert [span["score"] for span in found["suggestion"]["spans"]] == [0.5, 0.75, 0.25]


def test_conll_that_was_imported_leaves_byte_for_byte(sqlite_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "habari.conll"
    path.write_text(CONLL)
    project = new_project(sqlite_store)
    import_files(sqlite_store, project.id, [path], use_as="gold", reserve=0)
    assert text(sqlite_store, project) == CONLL


def test_documents_leave_as_docstart_lines(sqlite_store: Store) -> None:
    with_documents = f"-DOCSTART- O\n\n{CONLL}-DOCSTART- O\n\nMto O\n\n"
    project = new_project(sqlite_store)
    import_files(sqlite_store, project.id, [SourceFile("a", with_documents.encode())], use_as="gold", reserve=0)
    assert text(sqlite_store, project) == with_documents
    assert text(sqlite_store, project, "conll4").startswith("-DOCSTART- -X- O O\n\nAsha -X- O B-PER\n")


def test_other_schemes_can_be_written(four_states: tuple[Store, Project]) -> None:
    store, project = four_states
    exported = "".join(export_stream(store, project, ExportOptions(include=frozenset({"flagged"}), scheme="bilou")))
    assert exported == "# status = flagged\nZiwa B-LOC\nViktoria L-LOC\n\n"


def test_a_token_that_conll_cannot_carry_stops_the_export_before_it_begins(sqlite_store: Store) -> None:
    project = new_project(sqlite_store)
    new = [NewSentence(("sawa",), gold=()), NewSentence(("New York",), gold=())]
    sqlite_store.add_sentences(project.id, new, sqlite_store.annotator("import").id, "a")
    with pytest.raises(InvalidInput, match=r"sentence 2 holds the token 'New York'.*export it as jsonl"):
        export(sqlite_store, project.id, "conll")
    assert len(objects(text(sqlite_store, project, "jsonl"))) == 2


def test_a_long_export_comes_in_pieces(sqlite_store: Store) -> None:
    project = new_project(sqlite_store)
    words = [NewSentence((f"neno{number}" * 20,)) for number in range(2_500)]
    sqlite_store.add_sentences(project.id, words, None, "a")
    pieces = list(export(sqlite_store, project.id, "conll", {"unlabelled"}))
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 70_000
    assert "".join(pieces).count("\n\n") == 2_500


def test_wrong_words_are_refused_with_the_choices(four_states: tuple[Store, Project]) -> None:
    store, project = four_states
    with pytest.raises(UnknownName, match="no export format 'xml'; choose one of conll, conll4, jsonl"):
        export(store, project.id, "xml")
    with pytest.raises(UnknownName, match="no status 'done'"):
        export(store, project.id, "conll", {"done"})
    with pytest.raises(UnknownName, match="no split 'test'; choose one of all, train, reserve"):
        export(store, project.id, "conll", {"labelled"}, "test")
    with pytest.raises(UnknownName, match="no export option 'formt'"):
        ExportOptions.parse({"formt": "conll"})
    with pytest.raises(NotFound):
        export(store, 99, "conll")


def test_options_are_read_out_of_words() -> None:
    options = ExportOptions.parse({"format": "conll4", "include": "labelled, skipped", "split": "reserve"})
    assert options == ExportOptions("conll4", frozenset({"labelled", "skipped"}), "reserve")
    assert (options.suffix, ExportOptions("jsonl").suffix) == ("conll", "jsonl")
    assert ExportOptions.parse({}) == ExportOptions()


token = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r\0"), min_size=1, max_size=5
).filter(lambda text: text != "-DOCSTART-")


@st.composite
def new_sentences(draw: st.DrawFn) -> NewSentence:
    tokens = tuple(draw(st.lists(token, min_size=1, max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(tokens)), max_size=5)))
    label = st.sampled_from(["PER", "LOC", "ORG"])
    spans = [Span(start, end, draw(label)) for start, end in itertools.pairwise(cuts) if draw(st.booleans())]
    return NewSentence(tokens, gold=tuple(spans))


@pytest.mark.parametrize("format", ["conll", "conll4", "jsonl"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences=st.lists(new_sentences(), min_size=1, max_size=6))
def test_what_the_store_holds_survives_export_and_import(
    sqlite_store: Store, format: str, sentences: list[NewSentence]
) -> None:
    first, second = (new_project(sqlite_store, name=str(uuid4())) for _ in range(2))
    sqlite_store.add_sentences(first.id, sentences, sqlite_store.annotator("import").id, "a")
    exported = text(sqlite_store, first, format)
    import_files(sqlite_store, second.id, [SourceFile("a.txt", exported.encode())], use_as="gold", reserve=0)
    stored = {
        project.id: [
            (row.sentence.tokens, row.annotation and row.annotation.spans)
            for row in sqlite_store.export_rows(project.id, None, [Status.LABELLED], True)
        ]
        for project in (first, second)
    }
    assert stored[second.id] == stored[first.id] == [(sentence.tokens, sentence.gold) for sentence in sentences]
    if format != "jsonl":
        assert text(sqlite_store, second, format) == exported


def test_only_evaluation_sentences_that_leave_with_the_others_are_told_of(sqlite_store: Store) -> None:
    project = new_project(sqlite_store)
    add_reserve(sqlite_store, project, 3)  # nobody has labelled them
    progress = sqlite_store.progress(project.id)
    assert not mixes_splits(progress, ExportOptions())
    assert mixes_splits(progress, ExportOptions(include=frozenset({"labelled", "unlabelled"})))
    assert not mixes_splits(progress, ExportOptions("jsonl", frozenset({"labelled", "unlabelled"})))
    assert not mixes_splits(progress, ExportOptions(include=frozenset({"unlabelled"}), split="train"))
