"""A cheap check of labelled sentences: the same words labelled in different ways.

Of the words that are a name somewhere, every other place where they stand is compared with how they are labelled most
often. At a few hundred sentences this finds more than a tagger's doubts do, and needs no training.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from maner_core.spans import OUTSIDE, Span

LONGEST = 6  # words of a name that is looked for elsewhere
CLEAR_SHARE = 0.75
"""Of the places where the words stand, those labelled in the usual way, from which on the others are suspected ..."""
FEWEST = 3
"""... if there are so many places at least."""


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """A place where words are labelled otherwise than usual; `label` is OUTSIDE where they are no name.

    `share` is the share, 0 to 1, of all places of these words that are labelled in the usual way.
    """

    sentence: int  # position among those checked
    span: Span  # the place, with the usual label
    label: str
    words: str
    share: float

    @property
    def why(self) -> str:
        """The finding as a sentence."""
        here = "no name" if self.label == OUTSIDE else self.label
        usual = "no name" if self.span.label == OUTSIDE else self.span.label
        return f"“{self.words}” is {here} here, but {usual} in {self.share:.0%} of its places"


def inconsistencies(
    sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]], longest: int = LONGEST
) -> list[Inconsistency]:
    """Places labelled otherwise than most places of the same words (letter case aside), the clearest first.

    Words inside a longer name are no place of their own: "Dar" in "Dar es Salaam" says nothing of "Dar".

        [["Mwanza", "leo"], ["Mwanza"], ["Mwanza"], ["Mwanza"]] with Mwanza as LOC in all but the last
        -> the last, with a share of 3/4
    """
    names = {
        _key(words[span.start : span.end])
        for words, its in zip(sentences, spans, strict=True)
        for span in its
        if span.end - span.start <= longest
    }
    places: defaultdict[tuple[str, ...], list[tuple[int, int, str]]] = defaultdict(list)
    for number, (words, its) in enumerate(zip(sentences, spans, strict=True)):
        for start, end, label in _places(_key(words), its, names, longest):
            places[_key(words[start:end])].append((number, start, label))
    found = []
    for key, its_places in places.items():
        label, count = Counter(label for _, _, label in its_places).most_common(1)[0]
        share = count / len(its_places)
        if len(its_places) < FEWEST or share < CLEAR_SHARE:
            continue
        for number, start, given in its_places:
            if given != label:
                end = start + len(key)
                words_here = " ".join(sentences[number][start:end])
                found.append(Inconsistency(number, Span(start, end, label), given, words_here, share))
    return sorted(found, key=lambda place: -place.share)


def _key(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)


def _places(
    words: tuple[str, ...], spans: Sequence[Span], names: set[tuple[str, ...]], longest: int
) -> list[tuple[int, int, str]]:
    """(start, end, label) of every name, and of what reads like a name outside of all."""
    found = [(span.start, span.end, span.label) for span in spans]
    taken = {position for span in spans for position in range(span.start, span.end)}
    for start in range(len(words)):
        for end in range(min(start + longest, len(words)), start, -1):
            if words[start:end] in names and taken.isdisjoint(range(start, end)):
                found.append((start, end, OUTSIDE))
                taken.update(range(start, end))
                break
    return found
