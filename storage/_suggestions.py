"""What runs say about sentences: suggestions and scores for the pool, predictions for the reserve."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from maner_core.errors import NotFound, Refused
from maner_core.spans import Span
from storage.database import upsert
from storage.final_tables import FinalRuns
from storage.records import NameSource, RunPrediction, Split, SuggestedName, SuggestedSpan, Suggestion
from storage.tables import EvaluationPredictions, Runs, Scores, Suggestions

KEY = ("run_id", "sentence_id")


def suggestion_record(row: Any) -> Suggestion:
    """The record of a row of the table of suggestions."""
    return Suggestion(
        run_id=row.run_id,
        sentence_id=row.sentence_id,
        spans=tuple(SuggestedSpan(*span) for span in row.spans),
        word_confidence=tuple(row.word_confidence),
    )


def names_columns(names: Sequence[SuggestedName]) -> list[list[Any]] | None:
    """Known names as the column of an annotation holds them; None for none."""
    return [[it.start, it.end, it.label, it.source.value, it.seen_in] for it in names] or None


def names_record(column: list[list[Any]] | None) -> tuple[SuggestedName, ...]:
    """Known names out of the column of an annotation."""
    return tuple(
        SuggestedName(start, end, label, NameSource(source), seen_in)
        for start, end, label, source, seen_in in column or ()
    )


def save_suggestions(connection: Connection, run_id: int, suggestions: Sequence[Suggestion]) -> None:
    """Keep suggestions for sentences of the pool; Refused for a sentence of the reserve."""
    project_id = project_of_run(connection, run_id)
    rows = [
        {
            **_sentence_of_run(run_id, project_id, suggestion.sentence_id, Split.POOL),
            "spans": [[span.start, span.end, span.label, span.confidence] for span in suggestion.spans],
            "word_confidence": list(suggestion.word_confidence),
        }
        for suggestion in suggestions
    ]
    upsert(connection, Suggestions, rows, KEY, ["spans", "word_confidence"])


def suggestion(connection: Connection, run_id: int, sentence_id: int) -> Suggestion | None:
    """What the run suggests for the sentence, None if it says nothing of it."""
    row = connection.execute(
        select(Suggestions.__table__).where(Suggestions.run_id == run_id, Suggestions.sentence_id == sentence_id)
    ).one_or_none()
    return None if row is None else suggestion_record(row)


def save_scores(
    connection: Connection, run_id: int, scores: Sequence[tuple[int, float]], doubts: Mapping[int, float]
) -> None:
    """Keep acquisition scores of sentences of the pool; Refused for a sentence of the reserve."""
    project_id = project_of_run(connection, run_id)
    rows = [
        {
            **_sentence_of_run(run_id, project_id, sentence_id, Split.POOL),
            "score": float(score),
            "doubt": doubts.get(sentence_id),
        }
        for sentence_id, score in scores
    ]
    upsert(connection, Scores, rows, KEY, ["score", "doubt"])


def drop_scores(connection: Connection, run_id: int) -> None:
    """The run has scored nothing."""
    connection.execute(delete(Scores).where(Scores.run_id == run_id))


def scores(connection: Connection, run_id: int) -> dict[int, float]:
    """Acquisition scores by sentence id."""
    rows = connection.execute(select(Scores.sentence_id, Scores.score).where(Scores.run_id == run_id))
    return dict(rows.all())


def doubts(connection: Connection, run_id: int) -> dict[int, float]:
    """Plain doubt by sentence id, where it was kept."""
    rows = connection.execute(
        select(Scores.sentence_id, Scores.doubt).where(Scores.run_id == run_id, Scores.doubt.is_not(None))
    )
    return {sentence_id: doubt for sentence_id, doubt in rows if doubt is not None}


def save_predictions(connection: Connection, run_id: int, predictions: Sequence[RunPrediction]) -> None:
    """Keep predictions for sentences of the reserve; Refused for a sentence of the pool, and for a final run."""
    project_id = project_of_run(connection, run_id)
    if connection.execute(select(FinalRuns.run_id).where(FinalRuns.run_id == run_id)).scalar() is not None:
        raise Refused(f"run {run_id} learned from evaluation sentences: what it says of them measures nothing")
    rows = [
        {
            **_sentence_of_run(run_id, project_id, prediction.sentence_id, Split.RESERVE),
            "spans": [[span.start, span.end, span.label] for span in prediction.spans],
        }
        for prediction in predictions
    ]
    upsert(connection, EvaluationPredictions, rows, KEY, ["spans"])


def predictions(connection: Connection, run_id: int) -> dict[int, tuple[Span, ...]]:
    """Predicted spans by sentence id."""
    rows = connection.execute(
        select(EvaluationPredictions.sentence_id, EvaluationPredictions.spans).where(
            EvaluationPredictions.run_id == run_id
        )
    )
    return {sentence_id: tuple(Span(*span) for span in spans) for sentence_id, spans in rows}


def project_of_run(connection: Connection, run_id: int) -> int:
    """The project the run belongs to; NotFound if there is no such run."""
    project_id = connection.execute(select(Runs.project_id).where(Runs.id == run_id)).scalar()
    if project_id is None:
        raise NotFound(f"there is no run {run_id}")
    return project_id


def _sentence_of_run(run_id: int, project_id: int, sentence_id: int, split: Split) -> dict[str, Any]:
    return {"run_id": run_id, "sentence_id": sentence_id, "project_id": project_id, "split": split.value}
