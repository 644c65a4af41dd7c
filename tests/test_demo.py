"""The demo project: its files, its gold tags and what create_demo puts into a store."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loop_helpers import open_store

from annotation.demo import NAME, create_demo
from annotation.formats import Reading, read_file
from annotation.formats.text import segment
from annotation.labels import KEYS
from annotation.project_settings import checked
from maner_core.spans import validate_spans
from storage import Split, Status, Store

DEMO = Path(__file__).parents[1] / "annotation" / "demo"
GOLD = Path(__file__).parent / "data" / "demo_news_gold.conll"
LABELS = ("PER", "LOC", "ORG")
# The page behind a label's colour, light and dark; WCAG asks for a contrast of 3 for large text and borders.
PAGES = ("#FFFFFF", "#0E1117")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def evaluation() -> Reading:
    return read_file(DEMO / "evaluation.conll")


def news() -> Reading:
    return read_file(DEMO / "news.txt")


def news_gold() -> Reading:
    return read_file(GOLD)


def tokens_of(reading: Reading) -> list[tuple[str, ...]]:
    return [sentence.tokens for sentence in reading.sentences]


def test_the_files_are_read_whole_in_their_formats() -> None:
    for reading, format, n_sentences in (
        (evaluation(), "conll", 60),
        (news(), "text", 140),
        (news_gold(), "conll", 140),
    ):
        assert (reading.format, len(reading.sentences)) == (format, n_sentences)
        assert not reading.errors
        assert not reading.repairs


@pytest.mark.parametrize("read", [evaluation, news_gold])
def test_gold_spans_are_valid_and_hold_no_punctuation_at_their_ends(read: Callable[[], Reading]) -> None:
    for sentence in read().sentences:
        assert sentence.gold is not None
        for span in validate_spans(sentence.gold, len(sentence.tokens), LABELS):
            assert sentence.tokens[span.start][0].isupper()
            assert sentence.tokens[span.end - 1][-1].isalnum()


def test_the_evaluation_set_has_enough_entities_of_each_label() -> None:
    counts = Counter(span.label for sentence in evaluation().sentences for span in sentence.gold or ())
    assert 110 <= counts.total() <= 150
    assert min(counts[label] for label in LABELS) >= 25


def test_some_sentences_hold_no_entity_and_lengths_vary() -> None:
    gold = [*evaluation().sentences, *news_gold().sentences]
    assert 10 <= sum(not sentence.gold for sentence in gold) <= 30
    n_words = [sum(token[0].isalnum() for token in sentence.tokens) for sentence in gold]
    assert 6 <= min(n_words) <= 8
    assert 25 <= max(n_words) <= 30


def test_gold_names_carry_one_label_wherever_they_stand() -> None:
    """A name tagged somewhere is tagged everywhere, and always the same."""
    gold = [*evaluation().sentences, *news_gold().sentences]
    labels = {sentence.tokens[span.start : span.end]: span.label for sentence in gold for span in sentence.gold or ()}
    for sentence in gold:
        spans = {(span.start, span.end): span.label for span in sentence.gold or ()}
        inside = {position for start, end in spans for position in range(start, end)}
        for name, label in labels.items():
            for start in range(len(sentence.tokens) - len(name) + 1):
                end = start + len(name)
                if sentence.tokens[start:end] == name:
                    assert spans.get((start, end), label) == label
                    assert inside.issuperset(range(start, end)), f"{' '.join(name)} untagged at line {sentence.line}"


def test_gold_of_the_news_has_exactly_the_tokens_of_the_imported_lines() -> None:
    lines = (DEMO / "news.txt").read_text(encoding="utf-8").splitlines()
    assert tokens_of(news_gold()) == [tuple(segment(line)[0]) for line in lines] == tokens_of(news())


def test_no_sentence_stands_twice_in_the_demo() -> None:
    everything = [tuple(token.casefold() for token in tokens) for tokens in tokens_of(evaluation()) + tokens_of(news())]
    assert len(set(everything)) == len(everything) == 200


def test_the_project_is_ready_to_label(store: Store) -> None:
    settings = create_demo(store).settings
    assert checked(settings) == settings
    assert (settings.name, settings.language, settings.retrain_every) == (NAME, "swa", 25)
    assert [(label.name, label.key) for label in settings.labels] == [("PER", "1"), ("LOC", "2"), ("ORG", "3")]
    assert all(label.key in KEYS and label.description for label in settings.labels)
    assert all(label in settings.guidelines for label in LABELS)


def test_all_evaluation_sentences_are_in_the_reserve_with_their_gold_and_no_news_is(store: Store) -> None:
    project = create_demo(store)
    assert [s.tokens for s in store.sentences(project.id, Split.RESERVE)] == tokens_of(evaluation())
    assert [s.tokens for s in store.sentences(project.id, Split.POOL)] == tokens_of(news())
    labelled = store.labelled(project.id, Split.RESERVE, (Status.LABELLED,))
    assert {row.sentence.tokens: row.annotation.spans for row in labelled} == {
        sentence.tokens: sentence.gold for sentence in evaluation().sentences
    }
    progress = store.progress(project.id)
    assert (progress.unlabelled_pool, progress.evaluation_labelled) == (140, 60)
    assert (progress.labelled, progress.duplicates) == (0, 0)


def test_creating_the_demo_again_changes_nothing(store: Store) -> None:
    first = create_demo(store)
    sentences = list(store.sentences(first.id, None))
    assert create_demo(store) == first
    assert store.projects() == [first]
    assert list(store.sentences(first.id, None)) == sentences


def test_settings_changed_by_hand_are_kept(store: Store) -> None:
    project = create_demo(store)
    changed = store.update_project(project.id, replace(project.settings, retrain_every=10))
    assert create_demo(store) == changed


def test_a_demo_interrupted_before_its_sentences_came_is_completed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("annotation.demo.import_files", _killed)
        with pytest.raises(KeyboardInterrupt):
            create_demo(store)
    project = create_demo(store)
    progress = store.progress(project.id)
    assert (progress.pool, progress.reserve) == (140, 60)


def _killed(*args: object, **options: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("page", PAGES)
def test_label_colours_stand_out_on_light_and_dark_pages(store: Store, page: str) -> None:
    for label in create_demo(store).settings.labels:
        assert contrast(label.color, page) >= 3


def contrast(first: str, second: str) -> float:
    """WCAG contrast ratio of two #RRGGBB colours, 1 to 21."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
