"""TrainConfig: every knob of a training, each with its unit, and the presets. No torch here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import ceil, isfinite
from typing import Any

from maner_core.encoding import MIN_WINDOW
from maner_core.errors import InvalidConfig, UnknownName

ADAPTATION_RECORD = "adaptation.json"
"""The file in an adapted backbone that says what it was made of: the TrainConfig, the report, versions."""
ADAPTATIONS = ("none", "before", "beside")
"""When hidden words of unlabelled text are guessed."""
SEEDS = 2**32
"""So many seeds there are: numpy takes no other."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train one tagger. Stored with the checkpoint, so that a run can be repeated."""

    system: str = "maner"
    """Input scheme, a key of maner_core.encoding.INPUT_SCHEMES."""
    backbone: str = "bundled"
    """Encoder: "bundled", a hub id such as "xlm-roberta-base", or a folder."""
    seed: int = 12345
    """Seed of weights, dropout and order; the only source of randomness."""
    epochs: float = 12.0
    """Passes over the training sentences; the training lasts as long as `epochs` and `min_steps` both ask."""
    min_steps: int = 400
    """Optimiser steps at least, so that few sentences are still seen often enough."""
    max_steps: int = 1500
    """Optimiser steps at most; 0 means no limit."""
    batch_size: int = 8
    """Sentences per optimiser step."""
    learning_rate: float = 1e-4
    """Peak learning rate of the encoder."""
    head_learning_rate: float = 1e-3
    """Peak learning rate of the linear layer, which starts from nothing."""
    warmup_fraction: float = 0.1
    """Share of the steps over which the learning rate rises from 0; it then falls linearly to its final fraction."""
    weight_decay: float = 0.01
    """AdamW decay of matrices; biases, layer norms and embeddings are left alone."""
    clip_norm: float = 1.0
    """Largest norm of the gradient over all parameters."""
    dropout: float = 0.1
    """Dropout before the linear layer."""
    encoder_dropout: float = -1.0
    """Dropout of states within the encoder; a negative number keeps the one it was pretrained with."""
    attention_dropout: bool = False
    """Drop attention weights too, by the share the encoder was pretrained with: several times slower on a CPU. An encoder that
    does not use torch's attention, as DeBERTa, always does."""
    layer_decay: float = 1.0
    """Factor of the learning rate from each encoder layer to the one below it (Zhang et al. 2021); 1 treats all alike."""
    reinitialised_layers: int = -1
    """Top encoder layers that start from random weights instead of pretrained ones (Zhang et al. 2021); -1: as many as suit
    the backbone, see `layers_anew`."""
    max_length: int = 256
    """Sub-words per window at most; longer sentences are cut into overlapping windows."""
    min_train_f1: float = 0.9
    """A run whose F1 on its own training sentences stays below this has failed and is repeated with another seed."""
    max_restarts: int = 1
    """Repetitions of a failed run at most; the best of them is kept."""
    trim_vocabulary: bool = True
    """Train only the sub-word rows that occur in the training sentences; the result is the same, only cheaper."""
    mixed_precision: bool = True
    """Use bfloat16 where the hardware has it."""
    subwords_at_once: int = 1024
    """Sub-words, padding included, that go through the network at once in training on a CPU, four times as many on a GPU; the
    gradients of a larger batch add up from parts (gradient accumulation), to the same step."""
    gradient_checkpointing: bool = False
    """Keep one state a layer and compute the rest anew in the backward pass: less memory, more time, the same weights."""
    adaptation: str = "none"
    """Guessing hidden words of unlabelled text: "none", "before" the tagging, or "beside" it as a second loss."""
    mlm_probability: float = 0.15
    """Share of the words of a sentence that are hidden."""
    mlm_batch_size: int = 16
    """Sentences with hidden words per optimiser step."""
    mlm_steps: int = 500
    """Optimiser steps of an adaptation before the tagging."""
    mlm_learning_rate: float = 1e-4
    """Peak learning rate of the encoder in an adaptation before the tagging."""
    mlm_weight: float = 0.3
    """Weight of the second loss at the first step; 0 leaves it out."""
    mlm_fraction: float = 0.6
    """Share of the steps over which the weight of the second loss falls linearly to 0."""
    frozen_layers: int = 0
    """Lowest encoder layers that stay as pretrained, and the embeddings with them; 0 trains all, embeddings too."""
    mask_probability: float = 0.15
    """Share of the words that `mlm_ner` hides in a step; the paper gives no value, this one is BERT's."""
    final_rate_fraction: float = 0.0
    """Share of the peak learning rate that is left at the last step: 0 falls to nothing, 1 stays constant."""
    calibration_folds: int = 0
    """Parts of the training sentences, each predicted by a tagger trained on the others, to fit a temperature; 0: none is."""
    lora_rank: int = 0
    """Rank of the matrices that are trained beside each weight matrix instead of it (LoRA); 0 trains the weights themselves."""
    lora_alpha: float = 16.0
    """What these matrices add to a weight is multiplied by this over the rank."""
    lora_learning_rate: float = 1e-3
    """Peak learning rate of these matrices, which start from nothing."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, float) and not isfinite(value):
                raise InvalidConfig(f"{name} is {value}; it must be a finite number")
        positive = (
            "batch_size",
            "max_length",
            "subwords_at_once",
            "learning_rate",
            "head_learning_rate",
            "clip_norm",
            "layer_decay",
            "mlm_batch_size",
            "mlm_steps",
            "mlm_learning_rate",
            "lora_alpha",
            "lora_learning_rate",
        )
        for name in positive:
            if getattr(self, name) <= 0:
                raise InvalidConfig(f"{name} is {getattr(self, name)}; it must be greater than 0")
        not_negative = (
            "epochs",
            "min_steps",
            "max_steps",
            "weight_decay",
            "max_restarts",
            "mlm_weight",
            "frozen_layers",
            "lora_rank",
        )
        for name in not_negative:
            if getattr(self, name) < 0:
                raise InvalidConfig(f"{name} is {getattr(self, name)}; it must not be negative")
        if self.reinitialised_layers < -1:
            raise InvalidConfig(
                f"reinitialised_layers is {self.reinitialised_layers}; it must be -1 (what suits the backbone), 0 or more"
            )
        for name in (
            "warmup_fraction",
            "dropout",
            "min_train_f1",
            "mlm_probability",
            "mlm_fraction",
            "mask_probability",
            "final_rate_fraction",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidConfig(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")
        if self.encoder_dropout > 1:
            raise InvalidConfig(
                f"encoder_dropout is {self.encoder_dropout}; it must lie between 0 and 1, or be negative to stay as pretrained"
            )
        if not 0 <= self.seed < SEEDS:
            raise InvalidConfig(f"seed is {self.seed}; it must lie between 0 and {SEEDS - 1}")
        if self.adaptation not in ADAPTATIONS:
            raise UnknownName(f"there is no adaptation {self.adaptation!r}; choose one of {', '.join(ADAPTATIONS)}")
        if self.adaptation == "beside" and not self.trim_vocabulary:
            raise InvalidConfig(
                "adaptation is beside, which guesses among the sub-words of the text; set trim_vocabulary"
            )
        if self.system == "maner_rand" and (self.frozen_layers or self.lora_rank):
            name = "frozen_layers" if self.frozen_layers else "lora_rank"
            raise InvalidConfig(
                f"{name} is {getattr(self, name)}, but maner_rand must train the embedding of its token; set it to 0"
            )
        if self.lora_rank and (self.adaptation == "before" or self.layers_anew):
            change = "adaptation before" if self.adaptation == "before" else "reinitialised_layers"
            raise InvalidConfig(
                f"lora_rank is {self.lora_rank}, whose checkpoint leaves the backbone's weights out, but {change} changes "
                "those; set one of the two to its default"
            )
        if self.calibration_folds < 0 or self.calibration_folds == 1:
            raise InvalidConfig(f"calibration_folds is {self.calibration_folds}; it must be 0 or at least 2")
        if not self.epochs and not self.min_steps:
            raise InvalidConfig("epochs and min_steps are both 0; one of them must ask for some training")
        if self.max_steps and self.max_steps < self.min_steps:
            raise InvalidConfig(
                f"max_steps is {self.max_steps}, below min_steps {self.min_steps}; raise it or set it to 0"
            )
        if self.max_length < MIN_WINDOW:
            raise InvalidConfig(f"max_length is {self.max_length}; a window needs at least {MIN_WINDOW} sub-words")

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> "TrainConfig":
        """The preset `name` with some fields replaced. Raises UnknownName or InvalidConfig."""
        if name not in PRESETS:
            raise UnknownName(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(overrides) - known)
        if unknown:
            raise InvalidConfig(f"{unknown[0]!r} is no setting of a training; choose among {', '.join(sorted(known))}")
        return replace(PRESETS[name], **overrides)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """The reverse of `to_dict`; fields that this release does not know are refused with InvalidConfig."""
        return cls.preset("default", **values)

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, as JSON can hold them."""
        return asdict(self)

    @property
    def layers_anew(self) -> int:
        """Top encoder layers that start from random weights: what reinitialised_layers says or, where it is -1, what helped.

        That is one layer of the bundled backbone, whose top layer has learned to compare whole sentences
        (tests/benchmarks/recipe_sweep.py); none of other backbones, one adapted before, one that LoRA leaves as it is.
        """
        if self.reinitialised_layers >= 0:
            return self.reinitialised_layers
        return int(self.backbone == "bundled" and self.adaptation != "before" and not self.lora_rank)

    def steps(self, n_sentences: int) -> int:
        """Optimiser steps for this many training sentences (or windows): `epochs=30, batch_size=8, 100 -> 390`."""
        wanted = max(self.min_steps, round(self.epochs * ceil(n_sentences / self.batch_size)))
        return min(wanted, self.max_steps) if self.max_steps else wanted


PRESETS = {
    "default": TrainConfig(),
    # Sonkar et al. 2023: XLM-RoBERTa-large, 30 epochs, Adam (AdamW is cited) at 5e-6 for all parameters, no
    # repetition of a failed run, on a card without bfloat16. What is not given there is our choice: 8 sentences a step, 0.15
    # of the words masked for mlm_ner, a constant rate, AdamW's usual decay of 0.01, gradients clipped at 1, dropout 0.1, that
    # of attention weights included.
    "paper": TrainConfig(
        backbone="xlm-roberta-large",
        epochs=30,
        min_steps=0,
        max_steps=0,
        learning_rate=5e-6,
        head_learning_rate=5e-6,
        attention_dropout=True,
        reinitialised_layers=0,
        warmup_fraction=0.0,
        min_train_f1=0.0,
        max_restarts=0,
        mixed_precision=False,
        final_rate_fraction=1.0,
    ),
}


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """Settings written as text: `["learning_rate=5e-5", "max_steps=0"] -> {"learning_rate": 5e-05, "max_steps": 0}`.

    Of a name that comes twice the last counts. Raises InvalidConfig on a word that is none; TrainConfig checks the rest.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise InvalidConfig(f"the setting {word!r} has no value; write it like learning_rate=5e-5")
        values[name] = _value(name, text)
    return values


def _value(name: str, text: str) -> Any:
    """`text` as the type that the setting has."""
    known = getattr(TrainConfig(), name, None)
    if isinstance(known, bool):
        if text not in ("true", "false"):
            raise InvalidConfig(f"{name} is {text!r}; it must be true or false")
        return text == "true"
    if not isinstance(known, int | float):
        return text
    try:
        return type(known)(text)
    except ValueError:
        what = "a whole number" if isinstance(known, int) else "a number"
        raise InvalidConfig(f"{name} is {text!r}; it must be {what}") from None
