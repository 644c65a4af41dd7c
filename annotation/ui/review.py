"""The Review page: what people do not agree on, flagged, or labelled oddly, one sentence after the other, by keyboard."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

import streamlit as st

from annotation.history import events
from annotation.permissions import Action
from annotation.review import Reason, ReviewItem, ReviewQueue, may_decide, review_queue
from annotation.ui.review_card import review_card
from annotation.ui.session import allow, allows, current_access, current_project, current_store
from annotation.ui.text import counted, plain
from maner_core.errors import InvalidInput, ManerError, Refused
from maner_core.spans import Span
from storage import Annotation, Case, DecisionDraft, DecisionKind, Project, Status, Store

_CARD = "review_card"
_STATE = "review_state"
_ALL = "All"
_TAGGER = "Tagger"
_SHOWN_VERSIONS = 4  # as many as the card has letters


@dataclass(slots=True)
class _Version:
    """What one or several people say of a sentence; a tagger's version comes from no annotation."""

    spans: tuple[Span, ...]
    status: Status
    names: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    run_id: int | None = None


@dataclass(slots=True)
class _State:
    """Where this person is in the queue of a project. `decided` are sentences they decided about here, for undoing."""

    project_id: int
    at: int = 0
    turn: int = 0
    problem: str | None = None
    decided: list[int] = field(default_factory=list)
    wanted: int | None = None  # a sentence to show next


def page() -> None:
    """Decide about the sentences of the project at work that others have annotated."""
    project = current_project(Action.REVIEW)
    st.title("Review")
    _decide(project)


def _state(project: Project) -> _State:
    state = st.session_state.get(_STATE)
    if not isinstance(state, _State) or state.project_id != project.id:
        state = st.session_state[_STATE] = _State(project.id)
    return state


def _alone() -> bool:
    return current_access().single_user is not None


@st.fragment
def _decide(project: Project) -> None:
    """The queue and its card, in a fragment: a decision runs only this."""
    reviewer = allow(Action.REVIEW, project.id).annotator
    store, state = current_store(), _state(project)
    queue = _queue(project, reviewer.id)
    reason = _choose(queue)
    items = queue.of(reason)
    _about(queue, project)
    if not items:
        if state.problem:
            st.warning(plain(state.problem))
        st.info("Nothing waits here for your decision.", icon=":material/task_alt:")
        return
    if state.wanted is not None:
        state.at = next((i for i, item in enumerate(items) if item.sentence_id == state.wanted), state.at)
        state.wanted = None
    state.at = min(state.at, len(items) - 1)
    item = items[state.at]
    [case] = store.cases(project.id, [item.sentence_id])
    st.caption(f"{state.at + 1} of {len(items)} · {item.reason}")

    def act() -> None:
        _act(project, items, st.session_state[_CARD]["act"])

    review_card(key=_CARD, data=_card_data(project, item, case, state), on_act=act)
    with st.expander("History of this sentence", icon=":material/history:"):
        for event in events(store.history(project.id, item.sentence_id)):
            when = f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if event.at else "—"
            who = f" **{plain(event.who)}**" if event.who else ""
            st.markdown(f"{when}{who} {plain(event.what)}")


def _queue(project: Project, reviewer_id: int) -> ReviewQueue:
    store = current_store()
    check = store.last_label_check(project.id)
    state = store.max_seq(project.id), store.max_decision(project.id), check and check.made_at
    return _queue_at(store, project.id, reviewer_id, _alone(), state)


@st.cache_data(show_spinner=False, max_entries=16)
def _queue_at(_store: Store, project_id: int, reviewer_id: int, alone: bool, state: object) -> ReviewQueue:
    """The queue; it changes only with `state`, what annotations, decisions and searches there are."""
    return review_queue(_store, project_id, reviewer_id, alone)


def _choose(queue: ReviewQueue) -> Reason | None:
    """The part of the queue to look at; None: all that waits."""
    options = [_ALL, *map(str, Reason)]
    counts = {_ALL: len(queue.of(None))} | {str(reason): len(queue.of(reason)) for reason in Reason}
    choice = st.segmented_control(
        "Show",
        options,
        default=_ALL,
        format_func=lambda option: f"{option.capitalize()} ({counts[option]})",
        label_visibility="collapsed",
        key="review_reason",
    )
    return None if choice in (None, _ALL) else Reason(choice)


def _about(queue: ReviewQueue, project: Project) -> None:
    """What waits for others, and when errors were last looked for."""
    said = []
    if queue.own:
        said.append(f"{counted(queue.own, 'sentence')} you annotated yourself, so somebody else has to decide.")
    if queue.sent_back:
        said.append(f"{counted(queue.sent_back, 'sentence')} sent back, not annotated anew yet.")
    if said:
        st.caption(" ".join(said))
    if not allows(Action.TRAIN, project.id):
        return
    check = current_store().last_label_check(project.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        if current_store().label_check_requested(project.id):
            st.caption("The worker looks for suspected errors as soon as it is free.")
        else:
            when = (
                f"Errors last looked for among {check.n_sentences} sentences."
                if check
                else "Not looked for errors yet."
            )
            st.caption(when, width="stretch")
            st.button("Look for errors", icon=":material/search:", on_click=_ask_for_check, args=(project,))


def _ask_for_check(project: Project) -> None:
    person = allow(Action.TRAIN, project.id)
    current_store().request_label_check(project.id)
    current_store().record(project.id, person.annotator.id, "label_check_requested")


# The card.


def _versions(case: Case, item: ReviewItem) -> list[_Version]:
    """What people say, equal versions as one, and what a tagger says that doubts them."""
    found: dict[tuple[Status, tuple[Span, ...]], _Version] = {}
    for annotation in case.annotations:
        version = found.setdefault((annotation.status, annotation.spans), _Version(annotation.spans, annotation.status))
        version.names.append(case.names[annotation.annotator_id])
        version.annotations.append(annotation)
    versions = list(found.values())[-_SHOWN_VERSIONS:]
    if item.doubt is not None:
        of_tagger = _Version(item.doubt.spans, Status.LABELLED, [_TAGGER], run_id=item.doubt.run_id)
        versions = [*versions[-_SHOWN_VERSIONS + 1 :], of_tagger]
    return versions


def _card_data(project: Project, item: ReviewItem, case: Case, state: _State) -> dict[str, Any]:
    sentence = case.sentence
    return {
        "turn": state.turn,
        "stamp": [sentence.id, case.seen_annotation, case.seen_decision, item.reason],
        "problem": state.problem,
        "labels": [{"name": label.name, "color": label.color, "key": label.key} for label in project.settings.labels],
        "item": {
            "sentence": sentence.id,
            "seen": [case.seen_annotation, case.seen_decision],
            "tokens": list(sentence.tokens),
            "spaces": None if sentence.spaces is None else list(sentence.spaces),
            "direction": project.settings.direction,
            "document": sentence.document,
            "why": item.why or _decision_in_words(case),
            "versions": [_version_data(version, case) for version in _versions(case, item)],
        },
    }


def _version_data(version: _Version, case: Case) -> dict[str, Any]:
    marks = [] if version.status is Status.LABELLED else [str(version.status)]
    decision = case.decision
    if decision is not None and any(annotation.seq in decision.sources for annotation in version.annotations):
        taken = decision.kind is DecisionKind.TAKE and decision.run_id is None
        marks += ["gold"] if taken else []
    comments = [annotation.comment for annotation in version.annotations if annotation.comment]
    return {
        "names": version.names,
        "marks": marks,
        "comment": "; ".join(comments),
        "spans": [[span.start, span.end, span.label] for span in version.spans],
    }


def _decision_in_words(case: Case) -> str:
    history = current_store().history(case.sentence.project_id, case.sentence.id)
    last = events(history)[-1] if case.decision is not None else None
    return f"{last.who} {last.what}" if last is not None else ""


# What the card sends.


def _act(project: Project, items: list[ReviewItem], act: object) -> None:
    """Do what was decided; what the store refuses is said on the card."""
    person = allow(Action.REVIEW, project.id)
    state = _state(project)
    state.turn += 1
    state.problem = None
    try:
        fields = _Act.parse(act)
        if fields.action in ("next", "previous"):
            state.at = max(0, state.at + (1 if fields.action == "next" else -1)) % len(items)
        elif fields.action == "undo":
            _undo(project, state, person.annotator.id, fields.sentence)
        else:
            item = next((item for item in items if item.sentence_id == fields.sentence), None)
            if item is None:
                raise Refused("this sentence does not wait for a decision any more; go on with the next one")
            draft = _draft(project, item, fields)
            current_store().decide(project.id, person.annotator.id, draft, _alone())
            state.decided.append(fields.sentence)
    except ManerError as error:
        state.problem = str(error)


@dataclass(frozen=True, slots=True)
class _Act:
    """What a card sends, checked."""

    action: str
    sentence: int
    seen: tuple[int, int]
    comment: str
    version: int
    spans: tuple[Span, ...]

    @classmethod
    def parse(cls, act: object) -> "_Act":
        """The act out of what a browser sent. Raises InvalidInput for what no card sends."""
        fields = defaultdict[str, Any](lambda: None, act if isinstance(act, dict) else {})
        try:
            annotation, decision = fields["seen"]
            spans = tuple(Span(int(start), int(end), str(label)) for start, end, label in fields["spans"] or ())
            numbers = int(fields["sentence"]), (int(annotation), int(decision)), int(fields["version"] or 0)
        except (TypeError, ValueError):
            raise InvalidInput("this is no decision; reload the page") from None
        return cls(
            str(fields["action"]), numbers[0], numbers[1], str(fields["comment"] or "")[:2000], numbers[2], spans
        )


def _draft(project: Project, item: ReviewItem, act: _Act) -> DecisionDraft:
    [case] = current_store().cases(project.id, [item.sentence_id])
    versions = _versions(case, item)
    everybody = tuple(annotation.id for annotation in case.annotations)
    base = DecisionDraft(
        act.sentence,
        DecisionKind.EDIT,
        everybody,
        act.spans,
        comment=act.comment,
        seen_annotation=act.seen[0],
        seen_decision=act.seen[1],
    )
    if act.action == "edit":
        return base
    if act.action == "leaveOut":
        return replace(base, status=Status.SKIPPED, spans=())
    if act.action == "sendBack":
        own_people = tuple(annotation.id for annotation in case.annotations if annotation.annotator_id in case.authors)
        return replace(base, kind=DecisionKind.SEND_BACK, sources=own_people, spans=())
    if act.action == "take" and 0 <= act.version < len(versions):
        taken = versions[act.version]
        if taken.run_id is not None:
            return replace(base, kind=DecisionKind.TAKE, spans=taken.spans, run_id=taken.run_id)
        return replace(base, kind=DecisionKind.TAKE, sources=(taken.annotations[-1].id,), spans=())
    raise InvalidInput(f"{act.action!r} is no decision; reload the page")


def _undo(project: Project, state: _State, reviewer_id: int, shown: int) -> None:
    """Take back the decision about the sentence on the screen, else the last one made here, and show that sentence."""
    store = current_store()
    for sentence_id in (shown, *reversed(state.decided)):
        for case in store.cases(project.id, [sentence_id]):
            if case.decision is None or not may_decide(case, reviewer_id, _alone()):
                continue
            draft = DecisionDraft(
                sentence_id,
                DecisionKind.UNDO,
                seen_annotation=case.seen_annotation,
                seen_decision=case.seen_decision,
            )
            store.decide(project.id, reviewer_id, draft, _alone())
            state.decided = [known for known in state.decided if known != sentence_id]
            state.wanted = sentence_id
            return
    raise Refused("you have decided nothing here that could be undone; choose Decided to see all decisions")
