"""From a label to the next sentences: known names at the hand-out, on the screen, in the log and in the figures."""

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import open_store
from store_helpers import LABELS, RawDatabase, add, draft, save
from store_helpers import gold as golds

from annotation.exporting import ExportOptions, export_stream
from annotation.hand_out import BatchItem, Desk, SyncAnswer
from annotation.history import events
from annotation.queue_filling import fill_reserve, top_up
from annotation.suggestion_effect import suggestion_effect
from annotation.sync_request import SyncRequest
from maner_core.errors import InvalidInput
from storage import (
    Annotation,
    ListedName,
    NameSource,
    NewSentence,
    Project,
    ProjectSettings,
    Split,
    Store,
    SuggestedName,
    SuggestedSpan,
    Suggestion,
    SuggestWhen,
)

ENDINGS = "shule shuleni nyumba nyumbani kazi kazini soko sokoni mlima mlimani"  # ends of words to learn from


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def make_project(store: Store, *texts: str, **settings: Any) -> Project:
    project = store.create_project(ProjectSettings(name="Habari", labels=LABELS, **{"blind_share": 0.0, **settings}))
    add(store, project, *texts)
    return project


class Tab:
    """A browser tab that labels what it holds; time passes at every sync."""

    def __init__(self, store: Store, project: Project) -> None:
        self.seconds = 0.0
        self.store, self.project = store, project
        self.desk = Desk(store, clock=lambda: self.seconds)
        self.annotator = store.annotator("Asha")
        self.held: dict[str, BatchItem] = {}
        self.names: str | None = None

    def hold_all(self) -> None:
        """Take every sentence, as a tab of long ago might hold them."""
        top_up(self.store, self.project.id)
        self.store.claim(self.project.id, self.annotator.id, "tab", Split.POOL, 50, per_tab_share=False)
        self.sync()

    def sync(self, *outbox: Any, want: int = 20) -> SyncAnswer:
        self.seconds += 10
        have = tuple(item.id for item in self.held.values())
        request = SyncRequest(1, "n", "tab", outbox, have, want, names=self.names)
        answer = self.desk.sync(self.store.project(self.project.id), self.annotator.id, request)
        assert not answer.rejects
        self.names = answer.names
        self.held |= {" ".join(item.tokens): item for item in (*answer.batch, *answer.refreshed)}
        return answer

    def label(self, text: str, *spans: tuple[int, int, str], want: int = 20) -> SyncAnswer:
        item = self.held.pop(text)
        return self.sync(draft(item.id, *spans, suggestion_run=item.run, names_shown=item.names), want=want)

    def shown(self, text: str) -> list[tuple[str, str, str, int | None]]:
        item = self.held[text]
        return [(" ".join(item.tokens[it.start : it.end]), it.label, str(it.source), it.seen_in) for it in item.names]


def test_a_name_labelled_once_is_suggested_in_the_sentences_that_come_next(store: Store) -> None:
    first, second, third = "Rais yuko Mombasa leo", "Meli ilifika Mombasani jana", "Mombasa na mombasa ni mji"
    tab = Tab(store, make_project(store, first, second, third, ENDINGS))
    tab.hold_all()
    assert all(item.names == () for item in tab.held.values())
    labelled = tab.held[first].id
    answer = tab.label(first, (2, 3, "LOC"))
    assert {item.id for item in answer.refreshed} == {item.id for item in tab.held.values()}
    assert tab.shown(second) == [("Mombasani", "LOC", "seen", labelled)]
    assert tab.shown(third) == [("Mombasa", "LOC", "seen", labelled)]
    assert [item.to_dict()["names"] for item in answer.refreshed if item.tokens[0] == "Meli"] == [
        [[2, 3, "LOC", "seen", labelled]]
    ]
    # Once people say otherwise, no more.
    tab.label(third, (0, 1, "ORG"))
    assert tab.shown(second) == []


def test_a_sentence_handed_out_later_has_the_names_of_then(store: Store) -> None:
    tab = Tab(store, make_project(store, "Asha yuko", "Asha analala", "Asha anakula"))
    tab.sync(want=1)
    (first,) = tab.held
    answer = tab.label(first, (0, 1, "PER"), want=1)
    assert answer.refreshed == ()
    (item,) = answer.batch
    assert [(it.start, it.end, it.label, it.source) for it in item.names] == [(0, 1, "PER", NameSource.SEEN)]


def test_listed_names_are_suggested_from_the_first_sentence_on(store: Store) -> None:
    project = make_project(store, "Rais yuko Mombasa leo", "Mombasani leo", ENDINGS)
    store.replace_names(project.id, [ListedName("Mombasa", "LOC")])
    tab = Tab(store, project)
    tab.hold_all()
    assert tab.shown("Rais yuko Mombasa leo") == [("Mombasa", "LOC", "list", None)]
    assert tab.shown("Mombasani leo") == []  # a list says how its names are written
    store.replace_names(project.id, [ListedName("Rais", "PER")])
    tab.sync(want=0)
    assert tab.shown("Rais yuko Mombasa leo") == [("Rais", "PER", "list", None)]


def test_a_tab_whose_names_are_those_of_now_is_sent_nothing_again(store: Store) -> None:
    project = make_project(store, "Asha yuko", "Asha analala", "Hapana")
    store.replace_names(project.id, [ListedName("Asha", "PER")])
    tab = Tab(store, project)
    tab.hold_all()
    assert tab.sync(want=0).refreshed == ()
    assert tab.label("Hapana").refreshed == ()
    tab.names = None  # a page of an earlier release
    assert tab.sync(want=0).refreshed == ()


@pytest.mark.parametrize("why", ["reserve", "withheld", "doubled", "never"])
def test_where_nothing_is_to_be_suggested_no_name_is(store: Store, why: str) -> None:
    settings: dict[str, dict[str, Any]] = {
        "reserve": {},
        "withheld": {"blind_share": 1.0},
        "doubled": {"overlap": 2, "overlap_share": 1.0},
        "never": {"suggest_when": SuggestWhen.NEVER},
    }
    project = make_project(store, "Juma yuko Mombasa", "Juma analala", **settings[why])
    if why == "reserve":
        reserve = (NewSentence(("Asha", f"yuko{i}", "Mombasa"), split=Split.RESERVE) for i in range(9))
        add(store, project, *reserve)
    store.replace_names(project.id, [ListedName("Mombasa", "LOC"), ListedName("Juma", "PER")])
    tab = Tab(store, project)
    tab.hold_all()
    if why == "reserve":
        fill_reserve(store, project)
        store.claim(project.id, tab.annotator.id, "tab", Split.RESERVE, 9, per_tab_share=False)
    tab.sync()
    tab.label("Juma analala", (0, 1, "PER"))
    for item in tab.held.values():
        evaluation = store.sentence(item.id).split is Split.RESERVE
        assert bool(item.names) is (why == "reserve" and not evaluation)
    assert why != "reserve" or any(store.sentence(item.id).split is Split.RESERVE for item in tab.held.values())


def test_evaluation_sentences_teach_no_names(store: Store) -> None:
    project = make_project(store, "Mombasa leo")
    gold = [NewSentence(("Yuko", "Mombasa"), split=Split.RESERVE, gold=(draft(1, (1, 2, "LOC")).spans))]
    add(store, project, *gold)
    tab = Tab(store, project)
    tab.sync()
    assert tab.shown("Mombasa leo") == []


def test_the_spans_of_a_tagger_stand_and_names_fill_the_gaps(store: Store) -> None:
    text = "Asha Juma yuko Mombasa na Kisumu Nakurani"
    project = make_project(store, text, "Nakura leo", ENDINGS, suggestion_threshold=0.5)
    [sentence] = [it for it in store.unlabelled_pool(project.id) if len(it.tokens) == 7]
    run = store.start_run(project.id, 1, {}, 1, 0, 0).id
    spans = (SuggestedSpan(0, 2, "PER", 0.9), SuggestedSpan(3, 4, "ORG", 0.8), SuggestedSpan(5, 6, "ORG", 0.2))
    store.replace_names(
        project.id, [ListedName("Juma", "PER"), ListedName("Mombasa", "LOC"), ListedName("Kisumu", "LOC")]
    )
    tab = Tab(store, project)
    tab.hold_all()
    tab.label("Nakura leo", (0, 1, "LOC"))
    assert [it[0] for it in tab.shown(text)] == ["Juma", "Mombasa", "Kisumu", "Nakurani"]
    store.save_suggestions(run, [Suggestion(run, sentence.id, spans, (0.5,) * 7)])
    store.finish_run(run, {}, "runs/1", True, "It serves.")
    answer = tab.desk.sync(
        store.project(project.id), tab.annotator.id, SyncRequest(2, "n", "tab", (), (sentence.id,), 0, refresh=True)
    )
    [item] = answer.refreshed
    assert [it[:3] for it in item.suggestions] == [(0, 2, "PER"), (3, 4, "ORG")]
    # Kisumu, of which the tagger was too unsure, from the list; no form that only a rule takes for a name.
    assert [(it.start, it.label, it.source) for it in item.names] == [(5, "LOC", "list")]


# The log.


def known(start: int, end: int, label: str, seen_in: int | None = None) -> SuggestedName:
    return SuggestedName(start, end, label, NameSource.LIST if seen_in is None else NameSource.SEEN, seen_in)


def test_what_was_shown_is_kept_with_the_annotation(store: Store) -> None:
    project = make_project(store, "Asha yuko Mombasa", "Hapana")
    ids = [sentence.id for sentence in store.unlabelled_pool(project.id)]
    names = (known(0, 1, "PER"), known(2, 3, "LOC", seen_in=ids[1]))
    save(store, project, store.annotator("Asha").id, draft(ids[0], (0, 1, "PER"), names_shown=names), draft(ids[1]))
    kept: Mapping[int, Annotation] = golds(store, project)
    assert kept[ids[0]].names_shown == names
    assert kept[ids[1]].names_shown == ()
    *_, last = events(store.history(project.id, ids[0]))
    seen = f"Mombasa LOC, seen in sentence {ids[1]}"
    assert last.what == f"labelled: Asha PER; shown as known: Asha PER, from the list; {seen}"


def test_the_database_keeps_no_known_name_with_an_evaluation_sentence(store: Store, tmp_path: Path) -> None:
    project = make_project(store, "Asha yuko")
    [reserved] = add(store, project, NewSentence(("Asha", "analala"), split=Split.RESERVE))
    [pool] = [sentence.id for sentence in store.unlabelled_pool(project.id)]
    asha = store.annotator("Asha").id
    bad = [draft(reserved, names_shown=(known(0, 1, "PER"),)), draft(pool, names_shown=(known(0, 9, "PER"),))]
    _, rejections = store.save_annotations(project.id, asha, bad)
    assert ["without known names" in rejections[0].why, "outside the sentence" in rejections[1].why] == [True, True]
    save(store, project, asha, draft(reserved))
    raw = RawDatabase(f"sqlite:///{tmp_path / 'maner.db'}")
    with pytest.raises(Exception, match="no_names_for_reserve"):
        raw.execute("UPDATE annotations SET names_shown = '[]' WHERE sentence_id = :id", id=reserved)
    raw.close()


def test_an_export_tells_names_from_what_a_tagger_suggested(store: Store) -> None:
    project = make_project(store, "Asha yuko Mombasa na Juma Neema Uhuru leo")
    [sentence] = [sentence.id for sentence in store.unlabelled_pool(project.id)]
    run = store.start_run(project.id, 1, {}, 1, 0, 0).id
    store.save_suggestions(run, [Suggestion(run, sentence, (SuggestedSpan(0, 1, "PER", 0.9),), (0.5,) * 8)])
    names = (known(2, 3, "LOC"), known(4, 5, "PER", seen_in=sentence), known(6, 7, "LOC"))
    spans = ((0, 1, "PER"), (2, 3, "LOC"), (4, 5, "PER"), (5, 6, "PER"), (6, 7, "ORG"))
    asha = store.annotator("Asha").id
    save(store, project, asha, draft(sentence, *spans, suggestion_run=run, names_shown=names))
    options = ExportOptions.parse({"format": "jsonl", "include": "labelled", "split": "all"})
    [line] = "".join(export_stream(store, project, options)).splitlines()
    fields = json.loads(line)
    assert [(it["origin"], it["model_version"]) for it in fields["spans"]] == [
        ("suggested", run), ("listed", None), ("seen", None), ("manual", None), ("edited", None),
    ]  # fmt: skip
    assert fields["names_shown"][:2] == [
        {"token_start": 2, "token_end_exclusive": 3, "label": "LOC", "source": "list"},
        {"token_start": 4, "token_end_exclusive": 5, "label": "PER", "source": "seen", "seen_in": sentence},
    ]


def test_names_are_not_counted_as_a_taggers_suggestions(store: Store) -> None:
    project = make_project(store, "Asha yuko Mombasa", "Asha analala Mombasa", "Hapana")
    first, second, third = (sentence.id for sentence in store.unlabelled_pool(project.id))
    run = store.start_run(project.id, 1, {}, 1, 0, 0).id
    store.save_suggestions(run, [Suggestion(run, second, (SuggestedSpan(0, 1, "PER", 0.9),), (0.5,) * 3)])
    asha, spans = store.annotator("Asha").id, ((0, 1, "PER"), (2, 3, "LOC"))
    save(store, project, asha, draft(first, *spans, names_shown=(known(0, 1, "PER"), known(2, 3, "LOC"))))
    save(
        store, project, asha, draft(second, *spans, suggestion_run=run, names_shown=(known(2, 3, "LOC"),)), draft(third)
    )
    effect = suggestion_effect(store.suggested_work(project.id), lambda _: False, 0.5)
    assert effect.shown.sentences == 1
    assert effect.shown.agreement is not None
    assert effect.shown.unchanged is not None
    assert effect.shown.agreement.value == pytest.approx(2 / 3)  # the tagger's one of two; the name is not its doing
    assert effect.shown.unchanged.value == 1.0
    assert effect.blind_share == pytest.approx(1 / 3)


def test_who_saw_a_name_is_left_out_of_agreement(store: Store) -> None:
    project = make_project(store, "Asha yuko", overlap=2, overlap_share=1.0)
    tab = Tab(store, project)
    tab.sync()
    [sentence] = [sentence.id for sentence in store.unlabelled_pool(project.id)]
    for name, names in (("Asha", ()), ("Juma", ()), ("Neema", (known(0, 1, "PER"),))):
        save(store, project, store.annotator(name).id, draft(sentence, (0, 1, "PER"), names_shown=names))
    [doubled] = store.doubled(project.id)
    assert len(doubled.annotations) == 2


# The request.


def body(**draft_fields: object) -> dict[str, object]:
    finished = {
        "id": str(uuid.uuid4()), "sentence": 1, "status": "labelled", "spans": [], "comment": "",
        "time": datetime.now(UTC).timestamp() * 1000, "run": None, "supersedes": None, **draft_fields,
    }  # fmt: skip
    return {"seq": 1, "nonce": "n", "client": "tab", "outbox": [finished], "have": [], "names": "abc"}


def test_a_request_brings_the_names_that_were_shown() -> None:
    request = SyncRequest.parse(body(names=[[0, 1, "PER", "list", None], [2, 4, "LOC", "seen", 17]]))
    assert request.names == "abc"
    assert request.outbox[0].names_shown == (known(0, 1, "PER"), known(2, 4, "LOC", seen_in=17))
    assert SyncRequest.parse(body()).outbox[0].names_shown == ()


@pytest.mark.parametrize(
    "name",
    [[0, 1, "PER", "guess", None], [0, 1, "PER", "list"], [0, "1", "PER", "list", None], [0, 1, "PER", "seen", "x"], 3],
)
def test_a_request_with_a_name_that_is_none_is_refused(name: object) -> None:
    with pytest.raises(InvalidInput, match=r"outbox\[0\]\.names\[0\]"):
        SyncRequest.parse(body(names=[name]))
