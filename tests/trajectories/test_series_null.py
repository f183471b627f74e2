"""The null of a series: one exchange of concepts a draw, the same wherever it is looked at."""

import numpy as np
import pytest
import xarray as xr
from planted import PATH, Stage, experts_of, fire

from neurotrace.trajectories import expert_overlap, summarize
from neurotrace.trajectories.agreement import Agreement, reliability_root, with_ceiling
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.onset import onset
from neurotrace.trajectories.overlap import expert_overlaps
from neurotrace.trajectories.series_null import (
    _cycles,
    _distinct,
    corrected_null,
    exchanges,
    overlap_null,
)

K = 12


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Steps 1 and 2 alike, 3 with the same experts and other noise, 4 without any signal."""
    stage, rng = Stage(n_langs=3), np.random.default_rng(0)
    experts = experts_of(stage, k=K, shared=0.3, rng=rng)
    first, other = (fire(stage, experts, signal=2.0, rng=rng) for _ in range(2))
    noise = rng.standard_normal(first.shape)
    responses = {1: first, 2: first, 3: other, 4: noise}
    return stage.write(tmp_path_factory.mktemp("series"), responses)


def test_no_two_languages_hand_over_the_same_concept():
    moved = exchanges(9, 5, replicates=50)
    np.testing.assert_array_equal(
        np.sort(moved, axis=-1), np.broadcast_to(np.arange(9), (50, 5, 9))
    )
    distinct = [len(np.unique(column)) for draw in moved for column in draw.T]
    assert min(distinct) == 5
    assert len(np.unique(moved.reshape(50, -1), axis=0)) == 50
    np.testing.assert_array_equal(moved, exchanges(9, 5, replicates=50))


def test_three_concepts_by_hand():
    pairwise = np.array([[0.9, 0.1, 0.2], [0.3, 0.9, 0.4], [0.5, 0.6, 0.9]])
    moved = _cycles(3, 2, 100, seed=0)
    drawn = overlap_null(pairwise, moved[:, 0], moved[:, 1])
    round_and_back = [(0.1 + 0.4 + 0.5) / 3, (0.2 + 0.3 + 0.6) / 3]
    np.testing.assert_allclose(np.unique(drawn.round(12)), round_and_back)


def test_a_null_below_chance_is_moved_to_zero_and_one_above_stays():
    by_pair = np.array([[0.02, 0.04], [0.30, 0.30]])
    root = np.array([0.5, np.nan])
    np.testing.assert_allclose(corrected_null(by_pair, root, 0.08), [-0.02, 0.02])
    np.testing.assert_allclose(corrected_null(by_pair, root, 0.01), [0.02, 0.06])
    assert np.isnan(corrected_null(by_pair, np.full(2, np.nan), 0.01)).all()


def test_draws_are_overlaps_of_sets_that_changed_places(series):
    found = expert_overlap(series, top=K, n_splits=2, replicates=7)
    halved = Halved.of(series, PATH, n_splits=2, seed=0)
    chance, moved = float(found["chance"]), exchanges(8, 3, replicates=7)
    rel = found["rel"].sel(step=3).values.mean(0)
    sets = halved.experts(3, K, layers=series.layers)
    corrected = np.zeros(7)
    for draw, moves in enumerate(moved):
        new = np.stack([sets[lang][:, :, move] for lang, move in enumerate(moves)])
        for a, b in ((0, 1), (0, 2), (1, 2)):
            shared = [
                len(set(new[a, s, h, c]) & set(new[b, s, 1 - h, c])) / K
                for s in range(2)
                for h in range(2)
                for c in range(8)
            ]
            root = float(reliability_root(rel[a], rel[b], chance))
            corrected[draw] += (np.mean(shared) - chance) / root / 3
    conservative = corrected - min(0, corrected.mean())
    np.testing.assert_allclose(found["null"].sel(step=3), conservative, atol=1e-12)


def test_the_same_exchange_holds_at_every_step(series):
    null = expert_overlap(series, top=K, n_splits=4)["null"]
    assert null.sizes["replicate"] == 200
    np.testing.assert_array_equal(null.sel(step=1), null.sel(step=2))
    assert np.corrcoef(null.sel(step=1), null.sel(step=3))[0, 1] > 0.5
    assert (null.sel(step=[1, 2, 3]).mean("replicate") > -1e-12).all()


def test_the_null_is_undefined_where_corrected_overlap_is(series):
    found = expert_overlap(series, top=K, n_splits=4)
    undefined = np.isnan(summarize(found)["corrected"].values)
    assert undefined.tolist() == [False, False, False, True]
    np.testing.assert_array_equal(np.isnan(found["null"].values).all(1), undefined)
    np.testing.assert_array_equal(np.isnan(found["null"].values).any(1), undefined)


def test_the_order_of_neurons_changes_nothing(series, tmp_path):
    stage = Stage(n_langs=3)
    X = np.concatenate([series.read(1, layer, PATH).values for layer in series.layers], axis=1)
    order = np.random.default_rng(1).permutation(X.shape[1])
    store = stage.write(tmp_path, {1: X[:, order]})
    null = [expert_overlap(s, top=K, n_splits=2)["null"].values[0] for s in (series, store)]
    np.testing.assert_allclose(*null, atol=1e-12)


def agreement(sets, widths, moved):
    counted = Agreement(sets.shape[-1], widths)
    counted.add(sets)
    kept = counted.means(moved).expand_dims(["layer", "k"])
    return with_ceiling(kept, len(sets)).isel(layer=0, k=0)


@pytest.mark.parametrize(
    ("n_concepts", "n_langs", "distinct"),
    [(1, 2, 1), (2, 2, 1), (3, 2, 2), (4, 2, 9), (5, 2, 24), (4, 3, 18), (5, 3, 72)],
)
def test_too_few_exchanges_are_no_null(n_concepts, n_langs, distinct):
    assert _distinct(_cycles(n_concepts, n_langs, 3000, seed=0)) == distinct
    sets = np.arange(n_concepts * 4).reshape(1, 1, 1, n_concepts, 4)
    sets = np.broadcast_to(sets, (n_langs, 2, 2, n_concepts, 4))
    moved = exchanges(n_concepts, n_langs, replicates=5)
    found = agreement(sets.astype(np.intp), np.array([64]), moved)
    assert float(found["corrected"].mean()) == pytest.approx(1)
    assert np.isnan(found["null"]).all()


@pytest.mark.parametrize(("n_concepts", "n_langs"), [(6, 2), (7, 2), (5, 4), (12, 2)])
def test_enough_exchanges_are_a_null_whatever_the_seed_and_the_number_drawn(n_concepts, n_langs):
    for seed in range(20):
        moved = exchanges(n_concepts, n_langs, replicates=7, seed=seed)
        assert moved.shape == (7, n_langs, n_concepts)
        assert (moved[:, 0] != moved[:, 1]).all()
        longer = exchanges(n_concepts, n_langs, replicates=400, seed=seed)
        np.testing.assert_array_equal(moved, longer[:7])


def slow_overlap(n_concepts: int, rng: np.random.Generator) -> np.ndarray:
    """Overlaps (step, concept, concept) of two languages that share nothing, slow over steps."""
    sets = rng.standard_normal((17, 2, n_concepts, 6))
    for step in range(1, 17):
        sets[step] = 0.9 * sets[step - 1] + 0.19**0.5 * sets[step]
    return np.einsum("tcu,tdu->tcd", sets[:, 0], sets[:, 1])


@pytest.mark.parametrize(("n_concepts", "said"), [(3, "undefined"), (6, "none")])
def test_small_sets_of_concepts_have_no_false_onsets(n_concepts, said, record_property):
    n, outcomes = 60, []
    for seed in range(n):
        rng = np.random.default_rng([seed, 4])
        moved = exchanges(n_concepts, 2, seed=seed)
        overlaps = slow_overlap(n_concepts, rng)
        null = np.stack([overlap_null(one, moved[:, 0], moved[:, 1]) for one in overlaps], 1)
        curve = np.einsum("tcc->t", overlaps)[None] / n_concepts
        made = (
            xr.DataArray(values, dims=("replicate", "step"), coords={"step": np.arange(17)})
            for values in (curve, null)
        )
        outcomes.append(str(onset(*made)["outcome"].values))
    record_property("false_onsets", float(outcomes.count("onset") / n))
    assert outcomes.count("onset") <= 0.05 * n
    assert outcomes.count(said) >= 0.85 * n


def test_more_languages_than_concepts_leave_out_pairs_that_move_alike():
    moved = _cycles(3, 5, 60, seed=0)
    pairwise = np.full((3, 3), 0.1) + 0.8 * np.eye(3)
    drawn = np.stack(
        [
            overlap_null(pairwise, moved[:, a], moved[:, b])
            for a in range(5)
            for b in range(a + 1, 5)
        ]
    )
    np.testing.assert_allclose(np.nanmax(drawn, axis=0), 0.1)  # never a matching concept
    assert (np.isnan(drawn).sum(0) == 2).all()
    assert np.isnan(drawn).any(1).all()  # now one pair, now another


def test_unrelated_sets_pass_the_null_as_often_as_they_should(record_property):
    rng, alarms, n = np.random.default_rng(2), 0, 300
    for seed in range(n):
        drawn = rng.permuted(np.tile(np.arange(120), (3, 8, 1)), axis=-1)[..., :K]
        sets = np.broadcast_to(drawn[:, None, None], (3, 1, 2, 8, K)).astype(np.intp)
        found = agreement(sets, np.array([120]), exchanges(8, 3, replicates=99, seed=seed))
        alarms += float(found["corrected"].mean()) > np.quantile(found["null"], 0.95)
    record_property("false_alarms", float(alarms / n))
    assert 0.01 <= alarms / n <= 0.08


def test_one_pass_gives_what_two_calls_give(series):
    whole, within = expert_overlaps(series, top=[4, K], layer_top=0.02, n_splits=3)
    alone = expert_overlap(series, top=[4, K], n_splits=3)
    layers = expert_overlap(series, top=0.02, per_layer=True, n_splits=3)
    assert whole.identical(alone)
    assert within.identical(layers)
    assert within["null"].dims == ("step", "layer", "replicate")
