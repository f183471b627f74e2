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
    # The first checkpoint at or after 2 % of 1000 is 100; the means are .5 .9 .9 .6.
    steps = [claims.attrs[name] for name in ("series_first", "peak", "first", "last")]
    assert steps == [0, 10, 100, 1000]
    assert float(claims["mean_change"]) == pytest.approx(-0.3)
    assert float(claims["spread_change"]) == pytest.approx(0.1)
    assert float(claims["peak_spread_change"]) == pytest.approx(0.2)
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


def test_a_chosen_start_pays_for_its_choice_and_a_fixed_one_does_not():
    truth = np.repeat([[0.9], [0.7], [0.7], [0.7]], 5, axis=1)
    claims = role_claims(roles(truth, 0.02, replicates=2000))
    assert claims.attrs["peak"] == claims.attrs["series_first"]
    assert float(claims["peak_mean_change"]) == float(claims["whole_mean_change"])
    peak, headline, whole = (
        float(claims[f"{window}mean_change_high"] - claims[f"{window}mean_change_low"])
        for window in ("peak_", "", "whole_")
    )
    # Three starts that share the last step: about 2.35 standard errors instead of 1.96.
    assert peak / whole == pytest.approx(2.35 / 1.96, rel=0.06)
    assert headline == pytest.approx(2 * 1.96 * 0.02 * (2 / 5) ** 0.5, rel=0.06)


def test_the_start_of_the_headline_does_not_depend_on_the_curves():
    rng = np.random.default_rng(3)
    for _ in range(5):
        claims = role_claims(roles(0.5 + 0.4 * rng.random((4, 3)), 0.01))
        assert claims.attrs["first"] == 100


def wandering(seed: int) -> xr.Dataset:
    """Seventeen checkpoints of layers that wander about .95 and go nowhere, with noise."""
    rng = np.random.default_rng([seed, 9])
    walk = rng.standard_normal((17, 6)) + rng.standard_normal((17, 1))
    for step in range(1, 17):
        walk[step] = 0.9 * walk[step - 1] + 0.19**0.5 * walk[step]
    made = roles(np.clip(0.95 + 0.02 * walk, 0, 1), 0.005, seed=seed, replicates=100)
    return made.assign_coords(step=[0, *(2**i for i in range(16))])


def test_a_stationary_walk_falls_no_oftener_than_it_rises(record_property):
    """The peak of a wandering curve lies above its end; a start fixed beforehand does not."""
    claims = [role_claims(wandering(seed)) for seed in range(100)]
    falls = np.mean([float(one["mean_falls"]) for one in claims])
    rises = np.mean([float(one["mean_change_low"]) > 0 for one in claims])
    grows = np.mean([float(one["spread_grows"]) for one in claims])
    shrinks = np.mean([float(one["spread_change_high"]) < 0 for one in claims])
    of_peak = np.mean([float(one["peak_mean_change_high"]) < 0 for one in claims])
    for name, rate in (("falls", falls), ("rises", rises), ("grows", grows), ("peak", of_peak)):
        record_property(name, float(rate))
    assert of_peak > falls + 0.15, "the test could not see what it guards against"
    assert abs(falls - rises) < 0.2
    assert abs(grows - shrinks) < 0.2


@pytest.mark.slow
def test_long_flat_series_fall_and_divide_in_at_most_one_of_twenty():
    """Seventeen checkpoints give a chosen start much to choose from; noise grows along them."""
    made = [
        roles(np.full((17, 6), 0.9), np.linspace(0.005, 0.02, 17), seed=seed) for seed in range(200)
    ]
    claims = [role_claims(one) for one in made]
    assert np.mean([float(part["mean_falls"]) for part in claims]) <= 0.05
    assert np.mean([float(part["spread_grows"]) for part in claims]) <= 0.05


def test_a_start_that_is_the_end_leaves_nothing_to_compare():
    claims = role_claims(roles([[0.3, 0.4], [0.8, 0.9]], 0.01))
    assert claims.attrs["first"] == claims.attrs["peak"] == claims.attrs["last"] == 10
    assert np.isnan(claims["peak_mean_change_low"])
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
    made = roles([[0.5, 0.5], [0.5, 0.5], [0.9, 0.9], [0.7, 0.7]], 0.01)
    embed = 0.8 * np.ones((301, 4)) - [0, 0, 0, 0.2]
    claims = role_claims(made.assign(language_id_embed_draws=(("replicate", "step"), embed)))
    assert float(claims["mean_change_high"]) < 0
    assert float(claims["net_mean_change_low"]) < 0 < float(claims["net_mean_change_high"])


def test_one_checkpoint_has_no_change():
    with pytest.raises(ValueError, match="got 1 checkpoint; expected at least two"):
        role_claims(roles([[0.3, 0.4]], 0.01))


def test_concepts_alone_are_compared_as_languages_are():
    truth = [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.5, 0.9]]
    claims = role_claims(roles(truth, 0.01, name="across"))
    assert "mean_change" not in claims
    assert "peak" not in claims.attrs
    assert float(claims["whole_across_mean_change"]) == pytest.approx(0.6, abs=0.05)
    assert float(claims["across_mean_change"]) == pytest.approx(0.4, abs=0.05)
    assert float(claims["across_spread_change_low"]) > 0
