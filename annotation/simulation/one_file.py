"""One labelled file for a simulation that needs two: sentences to label from, and others to measure on."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from annotation import near_duplicates
from annotation.formats import ReadSentence, SourceFile, read_file
from annotation.importing import in_reserve
from annotation.training_set import once
from maner_core.errors import InvalidInput
from maner_core.spans import Span
from storage import Split, Store

LARGEST_FILE = 20  # MB
MOST_SENTENCES = 5_000
"""Of a longer file so many are drawn by chance."""
MOST_TO_LABEL, MOST_TO_MEASURE = 2_000, 500
"""Of both parts a simulation uses so many sentences at most, so that a round takes no longer in a large file."""
TEST_SHARE = 0.2
FEWEST_TO_MEASURE = 20
FEWEST_TO_LABEL = 60
FEWEST_DOCUMENTS = 20
"""With fewer documents, one of them could be all of a part."""
_SALT = "simulation"

Labelled = tuple[tuple[str, ...], tuple[Span, ...]]
"""The words of a sentence and what people found in it."""


def read_labelled(file: SourceFile) -> tuple[list[Labelled], list[Labelled]]:
    """The labelled sentences of a CoNLL or JSONL file in two parts, to label from and to measure on.

    Each sentence counts once. What the file calls an evaluation set is measured on, where that is enough; else a fifth. What
    is nearly the same, or of one document where there are many, is in one part. Raises InvalidInput where too little is
    labelled, FormatError for the first sentence that cannot be read.
    """
    if len(file.data) > LARGEST_FILE * 2**20:
        raise InvalidInput(f"{file.name} is larger than {LARGEST_FILE} MB; take a part of it")
    reading = read_file(file)
    reading.refuse_errors()
    labelled = [sentence for sentence in reading.sentences if sentence.gold is not None]
    return _enough(*_divide(labelled), file.name)


def project_labels(store: Store, project_id: int) -> tuple[list[Labelled], list[Labelled]]:
    """What people have labelled in a project: its evaluation sentences to measure on, where these are enough.

    Else all of its labels are divided like those of a file. Raises InvalidInput where too little is labelled.
    """
    pool, reserve = (
        [(item.sentence.tokens, item.gold.spans) for item in once(store.labelled(project_id, split))]
        for split in (Split.POOL, Split.RESERVE)
    )
    if len(reserve) < FEWEST_TO_MEASURE or not any(spans for _, spans in reserve):
        lines = enumerate([*pool, *reserve], start=1)
        pool, reserve = _divide([ReadSentence(line, tokens, spans, "labelled") for line, (tokens, spans) in lines])
    return _enough(pool, reserve, "The project")


def write_labelled(sentences: Iterable[Labelled], file: Path) -> None:
    """A JSONL file that `read_file` takes for these sentences."""
    with file.open("w", encoding="utf-8") as lines:
        for tokens, spans in sentences:
            triples = [
                {"token_start": span.start, "token_end_exclusive": span.end, "label": span.label} for span in spans
            ]
            lines.write(json.dumps({"tokens": tokens, "spans": triples}) + "\n")


def _divide(labelled: Sequence[ReadSentence]) -> tuple[list[Labelled], list[Labelled]]:
    once = list({sentence.tokens: sentence for sentence in reversed(labelled)}.values())[::-1]
    if len(once) > MOST_SENTENCES:
        drawn = np.random.default_rng(0).permutation(len(once))[:MOST_SENTENCES]
        once = [once[place] for place in sorted(drawn.tolist())]
    groups = near_duplicates.group([sentence.tokens for sentence in once], []).groups
    set_aside = {group for sentence, group in zip(once, groups, strict=True) if sentence.reserved}
    enough_aside = len(set_aside) >= FEWEST_TO_MEASURE
    by_document = len({sentence.document for sentence in once} - {None}) >= FEWEST_DOCUMENTS
    to_label, to_measure = list[Labelled](), list[Labelled]()
    for sentence, group in zip(once, groups, strict=True):
        document = sentence.document if by_document else None
        measured = group in set_aside if enough_aside else in_reserve(_SALT, document, group, TEST_SHARE)
        (to_measure if measured else to_label).append((sentence.tokens, sentence.gold or ()))
    return to_label, to_measure


def _enough(to_label: list[Labelled], to_measure: list[Labelled], name: str) -> tuple[list[Labelled], list[Labelled]]:
    if len(to_label) < FEWEST_TO_LABEL or len(to_measure) < FEWEST_TO_MEASURE:
        n = len(to_label) + len(to_measure)
        raise InvalidInput(
            f"{name} has {n} labelled sentences that differ; a simulation needs {FEWEST_TO_LABEL} to label from and "
            f"{FEWEST_TO_MEASURE} to measure on: give some 150 or more"
        )
    for part, what in ((to_label, "label from"), (to_measure, "measure on")):
        if not any(spans for _, spans in part):
            raise InvalidInput(f"{name} has no name in the sentences to {what}; give a file with names marked")
    return to_label, to_measure
