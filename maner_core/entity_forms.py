"""Which entities a tagger was trained on, so that an analysis can tell known names from new ones. No torch here.

A checkpoint may be given away where its sentences may not, so it holds hashes and no names. They are no secret: whoever guesses
a name can see whether it is among them, as they could by asking the tagger.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from maner_core.errors import NoCheckpoint
from maner_core.spans import Span

FORMS = "entities.json"
"""The file of a checkpoint: hash of an entity's words -> its labels."""

_DIGITS = 16  # of 64: two of a million different names share them with a chance of one in 37 million


class EntityForms:
    """The words of the entities of some sentences, each with the labels it had, as hashes."""

    def __init__(self, labels_by_hash: Mapping[str, Sequence[str]]) -> None:
        self._labels = {key: frozenset(labels) for key, labels in labels_by_hash.items()}

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]]) -> "EntityForms":
        """Those of the gold spans of these sentences."""
        labels: dict[str, set[str]] = {}
        for sentence, its_spans in zip(sentences, spans, strict=True):
            for span in its_spans:
                labels.setdefault(_hash(sentence[span.start : span.end]), set()).add(span.label)
        return cls({key: sorted(its) for key, its in labels.items()})

    @classmethod
    def read(cls, folder: Path) -> "EntityForms | None":
        """Those a checkpoint was trained on; None of one that does not say. Raises NoCheckpoint where the file is damaged."""
        file = folder / FORMS
        if not file.is_file():
            return None
        try:
            return cls(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise NoCheckpoint(f"{file} cannot be read ({error}); name the training file with --train") from error

    def write(self, folder: Path) -> None:
        """Put them into a checkpoint."""
        lines = {key: sorted(labels) for key, labels in sorted(self._labels.items())}
        (folder / FORMS).write_text(json.dumps(lines, ensure_ascii=False, indent=0), encoding="utf-8")

    def labels(self, words: Sequence[str]) -> frozenset[str]:
        """The labels that exactly these words, case and all, had as an entity; none of words that never were one."""
        return self._labels.get(_hash(words), frozenset())


def _hash(words: Sequence[str]) -> str:
    return sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
