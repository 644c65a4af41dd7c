"""What counts as the truth of a sentence: the rule by hand, decisions in the database, and counts that say the same."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_helpers import add, add_pool, add_reserve, draft, new_project, save

from annotation.exporting import export
from annotation.serving import evaluation_labels
from annotation.training_set import training_set
from maner_core.errors import InvalidInput, InvalidSpans, NotAllowed, NotFound, Refused
from maner_core.spans import Span
from storage import (
    Annotation,
    Decision,
    DecisionDraft,
    DecisionKind,
    Gold,
    GoldRule,
    NewSentence,
    Project,
    Split,
    Status,
    Store,
)

PER, LOC = (0, 1, "PER"), (0, 1, "LOC")


def gold_of(store: Store, project: Project, sentence_id: int) -> Gold | None:
    """The gold of one sentence, whatever its status."""
    rows = store.export_rows(project.id, None, tuple(Status), include_unlabelled=True)
    return next(row.gold for row in rows if row.sentence.id == sentence_id)


def seen(store: Store, project: Project, sentence_id: int) -> dict[str, Any]:
    """What somebody who looks at the sentence now has seen."""
    history = store.history(project.id, sentence_id)
    return {
        "seen_annotation": max((annotation.seq for annotation in history.annotations), default=0),
        "seen_decision": max((decision.seq for decision in history.decisions), default=0),
    }


def decide(store: Store, project: Project, by: int, sentence_id: int, kind: DecisionKind, **fields: Any) -> Decision:
    """A decision by somebody who has seen everything."""
    values = {**seen(store, project, sentence_id), **fields}
    return store.decide(project.id, by, DecisionDraft(sentence_id, kind, **values))


class World:
    """A sentence that Asha calls a person and Baraka a place, and Chiku, who decides."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.project = new_project(store)
        [self.sentence] = add_pool(store, self.project, 1)
        self.asha, self.baraka, self.chiku = (store.annotator(name).id for name in ("Asha", "Baraka", "Chiku"))
        self.first, self.second = draft(self.sentence, PER), draft(self.sentence, LOC)
        save(store, self.project, self.asha, self.first)
        save(store, self.project, self.baraka, self.second)

    @property
    def gold(self) -> Gold:
        found = gold_of(self.store, self.project, self.sentence)
        assert found is not None
        return found

    def decide(self, kind: DecisionKind, by: int | None = None, **fields: Any) -> Decision:
        return decide(self.store, self.project, by or self.chiku, self.sentence, kind, **fields)


def spans_of(gold: Gold | None) -> tuple[Span, ...] | None:
    return None if gold is None else gold.spans


def test_without_a_decision_the_newest_annotation_counts_and_where_all_agree_it_is_theirs(store: Store) -> None:
    world = World(store)
    assert (world.gold.rule, world.gold.people) == (GoldRule.NEWEST, (world.baraka,))
    assert world.gold.spans == (Span(*LOC),)
    save(store, world.project, world.asha, draft(world.sentence, LOC))
    assert (world.gold.rule, world.gold.people) == (GoldRule.AGREEMENT, (world.baraka, world.asha))
    save(store, world.project, world.asha, draft(world.sentence, LOC, status=Status.FLAGGED, comment="?"))
    assert (world.gold.rule, world.gold.status) == (GoldRule.NEWEST, Status.FLAGGED)


def test_a_decision_counts_before_any_annotation_and_stays_when_new_ones_come(store: Store) -> None:
    world = World(store)
    taken = world.decide(DecisionKind.TAKE, sources=(world.first.id,), comment="a person here")
    assert (world.gold.rule, world.gold.spans, world.gold.people) == (
        GoldRule.DECISION,
        (Span(*PER),),
        (world.chiku,),
    )
    assert [annotation.id for annotation in world.gold.annotations] == [world.first.id]
    assert world.gold.decision == taken
    save(store, world.project, world.asha, draft(world.sentence, supersedes=world.first.id))
    assert world.gold.spans == (Span(*PER),)
    assert [annotation.id for annotation in world.gold.annotations] == [world.first.id]


def test_every_decision_can_be_undone_and_what_stood_before_it_stands_again(store: Store) -> None:
    world = World(store)
    world.decide(DecisionKind.TAKE, sources=(world.first.id,))
    both = (world.first.id, world.second.id)
    edited = world.decide(DecisionKind.EDIT, sources=both, spans=(Span(1, 3, "ORG"),))
    assert edited.supersedes is not None
    assert world.gold.spans == (Span(1, 3, "ORG"),)
    assert [annotation.id for annotation in world.gold.annotations] == [*both]
    world.decide(DecisionKind.UNDO)
    assert world.gold.spans == (Span(*PER),)
    world.decide(DecisionKind.EDIT, sources=both, status=Status.SKIPPED)
    assert world.gold.status is Status.SKIPPED
    world.decide(DecisionKind.UNDO)
    world.decide(DecisionKind.UNDO)
    assert (world.gold.rule, world.gold.spans) == (GoldRule.NEWEST, (Span(*LOC),))
    with pytest.raises(Refused, match="nothing to undo"):
        world.decide(DecisionKind.UNDO)
    kinds = [decision.kind for decision in store.history(world.project.id, world.sentence).decisions]
    assert kinds == ["take", "edit", "undo", "edit", "undo", "undo"]


def test_a_sentence_sent_back_has_no_gold_until_it_is_annotated_anew(store: Store) -> None:
    world = World(store)
    with pytest.raises(InvalidInput, match="say what is to be done"):
        world.decide(DecisionKind.SEND_BACK, sources=(world.first.id,), comment=" ")
    world.decide(DecisionKind.SEND_BACK, sources=(world.first.id, world.second.id), comment="Mwanza is a city")
    assert gold_of(store, world.project, world.sentence) is None
    assert store.progress(world.project.id).unlabelled_pool == 1
    save(store, world.project, world.asha, draft(world.sentence, (1, 2, "LOC")))
    assert (world.gold.rule, world.gold.people) == (GoldRule.NEWEST, (world.asha,))
    world.decide(DecisionKind.UNDO)
    assert (world.gold.rule, world.gold.spans) == (GoldRule.NEWEST, (Span(1, 2, "LOC"),))


def test_taking_a_flagged_version_makes_it_labelled(store: Store) -> None:
    project, chiku = new_project(store), store.annotator("Chiku").id
    [sentence] = add_pool(store, project, 1)
    flagged = draft(sentence, PER, status=Status.FLAGGED, comment="a name?")
    save(store, project, store.annotator("Asha").id, flagged)
    decide(store, project, chiku, sentence, DecisionKind.TAKE, sources=(flagged.id,))
    found = gold_of(store, project, sentence)
    assert found is not None
    assert (found.status, found.spans) == (Status.LABELLED, (Span(*PER),))
    with pytest.raises(InvalidInput, match="labelled or skipped"):
        decide(store, project, chiku, sentence, DecisionKind.EDIT, sources=(flagged.id,), status=Status.FLAGGED)


def test_nobody_decides_about_their_own_annotation_nor_undoes_such_a_decision(store: Store) -> None:
    world = World(store)
    for own in (world.asha, world.baraka):
        with pytest.raises(NotAllowed, match="yourself"):
            world.decide(DecisionKind.TAKE, by=own, sources=(world.first.id,))
    world.decide(DecisionKind.TAKE, sources=(world.first.id,))
    with pytest.raises(NotAllowed, match="yourself"):
        world.decide(DecisionKind.UNDO, by=world.baraka)
    draft_of_own = DecisionDraft(world.sentence, DecisionKind.UNDO, **seen(store, world.project, world.sentence))
    with pytest.raises(NotAllowed, match="yourself"):
        store.decide(world.project.id, world.asha, draft_of_own, alone=True)


def test_alone_a_person_decides_about_what_nobody_else_annotated(sqlite_store: Store) -> None:
    project, asha = new_project(sqlite_store), sqlite_store.annotator("Asha").id
    [sentence] = add_pool(sqlite_store, project, 1)
    flagged = draft(sentence, PER, status=Status.FLAGGED)
    save(sqlite_store, project, asha, flagged)
    take = DecisionDraft(sentence, DecisionKind.TAKE, (flagged.id,), **seen(sqlite_store, project, sentence))
    with pytest.raises(NotAllowed, match="yourself"):
        sqlite_store.decide(project.id, asha, take)
    assert sqlite_store.decide(project.id, asha, take, alone=True).status is Status.LABELLED


def test_who_imported_a_sentence_has_not_annotated_it(sqlite_store: Store) -> None:
    project, lead = new_project(sqlite_store), sqlite_store.annotator("Importer").id
    [sentence] = add(sqlite_store, project, NewSentence(("Asha", "leo"), gold=(Span(*PER),)))
    [annotation] = sqlite_store.history(project.id, sentence).annotations
    decide(sqlite_store, project, lead, sentence, DecisionKind.EDIT, sources=(annotation.id,))
    assert spans_of(gold_of(sqlite_store, project, sentence)) == ()


def test_a_decision_about_what_has_changed_meanwhile_is_refused(store: Store) -> None:
    world = World(store)
    take = DecisionDraft(
        world.sentence, DecisionKind.TAKE, (world.first.id,), **seen(store, world.project, world.sentence)
    )
    store.decide(world.project.id, world.chiku, take)
    with pytest.raises(Refused, match="decided about this sentence meanwhile"):
        store.decide(world.project.id, world.chiku, take)
    late = replace(take, **seen(store, world.project, world.sentence))
    save(store, world.project, world.asha, draft(world.sentence))
    with pytest.raises(Refused, match="annotated anew meanwhile"):
        store.decide(world.project.id, world.chiku, late)


def test_a_decision_names_a_sentence_versions_and_spans_that_exist(sqlite_store: Store) -> None:
    world = World(sqlite_store)
    other = new_project(sqlite_store, "other")
    with pytest.raises(NotFound, match="no sentence"):
        sqlite_store.decide(other.id, world.chiku, DecisionDraft(world.sentence, DecisionKind.TAKE))
    for sources in ((), ("nothing",), (world.first.id, "nothing")):
        with pytest.raises(InvalidInput, match="names current annotations"):
            world.decide(DecisionKind.TAKE, sources=sources)
    with pytest.raises(InvalidInput, match="one version"):
        world.decide(DecisionKind.TAKE, sources=(world.first.id, world.second.id))
    with pytest.raises(InvalidSpans, match="DATE"):
        world.decide(DecisionKind.EDIT, sources=(world.first.id,), spans=(Span(0, 1, "DATE"),))
    [untouched] = add_pool(sqlite_store, world.project, 1)
    with pytest.raises(Refused, match="nobody has annotated"):
        sqlite_store.decide(world.project.id, world.chiku, DecisionDraft(untouched, DecisionKind.TAKE))


def test_a_label_that_stands_in_a_decision_cannot_be_removed(sqlite_store: Store) -> None:
    world = World(sqlite_store)
    world.decide(DecisionKind.EDIT, sources=(world.first.id,), spans=(Span(0, 2, "ORG"),))
    kept = tuple(label for label in world.project.settings.labels if label.name != "ORG")
    with pytest.raises(Refused, match="ORG"):
        sqlite_store.update_project(world.project.id, replace(world.project.settings, labels=kept))


def test_training_evaluation_and_export_use_what_was_decided(sqlite_store: Store) -> None:
    world = World(sqlite_store)
    [reserved] = add_reserve(sqlite_store, world.project, 1)
    answer = draft(reserved, PER)
    save(sqlite_store, world.project, world.asha, answer)
    world.decide(DecisionKind.TAKE, sources=(world.first.id,))
    decide(sqlite_store, world.project, world.chiku, reserved, DecisionKind.EDIT, sources=(answer.id,))
    seen_by_training = training_set(sqlite_store, world.project.id)
    assert seen_by_training.spans == [(Span(*PER),)]
    assert seen_by_training.decision_watermark == sqlite_store.max_decision(world.project.id)
    assert evaluation_labels(sqlite_store, world.project.id) == [(reserved, ())]
    text = "".join(export(sqlite_store, world.project.id, "conll"))
    assert "B-PER" in text
    assert "B-LOC" not in text


def test_each_line_of_the_export_says_who_decided_and_from_what(sqlite_store: Store) -> None:
    world = World(sqlite_store)
    world.decide(DecisionKind.TAKE, sources=(world.first.id,), comment="a person here")
    [line] = "".join(export(sqlite_store, world.project.id, "jsonl")).splitlines()
    decided = json.loads(line)
    assert decided["gold"].pop("at")
    assert decided["gold"] == {
        "rule": "decision",
        "by": ["Chiku"],
        "from": [{"annotation_id": world.first.id, "annotator": "Asha"}],
        "kind": "take",
        "comment": "a person here",
        "model_version": None,
    }
    assert (decided["annotator"], decided["annotation_id"]) == ("Asha", world.first.id)
    world.decide(DecisionKind.UNDO)
    [line] = "".join(export(sqlite_store, world.project.id, "jsonl")).splitlines()
    assert json.loads(line)["gold"]["rule"] == "newest"
    assert json.loads(line)["gold"]["by"] == ["Baraka"]


def test_a_decision_counts_as_a_new_label_for_training_until_a_run_has_seen_it(store: Store) -> None:
    world = World(store)
    watermark = store.max_seq(world.project.id)
    assert store.training_labels_since(world.project.id, watermark, 0) == 0
    world.decide(DecisionKind.TAKE, sources=(world.first.id,))
    assert store.training_labels_since(world.project.id, watermark, 0) == 1
    assert store.training_labels_since(world.project.id, 0, 0) == 1
    decision = store.max_decision(world.project.id)
    assert store.training_labels_since(world.project.id, watermark, decision) == 0
    run = store.start_run(world.project.id, 1, {}, 1, watermark, 1, decision_watermark=decision)
    assert (run.watermark, run.decision_watermark) == (watermark, decision)


# In any order of events, the counts say what the rows say.

Event = tuple[str, int, int, int]
events = st.lists(
    st.tuples(
        st.sampled_from(["annotate", "annotate", "annotate", "take", "edit", "send_back", "undo"]),
        st.integers(0, 2),  # sentence
        st.integers(0, 1),  # person
        st.integers(0, 4),  # what is said
    ),
    max_size=14,
)
SAID: Sequence[tuple[Status, tuple[tuple[int, int, str], ...]]] = (
    (Status.LABELLED, (PER,)),
    (Status.LABELLED, (LOC, (2, 4, "ORG"))),
    (Status.LABELLED, ()),
    (Status.SKIPPED, ()),
    (Status.FLAGGED, (PER,)),
)


def replay(store: Store, project: Project, ids: Sequence[int], happened: Sequence[Event]) -> None:
    """Do these events as far as they are possible."""
    people = [store.annotator(name).id for name in ("Asha", "Baraka")]
    chiku = store.annotator("Chiku").id
    for kind, sentence, person, said in happened:
        status, spans = SAID[said]
        if kind == "annotate":
            save(store, project, people[person], draft(ids[sentence], *spans, status=status))
            continue
        newest: dict[int, Annotation] = {
            annotation.annotator_id: annotation for annotation in store.history(project.id, ids[sentence]).annotations
        }
        sources = tuple(annotation.id for annotation in newest.values())[:1]
        try:
            decide(
                store,
                project,
                chiku,
                ids[sentence],
                DecisionKind(kind),
                sources=() if kind == "undo" else sources,
                spans=tuple(Span(*span) for span in spans) if kind == "edit" else (),
                status=Status.SKIPPED if status is Status.SKIPPED else Status.LABELLED,
                comment="again",
            )
        except Refused:
            assert kind == "undo" or not newest


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events)
def test_counts_and_rows_say_the_same_after_any_events(sqlite_store: Store, happened: list[Event]) -> None:
    project = new_project(sqlite_store, f"p{len(sqlite_store.projects())}")
    ids = add_pool(sqlite_store, project, 3)
    replay(sqlite_store, project, ids, happened)
    golds = [gold_of(sqlite_store, project, sentence_id) for sentence_id in ids]
    found = [gold for gold in golds if gold is not None]
    labelled = [gold for gold in found if gold.status is Status.LABELLED]
    counts = sqlite_store.progress(project.id)
    assert counts.unlabelled_pool == 3 - len(found)
    assert counts.labelled == len(labelled)
    assert counts.no_entity == sum(not gold.spans for gold in labelled)
    assert counts.skipped == sum(gold.status is Status.SKIPPED for gold in found)
    assert counts.flagged == sum(gold.status is Status.FLAGGED for gold in found)
    assert sum(counts.by_label.values()) == sum(len(gold.spans) for gold in labelled)
    assert len(sqlite_store.labelled(project.id, Split.POOL)) == len(labelled)
    assert sqlite_store.training_labels_since(project.id, 0, 0) == len(labelled)
