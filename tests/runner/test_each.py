"""The same items, the same values, whatever the place."""

import sys

import numpy as np
import pytest

from neurotrace.runner import EXECUTORS, Executor, map_each

SCALE = 3.0


def place(kind: str, folder) -> Executor:
    if kind == "slurm":
        pytest.importorskip("submitit")
        return Executor(kind, workers=2, options={"cluster": "local", "folder": str(folder)})
    return Executor(kind) if kind == "serial" else Executor(kind, workers=2)


@pytest.fixture(params=["serial", "processes", "slurm"])
def where(request, tmp_path) -> Executor:
    return place(request.param, tmp_path / "jobs")


def test_every_place_gives_the_values_of_a_loop_in_its_order(where):
    shift = np.arange(4) / 3

    def fn(item: int) -> np.ndarray:
        return np.sin(item + shift) * SCALE  # closes over an array; reads this file's globals

    items = [3, 1, 2]
    values = map_each(fn, iter(items), executor=where)
    assert [value.tolist() for value in values] == [fn(item).tolist() for item in items]


def test_every_place_raises_what_an_item_raised_with_a_note_that_names_it(where):
    def fn(item: str) -> str:
        if item == "step512":
            raise KeyError("weights")
        return item

    with pytest.raises(KeyError) as caught:
        map_each(fn, ["step512", "step0"], executor=where)
    assert caught.value.args == ("weights",)
    assert caught.value.__notes__[0] == "while working on step512"
    if where.kind != "serial":
        assert "in fn" in str(caught.value.__cause__)  # where it was raised, over there


@pytest.mark.parametrize("kind", EXECUTORS)
def test_no_items_start_nothing(kind):
    assert map_each(abs, [], executor=kind) == []


def test_an_executor_that_is_not_offered_is_refused():
    with pytest.raises(ValueError, match="got executor 'dask'; valid are serial, processes, slurm"):
        map_each(abs, [1], executor="dask")
    with pytest.raises(ValueError, match="got 0 workers; expected at least 1"):
        Executor("processes", workers=0)
    with pytest.raises(ValueError, match="got options mem for executor 'processes'"):
        Executor("processes", options={"mem": "8G"})


@pytest.mark.parametrize(("kind", "package"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_missing_extra_is_named(monkeypatch, tmp_path, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'neurotrace\[{kind}\]'"):
        map_each(abs, [1], executor=kind)
    assert not list(tmp_path.iterdir())


def test_options_that_a_place_does_not_know_are_refused(tmp_path):
    pytest.importorskip("submitit")
    options = {"cluster": "moon", "folder": str(tmp_path)}
    with pytest.raises(ValueError, match="got cluster 'moon'; valid are slurm and local"):
        map_each(abs, [1], executor=Executor("slurm", options=options))
    with pytest.raises(ValueError, match="got option 'mem' for ray; valid are address, gpus"):
        map_each(abs, [1], executor=Executor("ray", options={"mem": "1"}))


def test_slurm_without_its_commands_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="got no srun .* cluster=local"):
        map_each(abs, [1], executor="slurm")
