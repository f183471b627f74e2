"""The same trace wherever its checkpoints are worked on: equal values, files and pages."""

import multiprocessing
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_lab import CAUSAL, QUICK, assert_same, smaller

from neurotrace.capture import devices, work
from neurotrace.trace import main

KEEPS = ("activations", "scores")
ON_SUBMITIT = ["--executor", "slurm", "--executor-options", "cluster=local"]


@pytest.fixture(scope="module")
def source(tiny_lab, tmp_path_factory) -> Path:
    return smaller(tiny_lab, tmp_path_factory.mktemp("small") / "lab")


@pytest.fixture(scope="module")
def serial(source, tmp_path_factory) -> Callable[..., Path]:
    """A serial run of some options, made once."""
    folder = tmp_path_factory.mktemp("serial")

    def run(*rest: str) -> Path:
        out = folder / str(abs(hash(rest)))
        if not out.exists():
            assert traced(source, out, *rest) == 0
        return out

    return run


def traced(source: Path, out: Path, *rest: str) -> int:
    return main(["--source", str(source), "--out", str(out), *rest])


@pytest.mark.parametrize("keep", KEEPS)
def test_two_shares_one_after_the_other_end_in_a_serial_run(source, serial, tmp_path, capsys, keep):
    rest, out = [*QUICK, "--keep", keep], tmp_path / "run"
    assert traced(source, out, *rest, "--shard", "0/2") == 0
    said = capsys.readouterr().err
    assert "share 0/2 is done; 1 more to come from others (step64)" in said
    assert "the same command without --shard" in said
    assert not (out / "report.html").exists()
    assert traced(source, out, *rest, "--shard", "1/2") == 0
    assert_same(out, serial(*rest))
    assert not list(out.rglob(".leases"))


def test_a_share_is_its_checkpoints_alone(source, tmp_path):
    assert traced(source, tmp_path, *QUICK, "--shard", "1/4") == 0
    assert [file.name for file in tmp_path.glob("0*.h5")] == ["0001_step64.h5"]
    scored = {file.stem for file in (tmp_path / "scores").glob("*.h5")}
    assert scored == {"0001_step64", "twin"}  # it is held against the twin


def test_more_shares_than_checkpoints_leave_the_last_ones_nothing_to_do(source, tmp_path, capsys):
    assert traced(source, tmp_path, *QUICK, "--shard", "8/9") == 0
    assert (
        "share 8/9 is done; 3 more to come from others (step0, step64, step256)"
        in capsys.readouterr().err
    )
    assert not list(tmp_path.glob("0*.h5"))


@pytest.mark.parametrize("keep", KEEPS)
def test_shares_at_once_capture_each_checkpoint_once_and_one_makes_the_results(
    source, serial, tmp_path, keep
):
    rest, out = [*QUICK, "--keep", keep], tmp_path / "run"
    codes = at_once(
        [["--source", str(source), "--out", str(out), *rest, "--shard", f"{n}/2"] for n in (0, 1)],
        tmp_path,
    )
    assert codes == [0, 0]
    captures = sorted((tmp_path / "captures").read_text().split())
    assert captures == ["step0", "step256", "step64", "twin"]
    if not (out / "report.html").exists():  # both ended just before the other's last file
        assert traced(source, out, *rest) == 0
    assert_same(out, serial(*rest))


def at_once(commands: list[list[str]], folder: Path) -> list[int]:
    """Run commands in children of this process, and note what is captured."""
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=_noting, args=(command, folder)) for command in commands]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    return [child.exitcode for child in children]


def _noting(command: list[str], folder: Path) -> None:
    capture = work.Work.capture

    def noted(self: work.Work, checkpoint, file: Path, *, label: str, **options) -> None:
        if not file.exists():
            with (folder / "captures").open("a") as captures:
                captures.write(f"{label}\n")
        capture(self, checkpoint, file, label=label, **options)

    work.Work.capture = noted
    sys.exit(main(command))


def test_processes_give_what_a_serial_run_gives(source, serial, tmp_path, capfd):
    rest = [*QUICK, "--keep", "scores"]
    assert traced(source, tmp_path, *rest, "--executor", "processes", "--workers", "2") == 0
    assert_same(tmp_path, serial(*rest))
    told = [line for line in capfd.readouterr().err.splitlines() if "captured" in line]
    # Whole lines of several processes, each with its checkpoint and nothing of another's.
    assert sorted(line.split(":")[0] for line in told) == ["step0", "step256", "step64", "twin"]


@pytest.mark.slow
@pytest.mark.parametrize("rest", [[*of, "--keep", k] for of in (QUICK, CAUSAL) for k in KEEPS])
@pytest.mark.parametrize("place", [["--executor", "processes"], ON_SUBMITIT])
def test_every_executor_gives_what_a_serial_run_gives(source, serial, tmp_path, place, rest):
    assert traced(source, tmp_path, *rest, *place, "--workers", "2") == 0
    assert_same(tmp_path, serial(*rest))


@pytest.fixture
def two_nodes() -> Iterator[str]:
    """The address of a Ray cluster of two nodes on this machine, a core each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "rest", [[*QUICK, "--keep", "scores"], pytest.param(CAUSAL, marks=pytest.mark.slow)]
)
def test_two_nodes_of_ray_give_what_a_serial_run_gives(source, serial, tmp_path, two_nodes, rest):
    place = ["--executor", "ray", "--executor-options", f"address={two_nodes}"]
    assert traced(source, tmp_path / "run", *rest, *place) == 0
    assert_same(tmp_path / "run", serial(*rest))


@pytest.mark.slow
def test_shares_with_an_experiment_end_in_a_serial_run(source, serial, tmp_path):
    commands = [
        ["--source", str(source), "--out", str(tmp_path / "run"), *CAUSAL, "--shard", f"{n}/2"]
        for n in (0, 1)
    ]
    assert at_once(commands, tmp_path) == [0, 0]
    assert_same(tmp_path / "run", serial(*CAUSAL))


WRONG = {
    "--workers 0": "got 0 workers; expected at least 1",
    "--executor processes --executor-options mem=3": "for executor 'processes', which reads none",
    "--executor-options mem=3": "got options mem for executor 'serial'",
    "--executor slurm --executor-options mem": "got executor option 'mem'; expected KEY=VALUE",
    "--executor slurm --executor-options cluster=moon": "'moon'; valid are slurm and local",
    "--executor slurm --executor-options time=soon": "got time 'soon'; expected minutes",
    "--executor slurm --executor-options patience=x": "got patience 'x'; expected seconds",
    "--executor ray --executor-options mem=3": "got option 'mem' for ray; valid are address, gpus",
    "--shard auto": "expected a SLURM array job (sbatch --array=0-7), or i/n",
    "--shard 2/2": "shares count from 0: valid are 0/2 to 1/2",
}


@pytest.mark.parametrize("options", WRONG)
def test_places_that_cannot_be_are_refused_before_anything_is_written(
    source, tmp_path, capsys, options
):
    assert traced(source, tmp_path / "run", *QUICK, *options.split()) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert WRONG[options] in said[0]
    assert not (tmp_path / "run").exists()


def test_devices_of_other_machines_are_taken_at_their_word_once_the_type_is_said(
    source, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("neurotrace.capture.devices._best_device", lambda: "cpu")
    run = [*QUICK, "--executor", "slurm", "--executor-options", "cluster=local", "gpus=1"]
    assert traced(source, tmp_path / "run", *run) == 2
    said = "got gpus=1 for jobs and device 'auto', which is cpu on this machine; expected --device"
    assert said in capsys.readouterr().err
    assert devices.resolve("nowhere:0", "bfloat16", here=False) == ("nowhere:0", "bfloat16")
    with pytest.raises(ValueError, match="of other machines with compute_dtype 'auto'"):
        devices.resolve("nowhere:0", here=False)
    with pytest.raises(ValueError, match="not to be had"):
        devices.resolve("nowhere:0", "bfloat16")


@pytest.mark.parametrize("kind", ["slurm", "ray"])
def test_a_missing_extra_is_named_before_anything_is_written(
    source, tmp_path, capsys, monkeypatch, kind
):
    monkeypatch.setitem(sys.modules, {"slurm": "submitit"}.get(kind, kind), None)
    assert traced(source, tmp_path / "run", *QUICK, "--executor", kind) == 2
    assert f"pip install 'neurotrace[{kind}]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_printed_script_tells_its_jobs_nothing_that_it_does_itself(tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["--source", "a lab", "--executor", "slurm", "--out", str(out), "--workers=3"]
    arguments += ["--executor-options", "partition=gpu", "mem=8G", "--print-sbatch", "--seed", "1"]
    assert main(arguments) == 0
    script = capsys.readouterr().out
    run = next(line for line in script.splitlines() if "neurotrace.trace" in line)
    told = shlex.split(run.removesuffix(" &"))
    assert told[3:] == ["--source", "a lab", "--out", str(out), "--seed", "1", "--shard", "auto"]
    for flag in ("array=0-2", "partition=gpu", "mem=8G", "output=neurotrace-%A_%a.log", "requeue"):
        assert f"#SBATCH --{flag}\n" in script
    assert "sbatch FILE" in script
    assert not out.exists()


def test_what_is_handed_to_jobs_is_one_file_however_many_they_are(tmp_path):
    """Each job's own file stays small: the sentences of a run may be a hundred megabytes."""
    from neurotrace.runner import Executor, map_each

    ballast, seen = os.urandom(2_000_000), tmp_path / "seen"

    def fn(item: int) -> int:
        sizes = {file.name: file.stat().st_size for file in (tmp_path / "jobs").glob("*.pkl")}
        seen.write_text(repr(sizes))
        return len(ballast) + item

    where = Executor("slurm", 2, {"cluster": "local", "folder": str(tmp_path / "jobs")})
    assert map_each(fn, [1, 2], executor=where) == [2_000_001, 2_000_002]
    large = [name for name, size in eval(seen.read_text()).items() if size > 100_000]
    assert [name.partition("-")[0] for name in large] == ["function"]
    assert not list((tmp_path / "jobs").glob("*.pkl"))
    shutil.rmtree(tmp_path / "jobs")
