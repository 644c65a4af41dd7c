"""What suggestions change, worked by hand; who is shown none; what the store gives for it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from loop_helpers import draft, label, make_project, run_stub_round, save
from scipy.stats import bootstrap
from streamlit.testing.v1 import AppTest

from annotation.blind import is_withheld
from annotation.hand_out import Desk
from annotation.queue_filling import top_up
from annotation.suggestion_effect import FEWEST_COMPARED, Estimate, in_words, suggestion_effect
from annotation.sync_request import SyncRequest
from maner_core.spans import Span
from storage import Project, Sentence, Store, SuggestedSpan, SuggestedWork
from storage.chance import drawn

PER = Span(0, 1, "PER")
SURE, UNSURE = SuggestedSpan(0, 1, "PER", 0.9), SuggestedSpan(2, 3, "LOC", 0.4)


def work(
    number: int = 1,
    seconds: float = 6.0,
    spans: tuple[Span, ...] = (PER,),
    suggestion: tuple[SuggestedSpan, ...] | None = (SURE, UNSURE),
    shown: bool = True,
    words: int = 4,
    run: int | None = 1,
) -> SuggestedWork:
    return SuggestedWork(number, 1, words, seconds, spans, shown, suggestion, datetime(2026, 1, 1, tzinfo=UTC), run)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def withheld(number: int) -> bool:
    return number >= 100


def test_times_are_medians_without_the_idle_ones() -> None:
    items = [work(seconds=seconds) for seconds in (2.0, 4.0, 12.0, 121.0, 0.0)]
    shown = suggestion_effect(items, withheld, 0.5).shown
    assert (shown.sentences, shown.seconds) == (5, 4.0)
    assert shown.seconds_per_word is not None
    assert (shown.seconds_per_word.value, shown.seconds_per_word.low, shown.seconds_per_word.high) == (1.0, 0.5, 3.0)


def test_agreement_counts_spans_above_the_threshold_and_unchanged_whole_sentences() -> None:
    items = [work(), work(spans=()), work(spans=(PER, Span(2, 3, "LOC")))]
    shown = suggestion_effect(items, withheld, 0.5).shown
    # Suggested 3 times PER; saved 0 + 1 + 2 names, of which 2 are suggested: F1 = 2 * 2 / (3 + 3).
    assert value(shown.agreement) == pytest.approx(2 / 3)
    assert value(shown.unchanged) == pytest.approx(1 / 3)
    assert value(suggestion_effect(items, withheld, 0.3).shown.unchanged) == pytest.approx(1 / 3)  # now LOC counts too


def test_only_sentences_withheld_by_chance_are_compared_but_all_count_as_blind() -> None:
    items = [
        work(1),
        work(2, shown=False, suggestion=None),  # before the first tagger
        work(3, shown=False),  # after it, but not drawn: suggestions were off
        work(100, shown=False, seconds=8.0, words=4),
        work(101, shown=False, suggestion=None),
    ]
    effect = suggestion_effect(items, withheld, 0.5)
    assert (effect.shown.sentences, effect.withheld.sentences) == (1, 1)
    assert value(effect.withheld.seconds_per_word) == 2.0
    assert effect.blind_share == 0.8


def test_what_was_labelled_while_nobody_saw_suggestions_is_not_compared() -> None:
    """Run 1 served before the model had earned that people see it: its drawn sentences stand on neither side."""
    items = [
        work(1, run=2),
        work(100, shown=False, seconds=40.0, run=1),
        work(101, shown=False, seconds=8.0, run=2),
    ]
    withheld_arm = suggestion_effect(items, withheld, 0.5).withheld
    assert (withheld_arm.sentences, withheld_arm.seconds) == (1, 8.0)


def test_little_work_is_not_compared_and_none_does_no_harm() -> None:
    assert "Too little to compare yet: 0 sentences" in in_words(suggestion_effect([], withheld, 0.5))


def test_what_suggestions_change_is_said_in_words() -> None:
    shown = [work(number, seconds=3.0) for number in range(FEWEST_COMPARED)]
    blind = [work(100 + number, shown=False, seconds=4.0) for number in range(FEWEST_COMPARED // 2)]
    blind += [work(200 + number, shown=False, seconds=4.0, spans=()) for number in range(FEWEST_COMPARED // 2)]
    # Withheld: 20 suggested, 10 saved, 10 right: F1 = 2 * 10 / 30.
    assert in_words(suggestion_effect(shown + blind, withheld, 0.5)) == (
        "Suggestions save time: with them people take 0.75 times as long a word (95 %: 0.75 to 0.75). What people save "
        "agrees with the suggestion by 100 % (F1) where they see it and 67 % where they do not: +33 points (95 %: +18 to "
        "+54). It is just what was suggested in 100 % where they see it and 50 % where they do not: +50 points (95 %: +30 to "
        "+70)."
    )


def test_what_chance_could_have_done_is_not_claimed() -> None:
    """Both sides take 2 to 9 s; an interval of so few that differ so much holds 1."""
    shown = [work(number, seconds=2.0 + number % 8) for number in range(24)]
    blind = [work(100 + number, shown=False, seconds=3.0 + number % 7) for number in range(21)]
    effect = suggestion_effect(shown + blind, withheld, 0.5)
    assert effect.pace is not None
    assert effect.pace.value == pytest.approx(5.5 / 6)
    assert effect.pace.low < 1 < effect.pace.high
    assert in_words(effect).startswith(
        "It cannot be told yet whether suggestions save time: with them people take 0.92 times"
    )
    assert effect.unchanged == Estimate(0, 0, 0)


def test_an_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    shown, blind = rng.gamma(4, 1.0, 60), rng.gamma(4, 1.5, 40)
    items = [work(number, seconds=seconds) for number, seconds in enumerate(shown)]
    items += [work(100 + number, shown=False, seconds=seconds) for number, seconds in enumerate(blind)]
    found = suggestion_effect(items, withheld, 0.5).pace
    theirs = bootstrap(
        (shown, blind),
        lambda a, b, axis: np.median(a, axis=axis) / np.median(b, axis=axis),
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_a_draw_is_uniform_lasting_and_unlike_for_another_purpose() -> None:
    draws = [drawn("salt", "blind", number) for number in range(5_000)]
    assert draws == [drawn("salt", "blind", number) for number in range(5_000)]
    assert min(draws) >= 0
    assert max(draws) < 1
    # Of 5,000 a tenth each: 500, with a standard deviation of 21.
    assert all(abs(sum(low <= 10 * draw < low + 1 for draw in draws) - 500) < 100 for low in range(10))
    both = sum(draw < 0.1 and drawn("salt", "overlap", number) < 0.1 for number, draw in enumerate(draws))
    assert 20 <= both <= 90  # 50 by chance


@pytest.fixture
def store(page_store: Store) -> Store:
    return page_store


def suggesting_project(store: Store, home: Path, share: float) -> Project:
    """A project with a tagger, all of whose suggestions are good enough to be shown."""
    project = make_project(store, pool=120, reserve=4, blind_share=share, suggestion_threshold=0.0)
    label(store, project, 60)
    run_stub_round(store, project, home)
    top_up(store, project.id)
    return store.project(project.id)


def test_suggestions_are_withheld_from_the_drawn_sentences_only(store: Store, tmp_path: Path) -> None:
    project = suggesting_project(store, tmp_path, 0.3)
    request = SyncRequest(1, "n", "tab", (), (), 40)
    batch = Desk(store).sync(project, store.annotator("Asha").id, request).batch
    pool = {sentence.id for sentence in store.unlabelled_pool(project.id)}
    handed = [item for item in batch if item.id in pool]
    assert {item.id for item in handed if item.run is None} == {
        item.id for item in handed if is_withheld(project, item.id)
    }
    assert any(item.run is None for item in handed)
    assert any(item.run is not None for item in handed)


def test_the_dashboard_compares_what_was_shown_with_what_was_withheld(store: Store, tmp_path: Path) -> None:
    project = suggesting_project(store, tmp_path, 0.5)
    pool = store.unlabelled_pool(project.id)
    for sentence in pool:
        run = None if is_withheld(project, sentence.id) else project.serving_run
        save(store, project, [replace(draft(sentence), suggestion_run=run)])
    found = store.suggested_work(project.id)
    assert len(found) == 120
    assert sum(item.shown for item in found) + sum(is_withheld(project, item.sentence_id) for item in found[60:]) == 60
    assert all(item.suggestion is None for item in found[:60])  # there was no tagger yet
    assert all(item.suggestion is not None for item in found[60:])
    app = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not app.exception
    assert "What suggestions change" in [heading.value for heading in app.subheader]
    table = next(frame.value for frame in app.dataframe if "Saved as suggested" in frame.value)
    assert table["Sentences"].sum() == 60
    assert table["s a sentence"].tolist() == [1.0, 1.0]
    blind = sum(not item.shown for item in found) / len(found)
    said = f"{100 * blind:.0f} % of what people labelled to learn from was labelled without seeing a suggestion; evaluation"
    assert any(each.value.startswith(said) for each in app.caption)


def test_after_a_rollback_what_could_have_been_suggested_is_what_the_older_run_says(
    store: Store, tmp_path: Path
) -> None:
    project = suggesting_project(store, tmp_path, 0.5)
    first = project.serving_run
    assert first is not None
    second = run_stub_round(store, project, tmp_path).id
    assert store.project(project.id).serving_run == second
    waiting = store.unlabelled_pool(project.id)[:4]

    def asked_of(sentence: Sentence) -> int | None:
        save(store, project, [draft(sentence)])
        return store.suggested_work(project.id)[-1].run_id

    assert asked_of(waiting[0]) == second
    store.serve_run(first, pinned=False, by=None)
    assert asked_of(waiting[1]) == first
    store.serve_run(second, pinned=True, by=None)
    assert asked_of(waiting[2]) == second
    assert [item.run_id for item in store.suggested_work(project.id)[-3:]] == [second, first, second]
