"""What each layer tells over training: the language of a token, the translation of a sentence."""

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import geometry, probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import (
    StepKey,
    along_steps,
    is_parallel,
    language_rows,
    step_keys,
)

KINDS = ("whole", "continuation", "byte", "all")
SIZES = {"value": None, "value_half": 0.5, "value_quarter": 0.25}
MIN_TOKENS = 100  # of a language: a third of the types in a third of the groups is a ninth of them
MIN_TYPES = 40  # of a language: with fewer, a third of the types may be rare ones only


def language_identification(
    store: ActivationStore,
    *,
    site: str = "hook_resid_post",
    kind: str = "whole",
    disjoint_types: bool = True,
    seeds: int = 3,
) -> xr.Dataset:
    """How well can the language of a token be read off each layer, over training?

    Accuracy of a linear probe on token states, word types of training and test disjoint.
    Sentence means are no subject: any random projection of them tells languages apart.
    *Eats* token, feature → *leaves* step, layer.

    Parameters
    ----------
    site
        Site whose ``site/tokens`` were captured.
    kind
        ``"whole"`` for tokens that are whole words, ``"continuation"``, ``"byte"`` or ``"all"``.
        Languages with fewer than 100 such tokens, or 40 types of them, are left out and named in
        the attribute ``left_out``.
    disjoint_types
        ``False`` gives the paper's variant, random tokens, which a memory of word types solves.
    seeds
        Seeded divisions of types and groups that are averaged.

    Returns
    -------
    ``value`` (step, layer), ``value_half`` and ``value_quarter`` (smaller training sets),
    ``same_script`` and ``cross_script`` (mean over language pairs, NaN where there is none),
    ``embed`` (step): the same probe on the embeddings, and ``chance``, one over the languages.

    Raises
    ------
    ValueError
        Without token states, for an unknown kind, or with enough tokens in fewer than two
        languages.

    Notes
    -----
    Riemenschneider & Frank (2025) probe random tokens; with disjoint types the probe cannot read
    the word's identity. Its specialization happens where nothing is shared: no evidence of sharing.
    """
    if kind not in KINDS:
        raise ValueError(f"got kind {kind!r}; valid are {', '.join(KINDS)}")
    tokens = store.tokens
    if tokens is None:
        raise ValueError(f"got a store without token states; expected {site}/tokens captured")
    kept, left_out = tokens_of(tokens, kind)
    tokens = tokens[kept]
    if tokens["lang"].nunique() < 2:
        raise ValueError(
            f"got fewer than {MIN_TOKENS} {kind} tokens in {', '.join(left_out)}, or fewer than "
            f"{MIN_TYPES} types; expected that many in at least two languages"
        )
    groups = store.examples["group"].to_numpy()[tokens["example"].to_numpy()]
    langs = tokens["lang"].to_numpy()
    types = tokens["id"].to_numpy() if disjoint_types else None

    def probe(X: NDArray, size: float | None = None) -> float:
        found = probes.language_id(
            X, langs, types=types, groups=groups, seeds=seeds, train_size=size
        )
        return float(found.accuracy)

    def one(step: StepKey) -> xr.Dataset:
        found: dict[str, list[float]] = {
            name: [] for name in (*SIZES, "same_script", "cross_script")
        }
        for layer in store.layers:
            X = store.read(step, layer, f"{site}/tokens").values[kept]
            for name, size in SIZES.items():
                found[name].append(probe(X, size))
            same, cross = _by_script(X, langs, types, groups, seeds)
            found["same_script"].append(same)
            found["cross_script"].append(cross)
        result = xr.Dataset({name: ("layer", values) for name, values in found.items()})
        if "embed/tokens" in store.paths:
            result["embed"] = probe(store.read(step, None, "embed/tokens").values[kept])
        return result

    settings = {"site": site, "kind": kind, "disjoint_types": disjoint_types, "seeds": seeds}
    result = along_steps(store, one, name="language_id", settings=settings)
    result = result.assign_coords(layer=store.layers)
    result["chance"] = xr.DataArray(1 / len(set(langs)))
    result.attrs |= {
        "path": f"{site}/tokens",
        "kind": kind,
        "disjoint_types": int(disjoint_types),
        "seeds": seeds,
        "tokens": len(tokens),
        "left_out": ", ".join(left_out),
    }
    return result


def retrieval(
    store: ActivationStore,
    *,
    path: str = "hook_resid_post/mean",
    center: bool = True,
    candidates: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    """How often is a sentence's translation its nearest neighbour, per layer over training?

    *Eats* example, feature → *leaves* step, layer, lang_a, lang_b.

    Parameters
    ----------
    center
        Take the mean of each language off first; raw cosines compare languages, not sentences.
    candidates
        At most so many sentence groups, drawn with ``seed``: cost and chance depend on them.

    Returns
    -------
    ``value`` (step, layer, lang_a, lang_b), symmetric, NaN on the diagonal; ``chance``, one over
    the number of candidates.
    """
    if not is_parallel(store):
        raise ValueError("got languages with different groups; expected a parallel set")
    group = store.examples["group"].to_numpy()
    names = np.random.default_rng([seed, 4]).permutation(np.unique(group))[:candidates]
    rows = {
        lang: own[np.argsort(group[own], kind="stable")]
        for lang, every in language_rows(store)
        for own in [every[np.isin(group[every], names)]]
    }

    def one(step: StepKey) -> xr.Dataset:
        shape = (len(store.layers), len(rows), len(rows))
        value = np.full(shape, np.nan)
        for at, layer in enumerate(store.layers):
            H = store.read(step, layer, path).values
            for (a, rows_a), (b, rows_b) in combinations(enumerate(rows.values()), 2):
                value[at, a, b] = value[at, b, a] = geometry.retrieval(
                    H[rows_a], H[rows_b], center=center
                )
        return xr.Dataset({"value": (("layer", "lang_a", "lang_b"), value)})

    settings = {"path": path, "center": center, "candidates": candidates, "seed": seed}
    result = along_steps(store, one, name="retrieval", settings=settings).assign_coords(
        layer=store.layers, lang_a=list(rows), lang_b=list(rows)
    )
    result["chance"] = xr.DataArray(1 / len(names))
    result.attrs |= {"path": path, "center": int(center), "candidates": len(names)}
    return result


def loss(store: ActivationStore) -> xr.Dataset:
    """Loss of each language's sampled sentences, nats a token, over training.

    Of the next token; of a masked model, of the tokens that are hidden from it.
    ``chance`` is the loss of the uniform guess, the logarithm of the vocabulary's size.
    """
    langs = store.examples["lang"].to_numpy()

    def one(step: StepKey) -> xr.Dataset:
        table = store.loss(step)
        if table is None:
            raise ValueError(f"got no loss at step {step}; expected capture with loss_sentences")
        of, nats = langs[table["example"].to_numpy()], table["nats"].to_numpy()
        weight = table["n_tokens"].to_numpy()
        own = [of == lang for lang in store.languages]
        value = [float(np.average(nats[rows], weights=weight[rows])) for rows in own]
        return xr.Dataset({"value": ("lang", value)})

    # Read from a table that a stripped file has, too: nothing is kept twice.
    result = along_steps(store, one).assign_coords(lang=store.languages)
    vocabulary = store.header(step_keys(store)[0]).get("vocab_size", np.nan)
    result["chance"] = xr.DataArray(float(np.log(vocabulary)))
    return result


def usual_kind(store: ActivationStore) -> str | None:
    """``whole`` where two languages have enough whole words, else ``all``, else None."""
    if store.tokens is not None:
        for kind in ("whole", "all"):
            kept, _ = tokens_of(store.tokens, kind)
            if store.tokens["lang"][kept].nunique() > 1:
                return kind
    return None


def tokens_of(tokens: pd.DataFrame, kind: str) -> tuple[NDArray[np.bool_], list[str]]:
    """Which rows are of a kind, in languages that have enough of it; the languages left out."""
    kept = np.ones(len(tokens), bool) if kind == "all" else (tokens["kind"] == kind).to_numpy()
    counts = tokens["lang"][kept].value_counts()
    langs = [str(lang) for lang in pd.unique(tokens["lang"])]
    types = tokens[kept].groupby("lang")["id"].nunique()
    left_out = [
        lang for lang in langs if counts.get(lang, 0) < MIN_TOKENS or types.get(lang, 0) < MIN_TYPES
    ]
    return kept & ~tokens["lang"].isin(left_out).to_numpy(), left_out


def _by_script(
    X: NDArray, langs: NDArray, types: NDArray | None, groups: NDArray, seeds: int
) -> tuple[float, float]:
    """Mean pairwise accuracy over pairs of one script, and over pairs of two."""
    found = probes.language_pairs(X, langs, types=types, groups=groups, seeds=seeds)
    same: list[float] = []
    cross: list[float] = []
    for (a, lang_a), (b, lang_b) in combinations(enumerate(found.languages), 2):
        of_script = same if _script(str(lang_a)) == _script(str(lang_b)) else cross
        of_script.append(float(found.accuracy[a, b]))
    return (
        float(np.mean(same)) if same else float("nan"),
        float(np.mean(cross)) if cross else float("nan"),
    )


def _script(code: str) -> str:
    return code.rpartition("_")[2]
