"""Files as nobody should send them: real ones with their bytes cut, doubled, swapped and mixed with what breaks readers."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

from annotation.formats import IMPORT_FORMATS, ReadOptions, SourceFile, read_file
from annotation.formats.schemes import SCHEMES
from annotation.importing import USES, import_files
from maner_core import conll
from maner_core.errors import ManerError
from storage import Store

SEEDS: dict[str, bytes] = {
    "conll": "-DOCSTART- O\n\n# status = skipped\nAsha B-PER\nyuko O\nNairobi S-LOC\n\n\u202eصباح I-ORG\n<b> O\n".encode(),
    "tabs": b"token\ttag\nAsha Wangari\tB-PER\nna\tO\n\nJuma\tL-PER\n",
    "four": b"Asha -X- O B-PER\nyuko -X- O O\n\nMoshi -X- O U-LOC\n",
    "text": "Asha anaishi Nairobi.\nกรุงเทพมหานคร 東京 👩🏾\u200d🌾\n=1+1\n".encode(),
    "csv": 'id;text;note\n1;"Asha; ""Dada"" yuko\nNairobi";=1+1\n2;東京;\n'.encode(),
    "jsonl": "\n".join(
        json.dumps(line, ensure_ascii=False)
        for line in (
            {"text": "Asha Wangari yuko", "spans": [{"start": 0, "end": 12, "label": "PER"}], "meta": {"a": "b"}},
            {"tokens": ["Asha", "yuko"], "spans": [{"token_start": 0, "token_end_exclusive": 1, "label": "PER"}]},
            {"text": "x", "label": [[0, 1, "LOC"]], "answer": "reject", "split": "test", "doc_id": "d"},
        )
    ).encode(),
}

_CHARACTERS = (
    "\0", "\ufeff", "\u202e", "\u200d", "\u2028", "\x85", "\x1b[2J", "\r", "\r\n", "\n\n", "\t", " ", "\ud800", "é",
    "e\u0301", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "-DOCSTART-", "# a = b\n", "B-", "I-I-", "B-\u202e", "O", "{",
    "[" * 2_000, '{"a":' * 2_000, '"', "\\u0000", "\\ud800", "1e999", "NaN", "-1", "9" * 5_000, "null", "true", "x" * 70_000,
    "a " * 11_000,
)  # fmt: skip
_BYTES = (b"\xff\xfe", b"\xfe\xff", b"\xff", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x1f\x8b\x08\x00", b"PK\x03\x04")
PIECES: tuple[bytes, ...] = (*(piece.encode("utf-8", "surrogatepass") for piece in _CHARACTERS), *_BYTES)


def mutated(rng: Random) -> bytes:
    """A file that began as one of SEEDS, after one to eight accidents."""
    data = bytearray(rng.choice(list(SEEDS.values())))
    for _ in range(rng.randint(1, 8)):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(6):
            case 0:
                data[at:at] = rng.choice(PIECES)
            case 1:
                del data[at : min(to, at + 40)]
            case 2:
                data[at:at] = data[at : min(to, at + 200)] * rng.randint(1, 3)
            case 3:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 4:
                data[at:to] = rng.choice(PIECES)
            case _:
                data[at:at] = rng.choice(list(SEEDS.values()))[:200]
    return bytes(data)


def zipped(rng: Random, backup: bytes) -> bytes:
    """A backup with one of its parts changed, added or said to be something else, or its bytes damaged."""
    if rng.random() < 0.3:
        data = bytearray(backup)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(backup)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        victim = rng.choice(names)
        for name in names:
            content = bytearray(old.read(name))
            if name == victim and content:
                at = rng.randrange(len(content))
                content[at : at + rng.randrange(20)] = rng.choice(PIECES)[:200]
            new.writestr(name, bytes(content))
        if rng.random() < 0.2:
            new.writestr(rng.choice(["../x", "runs/1/../../x", "/x", "runs/1/ok.txt"]), b"x")
    return out.getvalue()


def read_hostile(data: bytes, rng: Random, store: Store, project_id: int, folder: Path) -> str:
    """Put the bytes through one of the importers: "taken" or "refused". Anything but a ManerError is a fault."""
    name = rng.choice(["a.txt", "a.conll", "a.jsonl", "a.tsv", "../../a", "a\u202e.txt", "<b>.csv"])
    file = SourceFile(name, data)
    format = rng.choice(["auto", *IMPORT_FORMATS])
    scheme = rng.choice(["auto", *SCHEMES])

    def through_columns() -> object:
        path = folder / "columns.txt"
        path.write_bytes(data)
        return [conll.read(path), list(conll.words(path))]

    def through_import() -> object:
        use_as = rng.choice(USES)
        return import_files(
            store, project_id, [file], format=format, use_as=use_as, scheme=scheme, skip_bad=True, add_labels=True
        )

    ways: tuple[Callable[[], object], ...] = (
        lambda: read_file(file, format, ReadOptions(scheme, rng.random() < 0.5)),
        through_columns,
        through_import,
    )
    try:
        rng.choice(ways)()
    except ManerError as error:
        if not str(error) or len(str(error)) > 20_000:
            raise AssertionError(f"a refusal of {len(str(error))} characters") from error
        return "refused"
    return "taken"
