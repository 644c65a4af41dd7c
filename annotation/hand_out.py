"""One sync of an annotator: save what came, renew what is held, keep the queue filled, hand out what is next.

No HTTP and no Streamlit here: annotation/api.py translates JSON, this module decides.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from annotation.blind import is_withheld
from annotation.known_names import KnownNames, names_to_show
from annotation.names import NameIndex
from annotation.queue_filling import fill_pool, fill_reserve, queue_by_chance
from annotation.span_scaling import scaling_of
from annotation.sync_request import SyncRequest
from annotation.work_state import WorkState, work_state
from maner_core.calibration import SpanScaling
from storage import (
    Annotation,
    HandOut,
    Progress,
    Project,
    Rejection,
    Run,
    SentBack,
    Sentence,
    Split,
    Store,
    SuggestedName,
    SuggestWhen,
)

LEASE_SECONDS = 600
EARLIER = 20  # sentences a new tab can go back to, done before or elsewhere
EVALUATION_EVERY = 5  # every 5th sentence handed to a person is an evaluation sentence ...
EVALUATION_TARGET = 100  # ... until so many of them are labelled
EARNED_F1_LOW = 0.5  # suggestions are earned once the 95 % interval of F1 starts here ...
EARNED_SENTENCES = 50  # ... on at least so many evaluation sentences
LOW_WATER = 1_000  # free sentences in the queue below which it is filled up: enough for 20 tabs to hold 20 each
READER_TOP_UP = 200  # sentences added for somebody who reads none of those in the queue
FRUITLESS_SECONDS = 5.0  # after finding nothing to add, not to look again for so long
REMEMBER_SECONDS = 1.0  # how old the counts in an answer may be where they are cheap


@dataclass(frozen=True, slots=True)
class BatchItem:
    """A sentence on its way to a browser. `suggestions` are (start, end, label, confidence 0..1) of the run `run`.

    `names` are spans that no tagger suggests: their words are known names. None overlaps a suggestion.
    One that was sent back to whoever annotated it has the comment as `note`, who sent it as `by`, and the annotation it is
    about: its `spans` and id, which the next one `supersedes`. One that this person has done comes with the annotation
    they made of it, `done`.
    """

    id: int
    tokens: tuple[str, ...]
    spaces: tuple[bool, ...] | None
    direction: str
    document: str | None
    run: int | None
    reason: str
    suggestions: tuple[tuple[int, int, str, float], ...]
    names: tuple[SuggestedName, ...] = ()
    note: str | None = None
    by: str | None = None
    spans: tuple[tuple[int, int, str], ...] = ()
    supersedes: str | None = None
    done: Annotation | None = None

    def to_dict(self) -> dict[str, object]:
        """The item as it travels."""
        spans = list(map(list, self.spans))
        sent_back = {"note": self.note, "by": self.by, "spans": spans, "supersedes": self.supersedes}
        return {
            "id": self.id,
            "tokens": list(self.tokens),
            "spaces": None if self.spaces is None else list(self.spaces),
            "direction": self.direction,
            "document": self.document,
            "run": self.run,
            "reason": self.reason,
            "suggestions": [list(suggestion) for suggestion in self.suggestions],
            "names": [[it.start, it.end, it.label, str(it.source), it.seen_in] for it in self.names],
            **(sent_back if self.note is not None else {}),
            **({} if self.done is None else {"spans": spans, "done": _as_sent(self.done)}),
        }


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """The line at the edge of the labelling page: counts of the project and what the worker does.

    `pool` counts what people are asked to label, repetitions left aside; `left` is what of it nobody has touched.
    """

    labelled: int
    pool: int
    left: int
    evaluation: int
    work: WorkState

    def to_dict(self) -> dict[str, object]:
        """The line as it travels."""
        work = self.work
        return {
            "labelled": self.labelled,
            "pool": self.pool,
            "left": self.left,
            "evaluation": self.evaluation,
            "until_training": work.until_training,
            "worker": {
                "state": work.state,
                "progress": work.progress,
                "seconds_left": work.seconds_left,
                "text": work.text,
            },
        }


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """What one sync sends back; `drop` are held sentences that now belong to somebody else.

    `run` is the run whose suggestions people see now, `names` the version of the known names; `refreshed` are held
    sentences as they would be handed out now, where the tab asked for them or has them with other names. `earlier` is
    what this person did last, the oldest first, where the tab asked for it.
    """

    seq: int
    nonce: str
    acks: tuple[str, ...]
    rejects: tuple[Rejection, ...]
    batch: tuple[BatchItem, ...]
    refreshed: tuple[BatchItem, ...]
    run: int | None
    names: str
    drop: tuple[int, ...]
    done: int
    status: ProjectStatus
    earlier: tuple[BatchItem, ...] | None = None

    def to_dict(self) -> dict[str, object]:
        """The answer as it travels."""
        return {
            "seq": self.seq,
            "nonce": self.nonce,
            "acks": list(self.acks),
            "rejects": [{"id": rejection.id, "why": rejection.why} for rejection in self.rejects],
            "batch": [item.to_dict() for item in self.batch],
            "refreshed": [item.to_dict() for item in self.refreshed],
            "run": self.run,
            "names": self.names,
            "drop": list(self.drop),
            "done": self.done,
            "status": self.status.to_dict(),
            **({} if self.earlier is None else {"earlier": [item.to_dict() for item in self.earlier]}),
        }


@dataclass(slots=True)
class _Memo:
    """What one project's syncs need not ask the database for again at once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: tuple[Progress, WorkState] | None = None
    good_until: float = float("-inf")
    fruitless_at: dict[Split, float] = field(default_factory=dict)
    unread_at: dict[tuple[str, ...], float] = field(default_factory=dict)  # when nothing was found, by what is read


class Desk:
    """Serves the syncs of one process, and remembers the costly counts of each project for a second.

    Nothing in it must survive: a new Desk only reads the database once more.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._memos: dict[int, _Memo] = {}
        self._known_names = KnownNames(store, clock)
        self._scalings: dict[int, SpanScaling | None] = {}  # by run, whose metrics do not change

    def sync(self, project: Project, annotator_id: int, request: SyncRequest) -> SyncAnswer:
        """Save the outbox, renew what is held, hand out up to `want` sentences. Raises NotFound if the project is gone."""
        store = self.store
        acks, rejects = store.save_annotations(project.id, annotator_id, request.outbox)
        saved = set(acks)
        answered = {draft.sentence_id for draft in request.outbox if draft.id in saved}
        held = [sentence_id for sentence_id in request.have if sentence_id not in answered]
        kept = set(store.renew(project.id, annotator_id, request.client, held, LEASE_SECONDS)) if held else set()
        # What was sent back waits for this person alone, so it needs no lease.
        returned = store.sent_back(project.id, annotator_id)
        returned_ids = {item.sentence.id for item in returned}
        done = store.done(project.id, annotator_id)
        progress, work = self._counts(project)
        forgotten = self._forgotten(project, annotator_id, request.client, held, request.want - len(kept))
        n_held = len(kept) + len(forgotten)
        handed = forgotten + self._claim(
            project,
            annotator_id,
            request.client,
            request.want - n_held,
            done + n_held,
            progress.evaluation_labelled,
        )
        shown = _shown_run(store, project)
        names = self._known_names.index(project, at_once=bool(saved))
        refresh = request.refresh or (bool(kept) and request.names not in (None, names.version))
        again = store.held(project.id, request.client, annotator_id) if refresh else []
        scaling = None if shown is None else self._scaling(shown)
        return SyncAnswer(
            seq=request.seq,
            nonce=request.nonce,
            acks=tuple(acks),
            rejects=tuple(rejects),
            batch=(
                *(_returned_item(item, project) for item in returned if item.sentence.id not in held),
                *(_batch_item(hand_out, project, shown, scaling, names) for hand_out in handed),
            ),
            refreshed=tuple(
                _batch_item(hand_out, project, shown, scaling, names)
                for hand_out in again
                if hand_out.sentence.id in kept
            ),
            run=shown,
            names=names.version,
            drop=tuple(sentence_id for sentence_id in held if sentence_id not in kept | returned_ids),
            done=done,
            status=ProjectStatus(
                labelled=progress.labelled,
                pool=progress.labelled + progress.skipped + progress.flagged + progress.unlabelled_pool,
                left=progress.unlabelled_pool,
                evaluation=progress.evaluation_labelled,
                work=work,
            ),
            earlier=self._earlier(project, annotator_id) if request.earlier else None,
        )

    def _scaling(self, run_id: int) -> SpanScaling | None:
        if run_id not in self._scalings:
            self._scalings[run_id] = scaling_of(self.store.run(run_id).metrics)
        return self._scalings[run_id]

    def _earlier(self, project: Project, annotator_id: int) -> tuple[BatchItem, ...]:
        """What this person did last, as it was shown to them: what waits for them anew is not among it."""
        found = self.store.done_last(project.id, annotator_id, EARLIER)
        return tuple(_done_item(sentence, annotation, project) for sentence, annotation in found)

    def _forgotten(
        self, project: Project, annotator_id: int, client: str, have: Sequence[int], n: int
    ) -> list[HandOut]:
        """Up to `n` sentences leased to a tab that it does not know of: it was reloaded, or an answer got lost.

        Asked only where the tab holds few: what little a full tab may have lost comes back when its lease runs out.
        """
        if n <= len(have):
            return []
        known = set(have)
        held = self.store.held(project.id, client, annotator_id)
        return [hand_out for hand_out in held if hand_out.sentence.id not in known][:n]

    def _claim(
        self, project: Project, annotator_id: int, client: str, n: int, position: int, evaluation_labelled: int
    ) -> list[HandOut]:
        """Lease `n` sentences for the places `position` + 1 ... of this person's work: every 5th from the reserve.

        Of the reserve first those that somebody else has labelled already; these also when enough are labelled.
        None where the project has gone into the archive meanwhile.
        """
        if n <= 0 or project.archived_at is not None:
            return []
        places = range(position + 1, position + 1 + n)
        still_wanted = max(EVALUATION_TARGET - evaluation_labelled, 0)

        def claim(split: Split, count: int, begun: bool = False) -> list[HandOut]:
            if count <= 0:
                return []
            self._keep_filled(project, split)
            return self.store.claim(project.id, annotator_id, client, split, count, LEASE_SECONDS, begun=begun)

        def claim_reserve(count: int) -> list[HandOut]:
            found = claim(Split.RESERVE, min(count, still_wanted))
            if len(found) < count and self.store.begun(project.id, Split.RESERVE):
                found += claim(Split.RESERVE, count - len(found), begun=True)
            return found

        reserve = claim_reserve(sum(map(_is_evaluation_place, places)))
        pool = claim(Split.POOL, n - len(reserve))
        if not pool and self._fill_for(project, annotator_id):
            pool = claim(Split.POOL, n - len(reserve))
        if not pool:
            # Nothing else is left to label: the rest of the evaluation sentences need not wait for their turn.
            still_wanted -= len(reserve)
            reserve += claim_reserve(n - len(reserve))
        return _interleave(places, reserve, pool)

    def _keep_filled(self, project: Project, split: Split) -> None:
        """Fill the queue of a split that runs low; not again at once where there was nothing to add."""
        if self.store.ready(project.id, split) >= (LOW_WATER if split is Split.POOL else 1):
            return
        memo = self._memo(project.id)
        if self._clock() - memo.fruitless_at.get(split, float("-inf")) < FRUITLESS_SECONDS:
            return
        added = fill_pool(self.store, project) if split is Split.POOL else fill_reserve(self.store, project)
        if not added:
            memo.fruitless_at[split] = self._clock()

    def _fill_for(self, project: Project, annotator_id: int) -> int:
        """Queue more of what this person reads, where what waits is for others; how many sentences were added."""
        reads = self.store.person(annotator_id).reads
        memo = self._memo(project.id)
        if not reads or self._clock() - memo.unread_at.get(reads, float("-inf")) < FRUITLESS_SECONDS:
            return 0
        added = queue_by_chance(self.store, project, READER_TOP_UP, reads)
        if not added:
            memo.unread_at[reads] = self._clock()
        return added

    def _counts(self, project: Project) -> tuple[Progress, WorkState]:
        """The project's counts, at most a moment old; while one sync reads them anew, the others go on with the old."""
        memo = self._memo(project.id)
        counts = memo.counts
        if counts is not None and (self._clock() < memo.good_until or memo.lock.locked()):
            return counts
        with memo.lock:
            if memo.counts is None or self._clock() >= memo.good_until:
                started = time.thread_time()
                memo.counts = self.store.progress(project.id), work_state(self.store, project)
                # In a large project they cost more, and are read less often: a twentieth of one core at most.
                memo.good_until = self._clock() + max(REMEMBER_SECONDS, 20 * (time.thread_time() - started))
            return memo.counts

    def _memo(self, project_id: int) -> _Memo:
        with self._lock:
            return self._memos.setdefault(project_id, _Memo())


def sync(store: Store, project: Project, annotator_id: int, request: SyncRequest) -> SyncAnswer:
    """One sync that remembers nothing from the one before; a server keeps a Desk instead."""
    return Desk(store).sync(project, annotator_id, request)


def _is_evaluation_place(place: int) -> bool:
    return place % EVALUATION_EVERY == 0


def _interleave(places: Iterable[int], reserve: Sequence[HandOut], pool: Sequence[HandOut]) -> list[HandOut]:
    """Evaluation sentences at every 5th place, the others between them; what is left over comes at the end."""
    waiting, others = list(reserve), list(pool)
    ordered = []
    for place in places:
        first, second = (waiting, others) if _is_evaluation_place(place) else (others, waiting)
        if first or second:
            ordered.append((first or second).pop(0))
    return ordered


def _shown_run(store: Store, project: Project) -> int | None:
    """The run whose suggestions people may see now, or None."""
    when = project.settings.suggest_when
    if project.serving_run is None or when is SuggestWhen.NEVER:
        return None
    if when is SuggestWhen.EARNED and not has_earned_suggestions(store.run(project.serving_run)):
        return None
    return project.serving_run


def has_earned_suggestions(run: Run) -> bool:
    """Whether a run is so surely good that its suggestions help more than they mislead."""
    low, sentences = run.metrics.get("f1_low"), run.metrics.get("evaluation_sentences")
    return low is not None and sentences is not None and low >= EARNED_F1_LOW and sentences >= EARNED_SENTENCES


def _plain_item(sentence: Sentence, project: Project) -> BatchItem:
    """The sentence alone: nothing suggested, no reason."""
    return BatchItem(
        id=sentence.id,
        tokens=sentence.tokens,
        spaces=sentence.spaces,
        direction=project.settings.direction,
        document=sentence.document,
        run=None,
        reason="",
        suggestions=(),
    )


def _returned_item(item: SentBack, project: Project) -> BatchItem:
    return replace(
        _plain_item(item.sentence, project),
        note=item.comment,
        by=item.by,
        spans=_plain_spans(item.annotation),
        supersedes=item.annotation.id,
    )


def _done_item(sentence: Sentence, annotation: Annotation, project: Project) -> BatchItem:
    return replace(
        _plain_item(sentence, project),
        run=annotation.suggestion_run,
        names=annotation.names_shown,
        spans=_plain_spans(annotation),
        done=annotation,
    )


def _plain_spans(annotation: Annotation) -> tuple[tuple[int, int, str], ...]:
    return tuple((span.start, span.end, span.label) for span in annotation.spans)


def _as_sent(annotation: Annotation) -> dict[str, object]:
    """What a tab knows of an annotation that it sent itself."""
    return {
        "id": annotation.id,
        "status": str(annotation.status),
        "comment": annotation.comment,
        "skip_reason": None if annotation.skip_reason is None else str(annotation.skip_reason),
        "time": round(annotation.client_time.timestamp() * 1000),
    }


def _batch_item(
    hand_out: HandOut, project: Project, shown_run: int | None, scaling: SpanScaling | None, names: NameIndex
) -> BatchItem:
    """The tagger's own confidence decides what is shown; beside it stands what that was found to be worth."""
    sentence, suggestion = hand_out.sentence, hand_out.suggestion
    shown = suggestion if suggestion is not None and suggestion.run_id == shown_run else None
    if is_withheld(project, sentence.id):
        shown = None
    sure = [] if shown is None else [it for it in shown.spans if it.confidence >= project.settings.suggestion_threshold]
    return replace(
        _plain_item(sentence, project),
        run=None if shown is None else shown.run_id,
        reason=hand_out.reason,
        suggestions=tuple(
            (span.start, span.end, span.label, span.confidence if scaling is None else scaling(span.confidence))
            for span in sure
        ),
        names=names_to_show(hand_out, project, names, None if shown is None else tuple(sure)),
    )
