"""Participation: known spectra, few sentences, language means that do not count."""

import sys

import numpy as np
import pytest
from planted import Stage

from neurotrace.geometry.participation import participation_interval, participation_ratio
from neurotrace.trajectories.participation import participation

module = sys.modules["neurotrace.trajectories.participation"]
STAGE = Stage(n_concepts=4, n_groups=24, n_langs=3, widths=(30, 30))


def gaussian(n: int, scales: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((n, len(scales))) * scales


def plain(X: np.ndarray) -> float:
    values = np.linalg.eigvalsh(np.cov(X, rowvar=False))
    return values.sum() ** 2 / (values**2).sum()


def test_known_spectra():
    rng = np.random.default_rng(0)
    one = rng.standard_normal((200, 1)) @ rng.standard_normal((1, 15))
    assert participation_ratio(one) == pytest.approx(1)
    # Variances 4, 1, 1, 1, 1: 8² / (16 + 4) = 3.2
    scales = np.array([2, 1, 1, 1, 1])
    assert participation_ratio(gaussian(20_000, scales, rng)) == pytest.approx(3.2, rel=0.03)


def test_few_sentences_do_not_lower_it_as_they_lower_the_plain_one():
    rng = np.random.default_rng(1)
    draws = [gaussian(100, np.ones(60), rng) for _ in range(60)]
    assert np.mean([plain(X) for X in draws]) < 40
    assert np.mean([participation_ratio(X) for X in draws]) == pytest.approx(60, rel=0.05)


def test_with_many_sentences_it_is_the_plain_one():
    rng = np.random.default_rng(2)
    X = gaussian(20_000, np.linspace(0.2, 2, 10), rng) @ rng.standard_normal((10, 10))
    assert participation_ratio(X) == pytest.approx(plain(X), rel=0.03)


def test_rotation_and_scale_do_not_count():
    rng = np.random.default_rng(3)
    X = gaussian(300, np.linspace(0.1, 3, 12), rng)
    turned = 7 * X @ np.linalg.qr(rng.standard_normal((12, 12)))[0]
    assert participation_ratio(turned) == pytest.approx(participation_ratio(X))


def test_both_forms_of_the_sum_agree():
    rng = np.random.default_rng(4)
    X = gaussian(80, np.ones(60), rng)
    wide = np.hstack([X, np.zeros((80, 60))])  # more neurons than sentences, none of them varying
    assert participation_ratio(wide) == pytest.approx(participation_ratio(X))


def test_language_means_count_only_when_asked():
    rng = np.random.default_rng(5)
    lang = np.repeat([0, 1, 2], 200)
    X = rng.standard_normal((600, 20)) + 50 * rng.standard_normal((3, 20))[lang]
    assert participation_ratio(X, lang=lang) == pytest.approx(20, rel=0.1)
    assert participation_ratio(X) < 3


def test_translations_in_one_block_are_no_bias():
    rng = np.random.default_rng(6)
    groups, means = np.tile(np.arange(100), 4), []
    for known in (groups, None):
        values = [
            participation_ratio(np.tile(gaussian(100, np.ones(50), rng), (4, 1)), groups=known)
            for _ in range(20)
        ]
        means.append(np.mean(values))
    assert means[0] == pytest.approx(50, rel=0.1)
    assert means[1] < 45  # sentences that recur elsewhere are taken for common variance


def test_the_interval_covers():
    rng = np.random.default_rng(7)
    scales = np.linspace(0.3, 2, 12)
    truth = (scales**2).sum() ** 2 / (scales**4).sum()
    hits = 0
    for _ in range(200):
        found = participation_interval(gaussian(300, scales, rng) + rng.standard_normal())
        hits += found.low <= truth <= found.high
    assert hits / 200 >= 0.9


def test_over_steps_common_variance_lowers_it_below_chance(tmp_path):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((len(STAGE.lang), 60))
    tied = X.copy()
    tied[:, :30] = 3 * rng.standard_normal((len(X), 1)) + 0.5 * X[:, :30]
    store = STAGE.write(tmp_path, {0: X, 10: tied})
    found = participation(store)
    assert found["value"].dims == ("step", "layer")
    np.testing.assert_allclose(found["value"].values[0], found["chance"].values[0], rtol=0.15)
    assert found["value"].values[1, 0] < 2
    assert found["chance"].values[1, 0] > 25
    assert (found["ceiling"] == 30).all()
    assert (found["value_low"] <= found["value"]).all()


def test_of_many_sentences_whole_groups_are_drawn(tmp_path, monkeypatch):
    X = gaussian(len(STAGE.lang), np.linspace(0.5, 2, 60), np.random.default_rng(10))
    store = STAGE.write(tmp_path, {0: X})
    monkeypatch.setattr(module, "MAX_SENTENCES", len(X) // 2 + 1)
    rows = module._drawn(STAGE.group, seed=0)
    kept = np.unique(STAGE.group[rows])
    np.testing.assert_array_equal(rows, np.flatnonzero(np.isin(STAGE.group, kept)))
    assert 0.9 * len(X) / 2 < len(rows) <= len(X) / 2 + 1
    value = participation(store)["value"].values[0, 0]
    drawn = participation_interval(
        store.read(0, 0).values[rows], lang=STAGE.lang[rows], groups=STAGE.group[rows]
    )
    assert value == pytest.approx(drawn.value)
    assert value != pytest.approx(participation_ratio(store.read(0, 0).values, lang=STAGE.lang))


def test_a_dead_layer_has_no_dimension(tmp_path):
    X = np.zeros((len(STAGE.lang), 60))
    X[:, 30:] = np.random.default_rng(9).standard_normal((len(X), 30))
    found = participation(STAGE.write(tmp_path, {0: X}))
    assert np.isnan(found["value"].values[0, 0])
    assert found["ceiling"].values.tolist() == [[0, 30]]


def test_what_is_refused():
    X = np.ones((20, 3))
    with pytest.raises(ValueError, match=r"expected numbers \(example, neuron\)"):
        participation_ratio(X[0])
    with pytest.raises(ValueError, match="not finite"):
        participation_ratio(X * np.nan)
    with pytest.raises(ValueError, match=r"got lang of shape \(3,\); expected \(20,\)"):
        participation_ratio(X, lang=[0, 1, 2])
    with pytest.raises(ValueError, match="got 5 groups; expected at least 8"):
        participation_ratio(X, groups=np.arange(20) % 5)
    assert np.isnan(participation_ratio(X))
