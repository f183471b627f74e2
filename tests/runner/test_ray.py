"""Tasks of a Ray cluster of two nodes on this machine, one of which is lost while working."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from neurotrace.runner import Executor, WorkerLost, map_each

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    """A head with one core and a second node with two."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 1, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.add_node(num_cpus=2)
    made.wait_for_nodes()
    yield made
    made.shutdown()


@pytest.fixture
def where(cluster) -> Executor:
    return Executor("ray", options={"address": cluster.address})


def test_ray_gives_the_values_of_a_loop_in_its_order(where):
    shift = np.arange(4) / 3

    def fn(item: int) -> tuple[list[float], str]:
        return np.sin(item + shift).tolist(), os.environ["OMP_NUM_THREADS"]

    items = [3, 1, 2, 5]
    told = map_each(fn, items, executor=where)
    assert told == [(np.sin(item + shift).tolist(), "1") for item in items]
    assert not ray.is_initialized()  # what we connected is disconnected


def test_an_exception_comes_back_as_it_was_raised(where):
    def fn(_: str) -> None:
        raise KeyError("weights")

    with pytest.raises(KeyError, match="weights") as caught:
        map_each(fn, ["step512"], executor=where)
    assert caught.value.__notes__ == ["while working on step512"]


def test_a_task_whose_worker_is_killed_runs_again_and_one_that_always_dies_is_named(
    where, tmp_path
):
    def fn(item: str) -> str:
        mark = tmp_path / item
        if item == "always" or not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert map_each(fn, ["once"], executor=where) == ["once"]
    with pytest.raises(WorkerLost, match=r"1 of 2 items.*: always \(.*after 4 tries"):
        map_each(fn, ["once", "always"], executor=where)


def test_a_node_lost_while_working_loses_nothing(cluster, where, tmp_path):
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    marks = tmp_path / "marks"
    marks.mkdir()

    def fn(item: int) -> tuple[int, str]:
        here = ray_node()
        (marks / f"{item}-{here}-{time.time_ns()}").touch()
        time.sleep(1.0)
        return item * item, here

    def ray_node() -> str:
        import ray as there

        return there.get_runtime_context().get_node_id()

    def remove() -> None:
        lost = node.node_id
        while not any(f"-{lost}-" in file.name for file in marks.iterdir()):
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    thief = threading.Thread(target=remove)
    thief.start()
    found = map_each(fn, range(12), executor=where)
    thief.join()
    assert [value for value, _ in found] == [item * item for item in range(12)]
    begun = [file.name.split("-")[0] for file in marks.iterdir()]
    assert len(begun) > len(set(begun)) == 12  # some ran twice


def test_more_gpus_than_there_are_are_refused(where):
    asked = Executor("ray", options={**where.options, "gpus": "2"})
    with pytest.raises(ValueError, match="got gpus=2 for ray, whose cluster has 0"):
        map_each(abs, [1], executor=asked)
