"""What the confidence in a suggested name is worth: from what was saved, by hand, and in a round of the loop."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from loop_helpers import label, make_project, open_store, run_stub_round

from annotation.hand_out import Desk
from annotation.span_scaling import NEWEST_SPANS, scaling_of, span_scaling
from annotation.sync_request import SyncRequest
from maner_core.calibration import FEWEST_SPANS
from maner_core.spans import Span
from storage import Project, Run, Store, SuggestedSpan, SuggestedWork

PER = Span(0, 2, "PER")


def work(right: bool, confidence: float = 0.9, label: str = "PER") -> SuggestedWork:
    """Somebody's sentence of which a run said that its first two words are a name."""
    spans, said = ((PER,) if right else ()), (SuggestedSpan(0, 2, label, confidence),)
    return SuggestedWork(1, 1, 3, 5.0, spans, True, said, datetime(2026, 1, 1, tzinfo=UTC), 1)


def test_a_name_is_worth_what_earlier_ones_were() -> None:
    found = span_scaling([work(number % 4 > 0) for number in range(80)])
    assert found is not None
    assert found.spans == 80
    assert found(0.9) == pytest.approx((60 * 61 / 62 + 20 / 22) / 80, abs=0.001)


def test_another_label_is_not_right() -> None:
    found = span_scaling([work(True, label="LOC") for _ in range(80)])
    assert found is not None
    assert found(0.9) < 0.05


def test_only_the_newest_names_count() -> None:
    old = [work(False) for _ in range(300)]
    found = span_scaling([*old, *(work(True) for _ in range(NEWEST_SPANS))])
    assert found is not None
    assert found(0.9) > 0.99
    assert found.spans == NEWEST_SPANS


def test_without_suggestions_or_with_few_there_is_no_curve() -> None:
    nothing = SuggestedWork(1, 1, 3, 5.0, (), False, None, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert span_scaling([]) is None
    assert span_scaling([nothing] * 100) is None
    assert span_scaling([work(True)] * (FEWEST_SPANS - 1)) is None


Confidences = dict[tuple[int, int], float]


def handed_out(store: Store, project: Project, run: Run) -> tuple[Confidences, Confidences]:
    """By sentence and first word: what people see beside the names they are shown, and what the database holds of these."""
    request = SyncRequest(1, "n", "tab", (), (), 40)
    batch = Desk(store).sync(store.project(project.id), store.annotator("Asha").id, request).batch
    seen = {(item.id, start): confidence for item in batch for start, _, _, confidence in item.suggestions}
    said = {item.id: store.suggestion(run.id, item.id) for item in batch}
    kept = {(id_, span.start): span.confidence for id_, found in said.items() if found for span in found.spans}
    return seen, {place: kept[place] for place in seen}


def test_from_the_second_round_on_people_see_what_a_confidence_is_worth(tmp_path: Path) -> None:
    """What is left out goes by the tagger's own confidence, and that is what stays in the database."""
    store = open_store(tmp_path)
    project = make_project(store, pool=200, reserve=0, blind_share=0.0, suggestion_threshold=0.95)
    label(store, project, 60)
    first = run_stub_round(store, project, tmp_path)
    assert scaling_of(first.metrics) is None
    seen, kept = handed_out(store, project, first)
    assert seen == kept
    label(store, project, 60)
    second = run_stub_round(store, project, tmp_path)
    scaling = scaling_of(second.metrics)
    assert scaling is not None
    seen, kept = handed_out(store, project, second)
    assert len(seen) > 5
    assert all(confidence >= 0.95 for confidence in kept.values())
    assert seen == {place: pytest.approx(scaling(confidence)) for place, confidence in kept.items()}
    assert all(seen[place] != pytest.approx(kept[place], abs=0.01) for place in seen)
    store.close()
