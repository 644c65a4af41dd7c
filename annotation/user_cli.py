"""The commands user add, role, password, disable, enable and list: accounts from the terminal, for whoever owns the machine."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from annotation.terminal import AsJson, ProjectName, open_store, print_json

if TYPE_CHECKING:
    from storage import Member

users = typer.Typer(help="Accounts: who may sign in, and as what.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the person.")]
Project = Annotated[str, typer.Option("--project", metavar="NAME", help="Name of a project.")]
NO_ROLE = "none"


@users.command("add")
def add_command(
    name: Name,
    project: Project = "",
    role: Annotated[str, typer.Option(help="annotator, curator or lead, with --project.")] = "annotator",
    administrator: Annotated[bool, typer.Option("--administrator", help="May do everything everywhere.")] = False,
) -> None:
    """Make an account; the password is asked for, or is the first line of the input.

    A name that has labelled here without an account keeps what it labelled.
    """
    from annotation import accounts

    with open_store() as store:
        given = accounts.known_role(role)
        found = store.project_by_name(project) if project else None
        account = accounts.create_account(store, name, _new_password(), administrator)
        if found is not None:
            store.set_role(found.id, account.annotator_id, given)
    where = f", {given} in {project}" if project else ""
    typer.echo(f"{account.name} has an account{' as administrator' if administrator else ''}{where}.")
    typer.echo("An app that serves one person without accounts asks for them once it is started anew.", err=True)


@users.command("role")
def role_command(
    name: Name,
    project: ProjectName,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="annotator, curator, lead, or none.")],
) -> None:
    """Change what somebody is in a project; the last lead stays until there is another one."""
    from annotation import accounts

    with open_store() as store:
        given = None if role == NO_ROLE else accounts.known_role(role)
        account = store.account_of(name)
        store.set_role(store.project_by_name(project).id, account.annotator_id, given)
    typer.echo(f"{account.name} is {given or 'nothing any more'} in {project}.")


@users.command("password")
def password_command(name: Name) -> None:
    """Give somebody a new password and sign them out everywhere; it is asked for, or is the first line of the input."""
    from annotation import accounts

    with open_store() as store:
        account = store.account_of(name)
        store.set_password(account.annotator_id, accounts.hash_new_password(_new_password(), account.name))
    typer.echo(f"{account.name} has a new password and is signed out everywhere.")


@users.command("disable")
def disable_command(name: Name) -> None:
    """Sign somebody out and let them in no more; what they labelled stays."""
    with open_store() as store:
        account = store.account_of(name)
        store.set_disabled(account.annotator_id, True)
    typer.echo(f"{account.name} cannot sign in any more.")


@users.command("enable")
def enable_command(name: Name) -> None:
    """Let somebody who was disabled sign in again."""
    with open_store() as store:
        account = store.account_of(name)
        store.set_disabled(account.annotator_id, False)
    typer.echo(f"{account.name} can sign in again.")


@users.command("list")
def list_command(project: Project = "", as_json: AsJson = False) -> None:
    """Say who has an account, or who works in a project, and what they did in the last 24 hours."""
    with open_store() as store:
        project_id = store.project_by_name(project).id if project else None
        members = store.members(project_id, datetime.now(UTC) - timedelta(days=1))
    if as_json:
        print_json({"people": [asdict(member) for member in members]})
    else:
        typer.echo("\n".join(map(_line, members)) or "Nobody yet.")


def _line(member: "Member") -> str:
    """A person for people."""
    facts = [
        member.role or "",
        "administrator" if member.administrator else "",
        "" if member.has_account else "no account",
        "disabled" if member.disabled else "",
        f"{member.labels:,} sentences, {member.recent_labels:,} in the last 24 hours",
        f"last seen {member.seen_at:%Y-%m-%d %H:%M} UTC" if member.seen_at else "",
    ]
    return f"{member.name}: {', '.join(fact for fact in facts if fact)}"


def _new_password() -> str:
    """A password typed twice at a terminal, else the first line of the input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
