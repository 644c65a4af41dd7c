"""Random order against MNLP on Swahili news, gold tags for an annotator: what the default saves, and in what.

    python tests/benchmarks/simulate_swa.py --data DIR --out DIR --seeds 3

A repetition is 11 trainings; what `out` already holds is not run again, so it may be broken off at any time. Everything
else is `python -m annotation simulate`: see annotation/simulation.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from annotation.simulation import SimulationConfig, as_table, gold_sets, savings_table, simulate, write_results


def main(
    data: Annotated[Path, typer.Option(help="Folder with train.txt and test.txt, two columns, IOB2.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    seeds: int = 3,
    steps: Annotated[int | None, typer.Option(help="Steps of every training; default: as the tool does.")] = None,
    pool_limit: int | None = None,
    test_limit: int | None = None,
) -> None:
    """Simulate both strategies and print what came of it."""
    overrides = {} if steps is None else {"min_steps": steps, "max_steps": steps}
    config = SimulationConfig(seeds=seeds, overrides=overrides, pool_limit=pool_limit, test_limit=test_limit)
    means = simulate(gold_sets([data / "train.txt"], [data / "test.txt"]), out, config)
    saved = write_results(out)
    sys.stdout.write(
        "\n".join([as_table(means), *(savings_table(saved, axis) for axis in ("labels", "hard_minutes"))]) + "\n"
    )


if __name__ == "__main__":
    typer.run(main)
