"""Our JSONL: one JSON object a line with everything known of a sentence; offsets are code points, ends exclusive.

Read back are `text` (with `text_is_source`), `tokens`, `spans`, `status`, `split`, `doc_id` and `meta`. A line may
also be as short as `{"text": "..."}`, hold `tokens` as plain strings, spans by character offsets alone, or triples
`[start, end, label]` under `label`, as other tools write them.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from annotation.formats.records import (
    LABELLED,
    STATUSES,
    UNLABELLED,
    Reading,
    ReadOptions,
    ReadSentence,
    WriteOptions,
)
from annotation.formats.text import segment
from maner_core.errors import FormatError, InvalidInput
from maner_core.spans import Span, validate_spans

if TYPE_CHECKING:
    from storage import Annotation, ExportRow, Gold, Project, SuggestedName, Suggestion

_READ = {"text", "text_is_source", "tokens", "spans", "label", "labels", "status", "answer", "split", "doc_id", "meta"}
_WRITTEN_ONLY = {
    "id", "sent_no", "source", "lang", "script", "annotator", "annotation_id", "started_at", "submitted_at",
    "active_ms", "sampling", "suggestions_shown", "names_shown", "suggestion", "guideline_version", "comment",
    "duplicate_of", "gold",
}  # fmt: skip
_FOREIGN_SPANS = {"annotations", "entities", "completions", "result"}
_ANSWERS = {"accept": LABELLED, "reject": "skipped", "ignore": "skipped"}

# Legal in JSON strings as they are, but many tools take them for line ends.
_LINE_ENDS = str.maketrans({character: f"\\u{ord(character):04x}" for character in "\u0085\u2028\u2029"})


# Reading.


def read(file: str, lines: Sequence[str], options: ReadOptions) -> Reading:
    """Read one sentence from each line; a line that cannot be taken goes to `errors`. Raises FormatError if none is."""
    reading = Reading(file, "jsonl")
    unread: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t"):
            continue
        try:
            fields = _object(line)
            sentence = _sentence(number, fields)
        except InvalidInput as error:
            reading.set_aside(number, error)
            continue
        for name in fields.keys() - _READ - _WRITTEN_ONLY:
            unread.setdefault(name, number)
        reading.sentences.append(sentence)
    if not reading.sentences and not reading.errors:
        raise FormatError(file, None, "holds no sentence", "write one JSON object a line")
    for name, number in sorted(unread.items(), key=lambda item: item[1]):
        reading.notes.append(f"field {name!r} is not read (first on line {number})")
    return reading


def _object(line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"is not JSON ({error}); write one complete JSON object on each line") from None
    if not isinstance(fields, dict):
        raise InvalidInput("is not a JSON object; write one object in braces on each line")
    return fields


def _sentence(number: int, fields: Mapping[str, Any]) -> ReadSentence:
    """The sentence of one object. Raises InvalidInput."""
    text = fields.get("text")
    if text is not None and not isinstance(text, str):
        raise InvalidInput("text is not a string; write the sentence in quotes")
    tokens, starts, spaces = _tokens(fields.get("tokens"), text)
    spans = _spans(fields, tokens, starts)
    status = _status(fields, spans)
    if status in (UNLABELLED, "skipped"):
        spans = None
    is_source = text is not None and fields.get("text_is_source", True) is not False
    document, meta = fields.get("doc_id"), _meta(fields.get("meta"))
    labels = (span.label for span in spans or ())
    _refuse_unstorable([*tokens, text or "", *labels, str(document or ""), *meta, *meta.values()])
    return ReadSentence(
        line=number,
        tokens=tokens,
        spans=spans,
        status=status,
        text=text if is_source else None,
        spaces=spaces if is_source else None,
        document=None if document is None else str(document),
        reserved=fields.get("split") == "reserve",
        meta=meta,
    )


def _refuse_unstorable(texts: Iterable[str]) -> None:
    """Raise InvalidInput on what no database column and no UTF-8 file can hold; JSON escapes can spell both."""
    for text in texts:
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise InvalidInput("holds a NUL character or half of a surrogate pair; delete it")


Starts = list[tuple[int, int]] | None  # code point offsets of each token in the text


def _tokens(raw: object, text: str | None) -> tuple[tuple[str, ...], Starts, tuple[bool, ...] | None]:
    """Tokens, their offsets in the text, and whether a space follows each. Raises InvalidInput."""
    if raw is None:
        if text is None:
            raise InvalidInput("has neither tokens nor text; give one of them")
        words, after = segment(text)
        if not words:
            raise InvalidInput("holds no token; delete the line")
        return tuple(words), locate(words, text), tuple(after)
    if not isinstance(raw, list) or not raw:
        raise InvalidInput("tokens is not a list with something in it; write a list of strings or of token objects")
    tokens = tuple([_token(item) for item in raw])
    starts = locate(tokens, text) if text is not None else None
    spaces: tuple[bool, ...] | None = None
    if all(isinstance(item, dict) for item in raw):
        given = [(item.get("start"), item.get("end")) for item in raw]
        if text is not None and all(isinstance(start, int) and isinstance(end, int) for start, end in given):
            for token, (start, end) in zip(tokens, given, strict=True):
                if text[start:end] != token:
                    raise InvalidInput(
                        f"token {token!r} is not what stands at {start}-{end} of text; count offsets in code points"
                    )
            starts = given
        flags = [item.get("ws") for item in raw]
        spaces = tuple(flags) if all(isinstance(flag, bool) for flag in flags) else None
    return tokens, starts, spaces


def _token(item: object) -> str:
    token = item.get("text") if isinstance(item, dict) else item
    if not isinstance(token, str) or not token:
        raise InvalidInput("a token is empty or no string; give each token its text")
    return token


def locate(tokens: Sequence[str], text: str) -> Starts:
    """Where each token stands in `text`, one after the other: `["a", "b"], "a b" -> [(0, 1), (2, 3)]`; None if not."""
    found: list[tuple[int, int]] = []
    end = 0
    for token in tokens:
        start = text.find(token, end)
        if start < 0:
            return None
        end = start + len(token)
        found.append((start, end))
    return found


def _spans(fields: Mapping[str, Any], tokens: Sequence[str], starts: Starts) -> tuple[Span, ...] | None:
    """Spans in tokens, None where the object says nothing of spans. Raises InvalidInput."""
    raw = next((fields[name] for name in ("spans", "label", "labels") if fields.get(name) is not None), None)
    if raw is None:
        foreign = _FOREIGN_SPANS & fields.keys()
        if foreign:
            raise InvalidInput(f"has names in {min(foreign)!r}, which is not read; write them as `spans`")
        return None
    if not isinstance(raw, list):
        raise InvalidInput("spans is not a list; write a list of objects with start, end and label")
    return tuple(validate_spans([_span(item, starts) for item in raw], len(tokens)))


def _span(item: object, starts: Starts) -> Span:
    """One span; by tokens where `token_end_exclusive` is given, else by characters. Raises InvalidInput."""
    if isinstance(item, list) and len(item) == 3:
        item = dict(zip(("start", "end", "label"), item, strict=True))
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        raise InvalidInput(f"span {json.dumps(item, ensure_ascii=False)} has no label; write start, end and label")
    by_tokens = item.get("token_start"), item.get("token_end_exclusive")
    if by_tokens[0] is not None and by_tokens[1] is not None:
        first, last = by_tokens
        if not (isinstance(first, int) and isinstance(last, int)):
            raise InvalidInput(f"span {first!r}-{last!r} is not a pair of whole numbers; write token positions")
        return Span(first, last, item["label"])
    if starts is None:
        raise InvalidInput("a span has character offsets but the text does not hold the tokens; give token offsets")
    first = next((i for i, (start, _) in enumerate(starts) if start == item.get("start")), None)
    last = next((i for i, (_, end) in enumerate(starts, 1) if end == item.get("end")), None)
    if first is None or last is None:
        raise InvalidInput(
            f"span {item.get('start')}-{item.get('end')} ({item['label']}) does not start and end with a token; "
            "count offsets in code points, end exclusive, or give your own tokens"
        )
    return Span(first, last, item["label"])


def _status(fields: Mapping[str, Any], spans: tuple[Span, ...] | None) -> str:
    """What a person decided: `status`, else `answer`, else labelled where there are spans. Raises InvalidInput."""
    status = fields.get("status")
    answer = fields.get("answer")
    if status is None and isinstance(answer, str):
        status = _ANSWERS.get(answer)
    if status is None:
        return UNLABELLED if spans is None else LABELLED
    if status not in STATUSES:
        raise InvalidInput(f"status {status!r} is unknown; write one of {', '.join(STATUSES)}")
    if status == LABELLED and spans is None:
        raise InvalidInput("status is labelled but there are no spans; write [] for no names")
    return str(status)


def _meta(raw: object) -> dict[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InvalidInput("meta is not an object; write names and values in braces")
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for name, value in raw.items()
    }


# Writing.


def write(rows: Iterable["ExportRow"], project: "Project", options: WriteOptions) -> Iterator[str]:
    """One line for each row."""
    sentence_numbers: Counter[str | None] = Counter()
    for row in rows:
        document = row.sentence.document
        sentence_numbers[document] += 1
        fields = _fields(row, project, sentence_numbers[document])
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        yield line.translate(_LINE_ENDS) + "\n"


def _fields(row: "ExportRow", project: "Project", sentence_number: int) -> dict[str, Any]:
    sentence, annotation = row.sentence, row.annotation
    text = " ".join(sentence.tokens) if sentence.text is None else sentence.text
    starts = locate(sentence.tokens, text)
    spaces = sentence.spaces
    if sentence.text is None:
        spaces = tuple(position + 1 < len(sentence.tokens) for position in range(len(sentence.tokens)))
    suggestion = row.suggestion
    shown = suggestion if annotation and suggestion and annotation.suggestion_run == suggestion.run_id else None
    fields: dict[str, Any] = {
        "id": sentence.id,
        "doc_id": sentence.document,
        "sent_no": sentence_number,
        "source": sentence.source,
        "split": str(sentence.split),
        "lang": project.settings.language,
        "script": _script(text),
        "text": text,
        "text_is_source": sentence.text is not None,
        "tokens": [
            {
                "text": token,
                "start": starts[position][0] if starts else None,
                "end": starts[position][1] if starts else None,
                "ws": spaces[position] if spaces else None,
            }
            for position, token in enumerate(sentence.tokens)
        ],
        "status": UNLABELLED if row.gold is None else str(row.gold.status),
        "duplicate_of": sentence.duplicate_of,
        "meta": dict(sentence.meta),
    }
    if annotation is not None and row.gold is not None:
        threshold = project.settings.suggestion_threshold
        names = annotation.names_shown
        fields["spans"] = [_written_span(span, starts, shown, threshold, names) for span in row.gold.spans]
        fields |= _who_and_when(annotation, row.annotator)
        fields["gold"] = _gold(row.gold, row.names)
    if row.queue is not None or annotation is not None:
        fields["sampling"] = _sampling(row)
    if suggestion is not None:
        fields["suggestion"] = {
            "model_version": suggestion.run_id,
            "spans": [
                {"token_start": s.start, "token_end_exclusive": s.end, "label": s.label, "score": s.confidence}
                for s in suggestion.spans
            ],
        }
    return fields


def _written_span(
    span: Span, starts: Starts, shown: "Suggestion | None", threshold: float, names: Sequence["SuggestedName"] = ()
) -> dict[str, Any]:
    """A span with its offsets, and whether a person made it, accepted it as suggested, or changed a suggestion.

    Suggested spans below the project's threshold (as it is today) were not on the screen. Of the known `names` that were,
    one accepted as it stood has the origin `listed` or `seen`: no model suggested it.
    """
    same = near = None
    for suggested in shown.spans if shown else ():
        if suggested.confidence < threshold:
            continue
        if (suggested.start, suggested.end, suggested.label) == (span.start, span.end, span.label):
            same = suggested
        elif suggested.start < span.end and span.start < suggested.end:
            near = suggested
    known = next((it for it in names if (it.start, it.end, it.label) == (span.start, span.end, span.label)), None)
    changed = near or any(it.start < span.end and span.start < it.end for it in names)
    by_name = None if known is None else "listed" if known.source == "list" else "seen"
    return {
        "start": starts[span.start][0] if starts else None,
        "end": starts[span.end - 1][1] if starts else None,
        "token_start": span.start,
        "token_end_exclusive": span.end,
        "label": span.label,
        "origin": "suggested" if same else by_name or ("edited" if changed else "manual"),
        "score": same.confidence if same else None,
        "model_version": shown.run_id if shown and (same or near) else None,
    }


def _who_and_when(annotation: "Annotation", annotator: str | None) -> dict[str, Any]:
    return {
        "annotation_id": annotation.id,
        "annotator": annotator,
        "started_at": _time(annotation.client_time - timedelta(milliseconds=annotation.milliseconds)),
        "submitted_at": _time(annotation.client_time),
        "active_ms": annotation.milliseconds,
        "suggestions_shown": annotation.suggestion_run is not None,
        "names_shown": [
            {"token_start": it.start, "token_end_exclusive": it.end, "label": it.label, "source": str(it.source)}
            | ({} if it.seen_in is None else {"seen_in": it.seen_in})
            for it in annotation.names_shown
        ],
        "guideline_version": None,
        "comment": annotation.comment,
    }


def _gold(gold: "Gold", names: Mapping[int, str]) -> dict[str, Any]:
    """Who says that this is right, by which rule, and from which annotations."""
    fields: dict[str, Any] = {
        "rule": str(gold.rule),
        "by": [names[person] for person in gold.people],
        "at": _time(gold.at),
        "from": [{"annotation_id": source.id, "annotator": names[source.annotator_id]} for source in gold.annotations],
    }
    if gold.decision is not None:
        fields["kind"] = str(gold.decision.kind)
        fields["comment"] = gold.decision.comment
        fields["model_version"] = gold.decision.run_id
    return fields


def _sampling(row: "ExportRow") -> dict[str, Any]:
    """How the sentence came to be annotated: the arm, and what the strategy thought of it."""
    queue = row.queue
    origin = row.annotation.origin if row.annotation else queue.origin if queue else None
    arm = None if origin is None else str(origin)
    if queue is None:
        return {"arm": arm}
    return {
        "arm": arm,
        "strategy": queue.strategy,
        "score": queue.score,
        "rank": queue.rank,
        "p": queue.propensity,
        "round": queue.round,
        "reason": queue.reason,
        "model_version": queue.run_id,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _script(text: str) -> str | None:
    """The script most letters belong to, by the first word of their Unicode names: `"Asha" -> "LATIN"`."""
    scripts = Counter(unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha())
    return scripts.most_common(1)[0][0] if scripts else None
