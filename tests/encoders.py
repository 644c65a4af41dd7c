"""Two-layer random encoders with a small tokenizer, built in code and saved as ordinary Hugging Face folders.

They know nothing, but everything around them is real: sub-words, special tokens, windows, weights on disk.
"""

import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from maner_core.backbones import quiet_transformers
from maner_core.config import TrainConfig
from maner_core.encoding import WordEncoder, longest_window
from maner_core.inference import Tagger
from maner_core.model import TokenTagger, add_random_token
from maner_core.spans import Span, iob2_tags, tags_to_spans

# Such small networks gain nothing from a second thread, and on a busy machine threads spend their time waiting for each other.
torch.set_num_threads(1)

HIDDEN = 32
LABELS = ["PER", "LOC"]
FAST = TrainConfig(
    min_steps=20, max_steps=20, learning_rate=2e-3, head_learning_rate=1e-2, min_train_f1=0.0, mixed_precision=False
)
"""A training of a tenth of a second: enough to move every weight, not to learn anything."""

_SENTENCES = [
    ("Juma lives in Arusha", "B-PER O O B-LOC"),
    ("Asha Musa left", "B-PER I-PER O"),
    ("Dar es Salaam grows", "B-LOC I-LOC I-LOC O"),
    ("it rained", "O O"),
    ("Neema sings in Moshi today", "B-PER O O B-LOC O"),
    ("Tanga and Iringa", "B-LOC O B-LOC"),
    ("we saw Baraka Juma", "O O B-PER I-PER"),
    ("nobody came to Kigoma", "O O O B-LOC"),
]
SENTENCES = [words.split() for words, _ in _SENTENCES]
SPANS = [tags_to_spans(tags.split()) for _, tags in _SENTENCES]


def tiny_bert(folder: Path, seed: int = 0) -> Path:
    """A BertModel whose sub-words are letters and a few endings, without a mark where a word begins: WordPiece."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*string.ascii_letters, *string.digits]
    pieces = [*specials, *letters, *(f"##{letter}" for letter in letters), "##sha", "##ma", "it", "in"]
    core = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(
        vocab_size=len(pieces), intermediate_size=64, max_position_embeddings=128, pad_token_id=0, **sizes
    )
    return _save(folder, BertModel(config, add_pooling_layer=False), _bracketed(core))


def tiny_xlmr(folder: Path, seed: int = 0) -> Path:
    """An XLMRobertaModel whose sub-words are letters and a mark where a word begins: Unigram."""
    letters = [*string.ascii_letters, *string.digits]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters, "sha", "ma", "▁it", "▁in", "<mask>"]
    scores = [(piece, 0.0 if i < 4 else -1.0) for i, piece in enumerate(pieces)]
    core = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    core.normalizer = normalizers.NFKC()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = XLMRobertaConfig(
        vocab_size=len(pieces), intermediate_size=64, max_position_embeddings=130, type_vocab_size=1, **sizes
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
        model_max_length=128,
    )
    return _save(folder, XLMRobertaModel(config, add_pooling_layer=False), tokenizer)


def tiny_deberta(folder: Path, seed: int = 0) -> Path:
    """A DebertaV2Model of the third kind (relative positions alone) with a Unigram tokenizer."""
    specials = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    pieces = [*specials, "▁", *string.ascii_letters, *string.digits, "sha", "ma", "▁it", "▁in", "[MASK]"]
    scores = [(piece, 0.0 if i < 4 else -1.0) for i, piece in enumerate(pieces)]
    core = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = DebertaV2Config(
        vocab_size=len(pieces),
        intermediate_size=64,
        max_position_embeddings=128,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        pad_token_id=0,
        **sizes,
    )
    return _save(folder, DebertaV2Model(config), _bracketed(core))


def tiny_modernbert(folder: Path, seed: int = 0) -> Path:
    """A ModernBertModel, one layer that sees all and one that sees its surroundings, with a byte-level BPE tokenizer.

    As with the real one, the tokenizer itself puts no space before a word.
    """
    specials = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    pieces = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet()), "sh", "sha", "ma", "Ġi", "Ġin"]
    merges = [("s", "h"), ("sh", "a"), ("m", "a"), ("Ġ", "i"), ("Ġi", "n")]
    core = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = ModernBertConfig(
        vocab_size=len(pieces),
        intermediate_size=64,
        max_position_embeddings=128,
        local_attention=8,
        layer_types=["full_attention", "sliding_attention"],
        pad_token_id=3,
        cls_token_id=1,
        bos_token_id=1,
        sep_token_id=2,
        eos_token_id=2,
        **sizes,
    )
    return _save(folder, ModernBertModel(config), _bracketed(core))


TINY_ENCODERS = {"bert": tiny_bert, "xlmr": tiny_xlmr, "deberta": tiny_deberta, "modernbert": tiny_modernbert}


def random_tagger(backbone: Path, config: TrainConfig = FAST, labels: Sequence[str] = LABELS) -> Tagger:
    """An untrained tagger on one of these encoders, with a head wide enough that words get different tags."""
    from maner_core.backbones import load_backbone

    encoder, tokenizer = load_backbone(str(backbone))
    if config.system == "maner_rand":
        add_random_token(encoder, tokenizer, config.seed)
    torch.manual_seed(1)
    model = TokenTagger(encoder, len(iob2_tags(labels)), config.dropout)
    torch.nn.init.normal_(model.head.weight, std=1.0)
    words = WordEncoder(tokenizer, config.system, longest_window(config.max_length, encoder, tokenizer))
    return Tagger(model, words, list(labels), replace(config, backbone=str(backbone)))


def spans_of(*items: tuple[int, int, str]) -> list[Span]:
    """Spans written short: `(0, 2, "PER") -> [Span(0, 2, "PER")]`."""
    return [Span(*item) for item in items]


def _bracketed(core: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer with its special tokens written [so]."""
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=128,
    )


def _save(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast) -> Path:
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
