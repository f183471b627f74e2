"""C-ALIGN of 600 x 600 clusters against the published loop: CPU time, one thread, interleaved.

    python -m benchmarks.latent_concepts

Either language has 600 clusters of about 20 word types out of 9,000, and a dictionary of five
translations a word, of which some stand in no cluster. The published way, written anew from its
description, takes every source cluster, every target cluster, and every word of the first, and
looks for one of its translations in the second. It is timed in the same round on a sample of
source clusters, drawn anew, and extrapolated; what it finds there must be what ours finds.
"""

import time
from collections.abc import Callable

import numpy as np

from neurotrace.geometry.cluster_alignment import ClusterAlignment, c_align

N_CLUSTERS, N_TYPES, SIZE, TOP_N = 600, 9_000, 20, 5
THETA = 0.8
SAMPLE = 40  # source clusters a round on which the loop is timed
ROUNDS = 5
REQUIRED = 50

Side = tuple[np.ndarray, np.ndarray]
Words = dict[int, set[str]]


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def material(seed: int) -> tuple[Side, Side, dict[str, list[str]]]:
    """Words and labels of two languages; a third of the clusters have a twin."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(N_CLUSTERS), SIZE)
    types = rng.integers(N_TYPES, size=len(labels))
    twin = np.where(labels % 3 == 0, types, rng.integers(N_TYPES, size=len(labels)))
    # The best translation is the word's own number, the others are random, some unknown.
    others = rng.integers(N_TYPES + 1_000, size=(N_TYPES, TOP_N - 1))
    dictionary = {f"s{i}": [f"t{i}", *(f"t{j}" for j in row)] for i, row in enumerate(others)}
    source = np.array([f"s{i}" for i in types], dtype=object)
    target = np.array([f"t{i}" for i in twin], dtype=object)
    return (source, labels), (target, labels), dictionary


def by_cluster(side: Side) -> Words:
    found: Words = {}
    for word, label in zip(*side, strict=True):
        found.setdefault(int(label), set()).add(word)
    return found


def loop(source: Words, target: Words, dictionary: dict[str, list[str]]) -> set[int]:
    """Source clusters with a twin, pair by pair and word by word."""
    aligned = set()
    for at, words in source.items():
        for others in target.values():
            matched = 0
            for word in words:
                for translation in dictionary.get(word, [])[:TOP_N]:
                    if translation in others:
                        matched += 1
                        break
            if matched / len(words) > THETA and len(words) > 1:
                aligned.add(at)
    return aligned


def one_round(number: int) -> tuple[float, float, float]:
    """Seconds of ours and of the loop, extrapolated, in turns; the share that is aligned."""
    source, target, dictionary = material(number)
    chosen = np.random.default_rng(1_000 + number).choice(N_CLUSTERS, SAMPLE, replace=False)
    words, others = by_cluster(source), by_cluster(target)
    sample = {int(at): words[int(at)] for at in chosen}
    found: list[set[int]] = []
    made: list[ClusterAlignment] = []
    theirs = cpu_seconds(lambda: found.append(loop(sample, others, dictionary)))
    ours = cpu_seconds(
        lambda: made.append(c_align(source, target, dictionary, theta=THETA, top_n=TOP_N))
    )
    if found[0] != set(made[0].pairs["source"]) & set(sample):
        raise SystemExit("the loop and c_align find other pairs")
    return ours, theirs * N_CLUSTERS / SAMPLE, made[0].share


def main() -> None:
    one_round(ROUNDS)  # imports
    rounds = np.array([one_round(number) for number in range(ROUNDS)])
    ratios = rounds[:, 1] / rounds[:, 0]
    print(f"C-ALIGN, {N_CLUSTERS} x {N_CLUSTERS} clusters of {SIZE} words, {TOP_N} translations a")
    print(f"word; CPU time, one thread, {ROUNDS} interleaved rounds\n")
    print(
        f"ours       {1e3 * np.median(rounds[:, 0]):10,.0f} ms, {rounds[:, 2].mean():.2f} aligned"
    )
    print(f"the loop   {1e3 * np.median(rounds[:, 1]):10,.0f} ms, from {SAMPLE} source clusters")
    print(
        f"ratio      {np.median(ratios):10,.0f}x ({ratios.min():,.0f}-{ratios.max():,.0f}), ",
        end="",
    )
    print(f"required {REQUIRED}x")


if __name__ == "__main__":
    main()
