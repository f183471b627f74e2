"""Jobs that are lost, raise, or never start: a queue that is only played, and submitit's own."""

import os
import pickle
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neurotrace.runner import Executor, WorkerLost, map_each, slurm
from neurotrace.runner.queues import Slurm
from neurotrace.runner.slurm import Array, Unit, packed_of


class Stage:
    """Runs a job at once; ``end`` says of (item, times tried): "ok", "gone" or "waits"."""

    together, interval = 1000, 0.0

    def __init__(self, folder: Path, end: Callable[[Any, int], str]) -> None:
        self.folder, self.end = folder, end  # jobs' files lie there, too
        self.tries: dict[Any, int] = {}
        self.waiting: set[str] = set()
        self.cancelled: list[tuple[list[str], bool]] = []

    def submit(self, function: Any, items: Sequence[Any]) -> list[Any]:
        return [self._job(function, packed) for packed in items]

    def _job(self, function: Any, packed: bytes) -> Any:
        item = pickle.loads(packed)
        n = self.tries[item] = self.tries.get(item, 0) + 1
        files = {
            "result_pickle": self.folder / f"{item}.{n}_0_result.pkl",
            "submitted_pickle": self.folder / f"{item}.{n}_submitted.pkl",
            "stderr": self.folder / f"{item}.{n}_0_log.err",
        }
        files["submitted_pickle"].touch()
        how = self.end(item, n)
        if how == "ok":
            files["result_pickle"].write_bytes(pickle.dumps(("success", function(packed))))
        elif how == "waits":
            self.waiting.add(f"{item}.{n}")
        elif how == "error":
            files["result_pickle"].write_bytes(pickle.dumps(("error", "Traceback\nNo: module")))
        return SimpleNamespace(job_id=f"{item}.{n}", paths=SimpleNamespace(**files))

    def present(self, jobs: Iterable[Any]) -> set[str]:
        return {job.job_id for job in jobs} & self.waiting

    def cancel(self, jobs: Iterable[Any], *, waiting_only: bool) -> None:
        ids = [job.job_id for job in jobs]
        self.cancelled.append((ids, waiting_only))
        self.waiting -= set(ids)


@pytest.fixture
def played(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "POLL", 0.001)

    def play(fn, items: Sequence[Any], end, **options: str) -> tuple[list[Any], Stage]:
        stage = Stage(tmp_path, end)
        monkeypatch.setattr(slurm, "queue_of", lambda *_: stage)
        where = Executor("slurm", options={"patience": "0.02", **options})
        return slurm.on_slurm(fn, items, where), stage

    return play


def test_values_are_read_from_result_files_which_are_then_removed(played, tmp_path):
    values, stage = played(lambda item: item * 2, [3, 1], lambda *_: "ok")
    assert values == [6, 2]
    assert stage.tries == {3: 1, 1: 1}
    assert not list(tmp_path.iterdir())


def test_a_job_that_left_the_queue_without_a_result_is_submitted_again(played, capsys):
    values, stage = played(
        lambda item: item * 2, [3, 1], lambda item, n: "gone" if item == 3 and n < 4 else "ok"
    )
    assert values == [6, 2]
    assert stage.tries == {3: 4, 1: 1}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "3 left the queue without a result (job 3.1); it is submitted again, 2 of 4" in said[0]


def test_a_job_that_is_lost_four_times_is_named_when_the_others_are_done(played):
    with pytest.raises(WorkerLost, match=r"1 of 3 items, .* 4 times .*: 5 \(job 5\.4, log .*err\)"):
        played(lambda item: item, [4, 5, 6], lambda item, _: "gone" if item == 5 else "ok")


def test_a_job_still_in_the_queue_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "POLL", 0.001)
    stage = Stage(tmp_path, lambda *_: "waits")
    late = tmp_path / "7.1_0_result.pkl"
    begun = time.monotonic()
    present = stage.present

    def ends_late(jobs: Iterable[Any]) -> set[str]:
        if time.monotonic() - begun > 0.2:
            late.write_bytes(pickle.dumps(("success", done_by(tmp_path)(packed_of(-7)))))
        return present(jobs)

    monkeypatch.setattr(stage, "present", ends_late)
    assert Array(stage, done_by(tmp_path), [7], 0.02).results() == ([7], [])
    assert stage.tries == {7: 1}


def test_a_result_that_arrives_late_is_taken_and_nothing_is_submitted_again(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "POLL", 0.001)
    stage = Stage(tmp_path, lambda *_: "gone")
    begun, late = time.monotonic(), tmp_path / "7.1_0_result.pkl"

    def present(_: Iterable[Any]) -> set[str]:
        if time.monotonic() - begun > 0.1:
            late.write_bytes(pickle.dumps(("success", done_by(tmp_path)(packed_of(-7)))))
        return set()

    monkeypatch.setattr(stage, "present", present)
    assert Array(stage, done_by(tmp_path), [7], 0.6).results() == ([7], [])
    assert stage.tries == {7: 1}


def test_an_exception_takes_waiting_jobs_out_of_the_queue(played, monkeypatch):
    stages = []

    def fn(item: int) -> int:
        raise KeyError(item)

    def end(item: int, _: int) -> str:
        return "ok" if item == 1 else "waits"

    monkeypatch.setattr(Stage, "__init__", _recording(Stage.__init__, stages))
    with pytest.raises(KeyError) as caught:
        played(fn, [0, 1, 2], end)
    assert caught.value.__notes__ == ["while working on 1"]
    assert stages[0].cancelled[0] == (["0.1", "2.1"], True)


def _recording(init, into: list) -> Callable[..., None]:
    def recorded(self: Stage, *args: Any) -> None:
        init(self, *args)
        into.append(self)

    return recorded


def test_an_interrupt_takes_all_jobs_out_of_the_queue(tmp_path, monkeypatch):
    stage = Stage(tmp_path, lambda *_: "waits")

    def interrupted(_: Iterable[Any]) -> set[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "present", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Array(stage, done_by(tmp_path), [7], 0.01).results()
    assert stage.cancelled == [(["7.1"], False)]


def test_what_submitit_could_not_run_is_told_with_its_log(played):
    with pytest.raises(WorkerLost, match=r"from a job: No: module; .* its log is .*_0_log\.err"):
        played(lambda item: item, [4], lambda *_: "error")


def done_by(folder: Path) -> Unit:
    """The absolute value, as jobs find it."""
    file = folder / "function.pkl"
    file.write_bytes(packed_of(abs))
    return Unit(file)


class Told:
    """``squeue`` as it would answer."""

    def __init__(self, folder: Path, answer: str, code: int = 0) -> None:
        file = folder / "squeue"
        file.write_text(f"#!/bin/sh\nprintf '{answer}'\nexit {code}\n")
        file.chmod(0o755)


@pytest.fixture
def jobs(tmp_path, monkeypatch) -> list[Any]:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return [SimpleNamespace(job_id=name) for name in ("8_0", "8_1", "9")]


def queue() -> Slurm:
    made = object.__new__(Slurm)
    made._explained = set()
    return made


def test_the_queue_is_read_off_squeue(jobs, tmp_path, capsys):
    Told(tmp_path, r"8_1|R|None\n9|PD|QOSMaxJobs\n77|PD|Dependency\n")
    slurm_queue = queue()
    assert slurm_queue.present(jobs) == {"8_1", "9"}
    slurm_queue.present(jobs)
    said = capsys.readouterr().err
    assert said == "neurotrace: jobs wait in SLURM's queue because of QOSMaxJobs\n"


def test_a_queue_that_does_not_answer_is_no_sign_that_jobs_ended(jobs, tmp_path):
    Told(tmp_path, "", code=1)
    assert queue().present(jobs) == {"8_0", "8_1", "9"}


def test_jobs_that_can_never_start_are_refused(jobs, tmp_path):
    Told(tmp_path, r"9|PD|PartitionTimeLimit\n")
    with pytest.raises(OSError, match=r"never start \(PartitionTimeLimit\); .* a shorter time"):
        queue().present(jobs)


def test_a_real_job_that_was_killed_is_submitted_again(tmp_path):
    pytest.importorskip("submitit")
    mark = tmp_path / "mark"

    def fn(item: int) -> int:
        if item == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    options = {"cluster": "local", "folder": str(tmp_path / "jobs"), "patience": "0.1"}
    assert map_each(fn, [0, 1], executor=Executor("slurm", workers=2, options=options)) == [0, 1]


def test_the_last_time_limit_of_a_job_is_a_lost_worker_in_one_line(played):
    from submitit.core.utils import UncompletedJobError

    def fn(item: int) -> int:
        raise UncompletedJobError(f"Job {item} timed out 21 times.")

    with pytest.raises(WorkerLost, match="got a job at its time limit .* try a longer time"):
        played(fn, [1], lambda *_: "ok")
