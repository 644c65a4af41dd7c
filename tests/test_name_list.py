"""The lead's list of names: what a file may hold, who may replace it, and what it changes in the queue."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import label, make_project, open_store, queue_items, run_stub_round
from store_helpers import draft, new_project, save

from annotation.cli import main
from annotation.formats import SourceFile
from annotation.name_list import read_names, remove_list, replace_list
from annotation.queue_filling import NAMED_REASON, NAMED_STRATEGY, queue_anew, top_up, with_names
from annotation.selection_log import replayed
from maner_core.errors import FormatError, InvalidInput, Refused
from storage import Label, ListedName, NewSentence, Origin, Project, ProjectSettings, Split, Store

LABELS = ("PER", "LOC", "ORG")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def tsv(text: str) -> SourceFile:
    return SourceFile("names.tsv", text.encode())


# The file.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mombasa\tLOC\nAsha Juma\tPER\n", [("Mombasa", "LOC"), ("Asha Juma", "PER")]),
        ("\ufeffMombasa\tLOC\r\nMto  wa\u00a0Mbu \t LOC\r\n", [("Mombasa", "LOC"), ("Mto wa Mbu", "LOC")]),
        ("Name\tLabel\n\nMombasa\tLOC", [("Mombasa", "LOC")]),
        ("Mombasa\tLOC\nMombasa\tLOC\n", [("Mombasa", "LOC")]),
        ("Երևան\tLOC\nلاہور\tLOC\n", [("Երևան", "LOC"), ("لاہور", "LOC")]),
    ],
)
def test_a_name_a_tab_and_its_label_on_each_line(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(it.name, it.label) for it in read_names(tsv(text), LABELS)] == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"Mombasa\tLOC\nAsha PER\n", "names.tsv:2: has 1 columns (Asha PER); write a name, one tab, and its label"),
        (b"a\tb\tc\n", "names.tsv:1: has 3 columns (a | b | c); write a name, one tab, and its label"),
        (
            b"Asha\tPERSON\n",
            "names.tsv:1: the label 'PERSON' is none of the project's (PER, LOC, ORG); write one of them",
        ),
        (b"Asha\tPER\nname\tlabel\n", "names.tsv:2: the label 'label' is none of the project's"),
        (b"\tPER\n", "names.tsv:1: the name '' holds no letter; write a name or delete the line"),
        (b"...\tPER\n", "names.tsv:1: the name '...' holds no letter"),
        (b"A\tPER\n\nA\tLOC\n", "names.tsv:3: 'A' has the label LOC here and PER in line 1; keep one of the two lines"),
        (b"x" * 301 + b"\tPER\n", "has 301 characters; shorten it to 300"),
        (b"", "names.tsv: holds no name; write a name, a tab and its label on each line"),
        (b"name\tlabel\n", "names.tsv: holds no name"),
        (b"Caf\xe9\tLOC\n", "names.tsv:1: byte 0xe9 is not UTF-8; save it as UTF-8"),
    ],
)
def test_a_line_that_cannot_be_taken_is_named_with_its_remedy(data: bytes, why: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_names(SourceFile("names.tsv", data), LABELS)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_first_line_of_labels_of_the_project_is_a_name() -> None:
    assert read_names(tsv("Name\tlabel\n"), ("label",)) == [ListedName("Name", "label")]


# The list.


def test_a_list_takes_the_place_of_the_one_before_whole_or_not_at_all(store: Store) -> None:
    project, other = new_project(store), new_project(store, "other")
    assert replace_list(store, project.id, tsv("Mombasa\tLOC\nAsha\tPER\n")) == 2
    before = store.names_stamp(project.id)
    with pytest.raises(FormatError):
        replace_list(store, project.id, tsv("Juma\tPER\nbad line\n"))
    assert store.listed_names(project.id) == [ListedName("Asha", "PER"), ListedName("Mombasa", "LOC")]
    assert store.names_stamp(project.id) == before
    replace_list(store, project.id, tsv("Juma\tPER\nNairobi\tLOC\n"))
    assert [it.name for it in store.listed_names(project.id)] == ["Juma", "Nairobi"]
    assert store.names_stamp(project.id) != before
    assert store.listed_names(other.id) == []
    remove_list(store, project.id)
    assert store.listed_names(project.id) == []
    assert [event.details["names"] for event in store.audit(project.id) if event.kind == "names_listed"] == [2, 2, 0]


def test_the_store_refuses_a_label_that_the_project_lacks(store: Store) -> None:
    project = new_project(store)
    with pytest.raises(InvalidInput, match="the name 'Asha' has the label 'PERSON'; the project has LOC, ORG, PER"):
        store.replace_names(project.id, [ListedName("Asha", "PERSON")])


def test_a_label_of_the_list_cannot_be_removed(store: Store) -> None:
    project = new_project(store)
    store.replace_names(project.id, [ListedName("Mombasa", "LOC")])
    fewer = ProjectSettings(name="demo", labels=(Label("PER", "#d62728", "1"),))
    with pytest.raises(Refused, match="LOC stand in the list of names"):
        store.update_project(project.id, fewer)
    store.replace_names(project.id, [])
    store.update_project(project.id, fewer)


def test_the_command_puts_shows_and_removes_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.delenv("MANER_DATABASE_URL", raising=False)
    with_store = Store(f"sqlite:///{tmp_path / 'maner.db'}")
    with_store.migrate()
    new_project(with_store)
    file = tmp_path / "places.tsv"
    file.write_text("Mombasa\tLOC\nAsha\tPER\n")
    assert main(["names", "--project", "demo", str(file)]) == 0
    assert capsys.readouterr().out == "2 names are the list of demo now.\n"
    assert main(["names", "--project", "demo", "--list"]) == 0
    assert capsys.readouterr().out == "Asha\tPER\nMombasa\tLOC\n"
    assert main(["names", "--project", "demo", "--list", "--json"]) == 0
    assert '"listed": [["Asha", "PER"], ["Mombasa", "LOC"]]' in capsys.readouterr().out
    assert main(["names", "--project", "demo"]) == 1
    assert "say one thing to do" in capsys.readouterr().err
    file.write_text("Mombasa LOC\n")
    assert main(["names", "--project", "demo", str(file)]) == 1
    assert capsys.readouterr().err.startswith("error: places.tsv:1: has 1 columns")
    assert main(["names", "--project", "demo", "--remove"]) == 0
    assert capsys.readouterr().out == "demo has no list of names any more.\n"
    with_store.close()


# The queue.


def taken(order: Sequence[int], named: Sequence[int], n: int) -> list[tuple[int, bool]]:
    """The sentences of the draw, and whether each was taken for its names."""
    return [(pick.index, not pick.by_chance) for pick in with_names(order, named, n)]


def test_half_of_the_places_go_to_named_sentences_and_half_to_chance() -> None:
    order, named = list(range(100)), [7, 60, 95, 61, 99]
    places = taken(order, named, 20)
    assert [each for each, _ in places[:10]] == [0, 60, 1, 95, 2, 61, 3, 99, 4, 5]  # 7 is drawn by chance anyway
    assert [raised for _, raised in places[:9]] == [False, True] * 4 + [False]
    assert len({each for each, _ in places}) == len(places) == 20
    assert taken(order, [], 20) == [(each, False) for each in range(20)]
    everything = taken(order, named, 100)
    assert sorted(each for each, _ in everything) == order
    by_turns = taken(order, order[::-1], 6)
    assert by_turns == [(0, False), (99, True), (1, False), (98, True), (2, False), (97, True)]


def test_a_draw_with_names_keeps_its_random_half_unbiased() -> None:
    drawn: Counter[int] = Counter()
    for seed in range(2_000):
        rng = random.Random(seed)
        order = rng.sample(range(20), 20)
        drawn.update(each for each, raised in taken(order, rng.sample(range(10), 10), 8) if not raised)
    # 4 of 20 each time: 400 each, with a standard deviation of 18.
    assert all(320 <= drawn[each] <= 480 for each in range(20))


def test_the_chance_kept_with_a_drawn_sentence_is_the_one_it_had_whether_or_not_it_holds_a_name() -> None:
    pool, n, repeats = list(range(200)), 100, 400
    drawn: Counter[bool] = Counter()
    for seed in range(repeats):
        rng = random.Random(seed)
        picks = with_names(rng.sample(pool, 200), rng.sample(pool[:20], 20), n)
        assert len(picks) == n
        assert {pick.propensity for pick in picks if not pick.by_chance} == {None}
        known = [pick for pick in picks if pick.propensity is not None]
        assert {pick.propensity for pick in known} == {0.25}
        assert all(pick.by_chance for pick in known)
        drawn.update(pick.index < 20 for pick in known)
    assert drawn[True] / (20 * repeats) == pytest.approx(0.25, abs=0.02)  # standard deviation below 0.005
    assert drawn[False] / (180 * repeats) == pytest.approx(0.25, abs=0.01)
    assert {pick.propensity for pick in with_names(pool, [], n)} == {0.5}


def test_the_queue_and_a_replay_keep_no_chance_of_what_filled_places_for_names(store: Store, tmp_path: Path) -> None:
    project = make_project(store)
    label(store, project, 12)
    store.replace_names(project.id, [ListedName("Kisumu", "LOC")])
    top_up(store, project.id)
    known = [it.propensity for it in queue_items(store, project).values() if it.propensity is not None]
    assert known == [0.5] * 54  # half of 108; only some of the others hold the name
    run = run_stub_round(store, project, tmp_path)
    items = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    known = [it.propensity for it in items if it.propensity is not None]
    assert known == [50 / 108] * 50
    again = replayed(store, store.run(run.id))
    assert [(it.sentence_id, it.propensity) for it in again] == [(it.sentence_id, it.propensity) for it in items]


def project_with_places(store: Store, n: int = 200, named: int = 30, **settings: Any) -> Project:
    """A pool of n sentences, of which the last ones hold Mombasa, and a reserve of ten that all do."""
    project = store.create_project(
        ProjectSettings(name="demo", labels=tuple(Label(name, "#888888", "") for name in LABELS), **settings)
    )
    pool = [NewSentence(("Neno", f"la{i}", "Mombasa" if i >= n - named else "hapa")) for i in range(n)]
    reserve = [NewSentence(("Kijiji", f"cha{i}", "Mombasa"), split=Split.RESERVE) for i in range(10)]
    store.add_sentences(project.id, pool + reserve, None, "test")
    return project


def claimed(store: Store, project: Project, n: int) -> list[str]:
    """What the first n sentences of the pool's queue are, by how they were chosen."""
    hand_outs = store.claim(project.id, store.annotator("Asha").id, "tab", Split.POOL, n, per_tab_share=False)
    return [f"{it.origin} {it.sentence.tokens[2]}" for it in hand_outs]


def test_sentences_with_listed_names_are_raised_in_the_queue(store: Store) -> None:
    project = project_with_places(store)
    top_up(store, project.id)
    replace_list(store, project.id, tsv("Mombasa\tLOC\n"))
    first = claimed(store, project, 20)
    assert first[1::2] == ["active Mombasa"] * 10
    assert {it.partition(" ")[0] for it in first[::2]} == {"random"}
    assert "random hapa" in first[::2]


def test_a_list_that_was_there_before_the_sentences_raises_them_too(store: Store) -> None:
    project = project_with_places(store)
    store.replace_names(project.id, [ListedName("Mombasa", "LOC")])
    top_up(store, project.id)
    assert claimed(store, project, 6)[1::2] == ["active Mombasa"] * 3
    remove_list(store, project.id)
    assert {it.partition(" ")[0] for it in claimed(store, project, 50)} == {"random"}


@pytest.mark.parametrize("settings", [{"strategy": "random"}, {"control_share": 0.2}])
def test_names_raise_nothing_where_chance_is_to_decide(store: Store, settings: dict[str, Any]) -> None:
    project = project_with_places(store, **settings)
    replace_list(store, project.id, tsv("Mombasa\tLOC\n"))
    top_up(store, project.id)
    assert {it.partition(" ")[0] for it in claimed(store, project, 60)} == {"random"}


def test_names_raise_nothing_once_there_are_labels_enough(store: Store) -> None:
    project = project_with_places(store)
    asha = store.annotator("Asha").id
    ids = [sentence.id for sentence in store.unlabelled_pool(project.id)]
    save(store, project, asha, *(draft(id_, (0, 1, "PER")) for id_ in ids[:50]))
    store.replace_names(project.id, [ListedName("Mombasa", "LOC")])
    assert queue_anew(store, project.id) == 0
    top_up(store, project.id)
    assert {it.partition(" ")[0] for it in claimed(store, project, 60)} == {"random"}


def test_what_a_tab_holds_stays_with_it_when_the_list_is_replaced(store: Store) -> None:
    project = project_with_places(store)
    top_up(store, project.id)
    asha = store.annotator("Asha").id
    held = {it.sentence.id for it in store.claim(project.id, asha, "tab", Split.POOL, 20)}
    replace_list(store, project.id, tsv("Mombasa\tLOC\n"))
    assert {it.sentence.id for it in store.held(project.id, "tab", asha)} == held
    assert store.ready(project.id, Split.POOL) == 200 - len(held)


def test_a_training_too_small_to_choose_raises_names_and_can_be_replayed(store: Store, tmp_path: Path) -> None:
    project = make_project(store)
    label(store, project, 12)
    store.replace_names(project.id, [ListedName("Kisumu", "LOC")])
    run = run_stub_round(store, project, tmp_path)
    tokens = {sentence.id: sentence.tokens for sentence in store.unlabelled_pool(project.id)}
    items = sorted(queue_items(store, project).values(), key=lambda item: item.rank)
    raised = [item for item in items if item.origin is Origin.ACTIVE]
    assert raised
    assert all("Kisumu" in tokens[item.sentence_id] for item in raised)
    assert {(item.strategy, item.reason) for item in raised} == {(NAMED_STRATEGY, NAMED_REASON)}
    assert [item.origin for item in items[: 2 * len(raised)]] == [Origin.RANDOM, Origin.ACTIVE] * len(raised)
    again = replayed(store, store.run(run.id))
    assert [(it.sentence_id, it.origin, it.strategy) for it in again] == [
        (it.sentence_id, it.origin, it.strategy) for it in items if it.run_id == run.id
    ]
