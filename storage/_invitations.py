"""Invitations: links that can be used once. The secret of a link is known here by its hash only."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.orm import aliased

from maner_core.errors import NotFound, Refused
from storage import _accounts, _projects, _workers
from storage.account_tables import Invitations
from storage.database import now
from storage.records import Account, Invitation, NewAccount, Role
from storage.tables import Annotators, Projects

INVITERS = aliased(Annotators)
RANKS = list(Role)  # from the least to the most


def invite(
    connection: Connection,
    token_hash: str,
    project_id: int | None,
    role: Role | None,
    name: str,
    by: int | None,
    seconds: float,
) -> Invitation:
    """A new invitation; without a project it makes an administrator. NotFound if there is no such project.

    Refused for the name of a person who, without an account so far, has a part in projects the inviter does not lead.
    """
    if project_id is not None:
        _projects.project(connection, project_id)
    if name:
        name, _ = _projects.name_and_key(name)
        _refuse_foreign_roles(connection, name, by)
    at = now(connection)
    values = {
        "token_hash": token_hash,
        "project_id": project_id,
        "role": None if role is None else role.value,
        "name": name,
        "invited_by": by,
        "created_at": at,
        "expires_at": at + timedelta(seconds=seconds),
    }
    invitation_id = connection.execute(insert(Invitations).values(values).returning(Invitations.id)).scalar_one()
    if by is not None:
        _workers.record(
            connection, project_id, by, "invited", {"invitation": invitation_id, "role": role, "name": name}
        )
    return invitation(connection, token_hash)


def invitation(connection: Connection, token_hash: str) -> Invitation:
    """The invitation behind a link; NotFound if there is none, or it was used, withdrawn or is too old."""
    row = connection.execute(_open(connection).where(Invitations.token_hash == token_hash)).one_or_none()
    if row is None:
        raise NotFound("this link is not valid, was used already or is too old; ask for a new one")
    return _record(row)


def invitations(connection: Connection, project_id: int | None) -> list[Invitation]:
    """The invitations to a project (or to administrate) that can still be used, oldest first."""
    rows = connection.execute(_open(connection).where(Invitations.project_id == project_id).order_by(Invitations.id))
    return [_record(row) for row in rows]


def withdraw(connection: Connection, project_id: int | None, invitation_id: int, by: int | None) -> None:
    """Take an unused invitation to this project back; NotFound."""
    unused = (
        Invitations.id == invitation_id,
        Invitations.project_id == project_id,
        Invitations.used_at.is_(None),
    )
    if not connection.execute(delete(Invitations).where(*unused)).rowcount:
        raise NotFound("there is no such invitation any more")
    _workers.record(connection, project_id, by, "invitation_withdrawn", {"invitation": invitation_id})


def withdraw_first(connection: Connection) -> None:
    """Take back the links for a first administrator that nobody used: a new start prints a new one."""
    connection.execute(delete(Invitations).where(Invitations.invited_by.is_(None), Invitations.used_at.is_(None)))


def accept(connection: Connection, token_hash: str, who: NewAccount | int) -> Account:
    """Use an invitation: somebody new gets an account, a person (by annotator id) a further role; NotFound, Refused.

    Nobody loses by it: a role higher than that of the invitation stays.
    """
    invited = invitation(connection, token_hash)
    if isinstance(who, int):
        account = _accounts.account(connection, who)
    else:
        new = NewAccount(invited.name or who.name, who.password_hash, who.identity)
        if invited.name:
            inviter = select(Invitations.invited_by).where(Invitations.id == invited.id)
            _refuse_foreign_roles(connection, invited.name, connection.execute(inviter).scalar())
        _refuse_name_with_account(connection, new.name, is_fixed=bool(invited.name))
        named = bool(invited.name) or invited.project_id is None
        account = _accounts.create(connection, new, invited.project_id is None, None, take_over=named)
    used = connection.execute(
        update(Invitations)
        .where(Invitations.id == invited.id, Invitations.used_at.is_(None))
        .values(used_at=now(connection), used_by=account.annotator_id)
    ).rowcount
    if not used:  # somebody else was faster
        raise NotFound("this link was used already; ask for a new one")
    person_id = account.annotator_id
    _workers.record(
        connection, invited.project_id, person_id, "joined", {"invitation": invited.id, "name": account.name}
    )
    if invited.project_id is None or invited.role is None:
        if not account.administrator:
            _accounts.set_administrator(connection, person_id, True, person_id)
    else:
        has = _accounts.roles(connection, person_id).get(invited.project_id)
        if has is None or RANKS.index(has) < RANKS.index(invited.role):
            _accounts.set_role(connection, invited.project_id, person_id, invited.role, person_id)
    return _accounts.account(connection, person_id)


def _refuse_foreign_roles(connection: Connection, name: str, by: int | None) -> None:
    """Whoever opens the link becomes that person, with all their roles: nobody may hand out those of others' projects."""
    person = _projects.known_annotator(connection, name)
    if person is None or by is None or _accounts.is_administrator(connection, by):
        return
    led = {project_id for project_id, role in _accounts.roles(connection, by).items() if role is Role.LEAD}
    if _accounts.roles(connection, person.id).keys() - led:
        raise Refused(
            f"{person.name!r} has a part in other projects too, which this link would open to whoever has it; an "
            "administrator can invite them, or leave the name empty"
        )


def _refuse_name_with_account(connection: Connection, name: str, is_fixed: bool) -> None:
    """Whoever has an account joins with it, not with a second one; only they know whether the name is theirs."""
    person = _projects.known_annotator(connection, name)
    if person is not None and _accounts.has_account(connection, person.id):
        otherwise = "ask for a link without a name" if is_fixed else "choose another one"
        raise Refused(
            f"the name {person.name!r} is taken; if it is yours, sign in first and open the link again, else {otherwise}"
        )


def _open(connection: Connection) -> Select[*tuple[Any, ...]]:
    """Invitations that can still be used."""
    return (
        select(
            Invitations.id,
            Invitations.project_id,
            Projects.name.label("project"),
            Invitations.role,
            Invitations.name,
            INVITERS.name.label("invited_by"),
            Invitations.created_at,
            Invitations.expires_at,
        )
        .outerjoin(Projects, Projects.id == Invitations.project_id)
        .outerjoin(INVITERS, INVITERS.id == Invitations.invited_by)
        .where(Invitations.used_at.is_(None), Invitations.expires_at > now(connection))
    )


def _record(row: Row[*tuple[Any, ...]]) -> Invitation:
    return Invitation(
        id=row.id,
        project_id=row.project_id,
        project=row.project or "",
        role=None if row.role is None else Role(row.role),
        name=row.name,
        invited_by=row.invited_by or "",
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
