"""Rounds of a project whose tagger also learns from its unlabelled sentences: before the training, or beside it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from encoders import tiny_xlmr
from loop_helpers import label, make_project, open_store
from stub_tagger import STUB

from annotation.adapted_backbone import FEWEST_SENTENCES, adapted_folder
from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.tagging import Tools, TrainProgress
from annotation.work_state import work_state
from maner_core.config import TrainConfig
from maner_core.errors import RunStopped
from storage import NewSentence, Project, Run, RunState, Split, Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(home)
    yield opened
    opened.close()


class Watch:
    """Tools that write down what they were asked for."""

    def __init__(self) -> None:
        self.adapted: list[int] = []
        self.trained: list[tuple[str, str, int]] = []
        self.told: list[RoundProgress] = []
        self.tools = Tools(self._train, STUB.load, self._adapt)

    def round(self, store: Store, project: Project, home: Path) -> Run:
        return run_round(store, store.project(project.id), home, self.told.append, tools=self.tools)

    def _train(self, *arguments: Any) -> Any:
        config, text = arguments[3], arguments[5]
        self.trained.append((config.backbone, config.adaptation, len(text)))
        return STUB.train(*arguments)

    def _adapt(
        self, text: Sequence[Sequence[str]], config: TrainConfig, folder: Path, on: Callable[[TrainProgress], None]
    ) -> Any:
        self.adapted.append(len(text))
        return STUB.adapt(text, config, folder, on)


def add_sentences(store: Store, project: Project, n: int, word: str) -> None:
    store.add_sentences(project.id, [NewSentence(("habari", f"{word}{i}")) for i in range(n)], None, f"{word}.txt")


def test_before_adapts_once_on_the_unlabelled_pool_and_later_rounds_start_from_it(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 60, reserve=30, adaptation="before")
    watch, folder = Watch(), str(adapted_folder(home, project.id))
    label(store, project, 20)
    first = watch.round(store, project, home)
    label(store, project, 20)
    second = watch.round(store, project, home)
    assert watch.adapted == [FEWEST_SENTENCES + 40]  # neither labelled nor evaluation sentences
    assert watch.trained == [(folder, "none", 0)] * 2
    assert first.metrics["adaptation"] == {"sentences": FEWEST_SENTENCES + 40}
    assert first.metrics["seconds"]["adapting"] >= 0
    assert second.metrics["adaptation"] is None
    assert first.config["train"]["adaptation"] == "before"


def test_no_evaluation_sentence_is_read(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 10, reserve=30, adaptation="before")
    label(store, project, 10)
    reserve = {sentence.tokens for sentence in store.sentences(project.id, Split.RESERVE)}
    read: list[Sequence[str]] = []

    def adapt(text: Sequence[Sequence[str]], *arguments: Any) -> Any:
        read.extend(text)
        return STUB.adapt(text, *arguments)

    run_round(store, project, home, tools=replace(STUB, adapt=adapt))
    assert read
    assert not reserve & set(map(tuple, read))


def test_it_is_adapted_again_when_the_pool_has_grown_much_or_the_settings_are_others(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 10, adaptation="before")
    label(store, project, 10)
    watch = Watch()
    watch.round(store, project, home)
    add_sentences(store, project, 49, "kidogo")
    watch.round(store, project, home)
    assert watch.adapted == [100]
    add_sentences(store, project, 1, "zaidi")
    watch.round(store, project, home)
    assert watch.adapted == [100, 150]
    store.update_project(project.id, replace(project.settings, system="sner"))
    watch.round(store, project, home)
    assert watch.adapted == [100, 150, 150]


def test_the_phase_is_shown_with_its_progress(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 10, adaptation="before")
    label(store, project, 10)
    watch, states = Watch(), []
    store.worker_seen("here", "idle")

    def tell(progress: RoundProgress) -> None:
        store.heartbeat(progress.run_id, progress.phase, progress.progress, progress.seconds_left, progress.message)
        states.append(work_state(store, project))

    run_round(store, project, home, tell, tools=watch.tools)
    shown = [(state.state, state.progress, state.text) for state in states if "Reading" in state.text]
    message = "Reading 100 unlabelled sentences before the training"
    assert shown[0] == ("training", 0.0, message)
    assert shown[1:] == [("training", step / 4, f"{message}, step {step} of 4") for step in (1, 2, 3, 4)]


def test_beside_gives_the_training_the_text_and_a_backbone_of_earlier_settings_goes(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 10, adaptation="before")
    label(store, project, 10)
    watch = Watch()
    watch.round(store, project, home)
    assert adapted_folder(home, project.id).is_dir()
    store.update_project(project.id, replace(project.settings, adaptation="beside"))
    watch.round(store, project, home)
    assert watch.trained[-1] == ("bundled", "beside", FEWEST_SENTENCES)
    assert watch.adapted == [FEWEST_SENTENCES]
    assert not adapted_folder(home, project.id).exists()


@pytest.mark.parametrize("adaptation", ["before", "beside"])
def test_few_sentences_are_left_alone(store: Store, home: Path, adaptation: str) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES, adaptation=adaptation)
    label(store, project, 10)
    watch = Watch()
    watch.round(store, project, home)
    assert (watch.adapted, watch.trained) == ([], [("bundled", "none", 0)])


def test_an_adapted_backbone_serves_on_when_few_sentences_are_left(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 10, adaptation="before")
    label(store, project, 10)
    watch = Watch()
    watch.round(store, project, home)
    label(store, project, 60)
    watch.round(store, project, home)
    assert watch.trained[1] == watch.trained[0]


def test_a_round_that_is_stopped_while_it_adapts_leaves_no_half_made_backbone(store: Store, home: Path) -> None:
    project = make_project(store, pool=FEWEST_SENTENCES + 10, adaptation="before")
    label(store, project, 10)

    def stop(progress: RoundProgress) -> None:
        if progress.phase == "adapting" and progress.progress > 0.3:
            raise RunStopped("the worker was asked to stop")

    with pytest.raises(RunStopped):
        run_round(store, project, home, stop, tools=STUB)
    assert not adapted_folder(home, project.id).exists()
    watch = Watch()
    assert watch.round(store, project, home).state is RunState.DONE
    assert watch.adapted == [FEWEST_SENTENCES]


@pytest.mark.parametrize("adaptation", ["before", "beside"])
def test_a_round_adapts_with_the_real_tagger(store: Store, home: Path, tmp_path: Path, adaptation: str) -> None:
    backbone = str(tiny_xlmr(tmp_path / "backbone"))
    project = make_project(store, pool=FEWEST_SENTENCES + 20, reserve=5, backbone=backbone, adaptation=adaptation)
    label(store, project, 20)
    quick = {"min_steps": 10, "max_steps": 10, "max_restarts": 0, "mlm_steps": 5, "mlm_batch_size": 8}
    run = run_round(store, project, home, overrides=quick)
    assert run.state is RunState.DONE
    settings = json.loads((home / "runs" / str(run.id) / "maner.json").read_text(encoding="utf-8"))
    if adaptation == "before":
        assert settings["config"]["backbone"] == str(adapted_folder(home, project.id))
        assert run.metrics["adaptation"]["sentences_read"] == 40
    else:
        assert settings["config"]["adaptation"] == "beside"
