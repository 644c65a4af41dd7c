"""A backup: one zip file that holds every row as JSON lines and, if asked for, the checkpoints.

    backup.json           what this is, the revision of the tables, how many rows of each
    tables/<name>.jsonl   a row a line, by the names of its columns
    runs/<run id>/…       a checkpoint

It moves a project between machines and from SQLite to PostgreSQL as well. A zip file carries a checksum of each part;
they are looked at when a backup has been written and again when it is read.
"""

import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from annotation.whole_file import whole_file
from maner_core.errors import InvalidInput
from maner_core.model_card import SETTINGS
from storage import Store

FORMAT = "maner backup 1"
CONTENTS = "backup.json"
LONGEST_LINE = 64 * 2**20  # bytes of a row: far more than a sentence may have
CHECKPOINT_FILE = re.compile(r"runs/(\d+)/(?!.*\.\.)[\w][\w./-]*", re.ASCII)

UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""What zipfile raises over a damaged or foreign file, down to features and passwords it does not know."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a backup: the revision of its tables, the number of rows by table, the runs whose checkpoints it has."""

    revision: str
    made_at: str
    rows: dict[str, int]
    runs: list[int]


def back_up(store: Store, out: Path, runs: Path | None = None) -> Contents:
    """Write a backup to `out`, with the checkpoints in the folder `runs` if there is one, while people go on working.

    The rows are those of one moment. InvalidInput where the file cannot be written, or there is nothing to back up.
    """
    with whole_file(out) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            rows: dict[str, int] = {}
            made_at = datetime.now(UTC).isoformat(timespec="seconds")

            def take(table: str, of_table: Iterator[dict[str, Any]]) -> None:
                rows[table] = 0
                with archive.open(f"tables/{table}.jsonl", "w", force_zip64=True) as member:
                    for row in of_table:
                        member.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                        rows[table] += 1

            revision = store.dump(take)
            kept = [] if runs is None else list(_pack_runs(archive, runs))
            contents = Contents(revision, made_at, rows, kept)
            archive.writestr(CONTENTS, json.dumps({"format": FORMAT, **_fields(contents)}, indent=1))
        _check(file, out)
    return contents


def restore(store: Store, file: Path, runs: Path, replace: bool = False) -> Contents:
    """Put the rows of a backup into the database and its checkpoints into the folder `runs`: all or nothing.

    Refused where there are projects or accounts already, unless they may be replaced; DatabaseTooNew for a backup of a
    newer release; InvalidInput for a file that is no backup or is damaged.
    """
    with _opened(file) as archive:
        contents = _contents(archive, file)
        with _unpacked_runs(archive, runs) as unpacked:

            def rows_of(table: str) -> Iterator[dict[str, Any]]:
                n = 0
                for row in _rows(archive, table):
                    yield row
                    n += 1
                if n != contents.rows[table]:
                    raise InvalidInput(
                        f"{file} has {n} rows of {table} instead of {contents.rows[table]}: it is damaged"
                    )

            store.load(contents.revision, list(contents.rows), rows_of, replace)
            for folder in unpacked.iterdir():
                shutil.rmtree(runs / folder.name, ignore_errors=True)
                folder.rename(runs / folder.name)
    return contents


def clear_of_foreign_runs(store: Store, home: Path) -> Path | None:
    """Move checkpoints under `home` that are of no run of the database, though they bear its number, to a folder beside them.

    After a restore: the database before may have had other runs of the same numbers. A checkpoint says of its training what
    the database says of the run. What is made again when it is needed, adapted backbones and word features, is deleted.
    The folder, where there were any.
    """
    for derived in [*home.glob("backbones/project-*"), *home.glob("features/project-*")]:
        shutil.rmtree(derived, ignore_errors=True)
    ours = {
        run.id: run.metrics.get("train")
        for project in store.projects()
        for run in (*store.runs(project.id), *store.final_runs(project.id))
    }
    runs = home / "runs"
    numbered = [path for path in runs.glob("*") if path.name.isdecimal()]
    foreign = [path for path in numbered if (report := _report_of(path)) is None or report != ours.get(int(path.name))]
    if not foreign:
        return None
    aside = runs / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    aside.mkdir()
    for folder in foreign:
        folder.rename(aside / folder.name)
    return aside


def _report_of(folder: Path) -> object:
    """What a checkpoint says of its training; None for a damaged one."""
    try:
        return json.loads((folder / SETTINGS).read_bytes())["report"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _fields(contents: Contents) -> dict[str, Any]:
    return {name: getattr(contents, name) for name in Contents.__slots__}


def _pack_runs(archive: zipfile.ZipFile, runs: Path) -> Iterator[int]:
    """Weights do not get smaller by compressing. A checkpoint that is deleted meanwhile, as old ones are, is left out."""
    for folder in sorted(path for path in runs.glob("*") if path.name.isdecimal()):
        try:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(path, f"runs/{path.relative_to(runs).as_posix()}", zipfile.ZIP_STORED)
        except FileNotFoundError:
            continue
        yield int(folder.name)


def _check(file: BinaryIO, out: Path) -> None:
    """Read what was written: a disk that forgets is found out now, not on the day the backup is needed."""
    file.flush()
    with zipfile.ZipFile(file) as archive:
        if broken := archive.testzip():
            raise InvalidInput(f"{out} cannot be read back ({broken} is damaged); choose another disk")


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except UNREADABLE as error:
        raise InvalidInput(f"{file} cannot be read as a backup ({error}); take another one") from error


def _contents(archive: zipfile.ZipFile, file: Path) -> Contents:
    try:
        fields = json.loads(archive.read(CONTENTS))
        if fields.pop("format") != FORMAT:
            raise ValueError("another format")
        contents = Contents(**fields)
        if not all(isinstance(n, int) for n in [*contents.rows.values(), *contents.runs]):
            raise ValueError("no numbers")
        for table in contents.rows:
            archive.getinfo(f"tables/{table}.jsonl")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise InvalidInput(f"{file} is no backup of this tool, or of a newer release; take another file") from None
    return contents


def _rows(archive: zipfile.ZipFile, table: str) -> Iterator[dict[str, Any]]:
    with archive.open(f"tables/{table}.jsonl") as member:
        while line := member.readline(LONGEST_LINE):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("no object")
            except (ValueError, RecursionError):
                raise InvalidInput(f"the backup has a row of {table} that cannot be read: it is damaged") from None
            yield row


@contextmanager
def _unpacked_runs(archive: zipfile.ZipFile, runs: Path) -> Iterator[Path]:
    """The checkpoints of a backup in a folder of their own beside the others, gone at the end."""
    members = [member for member in archive.infolist() if member.filename.startswith("runs/")]
    for member in members:
        if not CHECKPOINT_FILE.fullmatch(member.filename):
            raise InvalidInput(f"the backup holds a file of the name {member.filename!r}; no backup of this tool does")
    runs.mkdir(parents=True, exist_ok=True)
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(runs).free
    if needed > free:
        raise InvalidInput(f"the checkpoints take {needed:,} bytes, and {runs} has room for {free:,}; make room there")
    with tempfile.TemporaryDirectory(dir=runs, prefix=".unfinished-restore-") as folder:
        for member in members:
            archive.extract(member, folder)
        (Path(folder) / "runs").mkdir(exist_ok=True)
        yield Path(folder) / "runs"
