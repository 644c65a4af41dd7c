"""Small projects for the tests of the store, and SQL past it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, event, text

from maner_core.spans import Span
from storage import (
    Account,
    Annotation,
    AnnotationDraft,
    Invitation,
    Label,
    NewAccount,
    NewSentence,
    Origin,
    Project,
    ProjectSettings,
    QueueItem,
    Role,
    Split,
    Status,
    Store,
)

LABELS = (Label("PER", "#d62728", "1"), Label("LOC", "#1f77b4", "2"), Label("ORG", "#2ca02c", "3", "organisations"))

DAY = 24 * 3600.0
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


class RawDatabase:
    """Runs SQL on the database of a store, with foreign keys on, as any other program might."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))

    def execute(self, statement: str, **values: object) -> list[Any]:
        """The rows of a statement, or the number of rows it changed, in a transaction of its own."""
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else [result.rowcount]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def new_project(store: Store, name: str = "demo", **settings: Any) -> Project:
    """A project with three labels."""
    return store.create_project(ProjectSettings(name=name, labels=LABELS, **settings))


def new_account(store: Store, name: str = "Asha", administrator: bool = False) -> Account:
    """An account that a password opens."""
    return store.create_account(NewAccount(name, password_hash=f"hash of {name}"), administrator)


def invite(store: Store, project: Project, token: str = "t", **fields: object) -> Invitation:
    """An invitation to label in the project."""
    return store.invite(token, project.id, Role.ANNOTATOR, **fields)  # type: ignore[arg-type]


def add(store: Store, project: Project, *sentences: str | NewSentence) -> list[int]:
    """Add sentences (words separated by blanks, or whole NewSentences); the ids of the new ones in order."""
    before = {sentence.id for sentence in store.sentences(project.id, None)}
    new = [NewSentence(tuple(item.split())) if isinstance(item, str) else item for item in sentences]
    store.add_sentences(project.id, new, store.annotator("Importer").id, "test")
    return [sentence.id for sentence in store.sentences(project.id, None) if sentence.id not in before]


def add_pool(store: Store, project: Project, n: int) -> list[int]:
    """Ids of n different new sentences of the pool, five tokens each."""
    return add(store, project, *(f"sentence {uuid4()} has five tokens" for _ in range(n)))


def add_reserve(store: Store, project: Project, n: int) -> list[int]:
    """Ids of n different new sentences of the reserve, five tokens each."""
    texts = [f"reserve {uuid4()} has five tokens" for _ in range(n)]
    return add(store, project, *(NewSentence(tuple(text.split()), split=Split.RESERVE) for text in texts))


def draft(
    sentence_id: int, *spans: tuple[int, int, str], status: Status = Status.LABELLED, **fields: Any
) -> AnnotationDraft:
    """A draft with these spans and otherwise plain values."""
    values: dict[str, Any] = {
        "id": str(uuid4()),
        "comment": "",
        "milliseconds": 1200,
        "client_time": datetime.now(UTC),
        "suggestion_run": None,
        "supersedes": None,
        **fields,
    }
    return AnnotationDraft(sentence_id=sentence_id, status=status, spans=tuple(Span(*span) for span in spans), **values)


def save(store: Store, project: Project, annotator_id: int, *drafts: AnnotationDraft) -> None:
    """Save drafts that must all be accepted."""
    acks, rejections = store.save_annotations(project.id, annotator_id, drafts)
    assert rejections == []
    assert acks == [item.id for item in drafts]


def gold(store: Store, project: Project, split: Split = Split.POOL) -> dict[int, Annotation]:
    """The gold annotations of a split, whatever their status, by sentence id."""
    return {item.sentence.id: item.annotation for item in store.labelled(project.id, split, tuple(Status))}


def item(sentence_id: int, rank: int = 0, origin: Origin = Origin.RANDOM, **fields: Any) -> QueueItem:
    """A queue item with plain values."""
    values: dict[str, Any] = {"strategy": "random", "score": None, "propensity": None, "run_id": None, "round": 1}
    return QueueItem(sentence_id, origin, rank, **{**values, **fields})


def queue(store: Store, project: Project, ids: Sequence[int], origin: Origin = Origin.RANDOM) -> None:
    """Queue sentences in this order."""
    filled = store.fill_queue(project.id, [item(id_, rank, origin) for rank, id_ in enumerate(ids)], replace=False)
    assert filled == len(ids)


def start_run(store: Store, project: Project, **fields: Any) -> int:
    """The id of a new running run."""
    values: dict[str, Any] = {"round": 1, "config": {}, "seed": 1, "watermark": 0, "n_train": 0, **fields}
    return store.start_run(project.id, **values).id
