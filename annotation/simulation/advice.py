"""What a simulation comes to, in words for a lead."""

from collections.abc import Sequence

from annotation.simulation.savings import FEWEST_SEEDS, Match


def best(matches: Sequence[Match]) -> Match | None:
    """The strategy that surely needs fewest labels to be where random order ends; None where none surely saves any."""
    sure = [
        (match.high, match.strategy, match)
        for match in matches
        if match.seeds >= FEWEST_SEEDS and match.high is not None and match.high < match.labels
    ]
    return min(sure)[-1] if sure else None


def advice(matches: Sequence[Match]) -> str:
    """One sentence on which strategy to take; "" where there is nothing to compare."""
    if not matches:
        return ""
    found = best(matches)
    if found is not None:
        return f"On this file {found.strategy} saves labels: it {reached(found)}."
    nearest = min(matches, key=lambda match: (match.at is None, match.at))
    said = f"the best, {nearest.strategy}, {reached(nearest)}"
    if nearest.seeds < FEWEST_SEEDS:
        return f"Too few repetitions for an interval, {FEWEST_SEEDS} are needed at least: {said}."
    return f"No strategy saves labels reliably on this file: {said}."


def reached(match: Match) -> str:
    """`reached random's 300-label F1 (71.2) with 150 labels (95 % interval 120 to 260)`, or that it did not.

    Without the interval where there are fewer than FEWEST_SEEDS repetitions.
    """
    target = f"random's {match.labels}-label F1 ({100 * match.f1:.1f})"
    if match.at is None:
        return f"did not reach {target}"
    told = f"reached {target} with {match.at:.0f} labels"
    if match.seeds < FEWEST_SEEDS:
        return told
    low, high = ("not reached" if bound is None else f"{bound:.0f}" for bound in (match.low, match.high))
    return f"{told} (95 % interval {low} to {high})"
