"""Which layers to freeze: chosen on some languages, and never compared with themselves."""

import numpy as np
import pytest
import xarray as xr

from neurotrace.geometry.distances import genetic
from neurotrace.trajectories.distance_study import freeze_list, random_lists

LANGUAGES = ["eng_Latn", "deu_Latn", "fin_Latn", "jpn_Jpan"]


def moved(by_target, *, itself=9.0):
    """Φ (layer, lang_a, lang_b) that depends on the target, and S = T far above all else."""
    table = np.repeat(np.array(by_target, float)[:, None], 4, axis=1)
    table[:, np.arange(4), np.arange(4)] = itself * np.arange(len(table))[::-1, None]
    coords = {"layer": range(len(table)), "lang_a": LANGUAGES, "lang_b": LANGUAGES}
    return xr.DataArray(table, dims=tuple(coords), coords=coords)


PHI = moved(
    [[0.1, 0.1, 0.3, 0.3], [0.9, 0.8, 0.1, 0.1], [0.1, 0.1, 0.2, 0.8], [0.2, 0.2, 0.6, 0.1]]
)


def test_the_layers_that_move_the_chosen_targets_most_are_listed_in_order():
    assert freeze_list(PHI, n_layers=1, languages=["eng_Latn", "deu_Latn"]) == [1]
    assert freeze_list(PHI, n_layers=2, languages=["fin_Latn"]) == [0, 3]
    assert freeze_list(PHI, n_layers=2, languages=["jpn_Jpan"]) == [0, 2]
    assert freeze_list(xr.Dataset({"value": PHI}), n_layers=2, languages=["fin_Latn"]) == [0, 3]


def test_held_out_languages_have_no_say():
    other = PHI.copy()
    other.loc[{"lang_b": "jpn_Jpan"}] = np.random.default_rng(0).uniform(0, 50, (4, 4))
    chosen = ["eng_Latn", "deu_Latn", "fin_Latn"]
    assert freeze_list(other, n_layers=2, languages=chosen) == freeze_list(
        PHI, n_layers=2, languages=chosen
    )


def test_with_distances_only_the_far_pairs_count():
    table = genetic(LANGUAGES)
    # English and German are close: what moves them is left out
    assert freeze_list(PHI, n_layers=1, languages=["eng_Latn", "deu_Latn"]) == [1]
    near = moved([[0.1] * 4, [0.1] * 4, [0.1] * 4])
    near.loc[{"layer": 1, "lang_a": "eng_Latn", "lang_b": "deu_Latn"}] = 7.0
    near.loc[{"layer": 2, "lang_a": "eng_Latn", "lang_b": "jpn_Jpan"}] = 2.0
    table.loc["eng_Latn", "jpn_Jpan"] = table.loc["jpn_Jpan", "eng_Latn"] = 2.0
    assert freeze_list(near, n_layers=1, languages=LANGUAGES) == [1]
    assert freeze_list(near, n_layers=1, distances=table) == [2]


def test_where_half_of_the_pairs_are_as_far_as_any_these_are_the_far_ones():
    phi = moved([[0.1] * 4, [0.1] * 4, [0.1] * 4])
    phi.loc[{"layer": 1, "lang_a": "eng_Latn", "lang_b": "deu_Latn"}] = 7.0
    phi.loc[{"layer": 2, "lang_a": "eng_Latn", "lang_b": "jpn_Jpan"}] = 2.0
    assert genetic(LANGUAGES).stack().median() == 1  # three families among four languages
    assert freeze_list(phi, n_layers=1, distances=genetic(LANGUAGES)) == [2]


def test_a_pair_at_the_middle_distance_is_not_far_where_others_are_farther():
    phi = moved([[0.1] * 4, [0.1] * 4, [0.1] * 4])
    phi.loc[{"layer": 1, "lang_a": "eng_Latn", "lang_b": "deu_Latn"}] = 7.0
    phi.loc[{"layer": 2, "lang_a": "deu_Latn", "lang_b": "jpn_Jpan"}] = 2.0
    table = genetic(LANGUAGES) * 0 + 0.5
    for lang in ("deu_Latn", "fin_Latn"):
        table.loc[lang, "jpn_Jpan"] = table.loc["jpn_Jpan", lang] = 0.9
    assert freeze_list(phi, n_layers=1, distances=table) == [2]


def test_order_of_languages_runs_and_ties_do_not_matter():
    turned = PHI.isel(lang_a=[2, 0, 3, 1], lang_b=[3, 1, 0, 2]).transpose("lang_b", "layer", ...)
    noise = np.random.default_rng(1).uniform(0, 5, turned.shape)
    runs = xr.concat([turned + noise, turned - noise], dim="run")
    assert freeze_list(runs[0], n_layers=2, languages=["fin_Latn"]) != [0, 3]
    assert freeze_list(runs, n_layers=2, languages=["fin_Latn"]) == [0, 3]
    assert freeze_list(PHI * 0, n_layers=2, languages=["fin_Latn"]) == [0, 1]


def test_one_source_will_do_and_layers_keep_their_numbers():
    one = PHI.sel(lang_a="eng_Latn", drop=True).rename(lang_b="lang").isel(layer=[1, 3])
    assert freeze_list(one, n_layers=1, languages=["fin_Latn"]) == [3]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n_layers": 1}, "got neither languages nor distances"),
        ({"n_layers": 4, "languages": ["fin_Latn"]}, "n_layers=4; expected 1 to 3 of 4 layers"),
        ({"n_layers": 0, "languages": ["fin_Latn"]}, "n_layers=0; expected 1 to 3"),
        ({"n_layers": 1, "languages": ["tha_Thai"]}, "got languages tha_Thai; valid are eng_Latn"),
        ({"n_layers": 1, "distances": genetic(LANGUAGES[:3])}, "no distance of eng_Latn jpn_Jpan"),
        ({"n_layers": 1, "distances": genetic(LANGUAGES) * 0}, "distances that are all alike"),
    ],
)
def test_what_no_list_can_be_made_of_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        freeze_list(PHI, **asked)


def test_a_layer_without_any_number_and_distances_of_one_source_are_refused():
    silent = PHI.where(PHI["layer"] != 1)
    with pytest.raises(ValueError, match="got layers without a finite Φ for these languages"):
        freeze_list(silent, n_layers=1, languages=["fin_Latn"])
    one = PHI.sel(lang_a="eng_Latn", drop=True).rename(lang_b="lang")
    with pytest.raises(ValueError, match="got distances for one source; expected languages"):
        freeze_list(one, n_layers=1, distances=genetic(LANGUAGES))


def test_random_lists_are_of_one_size_distinct_and_never_the_chosen_one():
    for seed in range(20):
        lists = random_lists(6, 2, n=14, chosen=[4, 1], seed=seed)
        assert len({tuple(each) for each in lists}) == 14
        assert [1, 4] not in lists
        assert all(each == sorted(set(each)) and len(each) == 2 for each in lists)
    assert random_lists(6, 2, n=3, seed=1) == random_lists(6, 2, n=3, seed=1)
    assert random_lists(6, 2, n=3, seed=1) != random_lists(6, 2, n=3, seed=2)


@pytest.mark.parametrize("chosen", [(), [2], [7, 8], [1, 1], [0, 1, 2]])
def test_what_is_no_list_of_that_size_and_model_takes_none_away(chosen):
    lists = random_lists(4, 2, n=6, chosen=chosen)
    assert len({tuple(each) for each in lists}) == 6
    with pytest.raises(ValueError, match="n=7 lists; expected 1 to 6"):
        random_lists(4, 2, n=7, chosen=chosen)


def test_the_chosen_one_is_left_out_where_lists_are_too_many_to_write_down(monkeypatch):
    monkeypatch.setitem(random_lists.__globals__, "MOST_LISTED", 1)
    for chosen in ([4, 1], [1, 4]):
        lists = random_lists(6, 2, n=14, chosen=chosen)
        assert len({tuple(each) for each in lists}) == 14
        assert [1, 4] not in lists


def test_every_layer_is_drawn_as_often_and_deep_models_too():
    for n_layers, size in ((6, 2), (40, 20)):
        drawn = [random_lists(n_layers, size, n=4, seed=seed) for seed in range(300)]
        counts = np.bincount(np.ravel(drawn), minlength=n_layers)
        expected = 1200 * size / n_layers
        assert counts.min() > 0.8 * expected
        assert counts.max() < 1.2 * expected


def test_more_lists_than_there_are_is_refused():
    with pytest.raises(ValueError, match="n=4 lists; expected 1 to 3, as many others as 4 layers"):
        random_lists(4, 1, n=4, chosen=[2])
    with pytest.raises(ValueError, match="size=5; expected 1 to 4"):
        random_lists(4, 5, n=1)
