"""Tagger.load(folder).predict(sentences) -> predictions, in windows for sentences longer than the encoder's limit.

Sentences are read in batches of like length, so many at once that memory stays bounded; what comes out does not depend on
which sentences are read together (in bfloat16: up to rounding, see Tagger).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maner_core.calibration import Calibration
from maner_core.config import TrainConfig
from maner_core.devices import best_device, has_bfloat16, is_out_of_memory
from maner_core.encoding import Window, WordEncoder
from maner_core.errors import RunFailed
from maner_core.half_precision import bfloat16_copy
from maner_core.model import TokenTagger
from maner_core.spans import Span, iob2_tags, repair_tags, tags_to_spans

if TYPE_CHECKING:
    from maner_core.lora import Adapter

SUBWORDS_PER_BATCH = 4096
"""Sub-words, padding included, that go through the encoder at once: bounds memory whatever the sentences are."""

SENTENCES_AT_ONCE = 4096
"""Sentences that are sorted by length together: enough that hardly any padding is left."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the tagger says of one sentence of n words."""

    tags: list[str]
    """n tags, legal IOB2: the most probable tag of each word, repaired as conlleval reads them."""
    probabilities: NDArray[np.float32]
    """(n_words, n_tags), columns in the order of `iob2_tags(labels)`."""
    embedding: NDArray[np.float32]
    """(hidden,): the mean of the encoder's states at the positions that were read; zeros without words."""

    @property
    def spans(self) -> list[Span]:
        """The predicted spans."""
        return tags_to_spans(self.tags)

    def span_confidences(self) -> list[float]:
        """How sure each of `spans` is, 0 to 1: as sure as its least certain word, for one doubt is enough to move it.

        With p(w, t) the probability of tag t at word w: min over the words w of the span of (max over tags t of p(w, t)).
        """
        certainty = self.word_confidences()
        return [float(certainty[span.start : span.end].min()) for span in self.spans]

    def word_confidences(self) -> NDArray[np.float32]:
        """(n_words,): the probability of each word's most probable tag."""
        certainty: NDArray[np.float32] = self.probabilities.max(axis=1, initial=0.0)
        return certainty


class Tagger:
    """A trained tagger: the network, its tokenizer, its labels, how it was trained, and how sure it may be.

    In float32 a prediction does not depend on the sentences around it but for the last digits. In bfloat16 (on hardware that
    has it, if TrainConfig.mixed_precision) probabilities may differ by a few hundredths, and a tag where two are as likely. The
    layers are rounded to bfloat16 at the first prediction: to train `model` on, and then predict, make a new Tagger.
    """

    def __init__(
        self,
        model: TokenTagger,
        words: WordEncoder,
        labels: list[str],
        config: TrainConfig,
        calibration: Calibration | None = None,
        adapter: "Adapter | None" = None,
    ) -> None:
        """`adapter`: what was trained beside the backbone's weights and is part of the network's, if it was trained so."""
        self.model = model
        self.labels = labels
        self.config = config
        self.calibration = calibration
        self.adapter = adapter
        self.words = words
        self._halved: TokenTagger | None = None
        self._budget = SUBWORDS_PER_BATCH

    @classmethod
    def load(cls, folder: Path | str, device: str | None = None, *, cache: Path | None = None) -> "Tagger":
        """The tagger saved in `folder`, on the GPU if there is one. Raises NoCheckpoint when the folder holds none.

        `cache`: where the bundled backbone is kept, needed for a checkpoint of LoRA.
        """
        from maner_core.checkpoints import load_checkpoint

        tagger = load_checkpoint(Path(folder), cache)
        tagger.model.to(device or best_device())
        return tagger

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.head.weight.device

    @property
    def tokenizer(self) -> Any:
        """What cuts words into sub-words."""
        return self.words.tokenizer

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities: 1 without a calibration."""
        return self.calibration.temperature if self.calibration else 1.0

    @property
    def head(self) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """The last layer: weight (n_tags, hidden), bias (n_tags,), and the share of values dropped before it in training."""
        layer = self.model.head
        weight, bias = (parameter.detach().float().cpu().numpy() for parameter in (layer.weight, layer.bias))
        return weight, bias, self.model.dropout.p

    def word_states(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """What the head reads, dropout off: (n_words, hidden) for each sentence. Large: ask for few sentences."""
        found = [np.zeros((len(sentence), self.model.head.in_features), np.float32) for sentence in sentences]
        for i, window, _, states in self._read_all(sentences, lambda _: None):
            found[i][window.start : window.end] = states
        return found

    def predict(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None] | None = None
    ) -> list[Prediction]:
        """One prediction for each sentence, in their order; `on_progress` hears the share done (0 to 1).

        No gradient is kept and dropout is off. Raises RunFailed where memory is too short for a single sentence.
        """

        def tell(done: float) -> None:
            if on_progress is not None:
                on_progress(done / len(sentences))

        return list(self.stream(sentences, on_progress=tell))

    def stream(
        self,
        sentences: Iterable[Sequence[str]],
        at_once: int = SENTENCES_AT_ONCE,
        on_progress: Callable[[float], None] | None = None,
    ) -> Iterator[Prediction]:
        """As `predict`, for any number of sentences in bounded memory: `at_once` of them are read and predicted at a time.

        Keep of the predictions what you need. `on_progress` hears how many sentences are done.
        """
        left, before = iter(sentences), 0
        while part := list(islice(left, at_once)):
            yield from self._predict(part, before, on_progress)
            before += len(part)

    def _predict(
        self, sentences: Sequence[Sequence[str]], before: int, on_progress: Callable[[float], None] | None
    ) -> list[Prediction]:
        n_tags, hidden = self.model.head.weight.shape
        probabilities = [np.zeros((len(sentence), n_tags), np.float32) for sentence in sentences]
        sums = np.zeros((len(sentences), hidden), np.float32)

        def tell(share: float) -> None:
            if on_progress is not None:
                on_progress(before + len(sentences) * share)

        for i, window, chances, states in self._read_all(sentences, tell):
            probabilities[i][window.start : window.end] = chances
            sums[i] += states.sum(axis=0)
        tags = iob2_tags(self.labels)
        return [
            Prediction(
                tags=repair_tags([tags[i] for i in chances.argmax(axis=1).tolist()]),
                probabilities=chances,
                embedding=total / np.float32(max(1, len(chances))),
            )
            for chances, total in zip(probabilities, sums, strict=True)
        ]

    def _read_all(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[float], None]
    ) -> Iterator[tuple[int, Window, NDArray[np.float32], NDArray[np.float32]]]:
        """Each window, the shortest first: its sentence's number, and probabilities and states of the words it reads."""
        windows = self.words.windows(sentences)
        flat = [(i, window) for i, its_windows in enumerate(windows) for window in its_windows if window.positions]
        flat.sort(key=lambda item: len(item[1].ids))
        done = 0
        while done < len(flat):
            batch = flat[done : done + _fitting(flat, done, self._budget)]
            read = self._try_to_read([window for _, window in batch])
            if read is None:
                self._make_room(len(batch))
                continue
            first = 0
            for i, window in batch:
                last = first + len(window.positions)
                yield i, window, read[0][first:last], read[1][first:last]
                first = last
            done += len(batch)
            on_progress(done / len(flat))

    def _try_to_read(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """What `_read` gives, or None when the memory of the device is too short for these windows together."""
        try:
            return self._read(windows)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None  # so that the caller acts where no traceback holds the tensors any more

    @torch.inference_mode()
    def _read(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n_words, n_tags) probabilities and (n_words, hidden) states of the words of these windows, in order."""
        padded = pad_windows(windows, self.words.specials.pad)
        ids, mask, rows, columns = (tensor.to(self.device) for tensor in padded)
        logits, states = self._network()(ids, mask, rows, columns)
        return (logits / self.temperature).softmax(dim=-1).cpu().numpy(), states.cpu().numpy()

    def _network(self) -> TokenTagger:
        """The network to read with: in bfloat16 where the device is faster so, else as it was trained."""
        if not (self.config.mixed_precision and has_bfloat16(self.device)):
            return self.model.eval()
        if self._halved is None:
            self._halved = bfloat16_copy(self.model)
        return self._halved

    def _make_room(self, n_windows: int) -> None:
        """After a batch of so many windows was too much: half as many from now on, at last on the CPU."""
        if n_windows > 1:
            self._budget //= 2
        elif self.device.type == "cpu":
            raise RunFailed("the machine has too little memory for this tagger; choose a smaller backbone")
        else:
            self.model.to("cpu")
            self._halved, self._budget = None, SUBWORDS_PER_BATCH
        torch.cuda.empty_cache()


def pad_windows(windows: Sequence[Window], pad: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ids and attention mask (batch, length), and row and column (n_words,) of every position to read."""
    lengths = np.array([len(window.ids) for window in windows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad)
    ids[mask] = np.concatenate([window.ids for window in windows])
    rows = np.repeat(np.arange(len(windows)), [len(window.positions) for window in windows])
    columns = np.concatenate([window.positions for window in windows])
    return (
        torch.from_numpy(ids),
        torch.from_numpy(mask.astype(np.int64)),
        torch.from_numpy(rows),
        torch.from_numpy(columns),
    )


def _fitting(items: Sequence[tuple[int, Window]], first: int, budget: int) -> int:
    """How many items from `first` on, sorted by length, have at most `budget` sub-words with their padding; at least one."""
    n = 1
    while first + n < len(items) and (n + 1) * len(items[first + n][1].ids) <= budget:
        n += 1
    return n
