"""Scoring at paper size: all neurons, 200 concepts, one shared pool of 20,000 sentences.

    python -m benchmarks.scoring

One core against scikit-learn is CPU time, timed in turns within each round; scikit-learn runs a
sample of (neuron, concept) pairs and is extrapolated per pair, ours runs in full, sorting included.
Two threads against one is wall-clock time, in turns, the quickest of each: it asks for two idle
cores. Below, the paper's job is priced from `probes.costs`, checked against real runs first.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from neurotrace.probes import BestExperts, auroc, average_precision, pairwise_overlap, rank
from neurotrace.probes.costs import Costs, measured

N_EXAMPLES, N_NEURONS, N_CONCEPTS, N_SPLITS, TOP = 20_000, 1_024, 200, 20, 500
SAMPLE = 24  # pairs a round on which scikit-learn is timed
ROUNDS = 5
REQUIRED_ONE, REQUIRED_TWO, REQUIRED_DAYS, REQUIRED_ERROR = 2_000, 1.8, 1.0, 0.25
N_LANGUAGES, N_CHECKPOINTS = 16, 44
UNITS = {"MLP units": 98_304, "every linear output": 221_184}
SIZES = ((N_EXAMPLES, N_CONCEPTS, 2_048), (3_000, 50, 4_096))  # at which prices are checked
DAY = 86_400

SCORES = {
    "average precision": (average_precision, average_precision_score),
    "AUROC": (auroc, roc_auc_score),
}


def seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    call()
    return clock() - started


def material(n: int, n_concepts: int, n_neurons: int) -> tuple[np.ndarray, np.ndarray]:
    """Responses in half precision, a third of the neurons rectified, and one concept a sentence."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, n_neurons), np.float32)
    X[:, ::3] = np.maximum(X[:, ::3], 0)
    Y = (rng.permutation(n) % n_concepts)[:, None] == np.arange(n_concepts)
    return X.astype(np.float16), Y


def even_halves(Y: np.ndarray) -> np.ndarray:
    """(split, example): half of every concept's sentences in half A."""
    rng = np.random.default_rng(1)
    concept = Y.argmax(1)
    in_a = np.empty((N_SPLITS, len(Y)), bool)
    for half in in_a:
        half[np.lexsort((rng.random(len(Y)), concept))] = np.arange(len(Y)) % 2 == 0
    return in_a


def one_core(X: np.ndarray, Y: np.ndarray) -> Iterator[str]:
    """Every score against the loop over scikit-learn, by the row of its table."""
    rng = np.random.default_rng(2)
    for name, (ours, theirs) in SCORES.items():
        times = []
        for number in range(ROUNDS + 1):
            neurons = rng.choice(X.shape[1], SAMPLE, replace=False)
            concepts = rng.integers(Y.shape[1], size=SAMPLE)
            columns = np.ascontiguousarray(X[:, neurons].T.astype(np.float32))
            labels = np.ascontiguousarray(Y[:, concepts].T)
            found: list[np.ndarray] = []
            loop = [
                seconds(lambda y=y, x=x, theirs=theirs: theirs(y, x), time.process_time)
                for y, x in zip(labels, columns, strict=True)
            ]
            whole = seconds(lambda: found.append(ours(X, Y)), time.process_time)  # noqa: B023
            if number == 0:  # compiled; what is timed is equal
                expected = [theirs(y, x) for y, x in zip(labels, columns, strict=True)]
                np.testing.assert_allclose(found[0][concepts, neurons], expected, rtol=1e-12)
            else:
                times.append((whole / (X.shape[1] * Y.shape[1]), sum(loop) / SAMPLE))
        ours_s, theirs_s = np.array(times).T
        ratio = theirs_s / ours_s
        yield (
            f"{name:20}{1e6 * np.median(ours_s):10.2f}{1e6 * np.median(theirs_s):14,.0f}"
            f"{np.median(ratio):9,.0f}x ({ratio.min():,.0f}-{ratio.max():,.0f})"
        )


def two_threads(X: np.ndarray, Y: np.ndarray) -> Iterator[str]:
    """Wall-clock time of one thread to that of two, after a check that the values are the same."""
    in_a = even_halves(Y)
    ranking = rank(X[:, :256])
    calls: dict[str, Callable[[int], np.ndarray]] = {
        name: lambda n_jobs, ours=ours: ours(X, Y, n_jobs=n_jobs)
        for name, (ours, _) in SCORES.items()
    }
    calls["halves of 20 splits"] = lambda n_jobs: ranking.average_precision_halves(
        Y, in_a, n_jobs=n_jobs
    )
    for name, call in calls.items():
        np.testing.assert_array_equal(call(1), call(2))
        times = np.array(
            [
                [seconds(lambda n=n: call(n), time.perf_counter) for n in (1, 2)]  # noqa: B023
                for _ in range(2 * ROUNDS)
            ]
        )
        quickest = times.min(0)
        ratio = times[:, 0] / times[:, 1]
        yield (
            f"{name:20}{quickest[0] / quickest[1]:8.2f}x, "
            f"each round {np.median(ratio):.2f}x ({ratio.min():.2f}-{ratio.max():.2f})"
        )


def real_run(X: np.ndarray, Y: np.ndarray, in_a: np.ndarray) -> tuple[float, float]:
    """CPU seconds a neuron of a table of APs, and of expert sets for every half."""
    best = BestExperts(TOP)
    X = np.ascontiguousarray(X)

    def sets() -> None:
        best.add(rank(X).average_precision_halves(Y, in_a), 0)

    table = seconds(lambda: average_precision(X, Y), time.process_time)
    return table / X.shape[1], seconds(sets, time.process_time) / X.shape[1]


def checked_prices() -> Iterator[str]:
    """Prices against real runs, in turns; the run's own neurons compete for the sets."""
    for n, n_concepts, n_neurons in SIZES:
        X, Y = material(n, n_concepts, n_neurons)
        in_a = even_halves(Y)
        real_run(X[:, :TOP], Y, in_a)
        errors = []
        for _ in range(ROUNDS):
            costs = measured(n, n_concepts, n_splits=N_SPLITS, top=TOP, n_neurons=n_neurons)
            real = np.array(real_run(X, Y, in_a))
            errors.append(np.array([costs.table, costs.overlap]) / real - 1)
        table, sets = np.median(errors, axis=0)
        yield f"{n:>7,} x {n_concepts:<5}{100 * table:+14.0f} %{100 * sets:+18.0f} %"


def pair_seconds() -> float:
    """Counting what two languages share, all concepts, splits and directions."""
    rng = np.random.default_rng(3)
    n = UNITS["MLP units"]
    a, b = (rng.integers(n, size=(2, 2, N_CONCEPTS, TOP)) for _ in range(2))
    pairwise_overlap(a, b, n)
    return seconds(lambda: pairwise_overlap(a, b, n), time.process_time) * N_SPLITS / 2


def priced(costs: Costs, pair: float) -> Iterator[str]:
    """Core-days of the paper's job: every unit, language and checkpoint."""
    counts = N_LANGUAGES * (N_LANGUAGES - 1) // 2 * pair * N_CHECKPOINTS / DAY
    for name, units in UNITS.items():
        times = units * N_LANGUAGES * N_CHECKPOINTS / DAY
        days = [times * part for part in (costs.table, costs.auroc, costs.overlap)]
        yield f"{name:22}{days[0]:10.2f}{days[1]:12.2f}{days[2]:18.2f}{counts:16.4f}"


def main() -> None:
    X, Y = material(N_EXAMPLES, N_CONCEPTS, N_NEURONS)
    print(f"{N_NEURONS} neurons x {N_CONCEPTS} concepts x {N_EXAMPLES} sentences, float16\n")
    print(f"{'one core, CPU time':20}{'µs/pair':>10}{'scikit-learn':>14}{'ratio':>10}", end="")
    print(f"  required {REQUIRED_ONE:,}x")
    for row in one_core(X, Y):
        print(row)
    print(f"\ntwo threads to one, wall-clock; required {REQUIRED_TWO}x")
    for row in two_threads(X, Y):
        print(row)
    print(f"\nprice to real run, within {100 * REQUIRED_ERROR:.0f} %")
    print(f"{'sentences x concepts':22}{'AP table':>7}{'experts of halves':>20}")
    for row in checked_prices():
        print(row)
    found = [measured(N_EXAMPLES, N_CONCEPTS, n_splits=N_SPLITS, top=TOP) for _ in range(ROUNDS)]
    costs = Costs(*np.median(found, axis=0))
    print("\nµs a neuron: ", end="")
    print(", ".join(f"{name} {1e6 * part:.0f}" for name, part in costs._asdict().items()))
    print(
        f"\ncore-days, {N_LANGUAGES} languages x {N_CHECKPOINTS} checkpoints; required: AP table of"
    )
    print(f"MLP units at most {REQUIRED_DAYS}; experts: {N_SPLITS} splits in halves, {TOP} a set")
    print(f"{'':22}{'AP table':>10}{'AUROC more':>12}{'expert sets':>18}{'their overlaps':>16}")
    for row in priced(costs, pair_seconds()):
        print(row)


if __name__ == "__main__":
    main()
