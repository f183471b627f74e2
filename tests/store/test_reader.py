"""Reading what was captured."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurotrace.axes import check
from neurotrace.store import ActivationStore, StoreDamaged, StoreMismatch


def header(step: int, **more: Any) -> dict[str, Any]:
    return {"model": "planted", "step": step, "stage": 0, "bos": "default", **more}


@pytest.fixture
def store(make_planted: Any, tmp_path: Path) -> ActivationStore:
    for index, step in enumerate((0, 16, 512)):
        planted = make_planted(seed=step)
        # What rows are is one thing for all steps; only the values differ.
        planted.examples, planted.labels = make_planted().examples, make_planted().labels
        planted.tokens = make_planted().tokens
        planted.write(tmp_path / f"{index:04d}_step{step}.h5", header=header(step))
    return ActivationStore.open(tmp_path)


def test_a_store_says_what_it_holds(store: ActivationStore, planted: Any) -> None:
    assert store.steps == [0, 16, 512]
    assert store.paths == ["embed/mean", "hook_resid_post/tokens", "mlp.hook_post/max"]
    assert store.layers == [0, 1]
    assert store.languages == ["aaa_Latn", "bbb_Cyrl"]
    assert store.concepts == ["heat", "river", "war"]
    assert store.width("mlp.hook_post/max") == [40, 40]
    assert store.width("embed/mean") == [16]
    assert list(store.checkpoints["index"]) == [0, 1, 2]
    assert list(store.checkpoints["file"])[1] == "0001_step16.h5"
    np.testing.assert_array_equal(store.labels, planted.labels)
    pd.testing.assert_frame_equal(
        store.examples[list(planted.examples)], planted.examples, check_dtype=False
    )
    pd.testing.assert_frame_equal(
        store.tokens[list(planted.tokens)], planted.tokens, check_dtype=False
    )
    assert store.twin is None
    assert store.loss(16) is None


def test_values_come_back_with_named_axes(store: ActivationStore, make_planted: Any) -> None:
    X = store.read(512, 1)
    expected = make_planted(seed=512).values["mlp.hook_post/max", 1].astype(np.float16)
    np.testing.assert_array_equal(X, expected)
    assert X.dims == ("example", "neuron")
    check(X, "example", "neuron")
    assert (int(X["step"]), int(X["layer"])) == (512, 1)
    assert list(X["lang"][:2].to_numpy()) == ["aaa_Latn", "bbb_Cyrl"]
    tokens = store.read(512, 0, "hook_resid_post/tokens")
    assert tokens.dims == ("token", "feature")
    assert tokens.dtype == np.float32
    assert tokens["word"].to_numpy()[3] == "слово3"
    assert store.read(0, None, "embed/mean").dims == ("example", "feature")


@pytest.mark.parametrize("rows", [[5, 2, 599], slice(10, 20), np.arange(600) % 7 == 0, []])
def test_some_rows_are_those_rows_of_all(store: ActivationStore, rows: Any) -> None:
    some, every = store.read(16, 0, rows=rows), store.read(16, 0)
    chosen = np.arange(600)[rows] if len(np.atleast_1d(rows)) else []
    xr.testing.assert_identical(some, every.isel(example=chosen))


def test_some_neurons_are_those_neurons_of_all(store: ActivationStore) -> None:
    rows, columns = [5, 2, 599], slice(7, 31)
    some, every = store.read(16, 0, rows=rows, columns=columns), store.read(16, 0)
    xr.testing.assert_identical(some, every.isel(example=rows, neuron=columns))


def test_a_harmed_layer_is_refused_before_it_is_read_in_parts(
    store: ActivationStore, tmp_path: Path
) -> None:
    store.verify(16, 0)
    with h5py.File(tmp_path / "0001_step16.h5", "a") as file:
        file["mlp.hook_post/max/00"][300, 3] += 1
    store.read(16, 0, columns=slice(5))  # a part says nothing of the whole
    with pytest.raises(StoreDamaged, match="0001_step16.h5 differs .* in mlp.hook_post/max/00"):
        store.verify(16, 0)
    store.verify(16, 1)


def test_what_was_not_captured_is_refused_with_what_was(store: ActivationStore) -> None:
    with pytest.raises(KeyError, match="got step 7; the store has 0, 16, 512"):
        store.read(7, 0)
    with pytest.raises(KeyError, match="got layer 9 of mlp.hook_post/max; valid are 0, 1"):
        store.read(0, 9)
    with pytest.raises(KeyError, match=r"got path 'mlp.hook_pre/max'; valid are embed/mean, hook"):
        store.read(0, 0, "mlp.hook_pre/max")
    with pytest.raises(FileNotFoundError, match="expected files like 0007_step512.h5"):
        ActivationStore.open(store.path / "elsewhere")


def test_a_map_keeps_step_and_layer(store: ActivationStore) -> None:
    means = store.map(lambda X, _: X.astype(float).mean(0), "mlp.hook_post/max")
    assert means.dims == ("step", "layer", "neuron")
    assert list(means["step"]) == [0, 16, 512]
    expected = store.read(16, 1).to_numpy().astype(float).mean(0)
    np.testing.assert_allclose(means.sel(step=16, layer=1), expected)
    assert store.map(lambda X, _: X.max(), "embed/mean").dims == ("step",)


def test_a_map_over_groups_sees_these_groups_only(store: ActivationStore) -> None:
    def count(X: np.ndarray, rows: pd.DataFrame) -> int:
        assert set(rows["group"]) == {"g3", "g150"}
        return len(X)

    assert (store.map(count, "mlp.hook_post/max", groups=["g3", "g150"]) == 4).all()
    tokens = store.map(
        lambda X, _: len(X), "hook_resid_post/tokens", groups=store.examples["group"]
    )
    assert (tokens == 70).all()


def test_a_map_refuses_an_array_whose_axes_it_cannot_name(store: ActivationStore) -> None:
    with pytest.raises(ValueError, match=r"got an array \(3,\); expected a number"):
        store.map(lambda *_: np.zeros(3), "mlp.hook_post/max")


def test_steps_of_several_stages_are_told_apart(make_planted: Any, tmp_path: Path) -> None:
    for index, (stage, step) in enumerate([(1, 16), (2, 0), (2, 16)]):
        name = f"{index:04d}_stage{stage}-step{step}.h5"
        make_planted().write(tmp_path / name, header=header(step) | {"stage": stage})
    store = ActivationStore.open(tmp_path)
    assert store.steps == [16, 0, 16]
    assert int(store.read((2, 16), 0)["stage"]) == 2
    assert int(store.read(0, 0)["stage"]) == 2
    with pytest.raises(KeyError, match=r"several stages have; valid are \(1, 16\), \(2, 16\)"):
        store.read(16, 0)


def test_files_captured_in_different_ways_are_no_store(make_planted: Any, tmp_path: Path) -> None:
    make_planted().write(tmp_path / "0000_step0.h5", header=header(0))
    make_planted().write(tmp_path / "0001_step16.h5", header=header(16) | {"bos": "never"})
    with pytest.raises(StoreMismatch, match=r"0000_step0.h5 and 0001_step16.h5 .* another bos"):
        ActivationStore.open(tmp_path)


def test_unfinished_files_and_the_twin_are_no_steps(make_planted: Any, tmp_path: Path) -> None:
    make_planted().write(tmp_path / "0000_step0.h5", header=header(0))
    make_planted().write(tmp_path / "twin.h5", header=header(0, weight_hash="other"))
    make_planted().open(tmp_path / "0001_step16.h5", header=header(16)).close()
    store = ActivationStore.open(tmp_path)
    assert store.steps == [0]
    assert store.twin.header(0)["weight_hash"] == "other"


def test_reading_loads_no_torch() -> None:
    code = "import sys, neurotrace.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
