"""Draws that stay the same: a salted hash of a sentence's id instead of a generator with a state."""

import hashlib


def drawn(salt: str, purpose: str, sentence_id: int) -> float:
    """A number in 0 <= x < 1 that looks random, for ever the same for the same salt, purpose and sentence.

    What falls below a share falls below every larger one; draws for different purposes know nothing of each other.
    """
    digest = hashlib.sha256(f"{salt}/{purpose}/{sentence_id}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
