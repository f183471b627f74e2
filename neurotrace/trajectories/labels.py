"""Labels of neurons over training: whose neuron is it, of a language, of a concept, of both?

Calls are made on half A of the sentence groups and confirmed on half B, at a stated false
discovery rate; figures come from half B. The same pipeline on labels that mean nothing says how
many neurons are called for nothing.
"""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.label_counting import Counting, Judged
from neurotrace.trajectories.lifts import StepKey, along_steps, language_rows

PART = "labels"
RATE = "mlp.hook_pre/rate"


def neuron_labels(
    store: ActivationStore,
    step: StepKey,
    *,
    path: str = "mlp.hook_post/max",
    score: str = "auroc",
    alpha: float = 0.05,
    method: probes.Method = "bh",
    least: float = probes.LEAST,
    twin: ActivationStore | None = None,
    replicates: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """What every neuron of one checkpoint is, as a row table.

    A concept is called by the exact rank null of each language alone, a language by comparing a
    neuron's answers to translations of one sentence: it must win ``least`` of them against every
    other language. Two families at one checkpoint: concepts × neurons of all layers at each
    number of languages, and sets of languages × neurons.
    *Eats* example → one row a neuron.

    Parameters
    ----------
    score
        ``"auroc"`` or ``"average_precision"``: what the concept's p-values are of.
    alpha, method
        False discovery rate, and ``"bh"`` or ``"by"``.
    least
        The smallest effect to speak of, a fraction: AUROC for a concept on half A, and wins over
        every other language, which must be more on both halves.
    twin
        The re-initialised model's store, for ``learned``.
    replicates
        Draws of the degree-preserving null behind ``coincidence``.

    Returns
    -------
    Columns ``layer neuron kind tells concept languages n_languages q q_confirmed ap auroc chance
    wins evidence without_word learned best_other_concept best_other_ap concepts_passed``, as
    :func:`neurotrace.probes.neuron_kinds` tells them; with rates captured at ``mlp.hook_pre``
    also ``lape``, the languages LAPE gives the neuron to, which has no error rate. ``coincidence``
    is, for shared neurons, the share of such pairs that independent languages would have in
    common (the degree-preserving null over the count): near 1, nothing speaks for sharing.
    ``kind`` is ``shared script language one_language`` or ``neither``.

    Raises
    ------
    ValueError
        For an unknown score or method, or too few groups for two halves.
    """
    counting = Counting(store, path, score, alpha, method, least, twin, None, replicates, seed)
    return neuron_table(counting, step, counting.judged(step))


def neuron_table(counting: Counting, step: StepKey, judged: Judged) -> pd.DataFrame:
    """The row table of one checkpoint that was judged."""
    store, frame = counting.store, judged.frame
    frame["coincidence"] = _coincidence(frame, judged.pairs, len(store.languages))
    if RATE in store.paths:
        frame["lape"] = _lape(store, step)
    names = ("path", "score", "least", "seed")
    frame.attrs |= {name: getattr(counting, name) for name in names}
    return frame


def label_counts(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    score: str = "auroc",
    alpha: float = 0.05,
    method: probes.Method = "bh",
    least: float = probes.LEAST,
    twin: ActivationStore | None = None,
    texts: list[str] | None = None,
    replicates: int = 20,
    seed: int = 0,
) -> xr.Dataset:
    """How many neurons are of each kind, and how many would be for nothing?

    *Eats* example, layer, neuron, concept → *leaves* step, lang.

    Parameters
    ----------
    score, alpha, method, least, twin
        As for :func:`neuron_labels`.
    texts
        The sentences in the store's order, for the control task of arbitrary words.
    replicates
        Draws of the degree-preserving null.

    Returns
    -------
    For each kind ``shared script language one_language neither`` the number of neurons;
    ``…_chance``, the same with the concepts deranged in every language and languages shuffled
    within groups; ``…_pseudo`` with random groups for concepts (NaN for a single concept);
    ``…_words`` with arbitrary words as frequent as the concepts, one in each language (NaN without
    ``texts``, or where a language has no words between blanks): neurons that any label would get;
    ``…_learned``, those beyond the twin (NaN without one). ``script`` is NaN where scripts and
    languages cannot be told apart.

    ``concept word undecided``: neurons of a concept that pass without its word, that do not, and
    of which too few sentences lack it.
    ``tells`` (step, lang) and ``tells_chance``: neurons that answer to one language, whatever
    else they are. ``exactly_one at_least_two all``: (concept, neuron) pairs by the number of
    languages they serve, with ``…_chance``, ``…_chance_low`` and ``…_chance_high``, the mean and
    the central ``1 − alpha`` of a null that keeps each neuron's number of concepts: what sharing
    exceeds when it is more than coincidence.
    """
    counting = Counting(store, path, score, alpha, method, least, twin, texts, replicates, seed)
    result = along_steps(
        store,
        lambda step: counting.counts(step, counting.judged(step)),
        name=PART,
        settings=counting.settings,
    ).assign_coords(lang=store.languages)
    if not any(one.kind == "script" for one in counting.own.sets):
        result = result.assign(
            {name: result[name] * np.nan for name in result if str(name).startswith("script")}
        )
    result.attrs |= {"path": path, "score": score, "alpha": alpha, "method": method}
    result.attrs |= {"least": least, "seed": seed, "neurons": int(sum(store.width(path)))}
    return result


def _coincidence(
    frame: pd.DataFrame, pairs: dict[str, float], n_languages: int
) -> NDArray[np.float64]:
    """Of pairs shared by so many languages, the share that coincidence would give; NaN if none."""
    share = np.full(len(frame), np.nan)
    shared, everywhere = frame["kind"] == "shared", frame["n_languages"] == n_languages
    for rows, name in ((shared & ~everywhere, "at_least_two"), (shared & everywhere, "all")):
        if pairs[name] > 0:
            share[rows] = min(1.0, pairs[f"{name}_chance"] / pairs[name])
    return share


def _lape(store: ActivationStore, step: StepKey) -> list[str]:
    """The languages LAPE gives each neuron to, from rates over all tokens of a language."""
    n_tokens = store.examples["n_tokens"].to_numpy(float)
    by_layer = []
    for layer in store.layers:
        active = np.round(store.read(step, layer, RATE).values * n_tokens[:, None])
        rates = [active[own].sum(0) / n_tokens[own].sum() for _, own in language_rows(store)]
        by_layer.append(np.stack(rates))
    belongs = probes.lape_neurons(np.concatenate(by_layer, axis=1))
    return [" ".join(np.array(store.languages, object)[column]) for column in belongs.T]
