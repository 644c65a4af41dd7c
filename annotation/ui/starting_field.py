"""The lead's choice of a tagger of another language that says which sentences come first, and what came of it."""

from dataclasses import replace

import streamlit as st

from annotation.permissions import Action
from annotation.serving import checkpoint_folder
from annotation.starting import common_labels, require_own
from annotation.starting_places import may_choose
from annotation.ui.session import (
    allows,
    chosen_project,
    current_person,
    current_settings,
    current_store,
    visible_projects,
)
from annotation.ui.text import counted, plain
from maner_core.errors import ManerError
from storage import Project, ProjectSettings, Store

_HELP = (
    "It reads up to 1,000 unlabelled sentences once. Of the first 50 that people label, 20 are then those where it expects "
    "most words in names. Choose the tagger of another project, or write the folder of a checkpoint, or run 17"
)


def starting_field(settings: ProjectSettings, start: str, key: str) -> str:
    """The starting tagger as it stands in its widget, with what speaks against it below."""
    project = None if key == "new" else chosen_project()
    names = _of_other_projects(current_store(), project)
    options = ["", *names, *([start] if start and start not in names else [])]
    chosen = st.selectbox(
        "Starting tagger, of another language",
        options,
        index=options.index(start),
        format_func=lambda word: names.get(word, word) or "None: the first sentences come by chance",
        accept_new_options=True,
        key=f"starting_{key}",
        help=_HELP,
    )
    word = (chosen or "").strip()
    if word:
        _note(settings, word, project)
    return word


def _of_other_projects(store: Store, own: Project | None) -> dict[str, str]:
    """The taggers that serve in other projects whose runs the person may see and that have their weights, by name."""
    home, found = current_settings().home, {}
    for project in visible_projects().values():
        if own is not None and project.id == own.id:
            continue
        if project.serving_run is None or not allows(Action.SEE_PROGRESS, project.id):
            continue
        if checkpoint_folder(home, store.run(project.serving_run)).is_dir():
            language = f" ({project.settings.language})" if project.settings.language else ""
            found[f"run {project.serving_run}"] = f"Run {project.serving_run} of {project.settings.name}{language}"
    return found


def _note(settings: ProjectSettings, word: str, project: Project | None) -> None:
    """Why the tagger cannot be taken, or which labels it knows and what came of it."""
    store, home = current_store(), current_settings().home
    try:
        require_own(store, home, current_person(), replace(settings, starting_tagger=word))
        _, common = common_labels(store, home, word, [label.name for label in settings.labels])
    except ManerError as error:
        message = str(error)
        st.warning(plain(f"{message[:1].upper()}{message[1:]}. What counts is the machine of the worker."))
        return
    looks = f"It looks for {plain(', '.join(common))}"
    read = None if project is None else store.starting_read(project.id)
    if project is None or read is None or read.tagger != word:
        st.caption(f"{looks}.")
    elif read.failure is not None:
        st.warning(plain(f"The worker could not use it: {read.failure}"))
    else:
        st.caption(f"{looks} and has read {counted(len(store.starting_scores(project.id)), 'sentence')}.")
    if not may_choose(settings):
        st.caption("It has no say with the strategy random, nor where chosen sentences are compared with drawn ones.")
