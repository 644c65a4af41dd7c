"""What all routes share: reading JSON, refusing other sites, and errors as a status and one sentence."""

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from annotation.accounts import NotSignedIn, TooManyTries
from annotation.sync_request import OutdatedPage
from maner_core.errors import DatabaseFull, DatabaseUnavailable, InvalidInput, ManerError, NotAllowed, NotFound, Refused

MAX_BODY = 1_000_000  # bytes of a request
CSRF_HEADER = ("x-requested-with", "maner")  # a page of another site cannot send it

Handler = Callable[[Request], Awaitable[Response]]


class TooLarge(ManerError):
    """A request body over MAX_BODY."""


_STATUSES: tuple[tuple[type[ManerError], int], ...] = (
    (NotSignedIn, 401),
    (TooLarge, 413),
    (TooManyTries, 429),
    (OutdatedPage, 426),
    (DatabaseFull, 507),
    (DatabaseUnavailable, 503),
    (NotAllowed, 403),
    (NotFound, 404),
    (InvalidInput, 400),
    (Refused, 409),
)


def answered(handler: Handler) -> Handler:
    """The handler, with every expected error as a status and one sentence of JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ManerError as error:
            headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyTries) else None
            return JSONResponse({"error": str(error)}, status_code=status_of(error), headers=headers)

    return answer


def status_of(error: ManerError) -> int:
    """The HTTP status that tells a browser what kind of error it is."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 500


def refuse_foreign_page(request: Request) -> None:
    """Raise NotAllowed unless a page of this tool sent the request: others cannot set our header, browsers name them."""
    name, value = CSRF_HEADER
    if request.headers.get(name) != value:
        raise NotAllowed("This request must come from the tool's own page.")
    refuse_foreign_link(request)


def refuse_foreign_link(request: Request) -> None:
    """Raise NotAllowed where the browser says that another site caused the request."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise NotAllowed("This request must come from the tool's own page.")


async def read_json(request: Request) -> object:
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
