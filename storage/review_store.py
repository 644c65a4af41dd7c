"""The part of a Store that decides what counts: gold decisions, and the history of a sentence."""

from collections.abc import Sequence
from datetime import datetime

from storage import _cases, _decisions, _doubts, _snapshots
from storage.database import Database
from storage.records import Annotation, Sentence
from storage.review_records import Case, Decision, DecisionDraft, Doubt, History, LabelCheck, Moment, SentBack, Snapshot


class ReviewStore:
    """What a Store remembers of the review."""

    _database: Database

    def decide(self, project_id: int, by: int, draft: DecisionDraft, alone: bool = False) -> Decision:
        """Keep what an adjudicator decided about a sentence.

        Refused when the sentence was annotated or decided upon since they saw it, or when nothing stands to be undone.
        NotAllowed when they annotated it themselves; who is `alone`, with no accounts and nobody else's annotation of
        the sentence, may. InvalidInput or InvalidSpans name what is wrong with the draft. NotFound: sentence, project.
        """
        return self._database.write(_decisions.decide, project_id, by, draft, alone)

    def max_decision(self, project_id: int) -> int:
        """The number of the project's newest decision, 0 before the first."""
        return self._database.read(_decisions.max_decision, project_id)

    def history(self, project_id: int, sentence_id: int) -> History:
        """Everything that was ever said of a sentence of the project; NotFound."""
        return self._database.read(_decisions.history, project_id, sentence_id)

    def disputed(self, project_id: int) -> list[Case]:
        """The sentences that several people annotated or somebody flagged, in import order, decided or not."""
        return self._database.read(_cases.disputed, project_id)

    def decided(self, project_id: int) -> list[Case]:
        """The sentences about which a decision stands, the newest decision first."""
        return self._database.read(_cases.decided, project_id)

    def cases(self, project_id: int, sentence_ids: Sequence[int]) -> list[Case]:
        """Those of these sentences of the project that somebody annotated, as an adjudicator sees them, by id."""
        return self._database.read(_cases.cases, project_id, sentence_ids)

    def sent_back(self, project_id: int, annotator_id: int) -> list[SentBack]:
        """What this person annotated, and somebody sent back to them, and they have not annotated anew; oldest first."""
        return self._database.read(_cases.sent_back, project_id, annotator_id)

    def done_last(self, project_id: int, annotator_id: int, n: int) -> list[tuple[Sentence, Annotation]]:
        """The last `n` sentences that this person annotated, with their newest annotation of each, the newest last.

        Imported annotations are not work, and what waits for them because it was sent back is not done.
        """
        return self._database.read(_cases.done_last, project_id, annotator_id, n)

    # Suspected errors.

    def save_label_check(
        self, run_id: int, folds: int, n_sentences: int, seen: tuple[int, int], doubts: Sequence[Doubt]
    ) -> None:
        """Keep a search for errors that has `seen` annotations and decisions up to these numbers. NotFound: the run."""
        self._database.write(_doubts.save, run_id, folds, n_sentences, seen, doubts)

    def last_label_check(self, project_id: int) -> LabelCheck | None:
        """The project's newest search for errors, None before the first."""
        return self._database.read(_doubts.last, project_id)

    def label_doubts(self, project_id: int) -> list[Doubt]:
        """What the newest search doubts of sentences nobody has annotated or decided about since, the worst first."""
        return self._database.read(_doubts.doubts, project_id)

    def request_label_check(self, project_id: int, requested: bool = True) -> None:
        """Somebody wants a search for errors, or it has been answered. NotFound."""
        self._database.write(_doubts.set_request, project_id, requested)

    def label_check_requested(self, project_id: int) -> bool:
        """Whether somebody wants a search for errors now. NotFound."""
        return self._database.read(_doubts.requested, project_id)

    # Snapshots.

    def create_snapshot(self, project_id: int, name: str, by: int, run_id: int | None = None) -> Snapshot:
        """Keep the state of now under a name or, with a run, what that was trained on. Refused when the name is taken."""
        return self._database.write(_snapshots.create, project_id, name, by, run_id)

    def snapshots(self, project_id: int) -> list[Snapshot]:
        """The project's snapshots, oldest first."""
        return self._database.read(_snapshots.snapshots, project_id)

    def snapshots_of_run(self, run_id: int) -> list[Snapshot]:
        """The snapshots that hold just what the run was trained on, oldest first; NotFound: the run."""
        return self._database.read(_snapshots.of_run, run_id)

    def snapshot(self, project_id: int, name: str) -> Snapshot:
        """The snapshot of that name; NotFound, naming those there are."""
        return self._database.read(_snapshots.snapshot, project_id, name)

    def moment_at(self, project_id: int, at: datetime) -> Moment:
        """The state of the project at a time."""
        return self._database.read(_snapshots.moment_at, project_id, at)
