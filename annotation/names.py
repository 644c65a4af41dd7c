"""Names that are known before any tagger is: those of the lead's list, and those that people have marked elsewhere.

A sentence is searched from its beginning, the longest name first; a name covers whole words. Words are compared in NFC
and case folded, but a name written with a capital is found only where the text has one too, and a name written without
any only as it is written: Baraka is a person, baraka a blessing.

What people marked speaks for itself. Of the places where the words of a name stand in labelled sentences (inside a
longer name they are no place of their own), two in three must carry one label: then the name is suggested under it, once
is enough. A name of the list is suggested unless people said otherwise in two places at least, and in two of three.
Another form of a marked name (it shares the stem, see affixes.py) is suggested if of the places of all forms with this
stem, too, two in three have the label, if no other name it may be a form of has another label, and if nobody has labelled
a sentence with just this word and left it unmarked. Where of all such forms that people have come across more were no name
than were, none is suggested: what looks like a form of Afrika in Swahili, Waafrika, are its people.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from annotation.affixes import Affixes
from annotation.formats.text import segment
from maner_core.spans import OUTSIDE, Span
from storage import ListedName, NameSource, SuggestedName

CLEAR_SHARE = 2 / 3
"""Of the places of a name, those of one label, from which on it is suggested elsewhere."""
FEWEST_AGAINST = 2
"""Places where people said otherwise, from which on they may overrule the list, or the forms of all names."""
LONGEST = 8
"""Words of a marked name that is looked for elsewhere."""

Words = tuple[str, ...]
Labelled = tuple[int, Sequence[str], Sequence[Span]]
"""A sentence that counts: its id, words and spans."""


@dataclass(slots=True)
class _Name:
    """What is known of one name, letter case aside."""

    marked: set[Words] = field(default_factory=set)  # as written where people marked it
    seen: dict[str, int] = field(default_factory=dict)  # label -> the first sentence where it has it
    places: Counter[str] = field(default_factory=Counter)  # label, or OUTSIDE -> places of these words
    related: Counter[str] = field(default_factory=Counter)  # the same of other forms with its stem
    label: str | None = None  # under which it is suggested because people marked it
    form_label: str | None = None  # under which other forms of it are

    def decide(self) -> None:
        """Draw the conclusions, once all places are counted."""
        self.label = _clear(self.seen, self.places)
        self.form_label = self.label if self.label == _clear(self.seen, self.places + self.related) else None

    def overrules(self, label: str) -> bool:
        """Whether people said too often that this is no name with that label for the list to be believed."""
        against = self.places.total() - self.places[label]
        return against >= FEWEST_AGAINST and against >= CLEAR_SHARE * self.places.total()


class NameList:
    """The lead's list, ready to be looked for in sentences; long ones take a while to make ready, so it is kept."""

    def __init__(self, listed: Iterable[ListedName] = ()) -> None:
        self.names: defaultdict[Words, dict[Words, str]] = defaultdict(dict)
        """Case folded -> as written -> label."""
        self.longest: dict[str, int] = {}
        """Words, by the first word of a name."""
        everything = hashlib.blake2b(digest_size=8)
        for it in listed:
            if words := _pieces(it.name):
                key = _folded(words)
                self.names[key][words] = it.label
                self.longest[key[0]] = max(self.longest.get(key[0], 0), len(key))
            everything.update(f"{it.name}\t{it.label}\n".encode())
        self.version = everything.hexdigest() if self.names else ""

    def label(self, words: Words, key: Words) -> str | None:
        """The label of a name that is written so; None where there is none."""
        return next((label for name, label in self.names.get(key, {}).items() if _written_alike(name, words)), None)


class NameIndex:
    """Finds known names in sentences; `version` is another text whenever the names it knows are others."""

    def __init__(
        self, listed: NameList | None = None, labelled: Iterable[Labelled] = (), affixes: Affixes | None = None
    ) -> None:
        self._list = listed or NameList()
        self._affixes = affixes or Affixes()
        self._names: defaultdict[Words, _Name] = defaultdict(_Name)
        self._longest: dict[str, int] = {}  # words, by the first word of a name
        self._by_stem: defaultdict[Words, set[Words]] = defaultdict(set)
        self._longest_form: dict[str, int] = {}  # words, by the first word of a stem
        self._some_without_capital = False
        self._judged: set[str] = set()  # words of labelled sentences
        sentences = [(id_, _Text.of(tokens), spans) for id_, tokens, spans in labelled]
        for id_, text, spans in sentences:
            self._judged.update(text.keys)
            for span in spans:
                words = text.words[slice(*text.place(span))]
                if 0 < len(words) <= LONGEST:
                    name = self._add(words)
                    name.marked.add(words)
                    name.seen.setdefault(span.label, id_)
                    self._add_stems(words)
        for _, text, spans in sentences:
            self._count(text, spans)
        for name in self._names.values():
            name.decide()
        self._forms_pay = self._do_forms_pay()
        self.version = self._fingerprint()

    def suggest(self, tokens: Sequence[str], other_forms: bool = True) -> tuple[SuggestedName, ...]:
        """The known names in a sentence, in its order, none overlapping another; without `other_forms`, only as marked."""
        text = _Text.of(tokens)
        found = []
        position = 0
        while position < len(text.keys):
            here = self._beginning_at(text, position, other_forms)
            if here is None:
                position += 1
                continue
            end, label, source, seen_in = here
            found.append(SuggestedName(*text.tokens(position, end), label, source, seen_in))
            position = end
        return tuple(found)

    def holds_listed(self, tokens: Sequence[str]) -> bool:
        """Whether a name of the list is suggested in the sentence."""
        return any(name.source is NameSource.LIST for name in self.suggest(tokens, other_forms=False))

    def _add(self, words: Words) -> _Name:
        key = _folded(words)
        self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))
        return self._names[key]

    def _add_stems(self, words: Words) -> None:
        key = _folded(words)
        self._some_without_capital |= not _has_capital(words[0])
        for stem in self._affixes.stems(key):
            self._by_stem[stem].add(key)
            self._longest_form[stem[0]] = max(self._longest_form.get(stem[0], 0), len(stem))

    def _beginning_at(
        self, text: "_Text", start: int, other_forms: bool
    ) -> tuple[int, str, NameSource, int | None] | None:
        """The longest name that begins here: where it ends, its label, source and the sentence where it was marked."""
        if not (longest := self._reach(text, start, other_forms)):
            return None
        for end in text.ends(start, longest):
            words, key = text.words[start:end], text.keys[start:end]
            name, listed = self._names.get(key), self._list.label(words, key)
            if listed is not None and not (name is not None and name.overrules(listed)):
                return end, listed, NameSource.LIST, None
            if name is not None and name.label is not None and any(_written_alike(it, words) for it in name.marked):
                return end, name.label, NameSource.SEEN, name.seen[name.label]
            if other_forms and self._forms_pay and (form := self._form_of(words, key)) is not None:
                return end, form[0], NameSource.SEEN, form[1]
        return None

    def _reach(self, text: "_Text", start: int, other_forms: bool) -> int:
        """How many words a name that begins here may have; 0 inside a word."""
        if not text.begins[start]:
            return 0
        first = text.keys[start]
        longest = max(self._longest.get(first, 0), self._list.longest.get(first, 0))
        if not other_forms or not (self._some_without_capital or _has_capital(text.words[start])):
            return longest
        stems = self._affixes.stems(text.keys[start : start + 1])
        return max(longest, *(self._longest_form.get(stem, 0) for (stem,) in stems))

    def _form_of(self, words: Words, key: Words) -> tuple[str, int] | None:
        """Label and sentence of the marked name that this is another form of: that with the longest stem in common."""
        if len(key) == 1 and key[0] in self._judged:
            return None
        labels, nearest = set[str](), (0, 0)
        for stem, name in self._relatives(words, key):
            if name.form_label is not None:
                labels.add(name.form_label)
                nearest = min(nearest, (-sum(map(len, stem)), name.seen[name.form_label]))
        return (labels.pop(), nearest[1]) if len(labels) == 1 else None

    def _relatives(self, words: Words, key: Words) -> Iterator[tuple[Words, _Name]]:
        """(the stem in common, the name) of the marked names of which this may be another form."""
        for stem in self._affixes.stems(key):
            for other in self._by_stem.get(stem, ()):
                name = self._names[other]
                if other != key and any(_capitals_kept(it, words) for it in name.marked):
                    yield stem, name

    def _count(self, text: "_Text", spans: Sequence[Span]) -> None:
        """Count the places of known names in a labelled sentence, and those of other forms of them."""
        labels = {text.place(span): span.label for span in spans}
        for start in range(len(text.keys)):
            if not (longest := self._reach(text, start, other_forms=True)):
                continue
            for end in text.ends(start, longest):
                said = labels.get((start, end), OUTSIDE)
                if said == OUTSIDE and any(first <= start and end <= last for first, last in labels):
                    continue
                words, key = text.words[start:end], text.keys[start:end]
                marked = self._names[key].marked if key in self._names else ()
                if any(_written_alike(it, words) for it in (*marked, *self._list.names.get(key, ()))):
                    self._names[key].places[said] += 1
                for relative in {id(name): name for _, name in self._relatives(words, key)}.values():
                    relative.related[said] += 1

    def _do_forms_pay(self) -> bool:
        """Whether what looked like another form of a name was one, in labelled sentences, as often as not."""
        names = [name for name in self._names.values() if name.label is not None]
        right = sum(name.related[name.label] for name in names if name.label is not None)
        wrong = sum(name.related.total() for name in names) - right
        return wrong < FEWEST_AGAINST or right >= wrong

    def _fingerprint(self) -> str:
        known = [
            (key, sorted(name.marked), name.label, name.form_label, sorted(name.seen.items()), overruled)
            for key, name in sorted(self._names.items(), key=lambda item: item[0])
            if (overruled := [it for it in self._list.names.get(key, {}).values() if name.overrules(it)]) or name.label
        ]
        if not known:
            return self._list.version
        everything = repr((self._list.version, self._forms_pay, known))
        return hashlib.blake2b(everything.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class _Text:
    """A sentence as names are looked for in it: tokens are cut up as names of the list are, `St.` into `St` and `.`."""

    words: Words
    keys: Words  # the words case folded
    begins: tuple[bool, ...]  # whether a token begins with the word
    token: tuple[int, ...]  # the token of each word

    @classmethod
    def of(cls, tokens: Sequence[str]) -> "_Text":
        words: list[str] = []
        begins: list[bool] = []
        token: list[int] = []
        for number, it in enumerate(tokens):
            pieces = _pieces(it)
            words += pieces
            begins += [place == 0 for place in range(len(pieces))]
            token += [number] * len(pieces)
        return cls(tuple(words), _folded(words), tuple(begins), tuple(token))

    def ends(self, start: int, longest: int) -> Iterator[int]:
        """Where a name that begins at a word may end: behind the last word of a token, the longest first."""
        for end in range(min(start + longest, len(self.words)), start, -1):
            if end == len(self.words) or self.begins[end]:
                yield end

    def tokens(self, start: int, end: int) -> tuple[int, int]:
        """The tokens that words cover, end exclusive."""
        return self.token[start], self.token[end - 1] + 1

    def place(self, span: Span) -> tuple[int, int]:
        """The words that a span of tokens covers, end exclusive."""
        inside = [place for place, number in enumerate(self.token) if span.start <= number < span.end]
        return (inside[0], inside[-1] + 1) if inside else (0, 0)


@lru_cache(maxsize=50_000)
def _pieces(text: str) -> Words:
    """Words of a name or a token, in NFC: `"St. Mary" -> ("St", ".", "Mary")`."""
    normal = unicodedata.normalize("NFC", text)
    return (normal,) if normal.isalnum() else tuple(segment(normal)[0])


def _folded(words: Iterable[str]) -> Words:
    return tuple(word.casefold() for word in words)


def _clear(seen: Mapping[str, int], places: Counter[str]) -> str | None:
    """The label that has two in three of the places, if one has."""
    return next((label for label in seen if places[label] >= CLEAR_SHARE * places.total()), None)


def _written_alike(name: Words, text: Words) -> bool:
    """Whether words that are the same but for letter case may be the name: `Baraka` as `BARAKA`, never as `baraka`."""
    return name == text or (any(map(_has_capital, name)) and _capitals_kept(name, text))


def _capitals_kept(name: Words, text: Words) -> bool:
    """Whether every word with a capital in the name has one in the text."""
    return all(_has_capital(there) for here, there in zip(name, text, strict=True) if _has_capital(here))


@lru_cache(maxsize=50_000)
def _has_capital(word: str) -> bool:
    return any(character.isupper() or character.istitle() for character in word)
