"""Agreement: worked by hand, at the edges, against the libraries, and on what the store says people said for themselves."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from store_helpers import add_pool, draft, gold, new_project, queue, save, start_run

from annotation.agreement import Answers, Measured, agreement, answers_of, in_words, kappas, overlapping
from maner_core.spans import Span
from storage import DecisionDraft, DecisionKind, Split, Status, Store

ASHA, BEN, CEM = 1, 2, 3


def said(*people: str, n_tokens: int = 8, sentence_id: int = 1) -> Answers:
    """What each person marks, written short: `"PER 0-2, LOC 3-4"`."""
    spans = {}
    for who, text in enumerate(people, start=1):
        words = [one.replace("-", " ").split() for one in text.split(",") if one.strip()]
        spans[who] = tuple(Span(int(start), int(end), label) for label, start, end in words)
    return Answers(sentence_id, n_tokens, spans)


def test_two_people_who_agree_on_one_of_two_names() -> None:
    """Words 0 to 3 are marked: Asha says P P L -, Ben says P P - L."""
    found = agreement([said("PER 0-2, LOC 2-3", "PER 0-2, LOC 3-4")])
    (pair,) = found.pairs
    # One entity is the same, of 2 + 2.
    assert pair.entities.exact.value == pytest.approx(2 * 1 / 4)
    assert pair.entities.span_only.value == pytest.approx(0.5)
    assert pair.entities.overlap.value == pytest.approx(0.5)
    # Observed 2/4; expected (2·2 + 1·1 + 1·1)/16 = 0.375; (0.5 - 0.375)/(1 - 0.375).
    assert pair.kappa.value == pytest.approx(0.2)
    # 8 values: 4 P, 2 L, 2 -. D_o = 4/8; D_e = (64 - 16 - 4 - 4)/(8·7) = 40/56; 1 - 0.5·56/40.
    assert found.alpha.value == pytest.approx(0.3)
    assert (found.n_sentences, found.n_people, found.differing) == (1, 2, (1,))
    assert found.entities == pair.entities
    assert found.entities.n_entities == 4


def test_trouble_with_labels_and_trouble_with_ends_are_told_apart() -> None:
    found = agreement([said("PER 0-2, LOC 3-5", "PER 0-1, ORG 3-5")]).entities
    assert found.exact.value == 0
    assert found.span_only.value == pytest.approx(0.5)  # the words 3 and 4
    assert found.overlap.value == pytest.approx(0.5)  # PER


def test_three_people_count_as_three_pairs() -> None:
    found = agreement([said("PER 0-1", "PER 0-1", "LOC 0-1")])
    assert [(pair.first, pair.second) for pair in found.pairs] == [(ASHA, BEN), (ASHA, CEM), (BEN, CEM)]
    assert [pair.entities.exact.value for pair in found.pairs] == [1, 0, 0]
    assert found.entities.exact.value == pytest.approx(2 * 1 / 6)
    # One word, 2 P and 1 L. D_o = (2·2)/(3·(3-1)) = 2/3; D_e = (9 - 4 - 1)/(3·2) = 2/3.
    assert found.alpha.value == pytest.approx(0)


def test_each_label_by_itself() -> None:
    found = agreement([said("PER 0-1, LOC 2-3, LOC 4-5", "PER 0-1, LOC 2-3")]).by_label
    assert found["PER"].entities.exact.value == 1
    assert found["LOC"].entities.exact.value == pytest.approx(2 * 1 / 3)
    assert (found["PER"].entities.n_entities, found["LOC"].entities.n_entities) == (2, 3)


def test_kappa_and_alpha_of_each_label() -> None:
    """Words 0 to 3 are marked: Asha says P P L -, Ben says P L L L."""
    found = agreement([said("PER 0-2, LOC 2-3", "PER 0-1, LOC 1-4")])
    # PER or not: Asha yes yes no no, Ben yes no no no. Observed 3/4; expected (2·1 + 2·3)/16 = 1/2.
    assert found.by_label["PER"].kappa.value == pytest.approx(0.5)
    # 8 values, 3 yes and 5 no: D_o = 2/8; D_e = (64 - 9 - 25)/(8·7) = 30/56; 1 - (1/4)·(56/30).
    assert found.by_label["PER"].alpha.value == pytest.approx(1 - 56 / 120)
    # LOC or not: Asha no no yes no, Ben no yes yes yes. Observed 2/4; expected (1·3 + 3·1)/16 = 3/8.
    assert found.by_label["LOC"].kappa.value == pytest.approx(0.2)
    # 4 yes and 4 no: D_o = 4/8; D_e = (64 - 16 - 16)/(8·7) = 32/56; 1 - (1/2)·(56/32).
    assert found.by_label["LOC"].alpha.value == pytest.approx(0.125)
    entities, kappa = found.pairs[0].by_label["LOC"]
    assert (entities, kappa) == (found.by_label["LOC"].entities, found.by_label["LOC"].kappa)


def test_the_kappa_of_a_label_is_the_mean_over_pairs_by_their_words() -> None:
    """Asha and Ben share four words (kappa of PER 0.5, as above), Asha and Cem two on which they agree (kappa 1)."""
    two = Answers(2, 8, {who: (Span(0, 1, "PER"), Span(1, 2, "LOC")) for who in (ASHA, CEM)})
    found = agreement([said("PER 0-2, LOC 2-3", "PER 0-1, LOC 1-4"), two])
    assert found.by_label["PER"].kappa.value == pytest.approx((4 * 0.5 + 2 * 1) / 6)
    assert [pair.by_label["PER"][1].value for pair in found.pairs] == pytest.approx([0.5, 1])


def test_a_label_that_is_the_only_one_of_all_words_has_no_kappa() -> None:
    found = agreement([said("PER 0-1", "PER 0-1")]).by_label["PER"]
    assert (found.entities.exact.value, found.kappa, found.alpha) == (1, Measured(None), Measured(None))


def test_nobody_marks_anything() -> None:
    found = agreement([said("", ""), said("", "", sentence_id=2)])
    assert found.entities.exact == found.entities.overlap == found.alpha == found.pairs[0].kappa == Measured(None)
    assert found.by_label == {}
    assert found.differing == ()
    assert in_words(found) == "Nobody has marked a name in the 2 doubled sentences yet."


def test_one_person_marks_nothing() -> None:
    found = agreement([said("PER 0-2", "")])
    assert found.entities.exact == Measured(0.0, 0.0, 0.0)
    assert found.pairs[0].kappa.value == 0  # observed 0, expected 0
    # 2 P and 2 -: D_o = 1, D_e = (16 - 4 - 4)/(4·3) = 2/3; 1 - 3/2.
    assert found.alpha.value == pytest.approx(-0.5)


def test_the_same_label_on_all_words_leaves_kappa_and_alpha_undefined() -> None:
    found = agreement([said("PER 0-2", "PER 0-2")])
    assert found.entities.exact == Measured(1.0, 1.0, 1.0)
    assert found.alpha == found.pairs[0].kappa == Measured(None)


def test_full_agreement_on_two_labels_is_one_everywhere() -> None:
    found = agreement([said("PER 0-2, LOC 3-4", "PER 0-2, LOC 3-4")])
    assert found.alpha == found.pairs[0].kappa == found.entities.exact == Measured(1.0, 1.0, 1.0)
    assert "They differ nowhere" in in_words(found)


def test_no_sentence_at_all() -> None:
    found = agreement([])
    assert (found.n_sentences, found.pairs, found.alpha) == (0, (), Measured(None))
    assert in_words(found) == "No sentence has been labelled by two people yet."


def test_people_who_share_no_sentence_are_no_pair() -> None:
    one = said("PER 0-1", "PER 0-1")
    two = Answers(2, 8, {ASHA: (Span(0, 1, "PER"),), CEM: ()})
    found = agreement([one, two])
    assert [(pair.first, pair.second, pair.n_sentences) for pair in found.pairs] == [(ASHA, BEN, 1), (ASHA, CEM, 1)]


def test_the_interval_of_many_sentences_is_narrow_and_holds_the_value() -> None:
    def half_agreed(n: int) -> list[Answers]:
        return [
            said("PER 0-1, LOC 2-3", "PER 0-1, LOC 3-4" if i % 2 else "PER 0-1, LOC 2-3", sentence_id=i)
            for i in range(n)
        ]

    few, many = (agreement(half_agreed(n)) for n in (10, 200))
    for found in (few, many):
        of_label = found.by_label["LOC"]
        for figure in (found.entities.exact, found.alpha, found.pairs[0].kappa, of_label.kappa, of_label.alpha):
            assert figure.value is not None
            assert figure.low < figure.value < figure.high
    # F1 0.75; of a mean of 200 halves and ones the deviation is 0.25/sqrt(200) = 0.018, the interval four of them.
    assert many.entities.exact.value == pytest.approx(0.75)
    assert many.entities.exact.high - many.entities.exact.low == pytest.approx(4 * 0.0177, abs=0.015)
    assert few.entities.exact.high - few.entities.exact.low > 0.2


@settings(deadline=None)  # the first example waits for scikit-learn to load
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=3))
def test_kappa_of_a_matrix_is_that_of_the_library(matrix: list[list[int]]) -> None:
    pairs = [(i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) for _ in range(count)]
    (own,) = kappas(np.array([matrix], dtype=np.float64))
    if len({value for pair in pairs for value in pair}) < 2:
        assert math.isnan(own)
    else:
        assert own == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


spans_of_a_sentence = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from("AB")), max_size=6).map(
    lambda steps: [
        Span(start, start + length, label)
        for start, length, label in (
            (sum(steps[k][0] + steps[k][1] for k in range(i)) + gap, length, label)
            for i, (length, gap, label) in enumerate(steps)
        )
    ]
)


@settings(deadline=None)
@given(spans_of_a_sentence, spans_of_a_sentence)
def test_names_pair_off_in_the_best_way(first: list[Span], second: list[Span]) -> None:
    def best(i: int, taken: frozenset[int]) -> int:
        if i == len(first):
            return 0
        fits = (
            j
            for j, b in enumerate(second)
            if j not in taken and first[i].start < b.end and b.start < first[i].end and first[i].label == b.label
        )
        return max([best(i + 1, taken), *(1 + best(i + 1, taken | {j}) for j in fits)])

    assert overlapping(first, second) == best(0, frozenset()) == overlapping(second, first)
    assert overlapping(first, first) == len(first)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("PER 0-2, LOC 3-5", "PER 0-2, ORG 3-5", "more about the label than"),
        ("PER 0-2, LOC 3-5", "PER 0-2, LOC 3-4", "more about where a name starts and ends than"),
        ("PER 0-2, LOC 3-5", "PER 0-2", "about what is a name at all"),
    ],
)
def test_the_words_say_what_people_differ_about(one: str, other: str, words: str) -> None:
    sentence = in_words(agreement([said(one, other)]))
    assert words in sentence
    assert "rests on few sentences" in sentence
    assert "few sentences" not in in_words(agreement([said(one, other, sentence_id=i) for i in range(50)]))


# What the store says people said.


def test_agreement_rests_on_what_people_said_for_themselves(store: Store) -> None:
    project = new_project(store, overlap=2, overlap_share=1.0)
    both, _, with_suggestion, revised, decided, skipped = ids = add_pool(store, project, 6)
    queue(store, project, ids)
    run = start_run(store, project)
    asha, ben, lead = (store.annotator(name).id for name in ("Asha", "Ben", "Lead"))
    for sentence_id in ids:
        save(store, project, asha, draft(sentence_id, (0, 1, "PER")))
    save(store, project, ben, draft(both, (0, 2, "PER")))
    save(store, project, ben, draft(with_suggestion, suggestion_run=run))
    save(store, project, ben, draft(revised, (0, 1, "ORG")))
    save(store, project, ben, draft(revised, (0, 1, "LOC")))
    save(store, project, ben, draft(decided, (0, 1, "LOC")))
    save(store, project, ben, draft(skipped, status=Status.SKIPPED))
    newest = gold(store, project)[decided]
    store.decide(
        project.id,
        lead,
        DecisionDraft(decided, DecisionKind.TAKE, sources=(newest.id,), seen_annotation=newest.seq),
    )
    save(store, project, asha, draft(decided, (0, 1, "LOC")))  # now that it was said what is right
    doubled = store.doubled(project.id)
    assert [one.sentence.id for one in doubled] == [both, revised, decided, skipped]
    assert {one.seats for one in doubled} == {2}
    answers = {one.sentence_id: one.spans for one in answers_of(doubled)}
    assert answers == {
        both: {asha: (Span(0, 1, "PER"),), ben: (Span(0, 2, "PER"),)},
        revised: {asha: (Span(0, 1, "PER"),), ben: (Span(0, 1, "LOC"),)},
        decided: {asha: (Span(0, 1, "PER"),), ben: (Span(0, 1, "LOC"),)},
    }


def test_sentences_that_were_not_doubled_by_chance_say_nothing(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 2)
    queue(store, project, ids)
    for name in ("Asha", "Ben"):
        save(store, project, store.annotator(name).id, *(draft(id_, (0, 1, "PER")) for id_ in ids))
    assert store.doubled(project.id) == []
    store.update_project(project.id, replace(project.settings, overlap=2))
    assert store.doubled(project.id) == []
    assert len(gold(store, project, Split.POOL)) == 2
