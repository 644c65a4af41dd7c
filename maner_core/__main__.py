"""The commands train, adapt, predict, evaluate, analyse and benchmark: `python -m maner_core`. Each calls one function.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maner_core import conll
from maner_core.config import TrainConfig, parse_settings
from maner_core.console import analysis_lines, count_bar, measure_lines, show, train_lines, training_bar
from maner_core.encoding import INPUT_SCHEMES, input_scheme
from maner_core.errors import InvalidInput, ManerError, RunFailed
from maner_core.model_card import DataCard, Evaluation, describe, evaluation_sentences_of
from maner_core.options import check_out, check_text, length_of_training, numbers, parts, together_with_settings

if TYPE_CHECKING:
    from maner_core.analysis import Pair
    from maner_core.benchmark import Outcome
    from maner_core.inference import Tagger
    from maner_core.spans import Span

app = typer.Typer(
    help="Train a named entity tagger, tag text with it, and measure it. Files are two-column CoNLL in IOB2.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich costs more than parsing the arguments
    add_completion=False,
)

Checkpoint = Annotated[Path, typer.Option("--checkpoint", metavar="DIR", help="Folder that `train` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")]
_TEXT_HELP = "Sentences to guess hidden words of; a second column is not looked at. May be given again."
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting of a training (TrainConfig), such as weight_decay=0.1. Repeatable.",
    ),
]
Text = Annotated[list[Path] | None, typer.Option("--text", metavar="FILE", help=_TEXT_HELP)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0 only on success, and an expected error is one sentence on stderr."""
    try:
        app(args=arguments, prog_name="python -m maner_core")
    except ManerError as error:
        typer.echo(f"error: {error}", err=True)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@app.command("train")
def train_command(
    train_file: Annotated[Path, typer.Option("--train", metavar="FILE", help="Labelled sentences to learn from.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the checkpoint, new or empty.")],
    test_file: Annotated[
        Path | None, typer.Option("--test", metavar="FILE", help="Labelled sentences to measure the tagger on.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Settings to start from: default, or paper (as published).")] = "default",
    system: Annotated[str | None, typer.Option(help=f"Input scheme: {', '.join(INPUT_SCHEMES)}.")] = None,
    backbone: Annotated[str | None, typer.Option(help="bundled, a model id of the hub, or a folder.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, dropout and order.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Exactly so many passes over the sentences.")] = None,
    steps: Annotated[int | None, typer.Option(help="Exactly so many optimiser steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Sentences per optimiser step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate of the encoder.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Sub-words per window at most.")] = None,
    frozen_layers: Annotated[
        int | None, typer.Option(help="Lowest encoder layers that stay as pretrained: faster, most of all on a CPU.")
    ] = None,
    lora_rank: Annotated[
        int | None, typer.Option(help="Train an adapter of this rank (LoRA): a checkpoint of a few MB, less memory.")
    ] = None,
    adaptation: Annotated[
        str | None,
        typer.Option("--adapt", help="Guess hidden words of --text: none, before the training, or beside it."),
    ] = None,
    text: Text = None,
    calibration_folds: Annotated[
        int | None,
        typer.Option(help="Fit a temperature by so many trainings more, each without a part of the sentences."),
    ] = None,
    settings: Settings = [],  # noqa: B006 (typer copies it)
    labels: Annotated[str, typer.Option(help="Labels, by commas (default: those of the training file).")] = "",
    language: Annotated[str, typer.Option(help="Language code such as swa, for the model card.")] = "",
    as_json: AsJson = False,
) -> None:
    """Train a tagger and save it."""
    given = {
        "system": system,
        "backbone": backbone,
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "max_length": max_length,
        "calibration_folds": calibration_folds,
        "frozen_layers": frozen_layers,
        "lora_rank": lora_rank,
        "adaptation": adaptation,
        **length_of_training(epochs, steps),
    }
    options = {name: value for name, value in given.items() if value is not None}
    config = TrainConfig.preset(preset, **together_with_settings(options, parse_settings(settings)))
    check_text(config.adaptation, text)
    check_out(out)
    corpus = conll.read(train_file)
    test = conll.read(test_file) if test_file else None
    unlabelled = _read_text(text)
    names = [name.strip() for name in labels.split(",") if name.strip()] or corpus.labels
    if not names:
        raise InvalidInput(f"{train_file} holds no entity to learn; label some, or name the labels with --labels")
    if unnamed := [label for label in corpus.labels if label not in names]:
        raise InvalidInput(f"{train_file} has the label {unnamed[0]!r}, which --labels leaves out; name it there too")

    from maner_core.inference import Tagger
    from maner_core.processes import together
    from maner_core.training import train

    with together() as first, training_bar(first) as on_progress:
        report = train(corpus.sentences, corpus.spans, names, config, out, on_progress, text=unlabelled)
    if not first:
        return
    result: dict[str, Any] = {
        "checkpoint": str(out),
        "labels": names,
        "sentences": len(corpus.sentences),
        "unlabelled": len(unlabelled),
        "repaired_tags": corpus.n_repaired,
        "config": config.to_dict(),
        **asdict(report),
    }
    evaluation = None
    if test_file is not None and test is not None:
        measured = _measure(Tagger.load(out), test)
        result["test"] = {"file": str(test_file), **measured}
        interval = measured["f1_low"], measured["f1_high"]
        evaluation = Evaluation(measured["f1"], *interval, measured["sentences"], test_file.name)
    describe(out, DataCard(language=language, evaluation=evaluation))
    show(result, train_lines(result), as_json)


@app.command("adapt")
def adapt_command(
    text: Annotated[list[Path], typer.Option("--text", metavar="FILE", help=_TEXT_HELP)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the backbone, new or empty.")],
    system: Annotated[
        str, typer.Option(help="The system to be trained on it: maner also reads masked input.")
    ] = "maner",
    backbone: Annotated[str, typer.Option(help="bundled, a model id of the hub, or a folder.")] = "bundled",
    seed: Annotated[int, typer.Option(help="Seed of what is hidden, of dropout and order.")] = TrainConfig.seed,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = TrainConfig.mlm_steps,
    batch_size: Annotated[int, typer.Option(help="Sentences per optimiser step.")] = TrainConfig.mlm_batch_size,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = TrainConfig.mlm_learning_rate,
    probability: Annotated[float, typer.Option(help="Share of the words hidden.")] = TrainConfig.mlm_probability,
    as_json: AsJson = False,
) -> None:
    """Train a backbone to guess hidden words of your text, and save it: `train --backbone DIR` then starts from it."""
    config = TrainConfig(
        system=system,
        backbone=backbone,
        seed=seed,
        mlm_steps=steps,
        mlm_batch_size=batch_size,
        mlm_learning_rate=learning_rate,
        mlm_probability=probability,
    )
    input_scheme(system)
    check_out(out)
    sentences = _read_text(text)

    from maner_core.adaptation import adapt
    from maner_core.processes import together

    with together() as first, training_bar(first) as on_progress:
        report = adapt(sentences, config, out, on_progress)
    if not first:
        return
    result = {"backbone": str(out), "config": config.to_dict(), **asdict(report)}
    line = (
        f"{out} written: {report.steps:,} steps on {report.sentences_read:,} sentences in {report.seconds:.0f} s on "
        f"{report.device}, loss {report.first_loss:.2f} at first, {report.loss:.2f} at the end."
    )
    show(result, [line], as_json)


@app.command("predict")
def predict_command(
    checkpoint: Checkpoint,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Sentences to tag; a second column is not looked at.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write, two columns.")],
    as_json: AsJson = False,
) -> None:
    """Tag the sentences of a file, however many there are."""
    kept = None if file.is_file() else list(conll.words(file))  # a pipe can be read only once

    def sentences() -> Iterator[list[str]]:
        return conll.words(file) if kept is None else iter(kept)

    n_sentences, n_words, spaces = _look_through(sentences())

    from maner_core.inference import Tagger

    tagger = Tagger.load(checkpoint)
    spaces = spaces or any(" " in label for label in tagger.labels)
    n_entities = 0

    def tags(on_progress: Callable[[float], None]) -> Iterator[list[str]]:
        nonlocal n_entities
        for prediction in tagger.stream(sentences(), on_progress=on_progress):
            n_entities += len(prediction.spans)
            yield prediction.tags

    with count_bar("predict", n_sentences, "sentence") as on_progress:
        conll.write(out, sentences(), tags(on_progress), "\t" if spaces else " ")
    result = {
        "checkpoint": str(checkpoint),
        "file": str(out),
        "sentences": n_sentences,
        "words": n_words,
        "entities": n_entities,
    }
    show(result, [f"{out} written: {n_sentences:,} sentences, {n_entities:,} entities."], as_json)


def _look_through(sentences: Iterable[list[str]]) -> tuple[int, int, bool]:
    """How many sentences and words there are, and whether a word holds a space. Raises FormatError, before the long work."""
    n_sentences, n_words, spaces = 0, 0, False
    for sentence in sentences:
        n_sentences += 1
        n_words += len(sentence)
        spaces = spaces or any(" " in word for word in sentence)
    return n_sentences, n_words, spaces


@app.command("evaluate")
def evaluate_command(
    checkpoint: Checkpoint,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Labelled sentences to measure the tagger on.")],
    as_json: AsJson = False,
) -> None:
    """Entity F1 of a tagger on the sentences of a file, with its bootstrap interval and by label."""
    corpus = conll.read(file)

    from maner_core.inference import Tagger

    measured = _measure(Tagger.load(checkpoint), corpus)
    trained_on = {"trained_on_evaluation_sentences": evaluation_sentences_of(checkpoint)}
    result = {"checkpoint": str(checkpoint), "file": str(file), **measured, **trained_on}
    show(result, measure_lines(result), as_json)


@app.command("analyse")
def analyse_command(
    checkpoint: Checkpoint,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Labelled sentences to hold the tagger against.")],
    train_file: Annotated[
        Path | None,
        typer.Option("--train", metavar="FILE", help="What it was trained on, if the checkpoint does not say."),
    ] = None,
    examples: Annotated[int, typer.Option(help="Errors of each kind to show.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Where a tagger goes wrong: kinds of error, confused labels, known and new entities, lengths."""
    from maner_core.analysis import analyse
    from maner_core.entity_forms import EntityForms

    corpus = conll.read(file)
    known = conll.read(train_file) if train_file else None
    forms = EntityForms.of(known.sentences, known.spans) if known else EntityForms.read(checkpoint)

    from maner_core.inference import Tagger

    analysis = analyse(corpus.sentences, corpus.spans, _predict(Tagger.load(checkpoint), corpus, "analyse"), forms)
    result = {
        "checkpoint": str(checkpoint),
        "file": str(file),
        "repaired_tags": corpus.n_repaired,
        **asdict(analysis),
        "errors": [_error(pair, corpus.sentences[pair.sentence]) for pair in analysis.errors],
    }
    show(result, analysis_lines(result, examples), as_json)


@app.command("benchmark")
def benchmark_command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of runs, tables and figures; continued.")],
    data: Annotated[
        list[str],
        typer.Option(
            metavar="SET",
            help="Folder with train.txt and test.txt, folder of such folders, saved set, or a set of the hub: wikiann:sw,yo.",
        ),
    ] = [],  # noqa: B006 (typer copies it)
    system: Annotated[list[str], typer.Option(help="Input schemes (default: all).")] = [],  # noqa: B006
    backbone: Annotated[list[str], typer.Option(help="Backbones (default: that of the preset).")] = [],  # noqa: B006
    size: Annotated[list[str], typer.Option(help="Numbers of training sentences (default: 100).")] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="So many of the paper's five seeds (default: 3).")] = None,
    seed: Annotated[list[str], typer.Option(help="Seeds of your own instead.")] = [],  # noqa: B006
    preset: Annotated[str, typer.Option(help="Settings to start from: default, or paper (as published).")] = "default",
    settings: Settings = [],  # noqa: B006
    test_limit: Annotated[int | None, typer.Option(help="Test on so many random test sentences at most.")] = None,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Run nothing; write tables and figures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare systems on sets, backbones, training sizes and seeds; every option may be repeated or hold commas.

    Each run is kept in DIR/runs.jsonl as soon as it is over; what is there is not run again.
    """
    from maner_core import benchmark
    from maner_core.benchmark_report import write_report

    outcome = None
    if not tables_only:
        grid = benchmark.Grid(
            places=tuple(data),
            systems=tuple(parts(system)) or benchmark.ALL_SYSTEMS,
            backbones=tuple(parts(backbone)),
            sizes=tuple(numbers("--size", size)) or (100,),
            seeds=benchmark.choose_seeds(seeds, numbers("--seed", seed)),
            preset=preset,
            overrides=benchmark.parse_overrides(settings),
            test_limit=test_limit,
        )
        outcome = benchmark.run_grid(grid, out)
    written = write_report(out, out / benchmark.RUNS)
    result = {"report": str(written[0]), "files": [str(file) for file in written], **_outcome(outcome)}
    lines = [f"{written[0]} written, with {len(written) - 1} tables and figures beside it."]
    show(result, lines + (outcome.left_out if outcome else []), as_json)
    if outcome and outcome.failed:
        raise RunFailed(f"{len(outcome.failed)} runs failed, as {written[0]} says; the same command tries them again")


def _outcome(outcome: "Outcome | None") -> dict[str, Any]:
    """What a grid came to, as JSON can hold it; nothing where none was run."""
    if outcome is None:
        return {}
    return {
        "made": outcome.n_made,
        "already_there": outcome.n_known,
        "failed": [{"run": str(run.cell), "reason": run.error} for run in outcome.failed],
        "left_out": outcome.left_out,
    }


def _read_text(files: Sequence[Path] | None) -> list[list[str]]:
    return [sentence for file in files or () for sentence in conll.words(file)]


def _measure(tagger: "Tagger", corpus: conll.Corpus) -> dict[str, Any]:
    """F1 (0 to 1) with its 95% interval, the counts behind it, and the scores by label."""
    from maner_core.evaluation import bootstrap_f1, entity_counts, f1_report, seqeval_f1

    predicted = _predict(tagger, corpus, "evaluate")
    low, high = bootstrap_f1(entity_counts(corpus.spans, predicted))
    report = asdict(f1_report(corpus.spans, predicted))
    report["f1"] = seqeval_f1(corpus.spans, predicted, [len(sentence) for sentence in corpus.sentences])
    return {
        "sentences": len(corpus.sentences),
        "repaired_tags": corpus.n_repaired,
        "f1": report.pop("f1"),
        "f1_low": low,
        "f1_high": high,
        **report,
    }


def _predict(tagger: "Tagger", corpus: conll.Corpus, name: str) -> list[list["Span"]]:
    """The spans that a tagger finds in the sentences of a file; `name`: of the bar."""
    with count_bar(name, len(corpus.sentences), "sentence") as on_progress:
        return [prediction.spans for prediction in tagger.stream(corpus.sentences, on_progress=on_progress)]


def _error(pair: "Pair", sentence: Sequence[str]) -> dict[str, Any]:
    """An error with its words, as JSON can hold it."""

    def entity(span: "Span | None") -> dict[str, Any] | None:
        return asdict(span) | {"text": " ".join(sentence[span.start : span.end])} if span else None

    return {
        "sentence": pair.sentence,
        "kind": pair.kind,
        "gold": entity(pair.gold),
        "predicted": entity(pair.predicted),
    }


if __name__ == "__main__":
    sys.exit(main())
