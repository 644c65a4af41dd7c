"""Projects with their labels, and the people who annotate."""

import unicodedata
from collections.abc import Sequence
from dataclasses import fields, replace

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, or_, select, update

from maner_core.errors import InvalidInput, NotFound, Refused
from storage import _workers
from storage._checks import check_settings, refuse_unstorable
from storage.account_tables import Roles
from storage.database import now, upsert
from storage.records import Annotator, Label, NewProject, Project, ProjectSettings, Role, SuggestWhen
from storage.review_tables import GoldDecisionSpans
from storage.tables import AnnotationSpans, Annotators, Labels, ListedNames, Projects, ServingRuns

PLAIN_SETTINGS = (
    "language",
    "direction",
    "guidelines",
    "retrain_every",
    "retrain_after_seconds",
    "strategy",
    "system",
    "backbone",
    "preset",
    "adaptation",
    "starting_tagger",
    "seed",
    "suggestion_threshold",
    "blind_share",
    "control_share",
    "measure_noise",
    "reserve_fraction",
    "overlap",
    "overlap_share",
)


# Statements of the hot paths are built once: building one takes several times as long as running it.
IS_PROJECT = Projects.id == bindparam("project_id")
PROJECT = select(Projects.__table__).where(IS_PROJECT)
LOCK = select(Projects.id).where(IS_PROJECT).with_for_update(key_share=True)
LABELS = (
    select(Labels.name, Labels.color, Labels.key, Labels.description)
    .where(Labels.project_id == bindparam("project_id"))
    .order_by(Labels.position)
)
SERVING = select(ServingRuns.run_id, ServingRuns.pinned).where(ServingRuns.project_id == bindparam("project_id"))
ANNOTATOR = select(Annotators.id, Annotators.name).where(Annotators.id == bindparam("annotator_id"))


def create(connection: Connection, new: NewProject, by: int | None) -> Project:
    """A new project, with whoever made it as its lead; Refused when the name is taken."""
    settings = new.settings
    check_settings(settings)
    _refuse_taken_name(connection, settings.name.strip(), None)
    row = {
        **_columns(settings),
        "split_salt": new.split_salt,
        "retrain_requested": False,
        "created_at": now(connection),
    }
    project_id = connection.execute(insert(Projects).values(**row).returning(Projects.id)).scalar_one()
    _put_labels(connection, project_id, settings.labels)
    if by is not None:
        connection.execute(insert(Roles).values(project_id=project_id, annotator_id=by, role=Role.LEAD.value))
        _workers.record(connection, project_id, by, "project_made", {"name": settings.name.strip()})
    return project(connection, project_id)


def change(connection: Connection, project_id: int, settings: ProjectSettings, by: int | None) -> Project:
    """The project with new settings; Refused when the name is taken or a removed label is in use."""
    check_settings(settings)
    lock(connection, project_id)
    before = project(connection, project_id).settings
    _refuse_taken_name(connection, settings.name.strip(), project_id)
    kept = {label.name for label in settings.labels}
    removed = label_names(connection, project_id) - kept
    if removed:
        _remove_labels(connection, project_id, removed)
    connection.execute(update(Projects).where(Projects.id == project_id).values(**_columns(settings)))
    _put_labels(connection, project_id, settings.labels)
    changed = [field.name for field in fields(settings) if getattr(settings, field.name) != getattr(before, field.name)]
    if changed:
        _workers.record(connection, project_id, by, "settings_changed", {"settings": changed})
    return project(connection, project_id)


def archive(connection: Connection, project_id: int, archived: bool, by: int | None) -> None:
    """Put the project into the archive or take it out; NotFound."""
    lock(connection, project_id)
    if (project(connection, project_id).archived_at is not None) == archived:
        return
    at = now(connection) if archived else None
    connection.execute(update(Projects).where(Projects.id == project_id).values(archived_at=at))
    _workers.record(connection, project_id, by, "archived" if archived else "unarchived", {})


def add_labels(connection: Connection, project_id: int, labels: Sequence[Label]) -> None:
    """Give the project those of these labels that it lacks by now; whatever else was changed meanwhile stays."""
    lock(connection, project_id)
    settings = project(connection, project_id).settings
    known = {label.name for label in settings.labels}
    new = [label for label in labels if label.name not in known]
    change(connection, project_id, replace(settings, labels=(*settings.labels, *new)), None)


def project(connection: Connection, project_id: int) -> Project:
    """The project; NotFound if there is none."""
    row = connection.execute(PROJECT, {"project_id": project_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no project {project_id}")
    return _project(connection, row)


def project_by_name(connection: Connection, name: str) -> Project:
    """The project of that name; NotFound, with the names there are, if there is none."""
    row = connection.execute(select(Projects.__table__).where(Projects.name == name.strip())).one_or_none()
    if row is None:
        names = ", ".join(connection.execute(select(Projects.name).order_by(Projects.id)).scalars())
        raise NotFound(f"there is no project named {name!r}; there are: {names or 'none yet'}")
    return _project(connection, row)


def projects(connection: Connection) -> list[Project]:
    """All projects, oldest first."""
    rows = connection.execute(select(Projects.__table__).order_by(Projects.id)).all()
    return [_project(connection, row) for row in rows]


def lock(connection: Connection, project_id: int) -> None:
    """Be the only one to save, import or queue in this project until the end of the transaction; NotFound.

    Annotation numbers then appear in their order, so a watermark never passes one that is not visible yet.
    """
    if connection.execute(LOCK, {"project_id": project_id}).one_or_none() is None:
        raise NotFound(f"there is no project {project_id}")


def label_names(connection: Connection, project_id: int) -> set[str]:
    """The names of the project's labels."""
    return set(connection.execute(LABELS, {"project_id": project_id}).scalars())


def annotator(connection: Connection, name: str) -> Annotator:
    """The person of that name (trimmed, case-insensitive), made if new; the first spelling is kept."""
    trimmed, key = name_and_key(name)
    upsert(connection, Annotators, [{"name": trimmed, "name_key": key}], ["name_key"], [])
    known = known_annotator(connection, name)
    if known is None:
        raise NotFound(f"there is no annotator {name!r}")
    return known


def known_annotator(connection: Connection, name: str) -> Annotator | None:
    """The person of that name, None if new."""
    _, key = name_and_key(name)
    row = connection.execute(select(Annotators.id, Annotators.name).where(Annotators.name_key == key)).one_or_none()
    return None if row is None else Annotator(row.id, row.name)


def name_and_key(name: str) -> tuple[str, str]:
    """A person's name as it is shown and as it is compared: `"  Asha  Juma " -> ("Asha Juma", "asha juma")`."""
    trimmed = " ".join(name.split())
    if not 0 < len(trimmed) <= 200:
        raise InvalidInput("a name has 1 to 200 characters")
    refuse_unstorable(trimmed, "the name")
    return trimmed, unicodedata.normalize("NFC", trimmed).casefold()


def annotator_by_id(connection: Connection, annotator_id: int) -> Annotator:
    """The person; NotFound if there is none."""
    row = connection.execute(ANNOTATOR, {"annotator_id": annotator_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no annotator {annotator_id}")
    return Annotator(row.id, row.name)


def set_retrain_request(connection: Connection, project_id: int, requested: bool) -> None:
    """Note that somebody wants a training now, or that it has been answered; NotFound."""
    changed = connection.execute(
        update(Projects).where(Projects.id == project_id).values(retrain_requested=requested)
    ).rowcount
    if not changed:
        raise NotFound(f"there is no project {project_id}")


def retrain_requested(connection: Connection, project_id: int) -> bool:
    """Whether somebody wants a training now; NotFound."""
    requested = connection.execute(select(Projects.retrain_requested).where(Projects.id == project_id)).scalar()
    if requested is None:
        raise NotFound(f"there is no project {project_id}")
    return requested


def _columns(settings: ProjectSettings) -> dict[str, object]:
    plain = {name: getattr(settings, name) for name in PLAIN_SETTINGS}
    return {**plain, "name": settings.name.strip(), "suggest_when": SuggestWhen(settings.suggest_when).value}


def _project(connection: Connection, row: Row[tuple[object, ...]]) -> Project:
    labels = connection.execute(LABELS, {"project_id": row.id})
    settings = ProjectSettings(
        name=row.name,
        labels=tuple(Label(*label) for label in labels),
        suggest_when=SuggestWhen(row.suggest_when),
        **{name: getattr(row, name) for name in PLAIN_SETTINGS},
    )
    serving = connection.execute(SERVING, {"project_id": row.id}).one_or_none()
    run_id, pinned = (None, False) if serving is None else serving
    return Project(row.id, settings, row.split_salt, run_id, row.created_at, pinned, row.archived_at)


def _refuse_taken_name(connection: Connection, name: str, own_id: int | None) -> None:
    owner = connection.execute(select(Projects.id).where(Projects.name == name)).scalar()
    if owner is not None and owner != own_id:
        raise Refused(f"there is already a project named {name!r}, perhaps in the archive; choose another name")


def _remove_labels(connection: Connection, project_id: int, names: set[str]) -> None:
    is_used = or_(
        *(
            exists().where(spans.project_id == Labels.project_id, spans.label == Labels.name)
            for spans in (AnnotationSpans, GoldDecisionSpans)
        )
    )
    these = (Labels.project_id == project_id, Labels.name.in_(names))
    used = sorted(connection.execute(select(Labels.name).where(*these, is_used)).scalars())
    if used:
        raise Refused(f"the labels {', '.join(used)} stand in saved annotations and cannot be removed; keep them")
    is_listed = exists().where(ListedNames.project_id == Labels.project_id, ListedNames.label == Labels.name)
    listed = sorted(connection.execute(select(Labels.name).where(*these, is_listed)).scalars())
    if listed:
        raise Refused(
            f"the labels {', '.join(listed)} stand in the list of names and cannot be removed; replace the list first"
        )
    connection.execute(delete(Labels).where(*these))


def _put_labels(connection: Connection, project_id: int, labels: tuple[Label, ...]) -> None:
    rows = [
        {
            "project_id": project_id,
            "name": label.name,
            "color": label.color,
            "key": label.key,
            "description": label.description,
            "position": position,
        }
        for position, label in enumerate(labels)
    ]
    upsert(connection, Labels, rows, ["project_id", "name"], ["color", "key", "description", "position"])
