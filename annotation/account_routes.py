"""The routes of signing in, joining by an invitation, and signing out. They set and clear the one cookie.

The cookie is HttpOnly, so that no script sees it, and SameSite=Lax, so that no other site's form or script sends it;
besides, every request here must carry a header that another site cannot set.
"""

from collections.abc import Callable

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotation import accounts
from annotation.access import Access
from annotation.http import answered, read_json, refuse_foreign_page
from maner_core.errors import InvalidInput, Refused

COOKIE = "maner_session"
IDENTITY_SECONDS = 300  # in which a browser hands over what an identity provider said


def mint_identity(secret: str, identity: str) -> str:
    """A token with which the page hands over, by the browser, who an identity provider says this is."""
    return _identities(secret).dumps(identity)


class AccountRoutes:
    """The handlers. `access` and `secret` are asked at each request, so that importing this opens nothing."""

    def __init__(self, access: Callable[[], Access], secret: Callable[[], str]) -> None:
        self._access = access
        self._secret = secret

    def routes(self, base: str) -> list[Route]:
        """The routes under `base`; the cookie is for this path only."""
        self._path = base or "/"
        handlers = {
            "sign-in": self.sign_in,
            "sign-out": self.sign_out,
            "invitation": self.invitation,
            "join": self.join,
        }
        return [Route(f"{base}/api/{name}", answered(handler), methods=["POST"]) for name, handler in handlers.items()]

    async def sign_in(self, request: Request) -> Response:
        """{name, password} or {identity}: begin a session."""
        fields = await _fields(request)
        store = self._with_accounts().store
        if "identity" in fields:
            token = await run_in_threadpool(accounts.sign_in_with_identity, store, self._identity(fields))
        else:
            address = _address(request)
            token = await run_in_threadpool(
                accounts.sign_in, store, fields.get("name"), fields.get("password"), address
            )
        return await self._signed_in(request, token)

    async def sign_out(self, request: Request) -> Response:
        """{}: end the session of the cookie."""
        refuse_foreign_page(request)
        cookie = request.cookies.get(COOKIE)
        if cookie:
            await run_in_threadpool(self._access().store.end_session, accounts.hash_of(cookie))
        response = JSONResponse({})
        response.delete_cookie(COOKIE, path=self._path, httponly=True, samesite="lax", secure=_is_https(request))
        return response

    async def invitation(self, request: Request) -> Response:
        """{invitation}: what the link is for, and as whom it would be used."""
        fields = await _fields(request)
        access = self._with_accounts()
        invited = await run_in_threadpool(access.store.invitation, accounts.hash_of(_text(fields, "invitation")))
        person = await run_in_threadpool(access.person, request.cookies.get(COOKIE))
        return JSONResponse(
            {
                "project": invited.project,
                "role": invited.role,
                "name": invited.name,
                "by": invited.invited_by,
                "as": None if person is None else person.annotator.name,
            }
        )

    async def join(self, request: Request) -> Response:
        """{invitation} with {name, password}, {name, identity} or, signed in, nothing more: use the link."""
        fields = await _fields(request)
        access = self._with_accounts()
        link, name = _text(fields, "invitation"), fields.get("name")
        if "identity" in fields:
            identity = self._identity(fields)
            token = await run_in_threadpool(accounts.join_with_identity, access.store, link, name, identity)
        elif "password" in fields:
            token = await run_in_threadpool(accounts.join, access.store, link, name, fields["password"])
        else:
            person = await run_in_threadpool(access.person, request.cookies.get(COOKIE))
            if person is None:
                raise accounts.NotSignedIn("Please choose a name and a password.")
            await run_in_threadpool(accounts.join_also, access.store, person, link)
            return JSONResponse({})
        return await self._signed_in(request, token)

    def _with_accounts(self) -> Access:
        access = self._access()
        if access.single_user is not None:
            raise Refused("This tool runs for one person and knows no accounts; start it with MANER_ACCOUNTS=on.")
        return access

    def _identity(self, fields: dict[str, object]) -> str:
        try:
            return str(_identities(self._secret()).loads(_text(fields, "identity"), max_age=IDENTITY_SECONDS))
        except BadData:
            raise accounts.NotSignedIn("This took too long; please sign in again.") from None

    async def _signed_in(self, request: Request, token: str) -> Response:
        """The new session in the cookie; what the browser was signed in as before ends."""
        before = request.cookies.get(COOKIE)
        if before:
            await run_in_threadpool(self._access().store.end_session, accounts.hash_of(before))
        response = JSONResponse({})
        response.set_cookie(
            COOKIE,
            token,
            max_age=accounts.SESSION_WHOLE_SECONDS,
            path=self._path,
            httponly=True,
            samesite="lax",
            secure=_is_https(request),
        )
        return response


async def _fields(request: Request) -> dict[str, object]:
    refuse_foreign_page(request)
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput("The request must be a JSON object.")
    return body


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 4_000:
        raise InvalidInput(f"{name} must be a text")
    return value


def _is_https(request: Request) -> bool:
    """Whether the browser speaks HTTPS, with us or with a proxy before us; who lies here harms only their own cookie."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


def _address(request: Request) -> str:
    return "unknown" if request.client is None else request.client.host


def _identities(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="maner-identity")
