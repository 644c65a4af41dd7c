"""A temperature for a tagger, out of trainings that each leave out one part of its sentences."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from maner_core.calibration import Calibration, Predict, calibrate, out_of_fold_predictions
from maner_core.inference import Tagger
from maner_core.spans import Span, iob2_tags, spans_to_tags

TrainPart = Callable[[int, Sequence[Sequence[str]], Sequence[Sequence[Span]], Path], None]
"""Number of the training, sentences, their spans, folder of the checkpoint."""


def calibrate_by_folds(
    sentences: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Span]],
    labels: Sequence[str],
    folds: int,
    train_part: TrainPart,
    folder: Path,
    seed: int,
    cache: Path | None = None,
) -> Calibration | None:
    """What `folds` trainings say of the chances of a tagger like theirs; None with less than two sentences to part.

    No more folds are made than there are sentences. The checkpoints lie beside `folder` meanwhile: a tagger in training has
    only the sub-words of its own sentences, a loaded one has all. `cache`: where the bundled backbone is kept.
    """
    worded = [i for i, sentence in enumerate(sentences) if len(sentence)]
    chosen, chosen_spans = [sentences[i] for i in worded], [spans[i] for i in worded]
    folds = min(folds, len(chosen))
    if folds < 2:
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as temporary:
        checkpoint = Path(temporary) / "fold"

        def train_without(fold: int, others: list[Sequence[str]], their_spans: list[Sequence[Span]]) -> Predict:
            train_part(fold, others, their_spans, checkpoint)
            tagger = Tagger.load(checkpoint, cache=cache)
            return lambda held_out: [prediction.probabilities for prediction in tagger.predict(held_out)]

        rng = np.random.default_rng([seed, 2])  # apart from the order of the sentences in training
        found = out_of_fold_predictions(chosen, chosen_spans, train_without, folds, rng)
    number = {tag: i for i, tag in enumerate(iob2_tags(labels))}
    tags = [spans_to_tags(its, len(words)) for its, words in zip(chosen_spans, chosen, strict=True)]
    gold = np.array([number[tag] for its_tags in tags for tag in its_tags])
    return calibrate(np.concatenate(found), gold, folds)
