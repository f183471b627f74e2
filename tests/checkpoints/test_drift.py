"""Weights travel a path; labels that are not in its order are found, and nothing else is."""

import numpy as np
import pytest

from neurotrace.checkpoints.drift import detours, misfits, turns


def between(points):
    points = np.asarray(points, dtype=float)
    return {"all": np.linalg.norm(points[:, None] - points[None], axis=-1)}


def walk(n, *, seed=0, width=2000, strides=None):
    """A random walk: strides at right angles to one another, near enough."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((n, width)) / np.sqrt(width)
    return np.cumsum(steps * (np.ones(n) if strides is None else strides)[:, None], axis=0)


def found(points, steps=None):
    return {m.at: m.fits for m in misfits(between(points), steps or list(range(len(points))))}


def test_a_line_makes_no_detour_a_walk_that_of_right_angles_and_trembling_twice_the_way():
    line = np.arange(6)[:, None] * np.ones(3)
    np.testing.assert_allclose(turns(between(line))[1:-1], 1)
    np.testing.assert_allclose(turns(between(walk(6, width=40_000)))[1:-1], np.sqrt(2), rtol=0.02)
    tremble = np.random.default_rng(0).standard_normal((6, 40_000))
    np.testing.assert_allclose(turns(between(tremble))[1:-1], 2, rtol=0.02)
    assert np.isnan(turns(between(line))[[0, -1]]).all()


def test_the_largest_detour_of_any_kind_counts_and_rounding_makes_none():
    line = np.arange(5)[:, None] * np.ones(3)
    bent = line.copy()
    bent[2] += 10
    kinds = {"one": between(line)["all"], "other": between(bent)["all"]}
    assert detours(kinds)[2] == pytest.approx(detours({"other": kinds["other"]})[2])
    still = line.copy()
    still[1:4] = 1
    still[2, 0] += 1e-4  # there and back again, by less than a stride
    assert detours(between(still))[2] < 1.1


@pytest.mark.parametrize("kind", ["line", "walk", "trembling walk", "growing", "slowing"])
def test_no_step_of_an_honest_path_is_off_it(kind):
    n, rng = 20, np.random.default_rng(1)
    strides = {"growing": 2.0 ** np.arange(n), "slowing": 0.7 ** np.arange(n)}.get(kind)
    points = np.arange(n)[:, None] * np.ones(5) if kind == "line" else walk(n, strides=strides)
    if kind == "trembling walk":
        points = points + 2 * rng.standard_normal(points.shape) / np.sqrt(points.shape[1])
    assert found(points) == {}


@pytest.mark.parametrize(
    "pair", [(0, 1), (5, 6), (10, 11), (0, 2), (4, 6), (1, 9), (0, 11), (3, 8)]
)
@pytest.mark.parametrize("growth", [1.0, 1.5])
def test_swapped_labels_are_found_and_told_where_they_fit(pair, growth):
    points, (one, other) = walk(12, strides=growth ** np.arange(12)), pair
    points[[one, other]] = points[[other, one]]
    assert found(points) == {one: (other,), other: (one,)}


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_step_from_nowhere_fits_nowhere_and_its_neighbours_are_left_alone(at):
    points = walk(11)
    points[at] = 6 * np.random.default_rng(5).standard_normal(points.shape[1]) / 45
    assert found(points) == {at: ()}


def test_a_step_from_elsewhere_on_the_path_is_told_between_which_steps_it_fits():
    points = walk(12)
    points[2] = (points[8] + points[9]) / 2
    assert found(points) == {2: (8, 9)}


@pytest.mark.parametrize("at", [0, 9])
def test_an_end_that_leaves_the_path_altogether_is_found(at):
    points = walk(10)
    points[at] += 30 * np.random.default_rng(5).standard_normal(points.shape[1]) / 45
    assert found(points) == {at: ()}
    # Where so much more training lies between, it is the path that is long.
    steps = [0, *range(1000, 1009)] if at == 0 else [*range(9), 1000]
    assert found(points, steps) == {}


def test_weights_related_to_no_others_are_strangers_but_the_start_of_training_is_not():
    cosine = np.full((6, 6), 0.8)
    cosine[3, :] = cosine[:, 3] = 0.02
    np.fill_diagonal(cosine, 1)
    distances, steps = between(walk(6)), list(range(6))
    assert [m.at for m in misfits(distances, steps, cosine=cosine)] == [3]
    order = [3, 0, 1, 2, 4, 5]
    assert misfits(distances, steps, cosine=cosine[np.ix_(order, order)]) == []
    sparse = np.where(np.eye(6) == 1, 1, 0.05)  # none is related to any: nothing can be said
    assert misfits(distances, steps, cosine=sparse) == []


def test_two_steps_say_nothing():
    assert found(walk(2)) == {}
    assert misfits({}, []) == []
