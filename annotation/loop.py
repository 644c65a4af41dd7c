"""One round of active learning, top to bottom: (adapt ->) train -> evaluate -> gate -> score -> select -> suggest -> queue.

The one place where tagger, sampling and store meet; the worker runs it in a process of its own and the simulation in a
loop. Importing this module loads no torch: training and inference are imported when a round needs them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotation.choosing import Chooser
from annotation.phases import OnProgress, Phases
from annotation.quick_scorer import features_of_project
from annotation.run_training import RunTraining, recipe
from annotation.sampling import DEFAULT_RULE, SelectionRule
from annotation.serving import checkpoint_folder, evaluate, evaluation_labels, judge, prune_checkpoints
from annotation.tagging import (
    LoadedTagger,
    QuickFunction,
    QuickScorer,
    Tools,
    real_tools,
)
from annotation.training_set import TrainingSet, training_set
from maner_core.config import TrainConfig
from maner_core.errors import ManerError, RunFailed, RunStopped
from maner_core.model_card import DataCard, Evaluation
from maner_core.spans import Span
from storage import Project, Run, RunPrediction, RunState, Split, Store

STOPPED = "The worker was stopped during this run; it starts again with the next worker."
"""Failure text of a run that ended only because the worker was asked to."""


def run_seed(project_seed: int, round_number: int, attempt: int) -> int:
    """The seed of a run: the same for the same project seed, round and attempt, unlike those of its neighbours."""
    return int(np.random.SeedSequence([project_seed, round_number, attempt]).generate_state(1)[0] >> 1)


def run_round(
    store: Store,
    project: Project,
    home: Path,
    on_progress: OnProgress = lambda progress: None,
    *,
    tools: Tools | None = None,
    attempt: int = 1,
    overrides: Mapping[str, Any] | None = None,
    rule: SelectionRule = DEFAULT_RULE,
) -> Run:
    """Train on today's labels, evaluate, and queue what to annotate next; the finished run.

    `on_progress` hears of every step and may raise to end the round. Whatever ends it early is stored as the run's
    failure and raised again; the queue and the serving run are then as before. `overrides` replace fields of
    TrainConfig; `rule` says how scores become a queue, in which a control arm may ask for more chance. Raises RunFailed
    when there is no entity to learn from.
    """
    labelled = training_set(store, project.id)
    if not labelled.n_entities:
        raise RunFailed(f"none of the {len(labelled.ids)} labelled sentences has an entity yet; label some first")
    rule = replace(rule, random_share=max(rule.random_share, project.settings.control_share))
    number = max((run.round for run in store.runs(project.id) if run.state is RunState.DONE), default=0) + 1
    seed = run_seed(project.settings.seed, number, attempt)
    asked = recipe(project, seed, overrides or {})
    stored = {**asked, "strategy": project.settings.strategy, "selection_rule": asdict(rule)}
    run = store.start_run(
        project.id,
        number,
        stored,
        seed,
        labelled.watermark,
        len(labelled.ids),
        attempt,
        labelled.decision_watermark,
    )
    try:
        config = TrainConfig.preset(asked["preset"], **asked["train"])
        _Round(store, project, home, run, config, labelled, rule, Phases(run.id, on_progress)).complete(tools)
    except Exception as error:
        store.fail_run(run.id, plain_words(error))
        raise
    prune_checkpoints(store, project.id, home)
    return store.run(run.id)


def plain_words(error: BaseException) -> str:
    """Why a run failed, for the page: a sentence of ours, or what happened and where to read more."""
    if isinstance(error, RunStopped):
        return STOPPED
    if isinstance(error, ManerError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The machine ran out of memory; choose a smaller backbone or close other programs."
    first_line = (str(error).strip().splitlines() or ["no message"])[0]
    if isinstance(error, OSError):
        return f"A file could not be read or written: {first_line}."
    return f"An unexpected error: {type(error).__name__}: {first_line}. The worker's log file has the details."


@dataclass(slots=True)
class _Round:
    store: Store
    project: Project
    home: Path
    run: Run
    config: TrainConfig
    labelled: TrainingSet
    rule: SelectionRule
    phases: Phases

    def complete(self, tools: Tools | None) -> None:
        tools = tools or real_tools()
        training = RunTraining(self.store, self.project, self.home, self.config, self.labelled, self.phases)
        adaptation = training.adapt(tools.adapt)
        self.config = training.config
        self.store.add_training_sentences(self.run.id, self.labelled.ids)
        report = training.train(tools.train)
        tagger = tools.load(training.folder)
        predictions = self.predict_reserve(tagger)
        metrics = {"train": asdict(report), **evaluate(evaluation_labels(self.store, self.project.id), predictions)}
        tools.describe(training.folder, self.card(metrics))
        verdict = judge(self.store, self.project, predictions, self.home)
        quick = None if tools.quick is None else partial(self.quick, tools.quick)
        source = None
        # Asked again at the end: while the pool is read, a lead may choose another run, whose suggestions people then want.
        while source != (verdict.instead or self.run.id):
            source = verdict.instead or self.run.id
            asked = tools.load(checkpoint_folder(self.home, self.store.run(source))) if verdict.instead else tagger
            chooser = Chooser(
                self.store, self.project, self.run, self.labelled, self.rule, asked, source, self.phases, quick
            )
            metrics |= chooser.choose()
            verdict = judge(self.store, self.project, predictions, self.home)
        metrics |= {"adaptation": adaptation, "seconds": self.phases.seconds, "p_worse": verdict.p_worse}
        checkpoint = str(training.folder.relative_to(self.home))
        self.store.finish_run(self.run.id, metrics, checkpoint, verdict.serves, verdict.why)

    def quick(self, train: QuickFunction) -> QuickScorer:
        """The quick scorer on the same labels; it keeps what it reads of the project's backbone for the next rounds."""
        backbone = self.project.settings.backbone
        folder = features_of_project(self.home, self.project.id, backbone)
        labels = [label.name for label in self.project.settings.labels]
        config = replace(self.config, backbone=backbone)
        return train(self.labelled.sentences, self.labelled.spans, labels, config, folder)

    def card(self, metrics: Mapping[str, Any]) -> DataCard:
        """What the project knows of the checkpoint: language, name, sentences, and F1 where there are evaluation labels."""
        n, evaluation = metrics["evaluation_sentences"], None
        if n:
            of = f"the project {self.project.settings.name}"
            evaluation = Evaluation(metrics["f1"], metrics["f1_low"], metrics["f1_high"], n, of)
        settings = self.project.settings
        frozen = [snapshot.name for snapshot in self.store.snapshots_of_run(self.run.id)]
        return DataCard(settings.language, settings.name, self.labelled.ids, evaluation, snapshots=frozen)

    def predict_reserve(self, tagger: LoadedTagger) -> dict[int, tuple[Span, ...]]:
        """The whole reserve, labelled or not: what is labelled later is compared without asking the tagger again."""
        reserve = list(self.store.sentences(self.project.id, Split.RESERVE))
        found = self.phases.read(tagger, reserve, "evaluating", f"Evaluating on {len(reserve)} sentences")
        predictions = {
            sentence.id: tuple(prediction.spans) for sentence, prediction in zip(reserve, found, strict=True)
        }
        self.store.save_predictions(self.run.id, (RunPrediction(*found) for found in predictions.items()))
        return predictions
