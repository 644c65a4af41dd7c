"""What a browser tab sends in one sync, parsed strictly: every refusal names the field. No HTTP and no Streamlit here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from maner_core.errors import InvalidInput, ManerError
from maner_core.spans import Span
from storage import AnnotationDraft, NameSource, SkipReason, Status, SuggestedName

PROTOCOL = 1  # one more whenever an open page of the last release could not go on with this one; sync.js has it too
MAX_OUTBOX = 200  # annotations in one request; a longer outbox is sent in slices, oldest first
MAX_HAVE = 200  # sentences one tab may hold
MAX_WANT = 50  # sentences one tab may ask for
MAX_SPANS = 500  # spans in one annotation
MAX_NAME = 64  # characters of a tab id, nonce or annotation id
MAX_LABEL = 100  # characters
MAX_COMMENT = 2_000  # characters
MAX_ID = 2**63 - 1  # the largest id a database row can have
FURTHEST_TIME = 8.64e15  # what the clock of a browser can say, before and after 1970
LATEST_TIME = 32_503_680_000_000  # the year 3000, in milliseconds since 1970
MAX_MILLISECONDS = 24 * 60 * 60 * 1_000  # longer than a day on one sentence is a computer that slept

T = TypeVar("T")


class OutdatedPage(ManerError):
    """A page of another release asks; reloading brings it this one's."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """One sync of one tab: `outbox` is finished work, `have` the sentences it holds, `want` how many it would hold.

    `refresh` asks for the held ones again, because another run suggests now; `names` is the version of the known names
    that the tab has (None: a page of an earlier release, which knows of none). `earlier` asks for what this person did last.
    """

    seq: int
    nonce: str
    client: str
    outbox: tuple[AnnotationDraft, ...]
    have: tuple[int, ...]
    want: int
    refresh: bool = False
    names: str | None = None
    earlier: bool = False

    @classmethod
    def parse(cls, body: object) -> "SyncRequest":
        """The request in a decoded JSON body. Raises InvalidInput naming the field that is wrong and what it must be.

        OutdatedPage where the page is of another release.
        """
        fields = _object(body, "the request")
        if _integer(fields.get("protocol", 1), "protocol", 0, MAX_ID) != PROTOCOL:
            raise OutdatedPage("The tool was upgraded while this page was open; reload the page. Your work is kept.")
        have = _list(fields, "have", MAX_HAVE, lambda value, where: _integer(value, where, 0, MAX_ID))
        return cls(
            seq=_integer(_get(fields, "seq"), "seq", 0, MAX_ID),
            nonce=_text(_get(fields, "nonce"), "nonce", MAX_NAME),
            client=_text(_get(fields, "client"), "client", MAX_NAME, empty=False),
            outbox=_list(fields, "outbox", MAX_OUTBOX, _draft),
            have=tuple(dict.fromkeys(have)),
            want=_integer(fields.get("want", 20), "want", 0, MAX_WANT),
            refresh=_boolean(fields.get("refresh", False), "refresh"),
            names=None if fields.get("names") is None else _text(fields["names"], "names", MAX_NAME),
            earlier=_boolean(fields.get("earlier", False), "earlier"),
        )


def _draft(value: object, where: str) -> AnnotationDraft:
    fields = _object(value, where)
    status = _text(_get(fields, "status", where), f"{where}.status", MAX_NAME)
    if status not in list(Status):
        raise InvalidInput(f"{where}.status is {status!r}; it must be one of {', '.join(Status)}")
    reason = fields.get("skip_reason")
    if reason is not None and reason not in list(SkipReason):
        raise InvalidInput(f"{where}.skip_reason is {reason!r}; it must be null or one of {', '.join(SkipReason)}")
    run, supersedes = fields.get("run"), fields.get("supersedes")
    milliseconds = _integer(fields.get("milliseconds", 0), f"{where}.milliseconds", -MAX_ID, MAX_ID)
    return AnnotationDraft(
        id=_text(_get(fields, "id", where), f"{where}.id", MAX_NAME, empty=False),
        sentence_id=_integer(_get(fields, "sentence", where), f"{where}.sentence", 0, MAX_ID),
        status=Status(status),
        spans=_list(fields, "spans", MAX_SPANS, _span, where),
        comment=_text(fields.get("comment", ""), f"{where}.comment", MAX_COMMENT),
        # A clock that was set while the sentence was open must not keep its annotation from being saved.
        milliseconds=min(max(milliseconds, 0), MAX_MILLISECONDS),
        client_time=_time(_get(fields, "time", where), f"{where}.time"),
        suggestion_run=None if run is None else _integer(run, f"{where}.run", 0, MAX_ID),
        supersedes=None if supersedes is None else _text(supersedes, f"{where}.supersedes", MAX_NAME, empty=False),
        skip_reason=None if reason is None else SkipReason(str(reason)),
        names_shown=_list(fields, "names", MAX_SPANS, _name, where) if "names" in fields else (),
    )


def _name(value: object, where: str) -> SuggestedName:
    if not isinstance(value, list) or len(value) != 5 or value[3] not in list(NameSource):
        raise InvalidInput(f"{where} must be [start, end, label, {' or '.join(NameSource)}, sentence]")
    span = _span(value[:3], where)
    seen_in = None if value[4] is None else _integer(value[4], f"{where}[4]", 0, MAX_ID)
    return SuggestedName(span.start, span.end, span.label, NameSource(value[3]), seen_in)


def _span(value: object, where: str) -> Span:
    if not isinstance(value, list) or len(value) != 3:
        raise InvalidInput(f"{where} must be [start, end, label]")
    start = _integer(value[0], f"{where}[0]", 0, MAX_ID)
    end = _integer(value[1], f"{where}[1]", 0, MAX_ID)
    return Span(start, end, _text(value[2], f"{where}[2]", MAX_LABEL, empty=False))


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{where} must be a JSON object")
    return value


def _get(fields: dict[str, object], name: str, where: str = "") -> object:
    if name not in fields:
        raise InvalidInput(f"{where + '.' if where else ''}{name} is missing")
    return fields[name]


def _list(
    fields: dict[str, object], name: str, longest: int, parse: Callable[[object, str], T], where: str = ""
) -> tuple[T, ...]:
    path = f"{where}.{name}" if where else name
    values = _get(fields, name, where)
    if not isinstance(values, list):
        raise InvalidInput(f"{path} must be a list")
    if len(values) > longest:
        raise InvalidInput(f"{path} has {len(values)} entries; at most {longest} are taken at once")
    return tuple(parse(value, f"{path}[{position}]") for position, value in enumerate(values))


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{where} must be true or false")
    return value


def _integer(value: object, where: str, low: int, high: int) -> int:
    # bool is an int in Python, and `true` is no number in JSON.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{where} must be a whole number from {low} to {high}")
    return value


def _text(value: object, where: str, longest: int, empty: bool = True) -> str:
    if not isinstance(value, str) or len(value) > longest or not (value or empty):
        raise InvalidInput(f"{where} must be a text of {0 if empty else 1} to {longest} characters")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidInput(f"{where} holds a character that no database can store")
    return value


def _time(value: object, where: str) -> datetime:
    """Milliseconds since 1970 -> a UTC time."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidInput(f"{where} must be milliseconds since 1970")
    if not abs(value) <= FURTHEST_TIME:
        raise InvalidInput(f"{where} must be milliseconds since 1970")
    # Nor must a clock that is centuries off.
    return datetime.fromtimestamp(min(max(value, 0), LATEST_TIME) / 1000, UTC)
