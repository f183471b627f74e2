"""C-OVERLAP: strict shares, the saturation on random mixtures, and its null."""

import numpy as np
import pytest

from neurotrace.geometry.cluster_overlap import c_overlap


def mixture(n_clusters, size, rng, n_langs=2):
    """Clusters of one size whose words come from languages at random."""
    labels = np.repeat(np.arange(n_clusters), size)
    return labels, rng.integers(0, n_langs, len(labels))


def test_three_tenths_are_not_more_than_thirty_per_cent():
    assert c_overlap([0] * 10, ["en"] * 3 + ["de"] * 7).share == 0
    assert c_overlap([0] * 10, ["en"] * 3 + ["de"] * 7, theta=0.29).share == 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [(5, 0.625), (10, 0.656), (20, 0.885), (30, 0.957), (50, 0.993), (100, 0.9999)],
)
def test_random_mixtures_saturate_and_chance_says_so(size, expected):
    labels, langs = mixture(4000, size, np.random.default_rng(size))
    found = c_overlap(labels, langs, permutations=3)
    error = 4 * np.sqrt(expected * (1 - expected) / 4000)
    assert found.share == pytest.approx(expected, abs=error)
    assert found.chance == pytest.approx(expected, abs=error)
    assert abs(found.corrected) < 2 * error


def test_planted_clusters_of_either_kind_are_told():
    labels = np.repeat([0, 1, 2, 3], 40)
    langs = np.concatenate([np.tile([0, 1], 20), np.zeros(40), np.ones(40), np.tile([0, 1], 20)])
    found = c_overlap(labels, langs, permutations=50)
    assert found.clusters["overlapping"].tolist() == [True, False, False, True]
    assert found.share == 0.5
    assert found.chance > 0.95
    assert found.chance_low <= found.chance_high == 1


def test_of_many_languages_any_two_make_an_overlap():
    langs = ["a"] * 4 + ["b"] * 4 + ["c"] * 2
    found = c_overlap([0] * 10, langs)
    assert found.share == 1
    assert found.clusters[["a", "b", "c"]].to_numpy().tolist() == [[0.4, 0.4, 0.2]]
    assert c_overlap([0] * 10, ["a"] * 4 + ["b"] * 3 + ["c"] * 3).share == 0


def test_types_count_once_where_words_are_given():
    labels, langs = [0] * 10, ["a"] * 9 + ["b"]
    words = ["x"] * 9 + ["y"]
    assert c_overlap(labels, langs).share == 0
    typed = c_overlap(labels, langs, words=words)
    assert typed.share == 1
    assert typed.clusters["size"].tolist() == [2]


def test_unrelated_words_of_one_space_mix_as_chance_does_where_their_occurrences_stay_together(
    record_property,
):
    shares, chances = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        often = np.minimum(15, 60 // np.arange(1, 81))
        words = np.repeat(np.arange(160), np.tile(often, 2))
        langs = np.where(words < 80, "a", "b")
        # Every occurrence of a word lies in the word's own cluster, whatever its language.
        labels = rng.integers(0, 25, 160)[words]
        found = c_overlap(labels, langs, permutations=40, together=words, seed=seed)
        shares.append(found.share)
        chances.append(found.chance)
        assert c_overlap(labels, langs, permutations=5).chance > found.chance + 0.2
    record_property("share", float(np.mean(shares)))
    record_property("chance", float(np.mean(chances)))
    assert abs(np.mean(shares) - np.mean(chances)) < 4 * np.std(shares) / np.sqrt(30)


def test_the_same_string_in_two_languages_is_two_words():
    labels, langs, words = [0, 0, 1, 1], ["a", "a", "b", "b"], ["x"] * 4
    assert c_overlap(labels, langs, permutations=20, together=words).chance == 0
    with pytest.raises(ValueError, match="got 1 words for 4 points"):
        c_overlap(labels, langs, together=["x"])


def test_order_and_names_of_languages_do_not_matter():
    rng = np.random.default_rng(0)
    labels, langs = rng.integers(0, 12, 90), rng.integers(0, 3, 90)
    first = c_overlap(labels, langs)
    order = rng.permutation(90)
    renamed = np.array(["zz", "aa", "mm"])[langs]
    assert c_overlap(labels[order], renamed[order]).share == first.share


def test_the_same_seed_gives_the_same_chance():
    labels, langs = mixture(30, 8, np.random.default_rng(1))
    one, two = (c_overlap(labels, langs, permutations=10, seed=5).chance for _ in range(2))
    assert one == two
    assert np.isnan(c_overlap(labels, langs).chance)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (30, "got theta=30; expected a fraction from 0 to below 0.5 .0.3 for 30 %."),
        (0.5, "got theta=0.5"),
        (-0.1, "got theta=-0.1"),
    ],
)
def test_per_cent_is_refused(theta, message):
    with pytest.raises(ValueError, match=message):
        c_overlap([0, 0], ["a", "b"], theta=theta)


def test_one_language_is_refused():
    with pytest.raises(ValueError, match="got one language, a; expected at least two"):
        c_overlap([0, 1], ["a", "a"])


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="one each a point"):
        c_overlap([0, 1, 1], ["a", "b"])
    with pytest.raises(ValueError, match="got 1 words for 2 points"):
        c_overlap([0, 1], ["a", "b"], words=["x"])
