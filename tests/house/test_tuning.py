"""Claims about what tuning on one language is measured to do."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from house.four_languages import LANGS, said, texts, written

from neurotrace import axes
from neurotrace.checkpoints import find
from neurotrace.tuning import tune
from neurotrace.tuning_arms import Task
from neurotrace.tuning_scores import Sentences, spaces


def stored(states: np.ndarray) -> SimpleNamespace:
    """A store of ``(lang, group, feature)`` states in one layer."""
    n = states.shape[1]
    table = pd.DataFrame({"lang": np.repeat(LANGS, n), "group": np.tile(np.arange(n), len(LANGS))})
    flat = xr.DataArray(states.reshape(-1, states.shape[-1]), dims=("example", "feature"))
    return SimpleNamespace(
        examples=table, languages=LANGS, layers=[0], steps=[1], read=lambda *_: flat
    )


def measured(before: np.ndarray, after: np.ndarray) -> xr.Dataset:
    base = stored(before)
    found = spaces(base, stored(after), Sentences.of(base), source=LANGS[0], permutations=20)
    return found.isel(layer=0)


def test_translations_in_one_place_are_aligned_and_unmoved():
    meaning = np.random.default_rng(0).standard_normal((1, 150, 20))
    said = np.broadcast_to(meaning, (4, 150, 20)) + 1e-3 * np.random.default_rng(1).standard_normal(
        (4, 150, 20)
    )
    found = measured(said, said)
    for name in ("mexa", "retrieval"):
        np.testing.assert_array_equal(found[name], [np.nan, 1, 1, 1])
    np.testing.assert_allclose(found["ilo"], 1)
    np.testing.assert_allclose(found["phi"], 0, atol=1e-9)


def test_noise_scores_chance_and_shares_nothing_with_what_was_there():
    rng = np.random.default_rng(0)
    found = measured(*rng.standard_normal((2, 4, 250, 20)))
    assert np.abs(found["ilo_corrected"].mean()) < 0.05
    for name in ("mexa", "retrieval"):
        assert float(found[name].mean()) < 4 * float(found[f"{name}_chance"])
    np.testing.assert_allclose(found["phi"], found["phi_chance"], atol=0.05)


def test_pulling_languages_apart_ends_mixing_and_leaves_phi_and_what_is_centred():
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((1, 150, 20)) + 0.01 * rng.standard_normal((4, 150, 20))
    apart = meaning + 30 * np.eye(4, 20)[:, None]
    found = measured(meaning, apart)
    np.testing.assert_array_equal(found["ilo"], 0)
    assert (found["ilo_corrected"] < -0.3).all()
    np.testing.assert_allclose(found["centered"], 1)
    np.testing.assert_allclose(found["phi"], 0, atol=1e-9)  # a shift is no move for CKA
    np.testing.assert_array_equal(found["retrieval"][1:], 1)


def test_sets_without_translations_are_refused():
    store = stored(np.zeros((4, 20, 3)))
    store.examples["group"] = np.arange(80)
    with pytest.raises(ValueError, match="got 0 groups that stand in all of 4 languages"):
        Sentences.of(store)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("tuned") / "step-000007")


TEXTS = texts(0)
OPTIONS = {"source": "qaa_Latn", "steps": 2, "lr": 1e-2, "permutations": 2}


@pytest.fixture(scope="module")
def found(model, tmp_path_factory) -> xr.Dataset:
    out = tmp_path_factory.mktemp("out")
    return tune(find(model)[0], said(), TEXTS, out=out, **OPTIONS)


def test_every_arm_is_measured_and_only_the_tuned_ones_moved(found):
    for values in found.values():
        axes.check(values)
    arms = ["base", "free", "frozen_embed", "frozen_early", "frozen_late", "frozen_phi"]
    assert found["arm"].values.tolist()[:6] == arms
    for name in ("ilo", "mexa", "retrieval", "phi"):
        assert found[name].dims == ("run", "arm", "layer", "lang")
    assert found["zero_shot"].dims == ("run", "arm", "lang")
    np.testing.assert_allclose(found["phi"].sel(arm="base"), 0, atol=1e-9)
    assert (found["phi"].sel(arm="free", lang="qaa_Latn") > 0).all()
    assert found["loss"].notnull().all()
    assert float(found["loss_chance"]) == pytest.approx(np.log(51))
    assert (
        (found["loss"].sel(arm="free") < found["loss"].sel(arm="base")).sel(lang="qaa_Latn").all()
    )
    assert (found["zero_shot_chance"] >= 0.5).all()


@pytest.mark.slow
def test_each_seed_is_a_run_and_a_finished_experiment_is_read_back(model, tmp_path, monkeypatch):
    found = tune(find(model)[0], said(), TEXTS, out=tmp_path, seeds=(0, 1), **OPTIONS)
    assert found.sizes["run"] == 2
    assert found["zero_shot_chance"].dims == ("run", "lang")
    one, two = (found["phi"].sel(arm="free").isel(run=run) for run in (0, 1))
    assert not one.equals(two)
    updates = import_module("neurotrace.causal.finetune")
    monkeypatch.setattr(updates, "_updates", None)  # nothing is trained again
    again = tune(find(model)[0], said(), TEXTS, out=tmp_path, seeds=(0, 1), **OPTIONS)
    xr.testing.assert_identical(found, again)


def test_blocks_in_front_of_the_first_that_learns_do_not_move(found):
    held = found["phi"].sel(arm="frozen_early", layer=0)
    np.testing.assert_allclose(held, 0, atol=1e-9)
    assert (found["phi"].sel(arm="frozen_late", layer=0) > 0).any()
    assert json.loads(found.attrs["freeze"])["frozen_early"] == [0, "embed"]


def test_latent_concepts_are_read_before_and_after_the_task_and_nowhere_else(found):
    task = found[["task_align", "task_align_chance"]].isel(run=0)
    others = ["qab_Latn", "qac_Latn", "qad_Latn"]
    for values in task.values():
        assert values.dims == ("arm", "layer", "lang")
        assert values.sel(arm=["base", "free"], lang=others).notnull().all()
        assert values.sel(lang="qaa_Latn").isnull().all()
        assert values.drop_sel(arm=["base", "free"]).isnull().all()


def test_random_lists_are_averaged_and_the_chosen_list_is_chosen_without_the_held_out(found):
    drawn = [arm for arm in found["arm"].values if arm.startswith("frozen_random_")]
    mean = found["phi"].sel(arm=drawn).mean("arm")
    np.testing.assert_allclose(found["phi"].sel(arm="frozen_random"), mean)
    assert found.attrs["chosen_on"] == "qab_Latn"
    moved = found["phi_choosing"].sel(lang="qab_Latn")
    chosen = json.loads(found.attrs["freeze"])["frozen_phi"]
    assert chosen == [int(moved["layer"][int(moved.argmax("layer"))]), "embed"]
    judged = found["phi"].sel(arm="free").isel(run=0)
    assert (judged != found["phi_choosing"]).all()  # of other sentences
    assert float(found["retrieval_chance"]) == 1 / 12  # of 24 groups


def test_classes_are_learnt_in_one_half_and_read_in_the_other():
    concepts = said()
    task = Task.of(concepts, "qab_Latn", seed=0)
    frame = concepts.frame
    assert set(frame["lang"].iloc[task.train]) == {"qab_Latn"}
    trained = set(frame["group"].iloc[task.train])
    for lang, rows in task.test.items():
        assert set(frame["lang"].iloc[rows]) == {lang}
        assert not trained & set(frame["group"].iloc[rows])
        assert len(rows) == 24 - len(trained)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "deu_Latn"}, "got source 'deu_Latn'; valid are qaa_Latn"),
        ({"choose_on": ["qaa_Latn"]}, "got choose_on qaa_Latn; valid are qab_Latn"),
        ({"arms": ["base", "frozen"]}, "got arms frozen; valid are base, free, frozen_embed"),
        ({"probe_layer": 3}, "got probe_layer 3; valid are 0 to 2"),
        ({"freeze_phi": [7]}, "got freeze 7; valid are 0 to 2"),
        ({"texts": []}, "got 0 texts, all of them sentences of the set or none at all"),
        ({"texts": [said().frame["text"].iloc[0]]}, "got 1 texts, all of them sentences"),
    ],
)
def test_experiments_that_make_no_sense_are_refused(model, tmp_path, changes, message):
    given = {"texts": TEXTS, **OPTIONS, **changes}
    with pytest.raises(ValueError, match=message):
        tune(find(model)[0], said(), given.pop("texts"), out=tmp_path, **given)
    assert not list(tmp_path.iterdir())
