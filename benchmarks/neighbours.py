"""ILO against the bare product, and MEXA against a loop: CPU time, one thread, interleaved.

    python -m benchmarks.neighbours

One layer of 31 languages x 997 sentences x 1,024 features in float32. Whoever is exact must form
all products of the points: that product alone, in float32 and in blocks, is timed in turns with
the whole of ILO, so that a ratio is of one round; the median over rounds counts. Peak memory is
the growth of the process's greatest size over the first call. The released way (full matrix, full
argsort, a Python loop over points) is timed on fewer points and extrapolated: matrix and sort by
n², loop by n. MEXA stands beside the published loops: one cosine of scipy's a cell, timed on some
rows and extrapolated by their number, then each row and column compared in Python, timed in full.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist, cosine

from neurotrace.geometry.ilo import ilo
from neurotrace.geometry.nearest import BLOCK, nearest
from neurotrace.geometry.neighbours import mexa

N_LANGUAGES, N_SENTENCES, WIDTH = 31, 997, 1_024
K, T = 5, 3
SMALL = 97  # sentences a language for the released way
ROUNDS = 3
ROWS = 30  # of the cosines computed one by one
MOST_MEMORY, MOST_TIME, LEAST_MEXA = 1.5, 1.3, 20


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def greatest_size() -> float:
    """Gigabytes the process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def material(n_sentences: int, *, offset: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Common meanings, noise, and an offset for each language."""
    rng = np.random.default_rng(0)
    meaning = rng.standard_normal((n_sentences, WIDTH), dtype=np.float32)
    X = np.empty((N_LANGUAGES, n_sentences, WIDTH), dtype=np.float32)
    for lang in range(N_LANGUAGES):
        rng.standard_normal(out=X[lang], dtype=np.float32)
        X[lang] *= 0.5
        X[lang] += meaning + offset * rng.standard_normal(WIDTH, dtype=np.float32)
    return X.reshape(-1, WIDTH), np.repeat(np.arange(N_LANGUAGES), n_sentences)


def bare_product(X: np.ndarray) -> None:
    """All products, a block of rows at a time, looked at by nobody."""
    rows = BLOCK // len(X)
    block = np.empty((rows, len(X)), dtype=np.float32)
    for first in range(0, len(X), rows):
        part = X[first : first + rows]
        np.matmul(part, X.T, out=block[: len(part)])


def released_way(X: np.ndarray, langs: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Bridge a language; seconds of what grows with the square and of what grows with n."""
    near = np.empty(0)
    counts = []

    def full() -> None:
        nonlocal near
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        near = np.argsort(1 - unit @ unit.T, axis=1)[:, 1 : K + 1]

    def loop() -> None:
        for i in range(len(X)):
            foreign = {int(langs[j]) for j in near[i]} - {int(langs[i])}
            counts.append(len(foreign) >= T)

    seconds = cpu_seconds(full), cpu_seconds(loop)
    return np.array(counts).reshape(N_LANGUAGES, -1).mean(1), seconds


def cosine_cells(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """One cosine after the other."""
    return np.array([[1 - cosine(a, b) for b in B] for a in A])


def compared(cosines: np.ndarray) -> float:
    """Each translation against the greatest other of its row and of its column, in Python."""
    wins = 0
    for i, own in enumerate(np.diag(cosines)):
        others = [np.delete(line, i) for line in (cosines[i], cosines[:, i])]
        wins += own > max(others[0]) and own > max(others[1])
    return float(wins / len(cosines))


def against_product() -> None:
    X, langs = material(N_SENTENCES)
    nearest(X[:64], k=K)  # compiled
    ilo(X[: 2 * N_SENTENCES : 20], langs[: 2 * N_SENTENCES : 20], k=K, t=1)
    bare_product(X[:2000])
    before = greatest_size()
    rounds = [(cpu_seconds(lambda: ilo(X, langs, k=K, t=T)), 0.0)]
    memory = greatest_size() - before
    for _ in range(ROUNDS):
        ours = cpu_seconds(lambda: ilo(X, langs, k=K, t=T))
        rounds.append((ours, cpu_seconds(lambda: bare_product(X))))
    ours, bare = np.array(rounds[1:]).T
    print(f"ILO, {len(X):,} points x {WIDTH:,} features; {ROUNDS} interleaved rounds\n")
    print(f"memory above the input  {memory:8.2f} GB, allowed {MOST_MEMORY}")
    print(f"ours                    {np.median(ours):8.1f} s")
    print(f"bare blocked product    {np.median(bare):8.1f} s")
    ratio = ours / bare
    print(f"ratio                   {np.median(ratio):8.2f}x ", end="")
    print(f"({ratio.min():.2f}-{ratio.max():.2f}), allowed {MOST_TIME}x")
    few, of_few = material(SMALL)
    bridge, (square, line) = released_way(few, of_few)
    np.testing.assert_allclose(bridge, ilo(few, of_few, k=K, t=T)["bridge"], atol=0.02)
    factor = len(X) / len(few)
    print(f"released way            {square * factor**2 + line * factor:8.1f} s, ", end="")
    print(f"extrapolated from {len(few):,} points ({square + line:.1f} s)\n")


def mexa_against_loop() -> None:
    X, _ = material(N_SENTENCES)
    A, B = X[:N_SENTENCES].astype(float), X[N_SENTENCES : 2 * N_SENTENCES].astype(float)
    cosines = 1 - cdist(A, B, "cosine")
    assert mexa(A, B) == compared(cosines)
    times = [
        (
            cpu_seconds(lambda: mexa(A, B)),
            cpu_seconds(lambda: cosine_cells(A[:ROWS], B)) * len(A) / ROWS
            + cpu_seconds(lambda: compared(cosines)),
        )
        for _ in range(ROUNDS)
    ]
    ours, loop = np.array(times).T
    ratio = loop / ours
    print(f"MEXA, {N_SENTENCES} pairs x {WIDTH:,} features, all of them aligned\n")
    print(f"ours                    {1e3 * np.median(ours):8.0f} ms")
    print(f"published loops         {1e3 * np.median(loop):8.0f} ms")
    print(f"ratio                   {np.median(ratio):8.0f}x ", end="")
    print(f"({ratio.min():.0f}-{ratio.max():.0f}), required {LEAST_MEXA}x")


def main() -> None:
    against_product()
    mexa_against_loop()


if __name__ == "__main__":
    main()
