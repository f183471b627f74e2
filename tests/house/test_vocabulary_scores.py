"""The input embedding over checkpoints: each curve moves as its definition says, or not at all."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neurotrace import vocabulary_scores
from neurotrace.axes import check
from neurotrace.capture import embedding
from neurotrace.checkpoints import Checkpoint
from neurotrace.vocabulary_scores import embedding_map, embedding_scores

WORDS = 60
STEPS = [0, 10, 100]
LATIN = [a + b + c for a in "bdfg" for b in "aeiou" for c in "klm"]
CYRILLIC = [a + b + c for a in "бдфг" for b in "аеиоу" for c in "клм"]
TEXTS = ["", "<pad>", *LATIN, *CYRILLIC]
DICTIONARY = {2 + at: [2 + WORDS + at] for at in range(WORDS)}
SERIES = [Checkpoint("made", step, Path(f"step{step}")) for step in STEPS]


def matrices(seed=0):
    """Noise, then scripts apart, then scripts apart with translations beside each other."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(TEXTS), 20)).astype(np.float32)
    side = np.zeros_like(noise)
    side[:, 0] = np.where(np.arange(len(TEXTS)) < 2 + WORDS, -9, 9)
    apart = noise + side
    met = apart.copy()
    met[2 + WORDS :, 1:] = met[2 : 2 + WORDS, 1:]
    met[2:, 1:] *= 9
    for W in (noise, apart, met):
        W[1] = 0  # a row that was never filled
    return [noise, apart, met]


@pytest.fixture
def made(monkeypatch):
    def install(series, texts=TEXTS):
        at = dict(zip(STEPS, series, strict=False))
        monkeypatch.setattr(embedding, "embedding_matrix", lambda c, **_: at[c.step].copy())
        monkeypatch.setattr(embedding, "token_texts", lambda *_, **__: list(texts))

    install(matrices())
    return install


@pytest.mark.usefixtures("made")
def test_each_curve_moves_where_its_cause_was_planted():
    found = embedding_scores(SERIES, dictionary=DICTIONARY, k=5, script_k=10)
    check(found, "step", "script")
    assert found["step"].values.tolist() == STEPS
    assert found["script"].values.tolist() == ["CYRILLIC", "LATIN"]
    value, scripts, translations = (found[n].values for n in ("value", "scripts", "translations"))
    assert value[0] < 0.7
    assert value[1] > 0.95
    assert scripts[0] == pytest.approx(float(found["scripts_chance"]), abs=0.05)
    assert scripts[1] < 1.1
    assert scripts[2] > 1.3
    assert translations[:2].max() < 0.15
    assert translations[2] == 1
    assert (found["translations_low"] <= found["translations_chance"]).all()
    assert (found["translations_chance"] <= found["translations_high"]).all()
    assert float(found["translations_high"][2]) < 0.3
    assert found.attrs["tokens"] == 2 * WORDS
    assert found.attrs["min_tokens"] == 50
    assert found.attrs["classes"] == "CYRILLIC 60, LATIN 60"
    assert found.attrs["translated"] == WORDS


def test_ends_of_the_series_have_no_neighbour_to_compare_with(made):
    noise, *_ = matrices()
    made([noise, noise, matrices(1)[0]])
    found = embedding_scores(SERIES, k=5)
    assert np.isnan(found["previous"][0])
    assert np.isnan(found["agreement"][-1])
    assert float(found["previous"][1]) == pytest.approx(1)
    assert float(found["previous"][2]) == pytest.approx(float(found["previous_chance"]), abs=0.05)
    assert float(found["agreement"][0]) == pytest.approx(float(found["agreement_chance"]), abs=0.03)
    assert found["translations"].isnull().all()


def test_deranged_translations_stay_at_chance(made):
    made([matrices()[-1]])
    gaps = []
    for seed in range(10):
        target = 2 + WORDS + np.random.default_rng(seed).permutation(WORDS)
        deranged = {2 + at: [int(target[at])] for at in range(WORDS)}
        found = embedding_scores(SERIES[:1], dictionary=deranged, k=5).isel(step=0)
        gaps.append(float(found["translations"] - found["translations_chance"]))
    assert abs(np.mean(gaps)) < 0.03
    assert float(found["translations_chance"]) < 0.1


@pytest.mark.usefixtures("made")
def test_given_classes_take_the_place_of_scripts():
    labels = np.array(["", "", *["odd", "even"] * WORDS])
    found = embedding_scores(SERIES, scripts=labels)
    assert found["script"].values.tolist() == ["even", "odd"]
    assert abs(found["value"] - 0.5).max() < 0.2


@pytest.mark.usefixtures("made")
def test_translations_keep_to_tokens_that_have_a_class_and_a_row():
    classes = np.array(["", "", *["eng"] * WORDS, *["rus"] * WORDS])
    classes[2] = ""
    counts = np.arange(len(TEXTS))
    wider = {**DICTIONARY, 1: [5], 7: [1]}
    found = embedding_scores(SERIES, dictionary=wider, classes=classes, frequency=counts, k=5)
    assert found.attrs["translated"] == WORDS - 2
    with pytest.raises(ValueError, match=r"got frequency of shape \(3,\); expected \(122,\)"):
        embedding_scores(SERIES, dictionary=wider, frequency=[1, 2, 3])


def test_a_vocabulary_that_changes_is_refused(made):
    noise, apart, met = matrices()
    made([noise, apart[:-1], met])
    with pytest.raises(ValueError, match="got 121 embedding rows at step10; expected 122, as at"):
        embedding_scores(SERIES)


@pytest.mark.usefixtures("made")
def test_large_vocabularies_are_compared_on_a_sample(monkeypatch):
    monkeypatch.setattr(vocabulary_scores, "ROWS", 50)
    found = embedding_scores(SERIES, k=5)
    assert found.attrs["compared"] == 50
    assert float(found["agreement_chance"]) == pytest.approx(5 / 49)


def test_the_map_shows_the_leading_plane_and_survives_a_file(made, tmp_path):
    made(matrices(), ["\x00", *TEXTS[1:]])
    assert embedding_map(SERIES[1], most=50).sizes["token"] == 50
    found = embedding_map(SERIES[1])
    check(found, "token")
    assert found["text"].values[0] == "\N{REPLACEMENT CHARACTER}"
    found = found.isel(token=slice(1, None))
    assert np.isnan(found["chance"])
    assert 0 < float(found["explained"]) < 1
    latin = found["script"].values == "LATIN"
    x = found["x"].values
    assert min(x[latin].max(), x[~latin].max()) < max(x[latin].min(), x[~latin].min())
    file = tmp_path / "results.h5"
    found.to_netcdf(file, engine="h5netcdf")
    with xr.open_dataset(file, engine="h5netcdf") as back:
        assert back["text"].values.tolist() == found["text"].values.tolist()
        assert back.attrs["step"] == 10
