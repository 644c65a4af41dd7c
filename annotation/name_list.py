"""The lead's list of names: reading it from a file of two columns, putting it in place, drawing the queue by it."""

from collections.abc import Collection
from pathlib import Path

from annotation.formats.source import SourceFile, load, read_lines
from annotation.queue_filling import queue_anew
from maner_core.errors import FormatError
from storage import ListedName, Store

LONGEST_NAME = 300  # characters
HEADERS = {("name", "label"), ("name", "type"), ("name", "tag"), ("entity", "label"), ("entity", "type")}
"""First lines, letter case aside, that are no name but say what the columns are."""


def replace_list(store: Store, project_id: int, file: Path | SourceFile, by: int | None = None) -> int:
    """Put the names of a file in the place of the project's list, all or nothing; how many.

    The queue is drawn anew where names still have a say in it. Raises FormatError for the first line that cannot be taken.
    """
    source = load(file)
    labels = [label.name for label in store.project(project_id).settings.labels]
    names = read_names(source, labels)
    store.replace_names(project_id, names, source.name, by)
    queue_anew(store, project_id)
    return len(names)


def remove_list(store: Store, project_id: int, by: int | None = None) -> None:
    """Take the project's list away; what it has raised in the queue is drawn anew."""
    store.replace_names(project_id, [], "", by)
    queue_anew(store, project_id)


def read_names(source: SourceFile, labels: Collection[str]) -> list[ListedName]:
    """The names of a file, in its order: a name, a tab, one of the `labels` on each line (UTF-8); empty lines are none.

    A first line such as `name TAB label` is passed over, unless that is a label of the project. The same line twice is
    one name. Raises FormatError for the first line that cannot be taken, and for a file without a name.
    """
    first_at: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(read_lines(source), 1):
        if not line.strip():
            continue
        fields = [" ".join(field.split()) for field in line.split("\t")]
        if number == 1 and tuple(field.casefold() for field in fields) in HEADERS and fields[-1] not in labels:
            continue
        name, label = _name_and_label(source.name, number, fields, labels)
        known = first_at.setdefault(name, (number, label))
        if known[1] != label:
            raise FormatError(
                source.name,
                number,
                f"{name!r} has the label {label} here and {known[1]} in line {known[0]}",
                "keep one of the two lines",
            )
    if not first_at:
        raise FormatError(source.name, None, "holds no name", "write a name, a tab and its label on each line")
    return [ListedName(name, label) for name, (_, label) in first_at.items()]


def _name_and_label(file: str, number: int, fields: list[str], labels: Collection[str]) -> tuple[str, str]:
    """The two fields of a line. Raises FormatError."""
    if len(fields) != 2:
        shown = " | ".join(fields)
        raise FormatError(
            file, number, f"has {len(fields)} columns ({shown:.80})", "write a name, one tab, and its label"
        )
    name, label = fields
    if not name or not any(character.isalnum() for character in name):
        raise FormatError(file, number, f"the name {name!r:.80} holds no letter", "write a name or delete the line")
    if len(name) > LONGEST_NAME:
        raise FormatError(
            file, number, f"the name {name:.40}… has {len(name)} characters", f"shorten it to {LONGEST_NAME}"
        )
    if label not in labels:
        known = ", ".join(labels) or "none"
        raise FormatError(
            file, number, f"the label {label!r:.80} is none of the project's ({known})", "write one of them"
        )
    return name, label
