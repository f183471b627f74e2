"""Division of labour: spreads by hand, flat profiles at their null, and what makes a claim."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories.division import corrected_spread, division_of_labour, role_claims


def roles(truth, noise, *, replicates=300, seed=0, sampled=True, name="language_id"):
    """Draws around a truth (step, layer); noise is one number, or one a step."""
    rng = np.random.default_rng(seed)
    truth = np.asarray(truth, dtype=float)
    scale = np.broadcast_to(np.asarray(noise, dtype=float), len(truth))[:, None]
    estimate = truth + sampled * scale * rng.standard_normal(truth.shape)
    draws = estimate + scale * rng.standard_normal((replicates, *truth.shape))
    return xr.Dataset(
        {f"{name}_draws": (("replicate", "step", "layer"), np.concatenate([[estimate], draws]))},
        coords={
            "step": [0, 10, 100, 1000, *range(2000, 2196)][: len(truth)],
            "layer": np.arange(truth.shape[1]),
        },
    )


def test_spread_and_changes_by_hand():
    truth = [[0.5, 0.5], [0.9, 0.9], [0.8, 1.0], [0.4, 0.8]]
    made = roles(truth, 0.0, replicates=20)
    np.testing.assert_allclose(division_of_labour(made)["language_id"], [0, 0, 0.1, 0.2])
    claims = role_claims(made)
    # Means .5 .9 .9 .6: the headline starts at step 10, the first of the highest.
    assert claims.attrs["first"] == 10
    assert (claims.attrs["series_first"], claims.attrs["last"]) == (0, 1000)
    assert float(claims["mean_change"]) == pytest.approx(-0.3)
    assert float(claims["spread_change"]) == pytest.approx(0.2)
    assert float(claims["whole_mean_change"]) == pytest.approx(0.1)
    assert float(claims["chance"]) == 0


def test_correction_takes_the_spread_of_noise_off_in_squares():
    made = roles([[0.1, 0.9]], 0.0, replicates=4)
    noise = np.array([[0.3, -0.3], [-0.3, 0.3], [0.3, -0.3], [-0.3, 0.3]])
    made["language_id_draws"][1:, 0] += noise
    found = division_of_labour(made)
    assert found["language_id"].item() == pytest.approx(0.4)
    assert found["language_id_chance"].item() == pytest.approx(0.3)
    assert found["language_id_corrected"].item() == pytest.approx((0.16 - 0.09) ** 0.5)
    # The draws' spreads are .1, .7, .1, .7, in squares less twice .09.
    squared = [0.16 - 0.09, *(value**2 - 2 * 0.09 for value in (0.1, 0.7, 0.1, 0.7))]
    drawn = corrected_spread(made, "language_id").values[:, 0]
    np.testing.assert_allclose(np.sign(drawn) * drawn**2, squared, atol=1e-12)


@pytest.mark.parametrize("n_layers", [4, 24])
def test_flat_profiles_lie_at_their_null(n_layers):
    """Two hundred series of one checkpoint each."""
    found = division_of_labour(roles(np.full((200, n_layers), 0.9), 0.02))
    squared, chance = (np.square(found[name]) for name in ("language_id", "language_id_chance"))
    assert float(squared.mean()) == pytest.approx(float(chance.mean()), rel=0.15)
    over = found["language_id"] > found["language_id_chance_high"]
    assert 0.01 <= float(over.mean()) <= 0.1  # of a true 5 %
    assert float((found["language_id_corrected_low"] > 0).mean()) <= 0.05


@pytest.mark.parametrize("n_layers", [4, 24])
def test_a_planted_gradient_is_found_without_bias_and_covered(n_layers):
    truth = np.linspace(0.7, 0.9, n_layers)
    found = division_of_labour(roles(np.tile(truth, (200, 1)), 0.02))
    assert float(found["language_id_corrected"].mean()) == pytest.approx(truth.std(), rel=0.03)
    raw = (truth.var() + 0.02**2 * (1 - 1 / n_layers)) ** 0.5  # noise adds to it in squares
    for name, true in (("language_id", raw), ("language_id_corrected", truth.std())):
        low, high = found[f"{name}_low"], found[f"{name}_high"]
        assert float(((low <= true) & (true <= high)).mean()) >= 0.92
    assert float((found["language_id_corrected_low"] > 0).mean()) > 0.99


def test_the_order_of_layers_changes_no_spread_and_no_change():
    made = roles(np.random.default_rng(1).random((4, 6)), 0.02)
    order = [3, 0, 5, 1, 4, 2]
    mixed = made.assign(
        language_id_draws=made["language_id_draws"][:, :, order].assign_coords(
            layer=made["layer"].values
        )
    )
    a, b = division_of_labour(made), division_of_labour(mixed)
    for name in ("language_id", "language_id_chance", "language_id_corrected_low"):
        np.testing.assert_allclose(a[name], b[name])
    c, d = role_claims(made), role_claims(mixed)
    for name in ("mean_change", "spread_change_high", "whole_spread_change"):
        np.testing.assert_allclose(c[name], d[name])


def test_claims_hold_where_planted_and_only_there():
    flat = np.full((4, 5), 0.9)
    divided = flat.copy()
    divided[3] = [0.6, 0.7, 0.75, 0.8, 0.9]
    for truth, holds in ((flat, 0.0), (divided, 1.0)):
        claims = [role_claims(roles(truth, [0.005, 0.01, 0.01, 0.02], seed=s)) for s in range(20)]
        for name in ("mean_falls", "spread_grows"):
            assert np.mean([float(part[name]) for part in claims]) == pytest.approx(holds, abs=0.1)


def test_the_headline_pays_for_having_chosen_its_start():
    truth = np.repeat([[0.9], [0.7], [0.7], [0.7]], 5, axis=1)
    claims = role_claims(roles(truth, 0.02, replicates=2000))
    assert claims.attrs["first"] == claims.attrs["series_first"]
    assert float(claims["mean_change"]) == float(claims["whole_mean_change"])
    headline, whole = (
        float(claims[f"{window}mean_change_high"] - claims[f"{window}mean_change_low"])
        for window in ("", "whole_")
    )
    # Three starts that share the last step: about 2.35 standard errors instead of 1.96.
    assert headline / whole == pytest.approx(2.35 / 1.96, rel=0.06)


@pytest.mark.slow
def test_long_flat_series_fall_and_divide_in_at_most_one_of_twenty():
    """Seventeen checkpoints give a chosen start much to choose from; noise grows along them."""
    made = [
        roles(np.full((17, 6), 0.9), np.linspace(0.005, 0.02, 17), seed=seed) for seed in range(200)
    ]
    claims = [role_claims(one) for one in made]
    assert np.mean([float(part["mean_falls"]) for part in claims]) <= 0.05
    assert np.mean([float(part["spread_grows"]) for part in claims]) <= 0.05


def test_a_highest_mean_at_the_end_leaves_nothing_to_compare():
    claims = role_claims(roles([[0.3, 0.4], [0.8, 0.9]], 0.01))
    assert claims.attrs["first"] == claims.attrs["last"] == 10
    assert float(claims["mean_change"]) == 0
    assert np.isnan(claims["mean_change_low"])
    assert float(claims["mean_falls"]) == float(claims["spread_grows"]) == 0
    assert float(claims["whole_mean_change_low"]) > 0.4


def test_the_lowest_layer_is_named_with_its_support():
    claims = role_claims(roles([[0.9, 0.9, 0.9], [0.8, 0.5, 0.9]], 0.01))
    assert float(claims["minimum_layer"]) == 1
    assert float(claims["minimum_support"]) == 1
    assert float(claims["minimum_is_last"]) == 0
    found = division_of_labour(roles([[0.8, 0.9, 0.5]], 0.01))
    assert found["language_id_minimum"].values.tolist() == [2]


def test_net_of_the_embeddings_a_fall_may_vanish():
    made = roles([[0.9, 0.9], [0.7, 0.7]], 0.01)
    embed = 0.8 * np.ones((301, 2)) - [0, 0.2]
    claims = role_claims(made.assign(language_id_embed_draws=(("replicate", "step"), embed)))
    assert float(claims["mean_change_high"]) < 0
    assert float(claims["net_mean_change_low"]) < 0 < float(claims["net_mean_change_high"])


def test_one_checkpoint_has_no_change():
    with pytest.raises(ValueError, match="got 1 checkpoint; expected at least two"):
        role_claims(roles([[0.3, 0.4]], 0.01))


def test_concepts_alone_are_compared_over_the_whole_series():
    claims = role_claims(roles([[0.1, 0.1], [0.5, 0.9]], 0.01, name="across"))
    assert "mean_change" not in claims
    assert float(claims["whole_across_mean_change"]) == pytest.approx(0.6, abs=0.05)
    assert float(claims["across_spread_change_low"]) > 0
