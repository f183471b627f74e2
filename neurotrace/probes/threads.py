"""Blocks of neurons on several threads: compiled loops hold no interpreter lock."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def n_threads(n_jobs: int) -> int:
    """How many threads `n_jobs` asks for, in scikit-learn's sense.

    Parameters
    ----------
    n_jobs
        From 1 on a number of threads; -1 all cores this process may use, -2 all but one,
        and so on, at least 1.

    Raises
    ------
    ValueError
        0, or no whole number.

    Examples
    --------
    >>> n_threads(3)
    3
    """
    if isinstance(n_jobs, bool) or int(n_jobs) != n_jobs or n_jobs == 0:
        raise ValueError(
            f"got n_jobs={n_jobs!r}, expected a number of threads, or -1 for all cores"
        )
    if n_jobs > 0:
        return int(n_jobs)
    from joblib import cpu_count  # knows of affinity and of a container's share

    return max(1, cpu_count() + 1 + int(n_jobs))


def run_each(fn: Callable[[Item], None], items: Iterable[Item], *, n_jobs: int) -> None:
    """Call `fn` on every item, on `n_jobs` threads; of several errors the first item's is raised.

    Parameters
    ----------
    fn
        Writes where no other item writes, so that the result does not depend on `n_jobs`.
    n_jobs : see `n_threads`
    """
    threads = n_threads(n_jobs)
    if threads == 1:
        for item in items:
            fn(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fn, items):
            pass
