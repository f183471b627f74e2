"""Claims about what an arm of the tuning experiment is held against, and on which sentences."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from house.four_languages import LANGS, said, texts, written

from neurotrace.checkpoints import find
from neurotrace.store import ActivationStore
from neurotrace.tuning import tune
from neurotrace.tuning_arms import REACHED, Task, alike, freeze_lists
from neurotrace.tuning_scores import Sentences, change, name_band, spaces


def stored(states: np.ndarray) -> SimpleNamespace:
    """A store of ``(lang, group, feature)`` states in one layer."""
    n = states.shape[1]
    table = pd.DataFrame({"lang": np.repeat(LANGS, n), "group": np.tile(np.arange(n), len(LANGS))})
    flat = xr.DataArray(states.reshape(-1, states.shape[-1]), dims=("example", "feature"))
    return SimpleNamespace(
        examples=table, languages=LANGS, layers=[0], steps=[1], read=lambda *_: flat
    )


def test_freeze_lists_are_explicit_and_random_ones_as_long_as_the_list_under_test():
    for phi in ([2, 5, 6], [4, 1]):
        lists = freeze_lists(9, phi, 3, seed=0)
        assert lists["frozen_embed"] == ["embed"]
        assert lists["frozen_early"] == [0, 1, 2, "embed"]
        assert lists["frozen_late"] == [6, 7, 8, "embed"]
        assert lists["frozen_phi"] == [*sorted(phi), "embed"]
        drawn = [lists[f"frozen_random_{n}"] for n in (1, 2, 3)]
        assert {len(each) for each in drawn} == {len(phi) + 1}
        assert len({str(each) for each in drawn}) == 3


def test_random_lists_may_be_the_first_or_last_blocks_and_never_the_list_under_test():
    drawn = [freeze_lists(4, [1], 2, seed=seed) for seed in range(40)]
    seen = {own[f"frozen_random_{n}"][0] for own in drawn for n in (1, 2)}
    assert seen == {0, 2, 3}
    free = [freeze_lists(4, None, 2, seed=seed)["frozen_random_1"][0] for seed in range(40)]
    assert set(free) == {0, 1, 2, 3}
    assert freeze_lists(4, [1], 2, seed=3) == freeze_lists(4, [1], 2, seed=3)
    few = freeze_lists(2, [0], 2, seed=0)
    assert few["frozen_random_1"] == [1, "embed"]
    assert "frozen_random_2" not in few  # there is no other


def test_arms_of_one_list_are_known():
    lists = {"frozen_early": [0], "frozen_late": [3], "frozen_phi": [3], "frozen_random_1": [0]}
    assert alike(lists) == {"frozen_phi": "frozen_late", "frozen_random_1": "frozen_early"}
    assert alike(freeze_lists(4, [1], 0, seed=0)) == {}


def test_each_language_meets_the_source_by_itself():
    rng = np.random.default_rng(0)
    meaning = np.repeat(rng.standard_normal((1, 60, 20)), 4, axis=0)
    meaning[2] = rng.standard_normal((60, 20))
    store = stored(meaning)
    one = spaces(store, store, Sentences.of(store), source=LANGS[0]).isel(layer=0)
    for name in ("mexa", "retrieval"):
        assert one[name].dims == ("lang",)
        assert float(one[name].sel(lang=LANGS[1])) == float(one[name].sel(lang=LANGS[3])) == 1
        assert float(one[name].sel(lang=LANGS[2])) < 0.2
        assert np.isnan(one[name].sel(lang=LANGS[0]))
    far = spaces(store, store, Sentences.of(store), source=LANGS[2]).isel(layer=0)
    assert float(far["retrieval"].max()) < 0.2


def test_blocks_are_chosen_on_other_sentences_than_they_are_judged_on():
    rng = np.random.default_rng(0)
    every = Sentences.of(stored(rng.standard_normal((4, 31, 6))))
    a, b = every.halved(seed=0)
    assert sorted([*a.rows[0], *b.rows[0]]) == list(range(31))
    np.testing.assert_array_equal(a.rows[1] - a.rows[0], 31)  # still translations
    assert set(a.rows[0]) != set(every.halved(seed=1)[0].rows[0])
    small = Sentences.of(stored(rng.standard_normal((4, 15, 6))))
    with pytest.raises(ValueError, match="got 15 groups .* expected at least 16"):
        small.halved(seed=0)


def test_change_by_itself_is_that_of_the_spaces():
    one, two = (stored(x) for x in np.random.default_rng(0).standard_normal((2, 4, 30, 6)))
    drawn = Sentences.of(one).drawn(20, seed=0)
    whole = spaces(one, two, drawn, source=LANGS[0])
    np.testing.assert_allclose(change(one, two, drawn), whole["phi"])


def test_a_classifier_of_clusters_without_names_stays_in_its_band_and_one_of_names_leaves_it():
    names = np.array([f"c{n}" for n in range(12)])
    rng = np.random.default_rng(0)
    left = 0
    for seed in range(100):
        true = rng.choice(names, 120, p=np.linspace(1, 3, 12) / 24)
        order = dict(zip(names, rng.permutation(names), strict=True))
        low, high = name_band(np.array([order[name] for name in true]), true, seed=seed)
        right = np.mean([order[name] == name for name in true])
        left += not low <= right <= high
        assert name_band(true, true, seed=seed)[1] < 0.7
    assert left <= 10


def test_two_concepts_have_two_orders_and_can_show_nothing():
    true = np.array(["x"] * 6 + ["y"] * 4)
    assert name_band(true, true) == (0, 1)
    told = np.array(["x"] * 5 + ["y"] * 5)
    assert name_band(told, true) == pytest.approx((0.1, 0.9))
    assert name_band(np.array(["x"] * 10), true) == (0.4, 0.6)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[xr.Dataset, ActivationStore]:
    folder = tmp_path_factory.mktemp("tuned")
    found = tune(
        find(written(folder / "step-000007"))[0], said(), texts(0), source=LANGS[0], steps=2,
        lr=1e-2, permutations=2, out=folder / "out", arms=("free", "frozen_late", "frozen_phi"),
        freeze_phi=[2],
    )  # fmt: skip
    return found, folder / "out" / LANGS[0] / "seed0"


def test_arms_of_one_list_are_tuned_once_and_told(made):
    found, folder = made
    assert json.loads(found.attrs["alike"]) == {"frozen_phi": "frozen_late"}
    xr.testing.assert_equal(
        found.sel(arm="frozen_phi").drop_vars("arm"), found.sel(arm="frozen_late").drop_vars("arm")
    )
    assert (folder / "frozen_late").is_dir()
    assert not (folder / "frozen_phi").exists()


def test_concepts_are_read_in_words_of_sentences_that_no_classifier_learnt_from(made):
    _, folder = made
    frame = said().frame
    trained = set(frame["group"].iloc[Task.of(said(), LANGS[0], seed=0).train])
    assert trained
    for arm in ("base", "free"):
        store = ActivationStore.open(folder / arm / "unseen_words")
        read = store.examples["group"].iloc[store.words["example"].to_numpy()]
        assert set(read) == set(frame["group"]) - trained


def test_every_arm_has_a_band_of_its_own_around_what_names_by_lot_give(made):
    found, _ = made
    for name in REACHED:
        assert found[name].dims == ("run", "arm", "lang")
    value, low, high = (found[name] for name in REACHED)
    assert ((low <= value) & (value <= high)).all()  # of two concepts
    np.testing.assert_allclose(low + high, 1)
    assert "phi_choosing" not in found
    assert found.attrs["chosen_on"] == ""
