"""What scoring keeps of a checkpoint is all that a trace needs of it, whoever computed it when."""

import json
import pickle
import shutil
import warnings
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from planted import PATH, ROTATED, Stage, experts_of, fire, rotation

from neurotrace.probes import average_precision, call_experts, experts
from neurotrace.store import ActivationStore
from neurotrace.store.strip import strip
from neurotrace.trajectories import (
    Parts,
    Scoring,
    attach,
    attach_twin,
    compute,
    expert_overlap,
    expert_turnover,
    fold,
    read_scores,
    score_step,
    tasks,
    units,
)
from neurotrace.trajectories import overlap as overlap_module
from neurotrace.trajectories.expert_sets import expert_sets
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.parts import Part

STATES = "hook_resid_post/mean"
STAGE = Stage(n_concepts=4, n_groups=10, n_langs=3, widths=(24, 24))
ANALYSES = (
    "overlap", "expertise", "onset", "turnover", "counts", "labels", "compression", "lives",
    "roles", "retrieval",
)  # fmt: skip
SCORING = Scoring(ANALYSES, rotated=(ROTATED,), top=6, n_splits=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Three checkpoints and a twin, with neurons, rotated neurons and states."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("parts") / "run"
    chosen = experts_of(STAGE, k=6, shared=0.5, rng=rng)
    q = rotation(STAGE.n_neurons, rng)
    given = {}
    for step, signal in ((0, 0.0), (16, 2.5), (64, 5.0), (1, 0.0)):
        X = fire(STAGE, chosen, signal=signal, rng=rng)
        given[step] = {PATH: X, ROTATED: X @ q, STATES: X @ q[:, ::-1]}
    STAGE.write(folder, given)
    (folder / "0003_step1.h5").rename(folder / "twin.h5")
    return folder


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


def computed(store: ActivationStore, scoring: Scoring = SCORING) -> dict[str, xr.Dataset]:
    done: dict[str, xr.Dataset] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        made = tasks(
            store, done.__getitem__, analyses=scoring.analyses, rotated=scoring.rotated,
            top=scoring.top, n_splits=scoring.n_splits,
        )  # fmt: skip
    for name, one in made:
        done[name] = one()
    return done


@pytest.fixture(scope="module")
def direct(run) -> dict[str, xr.Dataset]:
    return computed(ActivationStore.open(run))


def same(found: dict[str, xr.Dataset], expected: dict[str, xr.Dataset]) -> None:
    for name, result in found.items():
        xr.testing.assert_identical(result, expected[name])


def test_scored_one_by_one_in_any_order_everything_follows_without_activations(copy, direct):
    files = sorted(file.name for file in copy.glob("0*.h5"))
    for file in reversed(files):
        alone = attach(ActivationStore(copy, [copy / file]))
        score_step(alone, SCORING, last=file == files[-1])
    score_step(attach_twin(ActivationStore.open(copy / "twin.h5"), copy), SCORING, twin=True)
    for file in [*files, "twin.h5"]:
        strip(copy / file, "scores")
    found = computed(attach(ActivationStore.open(copy)))
    same(found, direct)
    assert list(found) == [name for name in direct if name not in ("lives", "cards")]
    assert sorted(file.name for file in (copy / "scores").iterdir()) == [*files, "twin.h5"]


def test_units_done_in_any_order_are_the_whole_of_the_scoring(copy, direct):
    store = attach(ActivationStore.open(copy))
    some = replace(SCORING, analyses=("overlap", "turnover", "retrieval"))
    wanted = units(store, some)
    assert wanted[0].file == "twin.h5"
    assert len({str(unit) for unit in wanted}) == len(wanted) == 20
    for unit in reversed(wanted):
        compute(pickle.loads(pickle.dumps(unit)))
    assert units(store, some) == []
    fold(store)
    assert units(store, some) == []
    assert not [file for file in (copy / "scores").iterdir() if file.is_dir()]
    for file in copy.glob("*.h5"):
        strip(file, "scores")
    same(computed(attach(ActivationStore.open(copy)), some), direct)


def test_a_unit_of_other_settings_is_to_be_done_again(copy):
    store = attach(ActivationStore.open(copy))
    few, seeded = Scoring(("retrieval",)), Scoring(("retrieval",), seed=1)
    for unit in units(store, few):
        compute(unit)
    assert units(store, few) == []
    assert [unit.name for unit in units(store, seeded)] == ["retrieval"] * 4


def test_a_part_is_computed_once_and_comes_back_as_it_was(copy):
    store = attach(ActivationStore.open(copy))
    calls = []
    value = xr.Dataset(
        {
            "text": ("example", np.array(["", "日本", "ab"])),
            "object": ("example", np.array(["x", "yy", ""], object)),
            "flag": ("example", np.array([True, False, True])),
            "small": ("example", np.array([1, 2, 255], np.uint8)),
            "none": ("neuron", np.empty(0, np.float32)),
            "empty": ("lang", np.empty(0, "U1")),
            "long": (("step", "k"), np.tile([0.1, np.nan], (600, 1))),
            "number": np.float64(1 / 3),
        },
        {"example": [3, 1, 2], "name": ("example", np.array(["a", "b", "c"]))},
        {"step": 4, "alpha": 0.05, "path": "a/b"},
    )

    def make() -> xr.Dataset:
        calls.append(1)
        return value

    for _ in range(2):
        found = store.parts.get(16, Part.of("thing", {"seed": 1}), make)
        xr.testing.assert_identical(found, value)
        assert {n: v.dtype for n, v in found.variables.items()} == {
            n: v.dtype for n, v in value.variables.items()
        }
    assert store.parts.missing(16, [Part.of("thing", {"seed": 1}), "other"]) == ["other"]
    store.parts.get(16, Part.of("thing", {"seed": 2}), make)
    store.parts.get(0, Part.of("thing", {"seed": 1}), make)
    assert len(calls) == 3
    store.parts.fold(16)
    xr.testing.assert_identical(store.parts.get(16, Part.of("thing", {"seed": 1}), make), value)
    assert len(calls) == 3


def test_parts_of_other_activations_are_no_parts(copy):
    first = attach(ActivationStore.open(copy)).parts
    first.get(16, "thing", lambda: xr.Dataset({"value": 1.0}))
    first.fold(16)
    with h5py.File(copy / "0001_step16.h5", "a") as file:
        file.attrs["weight_hash"] = "f" * 64
    second = attach(ActivationStore.open(copy)).parts
    assert second.missing(16, ["thing"]) == ["thing"]
    assert float(second.get(16, "thing", lambda: xr.Dataset({"value": 2.0}))["value"]) == 2
    second.fold(16)
    assert float(read_scores(copy, 16)["thing"]["value"]) == 2


def test_a_damaged_file_of_scores_is_named(copy):
    parts = attach(ActivationStore.open(copy)).parts
    parts.get(16, "thing", lambda: xr.Dataset({"value": 1.0}))
    parts.fold(16).write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=r"got scores/0001_step16.h5, which is damaged.*--repair"):
        parts.get(16, "thing", xr.Dataset)


def test_a_computation_that_fails_leaves_nothing_behind(copy):
    parts = attach(ActivationStore.open(copy)).parts
    with pytest.raises(TypeError, match="expected text or a number"):
        parts.get(16, "thing", lambda: xr.Dataset(attrs={"bad": [object()]}))
    assert not [file for file in (copy / "scores").rglob("*") if file.is_file()]
    assert parts.missing(16, ["thing"]) == ["thing"]


def _hammer(folder: str, seed: int) -> None:
    parts = attach(ActivationStore.open(folder)).parts
    for number in np.random.default_rng(seed).permutation(12):
        made = xr.Dataset({"value": ("k", np.arange(200.0) + number)})
        found = parts.get(16, f"part{number}", lambda made=made: made)
        assert found.identical(made)
        parts.fold(16)


def test_processes_that_keep_and_fold_at_once_lose_nothing(copy):
    context = get_context("fork")
    workers = [context.Process(target=_hammer, args=(str(copy), seed)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    parts = attach(ActivationStore.open(copy)).parts
    parts.fold(16)
    assert sorted(read_scores(copy, 16)) == sorted(f"part{number}" for number in range(12))
    assert [file.name for file in (copy / "scores").iterdir()] == ["0001_step16.h5"]


def test_the_experts_that_are_kept_are_those_of_the_first_split(copy):
    expert_turnover(attach(ActivationStore.open(copy)), top=6)
    fold(attach(ActivationStore.open(copy)))
    store = ActivationStore.open(copy)
    in_a = Halved.of(store, PATH, n_splits=1, seed=0).in_a[0]
    table, bins = (read_scores(copy, 64)[name] for name in ("experts", "histogram"))
    X = np.concatenate([store.read(64, layer).values for layer in store.layers], axis=1)
    own = (store.examples["lang"] == store.languages[1]).to_numpy()
    best, other = (
        average_precision(X[own & half], store.labels[own & half]) for half in (in_a, ~in_a)
    )
    told = table.isel(lang=1, half=0)
    flat = told["layer"].values.astype(int) * 24 + told["neuron"].values
    np.testing.assert_array_equal(
        np.sort(flat), [np.flatnonzero(row) for row in experts(best, top=6)]
    )
    by_rank = np.take_along_axis(best, flat, axis=1)
    assert (np.diff(by_rank, axis=1) <= 0).all()
    np.testing.assert_allclose(
        told["held_out"] / 4000, np.take_along_axis(other, flat, axis=1), atol=1.3e-4
    )
    counts = np.histogram(np.concatenate([best, other]), bins=200, range=(0, 1))[0]
    np.testing.assert_array_equal(bins["count"].isel(lang=1).sum("layer"), counts)
    assert table["lang"].values.tolist() == store.languages
    assert json.loads(table.attrs["settings"]) == {"k": 6, "n_splits": 4, "path": PATH, "seed": 0}


def test_scores_of_two_stages_are_told_apart(tmp_path):
    stage = Stage(n_concepts=2, n_groups=4, n_langs=2, widths=(8,))
    X = np.random.default_rng(0).random((2, len(stage.lang), 8))
    store = attach(stage.write(tmp_path, {(1, 5): X[0], (2, 5): X[1]}))
    for at in (1, 2):
        store.parts.get((at, 5), "thing", lambda at=at: xr.Dataset({"value": at}))
    for at in (1, 2):
        assert int(read_scores(tmp_path, (at, 5))["thing"]["value"]) == at
    with pytest.raises(ValueError, match="got step 5, of which 0000_step5, 0001_step5 are"):
        read_scores(tmp_path, 5)
    with pytest.raises(KeyError, match="got step 5; expected one of"):
        store.parts.missing(5, ["thing"])
    with pytest.raises(FileNotFoundError, match="got step 7 of"):
        read_scores(tmp_path, 7)


def test_overlap_is_the_same_however_many_splits_fit_into_memory(run, monkeypatch):
    store = ActivationStore.open(run)
    at_once = expert_overlap(store, top=[2, 6], n_splits=5)
    monkeypatch.setattr(overlap_module, "MOST_BYTES", 2 * 2 * 3 * 4 * 6 * 8)
    xr.testing.assert_identical(expert_overlap(store, top=[2, 6], n_splits=5), at_once)


def test_expert_sets_are_called_and_confirmed_among_all_tests(run):
    store = ActivationStore.open(run)
    sets, found = expert_sets(store), []
    for side in (0, 1):
        by_layer = [
            [sets_p(store, sets, layer, lang, side) for lang in range(3)] for layer in (0, 1)
        ]
        found.append(np.concatenate(by_layer, axis=-1))
    called = call_experts(found[0]).passes
    expected = call_experts(found[1], among=called).passes
    assert expected.sum() > 10
    np.testing.assert_array_equal(sets.at(2), expected)
    attach(store)
    np.testing.assert_array_equal(sets.at(2), expected)  # now from what is kept


def sets_p(store, sets, layer, lang, side) -> np.ndarray:
    """p-values of one language's half; 1 where half A does not rank well enough."""
    from neurotrace.probes import auroc, p_values

    own = sets.halved.rows[lang]
    in_a = sets.halved.in_a[0, own]
    X, y = store.read(64, layer).values[own], store.labels[own]
    half = in_a if side == 0 else ~in_a
    p = p_values(X[half], y[half], score="auroc")
    if side == 0:
        p[auroc(X[in_a], y[in_a]) < sets.least] = 1
    return p.astype(np.float32)


def test_what_a_store_of_several_checkpoints_cannot_be_scored_as(run):
    with pytest.raises(ValueError, match="got a store of no parts; expected one checkpoint's"):
        score_step(ActivationStore.open(run), SCORING)
    several = ActivationStore.open(run)
    several.parts = Parts.of(several, run / "none")
    with pytest.raises(ValueError, match="got a store of 3 checkpoints; expected one"):
        score_step(several, SCORING)


def test_a_part_that_two_processes_made_is_folded_once(copy):
    one, other = (attach(ActivationStore.open(copy)).parts for _ in range(2))
    made = xr.Dataset({"value": 1.0})

    def late() -> xr.Dataset:
        other.get(16, "thing", lambda: made)
        other.fold(16)
        return made

    one.get(16, "thing", late)
    one.fold(16)
    assert float(read_scores(copy, 16)["thing"]["value"]) == 1
