"""Two runs on the same evaluation sentences, by hand: the difference, its interval, the sentences, the words."""

from datetime import UTC, datetime

import numpy as np
import pytest

from annotation.run_comparison import compare_runs, in_words
from annotation.run_history import choice, recipe_changes
from maner_core.config import TrainConfig
from maner_core.errors import InvalidInput
from maner_core.evaluation import paired_difference
from maner_core.spans import Span
from storage import AuditEvent

PER, LOC = Span(0, 1, "PER"), Span(2, 3, "LOC")


def test_a_difference_in_every_sentence_has_an_interval_without_width() -> None:
    before, after = np.array([[0, 1, 1]] * 9), np.array([[1, 1, 1]] * 9)
    assert paired_difference(before, after) == (1.0, 1.0)
    assert paired_difference(after, before) == (-1.0, -1.0)
    assert paired_difference(before, before) == (0.0, 0.0)


def test_two_draws_of_two_sentences_give_the_interval_by_hand() -> None:
    """Only the first sentence differs: drawn 0, 1 or 2 times of 2 it adds 0, 1/2 or 1 to the F1, each with its chance."""
    before, after = np.array([[0, 1, 1], [1, 1, 1]]), np.array([[1, 1, 1], [1, 1, 1]])
    assert paired_difference(before, after, level=0.95) == (0.0, 1.0)
    assert paired_difference(before, after, level=0.1) == (
        0.0,
        0.5,
    )  # 1/2 by the draws, but one sentence proves nothing


def test_fewer_than_six_differing_sentences_are_no_difference() -> None:
    """All to one side: a sign test has 2 / 2 ** 5 = 0.06 for five of them and 0.03 for six, whatever the others are."""
    before = np.array([[1, 1, 1]] * 40)
    for n, least in ((5, 0.0), (6, 0.025)):
        after = before.copy()
        after[:n, 0] = 0
        low, high = paired_difference(before, after)
        assert low < -0.2
        assert (high == 0.0) if n == 5 else (high <= -least)


def test_without_sentences_there_is_no_difference_and_unlike_ones_are_refused() -> None:
    nothing = np.zeros((0, 3), dtype=np.int64)
    assert paired_difference(nothing, nothing) == (0.0, 0.0)
    with pytest.raises(InvalidInput, match="0 sentences cannot be paired with 2"):
        paired_difference(nothing, np.zeros((2, 3), dtype=np.int64))


def test_sentences_are_sorted_by_what_was_gained() -> None:
    gold = [(1, (PER, LOC)), (2, (PER,)), (3, ()), (4, (PER,)), (5, (PER,))]
    before = {1: (), 2: (PER,), 3: (), 4: (LOC,), 5: (PER,)}
    after = {1: (PER, LOC), 2: (), 3: (), 4: (Span(1, 2, "LOC"),), 6: ()}
    found = compare_runs(gold, before, after)
    assert found.n_sentences == 4  # the second run has not read sentence 5
    assert [(change.sentence_id, change.gain) for change in found.changes] == [(1, 2), (4, 0), (2, -1)]
    assert [change.sentence_id for change in found.better] == [1]
    assert [change.sentence_id for change in found.worse] == [2]
    assert [change.sentence_id for change in found.as_good] == [4]


def test_f1_in_all_and_by_label_is_that_of_the_shared_sentences() -> None:
    gold = [(1, (PER, LOC)), (2, (PER,))]
    before = {1: (PER,), 2: (PER,)}
    after = {1: (PER, LOC), 2: ()}
    found = compare_runs(gold, before, after)
    assert found.overall.before == pytest.approx(4 / 5)  # 2 of 2 found are right, 2 of 3 are found
    assert found.overall.after == pytest.approx(4 / 5)
    assert found.by_label["PER"].before == 1.0
    assert found.by_label["PER"].after == pytest.approx(2 / 3)
    assert (found.by_label["LOC"].before, found.by_label["LOC"].after) == (0.0, 1.0)
    assert (found.by_label["PER"].n_gold, found.by_label["LOC"].n_gold) == (2, 1)


def test_a_clear_gain_is_said_in_words_with_its_label() -> None:
    gold = [(number, (PER, LOC)) for number in range(20)]
    found = compare_runs(gold, dict.fromkeys(range(20), (PER,)), dict.fromkeys(range(20), (PER, LOC)))
    assert in_words(3, 4, found) == (
        "Run 4 is better than run 3: F1 100.0 against 66.7 on 20 evaluation sentences, a change of +33.3 points "
        "(95 %: +33.3 to +33.3). It is better at LOC."
    )


def test_what_may_be_chance_is_not_called_better() -> None:
    gold = [(number, (PER,)) for number in range(20)]
    before = dict.fromkeys(range(20), (PER,)) | {0: ()}
    words = in_words(3, 4, compare_runs(gold, before, dict.fromkeys(range(20), (PER,))))
    assert words.startswith("Run 4 and run 3 cannot be told apart: F1 100.0 against 97.4")


@pytest.mark.parametrize(("n", "said"), [(1, "1 evaluation sentence"), (19, "19 evaluation sentences")])
def test_on_few_sentences_no_run_is_better_and_no_change_has_an_interval(n: int, said: str) -> None:
    gold = [(number, (PER, LOC)) for number in range(n)]
    found = compare_runs(gold, dict.fromkeys(range(n), (PER,)), dict.fromkeys(range(n), (PER, LOC)))
    assert in_words(3, 4, found) == (
        "There are too few evaluation sentences to tell run 4 and run 3 apart: F1 100.0 against 66.7 on "
        f"{said}, and 20 are needed."
    )
    assert {each.verdict for each in found.by_label.values()} == {"too few to tell"}


def test_runs_without_a_common_sentence_are_not_compared() -> None:
    assert "no labelled evaluation sentence in common" in in_words(3, 4, compare_runs([(1, (PER,))], {}, {1: ()}))


def test_a_recipe_is_what_differs_from_its_preset() -> None:
    asked = {"system": "maner", "epochs": 20.0, "seed": 99, "gone": 1}
    assert recipe_changes({"preset": "default", "train": asked}) == {"epochs": (20.0, 12.0), "gone": (1, None)}
    assert recipe_changes({}) == {}
    assert recipe_changes({"preset": "of another release", "train": {"epochs": 20.0}}) == {"epochs": (20.0, 12.0)}


def test_layers_that_start_anew_because_the_backbone_wants_it_are_no_change() -> None:
    asked = TrainConfig().to_dict() | {"reinitialised_layers": 1}
    assert recipe_changes({"preset": "default", "train": asked}) == {}
    another = asked | {"backbone": "xlm-roberta-base"}
    assert recipe_changes({"preset": "default", "train": another}) == {
        "backbone": ("xlm-roberta-base", "bundled"),
        "reinitialised_layers": (1, 0),
    }


def test_the_last_word_of_a_person_on_a_run_counts() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        AuditEvent(1, 1, 5, at, "run_served", {"run": 3, "before": 4}),
        AuditEvent(2, 1, 6, at, "run_pinned", {"run": 3, "before": 3}),
        AuditEvent(3, 1, 6, at, "settings_changed", {"settings": ["seed"]}),
    ]
    found = choice(events, 3)
    assert found is not None
    assert (found.what, found.annotator_id) == ("run_pinned", 6)
    assert choice(events, 4) is None
