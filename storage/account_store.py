"""The part of a Store that knows who may come in: accounts, roles, sessions, invitations, tries to sign in.

Secrets (cookies, links) are known here by their hashes only, passwords by what argon2 made of them. `by` is whoever
does it, for the audit trail; None: somebody at the terminal.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from storage import _accounts, _invitations, _sessions
from storage.database import Database
from storage.records import Account, Annotator, Credentials, Invitation, Member, NewAccount, Person, Role


class AccountStore:
    """What a Store remembers of people beside their annotations."""

    _database: Database

    # Accounts.

    def create_account(
        self, new: NewAccount, administrator: bool = False, by: int | None = None, take_over: bool = False
    ) -> Account:
        """A new account; Refused when its name or identity has one.

        A name under which somebody worked without an account is Refused too, unless the account may `take_over`.
        """
        return self._database.write(_accounts.create, new, administrator, by, take_over)

    def account(self, annotator_id: int) -> Account:
        """The account of a person; NotFound if they have none."""
        return self._database.read(_accounts.account, annotator_id)

    def account_of(self, name: str) -> Account:
        """The account of that name (trimmed, case-insensitive); NotFound."""
        return self._database.read(_accounts.account_of, name)

    def account_of_identity(self, identity: str) -> Account | None:
        """The account of somebody an identity provider knows, or None."""
        return self._database.read(_accounts.of_identity, identity)

    def accounts(self) -> list[Account]:
        """All accounts by name."""
        return self._database.read(_accounts.accounts)

    def has_accounts(self) -> bool:
        """Whether anybody has an account."""
        return self._database.read(_accounts.any_account)

    def has_administrator(self) -> bool:
        """Whether anybody can administrate."""
        return self._database.read(_accounts.any_administrator)

    def credentials(self, name: str) -> Credentials | None:
        """What a password given with this name is checked against; None where nobody of that name has an account."""
        return self._database.read(_accounts.credentials, name)

    def set_password(self, annotator_id: int, password_hash: str, by: int | None = None, keep: str = "") -> None:
        """A new password; the person's sessions end, but for the one with the token hash `keep`. NotFound."""
        self._database.write(_accounts.set_password, annotator_id, password_hash, by, keep)

    def rehash_password(self, annotator_id: int, password_hash: str) -> None:
        """The same password, hashed by today's parameters."""
        self._database.write(_accounts.rehash, annotator_id, password_hash)

    def set_disabled(self, annotator_id: int, disabled: bool, by: int | None = None) -> None:
        """Disable an account, or no longer: sessions and unused invitations end, leases go back.

        Refused for the last administrator.
        """
        self._database.write(_accounts.set_disabled, annotator_id, disabled, by)

    def set_administrator(self, annotator_id: int, administrator: bool, by: int | None = None) -> None:
        """Make somebody an administrator, or no longer; Refused for the last one."""
        self._database.write(_accounts.set_administrator, annotator_id, administrator, by)

    def set_role(self, project_id: int, annotator_id: int, role: Role | None, by: int | None = None) -> None:
        """What a person is in a project; None: nothing any more. NotFound; Refused for the last lead."""
        self._database.write(_accounts.set_role, project_id, annotator_id, role, by)

    def roles(self, annotator_id: int) -> dict[int, Role]:
        """What a person is, by project id, whether or not they may sign in."""
        return self._database.read(_accounts.roles, annotator_id)

    def person(self, annotator_id: int) -> Person:
        """A person and what they are where: nothing without an account, or with a disabled one. NotFound."""
        return self._database.read(_accounts.person, annotator_id)

    def set_language(self, annotator_id: int, language: str | None) -> None:
        """The language of the interface a person wants; None: what the browser says."""
        self._database.write(_accounts.set_language, annotator_id, language)

    def set_reads(self, annotator_id: int, reads: Sequence[str]) -> None:
        """The languages and scripts (as in Sentence.written_in) a person is handed sentences in; none: all.

        What they hold and do not read goes back to the queue.
        """
        self._database.write(_accounts.set_reads, annotator_id, reads)

    def members(self, project_id: int | None, since: datetime) -> list[Member]:
        """Everybody with a role or work in a project or, without one, an account or work anywhere; by name.

        `recent_labels` counts from `since` on.
        """
        return self._database.read(_accounts.members, project_id, since)

    def only_labeller(self) -> Annotator | None:
        """The one person who has labelled in the tool; None where nobody has, or several."""
        return self._database.read(_accounts.only_labeller)

    # Sessions.

    def start_session(self, token_hash: str, annotator_id: int, whole_seconds: float) -> None:
        """A browser is signed in; sessions begun more than `whole_seconds` ago are forgotten."""
        self._database.write(_sessions.start, token_hash, annotator_id, whole_seconds)

    def session_person(self, token_hash: str, idle_seconds: float, whole_seconds: float) -> Person | None:
        """Who is signed in with this token; notes once a minute that they were seen.

        Nobody once `idle_seconds` passed unseen, `whole_seconds` since the start, or where the account is disabled.
        """
        person, note = self._database.read(_sessions.person, token_hash, idle_seconds, whole_seconds)
        if note:
            self._database.write(_sessions.seen, token_hash)
        return person

    def end_session(self, token_hash: str) -> None:
        """Sign a browser out; with a person's last one, what was leased to them goes back."""
        self._database.write(_sessions.end, token_hash)

    def end_other_sessions(self, annotator_id: int, keep: str) -> int:
        """Sign a person out everywhere but in the session with the token hash `keep`; how many ended."""
        return self._database.write(_sessions.end_others, annotator_id, keep)

    def count_try(self, free_tries: Mapping[str, int], longest_seconds: float) -> float:
        """Count a try to sign in under these keys; 0, or the seconds to wait before the next one is looked at.

        After its free tries a key waits 5, 10, 20, … seconds after each, up to `longest_seconds`; an hour without any
        forgets them.
        """
        return self._database.write(_sessions.count_try, free_tries, longest_seconds)

    def forget_try(self, forget: str, take_back: Sequence[str]) -> None:
        """The try was right: forget those of one key, take this one back from the others."""
        self._database.write(_sessions.forget_try, forget, take_back)

    # Invitations.

    def invite(
        self,
        token_hash: str,
        project_id: int | None,
        role: Role | None,
        name: str = "",
        by: int | None = None,
        seconds: float = 7 * 24 * 3600,
    ) -> Invitation:
        """An invitation to a role in a project or, without either, to administrate; `name` fixes the name of the account."""
        return self._database.write(_invitations.invite, token_hash, project_id, role, name, by, seconds)

    def invitation(self, token_hash: str) -> Invitation:
        """The invitation behind a link; NotFound when it cannot be used (any more)."""
        return self._database.read(_invitations.invitation, token_hash)

    def invitations(self, project_id: int | None) -> list[Invitation]:
        """The invitations to a project (None: to administrate) that can still be used, oldest first."""
        return self._database.read(_invitations.invitations, project_id)

    def withdraw_invitation(self, project_id: int | None, invitation_id: int, by: int | None = None) -> None:
        """Take an unused invitation to this project back; NotFound."""
        self._database.write(_invitations.withdraw, project_id, invitation_id, by)

    def withdraw_first_invitations(self) -> None:
        """Take back the unused links for a first administrator."""
        self._database.write(_invitations.withdraw_first)

    def accept_invitation(self, token_hash: str, who: NewAccount | int) -> Account:
        """Use an invitation, once: for a new account, or a further role of a person with one. NotFound, Refused."""
        return self._database.write(_invitations.accept, token_hash, who)
