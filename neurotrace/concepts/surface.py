"""What the surface of a sentence tells of its concept: spelling, and bare length.

A concept set is a test of meaning only as far as cheaper readings of a sentence fail. Two probes
read it cheaply. One sees character n-grams: it must do well where the concept's word stands and
clearly less where it does not. The other sees nothing but lengths, and must be at chance.
Both learn on one half of the groups and are scored on the other, both ways round.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.concepts.concept_set import ConceptSet
from neurotrace.concepts.holm import holm
from neurotrace.concepts.lexicon import fold, script
from neurotrace.concepts.precision import average_precision, expected_average_precision
from neurotrace.concepts.text_checks import DENSE, spaced

if TYPE_CHECKING:
    from scipy.sparse import csr_array

GRAMS, DENSE_GRAMS = (2, 5), (1, 5)  # where a character may be a word, it counts alone, too
KINDS = ("lexical", "other", "matched")
LENGTH_SPLITS = 2  # four cells of groups, within which labels may be permuted
SHUFFLES_A_LANGUAGE = 40  # Holm's first step needs at least 20 to reach 5 %
CELLS = 100_000  # numbers in one block of permuted labels: what stays in a core's cache is fast


def ngram_probe(concepts: ConceptSet, *, n_splits: int = 2, seed: int = 0) -> pd.DataFrame:
    """How well does spelling tell the concepts, where their word stands and where it does not?

    A ridge classifier for each concept on TF-IDF of character 2- to 5-grams within words (with
    the spaces around them; in scripts without spaces, within the sentence), case folded. Where a
    character is a syllable or a word (Han, kana, Hangul) single ones count, too. It
    learns from all judged sentences of one half, with their word and without. On the other half
    AP is taken three times: of the positives with the word among all negatives (``lexical``), of
    those without it among all negatives (``other``), and of those without it among the negatives
    that lack their own concept's word, too (``matched``). The second profits from exclusion: a
    sentence with the word of another concept is none of this one.

    Parameters
    ----------
    n_splits
        Divisions into halves by group, each used both ways round.

    Returns
    -------
    Indexed by ``lang``: ``ap_lexical chance_lexical balance_lexical``, and the same for ``other``
    and ``matched``; means over concepts, splits and halves. ``chance`` is the expected AP of a
    random ranking, ``balance`` the share of positives; NaN where a language has no such rows.

    Raises
    ------
    ValueError
        When a concept has too few groups for two halves.
    """
    in_a = concepts.halves(n_splits, seed=seed)
    langs, labels = concepts.frame["lang"].to_numpy(), concepts.labels()
    lexical = concepts.frame["lexical"].to_numpy(dtype=bool)
    texts = concepts.frame["text"].to_numpy()
    found = {}
    for lang in concepts.languages:
        own = np.flatnonzero(langs == lang)
        scored = _spelled(_grams(texts[own], lang), labels[own], lexical[own], in_a[:, own])
        means = pd.DataFrame(scored, columns=list(Spelled._fields)).groupby("rows").mean()
        found[lang] = {
            f"{figure}_{rows}": means[figure].get(rows, np.nan)
            for rows in KINDS
            for figure in Spelled._fields[1:]
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("lang")


class Spelled(NamedTuple):
    """AP of one concept's positives of one kind, in one half."""

    rows: str
    ap: float
    chance: float
    balance: float


def _grams(texts: NDArray, lang: str) -> "csr_array":
    """``(sentence, n-gram)`` counts."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    sizes = DENSE_GRAMS if script(lang) in DENSE else GRAMS
    counter = CountVectorizer(
        analyzer="char_wb", ngram_range=sizes, preprocessor=fold, dtype=np.float32
    )
    return csr_array(counter.fit_transform(texts))


def _spelled(
    counts: "csr_array",
    labels: NDArray[np.int8],
    lexical: NDArray[np.bool_],
    in_a: NDArray[np.bool_],
) -> Iterator[Spelled]:
    """Every concept, half and kind of positives of one language."""
    for learn in (side for half in in_a for side in (half, ~half)):
        scores = _ridge(counts[learn], labels[learn], counts[~learn])
        held, with_word = labels[~learn], lexical[~learn]
        for concept in np.flatnonzero(np.isfinite(scores).all(axis=0)):
            positive, negative = held[:, concept] == 1, held[:, concept] == 0
            yield from _scored("lexical", scores[:, concept], positive & with_word, negative)
            yield from _scored("other", scores[:, concept], positive & ~with_word, negative)
            alike = negative & ~with_word
            yield from _scored("matched", scores[:, concept], positive & ~with_word, alike)


def _scored(
    rows: str, scores: NDArray, positive: NDArray[np.bool_], negative: NDArray[np.bool_]
) -> Iterator[Spelled]:
    """Nothing, where there are no positives or no negatives."""
    n_positive, n = int(positive.sum()), int((positive | negative).sum())
    if 0 < n_positive < n:
        seen = (positive | negative)[:, None]
        ap = average_precision(scores[:, None], positive[:, None], seen)
        chance = expected_average_precision(n_positive, n)
        yield Spelled(rows, float(ap[0]), chance, n_positive / n)


def _ridge(learnt: "csr_array", labels: NDArray[np.int8], held: "csr_array") -> NDArray[np.float64]:
    """``(sentence, concept)`` scores of held-out sentences; NaN for what cannot be learnt."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import Ridge

    twice = np.flatnonzero((learnt > 0).sum(axis=0) > 1)  # of one sentence, it tells nothing
    scores = np.full((held.shape[0], labels.shape[1]), np.nan)
    learnable = (labels == 1).any(axis=0) & (labels == 0).any(axis=0)
    if not len(twice) or not learnable.any():
        return scores
    weigh = TfidfTransformer(sublinear_tf=True)
    X, X_held = weigh.fit_transform(learnt[:, twice]), weigh.transform(held[:, twice])
    # Concepts that are judged on the same sentences are learnt together.
    patterns, which = np.unique(labels >= 0, axis=1, return_inverse=True)
    for number, judged in enumerate(patterns.T):
        members = np.flatnonzero((which.reshape(-1) == number) & learnable)
        if len(members):
            y = (labels[judged][:, members] == 1) * 2.0 - 1
            model = Ridge(solver="sparse_cg").fit(X[judged], y)
            scores[:, members] = model.predict(X_held).reshape(-1, len(members))
    return scores


def length_probe(concepts: ConceptSet, *, permutations: int = 200, seed: int = 0) -> pd.DataFrame:
    """Do lengths alone tell the concepts? They must not.

    A ridge classifier for each concept on the logarithms of characters and words, their squares
    and product. The null permutes the labels among the groups of a language, within what two
    divisions into halves leave together, so that every half keeps its number of positives.

    p = (1 + #{permuted AP >= AP}) / (1 + permutations), then Holm's correction over languages

    Parameters
    ----------
    permutations
        At least 40 for each language are made: with fewer, no p-value could pass the correction.

    Returns
    -------
    Indexed by ``lang``: ``ap`` held out, mean over concepts, splits and halves; ``chance``, its
    mean under the null; ``p``, ``p_holm``; ``at_chance``, whether ``p_holm`` is at least .05.
    NaN where a language has no concept with positives and negatives in both halves.

    Raises
    ------
    ValueError
        When a concept has too few groups for two halves, or for no permutation.
    """
    if permutations < 1:
        raise ValueError(f"got permutations={permutations}; expected at least 1")
    in_a = concepts.halves(LENGTH_SPLITS, seed=seed)
    langs, labels = concepts.frame["lang"].to_numpy(), concepts.labels()
    texts = concepts.frame["text"].to_numpy()
    n = max(permutations, SHUFFLES_A_LANGUAGE * len(concepts.languages))
    found = []
    for lang in concepts.languages:
        own = np.flatnonzero(langs == lang)
        rng = np.random.default_rng([seed, *lang.encode()])
        order = _shuffles(in_a[:, own], n, rng)
        ap = _by_length(_lengths(texts[own], lang), labels[own], in_a[:, own], order)
        p = (1 + (ap[1:] >= ap[0] - 1e-12).sum()) / (1 + n) if np.isfinite(ap[0]) else np.nan
        found.append({"ap": ap[0], "chance": ap[1:].mean(), "p": p})
    table = pd.DataFrame(found, index=pd.Index(concepts.languages, name="lang"))
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    table["at_chance"] = table["p_holm"] >= 0.05
    return table


def _lengths(texts: NDArray, lang: str) -> NDArray[np.float64]:
    """``(sentence, feature)``: a constant, two standardised lengths, their squares and product."""
    characters = np.log([len(text) for text in texts])
    words = np.log([max(len(text.split()), 1) for text in texts]) * spaced(lang)
    columns = np.column_stack([characters, words])
    scale = columns.std(axis=0)
    c, w = ((columns - columns.mean(axis=0)) / np.where(scale > 0, scale, 1)).T
    return np.column_stack([np.ones(len(c)), c, w, c * c, w * w, c * w])


def _shuffles(in_a: NDArray[np.bool_], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """``(1 + n, sentence)``: whose label a sentence gets; first its own."""
    cell = np.unique(in_a, axis=1, return_inverse=True)[1].reshape(-1)
    home = np.argsort(cell, kind="stable")
    order = np.empty((1 + n, len(cell)), dtype=np.intp)
    order[0] = np.arange(len(cell))
    order[1:, home] = np.argsort(cell + rng.random((n, len(cell))), axis=1)
    return order


def _by_length(
    X: NDArray[np.float64],
    labels: NDArray[np.int8],
    in_a: NDArray[np.bool_],
    order: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Macro AP of the real labels, then of each permutation."""
    step = max(1, CELLS // max(labels.size, 1))
    ap = []
    for learn in (side for half in in_a for side in (half, ~half)):
        items = _alike(X[~learn])
        for first in range(0, len(order), step):
            given = labels[order[first : first + step]].transpose(1, 0, 2)
            flat = given.reshape(len(labels), -1)
            ap.append(_half_by_length(X, flat, learn, items).reshape(given.shape[1:]))
    by_side = np.concatenate(ap).reshape(-1, len(order), labels.shape[1])
    valid = np.flatnonzero(np.isfinite(by_side).all(axis=1))
    if not len(valid):
        return np.full(len(order), np.nan)
    return by_side.transpose(1, 0, 2).reshape(len(order), -1)[:, valid].mean(axis=1)


class Items(NamedTuple):
    """Sentences of the same lengths are tied, whatever the weights: they are one item."""

    unique: NDArray[np.float64]
    """``(item, feature)``"""
    gather: "csr_array"
    """``(item, sentence)``: which sentences an item stands for"""


def _alike(X: NDArray[np.float64]) -> Items:
    from scipy.sparse import csr_array

    unique, item = np.unique(X, axis=0, return_inverse=True)
    item = item.reshape(-1)
    return Items(unique, csr_array((np.ones(len(item)), (item, np.arange(len(item))))))


def _half_by_length(
    X: NDArray[np.float64], labels: NDArray[np.int8], learn: NDArray[np.bool_], items: Items
) -> NDArray[np.float64]:
    """``(column,)`` AP in the other half; NaN without positives and negatives in both."""
    judged, positive = (labels >= 0).astype(float), (labels == 1).astype(float)
    weights = _learnt(X[learn], judged[learn], positive[learn])
    hits, seen = items.gather @ positive[~learn], items.gather @ judged[~learn]
    ap = average_precision(items.unique @ weights, hits, seen)
    both = [(positive[side].any(0) & (judged > positive)[side].any(0)) for side in (learn, ~learn)]
    return np.where(both[0] & both[1], ap, np.nan)


def _learnt(
    X: NDArray[np.float64], judged: NDArray[np.float64], positive: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(feature, column)`` ridge weights, each from the sentences its column is judged on."""
    n, penalty = X.shape[1], np.eye(X.shape[1])
    aim = X.T @ (2 * positive - judged)
    if judged.all():
        return np.asarray(np.linalg.solve(X.T @ X + penalty, aim), dtype=np.float64)
    products = (X[:, :, None] * X[:, None, :]).reshape(-1, n * n)
    grams = (products.T @ judged).T.reshape(-1, n, n)
    solved = np.linalg.solve(grams + penalty, aim.T[..., None])
    return np.asarray(solved[..., 0].T, dtype=np.float64)
