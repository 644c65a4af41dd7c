"""The command archive."""

from typing import Annotated

import typer

from annotation.terminal import ProjectName, open_store


def archive_command(
    project: ProjectName,
    take_out: Annotated[bool, typer.Option("--take-out", help="Work on it again.")] = False,
) -> None:
    """Put a project away: nothing of it is lost, nobody is asked to label there, nothing is trained."""
    with open_store() as store:
        store.archive_project(store.project_by_name(project).id, archived=not take_out)
    typer.echo(f"{project} is {'out of' if take_out else 'in'} the archive.")
