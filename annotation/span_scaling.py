"""What the confidence in a suggested name is worth, judged by what people saved after a run had suggested it.

A tagger that has learned its few sentences by heart is sure of all it says. What it said of a sentence before anybody had
labelled it can be held against the labels: evaluation sentences are not needed for that, and stay what F1 is measured on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maner_core.calibration import SpanScaling, fit_span_scaling
from maner_core.spans import Span
from storage import SuggestedWork

NEWEST_SPANS = 500
"""Suggested names that count, the newest: a tagger that learns on is sure in another way."""


def span_scaling(work: Sequence[SuggestedWork]) -> SpanScaling | None:
    """The curve for what was suggested so far, oldest first; None while there is too little."""
    judged = [
        (span.confidence, Span(span.start, span.end, span.label) in item.spans)
        for item in work
        for span in item.suggestion or ()
    ][-NEWEST_SPANS:]
    confidences = np.array([confidence for confidence, _ in judged], np.float64)
    return fit_span_scaling(confidences, np.array([right for _, right in judged], np.bool_))


def scaling_of(metrics: Mapping[str, Any]) -> SpanScaling | None:
    """The curve that a run keeps with its metrics; None where it has none."""
    kept = metrics.get("span_scaling")
    return None if kept is None else SpanScaling(**kept)
