"""Importing files: all or nothing, what tags are used for, the reserve, labels, duplicates, the report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from store_helpers import new_project

from annotation.formats import SourceFile
from annotation.importing import ImportReport, UseAs, import_files, in_reserve
from annotation.labels import make_labels
from maner_core.errors import FormatError, InvalidConfig, InvalidInput, NotFound, UnknownName
from maner_core.spans import Span
from storage import Origin, ProjectSettings, Sentence, Split, Store

GOOD = "Asha B-PER\nyuko O\nNairobi B-LOC\n\nMvua O\ninanyesha O\n"
BAD = "Asha O\nyuko O\nhapa O\n\nJuma O\nyuko\nKisumu B-LOC\n\nMvua O\ninanyesha O\n"


def source(text: str, name: str = "habari.txt") -> SourceFile:
    return SourceFile(name, text.encode())


def sentences(store: Store, report: ImportReport, split: Split | None = None) -> list[Sentence]:
    return list(store.sentences(report.project_id, split))


def gold(store: Store, report: ImportReport, split: Split) -> dict[str, tuple[Span, ...]]:
    return {" ".join(item.sentence.tokens): item.annotation.spans for item in store.labelled(report.project_id, split)}


def is_empty(store: Store, project_id: int) -> bool:
    return next(store.sentences(project_id, None), None) is None


@pytest.fixture
def project_id(sqlite_store: Store) -> int:
    return new_project(sqlite_store).id


def test_an_import_that_fails_leaves_neither_its_project_nor_its_labels(sqlite_store: Store, project_id: int) -> None:
    before = sqlite_store.project(project_id).settings
    tagged = source("Kampala B-CITY\nni O\n")

    def cancelled(phase: str, done: int, total: int) -> None:
        if phase == "saving" and done:
            raise InvalidInput("cancelled")

    for target in (ProjectSettings("Mpya", labels=before.labels), project_id):
        with pytest.raises(InvalidInput, match="cancelled"):
            import_files(sqlite_store, target, [tagged], use_as="gold", add_labels=True, on_progress=cancelled)
    assert [project.settings for project in sqlite_store.projects()] == [before]
    report = import_files(sqlite_store, project_id, [tagged], use_as="gold", reserve=0, add_labels=True)
    assert [label.name for label in sqlite_store.project(project_id).settings.labels][-1] == "CITY"
    assert report.labels_added == ("CITY",)


def test_what_a_lead_changes_while_labels_are_imported_stays(sqlite_store: Store, project_id: int) -> None:
    def meanwhile(phase: str, done: int, total: int) -> None:
        if phase == "duplicates":
            settings = sqlite_store.project(project_id).settings
            sqlite_store.update_project(project_id, replace(settings, guidelines="Cities too."))

    tagged = source("Kampala B-CITY\nni O\n")
    import_files(sqlite_store, project_id, [tagged], use_as="gold", add_labels=True, on_progress=meanwhile)
    settings = sqlite_store.project(project_id).settings
    assert (settings.guidelines, settings.labels[-1].name) == ("Cities too.", "CITY")


def test_tags_of_a_pool_are_dropped(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(GOOD)], reserve=0)
    assert (report.added, report.gold, report.evaluation, report.reserved) == (2, 0, 0, 0)
    assert [sentence.tokens for sentence in sentences(sqlite_store, report)] == [
        ("Asha", "yuko", "Nairobi"),
        ("Mvua", "inanyesha"),
    ]
    assert sqlite_store.progress(project_id).unlabelled_pool == 2


def test_tags_become_gold_annotations_of_the_pool(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(GOOD)], use_as="gold", reserve=0)
    assert (report.gold, report.evaluation) == (2, 0)
    assert gold(sqlite_store, report, Split.POOL) == {
        "Asha yuko Nairobi": (Span(0, 1, "PER"), Span(2, 3, "LOC")),
        "Mvua inanyesha": (),
    }
    assert {item.annotation.origin for item in sqlite_store.labelled(project_id, Split.POOL)} == {Origin.IMPORT}


def test_tags_become_the_evaluation_set(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(GOOD)], use_as="evaluation")
    assert (report.added, report.gold, report.evaluation, report.reserved) == (2, 0, 2, 2)
    assert len(gold(sqlite_store, report, Split.RESERVE)) == 2
    assert sqlite_store.labelled(project_id, Split.POOL) == []


def test_the_source_names_file_and_line(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(GOOD)], reserve=0)
    assert [sentence.source for sentence in sentences(sqlite_store, report)] == ["habari.txt:1", "habari.txt:5"]


def test_text_and_spaces_of_plain_text_are_kept(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source("👩🏾\u200d🌾 Asha,  yuko Nairobi.\n")], reserve=0)
    (sentence,) = sentences(sqlite_store, report)
    assert sentence.text == "👩🏾\u200d🌾 Asha,  yuko Nairobi."
    assert sentence.tokens == ("👩🏾\u200d🌾", "Asha", ",", "yuko", "Nairobi", ".")
    assert sentence.spaces == (True, False, True, True, False, False)


def test_metadata_and_documents_are_kept(sqlite_store: Store, project_id: int) -> None:
    text = "-DOCSTART- O\n\n# sent_id = 7\nAsha O\nyupo O\n"
    report = import_files(sqlite_store, project_id, [source(text)], reserve=0)
    (sentence,) = sentences(sqlite_store, report)
    assert (sentence.document, sentence.meta) == ("habari.txt#1", {"sent_id": "7"})


def test_a_project_is_made_of_settings_once_the_files_are_good(sqlite_store: Store) -> None:
    settings = ProjectSettings("Mpya", labels=make_labels(["PER", "LOC"]))
    with pytest.raises(FormatError):
        import_files(sqlite_store, settings, [source(BAD)])
    with pytest.raises(InvalidInput, match="has no label 'ORG'"):
        import_files(sqlite_store, settings, [source("KCB B-ORG\n")], use_as="gold")
    assert sqlite_store.projects() == []
    report = import_files(sqlite_store, settings, [source(GOOD)])
    assert sqlite_store.project(report.project_id).settings == settings


def test_an_unknown_project_is_not_found(sqlite_store: Store) -> None:
    with pytest.raises(NotFound):
        import_files(sqlite_store, 99, [source(GOOD)])


# Wrong files.


def test_one_bad_line_stops_the_import_of_all_files_and_is_named(sqlite_store: Store, project_id: int) -> None:
    with pytest.raises(FormatError) as caught:
        import_files(sqlite_store, project_id, [source(GOOD, "a.txt"), source(BAD, "b.txt")])
    assert str(caught.value) == (
        "b.txt:6: 1 column where the file has 2; part the columns by spaces, one token a line, the tag last, "
        "or import all but the bad sentences; nothing was imported"
    )
    assert is_empty(sqlite_store, project_id)


def test_the_error_counts_the_other_bad_sentences(sqlite_store: Store, project_id: int) -> None:
    with pytest.raises(FormatError, match=r"a\.txt:1: 'X' is no tag \(and 2 more like it\)"):
        import_files(sqlite_store, project_id, [source("a X\nb O\n\n" * 3 + "c O\nd O\n", "a.txt")], format="conll")


def test_bad_sentences_can_be_left_out_and_are_listed(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(BAD)], skip_bad=True, reserve=0)
    assert [sentence.tokens[0] for sentence in sentences(sqlite_store, report)] == ["Asha", "Mvua"]
    assert [line.split("; ")[0] for line in report.files[0].bad] == ["habari.txt:6: 1 column where the file has 2"]


def test_a_line_in_the_middle_of_many_is_named(sqlite_store: Store, project_id: int) -> None:
    lines = ["neno O", ""] * 5_000
    lines[5_000] = "neno"
    with pytest.raises(FormatError) as caught:
        import_files(sqlite_store, project_id, [source("\n".join(lines))])
    assert caught.value.line == 5_001
    assert is_empty(sqlite_store, project_id)


def test_a_file_of_bad_sentences_only_is_refused_even_when_they_may_be_left_out(
    sqlite_store: Store, project_id: int
) -> None:
    with pytest.raises(FormatError, match="holds no sentence that can be imported"):
        import_files(sqlite_store, project_id, [source("{\n", "a.jsonl")], skip_bad=True)


def test_a_missing_file_is_named(sqlite_store: Store, project_id: int, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"hakuna\.txt: cannot be read \(No such file or directory\)"):
        import_files(sqlite_store, project_id, [tmp_path / "hakuna.txt"])


def test_no_file_at_all_is_refused(sqlite_store: Store, project_id: int) -> None:
    with pytest.raises(InvalidInput, match="there is no file to import"):
        import_files(sqlite_store, project_id, [])


def test_a_file_beyond_the_limit_is_refused(
    sqlite_store: Store, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.formats.source.MAX_FILE_BYTES", 2**20)
    with pytest.raises(FormatError, match=r"habari\.txt: is larger than 1 MB; split it into smaller files"):
        import_files(sqlite_store, project_id, [source("neno O\n" * 200_000)])


@pytest.mark.parametrize("use_as", ["gold", "evaluation"])
def test_a_file_without_tags_cannot_give_labels(sqlite_store: Store, project_id: int, use_as: UseAs) -> None:
    with pytest.raises(FormatError, match=r"habari\.txt: has no tags; import it into the pool"):
        import_files(sqlite_store, project_id, [source("Asha yupo.\n")], use_as=use_as)
    assert is_empty(sqlite_store, project_id)


def test_wrong_options_are_refused(sqlite_store: Store, project_id: int) -> None:
    with pytest.raises(UnknownName, match="choose one of pool, gold, evaluation"):
        import_files(sqlite_store, project_id, [source(GOOD)], use_as="test")  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match=r"reserve is 1\.5"):
        import_files(sqlite_store, project_id, [source(GOOD)], reserve=1.5)
    with pytest.raises(InvalidConfig, match="all sentences of an evaluation set are reserved"):
        import_files(sqlite_store, project_id, [source(GOOD)], use_as="evaluation", reserve=0.1)


def test_repaired_tags_are_reported_with_their_lines(sqlite_store: Store, project_id: int) -> None:
    text = GOOD + "\nMto O\nTana I-LOC\n"
    report = import_files(sqlite_store, project_id, [source(text)], use_as="gold", reserve=0)
    assert report.files[0].repairs == ("habari.txt:9: I-LOC opens a name; read as conlleval reads it",)
    assert gold(sqlite_store, report, Split.POOL)["Mto Tana"] == (Span(1, 2, "LOC"),)


# Labels.


def test_labels_the_project_lacks_are_named_and_nothing_is_imported(sqlite_store: Store, project_id: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        import_files(sqlite_store, project_id, [source(GOOD + "leo B-DATE\n")], use_as="gold")
    assert "has no label 'DATE' (first in the sentence at habari.txt:5); it knows LOC, ORG, PER" in str(caught.value)
    assert is_empty(sqlite_store, project_id)


def test_labels_of_a_pool_do_not_matter(sqlite_store: Store, project_id: int) -> None:
    assert import_files(sqlite_store, project_id, [source("leo B-DATE\n")], reserve=0).added == 1


def test_labels_can_be_added_with_fresh_colours_and_keys(sqlite_store: Store, project_id: int) -> None:
    text = GOOD + "leo B-DATE\nsaa B-ቦታ\n"
    report = import_files(sqlite_store, project_id, [source(text)], use_as="gold", add_labels=True)
    assert report.labels_added == ("DATE", "ቦታ")
    labels = sqlite_store.project(project_id).settings.labels
    assert [label.name for label in labels] == ["PER", "LOC", "ORG", "DATE", "ቦታ"]
    assert [label.key for label in labels] == ["1", "2", "3", "4", "5"]
    assert len({label.color for label in labels}) == 5


def test_labels_without_end_get_no_key_twice() -> None:
    labels = make_labels(f"L{number}" for number in range(60))
    keys = [label.key for label in labels if label.key]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set("cfrsux")
    assert len(labels) == 60


# States.


def test_skipped_and_unlabelled_sentences_of_a_file_bring_no_gold(sqlite_store: Store, project_id: int) -> None:
    text = GOOD + "\n# status = skipped\nJuma O\n\n# status = unlabelled\nOtieno O\n\n# status = flagged\nTana B-LOC\n"
    report = import_files(sqlite_store, project_id, [source(text)], use_as="gold", reserve=0)
    assert (report.added, report.gold, report.files[0].without_tags) == (5, 2, 3)
    meta = {sentence.tokens[0]: sentence.meta for sentence in sentences(sqlite_store, report)}
    assert meta["Juma"] == {"status": "skipped"}
    assert meta["Otieno"] == {}
    assert meta["Tana"] == {"status": "flagged"}


def test_a_sentence_that_was_reserved_where_it_comes_from_stays_reserved(sqlite_store: Store, project_id: int) -> None:
    line = {"tokens": ["Asha", "yupo"], "spans": [], "status": "labelled", "split": "reserve"}
    report = import_files(sqlite_store, project_id, [source(json.dumps(line))], use_as="gold", reserve=0)
    assert (report.gold, report.evaluation) == (0, 1)


# The reserve.


def unlike(n: int) -> str:
    """Sentences that no two are alike."""
    return "".join(f"{chr(97 + i % 26) * 6} {i * 7919} {chr(97 + i // 26 % 26) * 6} O\n".replace(" ", " O\n", 2) + "\n"
                   for i in range(n))  # fmt: skip


BLOCKS = unlike(120).strip().split("\n\n")


def in_documents(blocks: Sequence[str], sentences_each: int) -> str:
    starts = range(0, len(blocks), sentences_each)
    return "".join("-DOCSTART- O\n\n" + "\n\n".join([*blocks[i : i + sentences_each], ""]) for i in starts)


def test_the_share_reserved_is_about_the_one_asked_for(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(unlike(2_000))], reserve=0.2)
    assert report.added == 2_000
    assert report.near_duplicates == 0
    assert 320 < report.reserved < 480
    assert report.reserved == len(sentences(sqlite_store, report, Split.RESERVE))


def test_without_a_share_that_of_the_project_is_taken(sqlite_store: Store) -> None:
    project = new_project(sqlite_store, reserve_fraction=0.5)
    report = import_files(sqlite_store, project.id, [source(unlike(200))])
    assert 60 < report.reserved < 140


def test_a_document_is_reserved_as_a_whole(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(in_documents(BLOCKS, 4))], reserve=0.4)
    splits: dict[str | None, set[Split]] = {}
    for sentence in sentences(sqlite_store, report):
        splits.setdefault(sentence.document, set()).add(sentence.split)
    assert len(splits) == 30
    assert all(len(found) == 1 for found in splits.values())
    assert set().union(*splits.values()) == {Split.POOL, Split.RESERVE}


@pytest.mark.parametrize("sentences_each", [120, 30, 5])
def test_sentences_of_few_documents_are_drawn_one_by_one(sqlite_store: Store, sentences_each: int) -> None:
    text = in_documents(BLOCKS, sentences_each)
    for number in range(6):
        project = new_project(sqlite_store, f"P{number}", reserve_fraction=0.3)
        report = import_files(sqlite_store, project.id, [source(text)])
        assert 15 < report.reserved < 60


def test_one_id_for_all_lines_of_a_jsonl_file_is_no_document_to_draw(sqlite_store: Store, project_id: int) -> None:
    lines = [json.dumps({"tokens": block.replace(" O", "").split("\n"), "doc_id": "1"}) for block in BLOCKS]
    report = import_files(sqlite_store, project_id, [source("\n".join(lines), "a.jsonl")], reserve=0.3)
    assert {sentence.document for sentence in sentences(sqlite_store, report)} == {"1"}
    assert 15 < report.reserved < 60


def test_near_duplicates_in_few_documents_stay_on_one_side(sqlite_store: Store, project_id: int) -> None:
    text = in_documents([*BLOCKS, *BLOCKS], 40)
    report = import_files(sqlite_store, project_id, [source(text)], reserve=0.5)
    splits: dict[tuple[str, ...], set[Split]] = {}
    for sentence in sentences(sqlite_store, report):
        splits.setdefault(sentence.tokens, set()).add(sentence.split)
    assert len(splits) == 120
    assert all(len(found) == 1 for found in splits.values())


def test_a_share_that_came_out_at_nothing_is_told_with_what_to_do(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(GOOD)], reserve=1e-9)
    assert report.no_reserve is not None
    assert "import a file of other sentences as an evaluation set" in report.no_reserve
    assert import_files(sqlite_store, project_id, [source("Tana O\n")], reserve=0).no_reserve is None
    import_files(sqlite_store, project_id, [source("Kisumu B-LOC\nleo O\n")], use_as="evaluation")
    assert import_files(sqlite_store, project_id, [source("Mto O\n")], reserve=1e-9).no_reserve is None


def test_the_reserve_does_not_depend_on_order_or_on_other_sentences(sqlite_store: Store, project_id: int) -> None:
    blocks = unlike(300).strip().split("\n\n")
    first = import_files(sqlite_store, project_id, [source("\n\n".join(blocks))], reserve=0.3)
    reserved = {sentence.tokens for sentence in sentences(sqlite_store, first, Split.RESERVE)}
    salt = sqlite_store.project(project_id).split_salt
    assert reserved
    again = import_files(sqlite_store, project_id, [source("\n\n".join(reversed(blocks)))], reserve=0.3)
    assert {s.tokens for s in sentences(sqlite_store, again, Split.RESERVE)} == reserved
    assert in_reserve(salt, None, "g", 0.5) == in_reserve(salt, None, "g", 0.5)


def test_another_project_reserves_other_sentences() -> None:
    chosen = [{n for n in range(1_000) if in_reserve(salt, None, str(n), 0.3)} for salt in ("a", "b")]
    assert chosen[0] != chosen[1]


def test_a_larger_share_keeps_what_a_smaller_one_reserved() -> None:
    small = {n for n in range(1_000) if in_reserve("a", None, str(n), 0.1)}
    large = {n for n in range(1_000) if in_reserve("a", None, str(n), 0.3)}
    assert small < large


def test_a_document_and_a_group_of_one_name_are_not_the_same_unit() -> None:
    differing = [n for n in range(200) if in_reserve("a", str(n), "", 0.5) != in_reserve("a", None, str(n), 0.5)]
    assert differing


# Duplicates.

LONG = "Rais wa nchi alisema jana kwamba serikali itajenga shule mpya katika kila wilaya ya kaskazini mwaka ujao"


def test_exact_and_near_duplicates_are_kept_marked_and_reported(sqlite_store: Store, project_id: int) -> None:
    near = LONG.replace("jana", "leo")
    text = f"{LONG}\nMvua kubwa ilinyesha Kisumu\n{LONG}\n{near}\n"
    report = import_files(sqlite_store, project_id, [source(text)], reserve=0, pretokenized=True)
    assert (report.added, report.exact_duplicates, report.near_duplicates) == (4, 1, 1)
    assert [(e.kind, e.where, e.twin) for e in report.examples] == [
        ("exact", "habari.txt:3", "habari.txt:1"),
        ("near", "habari.txt:4", "habari.txt:1"),
    ]
    stored = sentences(sqlite_store, report)
    assert [sentence.duplicate_of for sentence in stored] == [None, None, stored[0].id, stored[0].id]


def test_sentences_of_the_project_count_as_earlier_ones(sqlite_store: Store, project_id: int) -> None:
    first = import_files(sqlite_store, project_id, [source(LONG)], reserve=0)
    second = import_files(sqlite_store, project_id, [source(LONG.upper() + "\n" + LONG)], reserve=0)
    assert (second.exact_duplicates, second.near_duplicates) == (1, 1)
    (original,) = [s for s in sentences(sqlite_store, first) if s.duplicate_of is None]
    assert {example.twin for example in second.examples} == {f"sentence {original.id}"}


def test_near_duplicates_fall_on_the_same_side_of_the_split(sqlite_store: Store, project_id: int) -> None:
    pairs = [f"{LONG} {chr(97 + n % 26) * 12} {n * 7919} {chr(97 + n // 26) * 12}" for n in range(60)]
    text = "\n".join(variant for line in pairs for variant in (line, line.replace("jana", "leo")))
    report = import_files(sqlite_store, project_id, [source(text)], reserve=0.5)
    stored = {sentence.id: sentence for sentence in sentences(sqlite_store, report)}
    twins = [sentence for sentence in stored.values() if sentence.duplicate_of]
    assert len(twins) >= 60
    assert all(stored[twin.duplicate_of or 0].split == twin.split for twin in twins)


def test_an_evaluation_sentence_that_is_annotated_in_the_pool_is_refused_and_listed(
    sqlite_store: Store, project_id: int
) -> None:
    import_files(sqlite_store, project_id, [source(GOOD)], use_as="gold", reserve=0)
    report = import_files(sqlite_store, project_id, [source(GOOD + "\nTana B-LOC\n")], use_as="evaluation")
    assert (report.added, report.evaluation, report.reserved, len(report.refused)) == (1, 1, 1, 2)


# Around it.


def test_progress_is_told_by_lines_read_and_sentences_saved(
    sqlite_store: Store, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.formats.source.LINES_BETWEEN_CALLS", 2)
    monkeypatch.setattr("storage._sentences.ROWS_AT_ONCE", 2)
    seen: list[tuple[str, int, int]] = []
    files = [source("Asha yuko hapa\nJuma analala\nMvua inanyesha\n", "a.txt"), source("Neema anasoma\n", "b.txt")]
    import_files(sqlite_store, project_id, files, format="text", on_progress=lambda *event: seen.append(event))
    assert seen == [
        ("reading", 0, 0),
        ("reading", 2, 3),
        ("reading", 3, 3),
        ("reading", 1, 1),
        ("duplicates", 0, 4),
        ("saving", 0, 4),
        ("saving", 2, 4),
        ("saving", 4, 4),
    ]


def test_an_import_that_is_broken_off_while_it_saves_leaves_nothing(
    sqlite_store: Store, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage._sentences.ROWS_AT_ONCE", 1)

    def leave(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("saving", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files(sqlite_store, project_id, [source(GOOD)], on_progress=leave)
    assert sqlite_store.progress(project_id).sentences == 0


def test_an_import_leaves_an_audit_event(sqlite_store: Store, project_id: int) -> None:
    person = sqlite_store.annotator("Wanjiku")
    import_files(sqlite_store, project_id, [source(GOOD)], use_as="gold", reserve=0, by=person.id)
    (event,) = [event for event in sqlite_store.audit(project_id) if event.kind == "import"]
    assert event.annotator_id == person.id  # who imports, though the tags are of nobody who is named
    assert (event.details["files"], event.details["gold"]) == (["habari.txt"], 2)


def test_the_report_is_plain_data(sqlite_store: Store, project_id: int) -> None:
    report = import_files(sqlite_store, project_id, [source(GOOD)], reserve=0)
    assert json.loads(json.dumps(report.to_dict()))["files"][0]["format"] == "conll"


def test_files_are_read_from_disk_with_their_line_ends_and_mark(
    sqlite_store: Store, project_id: int, tmp_path: Path
) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    report = import_files(sqlite_store, project_id, [path], reserve=0)
    assert sentences(sqlite_store, report)[0].tokens == ("Asha", "yuko", "Nairobi")
