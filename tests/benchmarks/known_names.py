"""How far names that people have marked are found in the sentences they have not labelled yet, before any tagger.

    known_names.py --data FILE… [--labels 25,50,100,200] [--test-limit 600] [--seed 0]

Each file is CoNLL with gold tags. Of its sentences in an order drawn by chance the first are the labelled ones, those behind
them the test; beginnings and endings of words are learned from the first 2,000, tags aside, as in a project. Reported are
the suggestions that are right (span and label) of all, as marked and as other forms, the share of the gold entities they
find, and the CPU milliseconds to make the index and to search a sentence.
"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from annotation.affixes import Affixes
from annotation.formats import ReadOptions, SourceFile, read_file
from annotation.known_names import AFFIX_SENTENCES
from annotation.names import Labelled, NameIndex


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--labels", default="25,50,100,200")
    parser.add_argument("--test-limit", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.stdout.write(
        "| file | labels | as marked: right of all | other forms: right of all | found | index, search: ms |" + "\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|" + "\n")
    for file in arguments.data:
        sentences = _sentences(file, arguments.seed)
        words = (word.casefold() for _, tokens, _ in sentences[:AFFIX_SENTENCES] for word in tokens)
        affixes = Affixes.of(words)
        for n in map(int, arguments.labels.split(",")):
            sys.stdout.write(_row(file, sentences[:n], sentences[n : n + arguments.test_limit], affixes) + "\n")


def _sentences(file: Path, seed: int) -> list[Labelled]:
    reading = read_file(SourceFile(file.name, file.read_bytes()), "conll", ReadOptions())
    sentences = [(number, it.tokens, it.spans or ()) for number, it in enumerate(reading.sentences, 1)]
    random.Random(seed).shuffle(sentences)
    return list(sentences)


def _row(file: Path, labelled: list[Labelled], test: list[Labelled], affixes: Affixes) -> str:
    started = time.thread_time()
    index = NameIndex(None, labelled, affixes)
    made = time.thread_time() - started
    started = time.thread_time()
    suggested = [index.suggest(tokens) for _, tokens, _ in test]
    searched = (time.thread_time() - started) / len(test)
    counts = Counter[tuple[bool, bool]]()
    for (_, tokens, spans), names in zip(test, suggested, strict=True):
        gold = {(span.start, span.end, span.label) for span in spans}
        as_marked = {(it.start, it.end) for it in index.suggest(tokens, other_forms=False)}
        counts.update(((it.start, it.end) in as_marked, (it.start, it.end, it.label) in gold) for it in names)
    entities = sum(len(spans) for _, _, spans in test)
    right = counts[True, True] + counts[False, True]
    return (
        f"| {file.parent.name} | {len(labelled)} | {counts[True, True]} of {counts[True, True] + counts[True, False]} "
        f"| {counts[False, True]} of {counts[False, True] + counts[False, False]} | {100 * right / entities:.0f} % "
        f"| {1000 * made:.0f}, {1000 * searched:.2f} |"
    )


if __name__ == "__main__":
    main()
