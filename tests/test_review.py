"""What waits for an adjudicator, what does not, and what goes back to its annotator."""

from typing import Any

import pytest
from store_helpers import add, add_pool, draft, new_project, save

from annotation import hand_out
from annotation.review import Reason, ReviewItem, review_queue
from annotation.sync_request import SyncRequest
from maner_core.spans import Span
from storage import DecisionDraft, DecisionKind, Project, Status, Store

PER, LOC = (0, 1, "PER"), (0, 1, "LOC")


class Team:
    """Asha and Baraka annotate, Chiku decides."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.project: Project = new_project(store)
        self.asha, self.baraka, self.chiku = (store.annotator(name).id for name in ("Asha", "Baraka", "Chiku"))

    def annotate(self, by: int, sentence: int, *spans: tuple[int, int, str], **fields: Any) -> str:
        made = draft(sentence, *spans, **fields)
        save(self.store, self.project, by, made)
        return made.id

    def decide(self, sentence: int, kind: DecisionKind, *sources: str, comment: str = "") -> None:
        [case] = self.store.cases(self.project.id, [sentence])
        wanted = DecisionDraft(
            sentence,
            kind,
            sources,
            comment=comment,
            seen_annotation=case.seen_annotation,
            seen_decision=case.seen_decision,
        )
        self.store.decide(self.project.id, self.chiku, wanted)

    def waiting(self, reviewer: int | None = None, alone: bool = False) -> list[ReviewItem]:
        return review_queue(self.store, self.project.id, reviewer or self.chiku, alone).of(None)


@pytest.fixture
def team(sqlite_store: Store) -> Team:
    return Team(sqlite_store)


def test_flags_come_before_disagreements_and_agreement_does_not_come(team: Team) -> None:
    agreed, disputed, flagged = add_pool(team.store, team.project, 3)
    for by, label in ((team.asha, PER), (team.baraka, LOC)):
        team.annotate(by, agreed, PER)
        team.annotate(by, disputed, label)
    team.annotate(team.asha, flagged, PER, status=Status.FLAGGED, comment="a name?")
    waiting = team.waiting()
    assert [(item.sentence_id, item.reason) for item in waiting] == [
        (flagged, Reason.FLAGGED),
        (disputed, Reason.DISAGREEMENT),
    ]
    assert [item.why for item in waiting] == ["Flagged by Asha: a name?", "Asha, Baraka do not agree"]


def test_what_one_annotated_oneself_waits_for_somebody_else(team: Team) -> None:
    [sentence] = add_pool(team.store, team.project, 1)
    team.annotate(team.asha, sentence, PER, status=Status.FLAGGED)
    queue = review_queue(team.store, team.project.id, team.asha, alone=False)
    assert (queue.of(None), queue.own) == ([], 1)
    assert [item.sentence_id for item in team.waiting(team.asha, alone=True)] == [sentence]
    team.annotate(team.baraka, sentence, LOC)
    assert team.waiting(team.asha, alone=True) == []


def test_a_decided_sentence_waits_again_only_when_something_else_is_said(team: Team) -> None:
    [sentence] = add_pool(team.store, team.project, 1)
    first = team.annotate(team.asha, sentence, PER)
    team.annotate(team.baraka, sentence, LOC)
    team.decide(sentence, DecisionKind.TAKE, first)
    queue = review_queue(team.store, team.project.id, team.chiku, alone=False)
    assert [item.reason for item in queue.items] == [Reason.DECIDED]
    team.annotate(team.baraka, sentence, PER)
    assert team.waiting() == []
    team.annotate(team.baraka, sentence, (1, 2, "ORG"))
    assert [item.reason for item in team.waiting()] == [Reason.DISAGREEMENT]
    team.decide(sentence, DecisionKind.UNDO)
    assert [item.reason for item in team.waiting()] == [Reason.DISAGREEMENT]


def test_words_labelled_otherwise_elsewhere_wait_after_everything_else(team: Team) -> None:
    ids = add(team.store, team.project, *(f"Mwanza {word}" for word in ("leo", "jana", "kesho", "sasa")))
    for sentence in ids[:3]:
        team.annotate(team.asha, sentence, LOC)
    odd = team.annotate(team.asha, ids[3])
    [item] = team.waiting()
    assert (item.sentence_id, item.reason) == (ids[3], Reason.INCONSISTENT)
    team.decide(ids[3], DecisionKind.TAKE, odd)  # as it is: it was looked at
    assert team.waiting() == []


def sync(team: Team, annotator_id: int, have: tuple[int, ...] = ()) -> hand_out.SyncAnswer:
    request = SyncRequest(seq=1, nonce="n", client="tab", outbox=(), have=have, want=5, refresh=False)
    return hand_out.sync(team.store, team.project, annotator_id, request)


def test_a_sentence_sent_back_comes_first_to_its_annotator_alone_with_the_comment_and_their_spans(team: Team) -> None:
    sentence, _ = add_pool(team.store, team.project, 2)
    first = team.annotate(team.asha, sentence, PER)
    team.annotate(team.baraka, sentence, LOC)
    team.decide(sentence, DecisionKind.SEND_BACK, first, comment="Mwanza is a city")
    assert team.waiting() == []
    assert review_queue(team.store, team.project.id, team.chiku, alone=False).sent_back == 1
    answer = sync(team, team.asha)
    item = answer.batch[0]
    assert (item.id, item.note, item.by) == (sentence, "Mwanza is a city", "Chiku")
    assert (item.spans, item.supersedes) == ((PER,), first)
    assert sentence not in [item.id for item in sync(team, team.baraka).batch]
    held = sync(team, team.asha, have=(sentence,))
    assert sentence not in held.drop
    assert sentence not in [item.id for item in held.batch]
    assert team.store.done_last(team.project.id, team.asha, 9) == []  # it waits, it is not done
    team.annotate(team.asha, sentence, LOC, supersedes=first)
    assert [done.id for done, _ in team.store.done_last(team.project.id, team.asha, 9)] == [sentence]
    assert sentence not in [item.id for item in sync(team, team.asha).batch]
    assert team.waiting() == []
    [case] = team.store.cases(team.project.id, [sentence])
    assert case.gold is not None
    assert case.gold.spans == (Span(*LOC),)
