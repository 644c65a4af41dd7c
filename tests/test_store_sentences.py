"""Adding sentences, telling duplicates apart and reading them back, on SQLite and PostgreSQL."""

from uuid import uuid4

import pytest
from store_helpers import add, add_pool, add_reserve, draft, gold, item, new_project, queue, save, start_run

from maner_core.errors import InvalidInput, InvalidSpans, NotFound, Refused
from maner_core.spans import Span
from storage import ImportCounts, NewSentence, Origin, Split, Status, Store


def pool(text: str, group: str = "", gold: tuple[Span, ...] | None = None) -> NewSentence:
    return NewSentence(tuple(text.split()), group=group, gold=gold)


def reserve(text: str, group: str = "", gold: tuple[Span, ...] | None = None) -> NewSentence:
    return NewSentence(tuple(text.split()), group=group, gold=gold, split=Split.RESERVE)


def counts(**fields: int) -> ImportCounts:
    values = {"added": 0, "gold": 0, "evaluation": 0, "exact_duplicates": 0, "near_duplicates": 0, **fields}
    return ImportCounts(**values, refused=[])


def test_a_sentence_comes_back_exactly_as_it_was_given(store: Store) -> None:
    project = new_project(store)
    new = NewSentence(
        tokens=("😀", "Zoe\u0301", "a\u00a0b", "\u200f", "''", " padded "),
        text="😀 Zoe\u0301 a\u00a0b\u200f'' padded ",
        spaces=(True, True, False, False, True, False),
        document="doc/1",
        source="news.txt",
        meta={"url": "https://example.org/ä", "topic": ""},
    )
    assert store.add_sentences(project.id, [new], None, "fallback") == counts(added=1)
    [sentence] = store.sentences(project.id, None)
    assert (sentence.tokens, sentence.text, sentence.spaces) == (new.tokens, new.text, new.spaces)
    assert (sentence.document, sentence.source, sentence.meta) == ("doc/1", "news.txt", new.meta)
    assert (sentence.project_id, sentence.split, sentence.duplicate_of) == (project.id, Split.POOL, None)
    assert store.sentence(sentence.id) == sentence


def test_what_is_unknown_of_a_sentence_stays_unknown(store: Store) -> None:
    project = new_project(store)
    store.add_sentences(project.id, [pool("just tokens")], None, "a file")
    [sentence] = store.sentences(project.id, None)
    assert (sentence.text, sentence.spaces, sentence.document, sentence.source) == (None, None, None, "a file")


def test_sentences_keep_the_order_of_the_import(store: Store) -> None:
    project = new_project(store)
    texts = [f"sentence number {number if number % 700 else number // 2}" for number in range(2_500)]  # some come again
    store.add_sentences(project.id, [pool(text) for text in texts], None, "first")
    store.add_sentences(project.id, [reserve("and the last one")], None, "second")
    assert [" ".join(sentence.tokens) for sentence in store.sentences(project.id, Split.POOL)] == texts
    assert [sentence.source for sentence in store.sentences(project.id, Split.RESERVE)] == ["second"]
    assert sum(1 for _ in store.sentences(project.id, None)) == 2_501


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (NewSentence(()), "sentence 2 has no tokens"),
        (NewSentence(("a", "")), "sentence 2 has no tokens or an empty one"),
        (NewSentence(("a", "b"), spaces=(True,)), "sentence 2 has 2 tokens but 1 spaces"),
        (NewSentence(("a", "\x00")), r"sentence 2 holds the character U\+0000"),
        (NewSentence(("a",), meta={"key": "\ud83d"}), "sentence 2 holds half of a surrogate pair"),
        (NewSentence(("a",), gold=(Span(0, 2, "PER"),)), "sentence 2: span 0-2"),
        (NewSentence(("a",), gold=(Span(0, 1, "DATE"),)), "sentence 2: .* 'DATE'"),
    ],
)
def test_a_sentence_that_cannot_be_kept_is_named_and_nothing_is_imported(
    store: Store, bad: NewSentence, message: str
) -> None:
    project = new_project(store)
    importer = store.annotator("Importer")
    with pytest.raises((InvalidInput, InvalidSpans), match=message):
        store.add_sentences(project.id, [pool("a good one"), bad], importer.id, "file")
    assert list(store.sentences(project.id, None)) == []


def test_gold_needs_somebody_who_imports_it(store: Store) -> None:
    project = new_project(store)
    with pytest.raises(InvalidInput, match="say by whom"):
        store.add_sentences(project.id, [pool("a b", gold=())], None, "file")
    with pytest.raises(NotFound):
        store.add_sentences(project.id, [pool("a b", gold=())], 99, "file")
    with pytest.raises(NotFound):
        store.add_sentences(99, [pool("a b")], None, "file")


def test_gold_becomes_an_annotation_of_the_importer(store: Store) -> None:
    project = new_project(store)
    importer = store.annotator("Importer")
    spans = (Span(0, 2, "PER"), Span(2, 3, "PER"))
    new = [
        pool("Ada Lovelace Bob came", gold=spans),
        pool("nobody came", gold=()),
        reserve("to Berlin", gold=spans[:1]),
    ]
    found = store.add_sentences(project.id, [*new, pool("unlabelled")], importer.id, "file")
    assert found == counts(added=4, gold=2, evaluation=1)
    labelled = store.labelled(project.id, Split.POOL)
    assert [item.annotation.spans for item in labelled] == [spans, ()]
    assert {item.annotation.origin for item in labelled} == {Origin.IMPORT}
    assert {item.annotation.annotator_id for item in labelled} == {importer.id}
    [evaluation] = store.labelled(project.id, Split.RESERVE)
    assert (evaluation.annotation.origin, evaluation.annotation.spans) == (Origin.EVALUATION, spans[:1])


def test_an_exact_duplicate_points_at_the_first_one(store: Store) -> None:
    project = new_project(store)
    first, twin, third = add(store, project, "the same words", "the same words", "the same  words")
    [later] = add(store, project, "the same words")
    assert [store.sentence(id_).duplicate_of for id_ in (first, twin, third, later)] == [None, first, first, first]
    assert store.add_sentences(project.id, [pool("the same words")], None, "x") == counts(added=1, exact_duplicates=1)


def test_tokens_cut_differently_are_not_the_same_sentence(store: Store) -> None:
    project = new_project(store)
    ids = add(store, project, NewSentence(("a b", "c")), NewSentence(("a", "b c")), NewSentence(("a", "b", "c")))
    assert [store.sentence(id_).duplicate_of for id_ in ids] == [None] * 3


def test_a_near_duplicate_points_at_the_first_of_its_group(store: Store) -> None:
    project = new_project(store)
    new = [pool("it rained today", "g1"), pool("it rains today", "g1"), pool("something else", "g2"), pool("no group")]
    assert store.add_sentences(project.id, new, None, "x") == counts(added=4, near_duplicates=1)
    first, second, third, fourth = store.sentences(project.id, None)
    assert [first.duplicate_of, second.duplicate_of, third.duplicate_of, fourth.duplicate_of] == [
        None,
        first.id,
        None,
        None,
    ]
    assert list(store.groups(project.id))[1] == (second.id, "g1", ("it", "rains", "today"))
    assert [group for _, group, _ in store.groups(project.id)] == ["g1", "g1", "g2", ""]


def test_another_project_has_no_part_in_duplicates(store: Store) -> None:
    one, two = new_project(store, "one"), new_project(store, "two")
    add(store, one, "the same words")
    [id_] = add(store, two, "the same words")
    assert store.sentence(id_).duplicate_of is None


def test_duplicates_are_neither_queued_nor_offered_but_keep_their_gold(store: Store) -> None:
    project = new_project(store)
    first, twin = add(store, project, pool("the same"), pool("the same", gold=()))
    assert store.unqueued_pool_ids(project.id) == [first]
    assert [sentence.id for sentence in store.unlabelled_pool(project.id)] == [first]
    assert store.fill_queue(project.id, [item(twin)], replace=False) == 0
    assert list(gold(store, project)) == [twin]
    assert store.progress(project.id).duplicates == 1


@pytest.mark.parametrize("group", ["", "g"])
def test_an_unlabelled_twin_of_an_evaluation_sentence_becomes_its_duplicate(store: Store, group: str) -> None:
    project = new_project(store)
    words = ("the same", "the same") if not group else ("nearly the same", "almost the same")
    asha = store.annotator("Asha")
    [in_pool, other] = add(store, project, pool(words[0], group), pool(words[0], group))
    queue(store, project, [in_pool])
    [in_reserve] = add(store, project, reserve(words[1], group))
    assert [store.sentence(id_).duplicate_of for id_ in (in_pool, other)] == [in_reserve, in_reserve]
    assert store.sentence(in_reserve).duplicate_of is None
    assert store.ready(project.id, Split.POOL) == 0
    assert store.unqueued_pool_ids(project.id) == []
    # Somebody had it on the screen: the work is kept, but nothing is trained on it.
    save(store, project, asha.id, draft(in_pool, (0, 1, "PER")))
    assert store.labelled(project.id, Split.POOL) == []
    assert store.training_labels_since(project.id, 0) == 0
    with pytest.raises(Refused, match="say the same as evaluation sentences"):
        store.add_training_sentences(start_run(store, project), [in_pool])
    exported = {row.sentence.id: row for row in store.export_rows(project.id, None, {Status.LABELLED}, False)}
    assert list(exported) == [in_pool]


@pytest.mark.parametrize("group", ["", "g"])
def test_an_evaluation_sentence_with_an_annotated_twin_in_the_pool_is_refused_and_reported(
    store: Store, group: str
) -> None:
    project = new_project(store)
    add(store, project, pool("the same words", group), pool("the same words", group, gold=()))
    new = [reserve("the same words" if not group else "these same words", group), reserve("other words")]
    found = store.add_sentences(project.id, new, None, "x")
    assert found.added == 1
    assert [" ".join(sentence.tokens) for sentence in store.sentences(project.id, Split.RESERVE)] == ["other words"]
    [line] = found.refused
    assert line.startswith("sentence 1 (")
    assert "already annotated in the pool" in line


def test_twins_within_one_import_obey_the_same_rules(store: Store) -> None:
    project = new_project(store)
    importer = store.annotator("Importer")
    new = [
        pool("first"),
        pool("first"),
        reserve("first"),
        pool("gold", gold=()),
        reserve("gold"),
        reserve("evaluated", gold=()),
        pool("evaluated", gold=()),
        reserve("evaluated", gold=()),
    ]
    found = store.add_sentences(project.id, new, importer.id, "x")
    first, twin, root, _, evaluated, after, again = store.sentences(project.id, None)
    assert (found.added, len(found.refused), found.exact_duplicates) == (7, 1, 4)
    assert (found.gold, found.evaluation) == (2, 2)
    assert (first.duplicate_of, twin.duplicate_of, root.duplicate_of) == (root.id, root.id, None)
    assert (evaluated.duplicate_of, after.duplicate_of, again.duplicate_of) == (None, evaluated.id, evaluated.id)
    assert [" ".join(item.sentence.tokens) for item in store.labelled(project.id, Split.POOL)] == ["gold"]


def test_the_unlabelled_pool_is_what_nobody_annotated(store: Store) -> None:
    project = new_project(store)
    labelled, skipped, flagged, queued, free = add_pool(store, project, 5)
    add_reserve(store, project, 2)
    asha = store.annotator("Asha").id
    save(store, project, asha, draft(labelled), draft(skipped, status=Status.SKIPPED))
    save(store, project, asha, draft(flagged, status=Status.FLAGGED, comment="what is this?"))
    queue(store, project, [queued])
    assert [sentence.id for sentence in store.unlabelled_pool(project.id)] == [queued, free]
    assert store.unqueued_pool_ids(project.id) == [free]


def test_a_sentence_that_does_not_exist_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="no sentence 5"):
        store.sentence(5)


def test_a_large_import_with_many_duplicates_finds_them_all(store: Store) -> None:
    project = new_project(store)
    texts = [f"{uuid4()} and more" for _ in range(6_000)]
    store.add_sentences(project.id, [pool(text) for text in texts], None, "x")
    again = store.add_sentences(project.id, [pool(text) for text in texts], None, "x")
    assert again == counts(added=6_000, exact_duplicates=6_000)
    assert len(store.unqueued_pool_ids(project.id)) == 6_000
