"""The settings of a training: presets, ranges, and how many steps come of them."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from maner_core.config import PRESETS, TrainConfig
from maner_core.errors import InvalidConfig, UnknownName


@pytest.mark.parametrize(
    ("settings", "n_sentences", "steps"),
    [
        ({}, 1, 400),
        ({}, 10_000, 1500),
        ({"epochs": 30}, 100, 400),  # 390 by the epochs, but at least 400
        ({}, 300, 456),  # 12 passes over 38 batches
        ({"epochs": 30}, 200, 750),
        ({"epochs": 30}, 10_000, 1500),
        ({"epochs": 30, "min_steps": 0}, 100, 390),
        ({"epochs": 30, "min_steps": 0}, 97, 390),
        ({"epochs": 30, "min_steps": 0}, 96, 360),
        ({"epochs": 0.5, "min_steps": 0}, 100, 6),
        ({"epochs": 30, "min_steps": 0, "max_steps": 0, "batch_size": 1}, 10_000, 300_000),
    ],
)
def test_steps_follow_from_epochs_batches_and_bounds(settings: dict[str, Any], n_sentences: int, steps: int) -> None:
    assert TrainConfig(**settings).steps(n_sentences) == steps


def test_the_paper_preset_holds_the_published_values() -> None:
    paper = TrainConfig.preset("paper")
    assert (paper.backbone, paper.epochs, paper.learning_rate) == ("xlm-roberta-large", 30, 5e-6)
    assert paper.head_learning_rate == paper.learning_rate
    assert (paper.system, paper.seed) == ("maner", 12345)
    assert paper.steps(100) == 30 * 13
    assert (paper.max_restarts, paper.warmup_fraction, paper.final_rate_fraction) == (0, 0.0, 1.0)
    assert (paper.mixed_precision, paper.attention_dropout) == (False, True)
    assert replace(paper, backbone="bundled").layers_anew == 0


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({}, 1),
        ({"backbone": "xlm-roberta-base"}, 0),
        ({"adaptation": "before"}, 0),
        ({"adaptation": "beside"}, 1),
        ({"lora_rank": 8}, 0),
        ({"reinitialised_layers": 0}, 0),
        ({"backbone": "xlm-roberta-base", "reinitialised_layers": 3}, 3),
    ],
)
def test_the_top_layer_starts_anew_where_the_backbone_is_the_bundled_one_and_nothing_else_is_asked_for(
    settings: dict[str, Any], layers: int
) -> None:
    assert TrainConfig(**settings).layers_anew == layers


def test_a_preset_takes_overrides_and_refuses_what_it_does_not_know() -> None:
    assert TrainConfig.preset("paper", seed=1, system="sner") == replace(PRESETS["paper"], seed=1, system="sner")
    with pytest.raises(UnknownName, match="there is no preset 'fast'; choose one of default, paper"):
        TrainConfig.preset("fast")
    with pytest.raises(InvalidConfig, match="'colour' is no setting of a training; choose among"):
        TrainConfig.preset("default", colour="red")


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_survives_json(name: str) -> None:
    config = TrainConfig.preset(name, seed=3)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be greater than 0"),
        ({"learning_rate": -1e-4}, "learning_rate is -0.0001; it must be greater than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan; it must be a finite number"),
        ({"epochs": math.inf}, "epochs is inf; it must be a finite number"),
        ({"encoder_dropout": -math.inf}, "encoder_dropout is -inf; it must be a finite number"),
        (
            {"encoder_dropout": 2.0},
            "encoder_dropout is 2.0; it must lie between 0 and 1, or be negative to stay as pretrained",
        ),
        ({"seed": -1}, "seed is -1; it must lie between 0 and 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296; it must lie between 0 and 4294967295"),
        ({"head_learning_rate": 0}, "head_learning_rate is 0"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        ({"epochs": -1}, "epochs is -1; it must not be negative"),
        ({"reinitialised_layers": -2}, "reinitialised_layers is -2; it must be -1"),
        ({"max_restarts": -1}, "max_restarts is -1"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"dropout": 1.5}, "dropout is 1.5; it must lie between 0 and 1"),
        ({"warmup_fraction": -0.1}, "warmup_fraction is -0.1"),
        ({"min_train_f1": 90}, "min_train_f1 is 90"),
        ({"system": "maner_rand", "frozen_layers": 1}, "frozen_layers is 1, but maner_rand must train the embedding"),
        ({"mask_probability": 1.5}, "mask_probability is 1.5"),
        ({"final_rate_fraction": -1}, "final_rate_fraction is -1"),
        ({"min_steps": 0, "epochs": 0}, "epochs and min_steps are both 0"),
        ({"max_steps": 100}, "max_steps is 100, below min_steps 400"),
        ({"max_length": 15}, "max_length is 15; a window needs at least 16 sub-words"),
    ],
)
def test_a_setting_outside_its_range_is_refused_by_name_and_value(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidConfig, match=reason):
        TrainConfig(**settings)
