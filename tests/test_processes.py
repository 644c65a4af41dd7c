"""Training in two real processes on the CPU, started by `accelerate launch`: the weights of one process, one that writes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from encoders import LABELS, SENTENCES, SPANS, tiny_bert
from launched_training import TRAININGS, configuration
from safetensors.torch import load_file

from maner_core import conll
from maner_core.processes import Processes
from maner_core.spans import spans_to_tags
from maner_core.training import train


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of what two processes trained together, and what they printed."""
    folder = tmp_path_factory.mktemp("processes")
    settings = tiny_bert(folder / "backbone") / "config.json"  # without dropout, which differs in each process
    values = json.loads(settings.read_text(encoding="utf-8"))
    values |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    settings.write_text(json.dumps(values), encoding="utf-8")
    tags = [spans_to_tags(spans, len(words)) for spans, words in zip(SPANS, SENTENCES, strict=True)]
    conll.write(folder / "train.conll", SENTENCES, tags)
    tests = Path(__file__).parent
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["--main_process_port", str(free_port()), str(tests / "launched_training.py"), str(folder)]
    paths = os.pathsep.join([str(tests), str(tests.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def told(folder: Path, name: str, number: int) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / f"{name} {number}.json").read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_come_to_the_weights_of_one(launched: tuple[Path, str], tmp_path: Path, name: str) -> None:
    folder, _ = launched
    config = configuration(name, folder / "backbone")
    alone = train(SENTENCES, SPANS, LABELS, config, tmp_path, text=SENTENCES if config.adaptation != "none" else ())
    first, second = told(folder, name, 0), told(folder, name, 1)
    assert first["loss"] == pytest.approx(alone.loss, rel=1e-4)
    assert (first["train_f1"], first["restarts"]) == (alone.train_f1, alone.restarts)
    assert second == {**first, "heard": 0}
    assert first["heard"] > 0
    [file] = tmp_path.glob("*model.safetensors")
    expected, found = load_file(file), load_file(folder / name / file.name)
    assert expected.keys() == found.keys()
    for weight, tensor in expected.items():
        # A bias of keys has no gradient but rounding errors, which Adam makes as large as any other.
        tolerance = 2 * config.learning_rate * config.min_steps if weight.endswith("key.bias") else 1e-5
        torch.testing.assert_close(found[weight], tensor, rtol=1e-4, atol=tolerance, msg=weight)


def test_the_first_process_alone_writes_and_speaks(launched: tuple[Path, str]) -> None:
    folder, output = launched
    [line] = output.splitlines()
    result = json.loads(line)
    assert (result["steps"], result["sentences"]) == (2, 8)
    assert (folder / "command" / "maner.json").is_file()
    expected = {*TRAININGS, "command", "backbone", "train.conll"}
    assert {path.name for path in folder.iterdir() if path.suffix != ".json"} == expected


def test_one_process_alone_has_nothing_to_share() -> None:
    processes, model = Processes(), torch.nn.Linear(1, 1)
    model.weight.grad = torch.ones(1, 1)
    processes.add_gradients(model)
    assert (model.weight.grad.item(), model.bias.grad) == (1.0, None)
    assert processes.share("abc") == ["a", "b", "c"]
    assert (processes.first, processes.own_seed(7), processes.total(0.1, torch.device("cpu"))) == (True, 7, 0.1)
    assert processes.same("kept") == "kept"


def test_shares_hold_every_item_once_and_like_lengths_in_each() -> None:
    shares = []
    for number in range(3):
        processes = Processes()
        processes.number, processes.count = number, 3
        shares.append(processes.share([1, 2, 3, 4, 5, 6, 7]))
    assert shares == [[1, 4, 7], [2, 5], [3, 6]]
