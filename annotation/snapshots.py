"""Earlier states of a project: which one is meant, what the project was like then, and what changed between two."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from annotation.labels import make_labels
from maner_core.errors import InvalidInput
from storage import Gold, Moment, Project, Snapshot, Status, Store


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ids of sentences whose gold differs between two states, and how many have the same in both."""

    added: tuple[int, ...]  # gold only in the second
    removed: tuple[int, ...]  # gold only in the first
    changed: tuple[int, ...]  # another status or other spans
    same: int

    def to_dict(self) -> dict[str, object]:
        """The comparison for JSON."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
            "same": self.same,
        }


def compare(store: Store, project_id: int, first: Moment, second: Moment) -> Comparison:
    """What changed from the first state to the second."""
    before, after = _golds(store, project_id, first), _golds(store, project_id, second)
    both = sorted(before.keys() & after.keys())
    changed = [number for number in both if _content(before[number]) != _content(after[number])]
    return Comparison(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(changed),
        same=len(both) - len(changed),
    )


def as_it_was(project: Project, snapshot: Snapshot) -> Project:
    """The project with the settings that a snapshot keeps."""
    kept = dict(snapshot.settings)
    labels = make_labels(kept.pop("labels"))
    return replace(project, settings=replace(project.settings, labels=labels, **kept))


def parse_time(text: str) -> datetime:
    """`"2026-11-27T08:00+03:00"` as a time. Raises InvalidInput, also where the zone is missing."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time; write it as 2026-11-27T08:00+00:00") from None
    if at.tzinfo is None:
        raise InvalidInput(f"{text!r} has no time zone; add Z for UTC, or an offset such as +03:00")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{text!r} is no time of any work here; write it as 2026-11-27T08:00+00:00") from None


def _golds(store: Store, project_id: int, moment: Moment) -> Mapping[int, Gold]:
    rows = store.export_rows(project_id, None, tuple(Status), False, moment)
    return {row.sentence.id: row.gold for row in rows if row.gold is not None}


def _content(gold: Gold) -> tuple[object, object]:
    return gold.status, gold.spans
