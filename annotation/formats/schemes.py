"""Tag schemes of CoNLL-like files: which one a file follows, what its tags mean, which of them break it.

All six schemes are read by the rule of conlleval (a chunk ends where the next tag cannot continue it), so a broken
tag never loses a token; the tables below only say which tags have to be reported.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from maner_core.errors import InvalidInput, UnknownName
from maner_core.spans import OUTSIDE, Span, validate_spans

LOST = "?"  # the prefix of `-LOC`, whose real prefix is lost; read like I


@dataclass(frozen=True, slots=True)
class Scheme:
    """What is legal: prefixes that may open and close a name, and pairs that may stand side by side in one label."""

    opens: str
    closes: str
    neighbours: frozenset[str]


def _scheme(opens: str, closes: str, neighbours: str) -> Scheme:
    return Scheme(opens, closes, frozenset(neighbours.split()))


SCHEMES = {
    "iob1": _scheme("I", "IB", "II IB BI BB"),
    "iob2": _scheme("B", "BI", "BI II BB IB"),
    "ioe1": _scheme("IE", "I", "II IE EI EE"),
    "ioe2": _scheme("IE", "E", "II IE EI EE"),
    "iobes": _scheme("BS", "ES", "BI BE II IE EB ES SB SS"),
    "bioes": _scheme("BS", "ES", "BI BE II IE EB ES SB SS"),
    "bilou": _scheme("BU", "LU", "BI BL II IL LB LU UB UU"),
}

_AS_IOBES = {"L": "E", "U": "S", LOST: "I"}


@lru_cache(maxsize=4096)
def parse_tag(tag: str) -> tuple[str, str] | None:
    """Prefix and label: `"B-LOC" -> ("B", "LOC")`, `"O" -> ("O", "")`, `"-LOC" -> ("?", "LOC")`; None if it is no tag."""
    if tag in (OUTSIDE, "OUT"):
        return OUTSIDE, ""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in "BIESLU":
        return tag[0], tag[2:]
    if len(tag) > 1 and tag[0] == "-" and not tag.endswith("-"):
        return LOST, tag[1:]
    return None


Parsed = Sequence[tuple[str, str]]  # one sentence: a prefix and a label for each token


def _neighbours(sentence: Parsed) -> Iterator[tuple[int, tuple[str, str], tuple[str, str]]]:
    """Each pair of tags side by side but for two Os, the sentence padded with O at both ends; position of the right."""
    left = outside = (OUTSIDE, "")
    for position, right in enumerate([*sentence, outside]):
        if right[1] or left[1]:
            yield position, left, right
        left = right


def detect_scheme(sentences: Iterable[Parsed]) -> str:
    """The scheme these tags follow, or the likeliest of IOB1 and IOB2 where both are broken.

    L or U -> bilou; S, or B with E -> iobes; E alone -> ioe2 if every name ends in E, ioe1 if E only stands between
    two names of one label; every name starts with B -> iob2; every B touches a name of its label -> iob1.
    Raises InvalidInput when E tags fit neither ioe1 nor ioe2.
    """
    prefixes: set[str] = set()
    i_opens = b_opens = b_touches = e_closes = e_touches = unclosed = 0
    for sentence in sentences:
        for _, (left, left_label), (right, right_label) in _neighbours(sentence):
            prefixes.add(right)
            if left_label == right_label:
                b_touches += right == "B"
                e_touches += left == "E"
            else:
                b_opens += right == "B"
                i_opens += right == "I"
                e_closes += left == "E"
                unclosed += left == "I"
    if prefixes & {"L", "U"}:
        return "bilou"
    if "S" in prefixes or {"B", "E"} <= prefixes:
        return "iobes"
    if "E" in prefixes:
        if unclosed and e_closes:
            raise InvalidInput("tags with E- follow neither IOE1 nor IOE2 throughout")
        return "ioe2" if e_closes else "ioe1"
    return "iob1" if i_opens > b_opens else "iob2"


def check_scheme(name: str) -> None:
    """Raise UnknownName unless `name` is "auto" or a scheme."""
    if name != "auto" and name not in SCHEMES:
        raise UnknownName(f"there is no tag scheme {name!r}; choose one of auto, {', '.join(SCHEMES)}")


def breaches(sentence: Parsed, scheme: str) -> list[tuple[int, str]]:
    """Tokens whose tag breaks the scheme, and why: `[("O", ""), ("I", "LOC")], "iob2" -> [(1, "I-LOC opens a name")]`."""
    rule = SCHEMES[scheme]
    found: list[tuple[int, str]] = []
    for position, (left, left_label), (right, right_label) in _neighbours(sentence):
        if right == LOST:
            found.append((position, f"-{right_label} has lost its prefix"))
        if LOST in (left, right):
            continue
        if left_label == right_label:
            if left + right not in rule.neighbours:
                found.append((position, f"{right}-{right_label} after {left}-{left_label}"))
            continue
        if left_label and left not in rule.closes:
            found.append((position - 1, f"{left}-{left_label} closes a name"))
        if right_label and right not in rule.opens:
            found.append((position, f"{right}-{right_label} opens a name"))
    return found


def decode(sentence: Parsed) -> tuple[Span, ...]:
    """The spans of any scheme, the way conlleval finds them: `[("O", ""), ("I", "LOC")] -> (Span(1, 2, "LOC"),)`."""
    spans: list[Span] = []
    start, label, closed = 0, "", True
    for position, (prefix, tag_label) in enumerate(sentence):
        prefix = _AS_IOBES.get(prefix, prefix)
        if label and (closed or prefix in "BSO" or tag_label != label):
            spans.append(Span(start, position, label))
            label = ""
        if not label and tag_label:
            start, label = position, tag_label
        closed = prefix in "ES"
    if label:
        spans.append(Span(start, len(sentence), label))
    return tuple(spans)


def encode(spans: Iterable[Span], n_tokens: int, scheme: str = "iob2") -> list[str]:
    """Tags of a sentence: `[Span(0, 2, "PER")], 3, "bilou" -> ["B-PER", "L-PER", "O"]`. Raises InvalidSpans."""
    tags = [OUTSIDE] * n_tokens
    before: Span | None = None
    for span in validate_spans(spans, n_tokens):
        for position, prefix in zip(range(span.start, span.end), _prefixes(span.end - span.start, scheme), strict=True):
            tags[position] = f"{prefix}-{span.label}"
        touches = before is not None and before.end == span.start and before.label == span.label
        if touches and scheme == "iob1":
            tags[span.start] = f"B-{span.label}"
        if touches and scheme == "ioe1":
            tags[span.start - 1] = f"E-{span.label}"
        before = span
    return tags


def _prefixes(length: int, scheme: str) -> str:
    """Prefixes of one name that touches no other: `3, "iobes" -> "BIE"`."""
    inside = "I" * (length - 1)
    if scheme == "iob2":
        return "B" + inside
    if scheme == "ioe2":
        return inside + "E"
    if scheme in ("iobes", "bioes", "bilou"):
        first, last, single = "BLU" if scheme == "bilou" else "BES"
        return single if length == 1 else first + inside[1:] + last
    return "I" * length
