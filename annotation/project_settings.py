"""The rules of a project's settings that the store cannot know: names of registries, and keys the labelling page keeps."""

from dataclasses import replace

from annotation.labels import KEYS
from annotation.sampling import query_strategy
from maner_core.config import TrainConfig
from maner_core.encoding import input_scheme
from maner_core.errors import InvalidConfig
from storage import Label, ProjectSettings

MAX_GUIDELINES = 20_000  # characters


def checked(settings: ProjectSettings) -> ProjectSettings:
    """The settings with texts trimmed. Raises InvalidConfig or UnknownName at the first rule they break."""
    settings = replace(
        settings,
        name=settings.name.strip(),
        language=settings.language.strip(),
        backbone=settings.backbone.strip(),
        starting_tagger=settings.starting_tagger.strip(),
        labels=tuple(map(_trimmed, settings.labels)),
    )
    if not settings.labels:
        raise InvalidConfig("The project has no labels; add at least one, such as PER")
    if len(settings.guidelines) > MAX_GUIDELINES:
        raise InvalidConfig(f"The guidelines have {len(settings.guidelines)} characters; {MAX_GUIDELINES} are the most")
    if not settings.backbone:
        raise InvalidConfig('The backbone has no name; write "bundled", a hub id or a folder')
    _check_keys(settings.labels)
    query_strategy(settings.strategy)
    input_scheme(settings.system)
    TrainConfig.preset(settings.preset, adaptation=settings.adaptation)
    return settings


def _trimmed(label: Label) -> Label:
    return replace(label, name=label.name.strip(), key=label.key.strip().lower(), description=label.description.strip())


def _check_keys(labels: tuple[Label, ...]) -> None:
    free = [key for key in KEYS if key not in {label.key for label in labels}]
    for label in labels:
        if label.key == "?" or (label.key.isascii() and label.key.isalpha() and label.key not in KEYS):
            raise InvalidConfig(
                f"The key {label.key!r} of {label.name} has another meaning on the labelling page; "
                f"choose for instance {' or '.join(repr(key) for key in free[:2])}"
            )
