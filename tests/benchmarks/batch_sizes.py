"""F1 less that of random order, by how many labels lie between two trainings: from the points of finished simulations.

    python tests/benchmarks/batch_sizes.py [tests/benchmarks/results/batches]

The folder holds one of `python -m annotation simulate` for each batch size, named by it. Random order is the mean over all of
them: when it is trained in between does not matter to it. Minutes are modelled, as a multiple of random order's.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

DRAWS = 4000
KEY = ["set", "seed"]


def main(
    folder: Annotated[Path, typer.Argument(help="One folder for each batch size.")] = Path(__file__).parent
    / "results/batches",
    labels: Annotated[str, typer.Option(help="Numbers of labels at which to compare.")] = "300,550",
) -> None:
    """Print a line for each number of labels, strategy and batch size."""
    read = [pd.read_csv(file).assign(batch=int(file.parent.name)) for file in folder.glob("*/points.csv")]
    points = pd.concat(read)
    for n in map(int, labels.split(",")):
        at_n = points[points.labels == n]
        by_chance = at_n[at_n.strategy == "random"].groupby(KEY)[["f1", "hard_minutes"]].mean()
        for (strategy, batch), group in at_n.groupby(["strategy", "batch"]):
            found = group.set_index(KEY)
            gains = 100 * (found.f1 - by_chance.f1.reindex(found.index)).unstack()
            low, high = interval(gains.to_numpy())
            of_sets = gains.mean(axis=1)
            minutes = (found.hard_minutes / by_chance.hard_minutes.reindex(found.index)).mean()
            typer.echo(
                f"{n} labels, {strategy}, batches of {batch}: {gains.to_numpy().mean():+.1f} ({low:+.1f} to {high:+.1f}), "
                f"worst {of_sets.idxmin()} {of_sets.min():+.1f}, best {of_sets.idxmax()} {of_sets.max():+.1f}, "
                f"minutes {minutes:.2f}"
            )


def interval(gains: "np.typing.NDArray[np.float64]") -> tuple[float, float]:
    """The 95 % interval of the mean of (n_sets, n_seeds), both drawn with replacement, the seeds within each set."""
    rng = np.random.default_rng(0)
    n_sets, n_seeds = gains.shape
    sets = rng.integers(0, n_sets, (DRAWS, n_sets, 1))
    seeds = rng.integers(0, n_seeds, (DRAWS, n_sets, n_seeds))
    low, high = np.quantile(gains[sets, seeds].mean(axis=(1, 2)), [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    typer.run(main)
