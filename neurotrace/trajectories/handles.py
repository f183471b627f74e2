"""What an experiment takes hold of at one checkpoint: experts, their values, directions, sets.

All of it is chosen on half A of the sentence groups, but for the values that are carried over,
which come from half B, so that what an experiment measures was not chosen to come out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evidence import Questions
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey

STREAM = 11  # of the draw of source sentences


@dataclass(frozen=True)
class Handles:
    """Neurons of all layers in a row, the first of the first layer having index 0.

    Attributes
    ----------
    languages, concepts
        The first two axes of the arrays.
    experts
        ``(lang, concept, k)`` neuron indices, best on half A first.
    sources
        ``(lang, concept, sentence, neuron)`` pooled activations in sentences of half B that carry
        the concept, the same sentences at every step.
    medians
        ``(lang, concept, neuron)`` over the sentences of half A that carry the concept.
    directions
        ``(lang, concept, neuron)`` mean over those minus mean over half A's sentences without it.
    """

    languages: list[str]
    concepts: list[str]
    experts: NDArray[np.intp]
    sources: NDArray[np.float32]
    medians: NDArray[np.float32]
    directions: NDArray[np.float32]


def handles(
    store: ActivationStore,
    step: StepKey,
    *,
    path: str = "mlp.hook_post/max",
    top: float = 0.05,
    languages: Sequence[str] | None = None,
    concepts: Sequence[str] | None = None,
    n_sources: int = 4,
    seed: int = 0,
) -> Handles:
    """Experts of one checkpoint and what is written through them.

    Parameters
    ----------
    path
        The neurons, in their own or in a rotated basis.
    top
        Experts per concept and language: a fraction of all neurons (at most 500), or a number.
    languages, concepts
        Keep to these, in this order; all by default.
    n_sources
        Sentences of half B for each concept and language, drawn with ``seed``; fewer where there
        are fewer.

    Raises
    ------
    ValueError
        For a language or concept that the store does not have, or too few groups for two halves.
    """
    halved = Halved.of(store, path, n_splits=1, seed=seed)
    langs = _among(store.languages, languages, "language")
    named = _among(store.concepts, concepts, "concept")
    k = probes.n_experts(top, int(halved.widths.sum()))
    experts = halved.experts(step, k, layers=store.layers)[:, 0, 0]
    positive, negative, drawn = _rows(halved, langs, named, n_sources, seed)
    n_neurons, shape = int(halved.widths.sum()), (len(langs), len(named))
    sources = np.empty((*shape, len(drawn[0][0]), n_neurons), np.float32)
    medians, directions = (np.empty((*shape, n_neurons), np.float32) for _ in range(2))
    for stop, width, layer in zip(
        np.cumsum(halved.widths), halved.widths, store.layers, strict=True
    ):
        found = _of_layer(store.read(step, layer, path).values, positive, negative, drawn)
        for whole, part in zip((sources, medians, directions), found, strict=True):
            whole[..., stop - width : stop] = part
    return Handles(
        languages=[store.languages[lang] for lang in langs],
        concepts=[store.concepts[concept] for concept in named],
        experts=experts[np.ix_(langs, named)],
        sources=sources,
        medians=medians,
        directions=directions,
    )


@dataclass(frozen=True)
class NeuronSets:
    """Neurons that half A of the sentences calls, all layers in a row.

    Attributes
    ----------
    shared : (neuron,) bool, called for one concept in two languages or more; first those of most
        languages
    language : (lang, neuron) bool, telling one language from every other, and not called as shared
    """

    shared: NDArray[np.bool_]
    language: NDArray[np.bool_]


def neuron_sets(
    store: ActivationStore,
    step: StepKey,
    *,
    path: str = "mlp.hook_post/max",
    most: float = 0.05,
    alpha: float = 0.05,
    least: float = probes.LEAST,
    seed: int = 0,
) -> NeuronSets:
    """Shared and language-specific neurons of one checkpoint, to be cut out on other sentences.

    Called on half A alone, unlike the labels of :func:`neurotrace.trajectories.neuron_labels`,
    whose confirmation reads half B: sentences of half B are free for what is then measured.

    Parameters
    ----------
    most
        Neurons a set may have, a fraction of all (at most 500) or a number, and each language an
        equal part of it: random neurons to compare with must be left over.
    alpha, least
        False discovery rate, and the smallest effect, as for the labels.

    Raises
    ------
    ValueError
        For too few groups for two halves.
    """
    questions = Questions.of(store, path, score="auroc", least=least, seed=seed)
    evidence = questions.ask(step, show=False)
    p = evidence.p[0]
    n_languages = probes.call_experts(p, alpha=alpha).passes.sum(0)
    k = probes.n_experts(most, p.shape[-1])
    # Of as many languages the one with the smaller second p-value is the surer shared neuron.
    surest = np.where(n_languages > 1, np.sort(p, axis=0)[min(1, len(p) - 1)], 1.0).min(0)
    widest = n_languages.max(0)
    shared = _first(np.lexsort((surest, -widest)), widest > 1, k)
    language = np.zeros((len(store.languages), p.shape[-1]), bool)
    if questions.sets:
        won = probes.wins_p_value(evidence.wins[0], questions.n_compared[0], least=least)
        told = probes.call_experts(won, alpha=alpha).passes & (widest < 2)
        for one, own, by in zip(questions.sets, told, won, strict=True):
            if len(one.members) == 1:
                order = np.argsort(by, kind="stable")
                language[one.members[0]] = _first(order, own, max(1, k // len(language)))
    return NeuronSets(shared, language)


def _first(order: NDArray[np.intp], called: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """The first k that were called, in this order."""
    kept = np.zeros(len(called), bool)
    kept[order[called[order]][:k]] = True
    return kept


def half_a(
    store: ActivationStore, *, path: str = "mlp.hook_post/max", seed: int = 0
) -> NDArray[np.bool_]:
    """``(example,)``: the sentences that everything above was chosen on."""
    return Halved.of(store, path, n_splits=1, seed=seed).in_a[0]


def _among(known: list[str], wanted: Sequence[str] | None, what: str) -> list[int]:
    unknown = [name for name in wanted or () if name not in known]
    if unknown:
        raise ValueError(f"got {what} {', '.join(unknown)}; valid are {', '.join(known)}")
    return [known.index(name) for name in (known if wanted is None else wanted)]


Rows = list[list[NDArray[np.intp]]]


def _rows(
    halved: Halved, langs: list[int], concepts: list[int], n_sources: int, seed: int
) -> tuple[Rows, Rows, Rows]:
    """By language and concept: half A with it, half A without it, drawn ones of half B with it."""
    store, in_a, labels = halved.store, halved.in_a[0], halved.labels
    positive, negative, of_b = (
        [[halved.rows[lang][kept] for kept in _kept(halved, lang, concepts, side, sign)]
         for lang in langs]
        for side, sign in ((in_a, 1), (in_a, 0), (~in_a, 1))
    )  # fmt: skip
    least = min(len(rows) for by_concept in of_b for rows in by_concept)
    if least < 1 or not (labels >= 0).any():
        raise ValueError("got a concept without sentences in half B; expected one in each language")
    n = min(n_sources, least)
    drawn = [
        [_drawn(rows, n, (store.languages[lang], store.concepts[concept]), seed)
         for concept, rows in zip(concepts, own, strict=True)]
        for lang, own in zip(langs, of_b, strict=True)
    ]  # fmt: skip
    return positive, negative, drawn


def _drawn(rows: NDArray[np.intp], n: int, names: tuple[str, str], seed: int) -> NDArray[np.intp]:
    # By name: which languages and concepts are asked for, and in what order, decides nothing.
    rng = np.random.default_rng([seed, STREAM, *"\0".join(names).encode()])
    return np.sort(rng.choice(rows, n, replace=False))


def _kept(
    halved: Halved, lang: int, concepts: list[int], side: NDArray[np.bool_], sign: int
) -> Iterator[NDArray[np.bool_]]:
    own = halved.rows[lang]
    for concept in concepts:
        yield side[own] & (halved.labels[own, concept] == sign)


def _of_layer(X: NDArray, positive: Rows, negative: Rows, drawn: Rows) -> tuple[NDArray, ...]:
    """Sources, medians and directions of one layer's neurons."""
    X = X.astype(np.float32)
    sources = np.array([[X[rows] for rows in own] for own in drawn])
    medians = np.array([[np.median(X[rows], axis=0) for rows in own] for own in positive])
    directions = np.array(
        [
            [X[a].mean(0) - X[b].mean(0) for a, b in zip(with_it, without, strict=True)]
            for with_it, without in zip(positive, negative, strict=True)
        ]
    )
    return sources, medians, directions
