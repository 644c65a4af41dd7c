"""The part of a Store that decides what counts: gold decisions, and the history of a sentence."""

from storage import _decisions
from storage.database import Database
from storage.review_records import Decision, DecisionDraft, History


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
