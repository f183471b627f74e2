"""Distances between languages: known places, trees by hand, and nothing invented."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.geometry.distances import complete, contrast, genetic, geographic, scripts_apart
from neurotrace.geometry.language_table import language_table, languages_known

# Those of the published studies and of the shipped concepts.
STUDIED = """swe_Latn nld_Latn bjn_Latn jav_Latn tgl_Latn ind_Latn rus_Cyrl ces_Latn dan_Latn
eng_Latn ukr_Cyrl tel_Telu srp_Cyrl fra_Latn tha_Thai ban_Latn zho_Hans deu_Latn sun_Latn hin_Deva
pol_Latn slv_Latn yue_Hant sin_Sinh spa_Latn urd_Arab gle_Latn swh_Latn ben_Beng jpn_Jpan min_Latn
arb_Arab bul_Cyrl ell_Grek tur_Latn vie_Latn fin_Latn kor_Hang heb_Hebr hun_Latn isl_Latn ita_Latn
por_Latn""".split()


def test_the_table_knows_the_studied_languages_and_many_more():
    assert len(languages_known(STUDIED)) == len(STUDIED)
    assert len(language_table()) >= 80
    for row in language_table().values():
        assert -90 <= row.latitude <= 90
        assert -180 <= row.longitude <= 180
        assert row.name
        assert all(row.family)


def test_the_equator_and_the_poles_are_known_angles(monkeypatch):
    place = dict(zip("abcd", [(0, 0), (0, 90), (0, 180), (90, 17)], strict=True))
    rows = [
        language_table()["deu_Latn"]._replace(code=code, latitude=at[0], longitude=at[1])
        for code, at in place.items()
    ]
    monkeypatch.setattr("neurotrace.geometry.distances.languages_known", lambda _: rows)
    found = geographic("abcd")
    assert found.loc["a"].tolist() == pytest.approx([0, 0.5, 1, 0.5])
    assert found.loc["d"].tolist() == pytest.approx([0.5, 0.5, 0.5, 0])


def test_the_date_line_is_no_wall():
    found = geographic(["fij_Latn", "smo_Latn", "fra_Latn"])  # 178° east and 172° west
    assert found.loc["fij_Latn", "smo_Latn"] < 0.1
    assert found.loc["fij_Latn", "fra_Latn"] > 0.7


def test_shared_branches_count_from_the_top():
    found = genetic(["ces_Latn", "slk_Latn", "pol_Latn", "rus_Cyrl", "eng_Latn", "hun_Latn"])
    # Czech: Indo-European, Balto-Slavic, Slavic, West Slavic, Czech-Slovak, itself
    assert found.loc["ces_Latn"].tolist() == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 5 / 6, 1])


def test_one_language_in_two_scripts_is_no_distance_apart():
    for distance in (genetic, geographic):
        assert distance(["zho_Hans", "zho_Hant"]).to_numpy().tolist() == [[0, 0], [0, 0]]
    assert scripts_apart(["zho_Hans", "zho_Hant"]).to_numpy().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("distance", [geographic, genetic])
def test_a_distance_is_symmetric_and_follows_the_order_asked_for(distance):
    found, order = distance(STUDIED), np.random.default_rng(0).permutation(STUDIED)
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 0).all()
    assert found.to_numpy().min() >= 0
    assert found.to_numpy().max() <= 1
    assert distance(order).equals(found.loc[order, order])
    assert complete(found, STUDIED).equals(found)


@pytest.mark.parametrize("distance", [geographic, genetic])
def test_a_language_without_place_or_family_is_named(distance):
    with pytest.raises(ValueError, match="without known place or family: qaa_Latn, epo_Latn"):
        distance(["eng_Latn", "qaa_Latn", "epo_Latn"])
    with pytest.raises(ValueError, match="languages twice: eng_Latn"):
        distance(["eng_Latn", "eng_Latn"])
    with pytest.raises(ValueError, match=r"\['eng_Latn'\]; expected two or more"):
        distance("eng_Latn")


def test_a_covariate_is_the_gap_between_two_numbers():
    found = contrast({"eng_Latn": 1.2, "tam_Taml": 3.2, "fin_Latn": 1.7})
    assert found.loc["tam_Taml"].tolist() == pytest.approx([2.0, 0, 1.5])
    with pytest.raises(ValueError, match="no finite value for fin_Latn"):
        contrast(pd.Series({"eng_Latn": 1.0, "fin_Latn": np.nan}))


def test_an_incomplete_table_is_refused_and_the_pair_named():
    three = ["deu_Latn", "eng_Latn", "fin_Latn"]
    table = genetic(three)
    with pytest.raises(ValueError, match="distances without jpn_Jpan, kor_Hang"):
        complete(table, ["eng_Latn", "jpn_Jpan", "kor_Hang"])
    lacking = table.copy()
    lacking.loc["fin_Latn", "deu_Latn"] = np.nan
    with pytest.raises(ValueError, match="no finite distance of deu_Latn fin_Latn; expected"):
        complete(lacking, three)
    assert complete(lacking, ["eng_Latn", "fin_Latn"]).iloc[0, 1] == 1
    lacking.loc["fin_Latn"] = [0.2, 0.3, 0.0]
    with pytest.raises(ValueError, match="two distances of deu_Latn fin_Latn and 1 more"):
        complete(lacking, three)
