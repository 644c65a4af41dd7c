"""Sentences: adding them in bulk, telling duplicates apart, reading them back."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from maner_core.errors import InvalidInput, InvalidSpans, NotFound
from maner_core.spans import validate_spans
from storage import _projects
from storage._annotations import import_gold
from storage._checks import unstorable
from storage.database import MANY_ROWS, TO_JSON, chunks, insert_numbered, now, refresh_statistics, upsert
from storage.records import ImportCounts, Label, NewProject, NewSentence, Sentence, SkipReason, Split
from storage.review_tables import FormerDuplicates
from storage.scripts import written_in
from storage.tables import Annotations, HiddenSentences, Queue, Sentences

PAGE = 1_000  # sentences read in one transaction
ROWS_AT_ONCE = 5_000  # inserted between two calls that say how far an import is

SENTENCE_COLUMNS = (
    Sentences.id,
    Sentences.project_id,
    Sentences.tokens,
    Sentences.text,
    Sentences.spaces,
    Sentences.document,
    Sentences.source,
    Sentences.split,
    Sentences.content_hash,
    Sentences.duplicate_of,
    Sentences.meta,
    Sentences.written_in,
)


def sentence_record(row: Any) -> Sentence:
    """The record of a row that holds SENTENCE_COLUMNS."""
    return Sentence(
        id=row.id,
        project_id=row.project_id,
        tokens=tuple(row.tokens),
        text=row.text,
        spaces=None if row.spaces is None else tuple(row.spaces),
        document=row.document,
        source=row.source,
        split=Split(row.split),
        content_hash=row.content_hash,
        duplicate_of=row.duplicate_of,
        meta=row.meta,
        written_in=row.written_in,
    )


def content_hash(tokens: Sequence[str]) -> str:
    """A fingerprint of the tokens exactly as they are: 32 hexadecimal digits."""
    return hashlib.blake2b(TO_JSON(tokens).encode(), digest_size=16).hexdigest()


# Adding.


class Prepared(NamedTuple):
    """A sentence with what is found out of it before the database is kept waiting."""

    sentence: NewSentence
    fingerprint: str
    written_in: str | None


@dataclass(slots=True)
class _Entry:
    """A sentence during an import: stored already or about to be; `twin` is what it duplicates."""

    split: Split
    id: int | None = None
    annotated: bool = False
    twin: "_Entry | None" = None

    def root(self) -> "_Entry":
        """The sentence that this one, through any number of steps, duplicates."""
        entry = self
        while entry.twin is not None:
            entry = entry.twin
        return entry


@dataclass(slots=True)
class _Import:
    """What an import has found so far."""

    by_hash: dict[str, _Entry] = field(default_factory=dict)
    by_group: dict[str, _Entry] = field(default_factory=dict)
    accepted: list[tuple[Prepared, _Entry]] = field(default_factory=list)
    moved: list[_Entry] = field(default_factory=list)  # stored pool sentences that became duplicates of the reserve
    exact: int = 0
    near: int = 0
    refused: list[str] = field(default_factory=list)


def prepare(sentences: Iterable[NewSentence]) -> list[Prepared]:
    """All that can be found out of new sentences; InvalidInput names the first one that cannot be stored."""
    return [
        Prepared(sentence, _checked_hash(sentence, number), written_in(sentence.tokens, sentence.meta))
        for number, sentence in enumerate(sentences, start=1)
    ]


def add(
    connection: Connection,
    project_id: int,
    sentences: Sequence[Prepared],
    annotator_id: int | None,
    source: str,
    saved: Callable[[int], None],
) -> ImportCounts:
    """Add prepared sentences, all or none; see Store.add_sentences."""
    _projects.lock(connection, project_id)
    if annotator_id is not None:
        _projects.annotator_by_id(connection, annotator_id)
    _check_gold(connection, project_id, sentences, annotator_id)
    state = _Import()
    _load_twins(connection, project_id, sentences, state)
    for number, prepared in enumerate(sentences, start=1):
        _place(state, number, prepared)
    _insert(connection, project_id, state, source, saved)
    _store_duplicates(connection, state)
    golds = [
        (entry.id, sentence.split, sentence.gold)
        for (sentence, *_), entry in state.accepted
        if sentence.gold is not None and entry.id is not None
    ]
    if annotator_id is not None:
        import_gold(connection, project_id, annotator_id, golds)
    evaluation = sum(split is Split.RESERVE for _, split, _ in golds)
    return ImportCounts(
        added=len(state.accepted),
        gold=len(golds) - evaluation,
        evaluation=evaluation,
        exact_duplicates=state.exact,
        near_duplicates=state.near,
        refused=state.refused,
    )


def add_to(
    connection: Connection,
    project: int | NewProject,
    labels: Sequence[Label],
    sentences: Sequence[Prepared],
    annotator_id: int | None,
    source: str,
    saved: Callable[[int], None],
) -> tuple[int, ImportCounts]:
    """Add sentences to a project that is made for them, or gets labels for them; see Store.import_sentences."""
    project_id = project if isinstance(project, int) else _projects.create(connection, project, None).id
    if labels:
        _projects.add_labels(connection, project_id, labels)
    return project_id, add(connection, project_id, sentences, annotator_id, source, saved)


def _checked_hash(sentence: NewSentence, number: int) -> str:
    if not sentence.tokens or not all(sentence.tokens):
        raise InvalidInput(f"sentence {number} has no tokens or an empty one; leave it out")
    if sentence.spaces is not None and len(sentence.spaces) != len(sentence.tokens):
        raise InvalidInput(
            f"sentence {number} has {len(sentence.tokens)} tokens but {len(sentence.spaces)} spaces; give one for each"
        )
    everything = [*sentence.tokens, sentence.text or "", sentence.document or "", sentence.source, sentence.group]
    for text in sentence.meta.items():
        everything.extend(text)
    if problem := unstorable("".join(everything)):
        raise InvalidInput(f"sentence {number} {problem}; remove it")
    return content_hash(sentence.tokens)


def _check_gold(
    connection: Connection, project_id: int, sentences: Sequence[Prepared], annotator_id: int | None
) -> None:
    labels: set[str] | None = None
    for number, (sentence, *_) in enumerate(sentences, start=1):
        if sentence.gold is None:
            continue
        if annotator_id is None:
            raise InvalidInput(f"sentence {number} brings gold spans; say by whom they are imported")
        if labels is None:
            labels = _projects.label_names(connection, project_id)
        try:
            validate_spans(sentence.gold, len(sentence.tokens), labels)
        except InvalidSpans as error:
            raise InvalidSpans(f"sentence {number}: {error}") from None


def _load_twins(connection: Connection, project_id: int, sentences: Sequence[Prepared], state: _Import) -> None:
    """Fill the maps with stored sentences that share a hash or a group with a new one."""
    columns = select(
        Sentences.id, Sentences.content_hash, Sentences.group_key, Sentences.split, Sentences.duplicate_of
    ).where(Sentences.project_id == project_id)
    if connection.execute(columns.limit(1)).one_or_none() is None:
        return
    hashes = list({prepared.fingerprint for prepared in sentences})
    groups = list({group for sentence, *_ in sentences for group in _groups_of(sentence)})
    rows = {}
    for column, values in ((Sentences.content_hash, hashes), (Sentences.group_key, groups)):
        for chunk in chunks(values):
            rows.update({row.id: row for row in connection.execute(columns.where(column.in_(chunk)))})
    roots = {row.duplicate_of or row.id for row in rows.values()}
    for chunk in chunks(sorted(roots - rows.keys())):
        rows.update({row.id: row for row in connection.execute(columns.where(Sentences.id.in_(chunk)))})
    annotated = _annotated_roots(connection, sorted(roots))
    entries = {number: _Entry(Split(row.split), number, number in annotated) for number, row in sorted(rows.items())}
    for number, entry in entries.items():
        row = rows[number]
        entry.twin = entries[row.duplicate_of] if row.duplicate_of else None
        state.by_hash.setdefault(row.content_hash, entry)
        if row.group_key:
            state.by_group.setdefault(row.group_key, entry)


def _annotated_roots(connection: Connection, roots: Sequence[int]) -> set[int]:
    """Those of which they themselves or a duplicate have an annotation."""
    found: set[int] = set()
    for chunk in chunks(roots):
        statement = select(func.coalesce(Sentences.duplicate_of, Sentences.id)).where(
            or_(Sentences.id.in_(chunk), Sentences.duplicate_of.in_(chunk)),
            exists().where(Annotations.sentence_id == Sentences.id),
        )
        found.update(connection.execute(statement).scalars())
    return found


def _groups_of(sentence: NewSentence) -> tuple[str, ...]:
    return tuple(filter(None, (sentence.group, *sentence.also_near)))


def _place(state: _Import, number: int, prepared: Prepared) -> None:
    """Decide whether the sentence is new, a duplicate of which one, or refused."""
    sentence, fingerprint, _ = prepared
    exact = state.by_hash.get(fingerprint)
    near = [state.by_group.get(group) for group in _groups_of(sentence)]
    roots = list({id(entry.root()): entry.root() for entry in (exact, *near) if entry is not None}.values())
    reserve = next((root for root in roots if root.split is Split.RESERVE), None)
    entry = _Entry(sentence.split, annotated=sentence.gold is not None)
    n_duplicates = 1 if roots else 0
    if sentence.split is Split.RESERVE:
        pool = [root for root in roots if root.split is Split.POOL]
        if any(root.annotated for root in pool):
            words = " ".join(sentence.tokens[:8])
            state.refused.append(
                f"sentence {number} ({words} …) cannot be an evaluation sentence: it, or one nearly the same, "
                "is already annotated in the pool"
            )
            return
        entry.twin = reserve
        for root in pool:
            root.twin = entry.root()
            if root.id is not None:
                state.moved.append(root)
        n_duplicates = len(pool) + (reserve is not None)
    elif roots:
        entry.twin = reserve or roots[0]
        entry.twin.annotated |= entry.annotated
    if exact is not None:
        state.exact += n_duplicates
    else:
        state.near += n_duplicates
    state.by_hash.setdefault(fingerprint, entry)
    if sentence.group:
        state.by_group.setdefault(sentence.group, entry)
    state.accepted.append((prepared, entry))


def _insert(connection: Connection, project_id: int, state: _Import, source: str, saved: Callable[[int], None]) -> None:
    at = now(connection)
    n_saved = 0
    for chunk in chunks(state.accepted, ROWS_AT_ONCE):
        rows = [
            {
                "project_id": project_id,
                "added_at": at,
                "tokens": sentence.tokens,
                "n_tokens": len(sentence.tokens),
                "text": sentence.text,
                "spaces": sentence.spaces,
                "document": sentence.document,
                "source": sentence.source or source,
                "split": sentence.split.value,
                "content_hash": fingerprint,
                "group_key": sentence.group or None,
                "written_in": script,
                "meta": dict(sentence.meta),
            }
            for (sentence, fingerprint, script), _ in chunk
        ]
        numbers = insert_numbered(connection, Sentences, rows, number="id", key="content_hash")
        for (_, entry), number in zip(chunk, numbers, strict=True):
            entry.id = number
        n_saved += len(rows)
        saved(n_saved)
    if n_saved >= MANY_ROWS:
        refresh_statistics(connection, Sentences)


def _store_duplicates(connection: Connection, state: _Import) -> None:
    """Point every duplicate straight at its root; only after all of them have ids."""
    own = [{"this": entry.id, "root": entry.root().id} for _, entry in state.accepted if entry.twin is not None]
    moved = [{"this": entry.id, "root": entry.root().id} for entry in state.moved]
    to_root = update(Sentences).values(duplicate_of=bindparam("root"))
    this: BindParameter[Any] = bindparam("this")
    if own:
        connection.execute(to_root.where(Sentences.id == this), own)
    if moved:
        _keep_former_duplicates(
            connection, [entry["this"] for entry in moved], [entry.id for _, entry in state.accepted]
        )
        connection.execute(to_root.where(or_(Sentences.id == this, Sentences.duplicate_of == this)), moved)
        connection.execute(delete(Queue).where(Queue.sentence_id == this), moved)


def _keep_former_duplicates(connection: Connection, moved: Sequence[int | None], added: Sequence[int | None]) -> None:
    """What the sentences that are about to change duplicate until now: earlier states can then be exported again."""
    until = min(number for number in added if number is not None) - 1
    changing = or_(Sentences.id.in_(moved), Sentences.duplicate_of.in_(moved))
    before = connection.execute(select(Sentences.id, Sentences.duplicate_of).where(changing, Sentences.id <= until))
    rows = [{"sentence_id": row.id, "until_sentence": until, "duplicate_of": row.duplicate_of} for row in before.all()]
    upsert(connection, FormerDuplicates, rows, ["sentence_id", "until_sentence"], [])


# Reading.


def sentence(connection: Connection, sentence_id: int) -> Sentence:
    """The sentence; NotFound if there is none."""
    row = connection.execute(select(*SENTENCE_COLUMNS).where(Sentences.id == sentence_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no sentence {sentence_id}")
    return sentence_record(row)


def page(connection: Connection, project_id: int, split: Split | None, after: int) -> list[Sentence]:
    """The next sentences with ids above `after`, PAGE at most, in import order."""
    statement = select(*SENTENCE_COLUMNS).where(Sentences.project_id == project_id, Sentences.id > after)
    if split is not None:
        statement = statement.where(Sentences.split == split.value)
    rows = connection.execute(statement.order_by(Sentences.id).limit(PAGE))
    return [sentence_record(row) for row in rows]


def groups_page(connection: Connection, project_id: int, after: int) -> list[tuple[int, str, tuple[str, ...]]]:
    """The next (sentence id, group, tokens) with ids above `after`."""
    rows = connection.execute(
        select(Sentences.id, Sentences.group_key, Sentences.tokens)
        .where(Sentences.project_id == project_id, Sentences.id > after)
        .order_by(Sentences.id)
        .limit(PAGE)
    )
    return [(row.id, row.group_key or "", tuple(row.tokens)) for row in rows]


def unlabelled_pool(connection: Connection, project_id: int, until_seq: int | None) -> list[Sentence]:
    """Sentences of the pool that nobody annotated (up to `until_seq`) and that duplicate none."""
    which = is_unlabelled(project_id, until_seq)
    rows = connection.execute(select(*SENTENCE_COLUMNS).where(*which).order_by(Sentences.id))
    return [sentence_record(row) for row in rows]


def lengths(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Words of each of these sentences."""
    found: dict[int, int] = {}
    for chunk in chunks(list(ids)):
        rows = connection.execute(select(Sentences.id, Sentences.n_tokens).where(Sentences.id.in_(chunk)))
        found.update({row.id: row.n_tokens for row in rows})
    return found


def tokens(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The words of each of these sentences."""
    found: dict[int, tuple[str, ...]] = {}
    for chunk in chunks(list(ids)):
        rows = connection.execute(select(Sentences.id, Sentences.tokens).where(Sentences.id.in_(chunk)))
        found.update({row.id: tuple(row.tokens) for row in rows})
    return found


def written_in_counts(connection: Connection, project_id: int) -> dict[str, int]:
    """How many sentences are written in what: languages and scripts, the commonest first."""
    statement = (
        select(Sentences.written_in, func.count())
        .where(Sentences.project_id == project_id, Sentences.written_in.is_not(None))
        .group_by(Sentences.written_in)
        .order_by(func.count().desc(), Sentences.written_in)
    )
    return {name: count for name, count in connection.execute(statement) if name is not None}


def unqueued_pool_ids(connection: Connection, project_id: int, reads: Sequence[str]) -> list[int]:
    """Ids of those unlabelled sentences that are neither queued nor hidden; with `reads`, of those written in these."""
    statement = select(Sentences.id).where(
        *is_unlabelled(project_id), ~known_hidden(), ~exists().where(Queue.sentence_id == Sentences.id)
    )
    if reads:
        statement = statement.where(Sentences.written_in.in_(reads))
    return list(connection.execute(statement.order_by(Sentences.id)).scalars())


def is_unlabelled(project_id: int, until_seq: int | None = None) -> tuple[Any, ...]:
    """The conditions under which a sentence waits in the pool for its first annotation (or did, at `until_seq`)."""
    annotated = exists().where(Annotations.sentence_id == Sentences.id)
    if until_seq is not None:
        annotated = annotated.where(Annotations.seq <= until_seq)
    return (
        Sentences.project_id == project_id,
        Sentences.split == Split.POOL.value,
        Sentences.duplicate_of.is_(None),
        ~annotated,
    )


def known_hidden() -> Any:
    """Whether a sentence is like one whose newest annotation says that it is none."""
    newer = aliased(Annotations)
    return exists().where(
        HiddenSentences.sentence_id == Sentences.id,
        Annotations.sentence_id == HiddenSentences.like_sentence,
        Annotations.skip_reason == SkipReason.NOT_A_SENTENCE.value,
        ~exists().where(newer.sentence_id == Annotations.sentence_id, newer.seq > Annotations.seq),
    )
