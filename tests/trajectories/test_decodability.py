"""Concept probes: what languages share is read across, what is a language's own is not."""

import numpy as np
import pandas as pd
import pytest
from planted import PATH, Stage, rotation

from neurotrace.nodes import node_draws
from neurotrace.probes import expected_average_precision, fit_ridge
from neurotrace.store import ActivationStore, CheckpointWriter
from neurotrace.trajectories.decodability import (
    PENALTIES,
    _penalty,
    concept_decodability,
    within_and_across,
)

STAGE = Stage(n_concepts=6, n_groups=16, n_langs=3, widths=(24, 24))


def told(by_lang, *, signal=4.0, seed=0):
    """States (example, 48): concepts along (lang, concept, feature) directions, in layer 1 only."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((len(STAGE.lang), 48))
    X[:, 24:] += signal * by_lang[STAGE.lang, STAGE.concept]
    return X


def directions(n, seed=5):
    found = np.random.default_rng(seed).standard_normal((n, 6, 24))
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Step 0: every language its own directions. Step 1: the same directions in all."""
    shared = np.repeat(directions(1), 3, axis=0)
    given = {0: told(directions(3)), 1: told(shared)}
    return STAGE.write(tmp_path_factory.mktemp("told"), given)


@pytest.fixture(scope="module")
def found(store):
    return concept_decodability(store, path=PATH)


def means(decoded):
    every = within_and_across(decoded)
    return (every[f"{name}_draws"].isel(replicate=0) for name in ("within", "across"))


def test_shared_directions_are_read_as_well_across_as_within(found):
    within, across = (part.sel(step=1, layer=1) for part in means(found))
    assert float(within) > 0.85
    assert float(across) == pytest.approx(float(within), abs=0.03)


def test_directions_of_a_languages_own_are_read_within_and_at_chance_across(found):
    within, across = (part.sel(step=0, layer=1) for part in means(found))
    assert float(within) > 0.85
    drawn = within_and_across(found)["across_draws"].sel(step=0, layer=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert low < float(found["chance"].mean()) < high
    assert float(across) < 0.35


def test_a_probe_is_named_by_the_language_it_learnt_in(tmp_path):
    """Language a tells concepts twice, and louder in a way of its own, which its probes prefer."""
    shared = np.repeat(directions(1), 3, axis=0)
    shared[0] += 6 * directions(1, seed=9)[0]
    value = concept_decodability(STAGE.write(tmp_path, {0: told(shared, signal=3)}), path=PATH)
    told_by = value["value"].isel(step=0, layer=1).mean("concept")
    learnt_elsewhere = told_by.sel(lang_a="qab_Latn", lang_b="qaa_Latn")
    assert float(learnt_elsewhere - told_by.sel(lang_a="qaa_Latn", lang_b="qab_Latn")) > 0.1


def test_a_layer_without_concepts_is_at_chance(found):
    chance = expected_average_precision(8, 48)
    np.testing.assert_allclose(found["chance"], chance)
    for part in means(found):
        np.testing.assert_allclose(part.sel(layer=0), chance, atol=0.05)


def test_deranged_labels_are_read_nowhere(store):
    for part in means(concept_decodability(store, path=PATH, null="deranged")):
        np.testing.assert_allclose(part, expected_average_precision(8, 48), atol=0.06)


def test_neither_a_rotation_nor_the_place_of_a_language_matters(store, found, tmp_path):
    rng = np.random.default_rng(2)
    turn = np.zeros((48, 48))
    turn[:24, :24], turn[24:, 24:] = rotation(24, rng), rotation(24, rng)
    place = 10 * rng.standard_normal((3, 48))[STAGE.lang]
    given = {
        step: np.hstack([store.read(step, layer, PATH).values for layer in (0, 1)]) @ turn + place
        for step in (0, 1)
    }
    moved = concept_decodability(STAGE.write(tmp_path, given, dtype="float64"), path=PATH)
    np.testing.assert_allclose(moved["value"], found["value"], atol=2e-3)


def test_unknown_sentences_take_no_part(tmp_path):
    """Unknown sentences go far beyond a concept's positives: as negatives they would turn it."""
    rng = np.random.default_rng(0)
    n = 60
    concept = np.tile(np.repeat([0, 1, 2], 20), 2)
    labels = (concept[:, None] == [0, 1]).astype(np.int8)
    labels[concept == 2, 0] = -1
    X = 0.2 * rng.standard_normal((2 * n, 1)) + np.array([1.0, 0.0, 5.0])[concept, None]
    examples = pd.DataFrame(
        {
            "group": [f"g{i % n:02d}" for i in range(2 * n)],
            "lang": ["qaa_Latn"] * n + ["qab_Latn"] * n,
        }
    ).assign(n_tokens=1, text_hash="")
    with CheckpointWriter.open(
        tmp_path / "0000_step0.h5",
        header={"model": "planted", "step": 0, "weight_hash": "0" * 64},
        examples=examples,
        labels=labels,
        concepts=["c0", "c1"],
        arrays={(PATH, 0): (1, "float32")},
    ) as writer:
        writer.write(0, {(PATH, 0): X.astype("float32")})
        writer.finish()
    value = concept_decodability(ActivationStore.open(tmp_path), path=PATH)["value"]
    assert float(value.sel(concept="c0").min()) > 0.95


@pytest.mark.parametrize(("n", "d", "noise"), [(40, 8, 0.1), (40, 8, 6.0), (12, 30, 1.0)])
def test_the_penalty_is_that_of_the_least_error_left_out_in_turn(n, d, noise):
    rng = np.random.default_rng(d + n)
    X = rng.standard_normal((n, d)) * np.geomspace(1, 0.01, d)
    Y = X[:, :2] + noise * rng.standard_normal((n, 2))
    level = np.square(X - X.mean(0)).sum() / min(n, d)
    errors = []
    for penalty in PENALTIES:
        residuals = []
        for out in range(n):
            kept = np.arange(n) != out
            probe = fit_ridge(X[kept] - X.mean(0), Y[kept].T, alpha=penalty * level)
            residuals.append(probe.coef @ (X[out] - X.mean(0)) + probe.intercept - Y[out])
        errors.append(np.square(residuals).mean())
    assert _penalty(X, Y) == pytest.approx(level * PENALTIES[int(np.argmin(errors))])


def test_a_mean_over_nodes_moves_as_leaving_them_out_does():
    """One language differs: by hand, jackknife error √(2/3 Σ (θ₋ᵢ − mean)²) of (0, 0, 3)."""
    by_lang = np.array([0.0, 0.0, 3.0])

    def mean(concepts, langs):
        shared = concepts.mean(1) / concepts.mean(1)  # no concept differs
        return (shared * (langs @ by_lang) / langs.sum(1))[:, None] * np.array([1.0, -1.0])

    draws, noise = node_draws(mean, 4, 3, replicates=20_000)
    np.testing.assert_allclose(draws[0], [1.0, -1.0])
    # Leave-one-out means 1.5, 1.5, 0: √(2/3 · (¼ + ¼ + 1)) = 1, and so far the layers move.
    assert noise == pytest.approx(1.0)
    low, high = np.quantile(draws[:, 0], [0.025, 0.975])
    assert (high - low) / 2 == pytest.approx(4.303, rel=0.04)  # Student's t, two degrees


def test_two_concepts_have_no_draws_and_two_languages_still_pair():
    def mean(concepts, langs):
        pairs = langs[:, 0] * langs[:, 1]
        return np.where(pairs > 0, 1.0, np.nan)[:, None] * concepts.mean(1)[:, None]

    draws, _ = node_draws(mean, 2, 2)
    assert len(draws) == 1
    assert np.isfinite(node_draws(mean, 3, 2)[0]).all()
