"""The model card of a checkpoint, README.md: what it was trained on and how well it does, for people and for model hubs.

The training writes what it knows; `describe` adds what only its caller knows. No torch here.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from maner_core.errors import NoCheckpoint
from maner_core.spans import Span

SETTINGS = "maner.json"
CARD = "README.md"

Settings = dict[str, Any]
"""What SETTINGS holds: format, labels, config, report, data, backbone, versions, and an evaluation once there is one."""

NO_ESTIMATE = "trained on the evaluation sentences too: no estimate of its F1 is left"
"""What stands in the place of F1 for a final training."""

_SYSTEMS = {
    "maner": "a mask goes before every word, and the word's tag is read from it",
    "maner_rand": "a token learned from nothing goes before every word, and the word's tag is read from it",
    "sner": "the tag is read from the first sub-word of each word",
    "mlm_ner": "the tag is read from the first sub-word of each word; some words were masked in training",
}
_UNLABELLED_TEXT = {
    "before": "the backbone first learned to guess hidden words of it",
    "beside": "hidden words of it were guessed beside the training, as a second loss",
}
"""What each adaptation did."""
PLAIN_SYSTEMS = ("sner", "mlm_ner")
"""Systems that read the sentence as it is, so that their checkpoints need nothing but `transformers`."""

_LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(-\w+)*")


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a training saw of its sentences."""

    sentences: int = 0
    words: int = 0
    entities: int = 0
    sentences_sha256: str = ""
    """Of the sentences as JSON lists of words, one a line, in their order."""

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]], spans: Sequence[Sequence[Span]]) -> "TrainingData":
        """Count and hash."""
        lines = "\n".join(json.dumps(list(sentence), ensure_ascii=False) for sentence in sentences)
        digest = sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()
        return cls(len(sentences), sum(map(len, sentences)), sum(map(len, spans)), digest)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Entity F1 (0 to 1) with its 95% interval, on `sentences` sentences that were not trained on; `of` names them."""

    f1: float
    f1_low: float
    f1_high: float
    sentences: int
    of: str


@dataclass(frozen=True, slots=True)
class DataCard:
    """What whoever ordered a training knows beyond it; all may be left out."""

    language: str = ""
    project: str = ""
    sentence_ids: Sequence[int] = ()
    """The training sentences in the database they come from; only their hash is kept."""
    evaluation: Evaluation | None = None
    evaluation_sentences: int = 0
    """Evaluation sentences among those trained on: with any there is no estimate of F1 left."""
    snapshots: Sequence[str] = ()
    """Names under which the project keeps just these training data."""


def describe(folder: Path, card: DataCard) -> None:
    """Add to the checkpoint in `folder` what `card` knows, and write its README.md anew. Raises NoCheckpoint."""
    data = {
        "language": card.language,
        "project": card.project,
        "ids_sha256": hash_of_ids(card.sentence_ids),
        "evaluation_sentences": card.evaluation_sentences,
        "snapshots": list(card.snapshots),
    }
    try:
        settings: Settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        settings["data"] |= {name: value for name, value in data.items() if value}
        if card.evaluation is not None:
            settings["evaluation"] = asdict(card.evaluation)
        write_settings(folder, settings)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoCheckpoint(
            f"{folder} is no checkpoint of this release: {SETTINGS} cannot be read ({error}); train it again"
        ) from error


def labels_of(folder: Path) -> list[str]:
    """The labels of the checkpoint in `folder`, without loading it. Raises NoCheckpoint where there is none to be loaded."""
    try:
        labels = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["labels"]
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("its labels are no list of names")
    except FileNotFoundError:
        what = f"it has no {SETTINGS}" if folder.is_dir() else "there is no such folder"
        raise NoCheckpoint(
            f"{folder} is no checkpoint of this tool ({what}); give the folder a training wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NoCheckpoint(f"the checkpoint {folder} is damaged: {SETTINGS} cannot be read ({error})") from error
    return labels


def evaluation_sentences_of(folder: Path) -> int:
    """How many evaluation sentences of its project the checkpoint in `folder`, which can be loaded, was trained on."""
    data = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["data"]
    return int(data.get("evaluation_sentences", 0))


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the card made of the settings, and SETTINGS, each by way of a temporary name."""
    for name, text in ((CARD, render(settings)), (SETTINGS, json.dumps(settings, ensure_ascii=False, indent=2))):
        unfinished = folder / f".{name}.unfinished"
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, folder / name)


def hash_of_ids(ids: Sequence[int]) -> str:
    """SHA-256 of the numbers in ascending order, one a line; empty without any: `[3, 1] -> sha256("1\\n3")`."""
    return sha256("\n".join(map(str, sorted(ids))).encode()).hexdigest() if ids else ""


def render(settings: Settings) -> str:
    """The text of README.md: metadata as model hubs read it, a table, and how to load the checkpoint."""
    config, report = settings["config"], settings["report"]
    data, labels = settings["data"], settings["labels"]
    of_evaluation = data.get("evaluation_sentences", 0)
    rows = {
        "trained on": f"{data['sentences']:,} sentences, {data['words']:,} words, {data['entities']:,} entities"
        + (f"; {of_evaluation:,} of the sentences were for evaluation" if of_evaluation else ""),
        "language": data.get("language") or "not stated",
        "project": data.get("project", ""),
        "snapshot of the project": ", ".join(data.get("snapshots", ())),
        "F1": _f1(settings.get("evaluation")) if not of_evaluation else NO_ESTIMATE,
        "F1 on its own training sentences": f"{report['train_f1']:.3f}",
        "system": f"{config['system']}: {_SYSTEMS[config['system']]}",
        "backbone": _backbone(settings["backbone"]),
        "unlabelled text": _UNLABELLED_TEXT.get(config.get("adaptation", "none"), ""),
        "training": f"{report['steps']:,} steps, {report['seconds']:.0f} s on {report['device']}, seed {report['seed']}",
        "repetitions": _repetitions(report["restarts"]),
        "versions": ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
        + f", checkpoint format {settings['format']}",
        "SHA-256 of the sentence ids": data.get("ids_sha256", ""),
        "SHA-256 of the sentences": data["sentences_sha256"],
    }
    table = "\n".join(f"| {name} | {_cell(str(value))} |" for name, value in rows.items() if value)
    more = _OPENS_IN_TRANSFORMERS if config["system"] in PLAIN_SYSTEMS else _NEEDS_THIS_TOOL
    more = _NEEDS_ITS_BACKBONE if config["lora_rank"] else more
    return _TEMPLATE.format(metadata=_metadata(settings), labels=_cell(", ".join(labels)), table=table, more=more)


def _f1(evaluation: dict[str, Any] | None) -> str:
    if evaluation is None:
        return "not measured on sentences it has not seen"
    return (
        f"{evaluation['f1']:.3f} ({evaluation['f1_low']:.3f} to {evaluation['f1_high']:.3f} with 95% confidence) on "
        f"{evaluation['sentences']:,} sentences of {evaluation['of']}"
    )


def _repetitions(restarts: int) -> str:
    """Nothing where the first training was good enough."""
    return (
        f"{restarts}, with other seeds: a training had not learned its own sentences; this is the best"
        if restarts
        else ""
    )


def _backbone(origin: dict[str, str]) -> str:
    page = f"see https://huggingface.co/{origin['hub_id']}" if origin["hub_id"] else "see where it comes from"
    return f"{origin['name']}, licence: {origin['licence'] or page}"


def _metadata(settings: Settings) -> str:
    """The YAML lines between the dashes; every value is written as JSON, which YAML reads."""
    language, origin = settings["data"].get("language", ""), settings["backbone"]
    values = {
        "language": language if _LANGUAGE_CODE.fullmatch(language) else "",
        "license": origin["licence"],
        "base_model": origin["hub_id"],
        "pipeline_tag": "token-classification",
        "tags": ["maner", "named-entity-recognition"],
    }
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in values.items() if value)


def _cell(text: str) -> str:
    """Somebody's words as the inside of one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


_OPENS_IN_TRANSFORMERS = """
It reads plain sentences, so it also opens in `transformers` as it is:

```python
from transformers import pipeline

pipeline("token-classification", model="this/folder", aggregation_strategy="first")("Rais amewasili Mombasa leo")
```
"""

_NEEDS_THIS_TOOL = """
It does not work in a `pipeline` of `transformers`, which puts nothing before the words.
"""

_NEEDS_ITS_BACKBONE = """
It holds an adapter (LoRA) and the linear layer alone: the backbone named above must be there too.
"""

_TEMPLATE = """---
{metadata}
---

# Named entity tagger: {labels}

| | |
|---|---|
{table}

The licence named above is that of the backbone; what the training sentences allow is for their owners to say.

## Use

```python
from maner_core.inference import Tagger

tagger = Tagger.load("this/folder")
print(tagger.predict([["Rais", "amewasili", "Mombasa", "leo"]])[0].spans)
```
{more}"""
