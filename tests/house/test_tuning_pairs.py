"""Claims about tuning on every language in turn, and about concepts before and after a task."""

import warnings
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from house.four_languages import LANGS, said, texts, written

from neurotrace import axes, spaces
from neurotrace.checkpoints import find
from neurotrace.config import TraceConfig
from neurotrace.tuning import texts_of, tune
from neurotrace.tuning_pairs import sources_of, square, tune_pairs
from neurotrace.tuning_scores import WORDS, aligned

TEXTS = {lang: texts(at) for at, lang in enumerate(LANGS)}
OPTIONS = {"steps": 3, "lr": 1e-2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    checkpoint = find(written(folder / "step-000007"))[0]
    return checkpoint, folder / "out", tune_pairs(checkpoint, said(), TEXTS, out=folder / "out",
                                                  **OPTIONS)  # fmt: skip


def test_every_language_is_tuned_on_and_moves_itself_most(made):
    _, _, found = made
    for values in found.values():
        axes.check(values)
    assert found["value"].dims == ("layer", "lang_a", "lang_b")
    assert found["lang_a"].values.tolist() == found["lang_b"].values.tolist() == LANGS
    first = found["value"].isel(layer=0).values  # words of a language's own are all that is learnt
    assert (np.diag(first)[:, None] >= first).all()
    assert (found["value"] > 0).mean() > 0.9
    assert float(found["value_chance"]) == 1
    assert (found["zero_shot_chance"] >= 0.5).all()
    assert found["zero_shot"].dims == found["zero_shot_chance"].dims == ("lang_a", "lang_b")


def test_a_pair_is_the_free_arm_of_the_experiment_and_nothing_is_tuned_twice(made, monkeypatch):
    checkpoint, out, found = made
    updates = import_module("neurotrace.causal.finetune")
    trained = updates._updates

    def head_alone(model, head, read, recipe):  # the experiment's base still lacks its classifier
        assert recipe.head == "classification"
        assert not any(parameter.requires_grad for parameter in model.parameters())
        return trained(model, head, read, recipe)

    monkeypatch.setattr(updates, "_updates", head_alone)
    own = tune(checkpoint, said(), TEXTS[LANGS[1]], source=LANGS[1], out=out, permutations=2,
               arms=("base", "free"), **OPTIONS)  # fmt: skip
    assert own["arm"].values.tolist() == ["base", "free"]
    free = own.sel(arm="free").isel(run=0)
    pairs = found.sel(lang_a=LANGS[1]).rename(lang_b="lang")
    np.testing.assert_allclose(free["phi"], pairs["value"], atol=1e-9)
    np.testing.assert_array_equal(free["zero_shot"], pairs["zero_shot"])


def test_a_classifier_s_accuracy_and_body_are_those_of_its_source(made):
    checkpoint, out, found = made
    two = tune_pairs(checkpoint, said(), {lang: TEXTS[lang] for lang in (LANGS[2], LANGS[0])},
                     out=out, **OPTIONS)  # fmt: skip
    assert two["lang_a"].values.tolist() == [LANGS[0], LANGS[2]]
    xr.testing.assert_equal(two, found.sel(lang_a=[LANGS[0], LANGS[2]]))
    assert square(two)["lang_b"].values.tolist() == [LANGS[0], LANGS[2]]
    assert not np.allclose(found["task"], found["value"])


@pytest.mark.parametrize(
    ("given", "message"),
    [({}, "got sources none; valid are qaa_Latn"),
     ({"deu_Latn": ["x y"]}, "got sources deu_Latn; valid are qaa_Latn"),
     ({"qaa_Latn": []}, "got 0 texts")],
)  # fmt: skip
def test_sources_that_cannot_be_tuned_on_are_refused(made, tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        tune_pairs(made[0], said(), given, out=tmp_path, **OPTIONS)
    assert not list(tmp_path.iterdir())


TYPES, TIMES = 60, 10


def worded(rng: np.random.Generator) -> SimpleNamespace:
    """Words of four senses, each said once a group: as senses lie in a and b, by lot in c."""
    langs, senses = LANGS[:3], np.arange(TYPES) % 4
    centres = 20 * rng.standard_normal((3, 4, 6))
    told = [senses, senses, rng.permutation(senses)]
    states = np.repeat([c[own] for c, own in zip(centres, told, strict=True)], TIMES, axis=1)
    states = states.reshape(-1, 6) + 0.1 * rng.standard_normal((3 * TYPES * TIMES, 6))
    words = [f"{lang[2]}{n}" for lang in langs for n in range(TYPES) for _ in range(TIMES)]
    table = pd.DataFrame({"word": words, "lang": np.repeat(langs, TYPES * TIMES)})
    table["example"] = np.tile(np.arange(TIMES), 3 * TYPES) + TIMES * table["lang"].map(langs.index)
    return SimpleNamespace(
        parts=None,
        words=table, paths=[WORDS], examples=pd.DataFrame({"group": [*"0123456789"] * 3}),
        languages=langs, layers=[0], steps=[7],
        checkpoints=pd.DataFrame({"step": [7], "stage": 0, "tokens": 1}),
        read=lambda *_, rows: SimpleNamespace(values=states[rows]),
    )  # fmt: skip


def test_planted_twins_of_the_source_are_found_in_one_language_and_not_in_the_other():
    a, b, c = LANGS[:3]
    store = worded(np.random.default_rng(3))
    turned = {(x, y): {f"{x[2]}{n}": [f"{y[2]}{n}"] for n in range(TYPES)}
              for x in (a, b, c) for y in (a, b, c) if x != y}  # fmt: skip
    found = aligned(store, a, dictionary=turned, clusters=4).isel(layer=0)
    assert float(found["task_align"].sel(lang=b)) == 1
    assert float(found["task_align"].sel(lang=c)) == 0
    assert float(found["task_align_chance"].sel(lang=b)) < 0.1
    assert np.isnan(found["task_align"].sel(lang=a)).all()


def offered(full: bool, **given) -> dict:
    config = TraceConfig(source="x", causes="full" if full else "default", **given)
    road = SimpleNamespace(config=config, concepts=said(), predicts=True)
    store = SimpleNamespace(languages=LANGS, examples=said().frame)
    tables = {"planted": pd.DataFrame(1 - np.eye(4), LANGS, LANGS)}
    givens = SimpleNamespace(road=road, store=store, vocabulary=None if given else object(),
                             dictionaries=None, distances=tables)  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = dict(spaces._tuning(givens, lambda _: PAIRS))
    return made | {"told": " ".join(str(one.message) for one in caught)}


MOVED = np.random.default_rng(0).uniform(0.1, 0.9, (2, 4, 4))
PAIRS = xr.Dataset(
    {"value": (("layer", "lang_a", "lang_b"), MOVED),
     "zero_shot": (("lang_a", "lang_b"), 1 - MOVED[1])},
    {"layer": [0, 1], "lang_a": LANGS, "lang_b": LANGS},
).isel(lang_b=[3, 1, 0, 2])  # fmt: skip


def test_the_whole_study_is_done_where_all_causes_are_asked_for_and_only_there():
    every = ["tuning", "tuning_pairs", "transfer", "tuning_distances", "told"]
    assert list(offered(full=True)) == every
    assert list(offered(full=False)) == ["tuning", "told"]


def test_accuracy_that_falls_with_change_is_found_where_it_was_planted():
    tasks = offered(full=True)
    found = tasks["transfer"]()
    assert float(found["crossed"].sel(layer=1)) == -1
    assert abs(float(found["crossed"].sel(layer=0))) < 0.9
    assert found["distance"].values.tolist() == ["planted"]
    assert tasks["tuning_distances"]().attrs["nodes"] == 4


def test_texts_come_from_a_file_for_one_language_and_from_a_folder_for_each(tmp_path):
    one, folder = tmp_path / "one.txt", tmp_path / "texts"
    one.write_text("a1 a2\n", encoding="utf-8")
    folder.mkdir()
    for lang in LANGS[:3]:
        (folder / f"{lang}.txt").write_text(f"{lang}\n\nagain\n", encoding="utf-8")
    assert sources_of(folder, LANGS) == LANGS[:3]
    assert sources_of(one, LANGS) == []
    assert sources_of(None, LANGS) == LANGS
    road = SimpleNamespace(config=SimpleNamespace(source=str(tmp_path)))
    assert texts_of(road, LANGS[1], folder) == [LANGS[1], "again"]
    assert texts_of(road, LANGS[1], one) == ["a1 a2"]
    with pytest.raises(ValueError, match=r"qad_Latn\.txt"):
        texts_of(road, LANGS[3], folder)
    alone = offered(full=True, tune_texts=str(one))
    assert list(alone) == ["tuning", "told"]
    assert "tuning on each language is left out: 0 have texts" in alone["told"]
    assert "tuning_pairs" in offered(full=True, tune_texts=str(folder))
