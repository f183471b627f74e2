"""Counted campaigns: 10⁸ random rankings, and tilted ones for the far tail, against the tables."""

# ruff: noqa: PLR0917 - compiled functions take their arguments by position

import numpy as np
import pytest
from numba import njit
from scipy.stats import binom

from neurotrace.probes.significance import auroc_p_value, average_precision_p_value

N, N_POS = 720, 60
LEVELS = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]


@njit(nogil=True)
def next_word(state):
    """One step of splitmix64."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True)
def count_reached(n, n_pos, draws, seed, precisions, wins):
    """How many of `draws` random rankings reach each AP, and each number of pairs won."""
    state = np.array([seed], np.uint64)
    taken = np.zeros(n, np.uint8)
    reached = np.zeros((2, len(precisions)), np.int64)
    for _ in range(draws):
        # Floyd's way: n_pos different places from n_pos random numbers.
        for last in range(n - n_pos, n):
            upper = next_word(state) >> np.uint64(32)
            place = np.int64((upper * np.uint64(last + 1)) >> np.uint64(32))
            taken[last if taken[place] else place] = 1
        held, total, won = 0, 0.0, 0
        for rank in range(n):
            if taken[rank]:
                held += 1
                total += held / (rank + 1)
                won += n - rank - 1 - (n_pos - held)
                taken[rank] = 0
        for level in range(len(precisions)):
            reached[0, level] += total / n_pos >= precisions[level]
            reached[1, level] += won >= wins[level]
    return reached


@njit(nogil=True)
def tilted_tail(n, n_pos, draws, seed, tilt, value):
    """Mean and standard error of P(AP >= value), from rankings drawn with positives on top."""
    state = np.array([seed], np.uint64)
    first = second = 0.0
    for _ in range(draws):
        held, total, weight = 0, 0.0, 1.0
        for rank in range(n):
            fair = (n_pos - held) / (n - rank)
            odds = np.exp(tilt * (held + 1) / (rank + 1))
            drawn = fair * odds / (1 - fair + fair * odds)
            if (next_word(state) >> np.uint64(11)) * 2.0**-53 < drawn:
                held += 1
                total += held / (rank + 1)
                weight *= fair / drawn
            elif fair < 1.0:
                weight *= (1 - fair) / (1 - drawn)
        if total / n_pos >= value:
            first += weight
            second += weight * weight
    mean = first / draws
    return mean, np.sqrt((second / draws - mean * mean) / draws)


def value_at(p_value, p):
    """The score whose p-value is p, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(middle, N_POS, N) > p else (low, middle)
    return high


def agrees_with_draws(draws):
    pairs = N_POS * (N - N_POS)
    precisions = np.array([value_at(average_precision_p_value, p) for p in LEVELS])
    wins = np.array([round(value_at(auroc_p_value, p) * pairs) for p in LEVELS])
    reached = count_reached(N, N_POS, draws, np.uint64(150), precisions, wins)
    p = [
        average_precision_p_value(precisions, N_POS, N),
        auroc_p_value(wins / pairs, N_POS, N),
    ]
    return np.array(p) * draws, reached, binom.interval(1 - 1e-4, draws, np.array(p))


def test_a_million_random_rankings_agree_with_the_tables():
    _, reached, (low, high) = agrees_with_draws(1_000_000)
    assert ((low <= reached) & (reached <= high)).all()


@pytest.mark.slow
def test_a_hundred_million_random_rankings_agree_with_the_tables():
    expected, reached, (low, high) = agrees_with_draws(100_000_000)
    assert ((low <= reached) & (reached <= high)).all(), (expected, reached)


@pytest.mark.slow
def test_tilted_rankings_agree_with_the_table_at_a_hundred_millionth():
    value = value_at(average_precision_p_value, 1e-8)
    mean, error = tilted_tail(N, N_POS, 4_000_000, np.uint64(7), 2.5, value)
    assert error < 0.03 * mean
    assert mean == pytest.approx(1e-8, abs=4 * error)
