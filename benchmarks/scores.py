"""AP and AUROC of one layer together against scikit-learn: CPU time, one thread, interleaved.

    python -m benchmarks.scores

A layer is 4,096 neurons in float16; each of 12 languages has 720 sentences and 12 concepts, one a
sentence. Ours ranks every neuron once a language and reads both scores of all concepts from it,
in full. scikit-learn is timed in the same round, in turns with ours, on a sample of (neuron,
concept) pairs of the same language, each with both scores, and extrapolated per pair. A ratio is
of one round over all languages; the median over rounds counts. Below stand the other scores on one
language, ours in full, where scikit-learn has a counterpart.
"""

import time
from collections.abc import Callable

import numpy as np
from sklearn.feature_selection import f_classif
from sklearn.metrics import average_precision_score, roc_auc_score

from neurotrace.probes import rank
from neurotrace.probes.scores import SCORES

N_LANGUAGES, N_EXAMPLES, N_NEURONS, N_CONCEPTS = 12, 720, 4_096, 12
SAMPLE = 48  # pairs a language and round on which scikit-learn is timed
ROUNDS = 5
REQUIRED = 200


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def material(language: int) -> tuple[np.ndarray, np.ndarray]:
    """Responses of one language, a third of the neurons rectified, and its labels."""
    rng = np.random.default_rng(language)
    X = rng.normal(size=(N_EXAMPLES, N_NEURONS))
    X[:, ::3] = np.maximum(X[:, ::3], 0)
    Y = (rng.permutation(N_EXAMPLES) % N_CONCEPTS)[:, None] == np.arange(N_CONCEPTS)
    return X.astype(np.float16), Y


def ours(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AP and AUROC, (concept, neuron) each, from one ranking."""
    ranking = rank(X)
    return ranking.average_precision(Y), ranking.auroc(Y)


def sampled(X: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neurons and concepts of the sample, and the neurons' columns in scikit-learn's favour."""
    rng = np.random.default_rng(seed)
    neurons = rng.choice(N_NEURONS, SAMPLE, replace=False)
    concepts = rng.integers(N_CONCEPTS, size=SAMPLE)
    return neurons, concepts, np.ascontiguousarray(X[:, neurons].T.astype(np.float32))


def sklearn_loop(columns: np.ndarray, Y: np.ndarray) -> list[tuple[float, float]]:
    """Both scores of each pair; Y holds one concept a column."""
    return [
        (average_precision_score(y, x), roc_auc_score(y, x))
        for x, y in zip(columns, Y.T, strict=True)
    ]


def one_round(number: int, layer: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Seconds a pair of ours and of scikit-learn over all languages, measured in turns."""
    ours_s = theirs_s = 0.0
    for language, (X, Y) in enumerate(layer):
        _, concepts, columns = sampled(X, 100 * number + language)
        labels = np.asfortranarray(Y[:, concepts])
        theirs_s += cpu_seconds(lambda: sklearn_loop(columns, labels))  # noqa: B023 - called at once
        ours_s += cpu_seconds(lambda: ours(X, Y))  # noqa: B023
    pairs = N_LANGUAGES * N_NEURONS * N_CONCEPTS
    return ours_s / pairs, theirs_s / (N_LANGUAGES * SAMPLE)


def check(X: np.ndarray, Y: np.ndarray) -> None:
    """What is timed is equal; this also compiles the loops."""
    neurons, concepts, columns = sampled(X, 0)
    both = np.stack([scores[concepts, neurons] for scores in ours(X, Y)], axis=1)
    np.testing.assert_allclose(both, sklearn_loop(columns, Y[:, concepts]), rtol=1e-12)


def others(X: np.ndarray, Y: np.ndarray) -> None:
    """Every other score on one language, all neurons and concepts."""
    tokens = np.random.default_rng(0).integers(5, 40, N_EXAMPLES)
    calls: dict[str, Callable[[], object]] = {
        name: (lambda score=score: score(X, Y))
        for name, score in SCORES.items()
        if name not in ("average_precision", "auroc")
    }
    calls["auroc, stratify"] = lambda: SCORES["auroc"](X, Y, stratify=tokens)
    wide = X.astype(np.float64)
    calls["f_classif of scikit-learn"] = lambda: [f_classif(wide, y) for y in Y.T]
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            times[name].append(cpu_seconds(call))
    for name, seconds in times.items():
        print(f"{name:26}{1e3 * np.median(seconds):8.0f} ms")


def main() -> None:
    layer = [material(language) for language in range(N_LANGUAGES)]
    check(*layer[0])
    rounds = np.array([one_round(number, layer) for number in range(ROUNDS)])
    ratios = rounds[:, 1] / rounds[:, 0]
    print(f"AP and AUROC, {N_NEURONS} neurons x {N_CONCEPTS} concepts x {N_EXAMPLES} sentences x")
    print(f"{N_LANGUAGES} languages; CPU time, one thread, {ROUNDS} interleaved rounds\n")
    print(f"ours          {1e6 * np.median(rounds[:, 0]):8.3f} µs a (neuron, concept), both scores")
    print(f"scikit-learn  {1e6 * np.median(rounds[:, 1]):8.1f} µs, from {SAMPLE} pairs a language")
    print(
        f"ratio         {np.median(ratios):8,.0f}x ({ratios.min():,.0f}-{ratios.max():,.0f}), ",
        end="",
    )
    print(f"required {REQUIRED}x\n\nOne language:")
    others(*layer[0])


if __name__ == "__main__":
    main()
