"""The final training: who may ask and how, what it learns, and that nothing else learns, measures or compares by it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loop_helpers import claim_all, label, label_reserve, make_project, open_store, run_stub_round
from store_helpers import add_pool, add_reserve, new_project
from store_helpers import start_run as start_ordinary_run
from streamlit.testing.v1 import AppTest
from stub_tagger import STUB

from annotation import final_training
from annotation.backup import back_up, restore
from annotation.cli import main
from annotation.final_training import CONFIRMATION, ask
from annotation.serving import choose_run, f1_history, prune_checkpoints
from annotation.tagging import Tools
from annotation.ui import session
from annotation.work_state import work_state
from annotation.worker import Worker
from maner_core.errors import Refused, RunStopped
from maner_core.model_card import DataCard
from storage import Project, Run, RunPrediction, RunState, Split, Store


@pytest.fixture
def lead_store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def evaluated_project(store: Store, home: Path, evaluation: int = 10) -> Project:
    """A project with 30 labels to learn from, so many evaluation labels and one run."""
    project = make_project(store, pool=80, reserve=20, retrain_every=1000)
    label(store, project, 30)
    label_reserve(store, project, evaluation)
    run_stub_round(store, project, home)
    return store.project(project.id)


def work(store: Store, home: Path, tools: Tools = STUB) -> None:
    Worker(store, home, threading.Event(), tools=tools).serve(once=True)


def final_run(store: Store, project: Project, home: Path) -> Run:
    ask(store, project.id, store.annotator("Asha").id, CONFIRMATION)
    work(store, home)
    return store.final_runs(project.id)[-1]


def start(store: Store, project: Project, pool: list[int], reserve: list[int]) -> Run:
    return store.start_final_run(project.id, {"evaluation_sentences": len(reserve)}, 1, 0, 0, 1, pool, reserve)


# The store.


def test_a_final_run_is_no_part_of_the_runs(store: Store) -> None:
    project = new_project(store)
    pool, reserve = add_pool(store, project, 2), add_reserve(store, project, 2)
    asha = store.annotator("Asha").id
    ordinary = start_ordinary_run(store, project)
    store.request_final_training(project.id, asha)
    with pytest.raises(Refused, match="asked for already"):
        store.request_final_training(project.id, asha)
    run = start(store, project, pool, reserve)
    assert run.final
    assert not store.run(ordinary).final
    assert [run.id for run in store.runs(project.id)] == [ordinary]
    last = store.last_run(project.id)
    assert last is not None
    assert last.id == ordinary
    assert store.final_runs(project.id) == [run]
    assert [run.id for run in store.running(project.id)] == [ordinary, run.id]
    assert store.final_evaluation_sentences(run.id) == reserve
    store.finish_final_run(run.id, {}, "runs/2", "")
    assert store.final_request(project.id) is None
    assert store.project(project.id).serving_run is None
    assert [event.kind for event in store.audit(project.id)] == ["final_training_requested"]


def test_evaluation_sentences_go_into_final_runs_alone(store: Store) -> None:
    project = new_project(store)
    pool, reserve = add_pool(store, project, 2), add_reserve(store, project, 2)
    store.request_final_training(project.id, store.annotator("Asha").id)
    with pytest.raises(Refused):
        start(store, project, reserve, [])
    with pytest.raises(Refused):
        start(store, project, [], pool)
    assert store.final_runs(project.id) == []  # all or nothing
    run = start(store, project, pool, reserve)
    for either in (run.id, start_ordinary_run(store, project)):
        with pytest.raises(Refused):
            store.add_training_sentences(either, reserve)
    with pytest.raises(Refused, match="measures nothing"):
        store.save_predictions(run.id, [RunPrediction(reserve[0], ())])


# Asking.


def test_a_lead_has_to_say_that_no_estimate_is_left(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    asha = lead_store.annotator("Asha").id
    for words in ("", "yes", "an estimate is left"):
        with pytest.raises(Refused, match='write "no estimate is left"'):
            ask(lead_store, project.id, asha, words)
    assert not final_training.due(lead_store, project.id)
    ask(lead_store, project.id, asha, " No estimate is left ")
    assert final_training.due(lead_store, project.id)
    lead_store.worker_seen("w", "idle")
    assert work_state(lead_store, project).text == "The final training starts in a moment"


def test_without_evaluation_labels_there_is_nothing_to_release(lead_store: Store) -> None:
    project = make_project(lead_store, pool=20, reserve=5)
    label(lead_store, project, 10)
    with pytest.raises(Refused, match="no evaluation sentence is labelled"):
        ask(lead_store, project.id, lead_store.annotator("Asha").id, CONFIRMATION)


def test_the_command_asks_for_the_same_words(
    lead_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = evaluated_project(lead_store, tmp_path)
    monkeypatch.setenv("MANER_HOME", str(tmp_path))
    monkeypatch.delenv("MANER_DATABASE_URL", raising=False)
    assert main(["final", "--project", "swa", "--confirm", "yes"]) == 1
    assert 'write "no estimate is left"' in capsys.readouterr().err
    assert main(["final", "--project", "swa", "--confirm", CONFIRMATION, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"project": "swa", "evaluation_sentences": 10}
    assert final_training.due(lead_store, project.id)


# The training.


def test_the_worker_trains_on_everything_and_says_that_nothing_measures_it(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    cards: list[DataCard] = []
    tools = Tools(STUB.train, STUB.load, describe=lambda _, card: cards.append(card))
    ask(lead_store, project.id, lead_store.annotator("Asha").id, CONFIRMATION)
    work(lead_store, tmp_path, tools)
    [run] = lead_store.final_runs(project.id)
    assert (run.state, run.n_train, run.attempt, run.config["evaluation_sentences"]) == (RunState.DONE, 40, 1, 10)
    assert run.message == "Trained on the evaluation sentences too: no estimate of its F1 is left."
    assert "f1" not in run.metrics
    labelled = {item.sentence.id for item in lead_store.labelled(project.id, Split.RESERVE)}
    assert set(lead_store.final_evaluation_sentences(run.id)) == labelled
    memory = json.loads((tmp_path / str(run.checkpoint) / "stub.json").read_text())["memory"]
    learned = {word for item in lead_store.labelled(project.id, Split.RESERVE) for word in item.sentence.tokens}
    assert learned <= set(memory)
    [card] = cards
    assert (card.evaluation, card.evaluation_sentences, len(card.sentence_ids)) == (None, 10, 40)
    assert not final_training.due(lead_store, project.id)


def test_the_other_runs_their_curve_and_the_queue_stay_as_they_are(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path, evaluation=20)  # enough to compare runs
    curve, queue = f1_history(lead_store, project.id), claim_all(lead_store, project)
    final = final_run(lead_store, project, tmp_path)
    assert f1_history(lead_store, project.id) == curve
    assert claim_all(lead_store, project) == queue
    assert lead_store.project(project.id).serving_run == curve[0].run.id
    label(lead_store, project, 10)
    again = run_stub_round(lead_store, project, tmp_path)
    assert (again.round, again.n_train) == (2, 40)  # the pool alone, and rounds count on
    assert [point.run.id for point in f1_history(lead_store, project.id)] == [curve[0].run.id, again.id]
    assert f"of run {curve[0].run.id} on 20 evaluation sentences" in again.message
    assert lead_store.final_runs(project.id) == [final]


def test_it_serves_only_where_it_is_pinned_and_no_gate_compares_it(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    final, asha = final_run(lead_store, project, tmp_path), lead_store.annotator("Asha").id
    with pytest.raises(Refused, match="serves only where it is pinned"):
        choose_run(lead_store, final.id, tmp_path, pinned=False, by=asha)
    choose_run(lead_store, final.id, tmp_path, pinned=True, by=asha)
    handed = lead_store.claim(project.id, asha, "tab", Split.POOL, 3)
    assert [item.suggestion.run_id for item in handed if item.suggestion] == [final.id] * 3
    label(lead_store, project, 5)
    run_stub_round(lead_store, project, tmp_path)
    assert lead_store.project(project.id).serving_run == final.id
    choose_run(lead_store, final.id, tmp_path, pinned=False, by=asha)
    label(lead_store, project, 5)
    last = run_stub_round(lead_store, project, tmp_path)
    assert lead_store.project(project.id).serving_run == last.id
    assert last.message == (
        f"Run {final.id}, which served until now, learned from the evaluation sentences: it is not compared."
    )


def test_its_weights_outlive_all_others(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    final = final_run(lead_store, project, tmp_path)
    for _ in range(7):
        label(lead_store, project, 1)
        run_stub_round(lead_store, project, tmp_path)
    assert prune_checkpoints(lead_store, project.id, tmp_path) == []  # each round has done so
    kept = {folder.name for folder in (tmp_path / "runs").iterdir()}
    assert str(final.id) in kept
    assert str(final.id + 1) not in kept


def test_a_training_that_fails_is_tried_once_more_and_then_reported(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    ask(lead_store, project.id, lead_store.annotator("Asha").id, CONFIRMATION)

    def train(*_: object) -> object:
        raise OSError(28, "No space left on device")

    for _ in range(2):
        work(lead_store, tmp_path, Tools(train, STUB.load))
    work(lead_store, tmp_path)
    runs = lead_store.final_runs(project.id)
    assert [(run.state, run.attempt) for run in runs] == [(RunState.FAILED, 1), (RunState.FAILED, 2)]
    assert "No space left" in str(runs[-1].failure)
    assert not final_training.due(lead_store, project.id)


def test_one_that_was_stopped_starts_again_and_that_costs_no_attempt(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    ask(lead_store, project.id, lead_store.annotator("Asha").id, CONFIRMATION)

    def stop(*_: object) -> None:
        raise RunStopped("the worker was asked to stop")

    with pytest.raises(RunStopped):
        final_training.train(lead_store, project, tmp_path, STUB, stop)
    work(lead_store, tmp_path)
    assert [(run.state, run.attempt) for run in lead_store.final_runs(project.id)] == [
        (RunState.FAILED, 1),
        (RunState.DONE, 1),
    ]


def test_one_that_killed_two_workers_is_given_up(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    ask(lead_store, project.id, lead_store.annotator("Asha").id, CONFIRMATION)
    for _ in range(2):  # what two workers that died at once leave behind
        killed = start(lead_store, project, [], [])
        lead_store.fail_run(killed.id, "The worker died during this run")
    work(lead_store, tmp_path)
    assert len(lead_store.final_runs(project.id)) == 2
    assert not final_training.due(lead_store, project.id)


def test_a_backup_holds_it(lead_store: Store, tmp_path: Path) -> None:
    project = evaluated_project(lead_store, tmp_path)
    final = final_run(lead_store, project, tmp_path)
    back_up(lead_store, tmp_path / "backup.zip")
    other = open_store(tmp_path / "other")
    restore(other, tmp_path / "backup.zip", tmp_path / "other" / "runs")
    assert other.final_runs(project.id) == [final]
    assert other.final_evaluation_sentences(final.id) == lead_store.final_evaluation_sentences(final.id)
    other.close()


# The page.


def test_the_page_asks_for_the_words_and_shows_no_f1_of_it(page_store: Store) -> None:
    home = session.current_settings().home
    project = evaluated_project(page_store, home)
    app = AppTest.from_string("from annotation.ui import runs\nruns.page()", default_timeout=30).run()
    press = "Start the final training"
    next(button for button in app.button if button.label == press).click().run()
    assert "write" in app.error[0].value
    app.text_input(key=f"confirmation_{project.id}").set_value(CONFIRMATION)
    next(button for button in app.button if button.label == press).click().run()
    assert not app.exception
    assert press not in [button.label for button in app.button]
    work(page_store, home)
    app.run()
    [final] = page_store.final_runs(project.id)
    table = app.dataframe[-1].value
    assert table[["Run", "Trained on", "Of these for evaluation", "F1"]].values.tolist() == [
        [final.id, 40, 10, "no estimate is left"]
    ]
    assert app.code[0].value == str(home / str(final.checkpoint))
    app.button(key=f"pin_final_{final.id}").click().run()
    assert not app.exception
    project = page_store.project(project.id)
    assert (project.serving_run, project.pinned) == (final.id, True)
    assert any(f"Run {final.id} serves" in element.value for element in app.markdown)
    board = AppTest.from_string("from annotation.ui import dashboard\ndashboard.page()", default_timeout=30).run()
    assert not board.exception
    assert next(metric for metric in board.metric if metric.label == "F1 of the suggestions").value == "–"
