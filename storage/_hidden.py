"""Sentences nobody is asked about, because they are like one that a person skipped as not being a sentence.

Nothing is deleted: taking the skip back, or labelling the sentence after all, brings what is like it back.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, exists, func, select

from storage._sentences import is_unlabelled, known_hidden
from storage._suggestions import project_of_run
from storage.database import upsert
from storage.records import Split
from storage.tables import HiddenSentences, Sentences


def hide(connection: Connection, run_id: int, like: Mapping[int, int]) -> None:
    """Hide the sentences {id: what it is like}; Refused for a sentence of the reserve."""
    project_id = project_of_run(connection, run_id)
    rows: list[dict[str, Any]] = [
        {
            "sentence_id": sentence_id,
            "project_id": project_id,
            "split": Split.POOL.value,
            "like_sentence": other,
            "run_id": run_id,
        }
        for sentence_id, other in like.items()
    ]
    upsert(connection, HiddenSentences, rows, ["sentence_id"], ["like_sentence", "run_id"])


def ids(connection: Connection, project_id: int) -> set[int]:
    """Unlabelled sentences of the pool that are hidden now."""
    return set(connection.execute(select(Sentences.id).where(*_hidden(project_id))).scalars())


def count(connection: Connection, project_id: int) -> int:
    """How many unlabelled sentences of the pool are hidden now."""
    if not connection.execute(select(exists().where(HiddenSentences.project_id == project_id))).scalar():
        return 0
    return connection.execute(select(func.count()).select_from(Sentences).where(*_hidden(project_id))).scalar_one()


def _hidden(project_id: int) -> tuple[Any, ...]:
    return (*is_unlabelled(project_id), known_hidden())
