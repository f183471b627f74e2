"""Two steps: a model before and after tuning is read as one series, and nothing else passes."""

import h5py
import numpy as np
import pytest
from planted import Stage

from neurotrace.store import ActivationStore, StoreMismatch
from neurotrace.trajectories import per_neuron
from neurotrace.trajectories.evolution import evolution
from neurotrace.trajectories.lifts import step_keys
from neurotrace.trajectories.two_steps import two_steps

STATES, NEURONS = "hook_resid_post/mean", "mlp.hook_post/max"
STAGE = Stage(n_concepts=3, n_groups=12, widths=(8, 8))


def noise(seed):
    X = np.random.default_rng(seed).standard_normal((len(STAGE.lang), 16))
    return {STATES: X, NEURONS: X}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The base model ends at step 1500 of stage 1; tuning counts from 0 again, to step 100."""
    base = STAGE.write(tmp_path_factory.mktemp("base"), {(0, 0): noise(0), (1, 1500): noise(1)})
    tuned = STAGE.write(tmp_path_factory.mktemp("tuned"), {s: noise(2 + s) for s in (0, 50, 100)})
    return base, tuned


def test_the_last_of_each_are_steps_0_and_1_whatever_their_own_clocks_say(runs):
    base, tuned = runs
    pair = two_steps(base, tuned)
    assert pair.steps == step_keys(pair) == [0, 1]
    np.testing.assert_array_equal(pair.read(0, 1, STATES), base.read(1500, 1, STATES))
    np.testing.assert_array_equal(pair.read(1, 1, STATES), tuned.read(100, 1, STATES))
    assert pair.read(1, 0, STATES)["step"] == 1
    assert pair.header(1)["weight_hash"] == tuned.header(100)["weight_hash"]
    assert pair.checkpoints["tokens"].isna().all()
    assert pair.checkpoints["file"].tolist() == ["0001_step1500.h5", "0002_step100.h5"]
    assert base.steps == [0, 1500]  # as it was


def test_order_is_what_the_caller_says(runs):
    base, tuned = runs
    back = two_steps(tuned, base, base_step=50, tuned_step=(0, 0))
    np.testing.assert_array_equal(back.read(0, 0, STATES), tuned.read(50, 0, STATES))
    np.testing.assert_array_equal(back.read(1, 0, STATES), base.read(0, 0, STATES))


def test_analyses_of_series_take_it(runs):
    pair = two_steps(*runs)
    moved = evolution(pair)
    assert moved["step"].values.tolist() == [0, 1]
    assert float(moved["value"].sel(step=1).mean()) == pytest.approx(1, abs=0.15)
    scores = per_neuron(pair, lambda X, y: np.tile(X.mean(0), (y.shape[1], 1)))
    assert scores.sizes["step"] == 2
    assert pair.map(lambda X, _: X.mean(), STATES)["step"].values.tolist() == [0, 1]


def test_two_files_serve_as_well_as_two_folders(runs):
    base, tuned = runs
    one, other = (
        ActivationStore.open(store.path / store.checkpoints["file"].iloc[-1])
        for store in (base, tuned)
    )
    pair = two_steps(one, other)
    np.testing.assert_array_equal(pair.read(0, 0, STATES), base.read(1500, 0, STATES))
    np.testing.assert_array_equal(pair.read(1, 0, STATES), tuned.read(100, 0, STATES))


def test_what_is_no_pair_is_refused(runs, tmp_path):
    base, tuned = runs
    with pytest.raises(StoreMismatch, match="expected two checkpoints"):
        two_steps(base, base)
    with pytest.raises(StoreMismatch, match="have the same weights"):
        two_steps(base, tuned, base_step=0, tuned_step=0)
    with pytest.raises(KeyError, match="got step 7; the store has 0, 50, 100"):
        two_steps(base, tuned, tuned_step=7)
    retold = STAGE.write(tmp_path / "retold", {1: noise(0)})
    with h5py.File(retold.path / "0000_step1.h5", "a") as h5:
        h5.attrs["concepts"] = "another"
    with pytest.raises(StoreMismatch, match="captured with another concepts"):
        two_steps(base, ActivationStore.open(retold.path))
