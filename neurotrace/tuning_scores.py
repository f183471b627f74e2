"""How the languages of a tuned model lie to each other, beside the model it was tuned from."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.ilo import ilo
from neurotrace.geometry.neighbours import mexa, mexa_chance, retrieval
from neurotrace.geometry.similarity import cka
from neurotrace.store import ActivationStore
from neurotrace.trajectories.latent_concepts import latent_concepts
from neurotrace.trajectories.word_rows import Dictionaries

PATH, WORDS = "hook_resid_post/mean", "hook_resid_post/words"
ALIGNED = {"task_align": "value", "task_align_chance": "chance"}
MIXED = {"ilo": "ilo", "ilo_chance": "chance", "ilo_corrected": "corrected"}
CENTERED = {"centered": "ilo", "centered_chance": "chance", "centered_corrected": "corrected"}
FEWEST = 8  # groups
PERMUTED = 200  # orders of concept names


@dataclass(frozen=True)
class Sentences:
    """The rows of a store that translate each other, in an order that all arms share.

    Attributes
    ----------
    languages
        In set order.
    rows
        ``(lang, group)`` rows of the store.
    """

    languages: tuple[str, ...]
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, store: ActivationStore) -> "Sentences":
        """Groups that stand in every language.

        Raises
        ------
        ValueError
            For fewer than two languages, or fewer than 8 groups that all of them have.
        """
        table = store.examples.reset_index(drop=True)
        table["row"] = np.arange(len(table))
        first = table.drop_duplicates(["group", "lang"])
        wide = first.pivot(index="group", columns="lang", values="row").reindex(
            columns=store.languages
        )
        whole = wide.dropna().to_numpy(dtype=np.intp)
        if len(store.languages) < 2 or len(whole) < FEWEST:
            raise ValueError(
                f"got {len(whole)} groups that stand in all of {len(store.languages)} languages; "
                f"expected at least {FEWEST} in at least 2: before and after are compared on "
                "translations"
            )
        return cls(tuple(store.languages), whole.T)

    def drawn(self, most: int, *, seed: int) -> "Sentences":
        """At most so many of the groups, drawn with the seed."""
        kept = np.random.default_rng([seed, 44]).permutation(self.rows.shape[1])[:most]
        return replace(self, rows=self.rows[:, np.sort(kept)])

    def halved(self, *, seed: int) -> "tuple[Sentences, Sentences]":
        """Half A of the groups, to choose blocks on, and half B, to judge them on.

        Raises
        ------
        ValueError
            For fewer than 16 groups.
        """
        n = self.rows.shape[1]
        if n < 2 * FEWEST:
            raise ValueError(
                f"got {n} groups that stand in all languages; expected at least {2 * FEWEST}, "
                "blocks to freeze being chosen on one half of them and judged on the other"
            )
        order = np.random.default_rng([seed, 45]).permutation(n)
        a, b = (np.sort(own) for own in (order[: n // 2], order[n // 2 :]))
        return replace(self, rows=self.rows[:, a]), replace(self, rows=self.rows[:, b])


def spaces(
    base: ActivationStore,
    tuned: ActivationStore,
    sentences: Sentences,
    *,
    source: str,
    path: str = PATH,
    k: int = 5,
    t: int = 3,
    permutations: int = 20,
    seed: int = 0,
) -> xr.Dataset:
    """Each layer's states of a tuned model: do languages mix, do translations meet, what moved?

    *Eats* example, feature → *leaves* layer, lang.

    Parameters
    ----------
    base, tuned
        The same sentences, captured before and after; only the last step of each is read.
    source
        The language that was tuned on.
    k, t
        As in :func:`neurotrace.geometry.ilo.ilo`; t at most the number of other languages.

    Returns
    -------
    ``ilo ilo_chance ilo_corrected phi`` (layer, lang): interlingual local overlap (Wilie et al.,
    2025) raw, under permuted labels, and their difference, and as ``centered …`` with each
    language's mean taken off; 1 − debiased CKA between a language's
    states before and after (Philippy et al., 2023, biased; here debiased). ``mexa retrieval``
    (layer, lang): of the source and each other language, retrieval with language means taken off;
    NaN for the source itself.
    """
    at, found = sentences.languages.index(source), []
    for layer in base.layers:
        before, after = (_states(store, sentences, layer, path) for store in (base, tuned))
        points = after.reshape(-1, after.shape[-1])
        dials = {"k": k, "t": min(t, len(after) - 1), "permutations": permutations, "seed": seed}
        mixed = xr.merge(
            [
                _mixed(points, sentences.languages, MIXED, center=False, **dials),
                _mixed(points, sentences.languages, CENTERED, center=True, **dials),
            ]
        )
        for name, meet in (("mexa", mexa), ("retrieval", retrieval)):
            each = [meet(after[at], b) if lang != at else np.nan for lang, b in enumerate(after)]
            mixed[name] = ("lang", each)
        mixed["phi"] = ("lang", _moved(before, after))
        found.append(mixed)
    result = xr.concat(found, dim=pd.Index(base.layers, name="layer"))
    n = sentences.rows.shape[1]
    return result.assign(mexa_chance=mexa_chance(n), retrieval_chance=1 / n, phi_chance=1.0)


def change(
    base: ActivationStore, tuned: ActivationStore, sentences: Sentences, *, path: str = PATH
) -> xr.DataArray:
    """``(layer, lang)`` Φ alone, as in :func:`spaces`."""
    rows = [
        _moved(*(_states(store, sentences, layer, path) for store in (base, tuned)))
        for layer in base.layers
    ]
    names = {"layer": list(base.layers), "lang": list(sentences.languages)}
    return xr.DataArray(np.array(rows), names, dims=list(names))


def _states(store: ActivationStore, sentences: Sentences, layer: int, path: str) -> NDArray:
    """``(lang, group, feature)`` at the last step."""
    return store.read(store.steps[-1], layer, path).values.astype(np.float64)[sentences.rows]


def _moved(before: NDArray, after: NDArray) -> list[float]:
    return [1 - cka(a, b) for a, b in zip(before, after, strict=True)]


def _mixed(
    points: NDArray, languages: tuple[str, ...], columns: dict[str, str], **dials: Any
) -> xr.Dataset:
    names = np.repeat(languages, len(points) // len(languages))
    own = ilo(points, names, **dials).loc[list(languages)]
    values = {name: own[column].to_numpy(dtype=float) for name, column in columns.items()}
    return xr.Dataset({name: ("lang", v) for name, v in values.items()}, {"lang": list(languages)})


def losses(store: ActivationStore) -> xr.DataArray:
    """``(lang,)`` nats a content token at the last step, over the sentences sampled for it."""
    table = store.loss(store.steps[-1])
    if table is None:
        raise ValueError("got a store without losses; expected loss_sentences above 0")
    lang = store.examples["lang"].to_numpy()[table["example"]]
    total = (table["nats"] * table["n_tokens"]).groupby(lang).sum()
    mean = total / table["n_tokens"].groupby(lang).sum()
    return xr.DataArray(
        mean.reindex(store.languages).to_numpy(), {"lang": store.languages}, dims="lang"
    )


def probe(
    store: ActivationStore,
    train: NDArray[np.intp],
    test: dict[str, NDArray[np.intp]],
    labels: NDArray[np.str_],
    *,
    layer: int,
    path: str = PATH,
) -> xr.DataArray:
    """``(lang,)`` accuracy of a linear classifier of sentence states, read on other languages.

    Parameters
    ----------
    train
        Rows of one language.
    test
        Rows of each language, of other groups.
    labels
        ``(example,)`` class of each row.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = store.read(store.steps[-1], layer, path).values.astype(np.float64)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(X[train], labels[train])
    values = [float((model.predict(X[rows]) == labels[rows]).mean()) for rows in test.values()]
    return xr.DataArray(values, {"lang": list(test)}, dims="lang")


def name_band(told: NDArray, labels: NDArray, *, seed: int = 0) -> tuple[float, float]:
    """What is right by luck: 95 % of the accuracies under permuted names of concepts.

    The predictions stay as they are and all those of one concept get the name of another, for a
    classifier that tells clusters of sentences apart, and not what they mean, is right or wrong
    concept by concept. Fewer than five concepts have too few orders of their names: then no
    accuracy can lie beyond the band.

    Parameters
    ----------
    told, labels
        ``(text,)`` names of concepts, predicted and true.

    >>> name_band(np.array(["x", "x", "y"]), np.array(["x", "y", "y"]))
    (0.3333333333333333, 0.6666666666666666)
    """
    names, at = np.unique(np.concatenate((told, labels)), return_inverse=True)
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (at[: len(told)], at[len(told) :]), 1)
    each = np.tile(np.arange(len(names)), (PERMUTED, 1))
    orders = np.random.default_rng([seed, 46]).permuted(each, axis=1)
    right = np.sort(counts[each, orders].sum(1)) / len(labels)
    tail = PERMUTED // 40
    return float(right[tail - 1]), float(right[-tail])


def nothing_aligned(store: ActivationStore) -> xr.Dataset:
    """:func:`aligned` where there is nothing to align: NaN."""
    names = {"layer": list(store.layers), "lang": list(store.languages)}
    empty = xr.DataArray(np.nan, names, dims=list(names))
    return xr.Dataset({name: empty.copy() for name in ALIGNED})


def aligned(
    store: ActivationStore,
    source: str,
    *,
    dictionary: Dictionaries | None = None,
    clusters: int | None = None,
    permutations: int = 20,
    seed: int = 0,
) -> xr.Dataset:
    """Which share of the source language's latent concepts has a twin in each other language?

    *Eats* token, feature → *leaves* layer, lang.

    Parameters
    ----------
    store
        With the states of words; only its last step is read.
    dictionary, clusters, permutations
        As in :func:`neurotrace.trajectories.latent_concepts.latent_concepts`.

    Returns
    -------
    ``task_align`` (layer, lang): C-ALIGN from the source to each language (Mousi et al., 2024),
    and ``task_align_chance``, the same under permuted words; NaN for the source itself.
    """
    step, result = store.steps[-1:], nothing_aligned(store)
    for lang in (other for other in store.languages if other != source):
        pair = latent_concepts(
            store, path=WORDS, languages=[source, lang], steps=step, dictionary=dictionary,
            clusters=clusters, permutations=permutations, seed=seed,
        ).sel(lang_a=source, lang_b=lang).isel(step=0)  # fmt: skip
        for name, own in ALIGNED.items():
            result[name].loc[{"lang": lang}] = pair[own].values
    return result
