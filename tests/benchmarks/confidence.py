"""What the confidence in a suggested name is worth: as the tagger says it, and scaled by what people saved before.

    PYTHONPATH=.:tests python tests/benchmarks/confidence.py --data DIR [--data DIR …]

As a project goes: a training after every 25 labels, drawn by chance; what each tagger says of the next 25 sentences is judged
by their gold tags, and all judged so far scale what the next tagger says of the test sentences. DIR has train.txt and test.txt
(two columns). One JSON line for each training: how many names were found, the share that is right, the mean confidence and the
expected calibration error as the tagger says it, and both scaled.
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from _app import machine
from numpy.typing import NDArray

from annotation.formats import ReadSentence, read_file
from maner_core.calibration import expected_calibration_error, fit_span_scaling
from maner_core.config import TrainConfig
from maner_core.inference import Tagger
from maner_core.training import train

BATCH = 25

Judged = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Confidences of suggested names, and which of them are right."""


def main(
    data: Annotated[list[Path], typer.Option(help="Folder of a set; again for more.")],
    labels: Annotated[int, typer.Option(help="Labels of the last training.")] = 100,
    test_limit: Annotated[int, typer.Option(help="Test sentences, drawn by chance.")] = 400,
    system: str = "sner",
    seed: int = 1,
) -> None:
    """Train, judge, scale, set by set."""
    config = TrainConfig.preset("default", system=system, seed=seed)
    for folder in data:
        pool, test = drawn(folder / "train.txt", labels + BATCH), drawn(folder / "test.txt", test_limit)
        judged: list[Judged] = []
        for size in range(BATCH, labels + 1, BATCH):
            with tempfile.TemporaryDirectory() as place:
                tagger = trained(pool[:size], config, Path(place) / "checkpoint")
            confidences, right = suggested(tagger, test)
            row = {"set": folder.name, "labels": size, "names": len(right), "right": round(float(right.mean()), 3)}
            row |= {"confidence": round(float(confidences.mean()), 3), "error": error(confidences, right)}
            known = tuple(np.concatenate(column) for column in zip(*judged, strict=True)) if judged else ()
            scaling = fit_span_scaling(*known) if known else None
            if scaling is not None:
                scaled = np.array([scaling(confidence) for confidence in confidences])
                row |= {"judged": scaling.spans, "scaled": round(float(scaled.mean()), 3)}
                row |= {"error_scaled": error(scaled, right)}
            typer.echo(json.dumps({**row, **machine()}))
            judged.append(suggested(tagger, pool[size : size + BATCH]))


def drawn(file: Path, n: int) -> list[ReadSentence]:
    """So many labelled sentences of a file, the same ones every time."""
    sentences = [sentence for sentence in read_file(file).sentences if sentence.gold is not None]
    return [sentences[i] for i in np.random.default_rng(0).permutation(len(sentences))[:n]]


def trained(sentences: list[ReadSentence], config: TrainConfig, folder: Path) -> Tagger:
    """A tagger that has learned these sentences."""
    spans = [sentence.gold or () for sentence in sentences]
    names = sorted({span.label for its_spans in spans for span in its_spans})
    train([sentence.tokens for sentence in sentences], spans, names, config, folder)
    return Tagger.load(folder)


def suggested(tagger: Tagger, sentences: list[ReadSentence]) -> Judged:
    """What the tagger finds in the sentences, held against their gold tags."""
    found = [
        (confidence, span in (sentence.gold or ()))
        for sentence, prediction in zip(sentences, tagger.predict([each.tokens for each in sentences]), strict=True)
        for span, confidence in zip(prediction.spans, prediction.span_confidences(), strict=True)
    ]
    return np.array([confidence for confidence, _ in found]), np.array([right for _, right in found], np.bool_)


def error(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The expected calibration error, rounded."""
    return round(expected_calibration_error(confidences, right), 3)


if __name__ == "__main__":
    typer.run(main)
