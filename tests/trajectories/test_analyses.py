"""What a whole trace computes: the basis verdict on planted truth, and what is left out."""

import warnings

import numpy as np
import pytest
from planted import PATH, ROTATED, Stage, experts_of, fire, rotation

from neurotrace.config import ANALYSES, CAUSES, SPACES
from neurotrace.trajectories import Results, expert_sizes, label_counts, neuron_labels, tasks


def computed(store, names, **options):
    done = {}
    for name, compute in tasks(store, done.__getitem__, **options):
        if name in names:
            done[name] = compute()
    return done


@pytest.mark.parametrize(
    ("kind", "privileged"), [("sparse", True), ("half", True), ("dense", False)]
)
def test_the_basis_tells_shared_neurons_from_a_shared_direction(tmp_path, kind, privileged):
    stage, k = Stage(n_langs=3, widths=(256,), n_groups=32), 8
    rng = np.random.default_rng(0)
    if kind == "dense":
        directions = rng.standard_normal((stage.n_concepts, stage.n_neurons))
        X = 2 * directions[stage.concept] + rng.standard_normal((len(stage.lang), 256))
    else:
        shared = 1.0 if kind == "sparse" else 0.5
        X = fire(stage, experts_of(stage, k=k, shared=shared, rng=rng), signal=4, rng=rng)
    q = rotation(stage.n_neurons, rng)
    store = stage.write(tmp_path, {0: {PATH: X, ROTATED: X @ q}})
    options = {"analyses": ("overlap",), "rotated": [ROTATED], "top": k}
    basis = computed(store, {"overlap", "overlap_rotated", "basis"}, **options)["basis"]
    assert bool(basis["value_low"][0] > 0) is privileged
    if kind == "dense":
        assert abs(float(basis["value"][0])) < 0.05


def test_what_does_not_apply_is_left_out_and_told(tmp_path):
    stage = Stage(n_langs=1, n_concepts=2, n_groups=8, widths=(8,))
    X = np.random.default_rng(0).standard_normal((len(stage.lang), 8))
    store = stage.write(tmp_path, {0: X})
    own = [name for name in ANALYSES if name not in (*CAUSES, *SPACES)]
    with pytest.warns(UserWarning, match="is left out") as told:
        names = [name for name, _ in tasks(store, {}.__getitem__, analyses=own)]
    kept = ["expertise", "ceilings", "top_neurons", "concept_neurons", "language_neurons"]
    assert names == [*kept, "participation"]
    said = " ".join(str(warning.message) for warning in told)
    differs = "what else differs between languages"
    labels = "labels of neurons"
    for what in ("expert overlap", "language identification", "retrieval", "loss", differs, labels):
        assert f"{what} is left out" in said
    for what in ("onsets are", "turnover is", "compression is", "lives of neurons is"):
        assert f"{what} left out" in said
    assert "layer roles is left out" in said


def test_an_unknown_analysis_is_refused(tmp_path):
    stage = Stage(n_langs=2, n_concepts=2, n_groups=8, widths=(8,))
    store = stage.write(tmp_path, {0: np.random.default_rng(0).random((32, 8))})
    with pytest.raises(ValueError, match="got analyses cellar; valid are overlap, expertise"):
        tasks(store, {}.__getitem__, analyses=("cellar",))


def test_sizes_lie_a_tenth_and_ten_times_around_the_headline():
    assert expert_sizes(0.05, 1024) == [5, 51, 256]
    assert expert_sizes(0.05, 98_304) == [50, 500, 5000]
    assert expert_sizes(1, 8) == [1, 2]


def labels_of(folder, stage, strong=0):
    """Tasks of the labels of planted neurons, of which some serve a concept each everywhere."""
    X = np.random.default_rng(0).standard_normal((len(stage.lang), stage.n_neurons))
    X[:, :strong] += 6 * (stage.concept[:, None] == np.arange(strong) % stage.n_concepts)
    store = stage.write(folder, {0: X})
    return store, tasks(store, {}.__getitem__, analyses=("labels",))


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"n_langs": 1}, "there is one language"),
        ({"n_concepts": 1}, "c00 has 40 sentence groups with it and 0 without it in qaa_Latn"),
        ({"n_groups": 2}, "c00 has 2 sentence groups with it and 6 without it in qaa_Latn, and 8"),
        ({"n_groups": 8, "n_concepts": 2}, "no single neuron could be called among 320 tests"),
    ],
)
def test_labels_that_could_not_be_called_are_left_out_and_told(tmp_path, shape, why):
    stage = Stage(**{"n_langs": 2, "n_concepts": 4, "n_groups": 40, "widths": (80,)} | shape)
    with pytest.warns(UserWarning, match=f"labels of neurons is left out: {why}"):
        assert labels_of(tmp_path, stage)[1] == []


@pytest.mark.parametrize("shape", [(2, 4, 10), (2, 2, 16), (3, 5, 9)])
def test_labels_are_computed_wherever_they_are_not_left_out(tmp_path, shape):
    n_langs, n_concepts, n_groups = shape
    stage = Stage(n_langs=n_langs, n_concepts=n_concepts, n_groups=n_groups, widths=(8, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store, found = labels_of(tmp_path, stage)
    counts = dict(found)["labels"]()
    assert counts.attrs["languages"] == n_langs
    assert counts.attrs["compared"] == n_concepts * n_groups // 2
    assert "lexical" in store.examples or counts.attrs["lacking"] == -1
    assert float(counts["shared"][0]) == 0


def test_labels_survive_the_file_with_their_words_and_their_chance(tmp_path):
    stage = Stage(n_concepts=4, n_groups=40, n_langs=2, widths=(70, 10))
    store, found = labels_of(tmp_path / "store", stage, strong=60)
    results = Results(tmp_path)
    made = {name: results.get(name, compute) for name, compute in found}
    assert list(made) == ["labels", "labelled_neurons"]
    assert float(made["labels"]["shared"][0]) == float(label_counts(store)["shared"][0]) == 60
    table, frame = made["labelled_neurons"], neuron_labels(store, 0)
    assert table.sizes["example"] == 50
    assert table.attrs["shared_called"] == 60
    assert set(table["kind"].values) == {"shared"}
    assert set(table["languages"].values) == {"qaa_Latn qab_Latn"}
    assert np.all(np.diff(table["q"].values) >= 0)
    for at in range(3):
        row = frame.loc[int(table["neuron"][at])]
        assert (row["concept"], row["ap"]) == (table["concept"][at].item(), table["ap"][at].item())
    assert np.isnan(table["learned"].values).all()
    for result in made.values():
        assert any("chance" in str(name) for name in result.variables)


def test_a_table_without_any_called_neuron_survives_the_file(tmp_path):
    stage = Stage(n_concepts=4, n_groups=16, n_langs=2, widths=(8,))
    found = dict(labels_of(tmp_path / "store", stage)[1])
    table = Results(tmp_path).get("labelled_neurons", found["labelled_neurons"])
    assert table.sizes["example"] == 0
    assert table["concept"].dtype.kind in "OUT"
    assert table.attrs["shared_called"] == 0
