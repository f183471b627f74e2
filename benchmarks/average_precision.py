"""Average precision against a loop over scikit-learn: CPU time, one thread, interleaved.

    python -m benchmarks.average_precision

Responses are 3,000 sentences by 4,096 neurons in float16. scikit-learn is timed on a sample of
(neuron, concept) pairs in every round and extrapolated per pair; ours runs in full, key
preparation and sorting included. Each ratio is of one round; the median over rounds counts.
"""

import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score

from neurotrace.probes import average_precision, rank

N_EXAMPLES, N_NEURONS, N_CONCEPTS, N_SPLITS = 3_000, 4_096, 200, 20
SAMPLE = 256  # pairs on which scikit-learn is timed
ROUNDS = 5
REQUIRED = {"one concept": 8, "200 disjoint concepts": 1_000, "200 overlapping concepts": 1_000}


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def material(seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Responses, and the label sets by the name of their row in the table."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N_EXAMPLES, N_NEURONS)).astype(np.float16)
    disjoint = (rng.permutation(N_EXAMPLES) % N_CONCEPTS)[:, None] == np.arange(N_CONCEPTS)
    overlapping = rng.random((N_EXAMPLES, N_CONCEPTS)) < 0.05
    return X, {
        "one concept": rng.random((N_EXAMPLES, 1)) < 0.1,
        "200 disjoint concepts": disjoint,
        "200 overlapping concepts": overlapping,
    }


def sklearn_loop(X: np.ndarray, Y: np.ndarray) -> list[float]:
    """A sample of pairs; float32 columns are made outside the clock, in its favour."""
    return [
        average_precision_score(Y[:, pair % Y.shape[1]], X[:, pair % X.shape[1]])
        for pair in range(SAMPLE)
    ]


def measure() -> dict[str, tuple[float, float, float]]:
    """By name: microseconds a pair of ours, of scikit-learn, and the median ratio."""
    X, label_sets = material()
    sample = np.asfortranarray(X[:, :SAMPLE].astype(np.float32))
    for Y in label_sets.values():  # compile, and check what is timed
        ours = average_precision(X[:, :SAMPLE], Y)
        pairs = np.arange(SAMPLE)
        np.testing.assert_allclose(
            ours[pairs % Y.shape[1], pairs], sklearn_loop(sample, Y), rtol=1e-12
        )
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in label_sets}
    for _ in range(ROUNDS):
        for name, Y in label_sets.items():
            ours_s = cpu_seconds(lambda Y=Y: average_precision(X, Y)) / (N_NEURONS * Y.shape[1])
            theirs_s = cpu_seconds(lambda Y=Y: sklearn_loop(sample, Y)) / SAMPLE
            rounds[name].append((ours_s, theirs_s))
    table = {}
    for name, times in rounds.items():
        ours_s, theirs_s = np.array(times).T
        ratio = np.median(theirs_s / ours_s)
        table[name] = (1e6 * np.median(ours_s), 1e6 * np.median(theirs_s), ratio)
    return table


def measure_halves() -> float:
    """Microseconds a (neuron, split, half, concept) for 200 disjoint concepts, sorting included."""
    X, label_sets = material()
    Y = label_sets["200 disjoint concepts"]
    rng = np.random.default_rng(1)
    halves = np.empty((N_SPLITS, N_EXAMPLES), bool)
    for split in halves:
        for concept in Y.T:
            own = rng.permutation(np.flatnonzero(concept))
            split[own] = np.arange(len(own)) % 2 == 0
    X = X[:, :512]
    rank(X[:, :2]).average_precision_halves(Y, halves)
    times = [
        cpu_seconds(lambda: rank(X).average_precision_halves(Y, halves)) for _ in range(ROUNDS)
    ]
    return 1e6 * float(np.median(times)) / (X.shape[1] * N_SPLITS * 2 * N_CONCEPTS)


def main() -> None:
    print(f"Average precision, {N_EXAMPLES} sentences x {N_NEURONS} neurons, float16")
    print(f"CPU time, one thread, median of {ROUNDS} interleaved rounds; scikit-learn timed on")
    print(f"{SAMPLE} (neuron, concept) pairs a round and extrapolated per pair\n")
    print(f"{'':26}{'ours µs/pair':>14}{'sklearn µs/pair':>17}{'ratio':>9}{'required':>10}")
    for name, (ours, theirs, ratio) in measure().items():
        print(f"{name:26}{ours:14.3f}{theirs:17.1f}{ratio:8,.0f}x{REQUIRED[name]:9,}x")
    print(f"\n{N_SPLITS} splits in two halves, 200 disjoint concepts: ", end="")
    print(f"{measure_halves():.3f} µs a (neuron, split, half, concept)")


if __name__ == "__main__":
    main()
