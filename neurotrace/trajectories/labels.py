"""Labels of neurons over training: whose neuron is it, of a language, of a concept, of both?

Calls are made on half A of the sentence groups and confirmed on half B, at a stated false
discovery rate; figures come from half B. The same pipeline on labels that mean nothing says how
many neurons are called for nothing.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evidence import Bars, Evidence, Questions
from neurotrace.trajectories.lifts import StepKey, along_steps, language_rows

CONTROLS = {"chance": "deranged", "pseudo": "pseudo"}
EVIDENCE = ("concept", "word", "undecided")
PAIRS = ("exactly_one", "at_least_two", "all")
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
    questions = Questions.of(store, path, score=score, least=least, seed=seed)
    bars = None if twin is None else questions.bars(twin)
    evidence = questions.ask(step)
    frame = _frame(questions, evidence, bars, *_calls(questions, evidence, alpha, method))
    pairs = _pair_counts(questions, evidence, alpha, method, replicates=replicates)
    frame["coincidence"] = _coincidence(frame, pairs, len(store.languages))
    if RATE in store.paths:
        frame["lape"] = _lape(store, step)
    frame.attrs |= {"path": path, "score": score, "least": least, "seed": seed}
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
    own = Questions.of(store, path, score=score, least=least, seed=seed)
    nulls = {
        name: Questions.of(store, path, score=score, least=least, seed=seed, null=null)
        for name, null in CONTROLS.items()
        if null != "pseudo" or len(store.concepts) > 1
    }
    control = None if texts is None else own.arbitrary_words(texts)
    if control is not None:
        nulls["words"] = control
    bars = None if twin is None else own.bars(twin)

    def one(step: StepKey) -> xr.Dataset:
        evidence = own.ask(step)
        served, told = _calls(own, evidence, alpha, method)
        frame = _frame(own, evidence, bars, served, told)
        found = _kind_counts(frame, twin is not None)
        found["tells"] = ("lang", _told_by_language(told, len(store.languages)))
        for name, questions in nulls.items():
            silent = _calls(questions, questions.ask(step, show=False), alpha, method)
            kinds = probes.kinds_of(*silent)[0]
            found |= {f"{kind}_{name}": float((kinds == kind).sum()) for kind in probes.KINDS}
            if name == "chance":
                by_language = _told_by_language(silent[1], len(store.languages))
                found["tells_chance"] = ("lang", by_language)
        found |= _pair_counts(own, evidence, alpha, method, replicates=replicates)
        return xr.Dataset(found)

    result = along_steps(store, one).assign_coords(lang=store.languages)
    if not any(one.kind == "script" for one in own.sets):
        result = result.assign(
            {name: result[name] * np.nan for name in result if str(name).startswith("script")}
        )
    result.attrs |= {"path": path, "score": score, "alpha": alpha, "method": method}
    result.attrs |= {"least": least, "seed": seed, "neurons": int(sum(store.width(path)))}
    return result


def _calls(
    questions: Questions, evidence: Evidence, alpha: float, method: probes.Method
) -> tuple[probes.Served, probes.Told | None]:
    """Concepts and languages of every neuron, called on half A and confirmed on half B."""
    served = probes.languages_served(*evidence.p, alpha=alpha, method=method)
    if not questions.sets:
        return served, None
    first, second = (
        probes.wins_p_value(wins, n, least=questions.least)
        for wins, n in zip(evidence.wins, questions.n_compared, strict=True)
    )
    called = probes.call_experts(first, alpha=alpha, method=method)
    confirmed = probes.call_experts(second, alpha=alpha, method=method, among=called.passes)
    return served, probes.Told(questions.sets, called, confirmed)


def _frame(
    questions: Questions,
    evidence: Evidence,
    bars: Bars | None,
    served: probes.Served,
    told: probes.Told | None,
) -> pd.DataFrame:
    """The row table, with the layer of every neuron."""
    store, widths = questions.halved.store, questions.halved.widths
    learned = (None, None) if bars is None else tuple(np.repeat(bar, widths, -1) for bar in bars)
    shown = probes.HeldOut(
        ap=np.asarray(evidence.ap),
        auroc=np.asarray(evidence.auroc),
        chance=questions.chance,
        wins=evidence.wins[1],
        without_word=evidence.without_word,
        twin_ap=learned[0],
        twin_wins=learned[1],
    )
    frame = probes.neuron_kinds(
        served, shown, told, languages=store.languages, concepts=store.concepts
    )
    frame["neuron"] = np.concatenate([np.arange(width) for width in widths])
    frame.insert(0, "layer", np.repeat(store.layers, widths))
    return frame


def _kind_counts(frame: pd.DataFrame, with_twin: bool) -> dict[str, Any]:
    """Neurons of each kind, those learned among them, and what concepts' neurons rest on."""
    counts: dict[str, Any] = {}
    for kind in probes.KINDS:
        own = frame[frame["kind"] == kind]
        learned = float(own["learned"].sum()) if with_twin else np.nan
        counts |= {kind: float(len(own)), f"{kind}_learned": learned}
        counts |= {f"{kind}_pseudo": np.nan, f"{kind}_words": np.nan}  # until they are counted
    return counts | {name: float((frame["evidence"] == name).sum()) for name in EVIDENCE}


def _told_by_language(told: probes.Told | None, n_languages: int) -> NDArray[np.float64]:
    """``(lang,)`` neurons that answer to this language alone."""
    counts = np.zeros(n_languages)
    if told is not None:
        for number, one in enumerate(told.sets):
            if len(one.members) == 1:
                counts[one.members[0]] += (told.widest == number).sum()
    return counts


def _pair_counts(
    questions: Questions,
    evidence: Evidence,
    alpha: float,
    method: probes.Method,
    *,
    replicates: int,
) -> dict[str, float]:
    """Pairs by number of languages, beside what each neuron's number of concepts allows.

    Here every language calls for itself, one family of languages × concepts × neurons: the null
    has languages choose independently, and would not fit calls of several languages at once.
    """
    called = probes.call_experts(evidence.p[0], alpha=alpha, method=method).passes
    passes = probes.call_experts(evidence.p[1], alpha=alpha, method=method, among=called).passes
    halved = questions.halved
    drawn = probes.degree_preserving(
        passes,
        np.repeat(np.arange(len(halved.widths)), halved.widths),
        replicates=replicates,
        seed=questions.seed,
    )
    found: dict[str, float] = {}
    for name, count, draws in zip(PAIRS, probes.shared_counts(passes), drawn, strict=True):
        # A single concept has nothing to trade with.
        null = draws if passes.shape[1] > 1 else np.full(1, np.nan)
        low, high = np.quantile(null, [alpha / 2, 1 - alpha / 2])
        found |= {name: float(count), f"{name}_chance": float(null.mean())}
        found |= {f"{name}_chance_low": float(low), f"{name}_chance_high": float(high)}
    return found


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
