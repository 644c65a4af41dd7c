"""How long an import of 10,000 sentences takes from the command line, duplicate search and all.

    python tests/benchmarks/import_speed.py --data FOLDER [--rounds 5] [--sentences 10000]

FOLDER holds CoNLL files anywhere below it; their sentences on end make the file. Beside the command runs, in turn, a
baseline that does the least there is: split the lines, put tokens and tags as JSON into a bare SQLite table, commit.
Reported are wall and CPU seconds of whole processes, so that Python's start counts on both sides.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

BASELINE = """
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[2])
database.execute("CREATE TABLE sentences (id INTEGER PRIMARY KEY, tokens TEXT, tags TEXT)")
rows = []
for block in open(sys.argv[1], encoding="utf-8").read().split("\\n\\n"):
    pairs = [line.split("\\t") for line in block.split("\\n") if line]
    rows.append((json.dumps([pair[0] for pair in pairs]), json.dumps([pair[-1] for pair in pairs])))
database.executemany("INSERT INTO sentences (tokens, tags) VALUES (?, ?)", rows)
database.commit()
"""


def main() -> None:
    """Measure and report on stdout; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with CoNLL files, token TAB tag")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.conll"
        blocks = list(islice(sentences(sorted(arguments.data.rglob("train.txt"))), arguments.sentences))
        file.write_text("\n\n".join([*blocks, ""]), encoding="utf-8")
        uses = {"pool": "pool", "gold": "gold"}
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ("baseline", *uses)}
        for number in range(arguments.rounds):
            database = Path(folder) / f"baseline-{number}.db"
            seconds["baseline"].append(measured([sys.executable, "-c", BASELINE, str(file), str(database)], folder))
            for name, use in uses.items():
                command = [sys.executable, "-m", "annotation", "import", "--project", "P", "--as", use, "--json"]
                home = Path(folder) / f"{name}-{number}"
                seconds[name].append(measured([*command, "--add-labels", str(file)], home))
        report(arguments.sentences, file.stat().st_size, seconds)


def sentences(files: Sequence[Path]) -> Iterator[str]:
    """The sentences of all files, one block of lines each; again from the start when they run out."""
    for file in cycle(files):
        yield from (block for block in file.read_text(encoding="utf-8").split("\n\n") if block.strip())


def measured(command: Sequence[str], home: Path | str) -> tuple[float, float]:
    """Wall and CPU seconds of a process that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "MANER_HOME": str(home), "MANER_DATABASE_URL": ""},
        stdout=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(n_sentences: int, n_bytes: int, seconds: dict[str, list[tuple[float, float]]]) -> None:
    """A table for people, one line of JSON for programs."""
    lines = [f"{n_sentences:,} sentences, {n_bytes / 1e6:.1f} MB, load {os.getloadavg()[0]:.1f}"]
    fields: dict[str, object] = {"sentences": n_sentences, "bytes": n_bytes}
    for name, pairs in seconds.items():
        walls, cpus = [wall for wall, _ in pairs], [cpu for _, cpu in pairs]
        lines.append(
            f"{name:>9}: wall median {median(walls):.2f} s (best {min(walls):.2f}, worst {max(walls):.2f}), "
            f"CPU median {median(cpus):.2f} s"
        )
        fields[name] = {"wall": walls, "cpu": cpus}
    sys.stdout.write("\n".join([*lines, json.dumps(fields)]) + "\n")


if __name__ == "__main__":
    main()
