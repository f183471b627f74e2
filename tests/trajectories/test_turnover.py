"""Turnover of expert sets: by hand, planted in a store, and refused between runs."""

import numpy as np
import pytest
import xarray as xr
from planted import Stage, experts_of, fire

from neurotrace.trajectories.turnover import expert_turnover, turnover

K, N = 12, 512


def sets(a, b) -> xr.Dataset:
    dims = ("step", "k")
    steps = np.arange(len(a)) * 10
    return xr.Dataset({"a": (dims, np.array(a)), "b": (dims, np.array(b))}, coords={"step": steps})


def test_the_agreement_of_two_checkpoints_is_counted_across_halves():
    found = turnover(sets([[0, 1, 2, 3], [0, 1, 8, 9]], [[0, 1, 2, 4], [0, 1, 2, 8]]), n_neurons=40)
    # A before, B after: {0, 1, 2}; B before, A after: {0, 1}
    assert float(found["value"][0]) == pytest.approx(1 - (3 / 4 + 2 / 4) / 2)
    assert float(found["chance"]) == pytest.approx(1 - 4 / 40)
    assert float(found["rel_before"][0]) == 3 / 4
    assert float(found["rel"][0]) == 3 / 4
    assert float(found["corrected"][0]) == pytest.approx((0.625 - 0.1) / 0.65)
    assert float(found["ceiling"][0]) == pytest.approx(1 - 0.75)
    assert found["step"].values.tolist() == [10]


def test_equal_sets_have_none_and_strangers_are_replaced_whole():
    same = turnover(sets([[0, 1], [0, 1]], [[0, 1], [0, 1]]), n_neurons=100)
    assert float(same["value"][0]) == 0
    assert float(same["corrected"][0]) == 1
    other = turnover(sets([[0, 1], [2, 3]], [[0, 1], [2, 3]]), n_neurons=100)
    assert float(other["value"][0]) == 1
    assert float(other["corrected"][0]) < 0


def test_sets_that_do_not_agree_with_themselves_have_no_corrected_value():
    found = turnover(sets([[0, 1], [0, 1]], [[2, 3], [4, 5]]), n_neurons=100)
    assert np.isnan(found["corrected"][0])


def test_numbers_of_neurons_and_their_order_mean_nothing():
    rng = np.random.default_rng(0)
    shape = (4, 2, 3, 2)
    draw = np.stack([rng.permuted(np.arange(60).reshape(1, -1).repeat(48, 0), axis=1)[:, :10]] * 2)
    draw[1, :, :5] = draw[0, :, 5:]
    dims = ("step", "split", "concept", "lang", "k")
    a, b = (xr.DataArray(d.reshape(*shape, 10), dims=dims) for d in draw)
    renamed = rng.permutation(60)
    plain = turnover(xr.Dataset({"a": a, "b": b}), n_neurons=60)
    moved = turnover(
        xr.Dataset({"a": a.copy(data=renamed[a.values][..., ::-1]), "b": b.copy(data=renamed[b])}),
        n_neurons=60,
    )
    assert plain["value"].dims == ("step", "concept", "lang")
    np.testing.assert_allclose(moved["value"], plain["value"])


@pytest.fixture(scope="module")
def half_replaced(tmp_path_factory):
    """The same experts at steps 0 and 1, half of them others at step 2."""
    stage, rng = Stage(), np.random.default_rng(0)
    before = experts_of(stage, k=K, shared=0, rng=rng)
    after = before.copy()
    after[..., : K // 2] = (after[..., : K // 2] + N // 2) % N
    responses = {
        step: fire(stage, planted, signal=3, rng=np.random.default_rng(step))
        for step, planted in enumerate((before, before, after))
    }
    return stage.write(tmp_path_factory.mktemp("half"), responses)


def test_the_planted_share_is_kept_whatever_the_noise(half_replaced):
    found = expert_turnover(half_replaced, top=K)
    assert found["step"].values.tolist() == [1, 2]
    np.testing.assert_allclose(found["corrected"], [1, 0.5], atol=0.06)
    assert (found["corrected_low"] <= found["corrected"]).all()
    assert (found["corrected_high"] >= found["corrected"]).all()
    assert float(found["corrected_high"][1]) < float(found["corrected_low"][0])
    assert float(found["value"][0]) == pytest.approx(float(found["ceiling"][0]), abs=0.03)
    assert float(found["chance"]) == pytest.approx(1 - K / N)


def test_the_lift_counts_what_the_pure_function_counts(half_replaced):
    from neurotrace.trajectories.halved import Halved

    halved = Halved.of(half_replaced, "mlp.hook_post/max", n_splits=2, seed=0)
    chosen = [halved.experts(step, K, layers=half_replaced.layers) for step in (0, 1, 2)]
    dims = ("step", "lang", "split", "concept", "k")
    a, b = (xr.DataArray(np.stack(chosen)[:, :, :, half], dims=dims) for half in (0, 1))
    pure = turnover(xr.Dataset({"a": a, "b": b}), n_neurons=N)["value"].mean(["lang", "concept"])
    lifted = expert_turnover(half_replaced, top=K, n_splits=2, replicates=20)
    np.testing.assert_allclose(lifted["value"], pure)


def test_two_runs_and_other_bad_questions_are_refused(half_replaced):
    two = sets([[0, 1], [0, 1]], [[0, 1], [0, 1]])
    with pytest.raises(ValueError, match="got an axis run; expected one training run"):
        turnover(two.expand_dims(run=2), n_neurons=10)
    with pytest.raises(ValueError, match="expected the halves a and b"):
        turnover(two[["a"]], n_neurons=10)
    with pytest.raises(ValueError, match="got 1 checkpoints"):
        turnover(two.isel(step=[0]), n_neurons=10)
    kept = half_replaced.checkpoints
    try:
        half_replaced.checkpoints = kept.assign(model=["one", "one", "two"])
        with pytest.raises(ValueError, match="got a store of one, two; expected one training run"):
            expert_turnover(half_replaced, top=K)
    finally:
        half_replaced.checkpoints = kept
