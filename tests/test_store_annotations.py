"""Saving annotations and reading them back, on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from store_helpers import (
    RawDatabase,
    add,
    add_pool,
    add_reserve,
    draft,
    gold,
    item,
    new_project,
    queue,
    save,
    start_run,
)

from maner_core.errors import NotFound
from maner_core.spans import Span
from storage import AnnotationDraft, NewSentence, Origin, Split, Status, Store, SuggestedSpan, Suggestion


def test_an_annotation_says_who_what_when_how_long_and_where_it_came_from(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    run = start_run(store, project)
    asha = store.annotator("Asha")
    at = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=timezone(timedelta(hours=3)))
    spans = ((3, 5, "ORG"), (0, 2, "PER"), (2, 3, "PER"))
    new = draft(sentence, *spans, comment="ndiyo 😀", client_time=at, milliseconds=4321, suggestion_run=run)
    save(store, project, asha.id, new)
    annotation = gold(store, project)[sentence]
    assert (annotation.id, annotation.sentence_id, annotation.annotator_id) == (new.id, sentence, asha.id)
    assert annotation.spans == (Span(0, 2, "PER"), Span(2, 3, "PER"), Span(3, 5, "ORG"))
    assert (annotation.status, annotation.origin) == (Status.LABELLED, Origin.RANDOM)
    assert (annotation.comment, annotation.milliseconds, annotation.suggestion_run) == ("ndiyo 😀", 4321, run)
    assert (annotation.client_time, annotation.client_time.tzinfo) == (at, UTC)
    assert abs(datetime.now(UTC) - annotation.created_at) < timedelta(minutes=1)
    assert annotation.supersedes is None
    assert annotation.seq == store.max_seq(project.id)


def test_saving_the_same_drafts_twice_acknowledges_twice_and_keeps_one_row(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    first, second = add_pool(store, project, 2)
    asha = store.annotator("Asha").id
    drafts = [draft(first, (0, 1, "PER")), draft(second)]
    answers = [store.save_annotations(project.id, asha, drafts) for _ in range(3)]
    assert answers == [([item.id for item in drafts], [])] * 3
    changed = replace(drafts[0], spans=())
    assert store.save_annotations(project.id, asha, [changed, changed]) == ([changed.id, changed.id], [])
    assert gold(store, project)[first].spans == (Span(0, 1, "PER"),)
    assert raw.execute("SELECT count(*) FROM annotations") == [(2,)]
    assert raw.execute("SELECT count(*) FROM annotation_spans") == [(1,)]


def test_the_same_draft_twice_in_one_batch_is_one_annotation(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    new = draft(sentence, (0, 1, "PER"))
    acks, rejections = store.save_annotations(project.id, store.annotator("Asha").id, [new, new])
    assert (acks, rejections) == ([new.id, new.id], [])
    assert store.progress(project.id).by_label == {"PER": 1}


def test_undo_is_a_new_annotation_that_supersedes_the_old_one(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    asha = store.annotator("Asha").id
    old = draft(sentence, (0, 1, "PER"))
    save(store, project, asha, old)
    new = draft(sentence, (0, 2, "LOC"), supersedes=old.id)
    save(store, project, asha, new)
    annotation = gold(store, project)[sentence]
    assert (annotation.id, annotation.supersedes, annotation.spans) == (new.id, old.id, (Span(0, 2, "LOC"),))
    assert store.progress(project.id).labelled == 1
    assert store.progress(project.id).annotators == {"Asha": 1}
    assert raw.execute("SELECT id FROM annotations ORDER BY seq") == [(old.id,), (new.id,)]


def test_a_chain_of_undos_may_arrive_in_one_batch(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    first = draft(sentence, (0, 1, "PER"))
    second = draft(sentence, status=Status.SKIPPED, supersedes=first.id)
    third = draft(sentence, (1, 2, "PER"), supersedes=second.id)
    save(store, project, store.annotator("Asha").id, first, second, third)
    assert gold(store, project)[sentence].id == third.id


def test_the_newest_annotation_over_all_people_is_gold(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    save(store, project, asha, draft(sentence, (0, 1, "PER")))
    save(store, project, ben, draft(sentence, (0, 1, "LOC")))
    assert gold(store, project)[sentence].annotator_id == ben
    save(store, project, asha, draft(sentence, status=Status.FLAGGED, comment="unsure"))
    assert gold(store, project)[sentence].status is Status.FLAGGED
    assert store.labelled(project.id, Split.POOL) == []
    assert store.progress(project.id).annotators == {"Asha": 1, "Ben": 1}


def test_a_skipped_sentence_keeps_no_spans_and_a_flagged_one_does(store: Store) -> None:
    project = new_project(store)
    skipped, flagged = add_pool(store, project, 2)
    asha = store.annotator("Asha").id
    save(store, project, asha, draft(skipped, (0, 1, "PER"), status=Status.SKIPPED))
    save(store, project, asha, draft(flagged, (0, 1, "PER"), status=Status.FLAGGED))
    annotations = gold(store, project)
    assert (annotations[skipped].status, annotations[skipped].spans) == (Status.SKIPPED, ())
    assert (annotations[flagged].status, annotations[flagged].spans) == (Status.FLAGGED, (Span(0, 1, "PER"),))


def rejection(store: Store, project_id: int, annotator_id: int, bad: AnnotationDraft) -> str:
    """Why this draft is rejected."""
    acks, rejections = store.save_annotations(project_id, annotator_id, [bad])
    assert acks == []
    assert [item.id for item in rejections] == [bad.id]
    return rejections[0].why


def test_a_bad_draft_is_rejected_with_its_reason_and_its_neighbours_are_saved(store: Store) -> None:
    project = new_project(store)
    first, second, third = add_pool(store, project, 3)
    good = [draft(first), draft(third, (0, 5, "ORG"))]
    bad = draft(second, (0, 6, "ORG"))
    acks, rejections = store.save_annotations(project.id, store.annotator("Asha").id, [good[0], bad, good[1]])
    assert acks == [item.id for item in good]
    assert [item.id for item in rejections] == [bad.id]
    assert sorted(gold(store, project)) == [first, third]


def test_every_wrong_draft_is_told_what_is_wrong(store: Store) -> None:
    project = new_project(store)
    other = new_project(store, "other")
    [sentence] = add_pool(store, project, 1)
    [reserved] = add_reserve(store, project, 1)
    [foreign] = add_pool(store, other, 1)
    run, foreign_run = start_run(store, project), start_run(store, other)
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    bens = draft(sentence)
    save(store, project, ben, bens)
    plain = draft(sentence)
    wrong = {
        "share a token": draft(sentence, (0, 2, "PER"), (1, 3, "LOC")),
        "this project knows": draft(sentence, (0, 1, "DATE")),
        "outside a sentence of 5 tokens": draft(sentence, (4, 6, "PER")),
        f"no sentence {foreign}": draft(foreign),
        "no sentence 999": draft(999),
        "no sentence 36893488147419103232": draft(2**65),
        "without suggestions": draft(reserved, suggestion_run=run),
        "no run 999": draft(sentence, suggestion_run=999),
        f"no run {foreign_run};": draft(sentence, suggestion_run=foreign_run),
        "belongs to another annotation": replace(plain, id=bens.id),
        "another person's": draft(sentence, supersedes=bens.id),
        "cannot be negative": draft(sentence, milliseconds=-1),
        "no time zone": draft(sentence, client_time=datetime(2026, 1, 1)),
        "1 to 64 characters": replace(plain, id=""),
        r"the comment holds the character U+0000": draft(sentence, comment="\x00"),
    }
    for reason, bad in wrong.items():
        assert reason in rejection(store, project.id, asha, bad)
    assert gold(store, project)[sentence].id == bens.id


def test_an_id_cannot_move_to_another_sentence(store: Store) -> None:
    project = new_project(store)
    first, second = add_pool(store, project, 2)
    asha = store.annotator("Asha").id
    new = draft(first)
    save(store, project, asha, new)
    assert "belongs to another annotation" in rejection(store, project.id, asha, replace(new, sentence_id=second))
    wrong = draft(second, supersedes=new.id)
    assert "another sentence's" in rejection(store, project.id, asha, wrong)


def test_an_undo_of_something_that_was_rejected_is_saved_for_itself(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    asha = store.annotator("Asha").id
    bad = draft(sentence, (0, 9, "PER"))
    new = draft(sentence, (0, 1, "PER"), supersedes=bad.id)
    acks, rejections = store.save_annotations(project.id, asha, [bad, new])
    assert (acks, [item.id for item in rejections]) == ([new.id], [bad.id])
    assert gold(store, project)[sentence].supersedes is None


def test_saving_in_a_project_or_for_a_person_that_does_not_exist_is_not_found(store: Store) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    with pytest.raises(NotFound, match="no project 99"):
        store.save_annotations(99, store.annotator("Asha").id, [draft(sentence)])
    with pytest.raises(NotFound, match="no annotator 99"):
        store.save_annotations(project.id, 99, [draft(sentence)])
    assert store.save_annotations(project.id, 99, []) == ([], [])


def test_the_origin_is_how_the_sentence_was_chosen(store: Store) -> None:
    project = new_project(store)
    active, random, unqueued = add_pool(store, project, 3)
    [reserved] = add_reserve(store, project, 1)
    [imported] = add(store, project, NewSentence(("already", "labelled"), gold=()))
    items = [item(active, 0, Origin.ACTIVE), item(random, 1), item(reserved, 2, Origin.EVALUATION)]
    assert store.fill_queue(project.id, items, replace=False) == 3
    asha = store.annotator("Asha").id
    ids = [active, random, unqueued, reserved, imported]
    save(store, project, asha, *(draft(id_) for id_ in ids))
    again = [draft(id_, (0, 1, "PER")) for id_ in ids]
    save(store, project, asha, *again)
    annotations = {**gold(store, project), **gold(store, project, Split.RESERVE)}
    assert {annotations[id_].id for id_ in ids} == {new.id for new in again}
    origins = [annotations[id_].origin for id_ in ids]
    assert origins == [Origin.ACTIVE, Origin.RANDOM, Origin.RANDOM, Origin.EVALUATION, Origin.IMPORT]


def test_an_annotated_sentence_leaves_the_queue_whoever_holds_it(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 2)
    queue(store, project, ids)
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    assert [hand_out.sentence.id for hand_out in store.claim(project.id, ben, "tab", Split.POOL, 2)] == ids
    save(store, project, asha, draft(ids[0], status=Status.SKIPPED))
    assert [hand_out.sentence.id for hand_out in store.held(project.id, "tab", ben)] == ids[1:]
    save(store, project, ben, draft(ids[0]))
    assert gold(store, project)[ids[0]].annotator_id == ben


def test_labelled_sentences_come_in_the_order_of_their_annotations(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 4)
    asha = store.annotator("Asha").id
    for id_ in reversed(ids):
        save(store, project, asha, draft(id_, (1, 2, "PER")))
    save(store, project, asha, draft(ids[3]), draft(ids[0], status=Status.SKIPPED))
    assert [item.sentence.id for item in store.labelled(project.id, Split.POOL)] == [ids[2], ids[1], ids[3]]
    both = store.labelled(project.id, Split.POOL, (Status.LABELLED, Status.SKIPPED))
    assert [item.sentence.id for item in both] == [ids[2], ids[1], ids[3], ids[0]]
    assert all(item.sentence == store.sentence(item.sentence.id) for item in both)


def test_labels_since_a_watermark_count_sentences_not_annotations(store: Store) -> None:
    project = new_project(store)
    first, second, third, fourth = add_pool(store, project, 4)
    [reserved] = add_reserve(store, project, 1)
    asha = store.annotator("Asha").id
    assert (store.max_seq(project.id), store.training_labels_since(project.id, 0)) == (0, 0)
    save(store, project, asha, draft(first), draft(second))
    watermark = store.max_seq(project.id)
    assert store.training_labels_since(project.id, 0) == 2
    assert store.training_labels_since(project.id, watermark) == 0
    save(store, project, asha, draft(first), draft(third), draft(third), draft(reserved))
    save(store, project, asha, draft(fourth, status=Status.SKIPPED), draft(second, status=Status.SKIPPED))
    assert store.training_labels_since(project.id, watermark) == 2
    assert store.training_labels_since(project.id, 0) == 2


def test_progress_tells_unlabelled_no_entity_skipped_and_flagged_apart(store: Store) -> None:
    project = new_project(store)
    with_entity, without, skipped, flagged, _ = add_pool(store, project, 5)
    evaluated, _ = add_reserve(store, project, 2)
    add(store, project, NewSentence(("the", "same"), gold=(Span(0, 1, "ORG"),)), "the same")
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    save(store, project, asha, draft(with_entity, (0, 1, "PER"), (1, 2, "PER"), (3, 4, "LOC")), draft(without))
    save(store, project, ben, draft(skipped, status=Status.SKIPPED), draft(evaluated, (0, 1, "PER")))
    save(store, project, ben, draft(flagged, (0, 1, "PER"), status=Status.FLAGGED))
    progress = store.progress(project.id)
    assert (progress.sentences, progress.pool, progress.reserve, progress.duplicates) == (9, 7, 2, 1)
    assert (progress.unlabelled_pool, progress.labelled, progress.no_entity) == (1, 3, 1)
    assert (progress.skipped, progress.flagged, progress.evaluation_labelled) == (1, 1, 1)
    assert progress.by_label == {"LOC": 1, "ORG": 1, "PER": 2}
    assert progress.annotators == {"Ben": 3, "Asha": 2}


def test_labels_per_hour_count_labelled_sentences_of_people(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    first, second, third = add_pool(store, project, 3)
    add(store, project, NewSentence(("imported",), gold=()))
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    old = draft(first)
    save(store, project, asha, old, draft(second, status=Status.SKIPPED))
    zone = "" if raw.engine.dialect.name == "sqlite" else "+00"
    raw.execute(f"UPDATE annotations SET created_at = '2026-05-01 10:59:59.900000{zone}' WHERE id = '{old.id}'")
    save(store, project, ben, draft(first), draft(third), draft(third))
    hours = store.labels_per_hour(project.id)
    assert [(name, count) for _, name, count in hours] == [("Asha", 1), ("Ben", 2)]
    assert hours[0][0] == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - hours[1][0] < timedelta(hours=2)


def test_export_rows_tell_everything_in_import_order(store: Store) -> None:
    project = new_project(store)
    labelled, skipped, waiting, other = add_pool(store, project, 4)
    [reserved] = add_reserve(store, project, 1)
    run, newer = start_run(store, project), start_run(store, project)
    chosen = item(labelled, 3, Origin.ACTIVE, strategy="mnlp", score=0.7, propensity=0.1, run_id=run, reason="unsure")
    assert store.fill_queue(project.id, [chosen], replace=False) == 1
    shown = Suggestion(run, labelled, (SuggestedSpan(0, 1, "PER", 0.9),), (0.9, 0.8, 0.7, 0.6, 0.5))
    hidden = Suggestion(newer, labelled, (), (1.0,) * 5)
    next_up = Suggestion(newer, waiting, (SuggestedSpan(1, 2, "LOC", 0.4),), (0.5,) * 5)
    store.save_suggestions(run, [shown])
    store.save_suggestions(newer, [hidden, next_up])
    store.finish_run(newer, {}, None, True, "")
    asha = store.annotator("Asha").id
    save(store, project, asha, draft(skipped, status=Status.SKIPPED), draft(reserved, (0, 1, "PER")))
    save(store, project, asha, draft(labelled, (0, 1, "PER"), suggestion_run=run))

    everything = list(store.export_rows(project.id, None, set(Status), True))
    assert [row.sentence.id for row in everything] == [labelled, skipped, waiting, other, reserved]
    first, second, third, fourth, fifth = everything
    assert (first.annotation, first.annotator) == (gold(store, project)[labelled], "Asha")
    assert (first.queue, first.suggestion) == (chosen, shown)
    assert second.annotation is not None
    assert (second.annotation.status, second.queue, second.suggestion) == (Status.SKIPPED, None, None)
    assert (third.annotation, third.annotator, third.suggestion) == (None, None, next_up)
    assert fourth.suggestion is None
    assert fifth.suggestion is None

    def ids(split: Split | None, statuses: set[Status], include_unlabelled: bool) -> list[int]:
        return [row.sentence.id for row in store.export_rows(project.id, split, statuses, include_unlabelled)]

    assert ids(None, {Status.LABELLED}, False) == [labelled, reserved]
    assert ids(Split.POOL, {Status.LABELLED}, False) == [labelled]
    assert ids(Split.POOL, {Status.SKIPPED}, True) == [skipped, waiting, other]
    assert ids(Split.RESERVE, set(), True) == []


def test_an_export_shows_one_state_while_people_go_on(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 1_200)
    asha = store.annotator("Asha").id
    save(store, project, asha, draft(ids[1_100], (0, 1, "PER")))
    rows = store.export_rows(project.id, None, {Status.LABELLED}, True)
    next(rows)
    save(store, project, asha, draft(ids[1_100]), draft(ids[1_150]))
    rest = {row.sentence.id: row.annotation for row in rows}
    assert len(rest) == 1_199
    annotation = rest[ids[1_100]]
    assert annotation is not None
    assert annotation.spans == (Span(0, 1, "PER"),)
    assert rest[ids[1_150]] is None


def test_what_a_person_has_done_counts_sentences_but_not_imports(store: Store) -> None:
    project = new_project(store)
    first, second = add_pool(store, project, 2)
    add(store, project, NewSentence(("imported",), gold=()))
    asha, importer = store.annotator("Asha").id, store.annotator("Importer").id
    assert store.done(project.id, asha) == 0
    save(store, project, asha, draft(first), draft(first), draft(second, status=Status.SKIPPED))
    assert store.done(project.id, asha) == 2
    assert store.done(project.id, importer) == 0


def test_what_a_person_did_last_comes_with_their_newest_annotation_of_it(store: Store) -> None:
    project = new_project(store)
    first, second, third, others = add_pool(store, project, 4)
    add(store, project, NewSentence(("imported",), gold=()))
    asha, baraka, importer = (store.annotator(name).id for name in ("Asha", "Baraka", "Importer"))
    early = draft(first)
    save(store, project, asha, early, draft(second, status=Status.SKIPPED), draft(third))
    save(store, project, baraka, draft(second, (0, 1, "PER")), draft(others))
    save(store, project, asha, draft(first, (1, 2, "LOC"), supersedes=early.id))

    def done(n: int, by: int = asha) -> list[tuple[int, Status, tuple[Span, ...]]]:
        found = store.done_last(project.id, by, n)
        assert all(sentence.id == annotation.sentence_id for sentence, annotation in found)
        return [(sentence.id, annotation.status, annotation.spans) for sentence, annotation in found]

    newest = (first, Status.LABELLED, (Span(1, 2, "LOC"),))
    assert done(9) == [(second, Status.SKIPPED, ()), (third, Status.LABELLED, ()), newest]
    assert done(1) == [newest]
    assert done(9, importer) == []
    assert store.done_last(new_project(store, "other").id, asha, 9) == []
