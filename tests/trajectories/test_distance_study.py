"""Series of pair tables against distances: planted layers and steps, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurotrace import axes
from neurotrace.geometry.distances import genetic, geographic, scripts_apart
from neurotrace.geometry.pair_correlation import pair_correlations
from neurotrace.trajectories.distance_study import distance_study
from neurotrace.trajectories.transfer_study import transfer_study

LANGUAGES = """eng_Latn deu_Latn spa_Latn fra_Latn rus_Cyrl arb_Arab hin_Deva zho_Hans jpn_Jpan
swh_Latn""".split()
FAR = geographic(LANGUAGES)
DISTANCES = {"geographic": FAR, "genetic": genetic(LANGUAGES)}
FEW = {"permutations": 199}


def series(*, steps=3, planted=2):
    """Nothing at first; from the second step on, layer ``planted`` of 4 follows geography."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((steps, 4, 10, 10))
    apart = 0.2 * (noise + noise.swapaxes(2, 3))
    apart[1:, planted] += 4 * FAR.to_numpy()
    apart[..., np.arange(10), np.arange(10)] = np.nan
    coords = {"step": 16 * np.arange(steps), "layer": range(4)}
    table = xr.DataArray(
        apart,
        dims=("step", "layer", "lang_a", "lang_b"),
        coords={**coords, "lang_a": LANGUAGES, "lang_b": LANGUAGES},
    )
    return xr.Dataset({"apart": table}).assign_coords(stage=("step", np.zeros(steps, int)))


def impact(table, name="value"):
    coords = {"layer": range(len(table)), "lang_a": LANGUAGES, "lang_b": LANGUAGES}
    return xr.Dataset({name: (tuple(coords), table)}, coords=coords)


def test_a_planted_layer_follows_its_distance_from_its_step_on():
    found = distance_study(series(), DISTANCES, **FEW)
    axes.check(found, "step", "layer", "distance")
    assert found["value"].dims == ("step", "layer", "distance")
    passed = (found["p_holm"].sel(distance="geographic") <= 0.05).values
    assert passed.tolist() == [[False] * 4] + [[False, False, True, False]] * 2
    assert float(found["value"].sel(distance="geographic")[1, 2]) > 0.8
    assert float(found["chance"]) == 0
    assert found.attrs["nodes"] == 10
    assert found["stage"].dims == ("step",)
    assert found["step"].values.tolist() == [0, 16, 32]


def test_numbers_are_those_of_the_pure_function_and_of_the_layers_mean():
    given = series()
    beside = {"script": scripts_apart(LANGUAGES)}
    found = distance_study(given, DISTANCES, covariates=beside, **FEW).isel(step=1)
    assert found.attrs["covariates"] == "script"
    table = given["apart"].values[1]
    pure = pair_correlations(table, DISTANCES, covariates=beside, **FEW)
    same = ("pearson", "p", "p_holm", "detectable", "partial", "partial_p", "partial_detectable")
    for name, column in {"value": "spearman", **dict(zip(same, same, strict=True))}.items():
        flat = found[name].transpose("distance", "layer").values.ravel()
        assert flat.tolist() == pure[column].tolist(), name
    mean = pair_correlations(table.mean(0), DISTANCES, covariates=beside, **FEW)
    columns = {"mean": "spearman", "mean_p": "p", "mean_detectable": "detectable"}
    for name, column in columns.items():
        assert found[name].values.tolist() == mean[column].tolist(), name
    assert pure[["spearman", *same]].T.duplicated().sum() == 0  # or one could stand for another


def test_distances_are_matched_by_name_whatever_their_order():
    turned = {
        kind: table.loc[LANGUAGES[::-1], LANGUAGES[::-1]] for kind, table in DISTANCES.items()
    }
    assert distance_study(series(), turned, **FEW).equals(
        distance_study(series(), DISTANCES, **FEW)
    )
    given = series()
    other_way = given.isel(lang_b=slice(None, None, -1))
    once, again = (distance_study(each, DISTANCES, **FEW) for each in (given, other_way))
    assert once.equals(again)


def test_an_impact_is_directed_and_has_no_step():
    table = np.random.default_rng(1).standard_normal((4, 10, 10)) + 8 * FAR.to_numpy()
    found = distance_study(impact(table), DISTANCES, variable="value", **FEW)
    assert found["value"].dims == ("layer", "distance")
    assert (found["p_holm"].sel(distance="geographic") <= 0.05).all()
    asymmetric = found["pearson"].sel(distance="geographic")
    off = ~np.eye(10, dtype=bool)
    wanted = [np.corrcoef(each[off], FAR.to_numpy()[off])[0, 1] for each in table]
    assert asymmetric.values == pytest.approx(wanted)


def test_what_cannot_be_studied_is_refused_by_name():
    given = series()
    without = {"own": FAR.drop(index="swh_Latn", columns="swh_Latn")}
    with pytest.raises(ValueError, match="own: got distances without swh_Latn"):
        distance_study(given, without)
    with pytest.raises(ValueError, match="no variable 'value'; valid are apart"):
        distance_study(given, DISTANCES, variable="value")
    with pytest.raises(ValueError, match="expected the same languages"):
        distance_study(given.isel(lang_a=[0]), DISTANCES)
    with pytest.raises(ValueError, match="apart over run too"):
        distance_study(given.expand_dims(run=2), DISTANCES)
    with pytest.raises(ValueError, match="got no distances"):
        distance_study(given, {})


def test_of_two_languages_nothing_is_said():
    found = distance_study(series().isel(lang_a=[0, 1], lang_b=[0, 1]), DISTANCES, **FEW)
    assert np.isnan(found["value"]).all()


def test_transfer_follows_what_moved_without_counting_a_language_with_itself():
    rng = np.random.default_rng(2)
    moved = rng.uniform(0, 1, (2, 10, 10))
    moved[1] = moved[0]
    moved[0] = rng.uniform(0, 1, (10, 10))
    accuracy = pd.DataFrame(0.9 - 0.5 * moved[1], index=LANGUAGES, columns=LANGUAGES)
    found = transfer_study(impact(moved), accuracy, distances=DISTANCES, **FEW)
    assert found["value"].dims == ("layer",)
    assert found["value"].values[1] == pytest.approx(-1)
    assert (found["p_holm"] <= 0.05).values.tolist() == [False, True]
    assert found["crossed"].values[1] == pytest.approx(-1)
    assert found["transfer"].dims == ("distance",)
    assert (found["transfer_p"] > 0.05).all()


def test_a_high_diagonal_makes_a_correlation_but_no_transfer():
    rng = np.random.default_rng(3)
    itself = np.eye(10, dtype=bool)
    moved = np.where(itself, 0.9, rng.uniform(0, 0.5, (1, 10, 10)))
    reached = np.where(itself, 0.95, rng.uniform(0.3, 0.8, (10, 10)))
    accuracy = pd.DataFrame(reached, index=LANGUAGES, columns=LANGUAGES)
    found = transfer_study(impact(moved), accuracy, **FEW)
    crossed = transfer_study(impact(moved), accuracy, diagonal=False, **FEW)
    assert float(found["value"][0]) > 0.2 > abs(float(found["crossed"][0]))
    assert float(found["detectable"][0]) > float(found["value"][0])
    assert crossed["value"].values.tolist() == found["crossed"].values.tolist()


@pytest.mark.parametrize("diagonal", [True, False])
def test_accuracy_is_held_against_distances_with_or_without_the_diagonal(diagonal):
    moved, fine = np.random.default_rng(5).uniform(0, 1, (2, 10, 10))
    accuracy = pd.DataFrame(fine, index=LANGUAGES, columns=LANGUAGES)
    beside = {"script": scripts_apart(LANGUAGES)}
    given = {"covariates": beside, "diagonal": diagonal, **FEW}
    found = transfer_study(impact(moved[None]), accuracy.T.sort_index().T, distances=DISTANCES,
                           **given)  # fmt: skip
    pure = pair_correlations(fine, DISTANCES, **given)
    for name, column in {"": "spearman", "_p": "p", "_detectable": "detectable"}.items():
        assert found[f"transfer{name}"].values.tolist() == pure[column].tolist(), name
    pure = pair_correlations(moved, {"accuracy": fine}, **given)
    for name in ("pearson", "p", "partial", "partial_p", "detectable"):
        assert found[name].values.tolist() == pure[name].tolist(), name
    without = pair_correlations(moved, {"accuracy": fine}, **{**given, "diagonal": False})
    for name, column in {"": "spearman", "_p": "p", "_detectable": "detectable"}.items():
        assert found[f"crossed{name}"].values.tolist() == without[column].tolist(), name
    assert found.attrs["diagonal"] == diagonal


def test_a_series_of_steps_and_accuracies_below_nothing_are_refused():
    moved = np.random.default_rng(4).uniform(0, 1, (1, 10, 10))
    table = pd.DataFrame(moved[0], index=LANGUAGES, columns=LANGUAGES)
    with pytest.raises(ValueError, match="got a series of steps"):
        transfer_study(impact(moved).expand_dims(step=[0]), table)
    table.loc["rus_Cyrl", "eng_Latn"] = -0.1
    with pytest.raises(ValueError, match="accuracy -0.1 from rus_Cyrl to eng_Latn"):
        transfer_study(impact(moved), table)


def test_accuracies_are_fractions_of_every_pair():
    moved, fine = np.random.default_rng(4).uniform(0, 1, (2, 1, 10, 10))
    table = pd.DataFrame(fine[0], index=LANGUAGES, columns=LANGUAGES)
    percent = table.copy()
    percent.loc["deu_Latn", "eng_Latn"] = 30.0
    with pytest.raises(ValueError, match="accuracy 30 from deu_Latn to eng_Latn; expected a frac"):
        transfer_study(impact(moved), percent)
    with pytest.raises(ValueError, match="accuracy nan from swh_Latn to eng_Latn"):
        transfer_study(impact(moved), table.iloc[:-1])
