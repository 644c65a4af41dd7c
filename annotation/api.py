"""The routes beside the pages: annotator sync and streamed exports. It translates HTTP and decides nothing.

No Streamlit in here, so that every route is tested by itself. Signing in and joining is in account_routes.py.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from annotation.access import Access
from annotation.account_routes import COOKIE, AccountRoutes
from annotation.accounts import NotSignedIn
from annotation.exporting import REFUSED_EXPORT, ExportOptions, export_stream, record_export
from annotation.hand_out import Desk, SyncAnswer
from annotation.http import answered, read_json, refuse_foreign_link
from annotation.permissions import Action, require
from annotation.sync_request import SyncRequest
from maner_core.errors import ManerError
from storage import Store

TOKEN_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class SyncRight:
    """Who may sync which project in which session (its token hash, "" without accounts), as signed into a token."""

    project_id: int
    annotator_id: int
    session: str


def read_secret(home: Path) -> str:
    """The key that signs tokens, made on first use in `home`/secret for the owner's eyes only."""
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


def mint_token(secret: str, project_id: int, annotator_id: int, session: str = "") -> str:
    """A token with which one person's browser may sync one project for 24 hours, but no longer than its session lasts."""
    return _tokens(secret).dumps({"project": project_id, "annotator": annotator_id, "session": session})


def read_token(secret: str, token: str) -> SyncRight:
    """The right in a token of `mint_token`. Raises NotSignedIn when it is forged, damaged or too old."""
    try:
        fields = _tokens(secret).loads(token, max_age=TOKEN_SECONDS)
        # A page opened before there were accounts holds a token without a session.
        return SyncRight(int(fields["project"]), int(fields["annotator"]), str(fields.get("session", "")))
    except (BadData, AttributeError, KeyError, TypeError, ValueError):
        raise _ended() from None


class Api:
    """The handlers. `access` and `secret` are asked at each request, so that importing this opens nothing."""

    def __init__(self, access: Callable[[], Access], secret: Callable[[], str]) -> None:
        self._access = access
        self._secret = secret
        self._desk: Desk | None = None

    def routes(self, base: str = "") -> list[Route]:
        """The routes under `base`, the path the whole server is published at ("" or "/ner")."""
        return [
            Route(f"{base}/api/sync", answered(self.sync), methods=["POST"]),
            Route(f"{base}/api/export/{{project_id:int}}", answered(self.export), methods=["GET"]),
            *AccountRoutes(self._access, self._secret).routes(base),
        ]

    async def sync(self, request: Request) -> Response:
        """One sync of a browser tab: see annotation/hand_out.py."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        right = read_token(self._secret(), token if scheme.lower() == "bearer" else "")
        sync_request = SyncRequest.parse(await read_json(request))
        answer = await run_in_threadpool(self._sync, right, sync_request)
        return JSONResponse(answer.to_dict())

    def _sync(self, right: SyncRight, request: SyncRequest) -> SyncAnswer:
        access = self._access()
        person = access.holder(right.annotator_id, right.session)
        if person is None:
            raise _ended()
        require(person, Action.LABEL, right.project_id)
        desk = self._desk_of(access.store)
        return desk.sync(access.store.project(right.project_id), right.annotator_id, request)

    def _desk_of(self, store: Store) -> Desk:
        if self._desk is None or self._desk.store is not store:
            self._desk = Desk(store)
        return self._desk

    async def export(self, request: Request) -> Response:
        """A project's sentences as a file, streamed: memory does not grow with the project.

        Where it is refused, a browser that follows a link is sent to the page that says why.
        """
        refuse_foreign_link(request)
        try:
            return await run_in_threadpool(self._export, request)
        except ManerError:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            words = {"project": request.path_params["project_id"], REFUSED_EXPORT: str(request.query_params)}
            return RedirectResponse(f"../../data?{urlencode(words)}", status_code=303)

    def _export(self, request: Request) -> Response:
        access = self._access()
        person = access.person(request.cookies.get(COOKIE))
        if person is None:
            raise NotSignedIn("Please sign in before you export.")
        project_id = request.path_params["project_id"]
        require(person, Action.EXPORT, project_id)
        project = access.store.project(project_id)
        options = ExportOptions.parse(request.query_params)
        filename = quote(options.filename(project.settings.name), safe="")
        pieces = export_stream(access.store, project, options)
        record_export(access.store, project, options, person.annotator.id)
        return StreamingResponse(
            pieces,
            media_type="text/plain; charset=utf-8",
            headers={
                "Content-Disposition": f"attachment; filename*=UTF-8''{filename}",
                "Cache-Control": "no-store",
                "Cross-Origin-Resource-Policy": "same-origin",
            },
        )


def _ended() -> NotSignedIn:
    return NotSignedIn("Your sign-in has run out; reload the page. Nothing you have labelled is lost.")


def _tokens(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="maner-sync")
