"""What the commands share: options, the store of this environment, JSON on the last line."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from annotation.settings import Settings

if TYPE_CHECKING:
    from storage import Store

ProjectName = Annotated[str, typer.Option("--project", metavar="NAME", help="Name of the project.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")]


@contextmanager
def open_store() -> Iterator["Store"]:
    """The store of this environment, brought to this release's tables."""
    from storage import Store

    with closing(Store(Settings.from_environment().database_url)) as store:
        store.migrate()
        yield store


def print_json(fields: dict[str, Any]) -> None:
    """The one JSON object of a command."""
    typer.echo(json.dumps(fields, ensure_ascii=False, default=str))
