"""The commands backup and restore."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from annotation.settings import Settings
from annotation.terminal import AsJson, print_json
from maner_core.errors import InvalidInput


def backup_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The zip file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file of that name.")] = False,
    with_runs: Annotated[bool, typer.Option("--with-runs", help="The checkpoints of trained taggers too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything in the database to one file, while people go on working. It is as secret as the database."""
    from annotation.backup import back_up
    from storage import Store

    if out.exists() and not overwrite:
        raise InvalidInput(f"{out} is there already and may be the only copy; name another file, or use --overwrite")
    settings = Settings.from_environment()
    with closing(Store(settings.database_url)) as store:
        contents = back_up(store, out, settings.runs if with_runs else None)
    if as_json:
        print_json({"file": str(out), "bytes": out.stat().st_size, **asdict(contents)})
    else:
        typer.echo(f"{out} written ({out.stat().st_size:,} bytes): {_inside(contents.rows, contents.runs)}.")


def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that backup wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Throw away what the database holds now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, all or nothing; an older release's is brought up to date."""
    from annotation.backup import clear_of_foreign_runs, restore
    from storage import Store

    settings = Settings.from_environment()
    with closing(Store(settings.database_url)) as store:
        contents = restore(store, file, settings.runs, replace)
        aside = clear_of_foreign_runs(store, settings.home)
        store.record(None, None, "restored", made_at=contents.made_at, replaced=replace)
    if as_json:
        print_json({"file": str(file), **asdict(contents), "set_aside": aside and str(aside)})
    else:
        typer.echo(f"{file} restored, as of {contents.made_at}: {_inside(contents.rows, contents.runs)}.")
        typer.echo("Everybody signs in anew.")
        if aside is not None:
            typer.echo(f"Checkpoints that are of no run in it went to {aside}.")


def _inside(rows: dict[str, int], runs: list[int]) -> str:
    return (
        f"{rows.get('projects', 0):,} projects, {rows.get('sentences', 0):,} sentences, "
        f"{rows.get('annotations', 0):,} annotations, {len(runs):,} checkpoints"
    )
