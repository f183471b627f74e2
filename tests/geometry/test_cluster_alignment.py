"""C-ALIGN: known answers by hand, planted twins, what does not change it, and its null."""

import numpy as np
import pytest

from neurotrace.geometry.cluster_alignment import c_align
from neurotrace.geometry.latent_concepts import discover

ANIMALS = ["dog", "cat", "cow", "horse", "pig"]
GERMAN = {
    "dog": ["Hund"],
    "cat": ["Katze"],
    "cow": ["Kuh"],
    "horse": ["Pferd"],
    "pig": ["Schwein", "Sau"],
}
TARGET = ["Hund", "Katze", "Kuh", "Pferd", "Huhn"]


def aligned(source, target, dictionary=GERMAN, **dials):
    """One cluster of either language."""
    sides = (source, [0] * len(source)), (target, [0] * len(target))
    return c_align(*sides, dictionary, **dials)


def planted(rng, *, n_clusters=20, size=12, twins=1.0):
    """Words and labels of two languages, a share of whose clusters translate word by word."""
    labels = np.repeat(np.arange(n_clusters), size)
    types = np.arange(len(labels))
    moved = labels >= twins * n_clusters
    target = types.copy()
    target[moved] = rng.permutation(types[moved])
    source = np.array([f"s{i}" for i in types])
    translated = np.array([f"t{i}" for i in target])
    return (source, labels), (translated, labels), {f"s{i}": [f"t{i}"] for i in types}


def test_four_of_five_words_are_not_more_than_four_fifths():
    assert aligned(ANIMALS, TARGET).share == 0
    assert aligned(ANIMALS, TARGET, theta=0.79).share == 1


def test_a_second_translation_counts_where_two_are_looked_at():
    target = [*TARGET, "Sau"]
    both = aligned(ANIMALS, target, top_n=2)
    assert both.share == 1
    assert both.pairs.to_dict("records") == [
        {"source": 0, "target": 0, "matched": 5, "share": 1.0, "size_source": 5, "size_target": 6}
    ]
    assert aligned(ANIMALS, target, top_n=1).share == 0


def test_two_translations_in_one_cluster_match_a_word_once():
    found = aligned(["pig"], ["Schwein", "Sau"], min_types=0)
    assert found.pairs["matched"].tolist() == [1]


def test_the_size_rule_is_one_sided_as_released_and_symmetric_as_written():
    large = [*TARGET[:4], "Schwein", *(f"w{i}" for i in range(45))]
    assert aligned(ANIMALS, large).share == 1
    assert aligned(ANIMALS, large, size_ratio=0.6).share == 0
    german = {f"w{i}": ["Ding"] for i in range(10)}
    many = [f"w{i}" for i in range(10)]
    assert aligned(many, ["Ding"], german, size_ratio=0.6).share == 1
    assert aligned(many, ["Ding"], german, size_ratio=0.6, symmetric=True).share == 0


def test_sizes_at_the_ratio_pass_the_symmetric_rule_and_fail_the_strict_one():
    german = {f"w{i}": ["Ding"] for i in range(3)}
    words, target = list(german), ["Ding", "a", "b", "c", "d"]
    assert aligned(words, target, german, size_ratio=0.6, symmetric=True).share == 1
    assert aligned(words, target, german, size_ratio=0.6).share == 0


def test_a_cluster_needs_more_than_the_fewest_types():
    assert aligned(ANIMALS, [*TARGET, "Sau"], min_types=5).share == 0
    assert aligned(ANIMALS, [*TARGET, "Sau"], min_types=4).share == 1


def test_occurrences_of_a_word_count_once():
    assert aligned([*ANIMALS, *["dog"] * 30], TARGET).share == 0


def test_absent_words_are_counted():
    missing = aligned([*ANIMALS, "unicorn"], TARGET).missing
    assert missing == (1, 6, 2, 6)


def test_only_covered_words_count_where_asked():
    found = aligned([*ANIMALS, "unicorn"], TARGET, covered=True)
    assert (found.share, found.ceiling) == (1, 1)
    assert found.pairs[["size_source", "size_target"]].to_numpy().tolist() == [[4, 4]]
    nothing = aligned(["unicorn"], TARGET, covered=True)
    assert np.isnan(nothing.share)
    assert nothing.missing.source == 1


def test_planted_twins_are_counted_and_chance_is_none(record_property):
    source, target, dictionary = planted(np.random.default_rng(0), twins=0.6)
    found = c_align(source, target, dictionary, permutations=50)
    record_property("share", found.share)
    assert found.share == pytest.approx(0.6)
    assert found.chance < 0.01
    assert found.corrected == found.share - found.chance
    assert found.ceiling == 1


def test_words_without_any_relation_score_their_chance():
    rng = np.random.default_rng(1)
    shares, chances = [], []
    for seed in range(30):
        source, _, dictionary = planted(rng, n_clusters=30, size=4)
        target = np.array([f"t{i}" for i in rng.permutation(120)]), rng.integers(0, 6, 120)
        found = c_align(source, target, dictionary, theta=0.4, permutations=20, seed=seed)
        shares.append(found.share)
        chances.append(found.chance)
        assert found.chance_low <= found.chance <= found.chance_high
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(chances) > 0.1
    assert abs(np.mean(shares) - np.mean(chances)) < 4 * error


def test_frequent_words_that_stand_in_many_clusters_of_either_language_are_no_twins(
    record_property,
):
    shares, chances = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        types = np.repeat(np.arange(120), np.minimum(15, 200 // np.arange(1, 121)))
        sides = [([f"{lang}{i}" for i in types], rng.integers(0, 20, len(types))) for lang in "st"]
        dictionary = {f"s{i}": [f"t{i}"] for i in range(120)}
        found = c_align(*sides, dictionary, theta=0.5, permutations=30, seed=seed)
        shares.append(found.share)
        chances.append(found.chance)
    record_property("share", float(np.mean(shares)))
    record_property("chance", float(np.mean(chances)))
    assert np.mean(shares) > 0.1
    assert abs(np.mean(shares) - np.mean(chances)) < 4 * np.std(shares) / np.sqrt(30)


def test_names_and_order_do_not_matter():
    source, target, dictionary = planted(np.random.default_rng(2), twins=0.5)
    first = c_align(source, target, dictionary)
    order = np.random.default_rng(3).permutation(len(source[0]))
    renamed = source[0][order], (7 * source[1] + 3)[order]
    second = c_align(renamed, target, dictionary)
    assert second.share == first.share
    assert set(second.pairs["source"]) == set(7 * first.pairs["source"] + 3)


def test_turning_one_languages_space_changes_nothing():
    rng = np.random.default_rng(4)
    centres = 6 * rng.standard_normal((8, 16))
    labels = np.repeat(np.arange(8), 10)
    points = centres[labels] + rng.standard_normal((80, 16))
    turn = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    words = np.array([f"s{i}" for i in range(80)])
    others = np.array([f"t{i}" for i in range(80)])
    dictionary = dict(zip(words, [[word] for word in others], strict=True))
    own = discover(points, 8)
    for space in (points, points @ turn + 100):
        assert c_align((words, own), (others, discover(space, 8)), dictionary).share == 1


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"theta": 80}, "got theta=80; expected a fraction .*0.8 for 80 %"),
        ({"theta": 1}, "expected a fraction"),
        ({"top_n": 0}, "got top_n=0"),
        ({"symmetric": True}, "got size_ratio=None"),
        ({"symmetric": True, "size_ratio": 40}, "got size_ratio=40"),
    ],
)
def test_dials_out_of_range_are_refused(dials, message):
    with pytest.raises(ValueError, match=message):
        aligned(ANIMALS, TARGET, **dials)


def test_words_without_labels_are_refused():
    with pytest.raises(ValueError, match="got source words of shape"):
        c_align((ANIMALS, [0]), (TARGET, [0] * 5), GERMAN)
