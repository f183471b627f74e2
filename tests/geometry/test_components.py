"""The shared core: planted cores are found, and noise or deranged translations have none."""

import numpy as np
import pytest

from neurotrace.geometry.components import interlingual_components, shared_core
from neurotrace.geometry.nearest import Nearest, nearest

N_LANGS, N_GROUPS, WIDTH, RANK = 5, 240, 64, 6


def planted(seed, *, noise=0.15):
    """Half of the groups mean one thing in a common subspace; half live in one of their own."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    shared = np.arange(N_GROUPS) % 2 == 0
    meaning = rng.normal(size=(N_GROUPS, RANK)) @ axes[:RANK]
    X = noise * rng.normal(size=(N_LANGS, N_GROUPS, WIDTH))
    for lang in range(N_LANGS):
        first = RANK * (lang + 1)
        own = rng.normal(size=(N_GROUPS, RANK)) @ axes[first : first + RANK]
        X[lang] += np.where(shared[:, None], meaning, own)
    return X.reshape(-1, WIDTH), np.tile(shared, N_LANGS), axes[:RANK].T


def labels():
    langs = np.repeat([f"l{i}" for i in range(N_LANGS)], N_GROUPS)
    return langs, np.tile([f"g{i:03d}" for i in range(N_GROUPS)], N_LANGS)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_core_and_fragments_are_told_apart_and_the_subspace_is_found(seed, record_property):
    X, shared, axes = planted(seed)
    found = interlingual_components(X, *labels(), seed=seed)
    sensitivity, specificity = found.core[shared].mean(), (~found.core[~shared]).mean()
    record_property("balanced", float(sensitivity + specificity) / 2)
    assert sensitivity >= 0.9
    assert specificity >= 0.9
    assert found.basis.shape[1] >= 0.9 * RANK
    cosines = np.linalg.svd(found.basis.T @ axes, compute_uv=False)
    assert (cosines**2).sum() / max(RANK, found.basis.shape[1]) >= 0.9
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(found.basis.shape[1]), atol=1e-9)
    assert found.value == pytest.approx(shared.mean(), abs=0.1)
    assert found.chance < 0.01
    assert (found.shared > found.edge).all()
    assert found.shared.mean() == pytest.approx(0.5, abs=0.08)  # half the groups, variance 1


def test_translations_of_a_core_sentence_hang_together():
    X, shared, _ = planted(0)
    langs, groups = labels()
    found = interlingual_components(X, langs, groups)
    for group in np.unique(groups[shared])[:20]:
        members = found.component[(groups == group) & found.core]
        assert len(set(members)) <= 1
    sizes = np.bincount(found.component)
    assert (np.diff(sizes) <= 0).all()  # largest first
    assert sizes[0] == N_LANGS


@pytest.mark.parametrize("what", ["noise", "deranged"])
def test_nothing_is_found_in_noise_or_deranged_translations(what):
    directions, core = [], []
    for seed in range(12):
        X, _, _ = planted(seed)
        langs, groups = labels()
        rng = np.random.default_rng(seed)
        if what == "noise":
            X = rng.normal(size=X.shape)
        else:
            groups = np.concatenate(
                [rng.permutation(groups[langs == lang]) for lang in np.unique(langs)]
            )
        found = interlingual_components(X, langs, groups, seed=seed)
        directions.append(found.basis.shape[1])
        core.append(found.value)
    assert np.mean(np.array(directions) > 0) <= 0.2  # one in 21 by construction
    assert np.max(core) < 0.01


def test_rotation_and_the_order_of_rows_do_not_matter():
    X, _, _ = planted(3)
    langs, groups = labels()
    rng = np.random.default_rng(0)
    rotation, order = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0], rng.permutation(len(X))
    found = interlingual_components(X, langs, groups)
    turned = interlingual_components(X @ rotation, langs, groups)
    np.testing.assert_array_equal(turned.core, found.core)
    np.testing.assert_allclose(turned.shared, found.shared)
    spans = [B @ B.T for B in (rotation.T @ found.basis, turned.basis)]
    np.testing.assert_allclose(spans[0], spans[1], atol=1e-8)
    moved = interlingual_components(X[order], langs[order], groups[order])
    np.testing.assert_array_equal(moved.core, found.core[order])


def test_a_language_offset_hides_the_core_until_centred():
    X, _, _ = planted(4)
    langs, groups = labels()
    X = X + 20 * np.repeat(np.eye(WIDTH)[:N_LANGS], N_GROUPS, axis=0)
    assert interlingual_components(X, langs, groups).value == 0
    centred = interlingual_components(X, langs, groups, center=True)
    assert centred.value > 0.4


def test_bad_groups_are_refused_by_name():
    X, _, _ = planted(0)
    langs, groups = labels()
    near = nearest(X, k=5)
    for wrong, dials, words in (
        (np.zeros(len(X)), {}, "group twice in a language"),
        (np.arange(len(X)), {}, "no group in two languages"),
        (groups[:-1], {}, "groups of shape"),
        (groups, {"permutations": 0}, "permutations=0"),
        (groups, {"t": 5}, "t=5 other languages"),
    ):
        with pytest.raises(ValueError, match=words):
            interlingual_components(X, langs, wrong, neighbours=near, **dials)


def test_a_point_is_core_only_if_it_bridges_itself():
    # Three languages of two groups; only the first two points have two languages about them.
    near = np.array([[2, 4], [3, 5], [0, 3], [1, 2], [5, 0], [4, 1]])
    found = shared_core(Nearest(near, near * 0.0), list("aabbcc"), list("121212"), k=2, t=2)
    assert found[0].tolist() == [True, True, False, False, False, False]
    assert found[1].tolist() == [0, 1, 0, 1, 0, 1]
