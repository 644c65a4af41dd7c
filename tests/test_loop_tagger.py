"""One round with the real tagger on a random encoder of two layers: training, weights, scores, all of maner_core."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders import tiny_xlmr
from loop_helpers import label, label_reserve, make_project, open_store, sentence_tokens

from annotation import final_training, starting
from annotation.loop import run_round
from annotation.phases import RoundProgress
from annotation.tagging import Tools, real_tools
from maner_core.config import TrainConfig
from maner_core.inference import Tagger
from maner_core.model_card import hash_of_ids
from storage import RunState, Split, Store

QUICK = {"min_steps": 40, "max_steps": 40, "learning_rate": 3e-3, "head_learning_rate": 3e-3, "max_restarts": 0}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_xlmr(tmp_path_factory.mktemp("backbone")))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(home)
    yield opened
    opened.close()


@pytest.mark.parametrize("system", ["maner", "sner"])
def test_a_round_trains_saves_scores_and_queues_with_the_real_tagger(
    store: Store, home: Path, backbone: str, system: str
) -> None:
    project = make_project(store, pool=110, reserve=15, backbone=backbone, system=system, language="swa")
    label(store, project, 60)
    label_reserve(store, project, 15)
    told: list[RoundProgress] = []
    run = run_round(store, project, home, told.append, overrides=QUICK)
    assert run.state is RunState.DONE
    assert run.metrics["train"]["steps"] == 40
    assert run.metrics["train"]["seed"] == run.seed
    assert run.metrics["evaluation_sentences"] == 15
    assert run.metrics["selection"] == "mnlp"
    assert len(store.scores(run.id)) == 50
    checkpoint = home / (run.checkpoint or "")
    assert Tagger.load(checkpoint).labels == ["PER", "LOC", "ORG"]
    kept = json.loads((checkpoint / "maner.json").read_text(encoding="utf-8"))
    assert (kept["data"]["language"], kept["data"]["project"]) == ("swa", project.settings.name)
    labelled = [item.sentence.id for item in store.labelled(project.id, Split.POOL)]
    assert kept["data"]["ids_sha256"] == hash_of_ids(labelled)
    assert kept["evaluation"]["f1"] == run.metrics["f1"]
    assert kept["evaluation"]["sentences"] == 15
    assert [progress.message for progress in told if progress.phase == "training"][-1].endswith("step 40 of 40")


def test_a_final_tagger_says_what_it_is_and_starts_a_project_in_another_language(
    store: Store, home: Path, backbone: str
) -> None:
    project = make_project(store, pool=60, reserve=15, backbone=backbone, system="sner")
    label(store, project, 50)
    label_reserve(store, project, 15)
    store.request_final_training(project.id, store.annotator("Asha").id)
    real = real_tools()

    def train(sentences: Any, spans: Any, labels: Any, config: TrainConfig, *rest: Any) -> Any:
        return real.train(sentences, spans, labels, replace(config, **QUICK), *rest)  # type: ignore[arg-type]

    run = final_training.train(store, project, home, replace(real, train=train), lambda progress: None)
    assert run is not None
    checkpoint = home / str(run.checkpoint)
    card = (checkpoint / "README.md").read_text(encoding="utf-8")
    assert "| F1 | trained on the evaluation sentences too: no estimate of its F1 is left |" in card
    assert json.loads((checkpoint / "maner.json").read_text(encoding="utf-8"))["data"]["evaluation_sentences"] == 15

    other = make_project(store, pool=20, reserve=0, name="lug", starting_tagger=f"run {run.id}")
    assert starting.read(store, other, home, real, lambda: None)
    best = store.starting_scores(other.id)[0]
    [found] = Tagger.load(checkpoint).predict([store.sentence(best.sentence_id).tokens])
    assert best.score == pytest.approx(float((1 - found.probabilities[:, 0]).sum()), abs=1e-3)
    assert best.names == len(found.spans)
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert not starting.read(store, other, home, real, lambda: None)
    failed = store.starting_read(other.id)
    assert failed is not None
    assert f"the checkpoint {checkpoint} is damaged" in str(failed.failure)


def test_the_same_seed_trains_the_same_tagger_and_chooses_the_same_sentences(tmp_path: Path, backbone: str) -> None:
    outcomes = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        store = open_store(folder)
        project = make_project(store, pool=110, reserve=5, backbone=backbone)
        label(store, project, 60)
        run = run_round(store, project, folder, overrides=QUICK)
        outcomes.append((store.scores(run.id), store.predictions(run.id)))
        store.close()
    assert outcomes[0] == outcomes[1]


def test_scoring_keeps_no_gradients(store: Store, home: Path, backbone: str) -> None:
    project = make_project(store, pool=110, reserve=5, backbone=backbone)
    label(store, project, 60)
    real, graphs = real_tools(), list[bool]()

    def load(folder: Path) -> Tagger:
        tagger = Tagger.load(folder)
        tagger.model.register_forward_pre_hook(lambda *_: graphs.append(torch.is_grad_enabled()))
        return tagger

    run_round(store, project, home, tools=Tools(real.train, load), overrides=QUICK)
    assert graphs
    assert not any(graphs)


def test_probabilities_do_not_depend_on_batch_padding_or_order(store: Store, home: Path, backbone: str) -> None:
    project = make_project(store, pool=110, reserve=5, backbone=backbone)
    label(store, project, 60)
    run = run_round(store, project, home, overrides={**QUICK, "mixed_precision": False})
    tagger, sentences = Tagger.load(home / (run.checkpoint or "")), sentence_tokens(30, seed=5)
    together = [prediction.probabilities for prediction in tagger.predict(sentences)]
    alone = [tagger.predict([sentence])[0].probabilities for sentence in sentences]
    backwards = [prediction.probabilities for prediction in tagger.predict(sentences[::-1])][::-1]
    for first, second, third in zip(together, alone, backwards, strict=True):
        assert np.allclose(first, second, atol=1e-5)
        assert np.allclose(first, third, atol=1e-5)
