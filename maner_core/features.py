"""Vectors of words from a frozen backbone, computed once and kept: two bytes a value, in one file that is mapped into memory.

A sentence is known by its words, so the same one is read once, wherever it comes from; new sentences are added at the end.
Of the layers, the lower half is run: see LAYERS.
"""

import json
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maner_core.backbones import load_backbone
from maner_core.config import TrainConfig
from maner_core.encoding import WordEncoder, longest_window
from maner_core.errors import RunFailed, UnsupportedBackbone
from maner_core.frozen import FrozenLayers
from maner_core.inference import Tagger
from maner_core.model import TokenTagger, number_of_layers

LAYERS = 1 / 2
"""Share of a backbone's layers that are run: in between, states say most of a word's kind (Tenney et al. 2019)."""
SENTENCES_AT_ONCE = 2048
"""Sentences that are read and then written together: so many may have to be read again after a crash."""

_ENTRY = np.dtype([("sentence", "S16"), ("start", "<i8"), ("words", "<i8")])

Vectors = NDArray[np.float16]


class WordFeatures:
    """The vectors of one backbone in one folder; one process at a time may add to it."""

    def __init__(self, folder: Path, backbone: str, *, cache: Path | None = None) -> None:
        """`cache`: where the bundled backbone is kept. The backbone is loaded when the first unknown sentence comes."""
        self.folder = folder
        self.backbone = backbone
        self._cache = cache
        self._reader: Tagger | None = None
        self._vectors: Vectors | None = None
        self._places: dict[bytes, tuple[int, int]] = {}
        self.hidden = 0
        self._open()

    def of(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None] | None = None
    ) -> list[Vectors]:
        """(n_words, hidden) for each sentence; `on_progress` hears the share done (0 to 1) while unknown ones are read.

        Raises RunFailed when the disk is full.
        """
        keys = [_key(sentence) for sentence in sentences]
        unknown = {key: sentence for key, sentence in zip(keys, sentences, strict=True) if key not in self._places}
        missing = list(unknown.items())
        for first in range(0, len(missing), SENTENCES_AT_ONCE):
            part = missing[first : first + SENTENCES_AT_ONCE]
            states = self._read([sentence for _, sentence in part])
            self._append([key for key, _ in part], states)
            if on_progress is not None:
                on_progress(min(1.0, (first + len(part)) / len(missing)))
        places = [self._places[key] for key in keys]
        vectors = self._mapped()
        return [vectors[start : start + words] for start, words in places]

    def knows(self, sentence: Sequence[str]) -> bool:
        """Whether the vectors of this sentence are kept already."""
        return _key(sentence) in self._places

    def _read(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        if self._reader is None:
            self._reader = frozen_reader(self.backbone, self._cache)
        return self._reader.word_states(sentences)

    # The files: about.json, vectors.f16, and an entry of index.bin for each sentence, written after its vectors.

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / "about.json"
        told = {"backbone": self.backbone, "layers": LAYERS}
        known = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
        self.hidden = int(known.pop("hidden", 0))
        if known != told or not self.hidden:
            for name in ("index.bin", "vectors.f16"):
                (self.folder / name).unlink(missing_ok=True)
            self.hidden = 0
            return
        index = self.folder / "index.bin"
        data = index.read_bytes() if index.exists() else b""
        entries = np.frombuffer(data[: len(data) - len(data) % _ENTRY.itemsize], _ENTRY)
        # The hash is kept padded: a trailing zero byte of an S16 value is cut off by numpy.
        self._places = {
            bytes(entry["sentence"]).ljust(16, b"\0"): (int(entry["start"]), int(entry["words"])) for entry in entries
        }

    def _append(self, keys: Sequence[bytes], states: Sequence[NDArray[np.float32]]) -> None:
        if not self.hidden:
            self.hidden = states[0].shape[1]
            about = {"backbone": self.backbone, "layers": LAYERS, "hidden": self.hidden}
            (self.folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
        end = sum(words for _, words in self._places.values())
        lengths = [len(own) for own in states]
        starts = end + np.cumsum([0, *lengths])[:-1]
        entries = np.array(list(zip(keys, starts.tolist(), lengths, strict=True)), _ENTRY)
        largest = np.finfo(np.float16).max
        vectors = np.concatenate([*states, np.zeros((0, self.hidden), np.float32)]).clip(-largest, largest)
        self._vectors = None
        try:
            _write_at(self.folder / "vectors.f16", 2 * self.hidden * end, vectors.astype(np.float16).tobytes())
            _write_at(self.folder / "index.bin", _ENTRY.itemsize * len(self._places), entries.tobytes())
        except OSError as error:
            raise RunFailed(f"the word vectors do not fit on the disk of {self.folder} ({error}); make room") from error
        for key, start, words in zip(keys, starts.tolist(), lengths, strict=True):
            self._places[key] = (start, words)

    def _mapped(self) -> Vectors:
        if self._vectors is None:
            file = self.folder / "vectors.f16"
            if not file.exists() or not file.stat().st_size:
                self._vectors = np.zeros((0, self.hidden), np.float16)
            else:
                self._vectors = np.memmap(file, np.float16, mode="r").reshape(-1, self.hidden)
        return self._vectors


def frozen_reader(backbone: str, cache: Path | None = None) -> Tagger:
    """A tagger without tags, for its word states: the first sub-word of each word, from the lower layers of the backbone."""
    encoder, tokenizer = load_backbone(backbone, cache)
    config = TrainConfig(system="sner", backbone=backbone)
    longest = longest_window(config.max_length, encoder, tokenizer)
    return Tagger(TokenTagger(_lower(encoder), 1, 0.0), WordEncoder(tokenizer, "sner", longest), [], config)


def _lower(encoder: Any) -> Any:
    """The encoder without its upper half; whole where its type is not known well enough to cut it."""
    layers = number_of_layers(encoder)
    kept = max(1, round(LAYERS * layers))
    try:
        return FrozenLayers(encoder, kept).lower if kept < layers else encoder
    except UnsupportedBackbone:
        return encoder


def _key(sentence: Sequence[str]) -> bytes:
    return blake2b("\n".join(sentence).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _write_at(file: Path, position: int, data: bytes) -> None:
    """Write behind what is known to be good; what a crash has left there is written over."""
    with file.open("r+b" if file.exists() else "w+b") as out:
        out.seek(position)
        out.write(data)
        out.truncate()
        out.flush()
        os.fsync(out.fileno())
