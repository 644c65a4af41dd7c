"""Near-duplicates: against the exact Jaccard similarity of every pair, on sentences made of few words."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import new_project

from annotation.formats import SourceFile
from annotation.importing import import_files
from annotation.near_duplicates import JACCARD, N_GRAM, Known, group
from storage import Store

WORDS = [
    "Asha",
    "alisema",
    "serikali",
    "itajenga",
    "shule",
    "barabara",
    "Nairobi",
    "Kisumu",
    "mwaka",
    "ujao",
    "ya",
    "na",
]


def shingles(tokens: list[str]) -> frozenset[str]:
    text = " ".join(tokens).casefold() + "\0" * (N_GRAM - 1)
    return frozenset(text[i : i + N_GRAM] for i in range(len(text) - N_GRAM + 1))


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)


def variants(seed: int, n: int) -> list[list[str]]:
    """Sentences of which many differ from another one in a word or two."""
    rng = random.Random(seed)
    made: list[list[str]] = []
    for _ in range(n):
        if made and rng.random() < 0.6:
            sentence = list(rng.choice(made))
            for _ in range(rng.randint(0, 2)):
                sentence[rng.randrange(len(sentence))] = rng.choice(WORDS)
        else:
            sentence = rng.choices(WORDS, k=rng.randint(6, 25))
        made.append(sentence)
    return made


def test_pairs_above_the_threshold_are_grouped_and_no_group_lacks_a_reason() -> None:
    sentences = variants(seed=3, n=250)
    sets = list(map(shingles, sentences))
    grouping = group(sentences, [])
    alike = [(i, j) for i in range(len(sets)) for j in range(i) if similarity(sets[i], sets[j]) >= JACCARD]
    assert len(alike) > 100
    missed = [pair for pair in alike if grouping.groups[pair[0]] != grouping.groups[pair[1]]]
    assert len(missed) <= len(alike) // 100
    linked = {i for pair in alike for i in pair}
    shared = {i for i, name in enumerate(grouping.groups) if grouping.groups.count(name) > 1}
    assert shared <= linked


def test_the_first_of_a_group_has_no_twin_and_the_others_name_it() -> None:
    one, other = ["Asha", "alisema", "mvua", "itanyesha", "kesho"], ["Mto", "Tana", "ni", "mrefu", "sana"]
    grouping = group([one, other, one], [])
    assert grouping.twins == [None, None, 0]
    assert grouping.groups[0] == grouping.groups[2] != grouping.groups[1]


def test_a_known_sentence_keeps_its_group() -> None:
    known = [Known(7, "kundi", ["Asha", "alisema", "hivyo"]), Known(8, "jingine", ["Mto", "Tana"])]
    grouping = group([["asha", "ALISEMA", "hivyo"], ["Ziwa", "Viktoria"]], known)
    assert grouping.groups[0] == "kundi"
    assert grouping.twins == [known[0], None]


def test_a_known_sentence_without_a_group_gives_the_same_one_each_time() -> None:
    known = [Known(7, "", ["Asha", "alisema", "hivyo"])]
    assert group([["Asha", "alisema", "hivyo"]], known).groups == group([["asha", "alisema", "hivyo"]], known).groups


WORDS_OF_N = [f"neno{number}" for number in range(30)]
A, B = ["mwanzo", "mwingine", *WORDS_OF_N[2:]], [*WORDS_OF_N[:-2], "mwisho", "mwingine"]


def test_a_sentence_near_two_that_are_not_near_each_other_names_both_groups() -> None:
    assert similarity(shingles(A), shingles(B)) < JACCARD
    known = [Known(1, "of-a", A), Known(2, "of-b", B)]
    grouping = group([WORDS_OF_N, ["habari"], A], known)
    assert (grouping.groups[0], grouping.also[0]) == ("of-a", ("of-b",))
    assert (grouping.groups[2], grouping.also[1]) == ("of-a", ())


def test_no_sentence_is_evaluated_on_that_is_near_any_that_is_trained_on(sqlite_store: Store) -> None:
    """Near a sentence that nobody has annotated, and near one that somebody has."""
    project = new_project(sqlite_store)
    lines = [" ".join(tokens) + "\n" for tokens in (A, WORDS_OF_N)]
    gold = "".join(f"{word} {'B-PER' if word == 'mwisho' else 'O'}\n" for word in B)
    import_files(sqlite_store, project.id, [SourceFile("a.txt", lines[0].encode())], reserve=0)
    import_files(sqlite_store, project.id, [SourceFile("b.conll", gold.encode())], use_as="gold", reserve=0)
    tagged = "".join(f"{word} O\n" for word in WORDS_OF_N)
    report = import_files(sqlite_store, project.id, [SourceFile("n.conll", tagged.encode())], use_as="evaluation")
    assert report.added == 0
    assert "already annotated in the pool" in report.refused[0]


def test_no_sentence_is_trained_on_that_is_near_any_that_is_evaluated_on(sqlite_store: Store) -> None:
    project = new_project(sqlite_store)
    tagged = "".join(f"{word} {'B-PER' if word == 'mwisho' else 'O'}\n" for word in B)
    import_files(sqlite_store, project.id, [SourceFile("a.txt", " ".join(A).encode())], reserve=0)
    import_files(sqlite_store, project.id, [SourceFile("b.conll", tagged.encode())], use_as="evaluation")
    import_files(sqlite_store, project.id, [SourceFile("n.txt", " ".join(WORDS_OF_N).encode())], reserve=0)
    in_pool, reserved, new = sorted(sqlite_store.sentences(project.id, None), key=lambda sentence: sentence.id)
    assert (in_pool.duplicate_of, new.duplicate_of) == (None, reserved.id)


def test_short_sentences_are_alike_only_when_they_are_the_same() -> None:
    grouping = group([["A"], ["B"], ["a"], ["Ndiyo"], ["Hapana"], ["🇰🇪"]], [])
    assert grouping.twins == [None, None, 0, None, None, None]


def test_nothing_gives_nothing() -> None:
    assert group([], []).groups == []


def test_more_sentences_than_are_hashed_at_once_are_compared_across_the_parts() -> None:
    rng = random.Random(1)
    filler = [[str(rng.random()), str(rng.random())] for _ in range(20_500)]
    sentence = ["Asha", "alisema", "serikali", "itajenga", "shule", "mpya", "kaskazini"]
    grouping = group([sentence, *filler, [*sentence[:-1], "kaskazin"]], [])
    assert grouping.twins[-1] == 0


@settings(deadline=None)  # a loaded machine is no bug
@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1), max_size=12))
def test_groups_are_the_same_whenever_the_same_sentences_come_in_the_same_order(sentences: list[list[str]]) -> None:
    assert group(sentences, []).groups == group(sentences, []).groups
