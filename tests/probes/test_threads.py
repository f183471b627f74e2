"""Threads: the same values whatever their number, and errors that do not depend on chance."""

import threading

import numpy as np
import pytest

from neurotrace.probes import auroc, average_precision, average_precision_halves, rank
from neurotrace.probes.threads import n_threads, run_each


def material(n_neurons=300):
    rng = np.random.default_rng(0)
    X = np.round(4 * rng.normal(size=(96, n_neurons))).astype(np.float16)
    Y = (np.arange(96) % 6)[:, None] == np.arange(6)
    return X, Y, rng.permuted(np.tile(np.arange(96) % 2 == 0, (9, 1)), axis=1)


@pytest.mark.parametrize("n_jobs", [2, 3, -1])
def test_the_number_of_threads_changes_no_value(n_jobs):
    X, Y, in_a = material()
    tokens = np.arange(96) % 11
    for score in (
        lambda jobs: average_precision(X, Y, n_jobs=jobs),
        lambda jobs: auroc(X, Y, n_jobs=jobs),
        lambda jobs: auroc(X, Y, stratify=tokens, n_jobs=jobs),
        lambda jobs: average_precision_halves(X, Y, in_a, n_jobs=jobs),
        lambda jobs: rank(X, n_jobs=jobs).order,
        lambda jobs: rank(X).auroc_halves(Y, in_a, n_jobs=jobs),
    ):
        np.testing.assert_array_equal(score(n_jobs), score(1))


def test_two_threads_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=30)
    run_each(lambda _: meeting.wait(), range(2), n_jobs=2)


def test_the_first_bad_neuron_is_named_whichever_thread_meets_one_first():
    X, Y, _ = material()
    X[:, 290] = np.nan
    X[:, 130:] = np.inf
    for jobs in (1, 4):
        with pytest.raises(ValueError, match=r"neuron \(column\) 130,"):
            average_precision(X, Y, n_jobs=jobs)


@pytest.mark.parametrize("n_jobs", [0, 1.5, True])
def test_no_number_of_threads_is_refused(n_jobs):
    with pytest.raises(ValueError, match="got n_jobs="):
        n_threads(n_jobs)


def test_all_cores_but_some_are_at_least_one():
    assert n_threads(-1) >= n_threads(-2) >= 1
    assert n_threads(-10_000) == 1
