"""Who may do what: one table of actions and the roles that allow them, and `require`, which routes and pages call.

An administrator may do everything. Somebody without a role in a project is told that it does not exist.
"""

from enum import StrEnum

from maner_core.errors import NotAllowed, NotFound
from storage import Person, Role


class Action(StrEnum):
    """What somebody may want to do; the value completes "you may not …"."""

    LABEL = "label sentences"
    SEE_PROGRESS = "see the progress of the project"
    SEE_ANSWERS = "see what others have labelled"
    REVIEW = "decide about what others have labelled"
    EXPORT = "export the project"
    IMPORT = "import sentences"
    LIST_NAMES = "change the list of names"
    FREEZE = "freeze the data under a name"
    TRAIN = "start a training"
    TRAIN_FINALLY = "release the evaluation sentences into a final training"
    SIMULATE = "simulate labelling"
    CHOOSE_RUN = "choose the run that serves"
    CHANGE_PROJECT = "change the project"
    MANAGE_PEOPLE = "see and change who works in the project"
    CREATE_PROJECT = "create a project"
    ADMINISTRATE = "manage all accounts"


EVERYBODY = frozenset(Role)
CURATORS = frozenset({Role.CURATOR, Role.LEAD})
LEADS = frozenset({Role.LEAD})

IN_PROJECT: dict[Action, frozenset[Role]] = {
    Action.LABEL: EVERYBODY,
    Action.SEE_PROGRESS: CURATORS,
    Action.SEE_ANSWERS: CURATORS,
    Action.REVIEW: CURATORS,
    Action.EXPORT: CURATORS,
    Action.IMPORT: LEADS,
    Action.LIST_NAMES: LEADS,
    Action.FREEZE: LEADS,
    Action.TRAIN: LEADS,
    Action.TRAIN_FINALLY: LEADS,
    Action.SIMULATE: LEADS,
    Action.CHOOSE_RUN: LEADS,
    Action.CHANGE_PROJECT: LEADS,
    Action.MANAGE_PEOPLE: LEADS,
}
"""Which role in a project lets one do what in that project."""

ANYWHERE: dict[Action, frozenset[Role]] = {
    Action.CREATE_PROJECT: LEADS,
    Action.ADMINISTRATE: frozenset(),
}
"""Which role, in whatever project, lets one do what belongs to no project."""


def may(person: Person, action: Action, project_id: int | None = None) -> bool:
    """Whether a person may do this in a project or, for what belongs to none, at all."""
    if person.administrator:
        return True
    if action in ANYWHERE:
        return not ANYWHERE[action].isdisjoint(person.roles.values())
    return project_id is not None and person.roles.get(project_id) in IN_PROJECT[action]


def require(person: Person, action: Action, project_id: int | None = None) -> None:
    """Go on if the person may do this. Raises NotFound for a project they have no part in, else NotAllowed."""
    if may(person, action, project_id):
        return
    if project_id is not None and project_id not in person.roles:
        raise NotFound(f"there is no project {project_id} for you; ask its lead for an invitation")
    where = "" if project_id is None else f" as {person.roles[project_id]}"
    raise NotAllowed(f"You may not {action}{where}; ask a lead of the project.")
