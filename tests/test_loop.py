"""One round: what is trained on, what is scored, queued and suggested, and what is left when it breaks."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loop_helpers import (
    claim_all,
    draft,
    fill_randomly,
    gold_spans,
    label,
    label_reserve,
    make_project,
    open_store,
    queue_items,
    run_stub_round,
    save,
)
from stub_tagger import STUB

from annotation.choosing import SHORTEST_QUEUE
from annotation.final_training import everything
from annotation.loop import STOPPED, plain_words, run_round, run_seed
from annotation.phases import RoundProgress
from annotation.queue_filling import top_up
from annotation.sampling import ACQUISITION_FUNCTIONS, QUERY_STRATEGIES, SelectionRule
from annotation.selection_log import replayed
from annotation.serving import evaluation_labels
from annotation.training_set import GATE_LABELS, label_shares, training_set
from maner_core.config import TrainConfig
from maner_core.errors import InvalidConfig, RunFailed, RunStopped
from maner_core.spans import Span
from storage import NewSentence, Origin, Project, RunState, Split, Status, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def project(store: Store) -> Project:
    return make_project(store)


# The training set.


def test_a_sentence_saved_with_no_entity_is_trained_on(store: Store, home: Path, project: Project) -> None:
    first, second, *_ = store.unlabelled_pool(project.id)
    save(store, project, [draft(first, ()), draft(second, (Span(0, 1, "PER"),))])
    chosen = training_set(store, project.id)
    assert chosen.ids == [first.id, second.id]
    assert chosen.spans == [(), (Span(0, 1, "PER"),)]
    assert run_stub_round(store, project, home).n_train == 2


def test_skipped_and_flagged_sentences_are_not_trained_on(store: Store, project: Project) -> None:
    skipped, flagged, kept = store.unlabelled_pool(project.id)[:3]
    save(store, project, [draft(skipped, (), Status.SKIPPED), draft(flagged, status=Status.FLAGGED), draft(kept)])
    assert training_set(store, project.id).ids == [kept.id]


def test_no_evaluation_sentence_is_trained_on_scored_queued_or_suggested(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 60)
    label_reserve(store, project, 20)
    run = run_stub_round(store, project, home)
    reserve = {sentence.id for sentence in store.sentences(project.id, Split.RESERVE)}
    assert not reserve & set(training_set(store, project.id).ids)
    assert not reserve & set(store.scores(run.id))
    assert not reserve & set(queue_items(store, project))
    assert all(store.suggestion(run.id, sentence_id) is None for sentence_id in reserve)
    assert run.n_train == 60


def test_a_label_that_arrives_during_training_belongs_to_the_next_run(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 10)
    late: list[int] = []

    def label_one_more(progress: RoundProgress) -> None:
        if progress.phase == "training" and not late:
            late.extend(sentence.id for sentence in label(store, project, 1))

    first = run_round(store, project, home, label_one_more, tools=STUB)
    assert first.n_train == 10
    assert store.training_labels_since(project.id, first.watermark) == 1
    second = run_stub_round(store, project, home)
    assert second.n_train == 11
    assert late[0] in training_set(store, project.id).ids
    assert store.training_labels_since(project.id, second.watermark) == 0


def test_without_an_entity_nothing_is_trained_and_no_run_begins(store: Store, home: Path, project: Project) -> None:
    save(store, project, [draft(sentence, ()) for sentence in store.unlabelled_pool(project.id)[:5]])
    with pytest.raises(RunFailed, match="none of the 5 labelled sentences has an entity"):
        run_stub_round(store, project, home)
    assert store.runs(project.id) == []


# Scores, queue, reasons.


def test_every_unlabelled_sentence_of_the_pool_gets_a_score(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    run = run_stub_round(store, project, home)
    scores = store.scores(run.id)
    assert set(scores) == {sentence.id for sentence in store.unlabelled_pool(project.id)}
    assert len(scores) == 60
    assert np.isfinite(list(scores.values())).all()


def test_sentences_without_a_predicted_entity_are_in_the_predictions_scores_and_suggestions(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 60)
    run = run_stub_round(store, project, home)
    predictions = store.predictions(run.id)
    assert len(predictions) == 30
    assert () in predictions.values()
    suggested = [store.suggestion(run.id, sentence.id) for sentence in store.unlabelled_pool(project.id)]
    assert any(suggestion is not None and not suggestion.spans for suggestion in suggested)


@pytest.mark.parametrize("strategy", sorted(QUERY_STRATEGIES))
def test_a_round_can_be_run_with_every_strategy(store: Store, home: Path, strategy: str) -> None:
    project = make_project(store, pool=200, reserve=5, name="large", strategy=strategy)
    label(store, project, GATE_LABELS)
    run = run_stub_round(store, project, home)
    assert run.metrics["selection"] == strategy
    chosen = {item.strategy for item in queue_items(store, project).values()}
    assert chosen == {"random", strategy}
    assert len(store.scores(run.id)) == (150 if strategy in ACQUISITION_FUNCTIONS else 0)


@pytest.mark.parametrize("strategy", sorted(QUERY_STRATEGIES))
def test_a_round_after_the_last_sentence_was_labelled_queues_none_and_serves(
    store: Store, home: Path, strategy: str
) -> None:
    project = make_project(store, pool=60, reserve=5, name="small", strategy=strategy)
    label(store, project, 60)
    run = run_stub_round(store, project, home)
    assert (run.served, run.metrics["queued"], run.metrics["scored"]) == (True, 0, 0)
    assert queue_items(store, project) == {}
    assert replayed(store, run) == []


def test_the_share_of_each_label_is_counted_over_all_words() -> None:
    sentences = [("Rais", "William", "Ruto"), ("Mombasa",)]
    spans = [(Span(1, 3, "PER"),), (Span(0, 1, "LOC"),)]
    assert label_shares(sentences, spans) == {"PER": 0.5, "LOC": 0.25, "O": 0.25}


def test_before_the_gate_the_queue_is_random_and_the_scores_are_kept(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, GATE_LABELS - 1)
    run = run_stub_round(store, project, home)
    items = queue_items(store, project)
    assert {(item.origin, item.strategy) for item in items.values()} == {(Origin.RANDOM, "random")}
    assert {item.reason for item in items.values()} == {"drawn at random"}
    assert {sentence_id: item.score for sentence_id, item in items.items()} == store.scores(run.id)
    assert run.metrics["selection"] == "random"


def test_few_entities_keep_the_gate_shut(store: Store, home: Path, project: Project) -> None:
    chosen = store.unlabelled_pool(project.id)[:60]
    save(store, project, [draft(sentence, (Span(0, 1, "PER"),) if i < 19 else ()) for i, sentence in enumerate(chosen)])
    assert run_stub_round(store, project, home).metrics["selection"] == "random"


def test_behind_the_gate_the_queue_follows_the_scores_but_for_a_random_tenth(store: Store, home: Path) -> None:
    project = make_project(store, pool=400, name="large")
    label(store, project, GATE_LABELS)
    run = run_stub_round(store, project, home, SelectionRule(power=None, alike=1.0))
    items = queue_items(store, project)
    assert len(items) == SHORTEST_QUEUE == run.metrics["queued"]
    by_chance = [item for item in items.values() if item.origin is Origin.RANDOM]
    assert len(by_chance) == 0.1 * SHORTEST_QUEUE
    assert {item.propensity for item in by_chance} == {10 / 350}
    active = sorted((item for item in items.values() if item.origin is Origin.ACTIVE), key=lambda item: item.rank)
    scores = [item.score or 0.0 for item in active]
    assert scores == sorted(scores, reverse=True)
    left_out = set(store.scores(run.id)) - set(items)
    assert min(scores) >= max(store.scores(run.id)[sentence_id] for sentence_id in left_out)
    assert {(item.strategy, item.run_id, item.round) for item in active} == {("mnlp", run.id, 1)}
    assert all(item.reason.startswith("unsure ") for item in active)


def test_the_queue_lasts_for_four_rounds(store: Store, home: Path) -> None:
    project = make_project(store, pool=400, name="large", retrain_every=40)
    label(store, project, 40)
    assert run_stub_round(store, project, home).metrics["queued"] == 160


def test_a_new_ranking_replaces_what_is_not_on_a_screen(store: Store, home: Path) -> None:
    project = make_project(store, pool=300, name="large")
    label(store, project, GATE_LABELS)
    before = fill_randomly(store, project, 80)
    annotator = store.annotator("Achieng")
    held = store.claim(project.id, annotator.id, "tab", Split.POOL, 20, per_tab_share=False)
    run = run_stub_round(store, project, home)
    items = queue_items(store, project)
    on_screen = {item.sentence.id for item in held}
    assert [item.sentence.id for item in store.held(project.id, "tab", annotator.id)] == before[:20]
    assert store.ready(project.id, Split.POOL) >= SHORTEST_QUEUE
    fresh = {sentence_id: item for sentence_id, item in items.items() if sentence_id not in on_screen}
    assert {item.run_id for item in fresh.values()} == {run.id}


def test_the_strategy_random_scores_nothing_and_still_suggests_for_the_queue(store: Store, home: Path) -> None:
    project = make_project(store, pool=300, name="plain", strategy="random")
    label(store, project, 60)
    run = run_stub_round(store, project, home)
    assert store.scores(run.id) == {}
    queued = claim_all(store, project)
    assert len(queued) == SHORTEST_QUEUE
    assert all(store.suggestion(run.id, sentence_id) for sentence_id in queued)


def test_a_sentence_on_a_screen_has_a_suggestion_of_the_new_run_for_a_reload(store: Store, home: Path) -> None:
    project = make_project(store, pool=300, name="plain", strategy="random")
    label(store, project, 60)
    fill_randomly(store, project, 100)
    annotator = store.annotator("Achieng")
    store.claim(project.id, annotator.id, "tab", Split.POOL, 20, per_tab_share=False)
    run = run_stub_round(store, project, home)
    held = store.held(project.id, "tab", annotator.id)
    assert len(held) == 20
    assert {item.suggestion.run_id if item.suggestion else None for item in held} == {run.id}


def test_every_queued_sentence_has_a_suggestion_of_the_serving_run_also_below_the_threshold(
    store: Store, home: Path
) -> None:
    project = make_project(store, pool=300, name="strict", suggestion_threshold=0.99)
    label(store, project, 60)
    fill_randomly(store, project, 100)
    run = run_stub_round(store, project, home)
    handed = store.claim(project.id, store.annotator("Achieng").id, "tab", Split.POOL, 200, per_tab_share=False)
    suggestions = [item.suggestion for item in handed]
    assert all(suggestion is not None and suggestion.run_id == run.id for suggestion in suggestions)
    confidences = [span.confidence for suggestion in suggestions if suggestion for span in suggestion.spans]
    assert confidences
    assert max(confidences) < 0.99
    for item in handed:
        assert item.suggestion is not None
        assert len(item.suggestion.word_confidence) == len(item.sentence.tokens)


def test_the_queue_is_never_empty_while_rounds_run(store: Store, home: Path) -> None:
    """Two threads: one labels from the queue without a break, the other runs rounds."""
    project = make_project(store, pool=600, name="busy")
    top_up(store, project.id)
    label(store, project, 10)
    annotator, ends, labelled, empty = store.annotator("Achieng"), threading.Event(), [0], [0]

    def annotate() -> None:
        while not ends.is_set() and labelled[0] < 350:
            handed = store.claim(project.id, annotator.id, "tab", Split.POOL, 5, per_tab_share=False)
            empty[0] += not handed
            store.save_annotations(project.id, annotator.id, [draft(item.sentence) for item in handed])
            labelled[0] += len(handed)
            if store.ready(project.id, Split.POOL) < 60:
                top_up(store, project.id)

    thread = threading.Thread(target=annotate)
    thread.start()
    try:
        for _ in range(4):
            run_stub_round(store, project, home)
    finally:
        ends.set()
        thread.join()
    assert labelled[0] > 0
    assert empty[0] == 0


# Failure, seeds, progress.


@pytest.mark.parametrize("phase", ["training", "evaluating", "scoring", "suggesting"])
def test_a_round_that_breaks_leaves_queue_and_serving_run_as_they_were(
    store: Store, home: Path, project: Project, phase: str
) -> None:
    label(store, project, 60)
    serving = run_stub_round(store, project, home)
    queue = claim_all(store, project)

    def break_here(progress: RoundProgress) -> None:
        if progress.phase == phase:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        run_round(store, store.project(project.id), home, break_here, tools=STUB)
    failed = store.last_run(project.id)
    assert failed is not None
    assert failed.state is RunState.FAILED
    assert failed.failure is not None
    assert "No space left on device" in failed.failure
    assert store.project(project.id).serving_run == serving.id
    assert claim_all(store, project) == queue


def test_a_run_keeps_its_whole_recipe(store: Store, home: Path) -> None:
    project = make_project(store)
    label(store, project, 10)
    run = run_stub_round(store, project, home)
    kept = TrainConfig.from_dict(run.config["train"])
    assert (kept.system, kept.seed) == (project.settings.system, run.seed)
    assert run.config["train"] == kept.to_dict()
    assert kept.reinitialised_layers == kept.layers_anew == 1


def test_a_wrong_setting_is_stored_as_the_reason(store: Store, home: Path) -> None:
    project = make_project(store, name="odd", preset="quick")
    label(store, project, 10)
    with pytest.raises(Exception, match="quick"):
        run_stub_round(store, project, home)
    failed = store.last_run(project.id)
    assert failed is not None
    assert "no preset 'quick'" in (failed.failure or "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RunStopped("x"), STOPPED),
        (InvalidConfig("steps is 0; it must be positive"), "steps is 0; it must be positive"),
        (MemoryError(), "The machine ran out of memory; choose a smaller backbone or close other programs."),
        (ValueError(""), "An unexpected error: ValueError: no message. The worker's log file has the details."),
    ],
)
def test_failures_are_told_in_plain_words(error: BaseException, words: str) -> None:
    assert plain_words(error) == words


def test_the_seed_depends_on_project_round_and_attempt_only() -> None:
    seeds = {run_seed(project, number, attempt) for project in (1, 2) for number in (1, 2) for attempt in (1, 2)}
    assert len(seeds) == 8
    assert run_seed(1, 2, 1) == run_seed(1, 2, 1)


def test_a_round_is_the_same_when_run_again_from_its_stored_seed(tmp_path: Path) -> None:
    outcomes = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        store = open_store(folder)
        project = make_project(store, pool=300)
        label(store, project, 60)
        label_reserve(store, project, 10)
        run = run_stub_round(store, project, folder)
        outcomes.append((run.seed, run.config, run.metrics["f1"], claim_all(store, project), store.scores(run.id)))
        store.close()
    assert outcomes[0] == outcomes[1]


def test_rounds_count_up_and_progress_rises_within_each_phase(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    told: list[RoundProgress] = []
    first = run_round(store, project, home, told.append, tools=STUB)
    assert [first.round, run_stub_round(store, project, home).round] == [1, 2]
    phases = list(dict.fromkeys(progress.phase for progress in told))
    assert phases == ["training", "evaluating", "scoring", "suggesting"]
    for phase in phases:
        shares = [progress.progress for progress in told if progress.phase == phase]
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)


# Repetitions.


def repeated(store: Store, project: Project, *sentences: NewSentence) -> list[int]:
    """Add labelled repetitions, as an import does; their ids."""
    before = {sentence.id for sentence in store.sentences(project.id, None)}
    store.add_sentences(project.id, sentences, store.annotator("import").id, "again.conll")
    return [sentence.id for sentence in store.sentences(project.id, None) if sentence.id not in before]


def test_sentences_that_are_imported_twice_with_labels_are_learned_from_once(store: Store, project: Project) -> None:
    originals = label(store, project, 37)
    repeated(store, project, *(NewSentence(each.tokens, gold=gold_spans(each.tokens)) for each in originals))
    assert len(store.labelled(project.id, Split.POOL)) == 74
    assert training_set(store, project.id).ids == [each.id for each in originals]
    assert not training_set(store, project.id).opens_gate


def test_of_an_unlabelled_sentence_the_first_labelled_repetition_counts_until_it_is_labelled_itself(
    store: Store, project: Project
) -> None:
    original = next(each for each in store.unlabelled_pool(project.id) if gold_spans(each.tokens))
    first, _ = repeated(store, project, NewSentence(original.tokens, gold=()), NewSentence(original.tokens, gold=()))
    assert training_set(store, project.id).ids == [first]
    save(store, project, [draft(original)])
    labelled = training_set(store, project.id)
    assert (labelled.ids, labelled.spans) == ([original.id], [gold_spans(original.tokens)])


def test_evaluation_sentences_that_are_imported_twice_are_measured_on_once(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 30)
    originals = label_reserve(store, project, 25)
    again = (NewSentence(each.tokens, split=Split.RESERVE, gold=gold_spans(each.tokens)) for each in originals)
    repeated(store, project, *again)
    assert len(store.labelled(project.id, Split.RESERVE)) == 50
    assert [id_ for id_, _ in evaluation_labels(store, project.id)] == [each.id for each in originals]
    assert run_stub_round(store, project, home).metrics["evaluation_sentences"] == 25
    labelled, n_evaluation = everything(store, project.id)
    assert (len(labelled.ids), n_evaluation) == (55, 25)
