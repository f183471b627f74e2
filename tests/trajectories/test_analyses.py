"""What a whole trace computes: the basis verdict on planted truth, and what is left out."""

import numpy as np
import pytest
from planted import PATH, ROTATED, Stage, experts_of, fire, rotation

from neurotrace.trajectories import expert_sizes, tasks

ALL = ("overlap", "expertise", "counts", "language_id", "retrieval", "loss", "confounds")


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
    with pytest.warns(UserWarning, match="is left out") as told:
        names = [name for name, _ in tasks(store, {}.__getitem__, analyses=ALL)]
    assert names == ["expertise", "ceilings", "top_neurons", "concept_neurons", "language_neurons"]
    said = " ".join(str(warning.message) for warning in told)
    differs = "what else differs between languages"
    for what in ("expert overlap", "language identification", "retrieval", "loss", differs):
        assert f"{what} is left out" in said


def test_an_unknown_analysis_is_refused(tmp_path):
    stage = Stage(n_langs=2, n_concepts=2, n_groups=8, widths=(8,))
    store = stage.write(tmp_path, {0: np.random.default_rng(0).random((32, 8))})
    with pytest.raises(ValueError, match="got analyses onset; valid are overlap, expertise"):
        tasks(store, {}.__getitem__, analyses=("onset",))


def test_sizes_lie_a_tenth_and_ten_times_around_the_headline():
    assert expert_sizes(0.05, 1024) == [5, 51, 256]
    assert expert_sizes(0.05, 98_304) == [50, 500, 5000]
    assert expert_sizes(1, 8) == [1, 2]
