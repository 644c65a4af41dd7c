"""What words of a text begin or end with besides their stems: `ni` in a text with shule, shuleni, nyumba, nyumbani.

No dictionary and no grammar of any language: an ending counts as one if enough words of the text stand there with it and
without it, a beginning likewise. The idea is Harris, "From phoneme to morpheme" (1955); it asks for nothing but the
unlabelled sentences, so it works from the first of them on, in whatever language they are.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

SHORTEST_STEM = 4  # letters
LONGEST_AFFIX = 4  # letters
FEWEST_PAIRS = 5
"""Different words that stand in the text with the affix and without it, from which on it counts as one."""
SMALLEST_SHARE = 0.001
"""The same as a share of all different words: in a long text chance makes more pairs."""


@dataclass(frozen=True, slots=True)
class Affixes:
    """Beginnings and endings of words, case folded."""

    prefixes: frozenset[str] = frozenset()
    suffixes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, words: Iterable[str], fewest: int = FEWEST_PAIRS) -> "Affixes":
        """The affixes of these words (case folded): `["shule", "shuleni", "nyumba", "nyumbani"], 2 -> suffix "ni"`."""
        known = {word for word in words if len(word) >= SHORTEST_STEM and word.isalpha()}
        fewest = max(fewest, round(SMALLEST_SHARE * len(known)))
        prefixes, suffixes = Counter[str](), Counter[str]()
        for word in known:
            for n in range(1, min(LONGEST_AFFIX, len(word) - SHORTEST_STEM) + 1):
                prefixes[word[:n]] += word[n:] in known
                suffixes[word[-n:]] += word[:-n] in known
        return cls(*(frozenset(affix for affix, n in found.items() if n >= fewest) for found in (prefixes, suffixes)))

    def stems(self, words: tuple[str, ...]) -> set[tuple[str, ...]]:
        """What may be the stem of a name: its first word without a prefix, its last without a suffix, or as they are.

        `("tallinnas",)` with the suffix "s" -> `("tallinnas",)` and `("tallinna",)`.
        """
        first, last = words[0], words[-1]
        starts = [n for n in range(1, self._room(first)) if first[:n] in self.prefixes]
        ends = [n for n in range(1, self._room(last)) if last[-n:] in self.suffixes]
        if len(words) > 1:
            return {
                (first[start:], *words[1:-1], last[: len(last) - end]) for start in (0, *starts) for end in (0, *ends)
            }
        pairs = ((start, end) for start in (0, *starts) for end in (0, *ends))
        return {
            (first[start : len(first) - end],)
            for start, end in pairs
            if not start + end or len(first) - start - end >= SHORTEST_STEM
        }

    @staticmethod
    def _room(word: str) -> int:
        """One more than the letters an affix of this word may have."""
        return min(LONGEST_AFFIX, len(word) - SHORTEST_STEM) + 1
