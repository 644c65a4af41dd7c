"""Where the sets of a benchmark come from: folders of CoNLL files, sets of the `datasets` library by name or saved to disk.

A set has training and test sentences with gold spans; everything else a benchmark needs is drawn from these two.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import name as name_of_character

from maner_core import conll
from maner_core.errors import InvalidInput
from maner_core.spans import Span, repair_tags, tags_to_spans

SUFFIXES = (".txt", ".conll", ".tsv", ".bio", ".iob2")
"""Endings of CoNLL files: `train.txt` and `test.txt`, or any other of these."""

HUB_NAMES = {"wikiann": "unimelb-nlp/wikiann"}
"""Sets of the hub known by a shorter name (Rahimi et al. 2019: the splits of WikiANN that the MANER paper uses)."""

# One string, split: a list of a hundred short strings would fill a hundred lines.
_PAPER_LANGUAGES = """
ace als am ang arc arz as ay ba bar bat-smg bh bo cbk-zam cdo ce ceb co crh csb cv diq dv eml ext fiu-vro fo frr fur
gan gd gn gu hak hsb ia ig ilo io jbo jv km kn ksh ku ky li lij lmo ln map-bms mg mhr mi min mn mt mwl my mzn nap nds
ne nov oc or os pa pdc pms pnb ps qu rm rw sa sah scn sco sd si so su szl tg tk ug vec vep vls vo wa war wuu xmf yi yo
zea zh-classical zh-min-nan
"""
PAPER_LANGUAGES = tuple(_PAPER_LANGUAGES.split())
"""The 100 languages of WikiANN that have 100 training and 100 test sentences, as its card counts them: the paper's."""

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]+)*")
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?(?::[\w.,-]+)?")


@dataclass(frozen=True, slots=True)
class NerSet:
    """Training and test sentences of one language."""

    collection: str
    """Such as "masakhaner2"."""
    language: str
    """Such as "swa"; empty where the name does not say."""
    train: conll.Corpus
    test: conll.Corpus

    @property
    def name(self) -> str:
        """Such as "masakhaner2/swa"."""
        return f"{self.collection}/{self.language}" if self.language else self.collection

    @property
    def script(self) -> str:
        """The script of most letters of the training sentences, such as "Latin"; empty without letters."""
        words = chain.from_iterable(self.train.sentences)
        counts = Counter(_script(character) for word in words for character in word if character.isalpha())
        return counts.most_common(1)[0][0] if counts else ""

    @property
    def fingerprint(self) -> str:
        """12 digits that change with any token or span of either half."""
        digest = sha256()
        for corpus in (self.train, self.test):
            for sentence, spans in zip(corpus.sentences, corpus.spans, strict=True):
                row = [sentence, [[span.start, span.end, span.label] for span in spans]]
                digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            digest.update(b"\n")
        return digest.hexdigest()[:12]


def read_sets(places: Sequence[str]) -> list[NerSet]:
    """The sets at these places, each once, in the order given.

    A place is a folder with train and test files, a folder of such folders at any depth, a folder written by
    `save_to_disk` of `datasets`, or the name of a set of the hub with its configurations behind a colon:
    `wikiann:sw`, `wikiann:ig,rw`, `conll2003`. `wikiann` alone stands for the paper's 100 languages. Raises
    InvalidInput or FormatError: one sentence with a remedy.
    """
    sets = [found for place in places for found in _at(place)]
    return list({(found.name, found.fingerprint): found for found in sets}.values())


def _at(place: str) -> list[NerSet]:
    folder = Path(place)
    if folder.is_dir():
        return _in_folder(folder.resolve())
    if not _HUB_NAME.fullmatch(place):
        raise InvalidInput(f"there is no folder {place}; give a folder with train and test files, or a set of the hub")
    repository, _, configurations = place.partition(":")
    names = [name for name in configurations.split(",") if name]
    if place == "wikiann":
        names = list(PAPER_LANGUAGES)
    collection = repository.rpartition("/")[2]
    if not names:
        return [NerSet(collection, "", *_halves(place, _from_hub(repository, None)))]
    return [NerSet(collection, name, *_halves(f"{repository}:{name}", _from_hub(repository, name))) for name in names]


def _in_folder(folder: Path) -> list[NerSet]:
    """The set in this folder, else those in the folders below it."""
    if (folder / "dataset_dict.json").is_file():
        return [NerSet(*_names(folder), *_halves(str(folder), _from_disk(folder)))]
    if (folder / "dataset_info.json").is_file():
        raise InvalidInput(f"{folder} holds a single split; save a DatasetDict with the splits train and test instead")
    files = {half: _file(folder, half) for half in ("train", "test")}
    if all(files.values()):
        return [NerSet(*_names(folder), *(conll.read(file) for file in files.values() if file))]
    if any(files.values()):
        missing = next(half for half, file in files.items() if file is None)
        raise InvalidInput(f"{folder} has no {missing} file; name it {missing}{SUFFIXES[0]} or {missing}{SUFFIXES[1]}")
    below = [_in_folder(child) for child in sorted(folder.iterdir()) if _leads_on(child)]
    if not below:
        raise InvalidInput(
            f"{folder} holds no set; give a folder with train.txt and test.txt, or one that `save_to_disk` wrote"
        )
    return list(chain.from_iterable(below))


def _leads_on(folder: Path) -> bool:
    """Whether there is a set in this folder or below it."""
    if not folder.is_dir():
        return False
    own = any(_file(folder, half) for half in ("train", "test")) or (folder / "dataset_dict.json").is_file()
    return own or any(_leads_on(child) for child in folder.iterdir())


def _file(folder: Path, half: str) -> Path | None:
    found = [folder / f"{half}{suffix}" for suffix in SUFFIXES if (folder / f"{half}{suffix}").is_file()]
    if len(found) > 1:
        raise InvalidInput(f"{folder} has {found[0].name} and {found[1].name}; leave one of them")
    return found[0] if found else None


def _names(folder: Path) -> tuple[str, str]:
    """Collection and language of a folder: `data/masakhaner2/swa -> ("masakhaner2", "swa")`, `data/News -> ("News", "")`."""
    if _LANGUAGE.fullmatch(folder.name) and folder.parent.name:
        return folder.parent.name, folder.name
    return folder.name, ""


def _script(character: str) -> str:
    return name_of_character(character, "").partition(" ")[0].capitalize()


# Sets of the `datasets` library, which is imported only here and only when one is asked for.


def _from_hub(repository: str, configuration: str | None) -> Mapping[str, Any]:
    """The splits of a set of the hub, out of the library's cache where there is no network."""
    _need_datasets(repository)
    import datasets

    try:
        splits = datasets.load_dataset(HUB_NAMES.get(repository, repository), configuration)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        named = repository if configuration is None else f"{repository}:{configuration}"
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InvalidInput(
            f"there is no folder {named}, and the set of this name cannot be had from the hub ({reason}); check the name, or "
            "save the set with `save_to_disk` where there is a network and give the folder"
        ) from error
    return dict(splits)


def _from_disk(folder: Path) -> Mapping[str, Any]:
    _need_datasets(str(folder))
    import datasets

    try:
        return dict(datasets.load_from_disk(str(folder)))
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InvalidInput(f"{folder} cannot be read as a saved set ({reason}); save it again") from error


def _need_datasets(place: str) -> None:
    from importlib.util import find_spec

    if find_spec("datasets") is None:
        raise InvalidInput(f"{place} needs the package datasets; install it or give a folder of CoNLL files")


def _halves(place: str, splits: Mapping[str, Any]) -> tuple[conll.Corpus, conll.Corpus]:
    for half in ("train", "test"):
        if half not in splits:
            raise InvalidInput(f"{place} has no split {half}, only {', '.join(splits)}; give a set that has one")
    return _corpus(f"{place} (train)", splits["train"]), _corpus(f"{place} (test)", splits["test"])


def _corpus(place: str, split: Any) -> conll.Corpus:
    """Sentences and spans of a split with the columns tokens and ner_tags; sentences without a token are left out."""
    for column in ("tokens", "ner_tags"):
        if column not in split.column_names:
            raise InvalidInput(
                f"{place} has no column {column}, only {', '.join(split.column_names)}; rename the one that holds it"
            )
    names = getattr(split.features["ner_tags"].feature, "names", None)
    sentences: list[list[str]] = []
    spans: list[list[Span]] = []
    n_repaired = 0
    for tokens, numbers in zip(split["tokens"], split["ner_tags"], strict=True):
        tags = [names[number] if names else number for number in numbers]
        if not tokens:
            continue
        legal = repair_tags(_iob2(place, tags))
        if len(tokens) != len(tags):
            raise InvalidInput(f"{place} has a sentence of {len(tokens)} tokens with {len(tags)} tags; repair the set")
        n_repaired += sum(tag != repaired for tag, repaired in zip(tags, legal, strict=True))
        sentences.append(list(tokens))
        spans.append(tags_to_spans(legal))
    if not sentences:
        raise InvalidInput(f"{place} holds no sentence; check that it is the right set")
    return conll.Corpus(sentences, spans, n_repaired)


def _iob2(place: str, tags: Iterable[Any]) -> list[str]:
    """The tags as they are, or InvalidInput when they are numbers without names or of another scheme."""
    tags = list(tags)
    wrong = next((tag for tag in tags if not isinstance(tag, str) or not re.fullmatch(r"O|[BI]-.+", tag)), None)
    if wrong is not None:
        raise InvalidInput(
            f"{place} has the tag {wrong!r} in ner_tags; a benchmark reads IOB2 by name (O, B-LOC, I-LOC)"
        )
    return tags
