"""The hand-out on the real store: who gets which sentence, in what order, with which suggestions."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loop_helpers import open_store

from annotation.hand_out import EARLIER, EVALUATION_TARGET, Desk, SyncAnswer, sync
from annotation.queue_filling import top_up
from annotation.sampling import RANDOM_REASON
from annotation.sync_request import SyncRequest
from maner_core.errors import NotFound
from maner_core.spans import Span
from storage import (
    AnnotationDraft,
    Annotator,
    Label,
    NewSentence,
    Origin,
    Project,
    ProjectSettings,
    QueueItem,
    Split,
    Status,
    Store,
    SuggestedSpan,
    Suggestion,
    SuggestWhen,
)

LABELS = (Label("PER", "#4477AA", "1"), Label("LOC", "#228833", "2"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def make_project(store: Store, pool: int, reserve: int = 0, **settings: object) -> Project:
    plain = ProjectSettings(name=f"P{uuid.uuid4().hex[:6]}", labels=LABELS, blind_share=0.0)
    wanted = replace(plain, **settings)  # type: ignore[arg-type]
    project = store.create_project(wanted)
    sentences = [NewSentence(("Asha", "anaishi", f"Mji{i}"), source="test") for i in range(pool)]
    sentences += [
        NewSentence(("Juma", "yuko", f"Kijiji{i}"), source="test", split=Split.RESERVE) for i in range(reserve)
    ]
    store.add_sentences(project.id, sentences, None, "test")
    return project


def draft(sentence_id: int, run: int | None = None, spans: tuple[Span, ...] = (Span(0, 1, "PER"),)) -> AnnotationDraft:
    return AnnotationDraft(
        id=str(uuid.uuid4()),
        sentence_id=sentence_id,
        status=Status.LABELLED,
        spans=spans,
        comment="",
        milliseconds=900,
        client_time=datetime.now(UTC),
        suggestion_run=run,
        supersedes=None,
    )


class Tab:
    """A browser tab that labels what it holds, first in, first out."""

    def __init__(self, desk: Desk, project: Project, annotator: Annotator, want: int = 20) -> None:
        self.desk, self.project, self.annotator, self.want = desk, project, annotator, want
        self.client = uuid.uuid4().hex
        self.held: list[int] = []
        self.runs: dict[int, int | None] = {}
        self.labelled: list[int] = []

    def sync(self, outbox: tuple[AnnotationDraft, ...] = ()) -> SyncAnswer:
        request = SyncRequest(1, "n", self.client, outbox, tuple(self.held), self.want)
        answer = self.desk.sync(self.desk.store.project(self.project.id), self.annotator.id, request)
        self.held = [i for i in self.held if i not in answer.drop] + [item.id for item in answer.batch]
        self.runs |= {item.id: item.run for item in answer.batch}
        return answer

    def label_one(self) -> bool:
        """Label the oldest sentence; False when there is none."""
        if not self.held:
            self.sync()
        if not self.held:
            return False
        sentence_id = self.held.pop(0)
        self.labelled.append(sentence_id)
        answer = self.sync((draft(sentence_id, self.runs[sentence_id]),))
        assert not answer.rejects
        return True


ASKS = SyncRequest(1, "n", "another tab", (), (), 5)


def splits(store: Store, ids: list[int]) -> list[Split]:
    return [store.sentence(sentence_id).split for sentence_id in ids]


def finished_run(store: Store, project: Project, **metrics: object) -> int:
    run = store.start_run(project.id, 1, {}, 1, 0, 0)
    store.finish_run(run.id, dict(metrics), "runs/1", True, "It serves.")
    return run.id


def suggest(store: Store, project: Project, run_id: int) -> None:
    spans = (SuggestedSpan(0, 1, "PER", 0.9), SuggestedSpan(2, 3, "LOC", 0.4))
    store.save_suggestions(
        run_id,
        [Suggestion(run_id, sentence.id, spans, (0.9, 0.8, 0.4)) for sentence in store.unlabelled_pool(project.id)],
    )


def test_every_fifth_sentence_handed_to_a_person_is_an_evaluation_sentence(store: Store) -> None:
    project = make_project(store, pool=60, reserve=30)
    tab = Tab(Desk(store), project, store.annotator("Asha"))
    while len(tab.labelled) < 40:
        assert tab.label_one()
    assert [place for place, split in enumerate(splits(store, tab.labelled), 1) if split is Split.RESERVE] == [
        5, 10, 15, 20, 25, 30, 35, 40,
    ]  # fmt: skip


def test_from_the_archive_nothing_new_is_handed_out_and_what_is_finished_is_saved(store: Store) -> None:
    project = make_project(store, pool=60, reserve=10)
    tab = Tab(Desk(store), project, store.annotator("Asha"), want=5)
    held = [item.id for item in tab.sync().batch]
    store.archive_project(project.id)
    while tab.label_one():
        pass
    assert tab.labelled == held
    assert store.done(project.id, tab.annotator.id) == 5
    assert "in the archive" in Desk(store).sync(store.project(project.id), tab.annotator.id, ASKS).status.work.text
    store.archive_project(project.id, archived=False)
    assert tab.label_one()


def test_the_order_of_evaluation_sentences_stays_when_more_are_imported(store: Store) -> None:
    project = make_project(store, pool=10, reserve=12)
    top_up(store, project.id)
    annotator = store.annotator("Asha")
    first = [
        item.sentence.id for item in store.claim(project.id, annotator.id, "a", Split.RESERVE, 6, per_tab_share=False)
    ]
    store.release(annotator.id, "a")
    store.add_sentences(
        project.id, [NewSentence(("Mpya", str(i)), split=Split.RESERVE) for i in range(200)], None, "more"
    )
    top_up(store, project.id)
    everything = [
        item.sentence.id for item in store.claim(project.id, annotator.id, "b", Split.RESERVE, 212, per_tab_share=False)
    ]
    assert [sentence_id for sentence_id in everything if sentence_id in first] == first


def test_no_evaluation_sentence_is_handed_out_once_enough_are_labelled(store: Store) -> None:
    project = make_project(store, pool=30)
    store.add_sentences(
        project.id,
        [NewSentence(("Gold", str(i)), split=Split.RESERVE, gold=()) for i in range(EVALUATION_TARGET)]
        + [NewSentence(("More", str(i)), split=Split.RESERVE) for i in range(20)],
        store.annotator("Importer").id,
        "gold",
    )
    answer = Tab(Desk(store), project, store.annotator("Asha")).sync()
    assert set(splits(store, [item.id for item in answer.batch])) == {Split.POOL}


def test_evaluation_sentences_that_one_of_two_has_labelled_are_finished_when_enough_are_labelled(store: Store) -> None:
    project = make_project(store, pool=30, reserve=EVALUATION_TARGET + 10, overlap=2, overlap_share=1.0)
    asha, juma = store.annotator("Asha"), store.annotator("Juma")
    top_up(store, project.id)
    ids = [sentence.id for sentence in store.sentences(project.id, Split.RESERVE)]
    both, begun = ids[: EVALUATION_TARGET - 3], ids[EVALUATION_TARGET - 3 : EVALUATION_TARGET]
    store.save_annotations(project.id, asha.id, [draft(id_) for id_ in [*both, *begun]])
    store.save_annotations(project.id, juma.id, [draft(id_) for id_ in both])
    assert store.progress(project.id).evaluation_labelled == EVALUATION_TARGET
    # Asha has labelled all of them: she is asked for no more, and begins none that would then want a second person.
    assert set(splits(store, [item.id for item in Tab(Desk(store), project, asha).sync().batch])) == {Split.POOL}
    tab = Tab(Desk(store), project, juma)
    found = [item.id for item in tab.sync().batch]
    assert [id_ for id_ in found if id_ in ids] == [id_ for id_ in found if id_ in begun] != []
    while tab.label_one():
        pass
    assert set(begun) <= set(tab.labelled)
    assert not set(ids[EVALUATION_TARGET:]) & set(tab.labelled)
    assert not store.begun(project.id, Split.RESERVE)


def test_evaluation_sentences_are_handed_out_when_nothing_else_is_left(store: Store) -> None:
    project = make_project(store, pool=2, reserve=6)
    tab = Tab(Desk(store), project, store.annotator("Asha"))
    while tab.label_one():
        pass
    assert len(tab.labelled) == 8


def test_two_people_never_get_the_same_sentence(store: Store) -> None:
    project = make_project(store, pool=120, reserve=20)
    desk = Desk(store)
    tabs = [Tab(desk, project, store.annotator(name), want=7) for name in ("Asha", "Juma", "Neema")]
    while tabs[0].label_one() | tabs[1].label_one() | tabs[2].label_one():
        pass
    everything = [sentence_id for tab in tabs for sentence_id in tab.labelled]
    assert len(everything) == len(set(everything)) == 140


def test_thirty_tabs_at_once_share_the_pool_without_a_double_or_a_loss(store: Store) -> None:
    project = make_project(store, pool=300, reserve=40)
    desk = Desk(store)
    tabs = [Tab(desk, project, store.annotator(f"Person {i}"), want=8) for i in range(30)]
    problems: list[BaseException] = []

    def work(tab: Tab) -> None:
        try:
            while len(tab.labelled) < 8 and tab.label_one():
                pass
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(tab,)) for tab in tabs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    labelled = [sentence_id for tab in tabs for sentence_id in tab.labelled]
    assert len(labelled) == len(set(labelled)) == 240
    stored = store.labelled(project.id, Split.POOL) + store.labelled(project.id, Split.RESERVE)
    assert sorted(labelled) == sorted(item.sentence.id for item in stored)


def test_the_queue_is_never_empty_while_a_training_runs(store: Store) -> None:
    project = make_project(store, pool=200, retrain_every=10)
    tab = Tab(Desk(store), project, store.annotator("Asha"), want=5)
    run = store.start_run(project.id, 1, {}, 1, 0, 0)
    for step in range(199):
        assert tab.label_one(), f"no sentence left after {step}"
        store.heartbeat(run.id, "training", step / 200, None, "")
    assert tab.label_one()
    assert not tab.label_one()


def test_what_a_round_ranked_comes_before_what_fills_the_queue(store: Store) -> None:
    project = make_project(store, pool=40)
    run_id = finished_run(store, project)
    top_up(store, project.id)
    best = [sentence.id for sentence in store.unlabelled_pool(project.id)][::-1][:6]
    items = [QueueItem(i, Origin.ACTIVE, rank, "mnlp", 1.0, None, run_id, 1, "unsure") for rank, i in enumerate(best)]
    store.fill_queue(project.id, items, replace=True)
    answer = Tab(Desk(store), project, store.annotator("Asha"), want=8).sync()
    assert [item.id for item in answer.batch[:6]] == best
    assert answer.batch[0].reason == "unsure"


def test_filling_the_queue_depends_only_on_the_seed(store: Store) -> None:
    orders = []
    for seed in (7, 7, 8):
        project = make_project(store, pool=30, seed=seed)
        first = min(sentence.id for sentence in store.unlabelled_pool(project.id))
        top_up(store, project.id)
        claimed = store.claim(
            project.id, store.annotator("Asha").id, f"{project.id}", Split.POOL, 30, per_tab_share=False
        )
        orders.append([item.sentence.id - first for item in claimed])
    assert orders[0] == orders[1] != orders[2]


def test_twenty_tabs_can_hold_twenty_sentences_each(store: Store) -> None:
    project = make_project(store, pool=1500)
    desk = Desk(store)
    sizes = [len(Tab(desk, project, store.annotator(f"Person {i}")).sync().batch) for i in range(20)]
    assert min(sizes) == 20


def test_sentences_imported_later_are_handed_out_without_a_word(store: Store) -> None:
    project = make_project(store, pool=2)
    clock = [0.0]
    tab = Tab(Desk(store, clock=lambda: clock[0]), project, store.annotator("Asha"))
    while tab.label_one():
        pass
    store.add_sentences(project.id, [NewSentence(("Habari", "mpya"))], None, "command line")
    clock[0] += 10
    assert tab.label_one()


def test_topping_up_twice_adds_nothing_the_second_time(store: Store) -> None:
    project = make_project(store, pool=30, reserve=5)
    assert top_up(store, project.id) == 35
    assert top_up(store, project.id) == 0


def test_only_spans_above_the_threshold_are_suggested(store: Store) -> None:
    project = make_project(store, pool=10)
    run_id = finished_run(store, project)
    suggest(store, project, run_id)
    (item, *_) = Tab(Desk(store), project, store.annotator("Asha")).sync().batch
    assert item.run == run_id
    assert [suggestion[:3] for suggestion in item.suggestions] == [(0, 1, "PER")]
    assert item.suggestions[0][3] == pytest.approx(0.9)


def test_a_tab_can_ask_for_what_it_holds_as_a_new_run_suggests_it(store: Store) -> None:
    project = make_project(store, pool=10, reserve=4)
    desk = Desk(store)
    tab = Tab(desk, project, store.annotator("Asha"), want=5)
    before = tab.sync()
    assert before.run is None
    run_id = finished_run(store, project)
    suggest(store, project, run_id)
    Tab(desk, project, store.annotator("Juma"), want=2).sync()
    request = SyncRequest(2, "n", tab.client, (), tuple(tab.held), 0, refresh=True)
    answer = desk.sync(store.project(project.id), tab.annotator.id, request)
    assert answer.run == run_id
    assert {item.id for item in answer.refreshed} == set(tab.held)
    pool = {sentence.id for sentence in store.sentences(project.id, Split.POOL)}
    assert {item.id for item in answer.refreshed if item.run == run_id} == pool & set(tab.held)
    assert desk.sync(project, tab.annotator.id, replace(request, refresh=False)).refreshed == ()


def test_evaluation_sentences_show_no_suggestion_and_look_like_random_ones(store: Store) -> None:
    project = make_project(store, pool=20, reserve=20)
    suggest(store, project, finished_run(store, project))
    batch = Tab(Desk(store), project, store.annotator("Asha")).sync().batch
    reserve = [item for item in batch if store.sentence(item.id).split is Split.RESERVE]
    assert reserve
    assert all(item.run is None and not item.suggestions and item.reason == RANDOM_REASON for item in reserve)


def test_a_project_can_do_without_suggestions(store: Store) -> None:
    project = make_project(store, pool=10, suggest_when=SuggestWhen.NEVER)
    suggest(store, project, finished_run(store, project))
    batch = Tab(Desk(store), project, store.annotator("Asha")).sync().batch
    assert all(item.run is None and not item.suggestions for item in batch)


@pytest.mark.parametrize(
    ("low", "sentences", "shown"), [(0.5, 50, True), (0.49, 50, False), (0.5, 49, False), (None, 0, False)]
)
def test_suggestions_can_wait_until_the_model_has_earned_them(
    store: Store, low: float | None, sentences: int, shown: bool
) -> None:
    project = make_project(store, pool=10, suggest_when=SuggestWhen.EARNED)
    suggest(store, project, finished_run(store, project, f1_low=low, evaluation_sentences=sentences))
    (item, *_) = Tab(Desk(store), project, store.annotator("Asha")).sync().batch
    assert (item.run is not None) is shown
    assert bool(item.suggestions) is shown


def test_sending_the_same_annotation_twice_saves_it_once(store: Store) -> None:
    project = make_project(store, pool=10)
    tab = Tab(Desk(store), project, store.annotator("Asha"))
    tab.sync()
    sentence_id = tab.held.pop(0)
    once = draft(sentence_id)
    assert tab.sync((once,)).acks == tab.sync((once,)).acks == (once.id,)
    assert len(store.labelled(project.id, Split.POOL)) == 1


def test_an_annotation_the_store_refuses_is_given_back_with_its_reason(store: Store) -> None:
    project = make_project(store, pool=10)
    tab = Tab(Desk(store), project, store.annotator("Asha"))
    tab.sync()
    wrong = draft(tab.held[0], spans=(Span(0, 9, "PER"),))
    answer = tab.sync((wrong,))
    assert not answer.acks
    assert [rejection.id for rejection in answer.rejects] == [wrong.id]
    assert "9" in answer.rejects[0].why


def test_a_sentence_of_another_project_is_refused(store: Store) -> None:
    mine, theirs = make_project(store, pool=5), make_project(store, pool=5)
    foreign = store.unlabelled_pool(theirs.id)[0]
    answer = Tab(Desk(store), mine, store.annotator("Asha")).sync((draft(foreign.id),))
    assert len(answer.rejects) == 1
    assert not store.labelled(theirs.id, Split.POOL)


def test_a_lease_that_passed_to_somebody_else_is_reported(store: Store) -> None:
    project = make_project(store, pool=4)
    asha, juma = store.annotator("Asha"), store.annotator("Juma")
    first = Tab(Desk(store), project, asha, want=2)
    first.sync()
    store.release(asha.id, first.client)
    taken = {item.sentence.id for item in store.claim(project.id, juma.id, "other", Split.POOL, 4, per_tab_share=False)}
    held = set(first.held)
    assert held <= taken
    first.want = 0
    assert set(first.sync().drop) == held


def test_a_reloaded_tab_gets_back_what_it_held(store: Store) -> None:
    project = make_project(store, pool=30)
    tab = Tab(Desk(store), project, store.annotator("Asha"), want=6)
    tab.sync()
    before, tab.held = tab.held, [tab.held[2]]
    tab.sync()
    assert set(tab.held) == set(before)


def test_the_status_counts_down_to_the_next_training(store: Store) -> None:
    project = make_project(store, pool=30, retrain_every=3)
    clock = [0.0]
    tab = Tab(Desk(store, clock=lambda: clock[0]), project, store.annotator("Asha"))
    store.worker_seen("w", "idle")

    def label_one_and_wait() -> None:
        tab.label_one()
        clock[0] += 10

    assert tab.sync().status.work.text == "Next training after 3 more labels"
    label_one_and_wait()
    status = tab.sync().status
    assert (status.labelled, status.work.until_training, status.work.state) == (1, 2, "idle")
    label_one_and_wait()
    label_one_and_wait()
    assert tab.sync().status.work.text == "Training starts in a moment"


def test_labels_without_any_name_do_not_promise_a_training(store: Store) -> None:
    project = make_project(store, pool=5, retrain_every=1)
    asha = store.annotator("Asha")
    store.worker_seen("w", "idle")
    (sentence, *_) = store.unlabelled_pool(project.id)
    answer = sync(store, project, asha.id, SyncRequest(1, "n", "tab", (draft(sentence.id, spans=()),), (), 0))
    assert answer.status.work.text == "Training starts once a labelled sentence has a name in it"


def test_what_is_left_counts_neither_repetitions_nor_what_was_skipped(store: Store) -> None:
    project = make_project(store, pool=3)
    store.add_sentences(project.id, [NewSentence(("Asha", "anaishi", "Mji0"))], None, "again")
    asha = store.annotator("Asha")
    first, second, _ = store.unlabelled_pool(project.id)
    outbox = (draft(first.id), replace(draft(second.id), status=Status.SKIPPED, spans=()))
    status = sync(store, project, asha.id, SyncRequest(1, "n", "tab", outbox, (), 0)).status
    assert (status.labelled, status.pool, status.left) == (1, 3, 1)


def test_a_project_that_is_gone_cannot_be_synced(store: Store) -> None:
    with pytest.raises(NotFound):
        store.project(99)
    project = make_project(store, pool=1)
    request = SyncRequest(4, "abc", "tab", (), (), 1)
    answer = sync(store, project, store.annotator("Asha").id, request)
    assert (answer.seq, answer.nonce, answer.done, len(answer.batch)) == (4, "abc", 0, 1)


def test_a_tab_that_asks_gets_what_its_person_did_last(store: Store) -> None:
    project = make_project(store, pool=30)
    asha = store.annotator("Asha")
    tab = Tab(Desk(store), project, asha)
    for _ in range(22):
        assert tab.label_one()
    request = SyncRequest(1, "n", "another tab", (), (), 0, earlier=True)
    answer = sync(store, project, asha.id, request)
    assert answer.earlier is not None
    assert [item.id for item in answer.earlier] == tab.labelled[-EARLIER:]
    last = answer.earlier[-1].to_dict()
    assert last["spans"] == [[0, 1, "PER"]]
    done = last["done"]
    assert isinstance(done, dict)
    assert (done["status"], done["comment"], done["skip_reason"]) == ("labelled", "", None)
    assert "earlier" not in sync(store, project, asha.id, replace(request, earlier=False)).to_dict()
