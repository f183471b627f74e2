"""Ceilings: a planted direction is found by both, and crosses languages only where it is shared."""

import numpy as np
import pytest
from planted import Stage

from neurotrace.trajectories import ceilings

STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(64, 64))


def responses(shared: bool, strength: float = 0.6) -> np.ndarray:
    """Every concept pushes all neurons a little along a direction, common or a language's own."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((3, 4, STAGE.n_neurons))
    directions[1:] = directions[0] if shared else directions[1:]
    noise = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    return noise + strength * directions[STAGE.lang, STAGE.concept]


@pytest.mark.parametrize("shared", [True, False])
def test_directions_cross_languages_where_they_are_shared(tmp_path, shared):
    found = ceilings(STAGE.write(tmp_path, {0: responses(shared)}))
    off = ~np.eye(3, dtype=bool)
    for kind in ("direction", "dense"):
        value = found[kind][0].mean("concept").values
        assert np.diag(value).min() > 0.95, kind
        if shared:
            assert value[off].min() > 0.95, kind
        else:
            assert value[off].max() < 0.5, kind
    assert float(found["chance"].mean()) < 0.35


def test_noise_reads_chance_on_held_out_sentences(tmp_path):
    noise = np.random.default_rng(1).standard_normal((len(STAGE.lang), STAGE.n_neurons))
    found = ceilings(STAGE.write(tmp_path, {0: noise}), n_splits=6)
    chance = float(found["chance"].mean())
    for kind in ("direction", "dense"):
        assert float(found[kind].mean()) == pytest.approx(chance, abs=0.03)


def test_a_rotation_of_all_neurons_changes_nothing_where_scales_are_equal(tmp_path):
    from planted import rotation

    stage = Stage(n_concepts=4, n_groups=24, n_langs=2, widths=(64,))
    rng = np.random.default_rng(2)
    directions = rng.standard_normal((4, 64))
    X = rng.standard_normal((len(stage.lang), 64)) + 0.3 * directions[stage.concept]
    X = np.concatenate([_whitened(X[stage.lang == lang]) for lang in (0, 1)])
    q = rotation(64, rng)
    plain, turned = (
        ceilings(stage.write(tmp_path / name, {0: given}))
        for name, given in (("plain", X), ("turned", X @ q))
    )
    np.testing.assert_allclose(turned["direction"], plain["direction"], atol=0.02)


def _whitened(X):
    X = X - X.mean(0)
    u, _, vt = np.linalg.svd(X, full_matrices=False)
    return u @ vt * np.sqrt(len(X))
