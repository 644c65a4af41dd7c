"""The demo project: 140 Swahili news sentences to label and 60 with gold tags to evaluate on, written for this tool.

The sentences and the people in them are invented. evaluation.conll is tagged by guidelines.md, news.txt has one sentence
a line.
"""

from dataclasses import replace
from pathlib import Path

from annotation.importing import import_files
from annotation.labels import make_labels
from maner_core.errors import NotFound
from storage import Project, ProjectSettings, Store

NAME = "Demo: Swahili news"

_FOLDER = Path(__file__).parent
_DESCRIPTIONS = {"PER": "person · mtu", "LOC": "place · mahali", "ORG": "organisation · shirika"}


def create_demo(store: Store) -> Project:
    """The demo project with its sentences; where it exists only what is missing is added.

    A process that is killed between the steps leaves a project that the next call completes.
    """
    try:
        project = store.project_by_name(NAME)
    except NotFound:
        project = store.create_project(_settings())
    progress = store.progress(project.id)
    # Evaluation first: should a pool sentence ever repeat one of these, the reserve keeps it.
    if progress.reserve == 0:
        import_files(store, project.id, [_FOLDER / "evaluation.conll"], format="conll", use_as="evaluation")
    if progress.pool == 0:
        import_files(store, project.id, [_FOLDER / "news.txt"], format="text", use_as="pool", reserve=0)
    return project


def _settings() -> ProjectSettings:
    labels = make_labels(_DESCRIPTIONS)
    return ProjectSettings(
        name=NAME,
        language="swa",
        direction="ltr",
        guidelines=(_FOLDER / "guidelines.md").read_text(encoding="utf-8"),
        labels=tuple(replace(label, description=_DESCRIPTIONS[label.name]) for label in labels),
        retrain_every=25,
        reserve_fraction=0.0,  # the evaluation set comes with the project
    )
