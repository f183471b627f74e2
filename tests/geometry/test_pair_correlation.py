"""Layers against distances: as published, with p-values for nodes and correction over layers."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from neurotrace.concepts.holm import holm
from neurotrace.geometry.distances import genetic, geographic, scripts_apart
from neurotrace.geometry.mantel import mantel
from neurotrace.geometry.mrqap import mrqap
from neurotrace.geometry.pair_correlation import pair_correlations

LANGUAGES = """eng_Latn deu_Latn spa_Latn fra_Latn rus_Cyrl arb_Arab hin_Deva zho_Hans jpn_Jpan
swh_Latn fin_Latn ell_Grek""".split()
FAR = geographic(LANGUAGES)
DISTANCES = {"geographic": FAR, "genetic": genetic(LANGUAGES)}
OFF = ~np.eye(12, dtype=bool)


def layers(rng, *, strength=(0.0, 0.0, 4.0)):
    noise = 0.5 * rng.standard_normal((len(strength), 12, 12))
    return noise + np.array(strength)[:, None, None] * FAR.to_numpy()


def test_each_layer_has_pearsons_and_spearmans_r_of_directed_pairs():
    phi = layers(np.random.default_rng(0))
    found = pair_correlations(phi, DISTANCES, permutations=99).set_index(["distance", "layer"])
    assert found.index.tolist() == [(kind, at) for kind in DISTANCES for at in range(3)]
    for (kind, layer), row in found.iterrows():
        x, y = phi[layer][OFF], DISTANCES[kind].to_numpy()[OFF]
        assert len(x) == 132
        assert row["pearson"] == pytest.approx(pearsonr(x, y).statistic)
        assert row["spearman"] == pytest.approx(spearmanr(x, y).statistic)


def test_a_planted_layer_is_found_and_the_others_are_not():
    found = pair_correlations(layers(np.random.default_rng(1)), {"far": FAR})
    assert (found["p_holm"] <= 0.05).tolist() == [False, False, True]
    assert (found["spearman"].abs() >= found["detectable"]).tolist() == [False, False, True]
    assert found["p_holm"].to_numpy() == pytest.approx(holm(found["p"]))
    assert found["partial"].isna().all()


def test_covariates_are_those_of_the_regression():
    phi = layers(np.random.default_rng(2))
    beside = {"script": scripts_apart(LANGUAGES), "geographic": DISTANCES["genetic"]}
    found = pair_correlations(phi, {"geographic": FAR}, covariates=beside).iloc[2]
    tables = {"own": FAR, "script": beside["script"], "genetic": beside["geographic"]}
    own = mrqap(phi[2], tables, permutations=999).loc["own"]
    wanted = own[["coefficient", "partial", "p", "detectable"]].tolist()
    columns = ["coefficient", "partial", "partial_p", "partial_detectable"]
    assert found[columns].tolist() == pytest.approx(wanted)


def test_symmetric_tables_are_pairs_without_direction():
    phi = layers(np.random.default_rng(3))
    phi = phi + phi.swapaxes(1, 2)
    phi[:, np.arange(12), np.arange(12)] = np.nan
    found = pair_correlations(phi, {"far": FAR}, permutations=99)
    assert found["p"].tolist() == [mantel(each, FAR, permutations=99).p for each in phi]


def test_a_layer_that_lacks_a_pair_or_is_constant_says_nothing_and_spoils_nothing():
    phi = layers(np.random.default_rng(4))
    broken = phi.copy()
    broken[0, 2, 3], broken[1] = np.nan, 0.5
    found = pair_correlations(broken, {"far": FAR}, covariates={"genetic": DISTANCES["genetic"]})
    columns = ["pearson", "spearman", "p", "p_holm", "detectable", "partial", "partial_p"]
    assert found.loc[:1, columns].isna().to_numpy().all()
    assert found.loc[2, "p_holm"] == found.loc[2, "p"]  # the only test left
    assert found.loc[2, "spearman"] == pair_correlations(phi[2], {"far": FAR}).loc[0, "spearman"]


def test_the_same_order_of_languages_everywhere_changes_nothing():
    phi, order = layers(np.random.default_rng(5)), np.random.default_rng(6).permutation(12)
    once = pair_correlations(phi, DISTANCES, permutations=99)
    moved = {kind: table.to_numpy()[order][:, order] for kind, table in DISTANCES.items()}
    again = pair_correlations(phi[:, order][:, :, order], moved, permutations=99)
    columns = ["pearson", "spearman"]
    assert again[columns].to_numpy() == pytest.approx(once[columns].to_numpy())


def test_tables_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"an outcome of shape \(3, 4, 5\); expected \(layer, n"):
        pair_correlations(np.zeros((3, 4, 5)), {"far": np.zeros((4, 4))})
    with pytest.raises(ValueError, match=r"got far of shape \(3, 3\); expected \(4, 4\)"):
        pair_correlations(np.zeros((4, 4)), {"far": np.zeros((3, 3))})
    with pytest.raises(ValueError, match="got no distances"):
        pair_correlations(np.zeros((4, 4)), {})
