"""The queue and its leases, on SQLite and PostgreSQL."""

import pytest
from store_helpers import (
    RawDatabase,
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

from maner_core.errors import NotFound, Refused
from storage import HandOut, Origin, Split, Status, Store, SuggestedSpan, Suggestion


def ids_of(hand_outs: list[HandOut]) -> list[int]:
    return [hand_out.sentence.id for hand_out in hand_outs]


def test_sentences_are_handed_out_by_rank_with_what_is_known_of_them(store: Store) -> None:
    project = new_project(store)
    first, second, third = add_pool(store, project, 3)
    run, serving = start_run(store, project), start_run(store, project)
    old = Suggestion(run, third, (), (1.0,) * 5)
    new = Suggestion(serving, third, (SuggestedSpan(0, 2, "PER", 0.75),), (0.75, 0.8, 0.9, 1.0, 1.0))
    store.save_suggestions(run, [old])
    store.save_suggestions(serving, [new])
    items = [item(first, 20), item(second, 30), item(third, 10, Origin.ACTIVE, run_id=run, reason="unsure about PER")]
    assert store.fill_queue(project.id, items, replace=False) == 3
    asha = store.annotator("Asha").id
    assert store.claim(project.id, asha, "tab", Split.POOL, 1)[0].suggestion is None
    store.finish_run(serving, {}, None, True, "")
    store.release(asha, "tab")
    hand_outs = store.claim(project.id, asha, "tab", Split.POOL, 3, per_tab_share=False)
    assert ids_of(hand_outs) == [third, first, second]
    assert hand_outs[0] == HandOut(store.sentence(third), Origin.ACTIVE, run, "unsure about PER", new)
    assert hand_outs[1] == HandOut(store.sentence(first), Origin.RANDOM, None, "", None)
    assert store.held(project.id, "tab", asha) == hand_outs


def test_a_sentence_held_by_one_tab_is_given_to_no_other(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 6)
    queue(store, project, ids)
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    assert ids_of(store.claim(project.id, asha, "a", Split.POOL, 2, per_tab_share=False)) == ids[:2]
    assert ids_of(store.claim(project.id, asha, "b", Split.POOL, 2, per_tab_share=False)) == ids[2:4]
    assert ids_of(store.claim(project.id, ben, "a", Split.POOL, 9, per_tab_share=False)) == ids[4:]
    assert store.claim(project.id, ben, "c", Split.POOL, 9) == []
    assert store.ready(project.id, Split.POOL) == 0
    assert ids_of(store.held(project.id, "a", asha)) == ids[:2]
    assert ids_of(store.held(project.id, "b", asha)) == ids[2:4]


def test_a_lease_that_ran_out_goes_to_somebody_else_and_is_lost_to_its_holder(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 2)
    queue(store, project, ids)
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    store.claim(project.id, asha, "a", Split.POOL, 2, seconds=0, per_tab_share=False)
    assert store.held(project.id, "a", asha) == []
    assert store.ready(project.id, Split.POOL) == 2
    assert ids_of(store.claim(project.id, ben, "b", Split.POOL, 1)) == ids[:1]
    assert store.renew(project.id, asha, "a", ids) == ids[1:]
    assert ids_of(store.held(project.id, "a", asha)) == ids[1:]
    assert store.claim(project.id, ben, "b", Split.POOL, 1) == []


def test_renewing_writes_only_when_a_lease_is_half_used_up(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 2)
    queue(store, project, ids)
    asha = store.annotator("Asha").id
    store.claim(project.id, asha, "a", Split.POOL, 2, seconds=600, per_tab_share=False)
    before = raw.execute("SELECT leased_until FROM queue ORDER BY rank")
    assert store.renew(project.id, asha, "a", ids, seconds=600) == ids
    assert raw.execute("SELECT leased_until FROM queue ORDER BY rank") == before
    assert store.renew(project.id, asha, "a", ids, seconds=2_000) == ids
    after = raw.execute("SELECT leased_until FROM queue ORDER BY rank")
    assert all(new[0] > old[0] for new, old in zip(after, before, strict=True))


def test_only_what_the_tab_holds_is_renewed(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 3)
    queue(store, project, ids)
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    store.claim(project.id, asha, "a", Split.POOL, 1)
    store.claim(project.id, ben, "b", Split.POOL, 1)
    assert store.renew(project.id, asha, "a", [*ids, 999, 2**70, -1]) == ids[:1]
    assert store.renew(project.id, asha, "other tab", ids) == []
    assert store.renew(project.id, asha, "a", []) == []


def test_a_released_tab_holds_nothing_and_others_keep_theirs(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 4)
    queue(store, project, ids)
    asha = store.annotator("Asha").id
    store.claim(project.id, asha, "a", Split.POOL, 2, per_tab_share=False)
    store.claim(project.id, asha, "b", Split.POOL, 2, per_tab_share=False)
    store.release(asha, "a")
    assert store.held(project.id, "a", asha) == []
    assert ids_of(store.held(project.id, "b", asha)) == ids[2:]
    assert store.ready(project.id, Split.POOL) == 2


def test_a_tab_takes_at_most_half_its_even_share(store: Store) -> None:
    project = new_project(store)
    queue(store, project, add_pool(store, project, 40))
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    assert len(store.claim(project.id, asha, "a", Split.POOL, 30)) == 20
    assert len(store.claim(project.id, asha, "a", Split.POOL, 30)) == 0
    assert len(store.claim(project.id, ben, "b", Split.POOL, 30)) == 5
    assert len(store.claim(project.id, ben, "b", Split.POOL, 30)) == 0
    assert len(store.claim(project.id, ben, "b", Split.POOL, 30, per_tab_share=False)) == 15


def test_the_last_sentences_are_handed_out_two_by_two_to_the_end(store: Store) -> None:
    project = new_project(store)
    queue(store, project, add_pool(store, project, 5))
    asha = store.annotator("Asha").id
    done = 0
    while hand_outs := store.claim(project.id, asha, "a", Split.POOL, 20):
        assert len(hand_outs) <= 2
        save(store, project, asha, *(draft(hand_out.sentence.id) for hand_out in hand_outs))
        done += len(hand_outs)
    assert done == 5


def test_nobody_is_handed_a_sentence_they_annotated(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    [sentence] = add_pool(store, project, 1)
    queue(store, project, [sentence])
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    save(store, project, asha, draft(sentence))
    raw.execute(
        "INSERT INTO queue (sentence_id, seat, project_id, split, rank) VALUES (:id, 0, :project, 'pool', 1)",
        id=sentence,
        project=project.id,
    )
    assert store.claim(project.id, asha, "a", Split.POOL, 1) == []
    assert ids_of(store.claim(project.id, ben, "b", Split.POOL, 1)) == [sentence]


def test_the_pool_and_the_reserve_wait_in_different_lines(store: Store) -> None:
    project = new_project(store)
    pool, reserve = add_pool(store, project, 2), add_reserve(store, project, 3)
    queue(store, project, pool)
    queue(store, project, reserve, Origin.EVALUATION)
    assert (store.ready(project.id, Split.POOL), store.ready(project.id, Split.RESERVE)) == (2, 3)
    asha = store.annotator("Asha").id
    [hand_out] = store.claim(project.id, asha, "a", Split.RESERVE, 1)
    assert (hand_out.sentence.id, hand_out.origin, hand_out.suggestion) == (reserve[0], Origin.EVALUATION, None)


def test_projects_do_not_share_a_queue(store: Store) -> None:
    one, two = new_project(store, "one"), new_project(store, "two")
    [first] = add_pool(store, one, 1)
    queue(store, one, [first])
    asha = store.annotator("Asha").id
    assert store.claim(two.id, asha, "a", Split.POOL, 5) == []
    assert store.fill_queue(two.id, [item(first)], replace=True) == 0
    assert store.ready(one.id, Split.POOL) == 1
    with pytest.raises(NotFound):
        store.fill_queue(99, [item(first)], replace=True)


def test_refilling_replaces_what_waits_and_keeps_what_is_held(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 6)
    [reserved] = add_reserve(store, project, 1)
    queue(store, project, ids[:4])
    queue(store, project, [reserved], Origin.EVALUATION)
    asha = store.annotator("Asha").id
    [held] = store.claim(project.id, asha, "a", Split.POOL, 1)
    items = [item(id_, rank, Origin.ACTIVE) for rank, id_ in enumerate([ids[5], ids[0], ids[2]])]
    assert store.fill_queue(project.id, items, replace=True) == 2
    assert store.held(project.id, "a", asha) == [held]
    assert (held.sentence.id, held.origin) == (ids[0], Origin.RANDOM)
    rest = store.claim(project.id, asha, "b", Split.POOL, 9, per_tab_share=False)
    assert [(hand_out.sentence.id, hand_out.origin) for hand_out in rest] == [
        (ids[5], Origin.ACTIVE),
        (ids[2], Origin.ACTIVE),
    ]
    assert store.unqueued_pool_ids(project.id) == [ids[1], ids[3], ids[4]]
    assert store.ready(project.id, Split.RESERVE) == 1


def test_filling_without_replacing_only_adds(store: Store) -> None:
    project = new_project(store)
    first, second, third = add_pool(store, project, 3)
    save(store, project, store.annotator("Asha").id, draft(third))
    queue(store, project, [first])
    items = [item(first, 5, Origin.ACTIVE), item(second, 6), item(second, 7), item(third), item(999)]
    assert store.fill_queue(project.id, items, replace=False) == 1
    assert store.fill_queue(project.id, [], replace=True) == 0
    hand_outs = store.claim(project.id, store.annotator("Ben").id, "b", Split.POOL, 9)
    assert [(hand_out.sentence.id, hand_out.origin) for hand_out in hand_outs] == [
        (first, Origin.RANDOM),
        (second, Origin.RANDOM),
    ]


def test_what_was_dropped_from_the_queue_leaves_no_trace_of_a_choice(store: Store) -> None:
    project = new_project(store)
    first, second = add_pool(store, project, 2)
    store.fill_queue(project.id, [item(first, origin=Origin.ACTIVE)], replace=True)
    store.fill_queue(project.id, [item(second)], replace=True)
    save(store, project, store.annotator("Asha").id, draft(first))
    assert gold(store, project)[first].origin is Origin.RANDOM
    assert [row.queue for row in store.export_rows(project.id, None, set(), True)] == [item(second)]


def test_what_comes_late_keeps_how_it_was_chosen(store: Store) -> None:
    """A laptop is closed for longer than a lease lasts, and meanwhile a round fills the queue anew."""
    project = new_project(store)
    first, second = add_pool(store, project, 2)
    chosen = item(first, origin=Origin.ACTIVE, strategy="mnlp")
    store.fill_queue(project.id, [chosen], replace=True)
    asha = store.annotator("Asha").id
    store.claim(project.id, asha, "tab", Split.POOL, 1, seconds=0, per_tab_share=False)
    store.fill_queue(project.id, [item(second)], replace=True)
    save(store, project, asha, draft(first))
    assert gold(store, project)[first].origin is Origin.ACTIVE
    assert [row.queue for row in store.export_rows(project.id, None, {Status.LABELLED}, False)] == [chosen]


def test_an_origin_that_does_not_fit_the_split_is_refused_whole(store: Store) -> None:
    project = new_project(store)
    [in_pool] = add_pool(store, project, 1)
    [reserved] = add_reserve(store, project, 1)
    with pytest.raises(Refused, match="origin_matches_split"):
        store.fill_queue(project.id, [item(in_pool), item(reserved, origin=Origin.ACTIVE)], replace=False)
    with pytest.raises(Refused, match="origin_matches_split"):
        store.fill_queue(project.id, [item(in_pool, origin=Origin.EVALUATION)], replace=False)
    assert store.ready(project.id, Split.POOL) == 0


def test_a_long_queue_is_filled_and_emptied(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 6_000)
    queue(store, project, ids)
    assert store.ready(project.id, Split.POOL) == 6_000
    assert store.fill_queue(project.id, [item(ids[-1])], replace=True) == 1
    assert store.ready(project.id, Split.POOL) == 1


def test_a_person_who_signs_out_gives_back_what_all_their_tabs_hold(store: Store) -> None:
    project = new_project(store)
    queue(store, project, add_pool(store, project, 6))
    asha, ben = store.annotator("Asha").id, store.annotator("Ben").id
    for person, tab in ((asha, "a"), (asha, "b"), (ben, "a")):
        store.claim(project.id, person, tab, Split.POOL, 2, per_tab_share=False)
    store.release(asha)
    assert store.ready(project.id, Split.POOL) == 4
    assert len(store.held(project.id, "a", ben)) == 2
