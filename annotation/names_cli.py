"""The command names: the list of names of a project, put in place, shown, taken away."""

from pathlib import Path
from typing import Annotated, Any

import typer

from annotation.terminal import AsJson, ProjectName, open_store, print_json
from maner_core.errors import InvalidInput


def names_command(
    project: ProjectName,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A name, a tab and its label on each line; replaces the list."),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Write the list as such a file.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the list away.")] = False,
    by: Annotated[str, typer.Option(help="Who does it.")] = "terminal",
    as_json: AsJson = False,
) -> None:
    """Give a project a list of names: they are suggested from the first sentence on, and sentences with them come first."""
    from annotation.name_list import remove_list, replace_list

    if sum((file is not None, show, remove)) != 1:
        raise InvalidInput("say one thing to do: name a FILE, or --list, or --remove")
    fields: dict[str, Any] = {"project": project}
    with open_store() as store:
        found = store.project_by_name(project)
        if show:
            listed = store.listed_names(found.id)
            fields["listed"] = [[it.name, it.label] for it in listed]
            text = "\n".join(f"{it.name}\t{it.label}" for it in listed)
        elif file is not None:
            fields["names"] = replace_list(store, found.id, file, store.annotator(by).id)
            text = f"{fields['names']:,} names are the list of {project} now."
        else:
            remove_list(store, found.id, store.annotator(by).id)
            text = f"{project} has no list of names any more."
    if as_json:
        print_json(fields)
    elif text:
        typer.echo(text)
