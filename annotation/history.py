"""The history of a sentence in words: each thing that was ever said of it, when, by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from maner_core.spans import Span
from storage import Annotation, Decision, DecisionKind, History, NameSource, Origin, Status


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a sentence; `at` is None where nobody noted when."""

    at: datetime | None
    who: str
    what: str


def events(history: History) -> list[Event]:
    """Everything that happened, oldest first: import, annotations, decisions."""
    sentence, names = history.sentence, history.names
    by_seq = {annotation.seq: annotation for annotation in history.annotations}
    found = [
        Event(annotation.created_at, names[annotation.annotator_id], _annotated(annotation, sentence.tokens))
        for annotation in history.annotations
    ]
    found += [
        Event(decision.decided_at, names[decision.decided_by], _decided(decision, history, by_seq))
        for decision in history.decisions
    ]
    imported = Event(None, "", f"imported from {sentence.source or 'somewhere'} for {_use(history)}")
    return [imported, *sorted(found, key=lambda event: event.at or datetime.max)]


def said(status: Status | None, spans: Sequence[Span], tokens: Sequence[str]) -> str:
    """What an annotation says: `"labelled: Asha PER, Mwanza LOC"`."""
    marked = ", ".join(f"{' '.join(tokens[span.start : span.end])} {span.label}" for span in spans)
    return f"{status or 'nothing'}: {marked or 'no name'}" if status is not Status.SKIPPED else "skipped"


def _use(history: History) -> str:
    return "evaluation" if history.sentence.split == "reserve" else "the pool"


def _annotated(annotation: Annotation, tokens: Sequence[str]) -> str:
    how = "came with the file, " if annotation.origin is Origin.IMPORT else ""
    anew = "again " if annotation.supersedes else ""
    comment = f" ({annotation.comment})" if annotation.comment else ""
    return f"{how}{anew}{said(annotation.status, annotation.spans, tokens)}{comment}{_known(annotation, tokens)}"


def _known(annotation: Annotation, tokens: Sequence[str]) -> str:
    """The known names that were on the screen: `"; shown as known: Mwanza LOC, seen in sentence 17"`."""
    shown = [
        f"{' '.join(tokens[name.start : name.end])} {name.label}, "
        + ("from the list" if name.source is NameSource.LIST else f"seen in sentence {name.seen_in}")
        for name in annotation.names_shown
    ]
    return f"; shown as known: {'; '.join(shown)}" if shown else ""


def _decided(decision: Decision, history: History, by_seq: dict[int, Annotation]) -> str:
    sources = [history.names[by_seq[seq].annotator_id] for seq in decision.sources if seq in by_seq]
    whose = " and ".join(sources)
    comment = f" ({decision.comment})" if decision.comment else ""
    outcome = said(decision.status, decision.spans, history.sentence.tokens)
    if decision.kind is DecisionKind.UNDO:
        return f"took a decision back{comment}"
    if decision.kind is DecisionKind.SEND_BACK:
        return f"sent it back to {whose}{comment}"
    if decision.kind is DecisionKind.TAKE:
        version = f"the tagger's version of run {decision.run_id}" if decision.run_id else f"the version of {whose}"
        return f"took {version}, {outcome}{comment}"
    return f"decided, from {whose}, {outcome}{comment}"
