"""Simulations beside the server: one labelled file in two parts, a child process that comes and goes, its result in words."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loop_helpers import gold_spans, label, label_reserve, make_project, open_store, sentence_tokens
from test_simulation_savings import RANDOM, curve

from annotation.formats import SourceFile, read_file
from annotation.settings import Settings
from annotation.simulation import Match, matches
from annotation.simulation.advice import advice, best
from annotation.simulation.desk import RESULTS, Order, Simulations
from annotation.simulation.one_file import (
    FEWEST_TO_LABEL,
    Labelled,
    project_labels,
    read_labelled,
    write_labelled,
)
from maner_core.errors import FormatError, InvalidConfig, InvalidInput, NotFound, Refused, UnknownName
from maner_core.spans import Span

HERE = Path(__file__).parent
ORDER = Order("swa.conll", ("mnlp",), seeds=1, seed_size=40, batch=20, budget=80)
LABELLED = [(tokens, gold_spans(tokens)) for tokens in sentence_tokens(300)]
TO_LABEL, TO_MEASURE = LABELLED[:240], LABELLED[240:]


def conll(sentences: list[Labelled]) -> bytes:
    blocks = []
    for tokens, spans in sentences:
        tags = {position: span.label for span in spans for position in range(span.start, span.end)}
        blocks.append("".join(f"{word}\t{f'B-{tags[i]}' if i in tags else 'O'}\n" for i, word in enumerate(tokens)))
    return "\n".join(blocks).encode()


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.05)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'maner.db'}")


@pytest.fixture
def open_desk(settings: Settings) -> Iterator[Callable[[int], Simulations]]:
    opened: list[Simulations] = []

    def desk(hang_in: int = 0) -> Simulations:
        opened.append(Simulations(settings, [sys.executable, str(HERE / "stub_simulation.py"), str(hang_in)]))
        return opened[-1]

    yield desk
    for each in opened:
        each.cancel(1)


# One file.


def test_a_labelled_file_is_divided_and_no_sentence_is_in_both_parts() -> None:
    to_label, to_measure = read_labelled(SourceFile("swa.conll", conll(LABELLED)))
    assert len(to_label) + len(to_measure) == 300
    assert 30 <= len(to_measure) <= 90  # a fifth, drawn by chance
    assert {tokens for tokens, _ in to_label}.isdisjoint(tokens for tokens, _ in to_measure)
    assert dict(to_label) | dict(to_measure) == dict(LABELLED)


def test_repetitions_count_once_and_what_is_nearly_the_same_is_in_one_part() -> None:
    words = [tokens for tokens, _ in LABELLED]
    joined = [sum(words[i : i + 3], ()) for i in range(298)]
    long = [(tokens, gold_spans(tokens)) for tokens in joined]
    twins = [((*tokens, "!"), spans) for tokens, spans in long]
    to_label, to_measure = read_labelled(SourceFile("swa.conll", conll([*long, *long, *twins])))
    assert len(to_label) + len(to_measure) == 2 * 298
    of_twins = {tokens[:-1] for tokens, _ in to_label if tokens[-1] == "!"}
    assert of_twins == {tokens for tokens, _ in to_label if tokens[-1] != "!"}


def test_what_a_file_calls_its_evaluation_set_is_measured_on(tmp_path: Path) -> None:
    write_labelled(LABELLED, tmp_path / "export.jsonl")
    lines = (tmp_path / "export.jsonl").read_text(encoding="utf-8").splitlines()
    lines[240:] = [json.dumps({**json.loads(line), "split": "reserve"}) for line in lines[240:]]
    assert read_labelled(SourceFile("export.jsonl", "\n".join(lines).encode())) == (TO_LABEL, TO_MEASURE)


def test_the_parts_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    odd: list[Labelled] = [(("<b>", "a\u2028b", "#", "O"), (Span(0, 2, "PER"),)), (("-DOCSTART-",), ())]
    write_labelled(odd, tmp_path / "odd.jsonl")
    read = read_file(tmp_path / "odd.jsonl").sentences
    assert [(sentence.tokens, sentence.gold) for sentence in read] == odd


def test_a_file_with_too_little_in_it_is_refused_with_what_is_needed() -> None:
    with pytest.raises(InvalidInput, match=rf"few\.conll has 40 labelled .* needs {FEWEST_TO_LABEL} to label from"):
        read_labelled(SourceFile("few.conll", conll(LABELLED[:40])))
    with pytest.raises(InvalidInput, match="no name in the sentences to label from"):
        read_labelled(SourceFile("none.conll", conll([(tokens, ()) for tokens, _ in LABELLED])))
    with pytest.raises(InvalidInput, match=r"none\.txt has 0 labelled"):
        read_labelled(SourceFile("none.txt", b"Asha yuko Dodoma\n" * 5))
    with pytest.raises(InvalidInput, match="big is larger than 20 MB"):
        read_labelled(SourceFile("big", b"x" * (20 * 2**20 + 1)))
    with pytest.raises(FormatError, match="not UTF-8"):
        read_labelled(SourceFile("latin.conll", b"caf\xe9 O\n"))


def test_a_file_with_a_bad_sentence_is_refused_not_shortened() -> None:
    spoilt = conll(LABELLED) + b"Asha B-PER x\nyuko\n\nJuma\n\n"
    with pytest.raises(FormatError, match=r"swa\.conll:\d+: .*more like it"):
        read_labelled(SourceFile("swa.conll", spoilt))


def test_a_projects_labels_are_measured_on_its_evaluation_sentences_where_there_are_enough(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    project = make_project(store, pool=150, reserve=30)
    label(store, project, 140)
    with pytest.raises(InvalidInput, match="The project has 0 labelled sentences"):
        project_labels(store, make_project(store, name="empty").id)
    to_label, to_measure = project_labels(store, project.id)
    assert len(to_label) + len(to_measure) == 140
    label_reserve(store, project, 25)
    assert [len(part) for part in project_labels(store, project.id)] == [140, 25]
    store.close()


# Words.


def test_labels_to_where_random_ends_by_hand() -> None:
    """Random ends with 0.8 at 200 labels; the other one is there at 100."""
    [match] = matches(curve("random", RANDOM) + curve("mnlp", (0.4, 0.8, 0.8, 0.8)), draws=20)
    assert (match.strategy, match.labels, match.f1, match.seeds) == ("mnlp", 200, 0.8, 1)
    assert (match.at, match.low, match.high) == pytest.approx((100, 100, 100))
    [never] = matches(curve("random", RANDOM) + curve("mnlp", (0.2, 0.3, 0.4, 0.5)), draws=20)
    assert (never.at, never.low, never.high) == (None, None, None)


def test_a_strategy_that_is_there_in_some_draws_only_has_an_open_interval() -> None:
    points = [
        point
        for seed, heights in enumerate([(0.4, 0.9, 1.0, 1.0), (0.2, 0.3, 0.4, 0.5), (0.4, 0.9, 1.0, 1.0)])
        for point in curve("random", RANDOM, seed) + curve("mnlp", heights, seed)
    ]
    [match] = matches(points)
    assert match.at == pytest.approx(150)  # the mean curve is 0.33, 0.7, 0.8, 0.83
    assert match.low == pytest.approx(90)  # 0.8 lies four fifths of the way from 0.4 to 0.9
    assert match.high is None
    assert best([match]) is None
    assert "not reached)" in advice([match])


SURE = Match("swa", "mnlp", 300, 0.712, 150.0, 120.0, 260.0, 5)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [SURE, replace(SURE, strategy="badge", at=140.0, high=None)],
            "On this file mnlp saves labels: it reached random's 300-label F1 (71.2) with 150 labels "
            "(95 % interval 120 to 260).",
        ),
        (
            [replace(SURE, high=310.0)],
            "No strategy saves labels reliably on this file: the best, mnlp, reached random's 300-label F1 (71.2) with "
            "150 labels (95 % interval 120 to 310).",
        ),
        (
            [replace(SURE, at=None, low=None, high=None)],
            "No strategy saves labels reliably on this file: the best, mnlp, did not reach random's 300-label F1 (71.2).",
        ),
        (
            [replace(SURE, seeds=1)],
            "Too few repetitions for an interval, 3 are needed at least: the best, mnlp, reached random's 300-label F1 "
            "(71.2) with 150 labels.",
        ),
        ([], ""),
    ],
)
def test_the_advice_is_one_sentence_that_claims_no_more_than_the_interval(found: list[Match], said: str) -> None:
    assert advice(found) == said


# The process.


def test_a_cancelled_one_keeps_what_is_done_and_goes_on_from_there_after_a_restart(
    open_desk: Callable[..., Simulations], tmp_path: Path
) -> None:
    desk = open_desk(5)  # three trainings of the first repetition, and one of the next
    assert desk.standing(1) is None
    desk.start(1, ORDER, TO_LABEL, TO_MEASURE)
    begun = desk.standing(1)
    assert begun is not None
    assert (begun.order, begun.running, begun.rounds) == (ORDER, True, 6)
    until(lambda: desk.standing(1).done == 4)  # type: ignore[union-attr]
    other_server = open_desk()
    with pytest.raises(Refused, match="cancel it first"):
        other_server.start(1, ORDER, TO_LABEL, TO_MEASURE)
    desk.cancel(1)
    until(lambda: not desk.standing(1).running)  # type: ignore[union-attr]
    stopped = other_server.standing(1)
    assert stopped is not None
    assert (stopped.running, stopped.complete, stopped.done, stopped.failure) == (False, False, 4, "")
    assert not list((tmp_path / "simulations" / "project-1" / "tmp").iterdir())
    first = [point for point in stopped.points if point.strategy == "random"]
    other_server.go_on(1)
    until(lambda: not other_server.standing(1).running)  # type: ignore[union-attr]
    whole = other_server.standing(1)
    assert whole is not None
    assert (whole.complete, whole.done, whole.failure) == (True, 6, "")
    assert whole.points[:3] == first  # with their times: they were not run again
    assert [match.strategy for match in other_server.matches(1)] == ["mnlp"]
    assert {saving.level for saving in other_server.savings(1)} == {0.9, 0.95, 0.98}
    assert all(other_server.table(1, name).startswith(b"set,strategy") for name in RESULTS)


def test_it_ends_with_its_server_however_that_ends(open_desk: Callable[..., Simulations], tmp_path: Path) -> None:
    script = (
        "import sys\nsys.path.insert(0, 'tests')\nfrom test_simulation_desk import *\n"
        f"settings = Settings(home=Path({str(tmp_path)!r}), database_url='sqlite://')\n"
        "desk = Simulations(settings, [sys.executable, str(HERE / 'stub_simulation.py'), '2'])\n"
        "desk.start(1, ORDER, TO_LABEL, TO_MEASURE)\nuntil(lambda: desk.standing(1).done)\n"
        "print('there', flush=True)\nthreading.Event().wait()\n"
    )
    server = subprocess.Popen([sys.executable, "-c", script], cwd=HERE.parent, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"there\n"
    desk = open_desk()
    assert desk.standing(1).running  # type: ignore[union-attr]
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()
    until(lambda: not desk.standing(1).running)  # type: ignore[union-attr]


def test_a_failure_is_told_in_its_own_words_and_an_impossible_order_is_not_begun(
    open_desk: Callable[..., Simulations],
) -> None:
    desk = open_desk()
    with pytest.raises(NotFound, match="start one"):
        desk.go_on(1)
    with pytest.raises(UnknownName, match="'mnpl'"):
        desk.start(1, replace(ORDER, strategies=("mnpl",)), TO_LABEL, TO_MEASURE)
    with pytest.raises(InvalidConfig, match="budget is 10"):
        desk.start(1, replace(ORDER, budget=10), TO_LABEL, TO_MEASURE)
    assert desk.standing(1) is None
    desk.start(1, replace(ORDER, budget=400), TO_LABEL, TO_MEASURE)
    until(lambda: not desk.standing(1).running)  # type: ignore[union-attr]
    assert desk.standing(1).failure == "a budget of 400 labels needs as many sentences in the pool; lower it"  # type: ignore[union-attr]
