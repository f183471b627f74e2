"""Neighbours in an embedding, the map of its tokens, and what two vocabularies share."""

from math import comb

import numpy as np
import pytest

from neurotrace.geometry import embeddings
from neurotrace.geometry.embeddings import (
    neighbour_scripts,
    neighbours_of,
    shared_tokens,
    token_map,
)


def rows(n=200, d=16, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def brute_force(W, tokens, k):
    unit = W / np.linalg.norm(W, axis=1, keepdims=True)
    cosines = unit[tokens] @ unit.T
    cosines[np.arange(len(tokens)), tokens] = -np.inf
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("tokens", [np.arange(200), np.array([3, 7, 199]), np.array([5])])
@pytest.mark.parametrize("k", [1, 7, 199])
def test_neighbours_are_those_of_a_full_sort(tokens, k):
    W = rows()
    np.testing.assert_array_equal(neighbours_of(W, tokens, k=k), brute_force(W, tokens, k))


def test_blocks_and_scale_change_no_neighbour(monkeypatch):
    W, tokens = rows(), np.arange(0, 200, 3)
    whole = neighbours_of(W, tokens, k=9)
    monkeypatch.setattr(embeddings, "BLOCK", 1500)
    np.testing.assert_array_equal(neighbours_of(W, tokens, k=9), whole)
    stretched = W * np.random.default_rng(1).uniform(0.1, 10, (200, 1))
    np.testing.assert_array_equal(neighbours_of(stretched, tokens, k=9), whole)


def test_of_equal_rows_none_is_preferred_and_a_token_is_never_its_own():
    W = np.repeat(rows(2), 50, axis=0)
    drawn = [neighbours_of(W, [0], k=10, seed=seed) for seed in range(200)]
    assert not any((found == 0).any() for found in drawn)
    counts = np.bincount(np.concatenate(drawn).ravel(), minlength=100)
    assert counts[50:].sum() == 0
    # 2,000 draws over 49 tokens: 41 each, standard deviation 5.7
    assert 15 < counts[1:50].min() <= counts[1:50].max() < 70


def test_distinct_scripts_worked_by_hand():
    angle = np.array([0.0, 0.1, 0.25, 3.0, 3.1])
    W = np.column_stack([np.cos(angle), np.sin(angle)])
    scripts = ["A", "A", "B", "C", "C"]
    # Two nearest: 0 → 1, 2; 1 → 0, 2; 2 → 1, 0; 3 → 4, 2; 4 → 3, 2
    found = neighbour_scripts(W, scripts, k=2, sample=1.0)
    assert found.value == pytest.approx(2.0)
    assert found.by_script.to_dict() == {"A": 2.0, "B": 2.0, "C": 2.0}
    without = neighbour_scripts(W, scripts, k=2, sample=1.0, include_self=False)
    assert without.value == pytest.approx((2 + 2 + 1 + 2 + 2) / 5)
    assert without.by_script["B"] == 1.0
    assert without.sd == pytest.approx(0.4)


@pytest.mark.parametrize(("include_self", "m"), [(True, 6), (False, 5)])
def test_chance_is_the_expected_number_of_classes_among_as_many_tokens(include_self, m):
    counts = {"A": 120, "B": 60, "C": 17, "D": 3}
    scripts = np.repeat([*counts], [*counts.values()])
    found = neighbour_scripts(rows(), scripts, k=5, sample=1.0, include_self=include_self)
    expected = sum(1 - comb(200 - n, m) / comb(200, m) for n in counts.values())
    assert found.chance == pytest.approx(expected)
    # Spaces that know nothing of scripts stand there.
    drawn = [
        neighbour_scripts(rows(), np.random.default_rng(seed).permutation(scripts), k=5,
                          sample=1.0, include_self=include_self).value
        for seed in range(40)
    ]  # fmt: skip
    assert np.mean(drawn) == pytest.approx(expected, abs=0.02)


def test_scripts_that_keep_to_themselves_and_scripts_that_mix():
    scripts = np.repeat(["A", "B", "C"], 100)
    apart = rows(300) + 40 * np.eye(16)[np.repeat([0, 1, 2], 100)]
    assert neighbour_scripts(apart, scripts, k=20, sample=0.5).value == 1.0
    mixed = apart.copy()
    mixed[100:] = rows(200, seed=2) + 40 * np.eye(16)[1]
    found = neighbour_scripts(mixed, scripts, k=20, sample=1.0)
    assert found.by_script["A"] == 1.0
    assert found.by_script["B"] > 1.9


def test_a_sample_is_seeded_and_of_the_size_that_was_asked_for():
    scripts = np.tile(["A", "B"], 500)
    W = rows(1000)
    one, same, other = (neighbour_scripts(W, scripts, k=3, sample=0.05, seed=s) for s in (1, 1, 2))
    assert one.tokens == 50
    assert one.value == same.value
    assert one.by_script.to_dict() != other.by_script.to_dict()
    assert neighbour_scripts(W, scripts, k=3, sample=1e-9).tokens == 1


def test_a_map_shows_the_planted_plane_and_says_how_much_it_shows():
    rng = np.random.default_rng(0)
    plane, _ = np.linalg.qr(rng.standard_normal((10, 2)))
    planted = rng.standard_normal((500, 2)) * [5, 3]
    W = planted @ plane.T + 0.1 * rng.standard_normal((500, 10)) + 7
    found = token_map(W)
    assert found.explained.sum() > 0.99
    assert found.explained[0] > found.explained[1]
    centred = planted - planted.mean(0)
    kept = np.linalg.lstsq(found.coordinates, centred, rcond=None)[0]
    assert np.abs(found.coordinates @ kept - centred).max() < 0.6
    order = rng.permutation(500)
    np.testing.assert_allclose(token_map(W[order]).coordinates, found.coordinates[order], atol=1e-9)
    np.testing.assert_allclose(
        token_map(W.astype(np.float32)).explained, found.explained, rtol=1e-4
    )


def test_a_constant_embedding_explains_nothing():
    assert np.isnan(token_map(np.ones((5, 3))).explained).all()


def test_shared_tokens_are_sorted_decoded_and_counted_once():
    a, b = shared_tokens(["▁x", "", "b", "a", "b"], ["b", "c", "a", ""])
    assert (a.tolist(), b.tolist()) == ([3, 2], [2, 0])
    from neurotrace.geometry.scripts import _bytes

    bytewise = [*_bytes(), "Ġthe"]
    a, b = shared_tokens(bytewise, ["▁the", "q"])
    assert [bytewise[at] for at in a] == ["q", "Ġthe"]
    assert b.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbour_scripts(rows(5), ["A"] * 4, k=2), "got 4 scripts for 5 tokens"),
        (lambda: neighbour_scripts(rows(5), ["A"] * 5, k=5), "got k=5 for 5 tokens"),
        (lambda: neighbour_scripts(rows(5), ["A"] * 5, k=2, sample=30), "got sample=30; expected"),
        (lambda: neighbours_of(np.eye(4) * [1, 1, 0, 1], [0], k=1), "rows of zeros .row 2 first"),
        (lambda: neighbours_of(np.full((4, 2), np.nan), [0], k=1), "not finite"),
        (lambda: token_map(np.ones(3)), "got W_E of shape"),
        (lambda: token_map(rows(), n=17), "got n=17 for 16 features"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()
