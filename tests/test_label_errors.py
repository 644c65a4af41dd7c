"""Suspected errors: the scores by hand, words labelled in two ways, and a search on a real database."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_helpers import NAMES, draft, gold_spans, label, make_project, open_store, run_stub_round, save
from stub_tagger import STUB

import annotation.worker
from annotation import label_errors
from annotation.consistency import inconsistencies
from annotation.label_errors import by_label, due, quality, search
from annotation.tagging import Tools
from annotation.worker import Worker
from maner_core.errors import RunFailed
from maner_core.spans import OUTSIDE, Span
from storage import DecisionDraft, DecisionKind


def test_the_chances_of_b_and_i_are_one() -> None:
    of_tags = np.array([[0.5, 0.1, 0.2, 0.15, 0.05]])  # O, B-PER, I-PER, B-LOC, I-LOC
    assert by_label(of_tags) == pytest.approx(np.array([[0.5, 0.3, 0.2]]))


@pytest.mark.parametrize(
    ("chances", "given", "expected"),
    [
        ([[0.9, 0.1], [0.3, 0.7]], [0, 1], (0.7, False)),  # the worst word counts
        ([[0.9, 0.1], [0.3, 0.7]], [0, 0], (0.3, False)),
        ([[0.9, 0.1], [0.2, 0.8]], [0, 0], (0.2, True)),  # sure of another label
        ([[1.0, 0.0]], [0], (1.0, False)),
    ],
)
def test_a_sentence_is_as_good_as_its_worst_word(
    chances: list[list[float]], given: list[int], expected: tuple[float, bool]
) -> None:
    assert quality(np.array(chances), np.array(given)) == expected


def test_a_name_labelled_otherwise_than_elsewhere_is_found_and_so_is_one_left_out() -> None:
    sentences = [
        ["Dar", "es", "Salaam", "leo"],
        ["Mwanza", "leo"],
        ["MWANZA"],
        ["Mwanza", "ni", "mji"],
        ["na", "Mwanza"],
    ]
    place = [Span(0, 3, "LOC")]
    spans = [place, [Span(0, 1, "LOC")], [Span(0, 1, "LOC")], [Span(0, 1, "LOC")], []]
    [missed] = inconsistencies(sentences, spans)
    assert (missed.sentence, missed.span, missed.label) == (4, Span(1, 2, "LOC"), OUTSIDE)
    assert missed.share == 0.75
    assert missed.why == "“Mwanza” is no name here, but LOC in 75% of its places"
    spans[4] = [Span(1, 2, "ORG")]
    assert [place.label for place in inconsistencies(sentences, spans)] == ["ORG"]


def test_words_inside_a_longer_name_and_words_seen_twice_prove_nothing() -> None:
    sentences = [["Chuo", "cha", "Mwanza"], ["Mwanza"], ["Mwanza"], ["Mwanza"]]
    spans = [[Span(0, 3, "ORG")], [Span(0, 1, "LOC")], [Span(0, 1, "LOC")], [Span(0, 1, "LOC")]]
    assert inconsistencies(sentences, spans) == []
    assert inconsistencies([["Asha"], ["Asha"]], [[Span(0, 1, "PER")], []]) == []


def test_a_search_finds_a_wrong_label_and_lets_go_of_it_when_somebody_has_looked(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    project = make_project(store, pool=60)
    with pytest.raises(RunFailed, match="train once first"):
        search(store, project, tmp_path, STUB)
    chosen = label(store, project, 40)
    names = Counter(word for sentence in chosen for word in sentence.tokens if NAMES.get(word) == "PER")
    [(name, _)] = names.most_common(1)
    wrong = next(sentence for sentence in chosen if name in sentence.tokens)
    position = wrong.tokens.index(name)
    save(store, project, [draft(wrong, [Span(position, position + 1, "ORG")])])
    run = run_stub_round(store, project, tmp_path)
    assert not due(store, project.id)
    store.request_label_check(project.id)
    assert due(store, project.id)
    found = search(store, project, tmp_path, STUB)
    assert not due(store, project.id)
    assert found == store.label_doubts(project.id)
    worst = found[0]
    assert (worst.sentence_id, worst.spans, worst.sure, worst.run_id) == (
        wrong.id,
        gold_spans(wrong.tokens),
        True,
        run.id,
    )
    assert worst.quality < 0.05
    check = store.last_label_check(project.id)
    assert check is not None
    assert (check.n_sentences, check.folds) == (40, label_errors.FOLDS)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [str(run.id)]
    [case] = store.cases(project.id, [wrong.id])
    of_tagger = DecisionDraft(
        wrong.id,
        DecisionKind.TAKE,
        (case.annotations[-1].id,),
        worst.spans,
        run_id=worst.run_id,
        seen_annotation=case.seen_annotation,
    )
    decision = store.decide(project.id, store.annotator("Chiku").id, of_tagger)
    assert (decision.spans, decision.run_id) == (worst.spans, run.id)
    assert wrong.id not in {doubt.sentence_id for doubt in store.label_doubts(project.id)}
    store.close()


def test_the_worker_searches_when_another_hundred_labels_are_there_and_a_failed_search_waits_for_the_next(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path)
    project = make_project(store, pool=150, retrain_every=100)
    label(store, project, 100)
    Worker(store, tmp_path, threading.Event(), tools=STUB).serve(once=True)
    check = store.last_label_check(project.id)
    assert check is not None
    assert check.n_sentences == 100

    def fails(*_: object) -> None:
        raise ValueError("no memory")

    store.request_label_check(project.id)
    with pytest.raises(ValueError, match="no memory"):
        search(store, project, tmp_path, Tools(fails, STUB.load))
    assert store.label_doubts(project.id) == []
    assert not due(store, project.id)
    store.close()


def test_a_search_gives_way_to_a_round_once_and_then_runs_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation.worker, "POLL_SECONDS", 0.0)
    store = open_store(tmp_path)
    project = make_project(store, pool=150, retrain_every=100)
    label(store, project, 60)
    run_stub_round(store, project, tmp_path)
    store.request_label_check(project.id)
    trained_on: list[int] = []

    def train(*arguments: Any) -> Any:
        trained_on.append(len(arguments[0]))
        if trained_on[-1] == 40:  # two thirds, of the search
            store.request_retrain(project.id)
        return STUB.train(*arguments)

    worker = Worker(store, tmp_path, threading.Event(), tools=Tools(train, STUB.load))
    worker.serve(once=True)
    assert trained_on == [40, 60, 40, 40, 40, 60]
    check = store.last_label_check(project.id)
    assert check is not None
    assert check.n_sentences == 60
    store.close()
