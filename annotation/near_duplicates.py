"""Near-duplicate sentences: MinHash with banding over character 5-grams, every candidate checked exactly.

Characters, not words: one changed word of a ten-word sentence spoils most of its word 5-grams but few of these.
Broder, "On the resemblance and containment of documents" (1997); all sentences are hashed at once in numpy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

N_GRAM = 5
JACCARD = 0.8
_BANDS, _ROWS = 16, 4  # a pair at 0.8 is missed once in 4,600
_N_HASHES = _BANDS * _ROWS
_SURELY_BELOW = 0.55  # estimated from 64 hashes; five standard deviations under 0.8
_TEXTS_AT_ONCE = 20_000

_U32 = npt.NDArray[np.uint32]
_Int = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """A sentence that is in the project already."""

    id: int
    group: str
    tokens: Sequence[str]


@dataclass(frozen=True, slots=True)
class Grouping:
    """For each new sentence its group, and the earlier sentence that it is nearly the same as."""

    groups: list[str]
    twins: list[int | Known | None]  # position of a new sentence, or a known one; None for the first of its group
    # Other groups of the project that it joins: it is near sentences that were not near each other.
    also: list[tuple[str, ...]]


def group(new: Sequence[Sequence[str]], known: Iterable[Known]) -> Grouping:
    """Put sentences into groups of near-duplicates; exact ones fall into the same group.

    A group keeps the name it has in the project; a new one is named by a hash of its first sentence.
    """
    known = list(known)
    texts = [_text(sentence.tokens) for sentence in known] + [_text(tokens) for tokens in new]
    first_with_text: dict[str, int] = {}
    same_text = [first_with_text.setdefault(text, position) for position, text in enumerate(texts)]
    parents = _cluster(list(first_with_text), list(first_with_text.values()), len(texts))
    joined: dict[int, dict[str, None]] = {}  # of each cluster the groups that its known sentences have
    for position, sentence in enumerate(known):
        name = sentence.group or _hash(sentence.tokens)
        joined.setdefault(parents[same_text[position]], {}).setdefault(name)
    groups: list[str] = []
    twins: list[int | Known | None] = []
    also: list[tuple[str, ...]] = []
    for position, tokens in enumerate(new, start=len(known)):
        root = parents[same_text[position]]
        if root == position:
            groups.append(_hash(tokens))
            twins.append(None)
        elif root < len(known):
            groups.append(known[root].group or _hash(known[root].tokens))
            twins.append(known[root])
        else:
            groups.append(groups[root - len(known)])
            twins.append(root - len(known))
        also.append(tuple(name for name in joined.get(root, ()) if name != groups[-1]))
    return Grouping(groups, twins, also)


def _text(tokens: Sequence[str]) -> str:
    return " ".join(tokens).casefold()


def _hash(tokens: Sequence[str]) -> str:
    return blake2b("\n".join(tokens).encode(), digest_size=16).hexdigest()


def _cluster(texts: Sequence[str], positions: Sequence[int], n: int) -> list[int]:
    """For each of `n` positions the smallest position that it is linked to, itself if to none."""
    parents = list(range(n))

    def root(position: int) -> int:
        while parents[position] != position:
            parents[position] = parents[parents[position]]
            position = parents[position]
        return position

    shingles, starts = [], []
    signatures = []
    for begin in range(0, len(texts), _TEXTS_AT_ONCE):
        hashes, offsets = _shingles(texts[begin : begin + _TEXTS_AT_ONCE])
        signatures.append(_signatures(hashes, offsets[:-1]))
        shingles += [hashes] * (len(offsets) - 1)
        starts += list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
    if not signatures:
        return parents
    sets: dict[int, frozenset[int]] = {}

    def shingle_set(text: int) -> frozenset[int]:
        if text not in sets:
            start, end = starts[text]
            sets[text] = frozenset(shingles[text][start:end].tolist())
        return sets[text]

    for left, right in _candidates(np.concatenate(signatures)):
        left_root, right_root = sorted((root(positions[left]), root(positions[right])))
        if left_root == right_root:
            continue
        one, other = shingle_set(left), shingle_set(right)
        shared = len(one & other)
        if shared >= JACCARD * (len(one) + len(other) - shared):
            parents[right_root] = left_root
    return [root(position) for position in range(n)]


def _shingles(texts: Sequence[str]) -> tuple[_U32, _Int]:
    """Hashes of the 5-grams of all texts on end, and where each text begins: (n_characters,), (n_texts + 1,).

    Each text is padded with four NULs, so that it has as many 5-grams as characters, however short it is.
    """
    pad = "\0" * (N_GRAM - 1)
    codes = np.frombuffer(pad.join([*texts, ""]).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    n_windows = len(codes) - (N_GRAM - 1)
    hashes = np.zeros(n_windows, dtype=np.uint32)
    for shift in range(N_GRAM):
        hashes *= np.uint32(0x01000193)
        hashes ^= _mix(codes[shift : shift + n_windows])
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    inside = np.ones(n_windows, dtype=bool)
    ends = offsets[1:-1] + np.arange(len(texts) - 1) * (N_GRAM - 1)
    for shift in range(N_GRAM - 1):
        inside[ends + shift] = False
    return _mix(hashes[inside]), offsets


def _mix(values: _U32) -> _U32:
    """Spread 32-bit values: the finalizer of MurmurHash3, a bijection."""
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))


def _signatures(hashes: _U32, starts: _Int) -> _U32:
    """MinHash signatures (n_texts, 64): the least value of each of 64 bijections of the hashes over each text."""
    rng = np.random.default_rng(5)  # any fixed bijections do; the outcome must not differ between imports
    factors = rng.integers(0, 2**31, _N_HASHES, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    summands = rng.integers(0, 2**32, _N_HASHES, dtype=np.uint32)
    signatures = np.empty((len(starts), _N_HASHES), dtype=np.uint32)
    values = np.empty_like(hashes)
    for column, (factor, summand) in enumerate(zip(factors, summands, strict=True)):
        np.multiply(hashes, factor, out=values)
        np.add(values, summand, out=values)
        signatures[:, column] = np.minimum.reduceat(values, starts)
    return signatures


def _candidates(signatures: _U32) -> list[tuple[int, int]]:
    """Pairs of texts that agree in a band and are not surely below the threshold, in order.

    Within a bucket each text is paired with the first one and with the one before it, so that a bucket of n texts
    gives 2 n pairs; the bands differ in their buckets and make up for the pairs left out.
    """
    n = len(signatures)
    codes: list[_Int] = []
    for band in range(_BANDS):
        rows = np.ascontiguousarray(signatures[:, band * _ROWS : (band + 1) * _ROWS]).view(np.uint64)  # (n, 2)
        keys = rows[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ rows[:, 1]
        order = np.argsort(keys, kind="stable")
        same = keys[order[1:]] == keys[order[:-1]]
        first_of_run = np.maximum.accumulate(np.where(np.concatenate([[True], ~same]), np.arange(n), 0))
        later = np.flatnonzero(same) + 1
        codes.append(order[later - 1] * n + order[later])
        codes.append(order[first_of_run[later]] * n + order[later])
    pairs = np.unique(np.concatenate(codes))
    left, right = pairs // n, pairs % n
    agreement = np.zeros(len(pairs), dtype=np.int64)
    for column in range(_N_HASHES):
        agreement += signatures[left, column] == signatures[right, column]
    likely = agreement >= _SURELY_BELOW * _N_HASHES
    return list(zip(left[likely].tolist(), right[likely].tolist(), strict=True))
