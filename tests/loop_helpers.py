"""A small project on a real SQLite file, with people who label by a gold dictionary."""

import atexit
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np
from stub_tagger import STUB

from annotation.labels import make_labels
from annotation.loop import run_round
from annotation.sampling import DEFAULT_RULE, SelectionRule
from maner_core.spans import Span
from storage import (
    AnnotationDraft,
    NewSentence,
    Origin,
    Project,
    ProjectSettings,
    QueueItem,
    Run,
    Sentence,
    Split,
    Status,
    Store,
)

NAMES = {
    "Asha": "PER",
    "Baraka": "PER",
    "Juma": "PER",
    "Neema": "PER",
    "Mombasa": "LOC",
    "Kisumu": "LOC",
    "Uhuru": "ORG",
}
WORDS = [
    "na",
    "ya",
    "wa",
    "kwa",
    "ni",
    "alisema",
    "jana",
    "leo",
    "mji",
    "watu",
    "habari",
    "serikali",
    "shule",
    "soko",
    "mvua",
]


def sentence_tokens(n: int, seed: int = 0) -> list[tuple[str, ...]]:
    """Different sentences of 4 to 9 words, most with a name in them."""
    rng = np.random.default_rng(seed)
    made: list[tuple[str, ...]] = []
    for number in range(n):
        words = [str(word) for word in rng.choice(WORDS, rng.integers(3, 8))]
        if rng.random() < 0.8:
            words.insert(int(rng.integers(0, len(words))), str(rng.choice(list(NAMES))))
        made.append((*words, f"w{seed}x{number}"))
    return made


def gold_spans(tokens: Sequence[str]) -> tuple[Span, ...]:
    return tuple(Span(i, i + 1, NAMES[word]) for i, word in enumerate(tokens) if word in NAMES)


def open_store(folder: Path) -> Store:
    """The store in a folder; where there is none a copy of a migrated one, since migrating takes most of a short test."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "maner.db").exists():
        shutil.copy(_template(), folder / "maner.db")
    return Store(f"sqlite:///{folder / 'maner.db'}")


@cache
def _template() -> Path:
    """A migrated, empty database, made once and deleted when the tests end."""
    folder = TemporaryDirectory(prefix="maner-template-")
    atexit.register(folder.cleanup)
    store = Store(f"sqlite:///{Path(folder.name) / 'maner.db'}")
    store.migrate()
    store.close()
    return Path(folder.name) / "maner.db"


def make_project(store: Store, pool: int = 120, reserve: int = 30, name: str = "swa", **settings: object) -> Project:
    """A project with unlabelled sentences in both splits."""
    labels = make_labels(["PER", "LOC", "ORG"])
    project = store.create_project(ProjectSettings(name=name, labels=labels, **settings))  # type: ignore[arg-type]
    store.add_sentences(project.id, [NewSentence(tokens) for tokens in sentence_tokens(pool)], None, "pool.txt")
    others = [NewSentence(tokens, split=Split.RESERVE) for tokens in sentence_tokens(reserve, seed=1)]
    store.add_sentences(project.id, others, None, "reserve.txt")
    return store.project(project.id)


def draft(sentence: Sentence, spans: Iterable[Span] | None = None, status: Status = Status.LABELLED) -> AnnotationDraft:
    chosen = gold_spans(sentence.tokens) if spans is None else tuple(spans)
    return AnnotationDraft(
        id=str(uuid4()),
        sentence_id=sentence.id,
        status=status,
        spans=() if status is Status.SKIPPED else chosen,
        comment="",
        milliseconds=1000,
        client_time=datetime.now(UTC),
        suggestion_run=None,
        supersedes=None,
    )


def save(store: Store, project: Project, drafts: Sequence[AnnotationDraft]) -> None:
    acks, rejections = store.save_annotations(project.id, store.annotator("Wanjiru").id, drafts)
    assert not rejections
    assert len(acks) == len(drafts)


def label(store: Store, project: Project, n: int) -> list[Sentence]:
    """Label the next n unlabelled sentences of the pool."""
    chosen = store.unlabelled_pool(project.id)[:n]
    assert len(chosen) == n
    save(store, project, [draft(sentence) for sentence in chosen])
    return chosen


def label_reserve(store: Store, project: Project, n: int) -> list[Sentence]:
    done = {item.sentence.id for item in store.labelled(project.id, Split.RESERVE)}
    chosen = [sentence for sentence in store.sentences(project.id, Split.RESERVE) if sentence.id not in done][:n]
    save(store, project, [draft(sentence) for sentence in chosen])
    return chosen


def run_stub_round(store: Store, project: Project, home: Path, rule: SelectionRule = DEFAULT_RULE) -> Run:
    return run_round(store, store.project(project.id), home, tools=STUB, rule=rule)


def claim_all(store: Store, project: Project, n: int = 1000) -> list[int]:
    """The pool's queue in the order in which it is handed out."""
    annotator = store.annotator("Otieno")
    handed = store.claim(project.id, annotator.id, "tab", Split.POOL, n, per_tab_share=False)
    store.release(annotator.id, "tab")
    return [item.sentence.id for item in handed]


def queue_items(store: Store, project: Project) -> dict[int, QueueItem]:
    rows = store.export_rows(project.id, Split.POOL, set(Status), include_unlabelled=True)
    return {row.sentence.id: row.queue for row in rows if row.queue is not None}


def fill_randomly(store: Store, project: Project, n: int) -> list[int]:
    """What the queue holds before the first round."""
    ids = [sentence.id for sentence in store.unlabelled_pool(project.id)][:n]
    items = [
        QueueItem(sentence_id, Origin.RANDOM, 1_000_000 + place, "random", None, n / len(ids), None, 0)
        for place, sentence_id in enumerate(ids)
    ]
    store.fill_queue(project.id, items, replace=False)
    return ids
