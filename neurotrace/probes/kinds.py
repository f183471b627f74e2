"""What kind of neuron is this: a language's, a concept's in one language, a shared one, or none?

Kinds are read from calls that other sentences confirmed (`languages_served`, `call_experts`), and
every figure beside them comes from those other sentences. One neuron may earn several kinds; its
row names the one that says most: a concept in several languages, then a script, then a language,
then a concept in one language. A language's neuron answers to that language's words for a concept
as to everything else said in it, so the concept says less of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.probes.calls import Calls, Served, call_experts
from neurotrace.probes.wins import LanguageSet

KINDS = ("shared", "script", "language", "one_language", "neither")
COLUMNS = {
    "concept": "",
    "languages": "",
    "n_languages": 0,
    "q": np.nan,
    "q_confirmed": np.nan,
    "ap": np.nan,
    "auroc": np.nan,
    "chance": np.nan,
    "wins": np.nan,
    "evidence": "",
    "without_word": 0,
    "learned": pd.NA,
    "best_other_concept": "",
    "best_other_ap": np.nan,
    "concepts_passed": 0,
}  # of a row of no kind


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What is shown of the neurons, from the sentences that confirmed the calls.

    Attributes
    ----------
    ap, auroc : (lang, concept, neuron)
    chance : (lang, concept), the exact mean AP of a random ranking
    wins : (set, neuron), fewest wins of a set of languages over the others
    without_word : (lang, concept, neuron) or None
        p-values on positives in which the concept's usual word does not occur, against all
        negatives; NaN where these are too few.
    twin_ap : (lang, concept, neuron) or None
        AP that a learned neuron exceeds: the 99th percentile of the same layer in the
        re-initialised model.
    twin_wins : (set, neuron) or None, the same for `wins`
    """

    ap: NDArray[np.floating]
    auroc: NDArray[np.floating]
    chance: NDArray[np.floating]
    wins: NDArray[np.floating] | None = None
    without_word: NDArray[np.floating] | None = None
    twin_ap: NDArray[np.floating] | None = None
    twin_wins: NDArray[np.floating] | None = None


@dataclass(frozen=True, eq=False)
class Told:
    """The sets of languages that neurons answer to.

    Attributes
    ----------
    sets : what was asked
    called, confirmed : (set, neuron) calls on either half, the second among the first
    """

    sets: Sequence[LanguageSet]
    called: Calls
    confirmed: Calls

    @property
    def widest(self) -> NDArray[np.intp]:
        """(neuron,) the largest set that was called and confirmed, -1 where there is none.

        Sets of different languages exclude each other, so what one neuron passes is nested.
        """
        passes = self.called.passes & self.confirmed.passes
        size = np.array([len(one.members) for one in self.sets])[:, None] * passes
        return np.where(passes.any(0), size.argmax(0), -1)


def neuron_kinds(
    served: Served,
    shown: HeldOut,
    told: Told | None = None,
    *,
    languages: Sequence[str],
    concepts: Sequence[str],
) -> pd.DataFrame:
    """One row a neuron: its kind, of what, in which languages, and how sure that is.

    Parameters
    ----------
    served
        The concepts each neuron serves, from `languages_served`.
    shown
        Scores on the half that confirmed.
    told
        The languages each neuron tells; None where languages were not compared.
    languages, concepts
        Names along the axes.

    Returns
    -------
    Columns ``neuron kind tells concept languages n_languages q q_confirmed ap auroc chance wins
    evidence without_word learned best_other_concept best_other_ap concepts_passed``.

    ``tells`` is the set of languages a neuron answers to, also where its kind is another.
    ``languages`` joins codes by blanks. ``q`` is the false discovery rate at which the kind was
    called, ``q_confirmed`` that of its confirmation. ``ap``, ``auroc``, ``chance`` and
    ``best_other_ap`` are means over the row's languages. ``evidence`` is ``concept`` where the
    neuron passes without the word (in at least two languages if it is shared), ``word`` where it
    does not, ``undecided`` where too few sentences lack the word; ``without_word`` counts the
    languages. ``learned`` is NA without a re-initialised model. ``concepts_passed`` counts the
    concepts it serves in any language. Attributes ``alpha method family``, ``family_languages``
    and ``scripts``, which says whether a script can be told from a language at all.

    Raises
    ------
    ValueError
        Names that do not fit the arrays.
    """
    if served.passes.shape[:2] != (len(languages), len(concepts)):
        raise ValueError(
            f"got calls of shape {served.passes.shape} for {len(languages)} languages and "
            f"{len(concepts)} concepts, expected (lang, concept, neuron)"
        )
    n_neurons = served.passes.shape[-1]
    kind, tells = kinds_of(served, told)
    frame = pd.DataFrame({"neuron": np.arange(n_neurons), "kind": kind})
    sets = () if told is None else told.sets
    frame["tells"] = [sets[one].name if one >= 0 else "" for one in tells]
    rows = np.flatnonzero(np.isin(kind, ("shared", "one_language")))
    parts = [_concept_rows(rows, served, shown, languages=languages, concepts=concepts)]
    if told is not None:
        rows = np.flatnonzero(np.isin(kind, ("script", "language")))
        parts.append(_set_rows(rows, tells[rows], told, shown, languages))
    filled = pd.DataFrame({name: [blank] * n_neurons for name, blank in COLUMNS.items()})
    filled = filled.astype({"learned": "boolean"})
    for part in parts:
        for name in part.columns if len(part) else ():
            filled.loc[part.index, name] = part[name]
    frame = frame.join(filled)
    scripts = any(one.kind == "script" for one in sets)
    frame.attrs |= {
        "alpha": served.alpha,
        "method": served.method,
        "family": served.family,
        "family_languages": "none" if told is None else told.called.family,
        "scripts": "decidable" if scripts else "not decidable",
    }
    return frame


def kinds_of(served: Served, told: Told | None = None) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """The kind of every neuron alone, and the set of languages it answers to (-1 for none).

    Returns
    -------
    (neuron,) names out of `KINDS`, and (neuron,) indices into ``told.sets``
    """
    most = served.n_languages.max(0)
    tells = np.full(len(most), -1) if told is None else told.widest
    script = np.array([one.kind == "script" for one in (() if told is None else told.sets)] + [0])
    earned = [most >= 2, (tells >= 0) & (script[tells] == 1), tells >= 0, most == 1]
    return np.select(earned, KINDS[:-1], KINDS[-1]), tells


def _concept_rows(
    rows: NDArray[np.intp],
    served: Served,
    shown: HeldOut,
    *,
    languages: Sequence[str],
    concepts: Sequence[str],
) -> pd.DataFrame:
    """The columns of neurons that serve a concept, indexed by neuron."""
    passes = served.passes[:, :, rows]
    count = served.n_languages[:, rows]
    # More languages first, then the smaller p-value: half B must not choose what it shows.
    best = np.lexsort((served.p[:, rows], -count), axis=0)[0]
    at = (best, np.arange(len(rows)))
    named = passes[:, *at]
    ap = _mean(shown.ap[:, :, rows], named[:, None])
    n_languages = count[at]
    needed = np.minimum(n_languages, 2)
    without, decidable = (part[:, :, rows][:, *at] for part in _without_word(served, shown))
    other = ap.copy()
    other[at] = -np.inf
    learned = None if shown.twin_ap is None else (shown.ap > shown.twin_ap)[:, :, rows][:, *at]
    enough = (without & named).sum(0) >= needed
    evidence = np.where(enough, "concept", "word")
    undecided = ~enough & ((decidable & named).sum(0) < needed)
    alone = len(concepts) < 2
    return pd.DataFrame(
        {
            "concept": np.array(concepts, object)[best],
            "languages": _names(named, languages),
            "n_languages": n_languages,
            "q": served.q[:, rows][at],
            "q_confirmed": served.q_confirmed[:, rows][at],
            "ap": ap[at],
            "auroc": _mean(shown.auroc[:, :, rows][:, *at], named),
            "chance": _mean(shown.chance[:, best], named),
            "evidence": np.where(undecided, "undecided", evidence),
            "without_word": (without & named).sum(0),
            "learned": _at_least(learned, named, needed),
            "best_other_concept": "" if alone else np.array(concepts, object)[other.argmax(0)],
            "best_other_ap": np.nan if alone else other.max(0),
            "concepts_passed": (count > 0).sum(0),
        },
        index=rows,
    )


def _set_rows(
    rows: NDArray[np.intp],
    tells: NDArray[np.intp],
    told: Told,
    shown: HeldOut,
    languages: Sequence[str],
) -> pd.DataFrame:
    """The columns of neurons that answer to a language or a script, indexed by neuron."""
    at = (tells, rows)
    columns = {
        "languages": [" ".join(languages[k] for k in told.sets[one].members) for one in tells],
        "n_languages": [len(told.sets[one].members) for one in tells],
        "q": told.called.q[at],
        "q_confirmed": told.confirmed.q[at],
    }
    if shown.wins is not None:
        columns["wins"] = shown.wins[at]
        if shown.twin_wins is not None:
            columns["learned"] = pd.array(shown.wins[at] > shown.twin_wins[at], "boolean")
    return pd.DataFrame(columns, index=rows)


def _without_word(served: Served, shown: HeldOut) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(lang, concept, neuron): passes without the word, and whether that can be decided."""
    if shown.without_word is None:
        nowhere = np.zeros(served.passes.shape, bool)
        return nowhere, nowhere
    decidable = served.passes & ~np.isnan(shown.without_word)
    called = call_experts(
        np.where(decidable, shown.without_word, 1),
        alpha=served.alpha,
        method=served.method,
        among=decidable,
    )
    return called.passes, decidable


def _mean(values: NDArray, named: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the named languages, the first axis; each neuron has one at least."""
    return np.where(named, values, 0).sum(0) / named.sum(0)


def _at_least(
    held: NDArray[np.bool_] | None, named: NDArray[np.bool_], needed: NDArray[np.int64]
) -> pd.api.extensions.ExtensionArray:
    if held is None:
        return pd.array([pd.NA] * named.shape[1], "boolean")
    return pd.array((held & named).sum(0) >= needed, "boolean")


def _names(named: NDArray[np.bool_], languages: Sequence[str]) -> list[str]:
    return [" ".join(np.array(languages, object)[column]) for column in named.T]
