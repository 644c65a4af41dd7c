"""The sweep behind the default recipe: one change at a time, MANER and SNER alike, and its table with the losers.

    python tests/benchmarks/recipe_sweep.py --data masakhaner2/swa --data masakhaner2/yor --out results/recipe [--recipe NAME …]

Every recipe is trained on the same sentences from the same seeds (`python -m maner_core benchmark` does the runs, so a sweep
that was broken off goes on, and runs of the start are shared). Recipes that are not named are not run; all are shown.
`--in-turn` trains the start on every set, and a recipe on one of them for each system and size, the next one each time:
with four sets a recipe meets all of them at two sizes of two systems, at a quarter of the cost.
"""

import statistics
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from maner_core.benchmark import RUNS, Grid, run_grid
from maner_core.benchmark_runs import Run, read_runs, recipe_hash
from maner_core.config import TrainConfig

RECIPES: dict[str, dict[str, Any]] = {
    "start": {},
    "learning rate 2e-5": {"learning_rate": 2e-5},
    "learning rate 5e-5": {"learning_rate": 5e-5},
    "learning rate 2e-4": {"learning_rate": 2e-4},
    "learning rate 3e-4": {"learning_rate": 3e-4},
    "head 1e-4, as the encoder": {"head_learning_rate": 1e-4},
    "head 5e-3": {"head_learning_rate": 5e-3},
    "200 steps": {"min_steps": 200, "epochs": 6.0},
    "800 steps": {"min_steps": 800},
    "no warm-up": {"warmup_fraction": 0.0},
    "warm-up 0.3": {"warmup_fraction": 0.3},
    "batches of 4": {"batch_size": 4},
    "batches of 16": {"batch_size": 16},
    "layer decay 0.9": {"layer_decay": 0.9},
    "layer decay 0.8": {"layer_decay": 0.8},
    "encoder dropout 0": {"encoder_dropout": 0.0},
    "encoder dropout 0.2": {"encoder_dropout": 0.2},
    "head dropout 0.3": {"dropout": 0.3},
    "no layer anew": {"reinitialised_layers": 0},
    "top layer anew": {"reinitialised_layers": 1},
    "top 3 layers anew": {"reinitialised_layers": 3},
    "3 layers frozen": {"frozen_layers": 3},
    "6 layers frozen": {"frozen_layers": 6},
    "float32": {"mixed_precision": False},
}
"""Name -> fields of TrainConfig that differ from the start."""


def main(
    data: Annotated[list[str], typer.Option(help="A set, as `python -m maner_core benchmark --data` takes it.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")],
    recipe: Annotated[list[str] | None, typer.Option(help="Only these; by default all.")] = None,
    system: Annotated[list[str], typer.Option()] = ["maner", "sner"],  # noqa: B006  # typer copies it
    size: Annotated[list[int], typer.Option()] = [100],  # noqa: B006
    seed: Annotated[list[int], typer.Option()] = [12345],  # noqa: B006
    test_limit: int = 500,
    anew: Annotated[int, typer.Option(help="Layers anew at the start: 1 as the default, 0 as before it.")] = 1,
    in_turn: Annotated[bool, typer.Option("--in-turn", help="A recipe on one set for each system and size.")] = False,
) -> None:
    """Make the runs that are missing, recipe by recipe, and print the table."""
    settings = {name: {"reinitialised_layers": anew, **changed, "max_restarts": 0} for name, changed in RECIPES.items()}
    for name in recipe or RECIPES:
        sys.stderr.write(f"{name}\n")
        for sets, systems, sizes in _cells(name, data, system, size, in_turn):
            grid = Grid(
                sets, systems, ("bundled",), sizes, tuple(seed), overrides=settings[name], test_limit=test_limit
            )
            run_grid(grid, out)
    runs = list(read_runs(out / RUNS).values())
    sys.stdout.write(table({name: _runs_of(its, runs) for name, its in settings.items()}))


def _cells(
    recipe: str, data: Sequence[str], systems: Sequence[str], sizes: Sequence[int], in_turn: bool
) -> list[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]]:
    """The sets, systems and sizes that a recipe is trained with, as grids."""
    if not in_turn or recipe == "start":
        return [(tuple(data), tuple(systems), tuple(sizes))]
    first = list(RECIPES).index(recipe)
    return [
        ((data[(first + number) % len(data)],), (system,), (size,))
        for number, (size, system) in enumerate(product(sizes, systems))
    ]


def _runs_of(settings: Mapping[str, Any], runs: Sequence[Run]) -> list[Run]:
    wanted = recipe_hash(TrainConfig.preset("default", **settings))
    return [run for run in runs if not run.failed and run.cell.config_hash == wanted]


def table(by_recipe: Mapping[str, Sequence[Run]]) -> str:
    """Markdown: a row a recipe, a column a system and size: F1 less that of the start on the same runs, and how often."""
    columns = sorted({(run.cell.system, run.cell.size) for runs in by_recipe.values() for run in runs})
    base = {_key(run): run for run in by_recipe["start"]}
    lines = [
        "| recipe | " + " | ".join(f"{system}, {size}" for system, size in columns) + " | train F1 below 0.9 |",
        "|---|" + "---|" * (len(columns) + 1),
    ]
    for name, runs in by_recipe.items():
        cells = [_difference(name, runs, base, column) for column in columns]
        failures = f"{sum(run.training['train_f1'] < 0.9 for run in runs)} of {len(runs)}" if runs else "not run"
        lines.append(f"| {name} | {' | '.join(cells)} | {failures} |")
    return "\n".join(lines) + "\n"


def _key(run: Run) -> tuple[str, str, int, int]:
    return run.cell.set_name, run.cell.system, run.cell.size, run.cell.seed


def _difference(name: str, runs: Sequence[Run], base: Mapping[Any, Run], column: tuple[str, int]) -> str:
    its = [run for run in runs if (run.cell.system, run.cell.size) == column]
    if name == "start":
        return f"{100 * statistics.mean(run.f1 for run in its):.1f} (n={len(its)})" if its else "not run"
    pairs = [100 * (run.f1 - base[_key(run)].f1) for run in its if _key(run) in base]
    if not pairs:
        return "not run"
    return f"{statistics.mean(pairs):+.1f} ({min(pairs):+.1f} to {max(pairs):+.1f}, n={len(pairs)})"


if __name__ == "__main__":
    typer.run(main)
