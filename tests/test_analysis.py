"""Error analysis by hand: who is set against whom, what an error is called, and which group it counts in."""

import json
import re
from pathlib import Path

import pytest
from encoders import SENTENCES, SPANS, random_tagger, spans_of, tiny_bert
from hypothesis import given, settings
from hypothesis import strategies as st

from maner_core import conll
from maner_core.__main__ import main
from maner_core.analysis import (
    BOTH,
    BOUNDARY,
    CORRECT,
    KINDS,
    MISSED,
    OTHERWISE,
    SEEN,
    SPURIOUS,
    TYPE,
    UNSEEN,
    Analysis,
    GroupScore,
    Pair,
    analyse,
    pair_off,
)
from maner_core.checkpoints import save_checkpoint
from maner_core.entity_forms import FORMS, EntityForms
from maner_core.errors import InvalidInput, NoCheckpoint
from maner_core.evaluation import f1_report
from maner_core.spans import Span, iob2_tags, repair_tags, spans_to_tags, tags_to_spans
from maner_core.training import TrainReport

TRAINED_ON = EntityForms.of([["Juma", "saw", "Dar", "es", "Salaam"], ["Arusha"]], [
    spans_of((0, 1, "PER"), (2, 5, "LOC")), spans_of((0, 1, "LOC")),
])  # fmt: skip

# Six sentences, each with one kind of error but the first; what was seen in training: Juma PER, Dar es Salaam LOC, Arusha LOC.
TEXT = [
    ["Juma", "left", "Moshi"],
    ["Dar", "es", "Salaam", "grows"],
    ["Arusha", "won"],
    ["old", "Juma", "Ali", "left", "the", "town", "of", "Dar", "es", "Salaam", "today"],
    ["Juma", "rested"],
    ["it", "rained"],
]
GOLD = [
    spans_of((0, 1, "PER"), (2, 3, "LOC")),
    spans_of((0, 3, "LOC")),
    spans_of((0, 1, "ORG")),
    spans_of((1, 3, "PER"), (7, 10, "LOC")),
    spans_of((0, 1, "PER")),
    spans_of(),
]
PREDICTED = [
    spans_of((0, 1, "PER"), (2, 3, "LOC")),  # both right
    spans_of((0, 1, "LOC")),  # boundary
    spans_of((0, 1, "LOC")),  # type
    spans_of((0, 2, "LOC"), (7, 10, "LOC")),  # neither boundary nor type; right
    spans_of(),  # missed
    spans_of((1, 2, "LOC")),  # spurious
]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(TEXT, GOLD, PREDICTED, TRAINED_ON)


def score(
    n_gold: int, n_predicted: int, correct: int, boundary: int, type_: int, both: int, missed: int, spurious: int
) -> GroupScore:
    """These counts with the precision, recall and F1 that follow."""
    precision, recall = correct / n_predicted if n_predicted else 0.0, correct / n_gold if n_gold else 0.0
    f1 = 2 * correct / (n_gold + n_predicted)
    return GroupScore(n_gold, n_predicted, correct, boundary, type_, both, missed, spurious, precision, recall, f1)


def test_each_error_has_its_kind(analysis: Analysis) -> None:
    assert [(pair.sentence, pair.kind) for pair in analysis.errors] == [
        (1, BOUNDARY),
        (2, TYPE),
        (3, BOTH),
        (4, MISSED),
        (5, SPURIOUS),
    ]
    assert analysis.errors[0] == Pair(1, Span(0, 3, "LOC"), Span(0, 1, "LOC"))
    assert analysis.sentences == 6


def test_the_counts_of_all_and_of_each_label_by_hand(analysis: Analysis) -> None:
    assert analysis.overall == score(7, 7, 3, 1, 1, 1, 1, 1)
    assert analysis.by_label == {
        "LOC": score(3, 6, 2, 1, 0, 0, 0, 1),
        "ORG": score(1, 0, 0, 0, 1, 0, 0, 0),
        "PER": score(3, 1, 1, 0, 0, 1, 1, 0),
    }


def test_known_and_new_entities_by_hand(analysis: Analysis) -> None:
    # Arusha was a LOC in training and is an ORG here, so the prediction LOC is of a known entity, the gold one is not.
    # New are Moshi (right), Juma Ali (gold), and of the predictions Dar, old Juma and rained.
    assert analysis.by_training == {
        SEEN: score(4, 3, 2, 1, 0, 0, 1, 0),
        OTHERWISE: score(1, 0, 0, 0, 1, 0, 0, 0),
        UNSEEN: score(2, 4, 1, 0, 0, 1, 0, 1),
    }
    assert list(analysis.by_training) == [SEEN, OTHERWISE, UNSEEN]


def test_lengths_of_entities_and_sentences_by_hand(analysis: Analysis) -> None:
    assert analysis.by_entity_words == {
        "1": score(4, 5, 2, 0, 1, 0, 1, 1),
        "2": score(1, 1, 0, 0, 0, 1, 0, 0),
        "3": score(2, 1, 1, 1, 0, 0, 0, 0),
    }
    assert analysis.by_sentence_words == {
        "1-10": score(5, 5, 2, 1, 1, 0, 1, 1),
        "11-20": score(2, 2, 1, 0, 0, 1, 0, 0),
    }


def test_long_entities_share_a_group() -> None:
    long = [spans_of((0, 7, "PER"))]
    assert list(analyse([["a"] * 40], long, long).by_entity_words) == ["4 or more"]
    assert list(analyse([["a"] * 40], long, long).by_sentence_words) == ["31 or more"]


def test_confused_labels_by_hand(analysis: Analysis) -> None:
    assert analysis.confusion == {
        "": {"LOC": 1},
        "LOC": {"LOC": 3},
        "ORG": {"LOC": 1},
        "PER": {"": 1, "LOC": 1, "PER": 1},
    }


@pytest.mark.parametrize(
    ("gold", "predicted", "pairs"),
    [
        ([(0, 2, "LOC")], [(0, 1, "PER"), (1, 3, "LOC")], [((0, 2, "LOC"), (1, 3, "LOC")), (None, (0, 1, "PER"))]),
        ([(0, 1, "PER"), (1, 5, "PER")], [(0, 5, "PER")], [((0, 1, "PER"), None), ((1, 5, "PER"), (0, 5, "PER"))]),
        ([(0, 1, "PER"), (1, 5, "LOC")], [(0, 5, "PER")], [((0, 1, "PER"), (0, 5, "PER")), ((1, 5, "LOC"), None)]),
        ([(0, 2, "PER")], [(2, 3, "PER")], [((0, 2, "PER"), None), (None, (2, 3, "PER"))]),
    ],
    ids=["the label before its place", "the most words", "the label before the most words", "beside is not together"],
)
def test_who_is_set_against_whom(
    gold: list[tuple[int, int, str]], predicted: list[tuple[int, int, str]], pairs: list[tuple[object, object]]
) -> None:
    found = pair_off(0, spans_of(*gold), spans_of(*predicted))
    as_tuples = [
        tuple((span.start, span.end, span.label) if span else None for span in (pair.gold, pair.predicted))
        for pair in found
    ]
    assert sorted(as_tuples, key=repr) == sorted(pairs, key=repr)


TAG_LISTS = st.lists(st.sampled_from(iob2_tags(["PER", "LOC"])), max_size=9)


@settings(deadline=None)
@given(st.lists(st.tuples(TAG_LISTS, TAG_LISTS), max_size=6))
def test_the_parts_make_the_whole_and_agree_with_the_f1_report(tags: list[tuple[list[str], list[str]]]) -> None:
    tags = [(g[: len(p)], p[: len(g)]) for g, p in tags]
    sentences = [["Juma"] * len(g) for g, _ in tags]
    gold, predicted = ([tags_to_spans(repair_tags(pair[i])) for pair in tags] for i in (0, 1))
    analysis, report = analyse(sentences, gold, predicted, TRAINED_ON), f1_report(gold, predicted)
    whole = analysis.overall
    assert (whole.precision, whole.recall, whole.f1) == (report.precision, report.recall, report.f1)
    assert {name: part.f1 for name, part in analysis.by_label.items()} == {
        name: part.f1 for name, part in report.per_label.items()
    }
    assert analysis.by_training is not None
    for division in (analysis.by_label, analysis.by_training, analysis.by_entity_words, analysis.by_sentence_words):
        for name in ("n_gold", "n_predicted", *KINDS):
            assert sum(getattr(part, name) for part in division.values()) == getattr(whole, name)
        for part in division.values():
            assert part.n_gold == part.correct + part.boundary + part.type + part.both + part.missed
    assert sum(n for row in analysis.confusion.values() for n in row.values()) == whole.correct + len(analysis.errors)
    assert CORRECT not in {pair.kind for pair in analysis.errors}


def test_what_does_not_pair_up_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match="6 sentences came with gold spans for 6 and predictions for 5; each needs both"
    ):
        analyse(TEXT, GOLD, PREDICTED[1:])


# What a checkpoint knows of its training entities.


def test_a_form_is_its_exact_words_with_all_labels_it_had(tmp_path: Path) -> None:
    sentences = [["Moshi", "won"], ["Moshi"], ["New", "York"]]
    forms = EntityForms.of(sentences, [spans_of((0, 1, "ORG")), spans_of((0, 1, "LOC")), spans_of((0, 2, "LOC"))])
    forms.write(tmp_path)
    for known in (forms, EntityForms.read(tmp_path)):
        assert known is not None
        assert known.labels(["Moshi"]) == {"LOC", "ORG"}
        assert known.labels(["New", "York"]) == {"LOC"}
        assert known.labels(["New York"]) == known.labels(["moshi"]) == known.labels(["won"]) == frozenset()


def test_the_file_holds_no_name(tmp_path: Path) -> None:
    TRAINED_ON.write(tmp_path)
    text = (tmp_path / FORMS).read_text(encoding="utf-8")
    assert "Juma" not in text
    assert len(json.loads(text)) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in json.loads(text))


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1}', "\xff"])
def test_a_damaged_file_is_one_sentence_with_a_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / FORMS).write_text(content, encoding="latin-1")
    with pytest.raises(NoCheckpoint, match=r"entities\.json cannot be read .*; name the training file with --train"):
        EntityForms.read(tmp_path)


# The command.


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of gold spans and two checkpoints of an untrained tagger, one of which knows its entities."""
    folder = tmp_path_factory.mktemp("analysis")
    tagger = random_tagger(tiny_bert(folder / "backbone"))
    report = TrainReport(1.0, 1, 0.1, 1.0, 1, "cpu", 1, 0, 1024)
    save_checkpoint(folder / "knows", tagger, tagger.config, report, entities=EntityForms.of(SENTENCES[:3], SPANS[:3]))
    save_checkpoint(folder / "old", tagger, tagger.config, report)
    tags = [spans_to_tags(spans, len(words)) for spans, words in zip(SPANS, SENTENCES, strict=True)]
    conll.write(folder / "gold.conll", SENTENCES, tags)
    return folder


def test_the_command_gives_the_analysis_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyse", "--checkpoint", str(place / "knows"), str(place / "gold.conll")]
    assert main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["sentences"], result["overall"]["n_gold"]) == (8, 10)
    assert result["by_training"][SEEN]["n_gold"] == 4  # Juma, Arusha, Asha Musa, Dar es Salaam
    assert len(result["errors"]) == sum(result["overall"][kind] for kind in KINDS[1:])
    error = next(error for error in result["errors"] if error["gold"])
    gold = error["gold"]
    assert gold["text"] == " ".join(SENTENCES[error["sentence"]][gold["start"] : gold["end"]])
    assert main([*words, "--json", "--train", str(place / "gold.conll")]) == 0
    assert json.loads(capsys.readouterr().out)["by_training"][SEEN]["n_gold"] == 10


def test_the_command_shows_people_tables_and_examples(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyse", "--checkpoint", str(place / "knows"), str(place / "gold.conll")]
    assert main([*words, "--examples", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".*gold\.conll: 8 sentences, 10 entities, F1 0\.\d{3}\.", lines[0])
    assert lines[1].endswith(" F1")
    assert "By label" in lines
    assert any(re.match(r"  unseen  +\d+ ", line) for line in lines)
    assert any(line.startswith("Gold label, and what was predicted") for line in lines)
    examples = [line for line in lines if line.startswith("  sentence ")]
    headings = [line for line in lines if re.match(r"(Boundary|Type|Both|Missed|Spurious), 1 of \d+$", line)]
    assert len(examples) == len(headings) > 0
    assert all(
        re.fullmatch(r"  sentence \d: (.+ \[\w+\]|\(nothing\)) -> (.+ \[\w+\]|\(nothing\))", x) for x in examples
    )


def test_a_checkpoint_that_does_not_know_its_entities_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyse", "--checkpoint", str(place / "old"), str(place / "gold.conll")]
    assert main(words) == 0
    assert "does not say what it was trained on; name the file with --train\n" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["by_training"] is None
