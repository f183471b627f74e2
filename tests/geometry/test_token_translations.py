"""Translations among neighbours: planted ones, the exact chance, and what must not matter."""

from itertools import permutations

import numpy as np
import pytest

from neurotrace.geometry.token_translations import neighbour_translations

N = 60  # words of a language


def bilingual(noise, seed=0, offset=0.0):
    """Two languages whose word i has common coordinates, and a part of its own."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((N, 24))
    W = np.concatenate([common, common]) + noise * rng.standard_normal((2 * N, 24))
    apart = offset * rng.standard_normal(24)
    W[:N] -= apart
    W[N:] += apart
    return W, {i: [N + i] for i in range(N)} | {N + i: [i] for i in range(N)}


CLASSES = np.repeat(["eng", "deu"], N)


def test_planted_translations_are_found_and_stand_above_chance():
    W, dictionary = bilingual(0.3)
    found = neighbour_translations(W, dictionary, classes=CLASSES, k=3)
    assert found.value > 0.95
    assert found.chance == pytest.approx(1.5 / N, abs=0.01)  # of 3 neighbours, half and half
    assert found.high < 0.15
    assert found.tokens == 2 * N


def test_no_more_than_chance_where_words_are_unrelated():
    scores = [neighbour_translations(*bilingual(40, seed=s), classes=CLASSES, k=5, permutations=0)
              for s in range(60)]  # fmt: skip
    gap = np.array([found.value - found.chance for found in scores])
    assert abs(gap.mean()) < 3 * gap.std() / np.sqrt(len(gap)) + 1e-9
    assert np.mean([found.chance for found in scores]) == pytest.approx(5 / (2 * N - 1), abs=0.003)


def test_languages_apart_leave_nothing_to_be_found_and_no_chance_either():
    W, dictionary = bilingual(0.3, offset=50)
    found = neighbour_translations(W, dictionary, classes=CLASSES, k=10)
    assert (found.value, found.chance, found.high) == (0, 0, 0)


def test_chance_equals_the_mean_over_every_way_to_deal_the_translations_out():
    rng = np.random.default_rng(3)
    W = rng.standard_normal((9, 3))
    dictionary = {0: [4, 5], 1: [6], 2: [5, 8], 3: [7]}
    classes = ["a"] * 4 + ["b"] * 5
    found = neighbour_translations(W, dictionary, classes=classes, k=3, permutations=2000)
    dealt = []
    for order in permutations(range(4, 9)):
        instead = dict(zip(range(4, 9), order, strict=True))
        moved = {one: [instead[other] for other in others] for one, others in dictionary.items()}
        dealt.append(neighbour_translations(W, moved, classes=classes, k=3, permutations=0).value)
    assert found.chance == pytest.approx(np.mean(dealt))
    # Four tokens: the edges of the interval lie on quarters.
    assert abs(found.low - np.quantile(dealt, 0.025)) <= 0.25
    assert abs(found.high - np.quantile(dealt, 0.975)) <= 0.25


def test_frequency_alone_is_no_translation():
    """Frequent words lie beside frequent words of the other language; nothing else is planted."""
    rng = np.random.default_rng(5)
    level = np.tile(np.arange(N) // 10, 2)
    W = 8 * np.eye(24)[level] + rng.standard_normal((2 * N, 24))
    _, dictionary = bilingual(0)
    plain = neighbour_translations(W, dictionary, classes=CLASSES, k=3)
    matched = neighbour_translations(
        W, dictionary, classes=CLASSES, frequency=2.0**-level, bins=6, k=3
    )
    assert plain.value == matched.value
    assert plain.value > plain.high
    assert matched.low <= matched.value <= matched.high
    assert matched.chance == pytest.approx(matched.value, abs=0.05)


def test_order_rotation_and_form_of_the_dictionary_do_not_matter():
    W, dictionary = bilingual(1.0)
    counts = np.random.default_rng(1).integers(1, 1000, 2 * N)
    expected = neighbour_translations(W, dictionary, classes=CLASSES, frequency=counts, k=4)
    order = np.random.default_rng(2).permutation(2 * N)
    place = np.argsort(order)
    moved = {int(place[a]): [int(place[b]) for b in bs] for a, bs in dictionary.items()}
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((24, 24)))[0]
    found = neighbour_translations(
        W[order] @ rotation, moved, classes=CLASSES[order], frequency=counts[order], k=4
    )
    assert found[:2] == pytest.approx(expected[:2])
    pairs = [(a, b) for a, bs in dictionary.items() for b in (*bs, *bs, a)]
    again = neighbour_translations(W, pairs, classes=CLASSES, frequency=counts, k=4)
    assert again == expected  # repeated pairs and tokens that translate themselves count nothing


def test_without_classes_translations_are_replaced_by_translations():
    W, _ = bilingual(0.3)
    one_way = {i: [N + i] for i in range(N)}
    assert neighbour_translations(W, one_way, k=3).chance == pytest.approx(
        neighbour_translations(W, one_way, classes=CLASSES, k=3).chance
    )


@pytest.mark.parametrize(
    ("dictionary", "options", "message"),
    [
        ({}, {}, "without a translation"),
        ({0: [0]}, {}, "without a translation"),
        ({0: [99]}, {}, "got dictionary ids 0 to 99; valid are 0 to 9"),
        ({"dog": ["Hund"]}, {}, "expected pairs of token ids"),
        ({0: [1]}, {"classes": ["a"] * 3}, "got 3 classes"),
        ({0: [1]}, {"frequency": [np.nan] * 10}, "expected one finite number each"),
        (
            {0: [1]},
            {"classes": ["a", "", *["a"] * 8]},
            "got token 1 as a translation, but no class",
        ),
        ({0: [1]}, {"bins": 0}, "got bins=0"),
        ({0: [1]}, {"k": 10}, "got k=10 for 10 tokens"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(dictionary, options, message):
    W = np.random.default_rng(0).standard_normal((10, 4))
    with pytest.raises(ValueError, match=message):
        neighbour_translations(W, dictionary, **{"k": 2, **options})
