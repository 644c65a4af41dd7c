"""The routes beside the pages: annotator sync, sign-in, streamed exports. It translates HTTP and decides nothing.

No Streamlit in here, so that every route is tested by itself.
"""

import json
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from annotation.exporting import ExportOptions, export_stream
from annotation.hand_out import Desk, SyncAnswer
from annotation.sync_request import SyncRequest
from maner_core.errors import DatabaseUnavailable, InvalidInput, ManerError, NotAllowed, NotFound, Refused
from storage import Annotator, Store

COOKIE = "maner_name"
COOKIE_SECONDS = 365 * 24 * 3600
TOKEN_SECONDS = 24 * 3600
MAX_BODY = 1_000_000  # bytes of a request
MAX_NAME = 60  # characters of a person's name
CSRF_HEADER = ("x-requested-with", "maner")  # a page of another site cannot send it


class NotSignedIn(ManerError):
    """A request without a valid token or cookie."""


class TooLarge(ManerError):
    """A request body over MAX_BODY."""


@dataclass(frozen=True, slots=True)
class SyncRight:
    """Who may sync which project, as signed into a token."""

    project_id: int
    annotator_id: int


def read_secret(home: Path) -> str:
    """The key that signs tokens and cookies, made on first use in `home`/secret for the owner's eyes only."""
    path = home / "secret"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f"secret.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # of two processes that start at once, the first one's key stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def mint_token(secret: str, project_id: int, annotator_id: int) -> str:
    """A token with which one person's browser may sync one project for 24 hours."""
    return _tokens(secret).dumps({"project": project_id, "annotator": annotator_id})


def read_token(secret: str, token: str) -> SyncRight:
    """The right in a token of `mint_token`. Raises NotSignedIn when it is forged, damaged or too old."""
    try:
        fields = _tokens(secret).loads(token, max_age=TOKEN_SECONDS)
        return SyncRight(int(fields["project"]), int(fields["annotator"]))
    except (BadData, KeyError, TypeError, ValueError):
        raise NotSignedIn("Your sign-in has run out; reload the page. Nothing you have labelled is lost.") from None


def sign_annotator(secret: str, annotator: Annotator) -> str:
    """The value of the cookie that remembers a person."""
    return _cookies(secret).dumps({"annotator": annotator.id, "name": annotator.name})


def signed_annotator(secret: str, store: Store, cookie: str | None) -> Annotator | None:
    """The person a cookie remembers; None for a missing, forged or old cookie, or one of another database."""
    if not cookie:
        return None
    try:
        fields = _cookies(secret).loads(cookie, max_age=COOKIE_SECONDS)
        annotator = store.annotator_by_id(int(fields["annotator"]))
        return annotator if annotator.name == fields["name"] else None
    except (BadData, KeyError, TypeError, ValueError, NotFound):
        return None


class Api:
    """The handlers. `current_store` and `secret` are asked at each request, so that importing this opens nothing."""

    def __init__(self, current_store: Callable[[], Store], secret: Callable[[], str]) -> None:
        self._current_store = current_store
        self._secret = secret
        self._desk: Desk | None = None

    def routes(self, base: str = "") -> list[Route]:
        """The routes under `base`, the path the whole server is published at ("" or "/ner")."""
        return [
            Route(f"{base}/api/sync", _answered(self.sync), methods=["POST"]),
            Route(f"{base}/api/sign-in", _answered(self.sign_in), methods=["POST"]),
            Route(f"{base}/api/sign-out", _answered(self.sign_out), methods=["POST"]),
            Route(f"{base}/api/export/{{project_id:int}}", _answered(self.export), methods=["GET"]),
        ]

    async def sync(self, request: Request) -> Response:
        """One sync of a browser tab: see annotation/hand_out.py."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        right = read_token(self._secret(), token if scheme.lower() == "bearer" else "")
        sync_request = SyncRequest.parse(await _json(request))
        answer = await run_in_threadpool(self._sync, right, sync_request)
        return JSONResponse(answer.to_dict())

    def _sync(self, right: SyncRight, request: SyncRequest) -> SyncAnswer:
        store = self._current_store()
        if self._desk is None or self._desk.store is not store:
            self._desk = Desk(store)
        return self._desk.sync(store.project(right.project_id), right.annotator_id, request)

    async def sign_in(self, request: Request) -> Response:
        """Remember a person by name in a signed cookie."""
        _refuse_foreign_page(request)
        body = await _json(request)
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_NAME or not _is_printable(name.strip()):
            raise InvalidInput(f"Please give a name of 1 to {MAX_NAME} characters, on one line")
        annotator = await run_in_threadpool(self._current_store().annotator, name)
        response = JSONResponse({"name": annotator.name})
        response.set_cookie(
            COOKIE,
            sign_annotator(self._secret(), annotator),
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """Forget the person and give back what is leased to them."""
        _refuse_foreign_page(request)
        annotator = await run_in_threadpool(self._signed_in, request)
        if annotator is not None:
            await run_in_threadpool(self._current_store().release, annotator.id)
        response = JSONResponse({})
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=request.url.scheme == "https")
        return response

    async def export(self, request: Request) -> Response:
        """A project's sentences as a file, streamed: memory does not grow with the project."""
        if await run_in_threadpool(self._signed_in, request) is None:
            raise NotSignedIn("Please sign in before you export; open the tool and give your name.")
        return await run_in_threadpool(self._export, request)

    def _signed_in(self, request: Request) -> Annotator | None:
        return signed_annotator(self._secret(), self._current_store(), request.cookies.get(COOKIE))

    def _export(self, request: Request) -> Response:
        store = self._current_store()
        project = store.project(request.path_params["project_id"])
        options = ExportOptions.parse(request.query_params)
        filename = quote(f"{project.settings.name}.{options.suffix}", safe="")
        return StreamingResponse(
            export_stream(store, project, options),
            media_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{filename}", "Cache-Control": "no-store"},
        )


def _answered(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler, with every expected error as a status and one sentence of JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ManerError as error:
            return JSONResponse({"error": str(error)}, status_code=status_of(error))

    return answer


def status_of(error: ManerError) -> int:
    """The HTTP status that tells a browser what kind of error it is."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 500


_STATUSES: tuple[tuple[type[ManerError], int], ...] = (
    (NotSignedIn, 401),
    (TooLarge, 413),
    (DatabaseUnavailable, 503),
    (NotAllowed, 403),
    (NotFound, 404),
    (InvalidInput, 400),
    (Refused, 409),
)


def _is_printable(name: str) -> bool:
    """Whether a name has no control characters; joiners belong to names in many scripts, and pasted ones hold NBSP."""
    return all(character.isprintable() or character in "\u200c\u200d\u00a0" for character in name)


def _refuse_foreign_page(request: Request) -> None:
    name, value = CSRF_HEADER
    if request.headers.get(name) != value:
        raise NotAllowed("This request must come from the tool's own page.")


async def _json(request: Request) -> object:
    """The decoded body. Raises TooLarge over MAX_BODY and InvalidInput where it is no JSON."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge(f"The request is larger than {MAX_BODY} bytes; send fewer annotations at once.")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidInput("The request is not valid JSON.") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _tokens(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="maner-sync")


def _cookies(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="maner-name")
