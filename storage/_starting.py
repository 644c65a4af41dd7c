"""What a tagger of another language said of the pool before the project had labels of its own."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from storage import _projects
from storage._sentences import is_unlabelled
from storage.database import insert_rows, now, upsert
from storage.records import Split
from storage.starting_records import StartingRead, StartingScore
from storage.starting_tables import StartingReads, StartingScores
from storage.tables import Queue, Sentences


def save(
    connection: Connection,
    project_id: int,
    tagger: str,
    seed: int,
    n_pool: int,
    scores: Sequence[StartingScore],
    failure: str | None,
) -> None:
    """Keep what was read in place of what was kept before, or why nothing was; Refused for evaluation sentences."""
    _projects.lock(connection, project_id)
    row = {
        "project_id": project_id,
        "tagger": tagger,
        "seed": seed,
        "n_pool": n_pool,
        "failure": failure,
        "made_at": now(connection),
    }
    upsert(connection, StartingReads, [row], ["project_id"], [name for name in row if name != "project_id"])
    if failure is not None:
        return  # what an earlier read said still says where names are
    connection.execute(delete(StartingScores).where(StartingScores.project_id == project_id))
    of_pool = {"project_id": project_id, "split": Split.POOL.value}
    rows = [{**of_pool, "sentence_id": it.sentence_id, "score": it.score, "names": it.names} for it in scores]
    insert_rows(connection, StartingScores, rows)


def newest(connection: Connection, project_id: int) -> StartingRead | None:
    """The newest try, None where there was none."""
    columns = (StartingReads.tagger, StartingReads.seed, StartingReads.n_pool, StartingReads.failure)
    found = select(*columns, StartingReads.made_at).where(StartingReads.project_id == project_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else StartingRead(*row)


def scores(connection: Connection, project_id: int) -> list[StartingScore]:
    """What was said of each sentence, the highest score first; equal ones in import order."""
    rows = connection.execute(
        select(StartingScores.sentence_id, StartingScores.score, StartingScores.names)
        .where(StartingScores.project_id == project_id)
        .order_by(StartingScores.score.desc(), StartingScores.sentence_id)
    )
    return [StartingScore(*row) for row in rows]


def on_screens(connection: Connection, project_id: int) -> set[int]:
    """Unlabelled sentences of the pool that a tab holds now."""
    held = select(Queue.sentence_id).where(
        Queue.project_id == project_id, Queue.split == Split.POOL.value, Queue.leased_until > now(connection)
    )
    statement = select(Sentences.id).where(*is_unlabelled(project_id), Sentences.id.in_(held))
    return set(connection.execute(statement).scalars())
