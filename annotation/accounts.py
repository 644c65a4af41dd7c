"""Signing in and joining: passwords, sessions, invitations, and what leads and administrators do with accounts.

No HTTP here. Secrets leave this module once, to their owner: what is kept of a password is what argon2 makes of it, of a
cookie or a link its SHA-256. Nothing here is ever logged.
"""

import hashlib
import ipaddress
import secrets
import threading
import unicodedata
from collections.abc import Mapping
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from annotation.permissions import Action, may, require
from maner_core.errors import InvalidInput, ManerError, NotAllowed, NotFound
from storage import Account, Invitation, NewAccount, Person, Role, Store

DAY = 24 * 3600
SESSION_IDLE_SECONDS = 7 * DAY  # a browser not seen for so long is signed out ...
SESSION_WHOLE_SECONDS = 30 * DAY  # ... and every one so long after signing in
INVITATION_SECONDS = 7 * DAY
FREE_TRIES_OF_A_NAME = 5  # wrong passwords before a pause follows each further one
FREE_TRIES_OF_AN_ADDRESS = 20  # more: a whole office may come from one address
LONGEST_PAUSE_SECONDS = 300.0
MAX_NAME = 60  # characters of a person's name
MIN_PASSWORD, MAX_PASSWORD = 10, 200  # characters
FEWEST_DIFFERENT = 4  # different characters of a password

HASHER = PasswordHasher()  # its defaults follow RFC 9106 and change with the library: see needs_rehash
_AT_ONCE = threading.Semaphore(2)  # each hash takes 64 MiB for a moment


class NotSignedIn(ManerError):
    """A request without a valid token or cookie, or a wrong password."""


class TooManyTries(ManerError):
    """Signing in went wrong too often; `seconds` is how long nobody looks at the next try."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, round(seconds))
        super().__init__(f"Too many wrong tries. Please wait {self.seconds} seconds, then try again.")


# Secrets.


def new_token() -> str:
    """A secret for a cookie or a link: 256 bits."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """What is kept of such a secret. It is random, so a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def checked_name(name: object) -> str:
    """A person's name as given, trimmed. Raises InvalidInput."""
    if not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_NAME or not _is_printable(name.strip()):
        raise InvalidInput(f"Please give a name of 1 to {MAX_NAME} characters, on one line")
    return name.strip()


def _is_printable(name: str) -> bool:
    """Whether a name has no control characters; joiners belong to names in many scripts, and pasted ones hold NBSP."""
    return all(character.isprintable() or character in "\u200c\u200d\u00a0" for character in name)


def hash_new_password(password: object, name: str) -> str:
    """What is kept of a new password. Raises InvalidInput where it is too easy."""
    if not isinstance(password, str) or not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InvalidInput(f"Please choose a password of {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    if len(set(password)) < FEWEST_DIFFERENT or password.casefold().strip() == name.casefold().strip():
        raise InvalidInput("This password is too easy to guess; a few words in a row are a good one.")
    with _AT_ONCE:
        return HASHER.hash(_as_typed(password))


def _is_right(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one hashed; takes as long where there is none."""
    with _AT_ONCE:
        try:
            return HASHER.verify(password_hash or _nobodys_hash(), _as_typed(password)) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys_hash() -> str:
    return HASHER.hash(new_token())


def _as_typed(password: str) -> bytes:
    """The password in one form, however a keyboard composes its letters (RFC 8265)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")


# Signing in and out.


def sign_in(store: Store, name: object, password: object, address: str) -> str:
    """Begin a session: the secret for the cookie. Raises NotSignedIn, TooManyTries.

    `address` is the network address the try comes from. The try is counted before anybody looks whether it is right,
    so that many at the same time gain nothing.
    """
    if not isinstance(name, str) or not isinstance(password, str) or len(password) > MAX_PASSWORD:
        raise InvalidInput("Please give your name and your password.")
    keys = _try_keys(name, address)
    wait = store.count_try(keys, LONGEST_PAUSE_SECONDS)
    if wait:
        raise TooManyTries(wait)
    try:
        known = store.credentials(checked_name(name))
    except InvalidInput:
        known = None
    is_right = _is_right(password, None if known is None else known.password_hash)
    if known is None or not is_right or known.disabled or known.password_hash is None:
        raise NotSignedIn("This name and password do not belong together. Please check both.")
    name_key, address_key = keys
    store.forget_try(name_key, [address_key])
    if HASHER.check_needs_rehash(known.password_hash):
        store.rehash_password(known.annotator_id, HASHER.hash(_as_typed(password)))
    return start_session(store, known.annotator_id)


def sign_in_with_identity(store: Store, identity: str) -> str:
    """Begin a session for somebody an identity provider has vouched for. Raises NotSignedIn."""
    account = store.account_of_identity(identity)
    if account is None or account.disabled:
        raise NotSignedIn("You have no account here yet. Ask the lead of your project for an invitation link.")
    return start_session(store, account.annotator_id)


def start_session(store: Store, annotator_id: int) -> str:
    """Begin a session of somebody who has proved who they are: the secret for the cookie."""
    token = new_token()
    store.start_session(hash_of(token), annotator_id, SESSION_WHOLE_SECONDS)
    return token


def session_person(store: Store, token_hash: str) -> Person | None:
    """Who is signed in, by the hash of the secret in their cookie; None once the session has ended."""
    return store.session_person(token_hash, SESSION_IDLE_SECONDS, SESSION_WHOLE_SECONDS)


def change_password(store: Store, person: Person, old: str, new: str, session: str, address: str) -> None:
    """Give oneself a new password, which ends one's other sessions. Raises NotSignedIn, TooManyTries, InvalidInput."""
    annotator = person.annotator
    keys = _try_keys(annotator.name, address)
    wait = store.count_try(keys, LONGEST_PAUSE_SECONDS)
    if wait:
        raise TooManyTries(wait)
    known = store.credentials(annotator.name)
    if known is None or not _is_right(old, known.password_hash):
        raise NotSignedIn("The present password is not right.")
    name_key, address_key = keys
    store.forget_try(name_key, [address_key])
    store.set_password(annotator.id, hash_new_password(new, annotator.name), annotator.id, keep=session)


def _try_keys(name: str, address: str) -> Mapping[str, int]:
    """Under which keys a try is counted, and how many are free. Names are hashed: people type passwords there, too."""
    spelled = unicodedata.normalize("NFC", " ".join(name.split())).casefold()
    return {f"name:{hash_of(spelled)}": FREE_TRIES_OF_A_NAME, f"address:{_network(address)}": FREE_TRIES_OF_AN_ADDRESS}


def _network(address: str) -> str:
    """What stands for an address: of IPv6 the half that a subscriber cannot choose."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:40]
    return str(parsed if parsed.version == 4 else ipaddress.ip_network((parsed, 64), strict=False))


# Joining.


def invite(store: Store, person: Person, project_id: int, role: Role, name: str = "") -> tuple[str, Invitation]:
    """Invite somebody to a project: the secret of the link, to be shown once, and what is known of it.

    With a `name` the account will have that name, also where somebody worked under it without an account.
    """
    require(person, Action.MANAGE_PEOPLE, project_id)
    token = new_token()
    wanted = checked_name(name) if name.strip() else ""
    made = store.invite(hash_of(token), project_id, role, wanted, person.annotator.id, INVITATION_SECONDS)
    return token, made


def withdraw(store: Store, person: Person, invitation: Invitation) -> None:
    """Take an invitation back."""
    if invitation.project_id is None:
        require(person, Action.ADMINISTRATE)
    else:
        require(person, Action.MANAGE_PEOPLE, invitation.project_id)
    store.withdraw_invitation(invitation.project_id, invitation.id, person.annotator.id)


def invite_first_administrator(store: Store) -> str | None:
    """The secret of a link for the first administrator; None where there is one. Earlier such links stop working."""
    if store.has_administrator():
        return None
    store.withdraw_first_invitations()
    token = new_token()
    store.invite(hash_of(token), None, None, seconds=DAY)
    return token


def join(store: Store, token: str, name: object, password: object) -> str:
    """Use an invitation with a name and a password: the secret for the cookie. Raises NotFound, InvalidInput, Refused."""
    invitation = store.invitation(hash_of(token))
    wanted = invitation.name or checked_name(name)
    new = NewAccount(wanted, password_hash=hash_new_password(password, wanted))
    return start_session(store, store.accept_invitation(hash_of(token), new).annotator_id)


def join_with_identity(store: Store, token: str, name: object, identity: str) -> str:
    """Use an invitation as somebody an identity provider has vouched for: the secret for the cookie."""
    invitation = store.invitation(hash_of(token))
    known = store.account_of_identity(identity)
    if known is not None and known.disabled:
        raise NotAllowed("Your account is disabled; ask the lead of your project.")
    who = NewAccount(invitation.name or checked_name(name), identity=identity) if known is None else known.annotator_id
    return start_session(store, store.accept_invitation(hash_of(token), who).annotator_id)


def join_also(store: Store, person: Person, token: str) -> Account:
    """Use an invitation as somebody who is signed in: a further role."""
    return store.accept_invitation(hash_of(token), person.annotator.id)


# What leads and administrators do.


def set_role(store: Store, person: Person, project_id: int, annotator_id: int, role: Role | None) -> None:
    """Change what somebody is in a project, or end it (None). Raises NotAllowed, NotFound; Refused for the last lead.

    An administrator is refused too, as for the last administrator: they make somebody else a lead first.
    """
    require(person, Action.MANAGE_PEOPLE, project_id)
    store.set_role(project_id, annotator_id, role, person.annotator.id)


def may_disable(person: Person, account: Account, roles: Mapping[int, Role]) -> bool:
    """Whether `person` may disable an account with these roles: a lead of everything it works in, or an administrator."""
    if person.annotator.id == account.annotator_id:
        return False
    if may(person, Action.ADMINISTRATE):
        return True
    leads_all = all(may(person, Action.MANAGE_PEOPLE, project_id) for project_id in roles)
    return bool(roles) and leads_all and not account.administrator


def set_disabled(store: Store, person: Person, annotator_id: int, disabled: bool) -> None:
    """Disable somebody's account, or no longer. Raises NotAllowed, NotFound; Refused for the last administrator."""
    account = store.account(annotator_id)
    if not may_disable(person, account, store.roles(annotator_id)):
        raise NotAllowed(
            f"You may not disable {account.name}: you do not lead every project they work in. End their role here instead."
        )
    store.set_disabled(annotator_id, disabled, person.annotator.id)


def set_administrator(store: Store, person: Person, annotator_id: int, administrator: bool) -> None:
    """Make somebody an administrator, or no longer. Raises NotAllowed; Refused for the last one."""
    require(person, Action.ADMINISTRATE)
    store.set_administrator(annotator_id, administrator, person.annotator.id)


def create_account(store: Store, name: str, password: str, administrator: bool = False) -> Account:
    """Make an account from the terminal, also for a name that somebody worked under without one."""
    wanted = checked_name(name)
    new = NewAccount(wanted, password_hash=hash_new_password(password, wanted))
    return store.create_account(new, administrator, take_over=True)


def known_role(word: str) -> Role:
    """The role a word names. Raises NotFound, naming those there are."""
    try:
        return Role(word)
    except ValueError:
        raise NotFound(f"there is no role {word!r}; there are: {', '.join(Role)}") from None
