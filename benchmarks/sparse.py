"""Sparse probes and language identification against loops over scikit-learn.

    python -m benchmarks.sparse

Process CPU time of one thread, both sides in turns within one run. Ours runs in full; scikit-learn
is timed on a stated part of each round and extrapolated. Each ratio is of one round; the median
over rounds counts. Both sides read the same folds and the same neurons.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from neurotrace.probes.curve import KS, sparsity_curve
from neurotrace.probes.layers import _check_tokens, _divide, language_id

N_LANGUAGES, N_CONCEPTS, N_SENTENCES, N_NEURONS, FOLDS = 12, 12, 720, 4_096, 5
N_LAYERS, SEEDS, N_TOKENS, N_FEATURES, N_TYPES = 24, 3, 12_000, 1_024, 400
TIMED_LAYERS = 6  # of the 24, for both sides
TOLERANCES = (1e-4, 1e-5, 1e-6)  # of scikit-learn
REQUIRED = {"sweep": 30, "language": 5}


def cpu_seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def sentences(language: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses, labels and folds: each concept has 80 neurons of falling strength."""
    rng = np.random.default_rng(language)
    Y = (np.arange(N_SENTENCES) % N_CONCEPTS)[:, None] == np.arange(N_CONCEPTS)
    X = rng.normal(size=(N_SENTENCES, N_NEURONS))
    X += 0.5 * rng.normal(size=(N_SENTENCES, 8)) @ rng.normal(size=(8, N_NEURONS))
    for own in Y.T:
        X[np.ix_(own, rng.permutation(N_NEURONS)[:80])] += np.linspace(1.2, 0.2, 80)
    fold = np.arange(N_SENTENCES) // N_CONCEPTS % FOLDS
    return X.astype(np.float32), Y, fold


def sklearn_sweep(X: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Held-out average precision (k,) of one concept in one language."""
    found = np.empty((FOLDS, len(KS)))
    for number in range(FOLDS):
        train, test = fold != number, fold == number
        score = SelectKBest(f_classif, k=max(KS)).fit(X[train], y[train]).scores_
        best = np.argsort(-score, kind="stable")[: max(KS)]
        scaler = StandardScaler().fit(X[train][:, best])
        a, b = scaler.transform(X[train][:, best]), scaler.transform(X[test][:, best])
        for place, k in enumerate(KS):
            probe = LogisticRegression(class_weight="balanced", max_iter=1000)
            scores = probe.fit(a[:, :k], y[train]).decision_function(b[:, :k])
            found[number, place] = average_precision_score(y[test], scores)
    return found.mean(0)


def our_sweep(X: np.ndarray, Y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Held-out average precision (concept, k) of one language."""
    return sparsity_curve(
        X, Y, groups=np.arange(len(X)), folds=fold, ranking="f_statistic", controls=0,
        ceilings=False,
    ).average_precision  # fmt: skip


def measure_sweep() -> tuple[float, float, float, float]:
    """Seconds for all, ours and theirs; the median ratio; the largest difference in mean AP."""
    our_sweep(*sentences(0))  # compile
    times, gaps = [], []
    for language in range(N_LANGUAGES):
        X, Y, fold = sentences(language)
        ours_s, ours = cpu_seconds(lambda X=X, Y=Y, fold=fold: our_sweep(X, Y, fold))
        concept = language % N_CONCEPTS
        y = Y[:, concept]
        theirs_s, theirs = cpu_seconds(lambda X=X, y=y, fold=fold: sklearn_sweep(X, y, fold))
        times.append((ours_s, theirs_s * N_CONCEPTS))
        gaps.append(ours[concept] - theirs)
    ours_s, theirs_s = np.array(times).T
    gap = float(np.abs(np.mean(gaps, 0)).max())
    return ours_s.sum(), theirs_s.sum(), float(np.median(theirs_s / ours_s)), gap


def tokens(layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, languages and word types: a word, its context, and some language."""
    rng = np.random.default_rng(layer)
    lang = np.arange(N_TOKENS) % 12
    types = lang * N_TYPES + rng.integers(0, N_TYPES, N_TOKENS)
    spectrum = np.arange(1, N_FEATURES + 1) ** -0.5
    words = rng.normal(size=(12 * N_TYPES, N_FEATURES)) * spectrum
    X = words[types] + rng.normal(size=(N_TOKENS, N_FEATURES)) * spectrum
    strength = np.linspace(0.004, 0.01, N_LAYERS)[layer]
    X += strength * rng.normal(size=(12, N_FEATURES))[lang]
    mixing = rng.normal(size=(N_FEATURES, N_FEATURES)).astype(np.float32)
    return X.astype(np.float32) @ mixing, lang, types


def our_languages(
    X: np.ndarray, lang: np.ndarray, types: np.ndarray, method: Literal["logistic", "discriminant"]
) -> float:
    return language_id(X, lang, types=types, seeds=SEEDS, method=method).accuracy


def sklearn_languages(
    X: np.ndarray, lang: np.ndarray, types: np.ndarray, tolerance: float
) -> float:
    """Mean accuracy over the divisions of `language_id`."""
    checked = _check_tokens(X, lang, types, None, SEEDS)
    hits = []
    for seed in range(SEEDS):
        train, test = _divide(checked, None, np.random.default_rng([0, seed]))
        scaler = StandardScaler().fit(X[train])
        probe = LogisticRegression(max_iter=10_000, tol=tolerance)
        probe.fit(scaler.transform(X[train]), lang[train])
        hits.append(probe.score(scaler.transform(X[test]), lang[test]))
    return float(np.mean(hits))


def measure_languages() -> np.ndarray:
    """Seconds and accuracies (side, layer): ours, scikit-learn's, the discriminant's."""
    found = []
    for layer in range(0, N_LAYERS, N_LAYERS // TIMED_LAYERS):
        given = tokens(layer)
        sides = [
            lambda given=given: our_languages(*given, "logistic"),
            *(
                lambda given=given, tolerance=tolerance: sklearn_languages(*given, tolerance)
                for tolerance in TOLERANCES
            ),
            lambda given=given: our_languages(*given, "discriminant"),
        ]
        found.append([cpu_seconds(side) for side in sides])
        print(f"  layer {layer:2}:", *(f"{s:7.2f} s {a:.4f}" for s, a in found[-1]), flush=True)
    return np.array(found).transpose(2, 1, 0)


def main() -> None:
    print(f"Sparse probes, k = {KS[0]} … {KS[-1]} ({len(KS)} values), {FOLDS} folds: {N_CONCEPTS}")
    print(f"concepts x {N_LANGUAGES} languages on {N_SENTENCES} x {N_NEURONS}; scikit-learn timed")
    print("on one concept a language (another in each) and extrapolated to all", flush=True)
    ours_s, theirs_s, ratio, gap = measure_sweep()
    print(f"ours {ours_s:.2f} s, scikit-learn {theirs_s:.1f} s: {ratio:.1f}x "
          f"(required {REQUIRED['sweep']}x), mean AP differs by at most {gap:.4f}\n")  # fmt: skip
    print(f"Language identification, {N_TOKENS} tokens x {N_FEATURES}, 12 classes, {N_LAYERS}")
    print(f"layers x {SEEDS} seeds; all sides timed on {TIMED_LAYERS} of the layers. scikit-learn")
    print("stops by default (tol 1e-4) before its accuracy is that of its optimum, so that it is")
    print("timed at several tolerances. Seconds and accuracies of logistic |")
    print("scikit-learn,", ", ".join(f"{t:.0e}" for t in TOLERANCES), "| discriminant", flush=True)
    seconds, accuracy = measure_languages()
    for side, tolerance in enumerate(TOLERANCES, 1):
        gap = accuracy[0] - accuracy[side]
        print(f"tol {tolerance:.0e}: {np.median(seconds[side] / seconds[0]):.1f}x, "
              f"accuracy differs by {gap.mean():+.4f} on average, {np.abs(gap).max():.4f} at most "
              f"(required {REQUIRED['language']}x where within 0.002)")  # fmt: skip
    print(f"discriminant: {np.median(seconds[1] / seconds[-1]):.1f}x the default scikit-learn")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
