"""Do words of two languages cluster alike, and together, over training? C-ALIGN and C-OVERLAP."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from itertools import permutations as ordered
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.cluster_alignment import c_align, covered_rows
from neurotrace.geometry.cluster_overlap import c_overlap
from neurotrace.geometry.latent_concepts import discover, stability
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import StepKey, along_steps, step_keys
from neurotrace.trajectories.parts import digest_of, kept
from neurotrace.trajectories.word_rows import (
    SITE,
    Dictionaries,
    material,
)

WORDS_A_CLUSTER = 20
FEWEST_CLUSTERS = 8
ALIGNED = ("value", "chance", "chance_low", "chance_high", "ceiling")
MIXED = ("overlap", "overlap_chance")
PAIR = ("layer", "lang_a", "lang_b")

Sides = dict[tuple[int, int], list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]]


def latent_concepts(
    store: ActivationStore,
    *,
    path: str = f"{SITE}/words",
    clusters: int | None = None,
    method: str = "kmeans",
    dictionary: Dictionaries | None = None,
    texts: Sequence[str] | None = None,
    theta_align: float = 0.8,
    theta_overlap: float = 0.3,
    top_n: int = 5,
    min_types: int = 1,
    size_ratio: float | None = 0.6,
    symmetric: bool = True,
    covered: bool = True,
    layers: Sequence[int] | None = None,
    steps: Sequence[StepKey] | None = None,
    languages: Sequence[str] | None = None,
    word_cap: int = 15,
    permutations: int = 20,
    seed: int = 0,
) -> xr.Dataset:
    """Do the clusters of one language's words have twins in another, and do languages mix in them?

    Every language is clustered whole; which clusters are twins is told by lang_a's words in half of
    the groups and lang_b's in the other half, both ways. Of the same sentences, clusters of the
    words of a sentence would have twins, its translations, and pass for concepts.

    *Eats* token, feature → *leaves* step, layer, lang_a, lang_b.

    Parameters
    ----------
    path
        ``…/words``; or ``…/tokens``, of which the tokens that are words of their own are taken.
    clusters
        K, of every language and of every two together; by default one for twenty words of the
        language that has fewest, at least 8.
    method
        Of :func:`neurotrace.geometry.latent_concepts.discover`.
    dictionary
        ``{(lang_a, lang_b): {word: translations, best first}}``. Without it, one is learned from
        the sentences of half the groups, and the words of the other half are clustered.
    texts
        ``(example,)`` sentences to learn from; by default those beside the store.
    theta_align, top_n, min_types, size_ratio, symmetric, covered
        Of :func:`neurotrace.geometry.cluster_alignment.c_align`; here sizes at most 40 % apart, as
        the text has it: a cluster of half the words would be everybody's twin.
    theta_overlap
        Of :func:`neurotrace.geometry.cluster_overlap.c_overlap`, which counts occurrences.
    layers, steps, languages
        All by default.
    word_cap
        Occurrences of a word type in a language.
    permutations
        Draws of either null.

    Returns
    -------
    ``value`` (step, layer, lang_a, lang_b): share of lang_a's clusters that have a twin among
    lang_b's; ``chance``, the same with lang_b's words permuted among its clusters, the band
    ``chance_low`` to ``chance_high`` of these draws, ``ceiling``, what the dictionary allows, and
    ``corrected``, value − chance. ``overlap`` (symmetric) is the share of mixed clusters of the two
    languages clustered together, with ``overlap_chance`` (languages permuted over word types) and
    ``overlap_corrected``. NaN on the diagonals. ``stability`` (step, layer): adjusted Rand index
    between two seeds, mean over languages, with ``stability_chance`` 0; NaN for Ward.
    ``missing`` (lang_a, lang_b): share of lang_a's word types that the dictionary lacks.

    Raises
    ------
    ValueError
        For a path without words, unknown layers, steps or languages, a dictionary that lacks a
        pair, or fewer words than clusters.

    Notes
    -----
    Mousi et al. 2024; its own differences of code and text stand at ``c_align`` and ``c_overlap``.
    C-OVERLAP is near one for words thrown together at random: without ``overlap_chance`` it says
    nothing. C-ALIGN compares clusters found apart: it does not change when one language's space is
    turned, and rises as word classes and topics form in each language, even where languages
    share nothing. Whether they share a space is what C-OVERLAP asks. Alignment is necessary for
    transfer, not sufficient.
    """
    layers = chosen("layers", layers, store.layers)
    steps = chosen("steps", steps, step_keys(store))
    table, dictionary = material(
        store, path, dictionary, texts, languages=languages, top_n=top_n, cap=word_cap, seed=seed
    )
    spaces = _Spaces(table, number_of_clusters(table, clusters), method, seed)
    sides = spaces.sides(dictionary, top_n if covered else None)
    align = {
        "theta": theta_align,
        "top_n": top_n,
        "min_types": min_types,
        "size_ratio": size_ratio,
        "symmetric": symmetric,
        "permutations": permutations,
        "seed": seed,
    }
    overlap = {"theta": theta_overlap, "permutations": permutations, "seed": seed}

    def compute(step: StepKey) -> xr.Dataset:
        found = _blank(len(layers), len(spaces.languages))
        for at, layer in enumerate(layers):
            X = store.read(step, layer, path, rows=table["row"].to_numpy()).values
            labels = spaces.apart(X)
            found["stability"][1][at] = spaces.stability(X, labels)
            for name, tables in (
                (ALIGNED, spaces.aligned(labels, sides, dictionary, align)),
                (MIXED, spaces.mixed(X, overlap)),
            ):
                for variable, values in zip(name, tables, strict=True):
                    found[variable][1][at] = values
        return xr.Dataset(found)

    settings = {"path": path, "method": method, "clusters": spaces.k, "align": align}
    settings |= {"overlap": overlap, "covered": covered, "layers": layers, "word_cap": word_cap}
    settings |= {"languages": spaces.languages, "seed": seed}
    if store.parts is not None:
        settings["dictionary"] = digest_of(
            [(*pair, {word: list(to) for word, to in known.items()})
             for pair, known in sorted(dictionary.items())]
        )  # fmt: skip

    def one(step: StepKey) -> xr.Dataset:
        if step not in steps:
            return xr.Dataset(_blank(len(layers), len(spaces.languages)))
        made = partial(compute, step)
        return kept(store, step, made, name="latent_concepts", settings=settings)

    result = along_steps(store, one).assign_coords(
        layer=layers, lang_a=spaces.languages, lang_b=spaces.languages
    )
    result = result.isel(step=[at for at, key in enumerate(step_keys(store)) if key in steps])
    return _finished(result, spaces, dictionary, top_n).assign_attrs(
        path=path,
        clusters=spaces.k,
        words=int(min(len(own) for own in spaces.rows)),
        theta_align=theta_align,
        theta_overlap=theta_overlap,
        permutations=permutations,
    )


class _Spaces:
    """The words of each language, and how one layer's vectors of them are clustered."""

    def __init__(self, table: pd.DataFrame, k: int, method: str, seed: int) -> None:
        self.languages = [str(lang) for lang in pd.unique(table["lang"])]
        langs = table["lang"].to_numpy()
        self.rows = [np.flatnonzero(langs == lang) for lang in self.languages]
        self.words = [table["word"].to_numpy()[own] for own in self.rows]
        self.half = [table["half"].to_numpy()[own] for own in self.rows]
        self.k, self.method, self.seed = k, method, seed

    def apart(self, X: NDArray, *, again: int = 0) -> list[NDArray[np.intp]]:
        """Each language's clusters."""
        seed = self.seed + again
        return [discover(X[own], self.k, method=self.method, seed=seed) for own in self.rows]

    def stability(self, X: NDArray, labels: list[NDArray[np.intp]]) -> float:
        if self.method == "ward":
            return float("nan")
        again = self.apart(X, again=1)
        return float(np.mean([stability(pair) for pair in zip(labels, again, strict=True)]))

    def sides(self, dictionary: Dictionaries, top_n: int | None) -> Sides:
        """Which words of either language count in a pair, of one's first half and the other's
        second, and the reverse: all, or those that are translated."""
        found: Sides = {}
        for a, b in ordered(range(len(self.rows)), 2):
            known = dictionary[self.languages[a], self.languages[b]]
            found[a, b] = []
            for of_a, of_b in (self.half[a], ~self.half[b]), (~self.half[a], self.half[b]):
                kept = of_a.copy(), of_b.copy()
                if top_n is not None:
                    own, other = self.words[a][of_a], self.words[b][of_b]
                    kept[0][of_a], kept[1][of_b] = covered_rows(own, other, known, top_n=top_n)
                if kept[0].any() and kept[1].any():
                    found[a, b].append(kept)
        return found

    def aligned(
        self,
        labels: list[NDArray[np.intp]],
        sides: Sides,
        dictionary: Dictionaries,
        dials: dict[str, Any],
    ) -> NDArray[np.float64]:
        """``(variable, lang_a, lang_b)`` what :func:`c_align` finds."""
        found = np.full((len(ALIGNED), len(self.rows), len(self.rows)), np.nan)
        for (a, b), ways in sides.items():
            known = dictionary[self.languages[a], self.languages[b]]
            pairs = [
                c_align(
                    (self.words[a][of_a], labels[a][of_a]),
                    (self.words[b][of_b], labels[b][of_b]),
                    known,
                    **dials,
                )
                for of_a, of_b in ways
            ]
            if pairs:
                found[:, a, b] = np.mean(
                    [(p.share, p.chance, p.chance_low, p.chance_high, p.ceiling) for p in pairs], 0
                )
        return found

    def mixed(self, X: NDArray, dials: dict[str, Any]) -> NDArray[np.float64]:
        """``(variable, lang_a, lang_b)`` what :func:`c_overlap` finds, every two clustered."""
        found = np.full((len(MIXED), len(self.rows), len(self.rows)), np.nan)
        for a, b in combinations(range(len(self.rows)), 2):
            both = np.concatenate((self.rows[a], self.rows[b]))
            labels = discover(X[both], self.k, method=self.method, seed=self.seed)
            langs = np.repeat([0, 1], [len(self.rows[a]), len(self.rows[b])])
            words = np.concatenate((self.words[a], self.words[b]))
            pair = c_overlap(labels, langs, together=words, **dials)
            found[:, a, b] = found[:, b, a] = pair.share, pair.chance
        return found


def _finished(
    result: xr.Dataset, spaces: _Spaces, dictionary: Dictionaries, top_n: int
) -> xr.Dataset:
    result["corrected"] = result["value"] - result["chance"]
    result["overlap_corrected"] = result["overlap"] - result["overlap_chance"]
    result["stability_chance"] = xr.DataArray(0.0)
    missing = np.full((len(spaces.rows), len(spaces.rows)), np.nan)
    for a, b in ordered(range(len(spaces.rows)), 2):
        known = dictionary[spaces.languages[a], spaces.languages[b]]
        types = pd.unique(spaces.words[a])
        missing[a, b] = np.mean([not list(known.get(word, ()))[:top_n] for word in types])
    return result.assign(missing=(("lang_a", "lang_b"), missing))


def _blank(n_layers: int, n_langs: int) -> dict[str, tuple[tuple[str, ...], NDArray[np.float64]]]:
    shape = (n_layers, n_langs, n_langs)
    found: dict[str, tuple[tuple[str, ...], NDArray[np.float64]]] = {
        name: (PAIR, np.full(shape, np.nan)) for name in (*ALIGNED, *MIXED)
    }
    return found | {"stability": (("layer",), np.full(n_layers, np.nan))}


def number_of_clusters(table: pd.DataFrame, clusters: int | None) -> int:
    """How many clusters: as given, or one for every so many words of the smallest language."""
    if clusters is not None:
        return clusters
    return max(FEWEST_CLUSTERS, int(table["lang"].value_counts().min()) // WORDS_A_CLUSTER)


def chosen(name: str, wanted: Sequence[Any] | None, valid: Sequence[Any]) -> list[Any]:
    if wanted is None:
        return list(valid)
    unknown = [item for item in wanted if item not in valid]
    if unknown or not len(wanted):
        raise ValueError(
            f"got {name} {', '.join(map(str, unknown)) or 'none'}; "
            f"valid are {', '.join(map(str, valid))}"
        )
    return [item for item in valid if item in wanted]
