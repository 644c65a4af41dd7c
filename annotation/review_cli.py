"""The commands snapshot, snapshots and history: freezing a state, what changed between two, all that happened to a sentence."""

from datetime import UTC
from typing import Annotated, Any

import typer

from annotation.terminal import AsJson, ProjectName, open_store, print_json

review = typer.Typer(rich_markup_mode=None)


@review.command("snapshot")
def snapshot_command(
    project: ProjectName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the state.")],
    run: Annotated[int | None, typer.Option(help="Freeze what this run was trained on, not the state of now.")] = None,
    by: Annotated[str, typer.Option(help="Who freezes it.")] = "terminal",
    as_json: AsJson = False,
) -> None:
    """Freeze the data of a project under a name; `export --snapshot NAME` gives the same bytes ever after."""
    with open_store() as store:
        found = store.project_by_name(project)
        made = store.create_snapshot(found.id, name, store.annotator(by).id, run)
    if as_json:
        print_json({"project": project, "snapshot": made.name, "made_at": made.made_at, "run": made.run_id})
    else:
        typer.echo(f"Snapshot {made.name} made.")


@review.command("snapshots")
def snapshots_command(
    project: ProjectName,
    compare: Annotated[
        tuple[str, str] | None, typer.Option(metavar="FIRST SECOND", help="Say what changed from one to the other.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the snapshots of a project, or say what changed between two."""
    from annotation import snapshots

    with open_store() as store:
        found = store.project_by_name(project)
        known = store.snapshots(found.id)
        if compare is not None:
            first, second = (store.snapshot(found.id, name).moment for name in compare)
            difference = snapshots.compare(store, found.id, first, second)
    if compare is not None:
        fields: dict[str, Any] = difference.to_dict()
        if as_json:
            print_json({"project": project, "first": compare[0], "second": compare[1], **fields})
            return
        typer.echo(f"{difference.same} sentences are the same in both.")
        for what in ("added", "removed", "changed"):
            ids = fields[what]
            typer.echo(f"{len(ids)} {what}{': ' + ', '.join(map(str, ids)) if ids else ''}")
        return
    if as_json:
        rows = [{"snapshot": it.name, "made_by": it.made_by, "made_at": it.made_at, "run": it.run_id} for it in known]
        print_json({"project": project, "snapshots": rows})
        return
    for it in known:
        of_run = f", what run {it.run_id} was trained on" if it.run_id is not None else ""
        typer.echo(f"{it.name}: {it.made_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC by {it.made_by}{of_run}")


@review.command("history")
def history_command(
    project: ProjectName,
    sentence: Annotated[int, typer.Argument(metavar="SENTENCE", help="Number of the sentence, `id` in JSON lines.")],
    as_json: AsJson = False,
) -> None:
    """Say everything that ever happened to a sentence: when, who, what."""
    from annotation.history import events

    with open_store() as store:
        found = store.history(store.project_by_name(project).id, sentence)
    if as_json:
        rows = [{"at": event.at, "who": event.who, "what": event.what} for event in events(found)]
        print_json({"project": project, "sentence": sentence, "events": rows})
        return
    for event in events(found):
        when = f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if event.at else "-"
        typer.echo(f"{when}  {event.who}  {event.what}")
