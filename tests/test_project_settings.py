"""What a project's settings must be beyond what the store checks."""

from dataclasses import replace

import pytest

from annotation.labels import make_labels
from annotation.project_settings import MAX_GUIDELINES, checked
from maner_core.errors import InvalidConfig, ManerError, UnknownName
from storage import Label, ProjectSettings

SETTINGS = ProjectSettings(name="Habari", labels=make_labels(("PER", "LOC")))


def test_good_settings_are_trimmed() -> None:
    loose = replace(SETTINGS, name=" Habari ", labels=(Label(" PER ", "#000", "L", " a person "),))
    assert checked(loose) == replace(SETTINGS, labels=(Label("PER", "#000", "l", "a person"),))


@pytest.mark.parametrize("key", ["r", "C", "s", "u", "p", "x", "f", "?"])
def test_a_key_of_the_labelling_page_is_no_label_key(key: str) -> None:
    with pytest.raises(
        InvalidConfig, match="has another meaning on the labelling page; choose for instance '1' or '2'"
    ):
        checked(replace(SETTINGS, labels=(Label("PER", "#000", key),)))


@pytest.mark.parametrize("key", ["", "0", "l", "é", "ب", ";"])
def test_other_keys_are_free(key: str) -> None:
    assert checked(replace(SETTINGS, labels=(Label("PER", "#000", key),))).labels[0].key == key


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": ()}, InvalidConfig, "no labels"),
        ({"guidelines": "x" * (MAX_GUIDELINES + 1)}, InvalidConfig, "20000 are the most"),
        ({"backbone": " "}, InvalidConfig, "backbone has no name"),
        ({"strategy": "best"}, UnknownName, "no query strategy 'best'"),
        ({"system": "crf"}, UnknownName, "no system 'crf'"),
        ({"preset": "fast"}, UnknownName, "no preset 'fast'"),
        ({"adaptation": "after"}, UnknownName, "no adaptation 'after'"),
    ],
)
def test_a_broken_rule_is_named(change: dict[str, object], error: type[ManerError], message: str) -> None:
    with pytest.raises(error, match=message):
        checked(replace(SETTINGS, **change))  # type: ignore[arg-type]
