"""Many people and a worker at once, on SQLite and PostgreSQL: nothing doubled, nothing lost, nobody turned away."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from claim_race import race
from sqlalchemy import text
from store_helpers import RawDatabase, add_pool, draft, gold, item, new_project, queue, save, start_run
from store_writer import busy_worker

from storage import AnnotationDraft, Split, Store

N_SENTENCES = 1_000


def at_once(n_threads: int, work: Callable[[int], None]) -> None:
    """Run `work(0)` to `work(n_threads - 1)` at the same time; raises what any of them raises."""
    barrier = threading.Barrier(n_threads)

    def start(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(n_threads) as pool:
        for result in [pool.submit(start, number) for number in range(n_threads)]:
            result.result()


def test_two_tabs_that_ask_at_the_same_time_never_get_the_same_sentence(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, N_SENTENCES)
    queue(store, project, ids)
    asha = store.annotator("Asha").id
    taken: list[int] = []

    def ask(number: int) -> None:
        while hand_outs := store.claim(project.id, asha, f"tab {number}", Split.POOL, 1, per_tab_share=False):
            taken.append(hand_outs[0].sentence.id)

    at_once(2, ask)
    assert sorted(taken) == ids


def test_twenty_people_share_a_queue_while_a_worker_writes(store: Store, store_url: str) -> None:
    project = new_project(store)
    ids = add_pool(store, project, N_SENTENCES)
    queue(store, project, ids)
    run = start_run(store, project)
    people = [store.annotator(f"person {number}").id for number in range(20)]
    taken: list[int] = []

    def annotate(number: int) -> None:
        who = people[number]
        while hand_outs := store.claim(project.id, who, "tab", Split.POOL, 5, per_tab_share=False):
            got = [hand_out.sentence.id for hand_out in hand_outs]
            taken.extend(got)
            assert store.renew(project.id, who, "tab", got) == sorted(got)
            save(store, project, who, *(draft(id_, (0, 1, "PER")) for id_ in got))

    with busy_worker(store_url, project.id, run):
        at_once(20, annotate)
    assert sorted(taken) == ids
    assert sorted(gold(store, project)) == ids
    assert store.progress(project.id).labelled == N_SENTENCES


def test_the_queue_can_be_refilled_while_people_take_from_it(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 400)
    queue(store, project, ids[:50])
    people = [store.annotator(f"person {number}").id for number in range(8)]
    saved: list[int] = []

    def annotate(number: int) -> None:
        while len(saved) < len(ids):
            for hand_out in store.claim(project.id, people[number], "tab", Split.POOL, 3):
                save(store, project, people[number], draft(hand_out.sentence.id))
                saved.append(hand_out.sentence.id)

    def refill(number: int) -> None:
        while len(saved) < len(ids):
            waiting = store.unlabelled_pool(project.id)[:60]
            items = [item(sentence.id, rank) for rank, sentence in enumerate(waiting)]
            store.fill_queue(project.id, items[:: 1 if number % 2 else -1], replace=True)

    at_once(10, lambda number: annotate(number) if number < 8 else refill(number))
    assert sorted(saved) == sorted(ids)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # SQLite lets one of both go on at a time
def test_a_claim_under_way_keeps_both_seats_of_its_sentence_while_the_queue_is_filled(
    store: Store, raw: RawDatabase
) -> None:
    project = new_project(store, overlap=2, overlap_share=1.0)
    held, other = add_pool(store, project, 2)
    queue(store, project, [held])
    asha = store.annotator("Asha").id
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with raw.engine.connect() as claim, ThreadPoolExecutor(1) as pool:
        take = "UPDATE queue SET annotator_id = :who, client = 'tab', leased_until = now() + interval '9 minutes'"
        claim.execute(text(f"{take} WHERE sentence_id = :id AND seat = 0"), {"who": asha, "id": held})
        filling = pool.submit(store.fill_queue, project.id, [item(other)], True)
        while not raw.execute(waits):
            assert not filling.done()
        claim.commit()
        assert filling.result() == 1
    seats = raw.execute("SELECT sentence_id, seat FROM queue ORDER BY sentence_id, seat")
    assert seats == [(held, 0), (held, 1), (other, 0), (other, 1)]


def test_the_same_draft_sent_by_two_connections_at_once_is_one_annotation(store: Store, raw: RawDatabase) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 50)
    asha = store.annotator("Asha").id
    drafts = [draft(id_, (0, 1, "PER")) for id_ in ids]

    def send(_: int) -> None:
        for new in drafts:
            assert store.save_annotations(project.id, asha, [new]) == ([new.id], [])

    at_once(4, send)
    assert raw.execute("SELECT count(*) FROM annotations") == [(50,)]
    assert raw.execute("SELECT count(*) FROM annotation_spans") == [(50,)]


def test_annotation_numbers_appear_in_their_order(store: Store) -> None:
    """A watermark taken while others save never passes a number that comes to light later."""
    project = new_project(store)
    ids = add_pool(store, project, 120)
    people = [store.annotator(f"person {number}").id for number in range(4)]
    done = threading.Event()
    seen = 0

    def write(number: int) -> None:
        for id_ in ids[number::4]:
            save(store, project, people[number], draft(id_))

    def watch() -> None:
        nonlocal seen
        watermark = 0
        while not done.is_set():
            newest = store.max_seq(project.id)
            seen += sum(watermark < annotation.seq <= newest for annotation in gold(store, project).values())
            watermark = newest
        seen += store.training_labels_since(project.id, watermark)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        at_once(4, write)
    finally:
        done.set()
        watcher.join()
    assert seen == len(ids)


def test_a_new_name_used_by_many_at_once_is_one_person(store: Store) -> None:
    found: list[int] = []
    at_once(8, lambda _: found.append(store.annotator("Asha").id))
    assert len(set(found)) == 1


def test_one_of_many_workers_gets_the_lease(store: Store) -> None:
    project = new_project(store)
    taken: list[bool] = []
    at_once(8, lambda number: taken.append(store.take_lease(project.id, f"worker {number}", 60)))
    assert sorted(taken) == [False] * 7 + [True]


def test_imports_and_annotations_do_not_wait_for_each_other_in_vain(store: Store) -> None:
    project = new_project(store)
    ids = add_pool(store, project, 60)
    asha = store.annotator("Asha").id

    def work(number: int) -> None:
        if number == 0:
            for _ in range(5):
                add_pool(store, project, 200)
            return
        drafts: list[AnnotationDraft] = [draft(id_) for id_ in ids[number - 1 :: 3]]
        for new in drafts:
            save(store, project, asha, new)

    at_once(4, work)
    assert store.progress(project.id).labelled == 60
    assert store.progress(project.id).pool == 1_060


def test_hundreds_of_claims_in_several_processes_leave_none_twice_and_nobody_without(
    store: Store, store_url: str, raw: RawDatabase
) -> None:
    """The benchmark claims.py in small: eight annotators in two processes, and a worker that writes in a third one."""
    project = new_project(store, overlap=2, overlap_share=0.25)
    ids = add_pool(store, project, 400)
    queue(store, project, ids)
    people = [store.annotator(f"person {number}").id for number in range(8)]
    with busy_worker(store_url, project.id, start_run(store, project)):
        turns = race(store_url, project.id, people, processes=2)
    taken = [(who.annotator, sentence_id) for who in turns for sentence_id in who.sentences]
    # A row that somebody held for a moment may be left: whoever has not labelled the sentence gets it now.
    for who in people:
        while left := store.claim(project.id, who, "tab", Split.POOL, 1, per_tab_share=False):
            save(store, project, who, draft(left[0].sentence.id))
            taken.append((who, left[0].sentence.id))
    assert len(taken) == len(set(taken))
    times = Counter(sentence_id for _, sentence_id in taken)
    assert set(times) == set(ids)
    assert set(times.values()) == {1, 2}
    assert times == dict(raw.execute("SELECT sentence_id, seats FROM selections"))
    assert raw.execute("SELECT count(*) FROM queue") == [(0,)]
    assert min(len(who.sentences) for who in turns) > 0
