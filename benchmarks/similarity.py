"""Linear CKA against the released way and a centring matrix: CPU time, one thread, in turns.

    OMP_NUM_THREADS=1 python -m benchmarks.similarity

The released way (Kornblith 2019, used by Philippy 2023) makes both (pair, pair) Gram matrices of
float32 states, checks that each is symmetric, subtracts means, and works from these alone. The
centring-matrix way multiplies each Gram matrix from both sides, anew in each of the three terms.
Ours is debiased CKA in float64, which costs as much as biased. The last line is calibration: ours
has its chance exactly; by draws it needs a whole CKA for each of 100 orders, which is extrapolated
from one of the released way. A ratio is of one round, the median over rounds counts.

In practice one layer is a table of all pairs of languages. There each language is prepared once
and serves every pair, as in ``trajectories.evolution``, while both other ways start anew with each
pair: they are timed on a few pairs, drawn anew in each round, and extrapolated.
"""

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np

from neurotrace.geometry.similarity import (
    Alikeness,
    alikeness,
    centred,
    cka,
    cka_calibrated,
    crosses,
)

N_LANGUAGES = 31
TABLE = (997, 1_024)
TABLE_ROUNDS, SAMPLE, FEW = 5, 8, 2  # pairs a round: the released way, the centring matrix
SIZES = {(997, 1_024): 5, (5_010, 768): 2}  # pairs × features, and rounds
REQUIRED = 20


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def centred_by_matrix(gram: np.ndarray) -> np.ndarray:
    n = len(gram)
    centring = np.eye(n) - np.ones((n, n)) / n
    return centring @ gram @ centring


def by_matrix(A: np.ndarray, B: np.ndarray) -> float:
    """Biased CKA from three sums, each of which makes and centres its two Gram matrices."""

    def independence(X: np.ndarray, Y: np.ndarray) -> float:
        return float(np.sum(centred_by_matrix(X @ X.T) * centred_by_matrix(Y @ Y.T)))

    return independence(A, B) / np.sqrt(independence(A, A) * independence(B, B))


def released(A: np.ndarray, B: np.ndarray) -> float:
    """Biased CKA from two Gram matrices, each made, checked and centred once."""
    grams = []
    for X in (A, B):
        gram = X @ X.T
        if not np.allclose(gram, gram.T):
            raise ValueError("got a Gram matrix that is not symmetric")
        means = gram.mean(0, dtype=np.float64)
        grams.append(gram - means[:, None] - means + means.mean())
    one, other = grams
    return float(np.vdot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


def measure(n: int, d: int, rounds: int) -> None:
    A, B = np.random.default_rng(n).standard_normal((2, n, d), dtype=np.float32)
    wide = A.astype(np.float64), B.astype(np.float64)
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: cka(A, B),
        "centring matrix": lambda: by_matrix(*wide),
        "released": lambda: released(A, B),
        "ours, calibrated": lambda: cka_calibrated(A, B, permutations=0),
    }
    few = A[:300], B[:300]
    values = [cka(*few, debiased=False), by_matrix(*few), released(*few)]
    np.testing.assert_allclose(values, values[0], rtol=1e-5)  # this warms the library, too
    times = np.array([[cpu_seconds(call) for call in calls.values()] for _ in range(rounds)])
    print(f"\n{n:,} pairs x {d:,} features, {rounds} rounds in turns")
    for name, seconds in zip(calls, times.T, strict=True):
        print(f"{name:20}{1e3 * np.median(seconds):12,.1f} ms")
    shown("centring matrix / ours", times[:, 1] / times[:, 0], f", required {REQUIRED}x")
    shown("released / ours", times[:, 2] / times[:, 0])
    shown("calibration by 100 orders of the released way / ours", 101 * times[:, 2] / times[:, 3])


def all_pairs(languages: np.ndarray) -> dict[tuple[int, int], Alikeness]:
    """Every pair of (language, pair, feature), each language centred and squared once."""
    sides = [centred(states.astype(np.float64), gram=True) for states in languages]
    pairs, products = combinations(range(len(sides)), 2), crosses(sides, sides)
    return {(a, b): alikeness(sides[a], sides[b], cross=products[a, b]) for a, b in pairs}


def measure_table() -> None:
    """The table of one layer: meanings in common, and noise of each language's own."""
    rng = np.random.default_rng(0)
    languages = rng.standard_normal((N_LANGUAGES, *TABLE), dtype=np.float32)
    languages += rng.standard_normal(TABLE, dtype=np.float32)
    pairs = list(combinations(range(N_LANGUAGES), 2))
    released(*languages[:2])
    all_pairs(languages[:2])
    times = []
    for _ in range(TABLE_ROUNDS):
        drawn = [pairs[at] for at in rng.choice(len(pairs), SAMPLE, replace=False)]
        times.append(one_round(languages, drawn))
    seconds = np.array(times)
    n, d = TABLE
    print(f"\n{len(pairs)} pairs of {N_LANGUAGES} languages, {n:,} x {d:,}, {TABLE_ROUNDS} rounds")
    for name, column, beside in (
        ("ours, all pairs", 0, ""),
        ("centring matrix", 2, f", extrapolated from {FEW} pairs"),
        ("released", 1, f", extrapolated from {SAMPLE} pairs"),
    ):
        print(f"{name:20}{np.median(seconds[:, column]):12,.2f} s{beside}")
    shown("centring matrix / ours", seconds[:, 2] / seconds[:, 0], f", required {REQUIRED}x")
    shown("released / ours", seconds[:, 1] / seconds[:, 0])


def one_round(languages: np.ndarray, drawn: list[tuple[int, int]]) -> tuple[float, float, float]:
    """Seconds of a whole table: ours, and from the pairs drawn released and centring matrix."""
    found: dict[tuple[int, int], Alikeness] = {}
    others: list[float] = []
    n_pairs = len(languages) * (len(languages) - 1) / 2
    ours = cpu_seconds(lambda: found.update(all_pairs(languages)))
    theirs = cpu_seconds(
        lambda: others.extend(released(languages[a], languages[b]) for a, b in drawn)
    )
    wide = [languages[list(pair)].astype(np.float64) for pair in drawn[:FEW]]
    by_centring = cpu_seconds(lambda: others.extend(by_matrix(A, B) for A, B in wide))
    expected = [found[pair].biased for pair in [*drawn, *drawn[:FEW]]]
    np.testing.assert_allclose(others, expected, rtol=1e-5)
    return ours, theirs * n_pairs / len(drawn), by_centring * n_pairs / FEW


def shown(name: str, ratios: np.ndarray, beside: str = "") -> None:
    print(f"{name} {np.median(ratios):.1f}x ({ratios.min():.1f}-{ratios.max():.1f}){beside}")


def main() -> None:
    for (n, d), rounds in SIZES.items():
        measure(n, d, rounds)
    measure_table()


if __name__ == "__main__":
    main()
