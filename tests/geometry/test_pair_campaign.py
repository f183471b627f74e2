"""How often nothing is taken for something, and something found, where pairs share languages."""

import numpy as np
import pytest
from scipy.stats import t as student

from neurotrace.geometry.distances import genetic, geographic
from neurotrace.geometry.mantel import mantel
from neurotrace.geometry.mrqap import mrqap
from neurotrace.geometry.pair_correlation import pair_correlations

LANGUAGES = """eng_Latn deu_Latn spa_Latn fra_Latn rus_Cyrl arb_Arab hin_Deva zho_Hans jpn_Jpan
swh_Latn fin_Latn ell_Grek""".split()
STUDIES = 1000
RATE = 0.05 + 2 * np.sqrt(0.05 * 0.95 / STUDIES)  # .05, and what counting that many leaves open


def with_nodes(rng, n, *, directed, share=0.7):
    """Pairs of variance 1, that share of it from the two nodes of each."""
    source, target = rng.standard_normal((2, n))
    noise = rng.standard_normal((n, n))
    if not directed:
        target, noise = source, (noise + noise.T) / np.sqrt(2)
    return np.sqrt(share / 2) * (source[:, None] + target) + np.sqrt(1 - share) * noise


@pytest.mark.slow
@pytest.mark.parametrize("directed", [False, True])
def test_mrqap_keeps_its_level_where_regression_on_pairs_does_not(record_property, directed):
    rng = np.random.default_rng([12, directed])
    hits, naive, alone = 0, 0, 0
    for _ in range(STUDIES):
        shared = with_nodes(rng, 12, directed=directed)
        script = rng.integers(0, 4, 12)
        apart = (script[:, None] != script).astype(float)
        x, y = (
            0.6 * shared + 0.5 * apart + 0.8 * with_nodes(rng, 12, directed=directed)
            for _ in range(2)
        )
        found = mrqap(y, {"x": x, "shared": shared, "script": apart}, permutations=199)
        hits += found.loc["x", "p"] <= 0.05
        freedom = (132 if directed else 66) - 4
        naive += 2 * student.sf(abs(found.loc["x", "t"]), freedom) <= 0.05
        alone += mantel(x, y, directed=directed, permutations=199).p <= 0.05
    rates = {"mrqap": hits, "regression": naive, "without_covariates": alone}
    for name, count in rates.items():
        record_property(name, float(count / STUDIES))
    assert hits / STUDIES <= RATE
    assert naive / STUDIES > 0.15
    assert alone / STUDIES > 0.3


@pytest.mark.slow
def test_no_layer_of_six_follows_a_distance_by_chance_more_often_than_said(record_property):
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(STUDIES):
        common = with_nodes(rng, 12, directed=True)
        phi = np.array([0.9 * common + 0.44 * rng.standard_normal((12, 12)) for _ in range(6)])
        found = pair_correlations(phi, {"far": geographic(LANGUAGES)}, permutations=199)
        hits += found["p_holm"].min() <= 0.05
    record_property("family_wise", float(hits / STUDIES))
    assert hits / STUDIES <= RATE


@pytest.mark.slow
@pytest.mark.parametrize(("share", "least", "detectable"), [(0.0, 0.8, 0.24), (0.5, 0.5, 0.37)])
def test_twelve_languages_find_a_correlation_of_point_four(
    record_property, share, least, detectable
):
    rng = np.random.default_rng(8)
    upper = np.triu_indices(12, 1)
    far = geographic(LANGUAGES).to_numpy()
    far = (far - far[upper].mean()) / far[upper].std()
    hits, needed, beside = 0, [], 0
    for _ in range(300):
        noise = with_nodes(rng, 12, directed=False, share=share)
        noise = (noise - noise[upper].mean()) / noise[upper].std()
        y = 0.4 * far + np.sqrt(1 - 0.4**2) * noise
        found = mantel(y, far, permutations=199)
        hits += found.p <= 0.05
        needed.append(found.detectable)
        tables = {"far": far, "genetic": genetic(LANGUAGES).to_numpy()}
        beside += mrqap(y, tables, permutations=199).loc["far", "p"] <= 0.05
    record_property("power", float(hits / 300))
    record_property("power_given_genetic", float(beside / 300))
    record_property("detectable", float(np.mean(needed)))
    assert hits / 300 > least
    assert np.mean(needed) == pytest.approx(detectable, abs=0.04)
