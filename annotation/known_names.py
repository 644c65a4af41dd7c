"""The known names of each project as its hand-out needs them: kept, and made again when labels or list have changed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from annotation.affixes import Affixes
from annotation.blind import is_withheld
from annotation.names import NameIndex, NameList
from storage import HandOut, Project, Split, Store, SuggestedName, SuggestedSpan, SuggestWhen

LOOK_SECONDS = 1.0  # between two looks for what other people and processes have changed
SHARE_OF_A_CORE = 0.05  # for making the index again, at most
AFFIX_SENTENCES = 2_000  # of the pool, from which the beginnings and endings of words are learned

Key = tuple[int, datetime | None, int, int]


@dataclass(slots=True)
class _Kept:
    """What is kept of one project."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    index: NameIndex = field(default_factory=NameIndex)
    listed: NameList = field(default_factory=NameList)
    key: Key | None = None
    look_at: float = float("-inf")  # not to look for changes before
    make_at: float = float("-inf")  # not to make the index again before
    affixes: Affixes = field(default_factory=Affixes)
    read: int = 0  # sentences that these were learned from


class KnownNames:
    """The index of each project; nothing in it must survive. While one thread makes one anew, others go on with the old."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[int, _Kept] = {}

    def index(self, project: Project, at_once: bool) -> NameIndex:
        """The names that are known now or were a moment ago; `at_once` after a label that may have brought new ones."""
        if project.settings.suggest_when is SuggestWhen.NEVER:
            return NameIndex()
        with self._lock:
            kept = self._kept.setdefault(project.id, _Kept())
        now = self._clock()
        if kept.lock.locked() or now < kept.make_at or (not at_once and now < kept.look_at):
            return kept.index
        with kept.lock:
            key = self.store.names_stamp(project.id)
            kept.look_at = now + LOOK_SECONDS
            if key != kept.key:
                started = time.thread_time()
                if kept.key is None or key[:2] != kept.key[:2]:
                    kept.listed = NameList(self.store.listed_names(project.id))
                self._make(project.id, kept)
                kept.key = key
                kept.make_at = now + (time.thread_time() - started) / SHARE_OF_A_CORE
            return kept.index

    def _make(self, project_id: int, kept: _Kept) -> None:
        items = self.store.labelled(project_id, Split.POOL)
        if items and kept.read < AFFIX_SENTENCES:
            sentences = list(islice(self.store.sentences(project_id, Split.POOL), AFFIX_SENTENCES))
            if len(sentences) != kept.read:
                kept.affixes = Affixes.of(word.casefold() for sentence in sentences for word in sentence.tokens)
                kept.read = len(sentences)
        labelled = ((item.sentence.id, item.sentence.tokens, item.gold.spans) for item in items)
        kept.index = NameIndex(kept.listed, labelled, kept.affixes)


def names_to_show(
    hand_out: HandOut, project: Project, index: NameIndex, shown: tuple[SuggestedSpan, ...] | None
) -> tuple[SuggestedName, ...]:
    """The known names that people see in a sentence beside the spans `shown` of a tagger (None: no tagger has read it).

    The tagger's spans stand: it has learned from the same labels, and it reads the words around a name. Names fill the
    gaps between them, so that a list goes on to help where the first taggers, after 25 labels, still miss most; but then
    only names as they were listed or marked, since the forms of words are what a tagger knows better than a rule.
    Nothing is shown where nothing is to be suggested: in evaluation sentences, in those withheld by chance, and in those
    that several people label, who are to be compared.
    """
    sentence = hand_out.sentence
    if sentence.split is Split.RESERVE or hand_out.seats > 1 or is_withheld(project, sentence.id):
        return ()
    return tuple(
        name
        for name in index.suggest(sentence.tokens, other_forms=shown is None)
        if not any(span.start < name.end and name.start < span.end for span in shown or ())
    )
