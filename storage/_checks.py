"""What a value must be before the database sees it, so that both databases refuse the same things."""

from collections.abc import Iterable

from maner_core.errors import InvalidInput
from storage.records import LARGEST_OVERLAP, ProjectSettings

LARGEST_ID = 2**63 - 1
LARGEST_INTEGER = 2**31 - 1


def unstorable(text: str) -> str | None:
    """Why no database can hold this text, or None: PostgreSQL takes no NUL, and UTF-8 has no lone surrogates."""
    if "\x00" in text:
        return "holds the character U+0000"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"holds half of a surrogate pair at character {error.start}"
    return None


def refuse_unstorable(text: str, what: str) -> None:
    """Raise InvalidInput naming `what` if the text cannot be held."""
    if problem := unstorable(text):
        raise InvalidInput(f"{what} {problem}; remove it")


def known_ids(ids: Iterable[int]) -> list[int]:
    """Those that could be ids at all; numbers from outside may be of any size."""
    return [number for number in ids if 0 < number <= LARGEST_ID]


def check_settings(settings: ProjectSettings) -> None:
    """Raise InvalidInput naming the first setting outside its range."""
    if not settings.name.strip():
        raise InvalidInput("a project needs a name")
    if len(settings.name) > 200:
        raise InvalidInput(f"the name of a project has {len(settings.name)} characters; 200 are the most")
    if len(settings.language) > 40:
        raise InvalidInput(f"the language has {len(settings.language)} characters; 40 are the most, as in swa")
    if settings.direction not in ("auto", "ltr", "rtl"):
        raise InvalidInput(f"the direction {settings.direction!r} is unknown; use auto, ltr or rtl")
    if not 1 <= settings.retrain_every <= LARGEST_INTEGER:
        raise InvalidInput(f"retrain_every is {settings.retrain_every}; it must be 1 or more labels")
    if not 0 <= settings.retrain_after_seconds <= LARGEST_INTEGER:
        raise InvalidInput(f"retrain_after_seconds is {settings.retrain_after_seconds}; it must be 0 or more")
    if not 0 <= settings.suggestion_threshold <= 1:
        raise InvalidInput(f"suggestion_threshold is {settings.suggestion_threshold}; it must lie within 0 and 1")
    if not 0 <= settings.reserve_fraction < 1:
        raise InvalidInput(f"reserve_fraction is {settings.reserve_fraction}; it must be 0 or more and less than 1")
    if not 1 <= settings.overlap <= LARGEST_OVERLAP:
        raise InvalidInput(f"overlap is {settings.overlap}; it must be 1 to {LARGEST_OVERLAP} people for a sentence")
    if not 0 <= settings.blind_share <= 1:
        raise InvalidInput(f"blind_share is {settings.blind_share}; it must lie within 0 and 1")
    if not 0 <= settings.control_share <= 1:
        raise InvalidInput(f"control_share is {settings.control_share}; it must lie within 0 and 1")
    if not 0 <= settings.overlap_share <= 1:
        raise InvalidInput(f"overlap_share is {settings.overlap_share}; it must lie within 0 and 1")
    if not 0 <= settings.seed <= LARGEST_ID:
        raise InvalidInput(f"seed is {settings.seed}; it must lie within 0 and {LARGEST_ID}")
    texts = {
        "name": settings.name,
        "language": settings.language,
        "guidelines": settings.guidelines,
        "strategy": settings.strategy,
        "system": settings.system,
        "backbone": settings.backbone,
        "preset": settings.preset,
        "adaptation": settings.adaptation,
        "starting_tagger": settings.starting_tagger,
    }
    for field, text in texts.items():
        refuse_unstorable(text, field)
    _check_labels(settings)


def _check_labels(settings: ProjectSettings) -> None:
    names: set[str] = set()
    keys: set[str] = set()
    for label in settings.labels:
        refuse_unstorable(label.name + label.color + label.key + label.description, f"label {label.name!r}")
        if not 1 <= len(label.name) <= 100 or " ".join(label.name.split()) != label.name:
            raise InvalidInput(
                f"{label.name!r} cannot name a label; use 1 to 100 characters, with single blanks between words at most"
            )
        if label.name == "O":
            raise InvalidInput("O cannot name a label; it is the tag of words outside every span")
        if label.name in names:
            raise InvalidInput(f"the label {label.name} is there twice; remove one")
        if len(label.key) > 1:
            raise InvalidInput(f"the key {label.key!r} of label {label.name} is not a single character")
        if label.key and label.key in keys:
            raise InvalidInput(f"the key {label.key!r} belongs to two labels; give {label.name} another one")
        names.add(label.name)
        keys.add(label.key)
