"""Layer roles: planted tokens, concepts and neurons end up in the layers they were put in."""

import numpy as np
import pandas as pd
import pytest
from planted import PATH, Stage

from neurotrace.store import ActivationStore, CheckpointWriter
from neurotrace.trajectories import language_neurons
from neurotrace.trajectories.division import division_of_labour, role_claims
from neurotrace.trajectories.roles import _averages, _tells, _token_weights, layer_roles

LANGS = ("qaa_Latn", "qab_Cyrl", "qac_Grek")
N_GROUPS, N_TOKENS, D, WIDTHS = 48, 8, 12, (40, 24)
NEURONS, TOKENS, MEANS = PATH, "hook_resid_post/tokens", "hook_resid_post/mean"
rng = np.random.default_rng(0)
LANG = np.repeat(np.arange(3), N_GROUPS)
CONCEPT = np.tile(np.arange(N_GROUPS) % 4, 3)
TOKEN_LANG = np.repeat(LANG, N_TOKENS)
TYPES = TOKEN_LANG * 100 + rng.integers(0, 50, len(TOKEN_LANG))


def write(folder, index, step, *, language, tokens=True, seed=None):
    """Layer 1 tells concepts; ``language`` is how strongly each of two layers tells languages."""
    rng = np.random.default_rng(step if seed is None else seed)
    words, tongues = rng.standard_normal((300, D)), rng.standard_normal((3, D))
    topics = np.array([[0.0], [6.0]])[:, None] * rng.standard_normal((4, D))
    values = {("embed/tokens", None): words[TYPES]} if tokens else {}
    for layer, width in enumerate(WIDTHS):
        X = rng.standard_normal((len(LANG), width))
        if layer == 1:
            X[:, :4] += 9 * (CONCEPT[:, None] == np.arange(4))
            X[:, 10] += 9 * (LANG == 2)
        values[NEURONS, layer] = X
        values[MEANS, layer] = topics[layer][CONCEPT] + rng.standard_normal((len(LANG), D))
        if tokens:
            values[TOKENS, layer] = words[TYPES] + language[layer] * tongues[TOKEN_LANG]
    table = pd.DataFrame({"example": np.repeat(np.arange(len(LANG)), N_TOKENS), "id": TYPES})
    table = table.assign(position=0, word="", lang=[LANGS[i] for i in TOKEN_LANG], kind="whole")
    examples = pd.DataFrame(
        {
            "group": [f"g{i % N_GROUPS:02d}" for i in range(len(LANG))],
            "lang": [LANGS[i] for i in LANG],
            "n_tokens": N_TOKENS,
            "text_hash": "",
        }
    )
    with CheckpointWriter.open(
        folder / f"{index:04d}_step{step}.h5",
        header={"model": "planted", "step": step, "weight_hash": f"{index:064x}"},
        examples=examples,
        labels=(CONCEPT[:, None] == np.arange(4)).astype(np.int8),
        concepts=["c0", "c1", "c2", "c3"],
        arrays={key: (X.shape[1], "float32") for key, X in values.items()},
        tokens=table if tokens else None,
    ) as writer:
        writer.write(0, {key: X.astype("float32") for key, X in values.items()})
        writer.finish()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Languages are told in both layers at first, in the end in layer 1 alone."""
    folder = tmp_path_factory.mktemp("roles")
    for index, (step, language) in enumerate({0: (0, 0), 8: (4, 4), 64: (0.3, 4)}.items()):
        write(folder, index, step, language=language)
    return ActivationStore.open(folder)


@pytest.fixture(scope="module")
def roles(store):
    return layer_roles(store, top=4)


def test_languages_are_identified_where_they_were_planted(roles):
    found = roles["language_id"]
    assert float(found.sel(step=8).min()) > 0.95
    assert float(found.sel(step=64, layer=1)) > 0.95
    assert float(found.sel(step=64, layer=0)) < 0.8
    np.testing.assert_allclose(found.sel(step=0), 1 / 3, atol=0.12)
    np.testing.assert_allclose(roles["language_id_embed"], 1 / 3, atol=0.12)
    assert float(roles["language_id_chance"]) == pytest.approx(1 / 3)


def test_a_planted_division_of_labour_makes_both_claims_hold(roles):
    claims = role_claims(roles)
    assert (claims.attrs["first"], claims.attrs["last"]) == (8, 64)
    assert float(claims["mean_falls"]) == float(claims["spread_grows"]) == 1
    assert float(claims["whole_mean_change_low"]) > 0
    assert float(claims["minimum_layer"]) == 0
    assert "no evidence of sharing" in claims.attrs["note"]
    assert "no evidence of sharing" in division_of_labour(roles).attrs["note"]


def test_concepts_are_read_in_the_layer_that_has_them(roles):
    for name in ("within", "across"):
        np.testing.assert_allclose(roles[name].sel(layer=0), roles["chance"], atol=0.1)
        assert float(roles[name].sel(layer=1).min()) > 0.95
    np.testing.assert_allclose(roles["across_deranged"], roles["chance"], atol=0.12)
    np.testing.assert_array_equal(roles["across_ceiling"], roles["within"])


def test_experts_and_language_neurons_are_counted_in_their_layers(store, roles):
    np.testing.assert_allclose(roles["experts"].sum("layer"), 1)
    np.testing.assert_allclose(roles["experts_chance"], [40 / 64, 24 / 64])
    # One of four experts was planted in layer 1; the other three lie anywhere.
    assert (roles["experts"].sel(layer=1) > 1 / 4 + 0.2).all()
    np.testing.assert_allclose(roles["language_neurons"].sel(layer=1), 1 / 24)
    counted = (roles["language_neurons"] * list(WIDTHS)).sum("layer")
    np.testing.assert_allclose(counted, language_neurons(store)["value"].sum("lang"))
    assert float(roles["language_neurons_chance"].max()) == 0


def test_every_measure_stands_beside_its_interval_and_its_chance(roles):
    for name in ("language_id", "within", "across", "experts", "language_neurons"):
        assert roles[name].dims == ("step", "layer")
        assert f"{name}_chance" in roles
        assert (roles[f"{name}_low"] <= roles[name] + 1e-6).all()
        assert (roles[name] <= roles[f"{name}_high"] + 1e-6).all()


def test_steps_are_drawn_alike_so_that_a_repeated_checkpoint_shows_no_change(tmp_path):
    for index, step in enumerate((5, 50)):
        write(tmp_path, index, step, language=(1, 2), seed=1)
    found = layer_roles(ActivationStore.open(tmp_path))
    for name in ("language_id", "across", "experts", "language_neurons"):
        draws = found[f"{name}_draws"]
        np.testing.assert_array_equal(draws.sel(step=5), draws.sel(step=50))
        assert float(draws.std("replicate").max()) > 0
    claims = role_claims(found)
    assert float(claims["whole_mean_change_low"]) == float(claims["whole_mean_change_high"]) == 0


def test_weights_of_tokens_are_their_types_times_their_groups():
    lang, types = np.repeat([0, 1], 6), np.repeat([0, 1, 2, 3], 3)
    weights = _token_weights(lang, types, np.zeros(12, int), seed=0)
    np.testing.assert_array_equal(weights[0], 1)
    assert weights[:, 0].std() > 0
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])  # one type
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 3], 2)  # two types, drawn twice
    by_group = _token_weights(lang * 0, types * 0, np.arange(12), seed=0)  # a single type
    np.testing.assert_array_equal(by_group.sum(1), 12)
    assert by_group[1:].max() > 1
    averages = _averages(np.ones((1, 12), bool), lang, weights)
    np.testing.assert_allclose(averages[0], 1 / 12)
    np.testing.assert_allclose(averages.sum(1), 1, rtol=1e-6)


def test_a_neuron_tells_a_language_on_both_halves_or_not_at_all():
    own = np.tile([True, False], 40)
    in_a = np.arange(80) < 40
    X = np.stack([own, own & in_a], axis=1) + 0.1 * np.random.default_rng(0).random((80, 2))
    told = _tells(X.astype("f4"), np.stack([own, ~own], axis=1), in_a[None])
    assert told.tolist() == [True, False]


def test_without_token_states_the_rest_is_told_and_the_lack_named(tmp_path):
    write(tmp_path, 0, 0, language=(0, 0), tokens=False)
    found = layer_roles(ActivationStore.open(tmp_path))
    assert "language_id" not in found
    assert found.attrs["left_out"].startswith("language_id")
    assert "across" in division_of_labour(found)


def test_neurons_stand_in_for_states_and_one_language_is_refused(tmp_path):
    stage = Stage(3, 12, 2, (16, 16))
    X = np.random.default_rng(0).standard_normal((len(stage.lang), 32))
    assert layer_roles(stage.write(tmp_path / "a", {0: X})).attrs["states"] == PATH
    alone = Stage(3, 12, 1, (16, 16))
    store = alone.write(tmp_path / "b", {0: X[: len(alone.lang)]})
    with pytest.raises(ValueError, match="expected at least two"):
        layer_roles(store)
