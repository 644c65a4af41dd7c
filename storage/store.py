"""Store(url): everything the tool remembers, one method for each thing it keeps or is asked.

Every method is one transaction, but for those that stream or write many rows, which say so. Methods raise only the
errors of maner_core.errors: NotFound for ids that do not exist, InvalidInput for values no database can hold, Refused
for what a constraint forbids, DatabaseUnavailable when the database does not answer.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from maner_core.spans import Span
from storage import (
    _agreement,
    _annotations,
    _hidden,
    _projects,
    _queue,
    _reports,
    _runs,
    _sentences,
    _suggestions,
)
from storage.account_store import AccountStore
from storage.backup_store import BackupStore
from storage.database import Database
from storage.evaluation_store import EvaluationStore
from storage.final_store import FinalStore
from storage.migrations import migrate
from storage.name_store import NameStore
from storage.records import (
    AnnotationDraft,
    Annotator,
    DoubledSentence,
    HandOut,
    ImportCounts,
    Label,
    NewProject,
    NewSentence,
    Progress,
    Project,
    ProjectSettings,
    QueueItem,
    Rejection,
    Run,
    RunPrediction,
    Sentence,
    Split,
    Status,
    Suggestion,
    Timing,
)
from storage.review_records import ExportRow, LabelledSentence, Moment
from storage.review_store import ReviewStore
from storage.starting_store import StartingStore
from storage.worker_store import WorkerStore

ROWS_PER_WRITE = 250
"""Of a long write: annotators wait for a part of it, and a worker of low priority may be slow at it."""

T = TypeVar("T")


class Store(AccountStore, BackupStore, EvaluationStore, FinalStore, NameStore, ReviewStore, StartingStore, WorkerStore):
    """A database of projects; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Open `sqlite:///path/to/file.db` (its folder is made) or `postgresql://…`; InvalidConfig for other URLs."""
        self._database = Database(url)

    def migrate(self) -> None:
        """Bring the database to this release's tables, from nothing if need be.

        Any number of processes may call it at once. DatabaseTooNew when a newer release wrote the database. Of a SQLite
        file of an earlier release a copy is kept beside it.
        """
        self._database.write(migrate)

    def close(self) -> None:
        """Close all connections; the next call would open new ones."""
        self._database.close()

    # Projects.

    def create_project(self, settings: ProjectSettings, by: int | None = None) -> Project:
        """A new project, with the person `by` as its lead; Refused when its name is taken."""
        return self._database.write(_projects.create, NewProject(settings), by)

    def update_project(self, project_id: int, settings: ProjectSettings, by: int | None = None) -> Project:
        """The project with these settings; Refused when a removed label stands in saved annotations.

        A second transaction doubles what waits in the queue as `overlap` says.
        """
        project = self._database.write(_projects.change, project_id, settings, by)
        self._database.write(_queue.reseat, project_id)
        return project

    def archive_project(self, project_id: int, archived: bool = True, by: int | None = None) -> None:
        """Put the project into the archive, where nothing is handed out or trained, or take it out again; NotFound."""
        self._database.write(_projects.archive, project_id, archived, by)

    def project(self, project_id: int) -> Project:
        """The project; NotFound."""
        return self._database.read(_projects.project, project_id)

    def project_by_name(self, name: str) -> Project:
        """The project of that name; NotFound, naming those there are."""
        return self._database.read(_projects.project_by_name, name)

    def projects(self) -> list[Project]:
        """All projects, also those in the archive, oldest first."""
        return self._database.read(_projects.projects)

    # People.

    def annotator(self, name: str) -> Annotator:
        """The person of that name (trimmed, case-insensitive), made if new."""
        return self._database.read(_projects.known_annotator, name) or self._database.write(_projects.annotator, name)

    def annotator_by_id(self, annotator_id: int) -> Annotator:
        """The person; NotFound."""
        return self._database.read(_projects.annotator_by_id, annotator_id)

    # Sentences.

    def add_sentences(
        self,
        project_id: int,
        sentences: Iterable[NewSentence],
        annotator_id: int | None,
        source: str,
        saved: Callable[[int], None] = lambda n: None,
    ) -> ImportCounts:
        """Add sentences, all or none, and their gold spans as annotations by `annotator_id`.

        A sentence with the tokens (exact) or the group (near) of an earlier one becomes its duplicate. An evaluation
        sentence whose twin in the pool is annotated is refused and reported; an unannotated twin becomes the
        evaluation sentence's duplicate. InvalidInput or InvalidSpans name the first sentence that cannot be stored.
        `saved` hears how many are in, while they are not yet all there; what it raises undoes them.
        """
        prepared = _sentences.prepare(sentences)
        return self._database.write(_sentences.add, project_id, prepared, annotator_id, source, saved)

    def import_sentences(
        self,
        project: int | NewProject,
        labels: Sequence[Label],
        sentences: Iterable[NewSentence],
        annotator_id: int | None,
        source: str,
        saved: Callable[[int], None] = lambda n: None,
    ) -> tuple[int, ImportCounts]:
        """Add sentences as add_sentences does; the project's id, too.

        With them, or not at all, the project itself is made where it is new, and gets those `labels` that it lacks.
        """
        prepared = _sentences.prepare(sentences)
        return self._database.write(_sentences.add_to, project, labels, prepared, annotator_id, source, saved)

    def groups(self, project_id: int) -> Iterator[tuple[int, str, tuple[str, ...]]]:
        """(sentence id, near-duplicate group, tokens) of all sentences; many short transactions."""
        after = 0
        while page := self._database.read(_sentences.groups_page, project_id, after):
            yield from page
            after = page[-1][0]

    def sentences(self, project_id: int, split: Split | None) -> Iterator[Sentence]:
        """All sentences, or those of a split, in import order; many short transactions."""
        after = 0
        while page := self._database.read(_sentences.page, project_id, split, after):
            yield from page
            after = page[-1].id

    def sentence(self, sentence_id: int) -> Sentence:
        """The sentence; NotFound."""
        return self._database.read(_sentences.sentence, sentence_id)

    def unlabelled_pool(self, project_id: int, until_seq: int | None = None) -> list[Sentence]:
        """Sentences of the pool that nobody annotated, without duplicates, in import order.

        With `until_seq` as they were when that annotation was the newest.
        """
        return self._database.read(_sentences.unlabelled_pool, project_id, until_seq)

    def unqueued_pool_ids(self, project_id: int, reads: Sequence[str] = ()) -> list[int]:
        """Ids of the unlabelled pool neither queued nor hidden, in import order; with `reads`, of what is written in these."""
        return self._database.read(_sentences.unqueued_pool_ids, project_id, reads)

    def lengths(self, sentence_ids: Sequence[int]) -> dict[int, int]:
        """Words of each of these sentences, by id."""
        return self._database.read(_sentences.lengths, sentence_ids)

    def tokens(self, sentence_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The words of each of these sentences, by id."""
        return self._database.read(_sentences.tokens, sentence_ids)

    def written_in(self, project_id: int) -> dict[str, int]:
        """How many sentences are written in what (Sentence.written_in), the commonest first."""
        return self._database.read(_sentences.written_in_counts, project_id)

    def unread(self, project_id: int) -> dict[str, int]:
        """Unlabelled sentences of the pool that no member of the project reads, by what they are written in.

        Nothing where anybody reads everything, or where the project has no members: administrators do what they like.
        """
        return self._database.read(_queue.unread, project_id)

    # Annotations.

    def save_annotations(
        self, project_id: int, annotator_id: int, drafts: Sequence[AnnotationDraft]
    ) -> tuple[list[str], list[Rejection]]:
        """Save what a person decided; the ids now safe, and what was not saved and why.

        Saving the same draft again changes nothing and acknowledges it again. A good draft is saved whatever becomes
        of its neighbours. The sentences leave the queue; skipped ones keep no spans. NotFound: project or annotator.
        """
        if not drafts:
            return [], []
        return self._database.write(_annotations.save, project_id, annotator_id, drafts)

    def labelled(
        self, project_id: int, split: Split, statuses: Collection[Status] = (Status.LABELLED,)
    ) -> list[LabelledSentence]:
        """Sentences of a split whose gold annotation has one of these statuses, oldest annotation first.

        Pool sentences that say the same as an evaluation sentence are left out: nothing may be trained on them.
        """
        return self._database.read(_reports.labelled, project_id, split, statuses)

    def doubled(self, project_id: int) -> list[DoubledSentence]:
        """Sentences drawn to be labelled by several people that two or more have annotated, in import order.

        Each person's newest annotation made without a suggestion, in the tool and before anybody decided about the sentence:
        what they say for themselves.
        """
        return self._database.read(_agreement.doubled, project_id)

    def training_labels_since(self, project_id: int, seq: int, decision: int = 0) -> int:
        """How many sentences to be trained on are labelled by an annotation or a decision newer than these numbers."""
        return self._database.read(_reports.training_labels_since, project_id, seq, decision)

    def max_seq(self, project_id: int) -> int:
        """The number of the project's newest annotation, 0 before the first."""
        return self._database.read(_reports.max_seq, project_id)

    def progress(self, project_id: int) -> Progress:
        """Counts of what is what; NotFound."""
        return self._database.read(_reports.progress, project_id)

    def done(self, project_id: int, annotator_id: int) -> int:
        """How many sentences of the project this person has annotated in the tool."""
        return self._database.read(_reports.done, project_id, annotator_id)

    def labels_per_hour(self, project_id: int) -> list[tuple[datetime, str, int]]:
        """(start of the hour, annotator, sentences labelled in it), oldest first; imports are not counted."""
        return self._database.read(_reports.labels_per_hour, project_id)

    def timings(self, project_id: int) -> list[Timing]:
        """How long people took for sentences of the pool when they first labelled them, oldest first."""
        return self._database.read(_reports.timings, project_id)

    def export_rows(
        self,
        project_id: int,
        split: Split | None,
        statuses: Collection[Status],
        include_unlabelled: bool,
        moment: Moment | None = None,
    ) -> Iterator[ExportRow]:
        """Everything known of each sentence, in import order: those annotated with one of `statuses`, and the rest.

        Many short transactions, so that a slow download holds up nobody; what is decided meanwhile is left out. Of an
        earlier `moment` only what can change no more is given, so that it is the same whenever it is asked for.
        """
        until = moment or Moment(self.max_seq(project_id), self.max_decision(project_id))
        after: int | None = 0
        while after is not None:
            rows, after = self._database.read(
                _reports.export_page, project_id, split, statuses, include_unlabelled, after, until
            )
            yield from rows

    # Queue and hand-out.

    def fill_queue(self, project_id: int, items: Sequence[QueueItem], replace: bool) -> int:
        """Queue sentences and return how many; annotated, duplicate and queued ones are passed over.

        With `replace`, items of the same split that no tab holds leave the queue first, in the same transaction.
        """
        return self._database.write(_queue.fill, project_id, items, replace) if items else 0

    def ready(self, project_id: int, split: Split) -> int:
        """How many turns at queued sentences that nobody has labelled yet no tab holds."""
        return self._database.read(_queue.ready, project_id, split)

    def claim(
        self,
        project_id: int,
        annotator_id: int,
        client: str,
        split: Split,
        n: int,
        seconds: float = 600,
        per_tab_share: bool = True,
        begun: bool = False,
    ) -> list[HandOut]:
        """Lease up to `n` more sentences to a tab, lowest rank first; no other tab gets them before the lease ends.

        With `per_tab_share` a tab holds at most half its even share of what is open (but 2 at least), so that the last
        sentences are not all in one browser; with `begun` it gets only what somebody else has labelled already.
        """
        if n <= 0:
            return []
        return self._database.write_light(
            _queue.claim, project_id, annotator_id, client, split, n, seconds, per_tab_share, begun
        )

    def begun(self, project_id: int, split: Split) -> bool:
        """Whether a doubled sentence that somebody has labelled waits for others to label it too."""
        return self._database.read(_queue.begun, project_id, split)

    def renew(
        self, project_id: int, annotator_id: int, client: str, sentence_ids: Sequence[int], seconds: float = 600
    ) -> list[int]:
        """Prolong a tab's leases and return the ids it still holds.

        Writes only when one is half used up, or longer than it can be, since the clock was set back.
        """
        if not sentence_ids:
            return []
        at, until = self._database.read(_queue.leases, project_id, annotator_id, client, sentence_ids)
        if all(seconds / 2 < (end - at).total_seconds() <= seconds for end in until.values()):
            return sorted(until)
        return self._database.write_light(_queue.renew, project_id, annotator_id, client, sentence_ids, seconds)

    def release(self, annotator_id: int, client: str | None = None) -> None:
        """Give back everything a tab holds or, without `client`, all tabs of this person."""
        self._database.write_light(_queue.release, annotator_id, client)

    def held(self, project_id: int, client: str, annotator_id: int) -> list[HandOut]:
        """What a tab holds now, lowest rank first."""
        return self._database.read(_queue.held, project_id, client, annotator_id)

    # Runs.

    def start_run(
        self,
        project_id: int,
        round: int,
        config: Mapping[str, Any],
        seed: int,
        watermark: int,
        n_train: int,
        attempt: int = 1,
        decision_watermark: int = 0,
    ) -> Run:
        """A new run, running, of what is not newer than the watermarks; NotFound if there is no such project."""
        return self._database.write(
            _runs.start, project_id, round, config, seed, watermark, n_train, attempt, decision_watermark
        )

    def heartbeat(self, run_id: int, phase: str, progress: float, seconds_left: float | None, message: str) -> None:
        """Note that the run is alive and how far (0..1) it is in its phase; LeaseLost when it was ended meanwhile."""
        self._database.write_light(_runs.heartbeat, run_id, phase, progress, seconds_left, message)

    def add_training_sentences(self, run_id: int, ids: Sequence[int]) -> None:
        """Note what the run is trained on; Refused for evaluation sentences and their duplicates in the pool."""
        self._database.write(_runs.add_training_sentences, run_id, ids)

    def training_sentences(self, run_id: int) -> set[int]:
        """Ids of the sentences that the run is trained on."""
        return self._database.read(_runs.training_sentences, run_id)

    def finish_run(
        self, run_id: int, metrics: Mapping[str, Any], checkpoint: str | None, served: bool, message: str
    ) -> None:
        """The run is done; with `served` its suggestions are shown from now on. LeaseLost when ended meanwhile."""
        self._database.write(_runs.finish, run_id, metrics, checkpoint, served, message)

    def serve_run(self, run_id: int, pinned: bool, by: int | None) -> None:
        """From now on this run serves, whatever the gate said of it; while it is pinned, no training replaces it.

        The person `by` and the run before stand in the audit trail. Refused for a run that is not done, and for a final
        one without a pin; NotFound.
        """
        self._database.write(_runs.serve, run_id, pinned, by)

    def fail_run(self, run_id: int, failure: str) -> None:
        """The run ended without a result, and why; Refused when it is done already."""
        self._database.write(_runs.fail, run_id, failure)

    def runs(self, project_id: int) -> list[Run]:
        """The project's runs, oldest first, without final ones."""
        return self._database.read(_runs.runs, project_id)

    def run(self, run_id: int) -> Run:
        """The run, which may be a final one; NotFound."""
        return self._database.read(_runs.run, run_id)

    def last_run(self, project_id: int) -> Run | None:
        """The project's newest run that is not a final one, None before the first."""
        return self._database.read(_runs.last_run, project_id)

    def save_predictions(self, run_id: int, predictions: Iterable[RunPrediction]) -> None:
        """Keep predictions on the reserve; Refused for pool sentences, and for a final run, which has learned the reserve.

        A transaction for each ROWS_PER_WRITE rows.
        """
        for chunk in _in_chunks(predictions):
            self._database.write(_suggestions.save_predictions, run_id, chunk)

    def predictions(self, run_id: int) -> dict[int, tuple[Span, ...]]:
        """What the run predicts on the reserve, by sentence id."""
        return self._database.read(_suggestions.predictions, run_id)

    def save_suggestions(self, run_id: int, suggestions: Iterable[Suggestion]) -> None:
        """Keep suggestions; Refused for evaluation sentences. A transaction for each ROWS_PER_WRITE rows."""
        for chunk in _in_chunks(suggestions):
            self._database.write(_suggestions.save_suggestions, run_id, chunk)

    def suggestion(self, run_id: int, sentence_id: int) -> Suggestion | None:
        """What the run suggests for the sentence, None if it says nothing of it."""
        return self._database.read(_suggestions.suggestion, run_id, sentence_id)

    def save_scores(
        self, run_id: int, scores: Iterable[tuple[int, float]], doubts: Mapping[int, float] = MappingProxyType({})
    ) -> None:
        """Keep (sentence id, score) and plain doubts by sentence id, to be compared with those of other rounds.

        Refused for evaluation sentences. A transaction for each ROWS_PER_WRITE rows.
        """
        for chunk in _in_chunks(scores):
            self._database.write(_suggestions.save_scores, run_id, chunk, doubts)

    def drop_scores(self, run_id: int) -> None:
        """Forget what the run has scored: it chooses anew."""
        self._database.write(_suggestions.drop_scores, run_id)

    def scores(self, run_id: int) -> dict[int, float]:
        """The run's acquisition scores by sentence id."""
        return self._database.read(_suggestions.scores, run_id)

    def doubts(self, run_id: int) -> dict[int, float]:
        """The run's plain doubts by sentence id."""
        return self._database.read(_suggestions.doubts, run_id)

    def hide(self, run_id: int, like: Mapping[int, int]) -> None:
        """Ask nobody about the sentences {id: what it is like}, as long as that counts as no sentence."""
        self._database.write(_hidden.hide, run_id, like)

    def hidden(self, project_id: int) -> set[int]:
        """Ids of unlabelled sentences of the pool that nobody is asked about now."""
        return self._database.read(_hidden.ids, project_id)

    def request_retrain(self, project_id: int) -> None:
        """Somebody wants a training now, or a retry."""
        self._database.write(_projects.set_retrain_request, project_id, True)

    def retrain_requested(self, project_id: int) -> bool:
        """Whether somebody wants a training now."""
        return self._database.read(_projects.retrain_requested, project_id)

    def clear_retrain_request(self, project_id: int) -> None:
        """The request has been answered."""
        self._database.write(_projects.set_retrain_request, project_id, False)


def _in_chunks(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, ROWS_PER_WRITE)):
        yield chunk
