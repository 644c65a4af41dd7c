"""What a browser may send: every refusal names the field, and nothing but InvalidInput comes out of parsing."""

import math
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.sync_request import MAX_HAVE, MAX_MILLISECONDS, MAX_OUTBOX, SyncRequest
from maner_core.errors import InvalidInput
from maner_core.spans import Span
from storage import Status


def entry(**changes: Any) -> dict[str, Any]:
    fields = {
        "id": "5a0c", "sentence": 7, "status": "labelled", "spans": [[0, 2, "PER"]], "comment": "", "time": 1_700_000_000_000,
        "milliseconds": 1500, "run": None, "supersedes": None,
    }  # fmt: skip
    return fields | changes


def body(**changes: Any) -> dict[str, Any]:
    return {"seq": 1, "nonce": "n", "client": "tab", "outbox": [entry()], "have": [7, 8, 7], "want": 20} | changes


def test_a_request_is_read_completely() -> None:
    request = SyncRequest.parse(body())
    (draft,) = request.outbox
    assert (request.seq, request.nonce, request.client, request.have, request.want) == (1, "n", "tab", (7, 8), 20)
    assert (draft.id, draft.sentence_id, draft.status, draft.spans) == (
        "5a0c",
        7,
        Status.LABELLED,
        (Span(0, 2, "PER"),),
    )
    assert draft.client_time.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(("said", "year"), [(-62_135_596_800_000, 1970), (8.64e15, 3000)])
def test_a_clock_that_is_centuries_off_keeps_no_annotation_from_being_saved_and_exported(
    said: float, year: int
) -> None:
    [draft] = SyncRequest.parse(body(outbox=[entry(time=said, milliseconds=5_000)])).outbox
    assert draft.client_time.year == year
    assert (draft.client_time - timedelta(milliseconds=draft.milliseconds)).tzinfo == UTC


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seq": "1"}, "seq"),
        ({"seq": True}, "seq"),
        ({"nonce": 5}, "nonce"),
        ({"client": ""}, "client"),
        ({"client": "x" * 65}, "client"),
        ({"outbox": {}}, "outbox"),
        ({"outbox": [entry()] * (MAX_OUTBOX + 1)}, "outbox"),
        ({"outbox": [1]}, "outbox[0]"),
        ({"outbox": [entry(), entry(id=None)]}, "outbox[1].id"),
        ({"outbox": [entry(sentence=-1)]}, "outbox[0].sentence"),
        ({"outbox": [entry(status="done")]}, "outbox[0].status"),
        ({"outbox": [entry(status="skipped", skip_reason="dull")]}, "outbox[0].skip_reason"),
        ({"outbox": [entry(spans=[[0, 1]])]}, "outbox[0].spans[0]"),
        ({"outbox": [entry(spans=[[0, 1.5, "PER"]])]}, "outbox[0].spans[0][1]"),
        ({"outbox": [entry(spans=[[0, 1, ""]])]}, "outbox[0].spans[0][2]"),
        ({"outbox": [entry(spans=[[0, 1, "PER"]] * 501)]}, "outbox[0].spans"),
        ({"outbox": [entry(comment="x" * 2001)]}, "outbox[0].comment"),
        ({"outbox": [entry(comment="a\x00b")]}, "outbox[0].comment"),
        ({"outbox": [entry(comment="\ud800")]}, "outbox[0].comment"),
        ({"outbox": [entry(time=1e300)]}, "outbox[0].time"),
        ({"outbox": [entry(time=math.nan)]}, "outbox[0].time"),
        ({"outbox": [entry(time="now")]}, "outbox[0].time"),
        ({"outbox": [entry(run="3")]}, "outbox[0].run"),
        ({"outbox": [entry(supersedes="")]}, "outbox[0].supersedes"),
        ({"have": [2**63]}, "have[0]"),
        ({"have": list(range(MAX_HAVE + 1))}, "have"),
        ({"want": 51}, "want"),
        ({"refresh": 1}, "refresh"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        SyncRequest.parse(body(**changes))
    assert str(refusal.value).startswith(f"{field} ")


@pytest.mark.parametrize("field", ["seq", "nonce", "client", "outbox", "have"])
def test_a_missing_field_is_named(field: str) -> None:
    fields = body()
    del fields[field]
    with pytest.raises(InvalidInput, match=f"^{field} is missing$"):
        SyncRequest.parse(fields)


@pytest.mark.parametrize("milliseconds", [-5, 10**12])
def test_a_clock_that_jumped_does_not_keep_an_annotation_from_being_saved(milliseconds: int) -> None:
    (draft,) = SyncRequest.parse(body(outbox=[entry(milliseconds=milliseconds)])).outbox
    assert 0 <= draft.milliseconds <= MAX_MILLISECONDS


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(list(entry())), inner, max_size=5),
    max_leaves=12,
)


def problem_of(anything: object) -> str | None:
    """What is wrong with it, None if nothing; any error but InvalidInput fails the test."""
    try:
        SyncRequest.parse(anything)
    except InvalidInput as refusal:
        return str(refusal)
    return None


@given(st.dictionaries(st.sampled_from(list(body())), values) | values)
def test_whatever_comes_is_read_or_refused_in_words(anything: object) -> None:
    assert problem_of(anything) != ""


@given(st.sampled_from([*entry()]), values)
def test_a_wrong_field_of_an_annotation_is_named_whatever_it_holds(field: str, value: object) -> None:
    problem = problem_of(body(outbox=[entry(**{field: value})]))
    assert problem is None or problem.startswith(f"outbox[0].{field}")
