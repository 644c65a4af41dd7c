"""The lead's page of people: who works here and how much, invitations by link, roles, disabled accounts, what happened."""

from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from annotation import accounts
from annotation.permissions import Action
from annotation.ui import navigation
from annotation.ui.session import allow, allows, base_path, current_person, current_project, current_store
from annotation.ui.text import cell, plain
from maner_core.errors import ManerError
from storage import AuditEvent, Invitation, Member, Project, Role

EVENTS_SHOWN = 100
_PROJECT, _INSTALLATION = "This project", "Whole installation"
_LINK = "invitation_link"
_NO_ROLE = "no role"
_ROLE_HELP = (
    "Annotators label. Curators also see the progress and what others have labelled, and export. Leads also import, train, "
    "change the project and invite people."
)
_EVENTS = {
    "account_made": "made an account for {name}",
    "account_disabled": "disabled the account of {name}",
    "account_enabled": "let {name} sign in again",
    "administrator_changed": "changed whether {name} administrates: {administrator}",
    "archived": "put the project into the archive",
    "exported": "exported {include} sentences ({split}) as {format}",
    "import": "imported {files}: {added} new",
    "invited": "made an invitation link: {role} {name}",
    "label_check_requested": "asked to look for label errors",
    "invitation_withdrawn": "took an invitation back",
    "joined": "joined by an invitation",
    "names_listed": "replaced the list of names: now {names}",
    "password_changed": "changed the password of {name}",
    "project_made": "made the project {name}",
    "restored": "restored the backup of {made_at}",
    "retrain_refused": "no training: {why}",
    "retrain_requested": "asked for a training",
    "final_training_requested": "released the evaluation sentences into a final training",
    "role_changed": "made {name} {now}, before: {before}",
    "run_pinned": "pinned run {run}",
    "run_served": "let run {run} serve",
    "run_unpinned": "unpinned run {run}",
    "settings_changed": "changed {settings}",
    "simulation_cancelled": "cancelled a simulation",
    "simulation_started": "started a simulation: {strategies}",
    "signed_in": "signed in",
    "signed_out": "signed out",
    "snapshot_made": "made the snapshot {name}",
    "unarchived": "took the project out of the archive",
}

_NOBODY = {"retrain_refused": "worker"}  # who does it where that is no person; else somebody at the terminal


def page() -> None:
    """Who works in the project at work; for administrators also who has an account at all."""
    project = current_project(Action.MANAGE_PEOPLE)
    st.title("People")
    _invite(project)
    _invitations(project)
    scope = _PROJECT
    if allows(Action.ADMINISTRATE):
        choice = st.segmented_control(
            "Show", [_PROJECT, _INSTALLATION], default=_PROJECT, label_visibility="collapsed", key="scope"
        )
        scope = choice or _PROJECT
    members = current_store().members(project.id if scope == _PROJECT else None, _midnight())
    _table(members, in_project=scope == _PROJECT)
    _change(project, members, in_project=scope == _PROJECT)
    _events(current_store().audit(project.id if scope == _PROJECT else None))


def _midnight() -> datetime:
    """When today began where the browser is."""
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)


# Invitations.


def _invite(project: Project) -> None:
    with st.container(border=True, key="invite"):
        st.subheader("Invite somebody")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            role = st.segmented_control(
                "As", list(Role), default=Role.ANNOTATOR, format_func=str, key="invite_role", help=_ROLE_HELP
            )
            name = st.text_input(
                "Name (may stay empty)",
                key="invite_name",
                max_chars=accounts.MAX_NAME,
                width=280,
                help="Fixes the name of the account, and keeps what was labelled under this name before. Else they choose.",
            )
            if st.button("Make a link", type="primary", icon=":material/link:"):
                _make_link(project, role or Role.ANNOTATOR, name)
        link = st.session_state.get(_LINK)
        if link is not None and link[0] == project.id:
            st.code(link[1], language=None, wrap_lines=True)
            st.caption(
                "Send this link to one person, by a way you trust: whoever opens it first joins. It works once, for "
                f"{accounts.INVITATION_SECONDS // accounts.DAY} days, and is shown only now."
            )


def _make_link(project: Project, role: Role, name: str) -> None:
    person = allow(Action.MANAGE_PEOPLE, project.id)
    try:
        token, _ = accounts.invite(current_store(), person, project.id, role, name)
    except ManerError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state[_LINK] = (project.id, f"{_origin()}{base_path()}/{navigation.JOIN}#{token}")


def _origin() -> str:
    """The scheme and host at which this browser reaches us."""
    parts = urlsplit(str(st.context.url or ""))
    return f"{parts.scheme}://{parts.netloc}"


def _invitations(project: Project) -> None:
    invitations = current_store().invitations(project.id)
    if not invitations:
        return
    with st.expander(f"Open invitations: {len(invitations)}", icon=":material/mail:"):
        for invitation in invitations:
            with st.container(horizontal=True, vertical_alignment="center"):
                name = plain(invitation.name) or "somebody"
                st.markdown(
                    f"**{name}** as {invitation.role}, invited by {plain(invitation.invited_by)}, until "
                    f"{invitation.expires_at:%d %b %H:%M} UTC",
                    width="stretch",
                )
                st.button("Withdraw", key=f"withdraw_{invitation.id}", on_click=_withdraw, args=(invitation,))


def _withdraw(invitation: Invitation) -> None:
    person = allow(Action.MANAGE_PEOPLE, invitation.project_id)
    try:
        accounts.withdraw(current_store(), person, invitation)
    except ManerError as error:
        st.toast(plain(str(error)))


# Members.


def _table(members: Sequence[Member], in_project: bool) -> None:
    if not members:
        st.write("Nobody has a role here yet. Invite somebody above.")
        return
    rows = [
        {
            "Name": cell(member.name),
            **({"Role": member.role or _NO_ROLE} if in_project else {}),
            "Account": _account_state(member),
            "Last seen": member.seen_at,
            "Today": member.recent_labels,
            "All": member.labels,
        }
        for member in members
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="members",
        column_config={
            "Last seen": st.column_config.DatetimeColumn(format="distance"),
            "Today": st.column_config.NumberColumn(help="Sentences labelled, skipped or flagged today"),
            "All": st.column_config.NumberColumn(help="Sentences labelled, skipped or flagged, ever"),
        },
    )


def _account_state(member: Member) -> str:
    if not member.has_account:
        return "none"
    if member.disabled:
        return "disabled"
    return "administrator" if member.administrator else "active"


def _change(project: Project, members: Sequence[Member], in_project: bool) -> None:
    by_id = {member.annotator_id: member for member in members if member.has_account}
    if not by_id:
        return
    with st.container(border=True, key="change"):
        st.subheader("Change somebody")
        chosen = st.selectbox("Person", list(by_id), format_func=lambda id_: by_id[id_].name, key="person", width=320)
        member = by_id[chosen]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if in_project:
                _role_choice(project, member)
            _account_buttons(member)


def _role_choice(project: Project, member: Member) -> None:
    key = f"role_{project.id}_{member.annotator_id}_{member.role}"
    st.segmented_control(
        "Role in this project",
        [_NO_ROLE, *Role],
        default=member.role or _NO_ROLE,
        key=key,
        help=_ROLE_HELP,
        on_change=_set_role,
        args=(project.id, member, key),
    )


def _set_role(project_id: int, member: Member, key: str) -> None:
    chosen = st.session_state[key]
    st.session_state[key] = member.role or _NO_ROLE  # else a refused choice would go on looking chosen
    if chosen is None:
        return
    person = allow(Action.MANAGE_PEOPLE, project_id)
    role = None if chosen == _NO_ROLE else Role(chosen)
    if _try(lambda: accounts.set_role(current_store(), person, project_id, member.annotator_id, role)):
        now = f"is {role}" if role else "has no role any more"
        st.toast(f"{plain(member.name)} {now} in this project.", icon=":material/check:")


def _account_buttons(member: Member) -> None:
    store, person = current_store(), current_person()
    if accounts.may_disable(person, store.account(member.annotator_id), store.roles(member.annotator_id)):
        st.button(
            "Let sign in again" if member.disabled else "Disable account",
            icon=":material/lock_open:" if member.disabled else ":material/block:",
            help="Who is disabled is signed out at once and cannot sign in. What they labelled stays.",
            on_click=_set_disabled,
            args=(member.annotator_id, not member.disabled),
        )
    if allows(Action.ADMINISTRATE):
        st.button(
            "No administrator any more" if member.administrator else "Make administrator",
            icon=":material/shield_person:",
            on_click=_set_administrator,
            args=(member.annotator_id, not member.administrator),
        )


def _set_disabled(annotator_id: int, disabled: bool) -> None:
    person = current_person()
    _try(lambda: accounts.set_disabled(current_store(), person, annotator_id, disabled))


def _set_administrator(annotator_id: int, administrator: bool) -> None:
    person = current_person()
    _try(lambda: accounts.set_administrator(current_store(), person, annotator_id, administrator))


def _try(work: Callable[[], None]) -> bool:
    """Do it, and whether it was done; say in a sentence where it is refused."""
    try:
        work()
    except ManerError as error:
        st.toast(plain(str(error)), icon=":material/error:")
        return False
    return True


# What happened.


def _events(events: Sequence[AuditEvent]) -> None:
    store = current_store()
    shown = [event for event in events if event.kind in _EVENTS][-EVENTS_SHOWN:]
    ids = {event.annotator_id for event in shown if event.annotator_id is not None}
    names = {annotator_id: store.annotator_by_id(annotator_id).name for annotator_id in ids}
    rows = [
        {
            "When": event.at,
            "Who": _NOBODY.get(event.kind, "terminal")
            if event.annotator_id is None
            else cell(names[event.annotator_id]),
            "What": cell(_in_words(event)),
        }
        for event in reversed(shown)
    ]
    with st.expander("What happened", icon=":material/history:"):
        st.dataframe(
            pd.DataFrame(rows, columns=["When", "Who", "What"]),
            hide_index=True,
            key="events",
            column_config={"When": st.column_config.DatetimeColumn(format="distance")},
        )


def _in_words(event: AuditEvent) -> str:
    """What somebody did, after their name."""
    details = {name: _detail(value) for name, value in event.details.items()}
    words = {
        "name": "",
        "role": "",
        "now": "",
        "before": "",
        "settings": "",
        "administrator": "",
        "strategies": "",
        **details,
    }
    return _EVENTS[event.kind].format(**words).strip()


def _detail(value: object) -> str:
    if value is None:
        return _NO_ROLE
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
