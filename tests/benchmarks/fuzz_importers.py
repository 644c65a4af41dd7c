"""Hostile files through every importer for as long as one likes, and what they did to it.

    PYTHONPATH=.:tests python tests/benchmarks/fuzz_importers.py --seconds 600 --seed 1

Real files with accidents (tests/hostile.py) go through the readers of all formats, the import into a project, the strict
reader of the command line, and damaged backups through restore. A file is taken or refused in words; whatever else happens is
a fault: it is counted, and the file kept in --out.
"""

import time
import traceback
from collections import Counter
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from first_release import open_first_release
from hostile import mutated, read_hostile, zipped

from annotation.backup import back_up, restore
from annotation.labels import make_labels
from maner_core.errors import ManerError
from storage import ProjectSettings, Store

SLOW_SECONDS = 5.0  # for one file of some kilobytes
FILES_A_PROJECT = 2_000


def fuzz(
    seconds: Annotated[float, typer.Option(help="How long.")] = 600,
    seed: Annotated[int, typer.Option(help="Of the accidents.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for files that made trouble.")] = Path("results/fuzz"),
) -> None:
    """Feed, count, and report."""
    rng, counts = Random(seed), Counter[str]()
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        first = open_first_release(folder / "first.db")
        back_up(first, folder / "whole.zip")
        first.close()
        whole = (folder / "whole.zip").read_bytes()
        store = Store(f"sqlite:///{folder / 'maner.db'}")
        store.migrate()
        end, slowest, project_id = time.monotonic() + seconds, 0.0, 0
        while time.monotonic() < end:
            if counts.total() % FILES_A_PROJECT == 0:
                settings = ProjectSettings(f"{counts.total()}", labels=make_labels(["PER", "LOC", "ORG"]))
                project_id = store.create_project(settings).id
            is_backup = rng.random() < 0.02
            data = zipped(rng, whole) if is_backup else mutated(rng)
            began = time.monotonic()
            try:
                if is_backup:
                    counts[f"backups {_restored(data, folder)}"] += 1
                else:
                    counts[f"files {read_hostile(data, rng, store, project_id, folder)}"] += 1
            except Exception as error:
                counts[f"fault {type(error).__name__}"] += 1
                kept = out / sha256(data).hexdigest()[:16]
                kept.with_suffix(".bin").write_bytes(data)
                kept.with_suffix(".txt").write_text(traceback.format_exc(), encoding="utf-8")
            took = time.monotonic() - began
            slowest = max(slowest, took)
            counts["slow"] += took > SLOW_SECONDS
        store.close()
    typer.echo(f"{seconds:.0f} s, seed {seed}: {dict(sorted(counts.items()))}; slowest {slowest:.2f} s")
    if any(kind.startswith("fault") for kind in counts):
        raise typer.Exit(1)


def _restored(data: bytes, folder: Path) -> str:
    """Restore the bytes into a new database: "taken" or "refused"."""
    (folder / "backup.zip").write_bytes(data)
    target = Store(f"sqlite:///{folder / 'target.db'}")
    try:
        restore(target, folder / "backup.zip", folder / "runs", replace=True)
        target.projects()
    except ManerError:
        return "refused"
    finally:
        target.close()
        for path in folder.glob("target.db*"):
            path.unlink()
    if outside := [path.name for path in folder.parent.glob("x")]:
        raise AssertionError(f"written outside: {outside}")
    return "taken"


if __name__ == "__main__":
    typer.run(fuzz)
