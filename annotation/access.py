"""Whether this installation asks people to sign in, and who is behind a request.

The rule: without accounts the tool serves one person at this machine, and only as long as it is served on the loopback
address and nobody has an account. Everything else needs an account.
"""

import getpass
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotation import accounts
from annotation.settings import Settings
from maner_core.errors import InvalidConfig, InvalidInput
from storage import Annotator, Person, Store

PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
ELSEWHERE = (
    "This tool runs for one person at this machine. To reach it from elsewhere, start it with MANER_ACCOUNTS=on.\n"
)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in: people with accounts, or the one person at this machine."""

    store: Store
    single_user: Annotator | None  # None: everybody needs an account

    def person(self, cookie: str | None) -> Person | None:
        """Who sent this cookie (None: no cookie); None for somebody who must sign in first."""
        if self.single_user is not None:
            return self._alone(self.single_user.id)
        return accounts.session_person(self.store, accounts.hash_of(cookie)) if cookie else None

    def holder(self, annotator_id: int, session: str) -> Person | None:
        """Who holds a token made for this person in this session (a token hash, or "" without accounts), if it lasts."""
        if self.single_user is not None:
            return None if session else self._alone(annotator_id)
        person = accounts.session_person(self.store, session) if session else None
        return person if person is not None and person.annotator.id == annotator_id else None

    def session(self, cookie: str | None) -> str:
        """The session of this cookie, as `holder` wants it."""
        return "" if self.single_user is not None or not cookie else accounts.hash_of(cookie)

    def _alone(self, annotator_id: int) -> Person:
        known = self.store.person(annotator_id)
        return Person(known.annotator, administrator=True, roles={}, language=known.language, reads=known.reads)


def open_access(store: Store, settings: Settings, address: str | None) -> Access:
    """Who may come in where the tool is served on `address` (None: on all). Raises InvalidConfig for MANER_ACCOUNTS."""
    return Access(store, None if asks_for_accounts(store, settings, address) else _single_user(store, settings))


def asks_for_accounts(store: Store, settings: Settings, address: str | None) -> bool:
    """The rule at the top. Raises InvalidConfig where accounts are switched off for other machines."""
    local = is_loopback(address)
    if settings.accounts is False and not local:
        raise InvalidConfig(
            "MANER_ACCOUNTS=off lets in everybody who reaches the server, so it works on the loopback address only; "
            "leave it out, or serve on 127.0.0.1"
        )
    if settings.accounts is not None:
        return settings.accounts
    return not local or store.has_accounts()


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this machine for nobody but this machine: `"127.0.0.1" -> True`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _single_user(store: Store, settings: Settings) -> Annotator:
    """The one person: as MANER_USER says, else whoever has labelled here alone, else the name they log in with."""
    if settings.user:
        return store.annotator(settings.user)
    return store.only_labeller() or store.annotator(_login_name())


def _login_name() -> str:
    try:
        return accounts.checked_name(getpass.getuser())
    except (OSError, KeyError, ImportError, InvalidInput):  # the system has no name for them, or none we can show
        return "me"


class OnlyThisMachine:
    """ASGI middleware: while the tool serves one person (`applies`), nobody comes in from elsewhere.

    The loopback address alone does not see to that: a web page may point its own host name at it (so the Host header is
    looked at), and a proxy on this machine may pass on requests of others.
    """

    def __init__(self, app: ASGIApp, applies: Callable[[], bool]) -> None:
        self._app = app
        self._applies = applies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or not self._applies() or _is_from_here(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "not from this machine"})
        else:
            await PlainTextResponse(ELSEWHERE, status_code=403)(scope, receive, send)


class SafeHeaders:
    """ASGI middleware: what every answer forbids the browser.

    No page of another site may show ours inside it and have people click on it unawares; no plug-ins; no other base for
    links; nothing is run for what it looks like; no address of ours is told to other sites. Which scripts may run cannot
    be said more narrowly: Streamlit writes some into its page.
    """

    HEADERS = (
        (b"content-security-policy", b"frame-ancestors 'self'; object-src 'none'; base-uri 'self'"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and say so in the answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.HEADERS]}
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _is_from_here(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    if any(name in headers for name in PROXY_HEADERS):
        return False
    client = scope.get("client")
    if client is not None and not is_loopback(client[0]):
        return False
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    return is_loopback(host)
