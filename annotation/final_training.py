"""The final training: everything people have labelled, the evaluation sentences too, once a lead gives them away for it.

Nothing can be measured with those sentences afterwards, as far as this tagger goes: it has no F1, is never compared by the
gate, and serves only where a lead pins it. The ordinary rounds go on without these sentences, and so does their curve.
"""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from annotation.choosing import Chooser, ReadPool
from annotation.loop import STOPPED, plain_words, run_seed
from annotation.phases import OnProgress, Phases
from annotation.run_training import RunTraining, recipe
from annotation.sampling import DEFAULT_RULE
from annotation.serving import run_folder
from annotation.tagging import Tools
from annotation.training_set import TrainingSet, once, training_set
from annotation.trigger import ATTEMPTS
from maner_core.config import TrainConfig
from maner_core.errors import Refused
from maner_core.model_card import NO_ESTIMATE, DataCard
from storage import FinalRequest, Project, Run, RunState, Split, Store

CONFIRMATION = "no estimate is left"
"""What a lead has to write before the evaluation sentences are given away."""


def ask(store: Store, project_id: int, by: int, confirmation: str) -> None:
    """Have the worker train on everything labelled. Refused without the words of CONFIRMATION or with nothing to gain."""
    if confirmation.strip().casefold() != CONFIRMATION:
        raise Refused(
            "a final training learns from the evaluation sentences, so that nothing is left to measure it with; "
            f'write "{CONFIRMATION}" to say that you know'
        )
    if not store.progress(project_id).evaluation_labelled:
        raise Refused(
            "no evaluation sentence is labelled, so a final training would learn what every training does; "
            "start an ordinary one"
        )
    if not everything(store, project_id)[0].n_entities:
        raise Refused("no labelled sentence has an entity yet, so there is nothing to learn; label some first")
    store.request_final_training(project_id, by)


def everything(store: Store, project_id: int) -> tuple[TrainingSet, int]:
    """Everything people have labelled up to now, first the pool and then the reserve; how many of these are at the end."""
    pool = training_set(store, project_id)
    reserve = once(it for it in store.labelled(project_id, Split.RESERVE) if it.annotation.seq <= pool.watermark)
    labelled = replace(
        pool,
        ids=pool.ids + [item.sentence.id for item in reserve],
        sentences=pool.sentences + [item.sentence.tokens for item in reserve],
        spans=pool.spans + [item.gold.spans for item in reserve],
    )
    return labelled, len(reserve)


def due(store: Store, project_id: int) -> bool:
    """Whether somebody waits for a final training."""
    return store.final_request(project_id) is not None


def train(store: Store, project: Project, home: Path, tools: Tools, on_progress: OnProgress) -> Run | None:
    """Do the final training that somebody waits for; None where nobody does, or where it has failed too often.

    Whatever ends it early is stored as the run's failure and raised again. It stays wanted after a stop and after the first
    failure, as after the death of a worker.
    """
    request = store.final_request(project.id)
    if request is None:
        return None
    attempt = 1 + len(_failed(store, project.id, request))
    if attempt > ATTEMPTS:
        store.end_final_request(project.id)
        return None
    labelled, n_evaluation = everything(store, project.id)
    n_pool = len(labelled.ids) - n_evaluation
    seed = run_seed(project.settings.seed, 0, attempt)  # ordinary rounds count from 1
    asked = recipe(project, seed, {})
    run = store.start_final_run(
        project.id,
        {**asked, "evaluation_sentences": n_evaluation},
        seed,
        labelled.watermark,
        labelled.decision_watermark,
        attempt,
        labelled.ids[:n_pool],
        labelled.ids[n_pool:],
    )
    try:
        config = TrainConfig.preset(asked["preset"], **asked["train"])
        training = RunTraining(store, project, home, config, labelled, Phases(run.id, on_progress))
        adaptation = training.adapt(tools.adapt)
        report = training.train(tools.train)
        tools.describe(training.folder, _card(project, labelled, n_evaluation))
        # Kept now, so that people see its suggestions as soon as a lead pins it.
        tagger, pool = tools.load(training.folder), store.unlabelled_pool(project.id, labelled.watermark)
        chooser = Chooser(store, project, run, labelled, DEFAULT_RULE, tagger, run.id, training.phases)
        chooser.suggest(ReadPool(pool, tagger), [])
        metrics = {"train": asdict(report), "adaptation": adaptation, "seconds": training.phases.seconds}
        checkpoint = str(training.folder.relative_to(home))
        store.finish_final_run(run.id, metrics, checkpoint, f"{NO_ESTIMATE[0].upper()}{NO_ESTIMATE[1:]}.")
    except Exception as error:
        store.fail_run(run.id, plain_words(error))
        shutil.rmtree(run_folder(home, run.id), ignore_errors=True)
        if len(_failed(store, project.id, request)) >= ATTEMPTS:
            store.end_final_request(project.id)
        raise
    return store.run(run.id)


def _failed(store: Store, project_id: int, request: FinalRequest) -> list[Run]:
    """The attempts at what was asked for that failed by themselves."""
    since = [run for run in store.final_runs(project_id) if run.started_at >= request.requested_at]
    return [run for run in since if run.state is RunState.FAILED and run.failure != STOPPED]


def _card(project: Project, labelled: TrainingSet, n_evaluation: int) -> DataCard:
    settings = project.settings
    return DataCard(settings.language, settings.name, labelled.ids, evaluation_sentences=n_evaluation)
