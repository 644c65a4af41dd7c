"""The commands import, export, status, worker and, from files of their own, the others: each calls a function.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Never

import typer

from annotation.archive_cli import archive_command
from annotation.backup_cli import backup_command, restore_command
from annotation.final_cli import final_command
from annotation.names_cli import names_command
from annotation.review_cli import review
from annotation.settings import Settings
from annotation.simulate_cli import simulate_command
from annotation.terminal import AsJson, ProjectName, open_store, print_json
from annotation.user_cli import users
from annotation.whole_file import whole_file
from maner_core.errors import InvalidInput, ManerError, NotFound

if TYPE_CHECKING:
    from annotation.importing import ImportReport
    from storage import Project, ProjectSettings, Run, Store

app = typer.Typer(
    help="Annotate named entities: bring sentences in, take labelled ones out, run the worker.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich costs more than parsing the arguments
    add_completion=False,
)

app.add_typer(users, name="user")
app.add_typer(review)
app.command("names")(names_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.command("archive")(archive_command)
app.command("simulate")(simulate_command)
app.command("final")(final_command)

UseAs = Literal["pool", "gold", "evaluation"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0 only on success, and an expected error is one sentence on stderr."""
    try:
        app(args=arguments, prog_name="python -m annotation")
    except ManerError as error:
        typer.echo(f"error: {error}", err=True)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@app.command("import")
def import_command(
    project: ProjectName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files to import, all or none.")],
    language: Annotated[str, typer.Option(help="Language code of a new project, such as swa.")] = "",
    labels: Annotated[str, typer.Option(help="Labels of a new project, by commas (default PER,LOC,ORG).")] = "",
    format: Annotated[str, typer.Option(help="auto, conll, text, csv or jsonl.")] = "auto",
    scheme: Annotated[str, typer.Option(help="Tag scheme of CoNLL files: auto, iob1, iob2, ioe1, …")] = "auto",
    use_as: Annotated[
        UseAs, typer.Option("--as", help="pool: drop tags; gold: tags are labels; evaluation: they are the test set.")
    ] = "pool",
    reserve: Annotated[
        float | None, typer.Option(help="Share set aside for evaluation (default: the project's).")
    ] = None,
    pretokenized: Annotated[bool, typer.Option(help="Text: split at single spaces only.")] = False,
    skip_bad: Annotated[bool, typer.Option(help="Leave bad sentences out and list them.")] = False,
    add_labels: Annotated[bool, typer.Option(help="Add labels that the project lacks.")] = False,
    annotator: Annotated[str, typer.Option(help="Who made the tags.")] = "import",
    as_json: AsJson = False,
) -> None:
    """Bring sentences into a project; it is made if there is none of that name."""
    from annotation.importing import import_files
    from annotation.queue_filling import top_up

    with _no_garbage_collection(), open_store() as store, _progress_bar() as on_progress:
        report = import_files(
            store,
            _project_or_settings(store, project, language, labels),
            files,
            format=format,
            use_as=use_as,
            scheme=scheme,
            reserve=reserve,
            annotator_id=None if use_as == "pool" else store.annotator(annotator).id,
            skip_bad=skip_bad,
            add_labels=add_labels,
            pretokenized=pretokenized,
            on_progress=on_progress,
        )
        top_up(store, report.project_id)
    if as_json:
        print_json({"project": project, **report.to_dict()})
    else:
        typer.echo("\n".join(_import_lines(project, report)))


@app.command("export")
def export_command(
    project: ProjectName,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write; - for the screen.")],
    format: Annotated[str, typer.Option(help="conll (two columns), conll4 (four columns) or jsonl.")] = "conll",
    include: Annotated[
        list[str] | None, typer.Option(help="labelled, skipped, flagged, unlabelled; by commas or given again.")
    ] = None,
    split: Annotated[str, typer.Option(help="all, train or reserve.")] = "all",
    scheme: Annotated[str, typer.Option(help="Tag scheme of CoNLL files.")] = "iob2",
    snapshot: Annotated[str, typer.Option(help="Name of a snapshot to export in place of the state of now.")] = "",
    as_of: Annotated[str, typer.Option(help="A time whose state to export, such as 2026-11-27T08:00Z.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write a project's sentences to a file; without --include only labelled ones."""
    from annotation.exporting import MIXED_SPLITS, ExportOptions, export_stream, mixes_splits, record_export

    words = {"format": format, "include": ",".join(include or ["labelled"]), "split": split, "scheme": scheme}
    words |= {name: word for name, word in (("snapshot", snapshot), ("as_of", as_of)) if word}
    options = ExportOptions.parse(words)
    with open_store() as store:
        found = store.project_by_name(project)
        pieces = export_stream(store, found, options)
        record_export(store, found, options, by=None)
        if mixes_splits(store.progress(found.id), options):
            typer.echo(f"note: {MIXED_SPLITS}; --split train and --split reserve part them.", err=True)
        if str(out) == "-":
            for piece in pieces:
                sys.stdout.write(piece)
            return
        n_bytes = _write_whole(out, pieces)
    if as_json:
        print_json({"project": project, "file": str(out), "bytes": n_bytes, **words})
    else:
        typer.echo(f"{out} written ({n_bytes:,} bytes).")


@app.command("status")
def status_command(
    project: Annotated[str | None, typer.Option("--project", metavar="NAME", help="This project alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how far a project is and what its worker does; of all projects where none is named."""
    with open_store() as store:
        found = store.projects() if project is None else [store.project_by_name(project)]
        told = [_status(store, each) for each in found]
    if as_json:
        print_json({"projects": told} if project is None else told[0])
    elif told:
        typer.echo("\n".join(line for status in told for line in _status_lines(status)))
    else:
        typer.echo("There is no project yet; import makes one.")


@app.command("worker")
def worker_command(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
) -> None:
    """Train, evaluate and choose the next sentences, for all projects, until stopped."""
    from annotation.worker import main as run_worker

    raise typer.Exit(run_worker(Settings.from_environment(), once=once))


# Import.


def _project_or_settings(store: "Store", name: str, language: str, labels: str) -> "int | ProjectSettings":
    """The id of the project, or the settings of a new one. Raises InvalidInput where the words contradict it."""
    from annotation.labels import DEFAULT_LABEL_NAMES, make_labels
    from storage import ProjectSettings

    names = [word.strip() for word in labels.split(",") if word.strip()]
    try:
        project = store.project_by_name(name)
    except NotFound:
        return ProjectSettings(name=name, language=language, labels=make_labels(names or DEFAULT_LABEL_NAMES))
    has = [label.name for label in project.settings.labels]
    if language and language != project.settings.language:
        raise InvalidInput(
            f"project {name!r} has the language {project.settings.language!r}, not {language!r}; leave --language out"
        )
    if names and set(names) - set(has):
        raise InvalidInput(
            f"project {name!r} has the labels {', '.join(has)}; leave --labels out, or use --add-labels to add those "
            "of the file"
        )
    return project.id


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Do not look for garbage: an import makes many objects and no cycles, and the search took a fifth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for each phase, on a terminal only."""
    from tqdm import tqdm

    bar: tqdm[Never] = tqdm(disable=None, leave=False)

    def show(phase: str, done: int, total: int) -> None:
        bar.set_description(phase)
        bar.total, bar.n = total, done
        bar.refresh()

    try:
        yield show
    finally:
        bar.close()


def _import_lines(project: str, report: "ImportReport") -> Iterator[str]:
    """The report for people."""
    yield (
        f"{report.added:,} sentences added to {project}: {report.reserved:,} in the reserve, {report.gold:,} with gold "
        f"labels, {report.evaluation:,} evaluation sentences with labels."
    )
    if report.no_reserve:
        yield report.no_reserve
    for file in report.files:
        scheme = f", tags {file.scheme}" if file.scheme else ""
        yield f"  {file.name}: {file.sentences:,} sentences ({file.format}{scheme})"
        yield from (f"    {note}" for note in file.notes)
        yield from _some("broken tags repaired", file.repairs)
        yield from _some("bad sentences left out", file.bad, limit=None)
    if report.labels_added:
        yield f"Labels added: {', '.join(report.labels_added)}."
    if report.exact_duplicates or report.near_duplicates:
        yield (
            f"{report.exact_duplicates:,} exact and {report.near_duplicates:,} near duplicates kept but not handed out:"
        )
        yield from (f"  {e.where} ({e.kind}) repeats {e.twin}: {e.text}" for e in report.examples)
    yield from _some("evaluation sentences refused", report.refused)


def _some(what: str, lines: Sequence[str], limit: int | None = 10) -> Iterator[str]:
    """A count and the first few lines, if there are any."""
    if lines:
        yield f"    {len(lines):,} {what}:"
        yield from (f"      {line}" for line in lines[:limit])
        if limit is not None and len(lines) > limit:
            yield f"      and {len(lines) - limit:,} more (--json lists all)"


# Export.


def _write_whole(out: Path, pieces: Iterator[str]) -> int:
    """Write a file so that it is either whole or not there; returns its bytes. Raises InvalidInput."""
    with whole_file(out) as file:
        for piece in pieces:
            file.write(piece.encode())
    return out.stat().st_size


# Status.


def _status(store: "Store", project: "Project") -> dict[str, Any]:
    """Everything `status --json` tells."""
    from annotation.work_state import work_state
    from storage import Split

    last = store.last_run(project.id)
    work = work_state(store, project)
    settings = project.settings
    return {
        "project": settings.name,
        "archived": project.archived_at is not None,
        "language": settings.language,
        "labels": [label.name for label in settings.labels],
        **asdict(store.progress(project.id)),
        "queued": store.ready(project.id, Split.POOL),
        "serving_run": project.serving_run,
        "last_run": None if last is None else _run_fields(last),
        "worker": work.state,
        "worker_text": work.text,
        "until_training": work.until_training,
    }


def _run_fields(run: "Run") -> dict[str, Any]:
    return {
        "id": run.id,
        "round": run.round,
        "state": str(run.state),
        "phase": run.phase,
        "progress": run.progress,
        "f1": run.metrics.get("f1"),
        "n_train": run.n_train,
        "served": run.served,
        "message": run.message,
        "failure": run.failure,
    }


def _status_lines(status: dict[str, Any]) -> Iterator[str]:
    """The status for people."""
    archived = " (in the archive)" if status["archived"] else ""
    yield f"{status['project']}{archived}: {status['sentences']:,} sentences, labels {', '.join(status['labels'])}"
    yield (
        f"  pool: {status['labelled']:,} labelled ({status['no_entity']:,} without a name), {status['skipped']:,} "
        f"skipped, {status['flagged']:,} flagged, {status['unlabelled_pool']:,} to go, {status['queued']:,} in the queue"
    )
    yield f"  reserve: {status['evaluation_labelled']:,} of {status['reserve']:,} labelled for evaluation"
    yield f"  duplicates, not handed out: {status['duplicates']:,}"
    run = status["last_run"]
    if run is None:
        yield "  no training yet"
    else:
        f1 = "" if run["f1"] is None else f", F1 {run['f1']:.3f}"
        serves = ", serves" if status["serving_run"] == run["id"] else ""
        yield f"  last run {run['id']}: {run['state']} with {run['n_train']:,} sentences{f1}{serves}"
        if run["failure"]:
            yield f"    {run['failure']}"
    yield f"  worker: {status['worker']}. {status['worker_text']}"
