"""The command final: releasing the evaluation sentences into a final training."""

from typing import Annotated

import typer

from annotation.terminal import AsJson, ProjectName, open_store, print_json


def final_command(
    project: ProjectName,
    confirm: Annotated[str, typer.Option(metavar="WORDS", help='Write "no estimate is left" to say that you know.')],
    by: Annotated[str, typer.Option(help="Who releases them.")] = "terminal",
    as_json: AsJson = False,
) -> None:
    """Have the worker train once on everything labelled, the evaluation sentences too: no estimate of F1 is left."""
    from annotation import final_training

    with open_store() as store:
        found = store.project_by_name(project)
        final_training.ask(store, found.id, store.annotator(by).id, confirm)
        n = store.progress(found.id).evaluation_labelled
    if as_json:
        print_json({"project": project, "evaluation_sentences": n})
    else:
        typer.echo(f"The worker trains on {n:,} evaluation sentences too; the page of runs says where the weights lie.")
