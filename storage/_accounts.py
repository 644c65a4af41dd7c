"""Accounts: who may sign in, what they are in which project, what they did there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, exists, func, insert, or_, select, update

from maner_core.errors import InvalidInput, NotFound, Refused
from storage import _projects, _queue, _workers
from storage._checks import refuse_unstorable
from storage.account_tables import Accounts, Invitations, Roles, Sessions
from storage.database import now, upsert
from storage.records import Account, Annotator, Credentials, Member, NewAccount, Person, Role
from storage.tables import Annotations, Annotators

ACCOUNT = select(
    Accounts.annotator_id,
    Annotators.name,
    Accounts.administrator,
    Accounts.disabled,
    Accounts.password_hash.is_not(None).label("has_password"),
    Accounts.identity,
    Accounts.created_at,
    Accounts.seen_at,
).join(Annotators, Annotators.id == Accounts.annotator_id)

UNUSED_LINKS = delete(Invitations).where(Invitations.used_at.is_(None))


def create(connection: Connection, new: NewAccount, administrator: bool, by: int | None, take_over: bool) -> Account:
    """A new account. A name under which somebody has worked without an account is only for whoever may `take_over`."""
    if new.password_hash is None and new.identity is None:
        raise InvalidInput("an account needs a password or an identity")
    if new.identity is not None and of_identity(connection, new.identity) is not None:
        raise Refused("this identity already has an account; sign in with it")
    known = _projects.known_annotator(connection, new.name)
    if known is not None and (not take_over or has_account(connection, known.id)):
        raise Refused(f"the name {known.name!r} is taken; choose another one")
    person = known or _projects.annotator(connection, new.name)
    connection.execute(
        insert(Accounts).values(
            annotator_id=person.id,
            password_hash=new.password_hash,
            identity=new.identity,
            administrator=administrator,
            disabled=False,
            created_at=now(connection),
        )
    )
    details = {"person": person.id, "name": person.name, "administrator": administrator}
    _workers.record(connection, None, by or person.id, "account_made", details)
    return account(connection, person.id)


def account(connection: Connection, annotator_id: int) -> Account:
    """The account of a person; NotFound if they have none."""
    row = _row(connection, annotator_id)
    if row is None:
        raise NotFound(f"annotator {annotator_id} has no account")
    return _account(row)


def accounts(connection: Connection) -> list[Account]:
    """All accounts by name."""
    return [_account(row) for row in connection.execute(ACCOUNT.order_by(Annotators.name_key))]


def account_of(connection: Connection, name: str) -> Account:
    """The account of that name; NotFound."""
    person = _projects.known_annotator(connection, name)
    row = None if person is None else _row(connection, person.id)
    if row is None:
        raise NotFound(f"there is no account named {name!r}")
    return _account(row)


def has_account(connection: Connection, annotator_id: int) -> bool:
    """Whether a person has an account, disabled or not."""
    return _row(connection, annotator_id) is not None


def is_administrator(connection: Connection, annotator_id: int) -> bool:
    """Whether a person administrates the installation; without an account nobody does."""
    row = _row(connection, annotator_id)
    return row is not None and _account(row).administrator


def of_identity(connection: Connection, identity: str) -> Account | None:
    """The account of somebody an identity provider knows; None if there is none."""
    row = connection.execute(ACCOUNT.where(Accounts.identity == identity)).one_or_none()
    return None if row is None else _account(row)


def any_account(connection: Connection) -> bool:
    """Whether anybody has an account."""
    return bool(connection.execute(select(exists(select(Accounts.annotator_id)))).scalar())


def any_administrator(connection: Connection, but: int | None = None) -> bool:
    """Whether somebody (but `but`) can administrate the installation."""
    able = exists(
        select(Accounts.annotator_id).where(
            Accounts.administrator.is_(True), Accounts.disabled.is_(False), Accounts.annotator_id != (but or 0)
        )
    )
    return bool(connection.execute(select(able)).scalar())


def credentials(connection: Connection, name: str) -> Credentials | None:
    """What a password given with this name is checked against; None where nobody of that name has an account."""
    person = _projects.known_annotator(connection, name)
    if person is None:
        return None
    row = connection.execute(
        select(Accounts.annotator_id, Accounts.password_hash, Accounts.disabled).where(
            Accounts.annotator_id == person.id
        )
    ).one_or_none()
    return None if row is None else Credentials(*row)


def set_password(connection: Connection, annotator_id: int, password_hash: str, by: int | None, keep: str) -> None:
    """A new password; every session of this person ends but the one with the token hash `keep`."""
    _change(connection, annotator_id, {"password_hash": password_hash})
    connection.execute(delete(Sessions).where(Sessions.annotator_id == annotator_id, Sessions.token_hash != keep))
    _workers.record(connection, None, by, "password_changed", _who(connection, annotator_id))


def rehash(connection: Connection, annotator_id: int, password_hash: str) -> None:
    """The same password, hashed by today's parameters."""
    _change(connection, annotator_id, {"password_hash": password_hash})


def set_disabled(connection: Connection, annotator_id: int, disabled: bool, by: int | None) -> None:
    """Let nobody, or somebody again, sign in with this account; Refused for the last administrator."""
    if disabled and account(connection, annotator_id).administrator:
        _refuse_last_administrator(connection, annotator_id)
    _change(connection, annotator_id, {"disabled": disabled})
    if disabled:
        connection.execute(delete(Sessions).where(Sessions.annotator_id == annotator_id))
        connection.execute(UNUSED_LINKS.where(Invitations.invited_by == annotator_id))
        _queue.release(connection, annotator_id, None)
    kind = "account_disabled" if disabled else "account_enabled"
    _workers.record(connection, None, by, kind, _who(connection, annotator_id))


def set_administrator(connection: Connection, annotator_id: int, administrator: bool, by: int | None) -> None:
    """Make somebody an administrator, or no longer; Refused for the last one. Links that they may make no longer are void."""
    if not administrator:
        _refuse_last_administrator(connection, annotator_id)
    _change(connection, annotator_id, {"administrator": administrator})
    if not administrator:
        led = [project_id for project_id, role in roles(connection, annotator_id).items() if role is Role.LEAD]
        own = or_(Invitations.project_id.is_(None), Invitations.project_id.not_in(led))
        connection.execute(UNUSED_LINKS.where(Invitations.invited_by == annotator_id, own))
    details = {**_who(connection, annotator_id), "administrator": administrator}
    _workers.record(connection, None, by, "administrator_changed", details)


def set_role(connection: Connection, project_id: int, annotator_id: int, role: Role | None, by: int | None) -> None:
    """What a person is in a project from now on; None: nothing. NotFound: project or person.

    Refused for the last lead, whoever asks. Links that they may make no longer are void.
    """
    _projects.project(connection, project_id)
    who = _who(connection, annotator_id)
    before = roles(connection, annotator_id).get(project_id)
    if before is role:
        return
    if before is Role.LEAD:
        _refuse_last_lead(connection, project_id, annotator_id)
    if role is None:
        _queue.release(connection, annotator_id, None, project_id)
        connection.execute(delete(Roles).where(Roles.project_id == project_id, Roles.annotator_id == annotator_id))
    else:
        row = {"project_id": project_id, "annotator_id": annotator_id, "role": role.value}
        upsert(connection, Roles, [row], ["project_id", "annotator_id"], ["role"])
    if role is not Role.LEAD and not is_administrator(connection, annotator_id):
        # Links they made would let them in again.
        own = (Invitations.invited_by == annotator_id, Invitations.project_id == project_id)
        connection.execute(UNUSED_LINKS.where(*own))
    _workers.record(connection, project_id, by, "role_changed", {**who, "before": before, "now": role})


def roles(connection: Connection, annotator_id: int) -> dict[int, Role]:
    """What a person is, by project id."""
    rows = connection.execute(select(Roles.project_id, Roles.role).where(Roles.annotator_id == annotator_id))
    return {project_id: Role(role) for project_id, role in rows}


def person(connection: Connection, annotator_id: int) -> Person:
    """A person as they count once signed in; NotFound. Without an account, or with a disabled one, they are nothing."""
    known = connection.execute(
        select(Annotators.name, Annotators.language, Annotators.reads, Accounts.administrator, Accounts.disabled)
        .outerjoin(Accounts, Accounts.annotator_id == Annotators.id)
        .where(Annotators.id == annotator_id)
    ).one_or_none()
    if known is None:
        raise NotFound(f"there is no annotator {annotator_id}")
    annotator = Annotator(annotator_id, known.name)
    if known.disabled or known.disabled is None:
        return Person(annotator, False, {}, known.language, tuple(known.reads))
    return Person(annotator, known.administrator, roles(connection, annotator_id), known.language, tuple(known.reads))


def set_language(connection: Connection, annotator_id: int, language: str | None) -> None:
    """The language a person wants to see; None: what the browser says."""
    connection.execute(update(Annotators).where(Annotators.id == annotator_id).values(language=language))


def set_reads(connection: Connection, annotator_id: int, reads: Sequence[str]) -> None:
    """The languages and scripts a person reads, none meaning all; what they hold of others goes back."""
    for name in reads:
        refuse_unstorable(name, "the language or script")
    connection.execute(update(Annotators).where(Annotators.id == annotator_id).values(reads=sorted(set(reads))))
    if reads:
        _queue.release_unreadable(connection, annotator_id, reads)


def members(connection: Connection, project_id: int | None, since: datetime) -> list[Member]:
    """Everybody with a role or work in the project or, without one, an account or work anywhere; by name."""
    done = _work(connection, project_id, since)
    of_project = {} if project_id is None else _project_roles(connection, project_id)
    rows = connection.execute(
        select(Annotators.id, Annotators.name, Accounts.administrator, Accounts.disabled, Accounts.seen_at)
        .outerjoin(Accounts, Accounts.annotator_id == Annotators.id)
        .order_by(Annotators.name_key)
    )
    return [
        Member(
            annotator_id=row.id,
            name=row.name,
            role=of_project.get(row.id),
            administrator=bool(row.administrator),
            has_account=row.disabled is not None,
            disabled=bool(row.disabled),
            seen_at=row.seen_at,
            labels=done.get(row.id, (0, 0))[0],
            recent_labels=done.get(row.id, (0, 0))[1],
        )
        for row in rows
        if row.id in done or row.id in of_project or (project_id is None and row.disabled is not None)
    ]


def only_labeller(connection: Connection) -> Annotator | None:
    """The one person who has labelled in the tool; None where nobody has, or several."""
    at_most_two = select(Annotations.annotator_id).where(Annotations.imported.is_(False)).distinct().limit(2)
    found = connection.execute(at_most_two).scalars().all()
    return _projects.annotator_by_id(connection, found[0]) if len(found) == 1 else None


def _work(connection: Connection, project_id: int | None, since: datetime) -> Mapping[int, tuple[int, int]]:
    """Sentences annotated in the tool, all and those since a moment, by person."""
    recent = case((Annotations.created_at >= since, Annotations.sentence_id))
    statement = (
        select(
            Annotations.annotator_id,
            func.count(Annotations.sentence_id.distinct()),
            func.count(recent.distinct()),
        )
        .where(Annotations.imported.is_(False))
        .group_by(Annotations.annotator_id)
    )
    if project_id is not None:
        statement = statement.where(Annotations.project_id == project_id)
    return {annotator_id: (labels, lately) for annotator_id, labels, lately in connection.execute(statement)}


def _project_roles(connection: Connection, project_id: int) -> dict[int, Role]:
    rows = connection.execute(select(Roles.annotator_id, Roles.role).where(Roles.project_id == project_id))
    return {annotator_id: Role(role) for annotator_id, role in rows}


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(**row._mapping)


def _row(connection: Connection, annotator_id: int) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(ACCOUNT.where(Accounts.annotator_id == annotator_id)).one_or_none()


def _change(connection: Connection, annotator_id: int, values: Mapping[str, Any]) -> None:
    changed = connection.execute(update(Accounts).where(Accounts.annotator_id == annotator_id).values(values)).rowcount
    if not changed:
        raise NotFound(f"annotator {annotator_id} has no account")


def _who(connection: Connection, annotator_id: int) -> dict[str, Any]:
    """A person as an event names them; NotFound."""
    return {"person": annotator_id, "name": _projects.annotator_by_id(connection, annotator_id).name}


def _refuse_last_administrator(connection: Connection, annotator_id: int) -> None:
    if not any_administrator(connection, but=annotator_id):
        raise Refused("nobody else administrates this installation; make somebody else an administrator first")


def _refuse_last_lead(connection: Connection, project_id: int, annotator_id: int) -> None:
    able = exists(
        select(Roles.annotator_id)
        .join(Accounts, Accounts.annotator_id == Roles.annotator_id)
        .where(
            Roles.project_id == project_id,
            Roles.role == Role.LEAD.value,
            Roles.annotator_id != annotator_id,
            Accounts.disabled.is_(False),
        )
    )
    if not connection.execute(select(able)).scalar():
        raise Refused("nobody else leads this project; make somebody else a lead first")
