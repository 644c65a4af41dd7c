"""The command simulate: compare query strategies on labelled files before people are paid."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from annotation.children import belong_to_parent
from annotation.terminal import AsJson, print_json
from maner_core.encoding import INPUT_SCHEMES

QUICK = "quick"
"""The quick scorer in place of an input scheme."""


def simulate_command(
    train: Annotated[list[Path], typer.Option(help="File with gold tags to label from; again for more sets.")],
    test: Annotated[list[Path], typer.Option(help="File with gold tags to evaluate on; one for each --train.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; a run broken off goes on there.")],
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Query strategy; again for more. Other parameters: ent_mnlp:alpha=1,gamma=0."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions.")] = 3,
    seed_size: Annotated[int, typer.Option(help="Random sentences labelled first.")] = 50,
    batch: Annotated[int, typer.Option(help="Labels between two trainings.")] = 25,
    budget: Annotated[int, typer.Option(help="Labels at the end.")] = 300,
    at: Annotated[str, typer.Option(help="Train at these numbers of labels instead: 75,100,150,200,300.")] = "",
    fresh: Annotated[bool, typer.Option(help="People wait for each training; else they label on meanwhile.")] = False,
    noise: Annotated[bool, typer.Option(help="The annotator errs: 5 % dropped, 5 % shifted, 3 % confused.")] = False,
    power: Annotated[float, typer.Option(help="Draw by score to this power; 0: strictly by score.")] = 4.0,
    alike: Annotated[float, typer.Option(help="Pass over sentences with a cosine above this; 1: none.")] = 0.9,
    random_share: Annotated[float, typer.Option(help="Share of the queue drawn by chance.")] = 0.1,
    preset: Annotated[str, typer.Option(help="Training preset: default or paper.")] = "default",
    backbone: Annotated[str, typer.Option(help="bundled, a hub id or a folder.")] = "bundled",
    system: Annotated[
        str, typer.Option(help=f"Input scheme: {', '.join(INPUT_SCHEMES)}; quick: a frozen backbone.")
    ] = "maner",
    pool_limit: Annotated[int | None, typer.Option(help="Use so many sentences of the training file.")] = None,
    test_limit: Annotated[int | None, typer.Option(help="Use so many sentences of the test file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare query strategies on labelled files, gold tags in place of an annotator."""
    belong_to_parent()
    from annotation.sampling import SelectionRule
    from annotation.simulation import (
        TYPICAL_NOISE,
        AnnotatorNoise,
        SimulationConfig,
        as_table,
        gold_sets,
        savings_table,
        simulate,
        write_results,
    )

    config = SimulationConfig(
        strategies=tuple(strategy or ("random", "mnlp")),
        seeds=seeds,
        seed_size=seed_size,
        batch=batch,
        budget=budget,
        at=_sizes(at),
        stale=not fresh,
        noise=TYPICAL_NOISE if noise else AnnotatorNoise(),
        rule=SelectionRule(random_share=random_share, power=power or None, alike=alike),
        preset=preset,
        overrides={"backbone": backbone} if system == QUICK else {"backbone": backbone, "system": system},
        quick=system == QUICK,
        pool_limit=pool_limit,
        test_limit=test_limit,
    )
    means = simulate(gold_sets(train, test), out, config, show_progress=sys.stderr.isatty())
    saved = write_results(out)
    if as_json:
        everything = {"means": [asdict(mean) for mean in means], "savings": [asdict(each) for each in saved]}
        print_json({"out": str(out), **everything})
    else:
        typer.echo(as_table(means) + "\n" + savings_table(saved))


def _sizes(text: str) -> tuple[int, ...]:
    """`75,100` -> (75, 100). Raises typer.BadParameter."""
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no list of whole numbers such as 75,100,150", param_hint="--at"
        ) from None
