"""The worker: when it trains, what it does when it is stopped, killed, doubled or left alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from loop_helpers import label, label_reserve, make_project, open_store, run_stub_round
from stub_tagger import STUB

import annotation.worker
from annotation import kept_worker
from annotation.children import PARENT_VARIABLE, gentle_threads
from annotation.kept_worker import KeptWorker, start_worker, stop_worker
from annotation.loop import STOPPED
from annotation.phases import RoundProgress
from annotation.settings import Settings
from annotation.tagging import Tools
from annotation.worker import Pulse, Worker
from maner_core.errors import DatabaseUnavailable, LeaseLost, RunStopped
from storage import Project, Run, RunState, Split, Store

HERE = Path(__file__).parent
PATIENCE_SECONDS = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(home)
    yield opened
    opened.close()


@pytest.fixture
def project(store: Store) -> Project:
    return make_project(store, pool=200, retrain_every=50)


def url_of(home: Path) -> str:
    return f"sqlite:///{home / 'maner.db'}"


def worker(store: Store, home: Path, tools: Tools = STUB) -> Worker:
    return Worker(store, home, threading.Event(), tools=tools)


def wait_for(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


# One worker at work.


def test_a_worker_trains_every_project_that_is_due_and_then_idles(store: Store, home: Path) -> None:
    projects = [make_project(store, name=name, retrain_every=10) for name in ("swa", "lug", "idle")]
    for project in projects[:2]:
        label(store, project, 12)
    worker(store, home).serve(once=True)
    assert [len(store.runs(project.id)) for project in projects] == [1, 1, 0]
    assert [store.project(project.id).serving_run is not None for project in projects] == [True, True, False]


def test_a_project_in_the_archive_is_not_trained(store: Store, home: Path) -> None:
    project = make_project(store, name="swa", retrain_every=10)
    label(store, project, 12)
    store.archive_project(project.id)
    worker(store, home).serve(once=True)
    assert store.runs(project.id) == []
    store.archive_project(project.id, archived=False)
    worker(store, home).serve(once=True)
    assert len(store.runs(project.id)) == 1


def test_a_project_that_fails_does_not_hold_up_the_others(store: Store, home: Path) -> None:
    bad, good = (make_project(store, name=name, retrain_every=10) for name in ("bad", "good"))
    for project in (bad, good):
        label(store, project, 10)

    def train(*arguments: Any) -> Any:
        if arguments[4].name == str(store.runs(bad.id)[-1].id):
            raise RuntimeError("no luck")
        return STUB.train(*arguments)

    at_work = worker(store, home, Tools(train, STUB.load))
    at_work.serve(once=True)
    failed = store.last_run(bad.id)
    assert failed is not None
    assert failed.failure is not None
    assert "RuntimeError: no luck" in failed.failure
    assert store.project(good.id).serving_run is not None
    assert at_work.failures == 1


def test_a_run_that_succeeds_at_the_second_attempt_serves(
    store: Store, home: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation.worker, "BACK_OFF_SECONDS", 0.0)
    label(store, project, 50)
    calls: list[int] = []

    def train(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return STUB.train(*arguments)

    worker(store, home, Tools(train, STUB.load)).serve(once=True)
    first, second = store.runs(project.id)
    assert (first.state, second.state) == (RunState.FAILED, RunState.DONE)
    assert "ran out of memory" in (first.failure or "")
    assert (first.attempt, second.attempt) == (1, 2)
    assert (first.round, second.round) == (1, 1)
    assert first.seed != second.seed
    assert store.project(project.id).serving_run == second.id


def test_a_granted_wish_is_cleared(store: Store, home: Path, project: Project) -> None:
    label(store, project, 8)
    store.request_retrain(project.id)
    worker(store, home).serve(once=True)
    assert not store.retrain_requested(project.id)
    assert len(store.runs(project.id)) == 1


def test_the_pages_can_see_what_the_worker_does(store: Store, home: Path, project: Project) -> None:
    label(store, project, 50)
    seen: list[tuple[str, float]] = []

    def train(*arguments: Any) -> Any:
        report = STUB.train(*arguments)
        run = store.last_run(project.id)
        assert run is not None
        seen.append((run.phase, run.progress))
        return report

    at_work = worker(store, home, Tools(train, STUB.load))
    at_work.serve(once=True)
    assert seen[0][0] == "training"
    assert [status.holder for status in store.workers(60)] == [at_work.holder]


def test_a_round_is_never_interrupted_by_new_labels(store: Store, home: Path, project: Project) -> None:
    label(store, project, 50)
    labelled: list[int] = []

    def train(*arguments: Any) -> Any:
        if not labelled:
            labelled.extend(sentence.id for sentence in label(store, project, 60))
        return STUB.train(*arguments)

    worker(store, home, Tools(train, STUB.load)).serve(once=True)
    assert [(run.state, run.n_train) for run in store.runs(project.id)] == [(RunState.DONE, 50), (RunState.DONE, 110)]


# Leases.


def test_a_project_that_another_worker_holds_is_left_alone(store: Store, home: Path, project: Project) -> None:
    label(store, project, 50)
    assert store.take_lease(project.id, "another worker", 60)
    worker(store, home).serve(once=True)
    assert store.runs(project.id) == []
    store.release_lease(project.id, "another worker")
    worker(store, home).serve(once=True)
    assert len(store.runs(project.id)) == 1


def test_two_workers_at_once_train_once(store: Store, home: Path, project: Project) -> None:
    label(store, project, 50)
    stores = [Store(url_of(home)) for _ in range(3)]
    threads = [threading.Thread(target=worker(each, home).serve, kwargs={"once": True}) for each in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in stores:
        each.close()
    assert [run.state for run in store.runs(project.id)] == [RunState.DONE]


def test_a_worker_whose_lease_was_taken_ends_its_round(store: Store, home: Path, project: Project) -> None:
    label(store, project, 50)
    run = store.start_run(project.id, 1, {}, 1, 0, 50)
    pulse = Pulse(store, "slow worker", threading.Event())
    assert store.take_lease(project.id, "slow worker", -1)
    pulse.begin(project.id)
    pulse(_training(run))
    assert store.take_lease(project.id, "quick worker", 60)
    pulse.beat()
    with pytest.raises(LeaseLost):
        pulse(_training(run))


def test_a_round_whose_run_another_worker_failed_ends(store: Store, project: Project) -> None:
    run = store.start_run(project.id, 1, {}, 1, 0, 50)
    pulse = Pulse(store, "slow worker", threading.Event())
    store.take_lease(project.id, "slow worker", 60)
    pulse.begin(project.id)
    store.fail_run(run.id, "it looked dead")
    with pytest.raises(LeaseLost):
        pulse(_training(run))


def test_a_pulse_that_is_asked_to_stop_ends_the_round(store: Store, project: Project) -> None:
    stop = threading.Event()
    pulse = Pulse(store, "worker", stop)
    stop.set()
    with pytest.raises(RunStopped):
        pulse(_training(store.start_run(project.id, 1, {}, 1, 0, 50)))


def test_a_database_that_is_busy_for_a_moment_costs_no_training(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.start_run(project.id, 1, {}, 1, 0, 50)
    pulse = Pulse(store, "worker", threading.Event())

    def busy(*_: object) -> None:
        raise DatabaseUnavailable("the database is busy; try again")

    monkeypatch.setattr(store, "heartbeat", busy)
    pulse(_training(run))
    monkeypatch.undo()
    pulse.begin(project.id)
    pulse(_training(run))
    assert store.run(run.id).progress == 0.5


def _training(run: Run) -> RoundProgress:
    return RoundProgress(run.id, "training", 0.5, 10.0, "Training on 50 sentences")


# Stopped and killed.


def start_stub(home: Path, where: str, **environment: str) -> "subprocess.Popen[str]":
    paths = os.pathsep.join([str(HERE.parent), str(HERE)])
    return subprocess.Popen(
        [sys.executable, str(HERE / "stub_worker.py"), url_of(home), str(home), where],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until_there(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"


def end(process: "subprocess.Popen[str]", number: signal.Signals) -> int:
    process.send_signal(number)
    code = process.wait(PATIENCE_SECONDS)
    assert process.stdout is not None
    process.stdout.close()
    return code


def run_when_free(store: Store, home: Path, project: Project) -> list[Run]:
    """Let a new worker look until the project has a finished run."""

    def look() -> bool:
        worker(store, home).serve(once=True)
        last = store.last_run(project.id)
        return last is not None and last.state is RunState.DONE

    wait_for(look)
    return store.runs(project.id)


@pytest.mark.parametrize("phase", ["adapting", "training", "evaluating", "scoring", "suggesting", "finish"])
def test_a_worker_killed_in_any_phase_is_followed_by_one_that_does_the_round(
    store: Store, home: Path, project: Project, phase: str
) -> None:
    if phase == "adapting":
        store.update_project(project.id, replace(project.settings, adaptation="before"))
    label(store, project, 60)
    process = start_stub(home, phase)
    wait_until_there(process)
    label(store, project, 3)
    end(process, signal.SIGKILL)
    killed, done = run_when_free(store, home, project)
    assert killed.state is RunState.FAILED
    assert "The worker died during this run" in (killed.failure or "")
    assert (done.attempt, done.n_train) == (2, 63)
    assert store.project(project.id).serving_run == done.id
    assert store.ready(project.id, Split.POOL) >= 100
    assert len(store.labelled(project.id, Split.POOL)) == 63


def test_a_worker_killed_in_a_final_training_is_followed_by_one_that_does_it(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 20)
    label_reserve(store, project, 5)
    run_stub_round(store, project, home)
    store.request_final_training(project.id, store.annotator("Asha").id)
    process = start_stub(home, "training")
    wait_until_there(process)
    end(process, signal.SIGKILL)
    wait_for(lambda: store.take_lease(project.id, "test", 0.0))
    worker(store, home).serve(once=True)
    killed, done = store.final_runs(project.id)
    assert "The worker died during this run (phase: training)" in (killed.failure or "")
    assert (done.state, done.attempt, done.n_train) == (RunState.DONE, 2, 25)
    assert store.final_request(project.id) is None
    assert len(store.runs(project.id)) == 1


def test_a_run_that_dies_twice_is_left_for_people(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    for _ in range(2):
        process = start_stub(home, "training")
        wait_until_there(process)
        end(process, signal.SIGKILL)
    wait_for(lambda: store.take_lease(project.id, "test", 0.0))
    worker(store, home).serve(once=True)
    assert [(run.state, run.attempt) for run in store.runs(project.id)] == [(RunState.FAILED, 1), (RunState.FAILED, 2)]
    store.request_retrain(project.id)
    worker(store, home).serve(once=True)
    assert store.runs(project.id)[-1].state is RunState.DONE


def test_sigterm_ends_a_training_between_two_steps_and_the_next_worker_starts_it_again(
    store: Store, home: Path, project: Project
) -> None:
    label(store, project, 60)
    process = start_stub(home, "slow")
    wait_until_there(process)
    assert end(process, signal.SIGTERM) == 0
    stopped = store.last_run(project.id)
    assert stopped is not None
    assert (stopped.state, stopped.failure) == (RunState.FAILED, STOPPED)
    worker(store, home).serve(once=True)
    assert [run.attempt for run in store.runs(project.id)] == [1, 1]
    assert store.runs(project.id)[-1].state is RunState.DONE


def test_a_worker_started_by_the_app_ends_when_the_app_is_gone(store: Store, home: Path, project: Project) -> None:
    label(store, project, 60)
    script = (
        "import os, subprocess, sys, threading\n"
        f"os.environ['{PARENT_VARIABLE}'] = str(os.getpid())\n"
        f"subprocess.Popen([sys.executable, {str(HERE / 'stub_worker.py')!r}, *sys.argv[1:]])\n"
        "threading.Event().wait()\n"
    )
    paths = os.pathsep.join([str(HERE.parent), str(HERE)])
    app = subprocess.Popen(
        [sys.executable, "-c", script, url_of(home), str(home), "slow"],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until_there(app)
    app.kill()
    app.wait()
    assert app.stdout is not None
    assert app.stdout.read() == ""  # comes back when the worker, too, has closed its end
    app.stdout.close()
    last = store.last_run(project.id)
    assert last is not None
    assert last.failure == STOPPED


# The process.


def run_python(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def test_importing_the_worker_the_loop_and_sampling_loads_no_torch() -> None:
    script = (
        "import sys, annotation.worker, annotation.loop, annotation.sampling, annotation.serving\n"
        "print(sorted({'torch', 'transformers', 'streamlit'} & set(sys.modules)))"
    )
    assert run_python(script).stdout == "[]\n"


def test_the_worker_process_is_polite_and_its_threads_wait_a_moment_before_they_sleep(home: Path) -> None:
    script = (
        "import os, sys\nfrom annotation.settings import Settings\nfrom annotation.worker import main\n"
        "code = main(Settings.from_environment(), once=True)\n"
        "print(code, os.nice(0) >= 10, os.environ['GOMP_SPINCOUNT'], os.environ['OMP_NUM_THREADS'],"
        " 'torch' in sys.modules)"
    )
    done = run_python(script, MANER_HOME=str(home), MANER_DATABASE_URL="")
    assert done.stdout == f"0 True 1000 {gentle_threads()['OMP_NUM_THREADS']} False\n", done.stderr


def test_threads_are_as_many_as_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "from annotation.children import gentle_threads\nprint(gentle_threads()['OMP_NUM_THREADS'])"
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        core = min(os.sched_getaffinity(0))
        assert run_python(f"import os\nos.sched_setaffinity(0, {{{core}}})\n{script}").stdout == "1\n"
    assert run_python(script, LOKY_MAX_CPU_COUNT="1").stdout == "1\n"
    monkeypatch.setattr("joblib.externals.loky.backend.context._cpu_count_cgroup", lambda of_machine: 1)
    assert gentle_threads()["OMP_NUM_THREADS"] == "1"  # a container with the quota of one core


def test_a_worker_that_cannot_live_is_started_ever_more_rarely(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[float] = []

    def start_and_die(_: Settings) -> "subprocess.Popen[bytes]":
        starts.append(time.monotonic())
        if len(starts) == 2:
            raise OSError(12, "Cannot allocate memory")
        dead = subprocess.Popen(["true"])
        dead.wait()
        return dead

    monkeypatch.setattr(kept_worker, "start_worker", start_and_die)
    monkeypatch.setattr(kept_worker, "RESTART_SECONDS", 0.05)
    kept = KeptWorker(Settings(home=home, database_url=url_of(home)))
    wait_for(lambda: len(starts) >= 4)
    kept.stop()
    first, second, third = (later - earlier for earlier, later in pairwise(starts[:4]))
    assert first >= 0.1
    assert second >= 0.15
    assert third >= 0.25


def test_the_app_starts_and_stops_a_worker_with_a_log_of_its_own(store: Store, home: Path) -> None:
    process = start_worker(Settings(home=home, database_url=url_of(home)))
    try:
        wait_for(lambda: store.workers(60))
        assert store.workers(60)[0].state == "idle"
    finally:
        code = stop_worker(process)
    assert code == 0
    (log,) = (home / "logs").glob("worker-*.log")
    assert "looks for work" in log.read_text(encoding="utf-8")
