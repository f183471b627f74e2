"""Linear CKA against the released way and a centring matrix: CPU time, one thread, in turns.

    OMP_NUM_THREADS=1 python -m benchmarks.similarity

The released way (Kornblith 2019, used by Philippy 2023) makes both (pair, pair) Gram matrices of
float32 states, checks that each is symmetric, subtracts means, and works from these alone. The
centring-matrix way multiplies each Gram matrix from both sides, anew in each of the three terms.
Ours is debiased CKA in float64, which costs as much as biased. The last line is calibration: ours
has its chance exactly; by draws it needs a whole CKA for each of 100 orders, which is extrapolated
from one of the released way. A ratio is of one round, the median over rounds counts.
"""

import time
from collections.abc import Callable

import numpy as np

from neurotrace.geometry.similarity import cka, cka_calibrated

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


def shown(name: str, ratios: np.ndarray, beside: str = "") -> None:
    print(f"{name} {np.median(ratios):.1f}x ({ratios.min():.1f}-{ratios.max():.1f}){beside}")


def main() -> None:
    for (n, d), rounds in SIZES.items():
        measure(n, d, rounds)


if __name__ == "__main__":
    main()
