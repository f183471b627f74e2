"""Do a concept's experts in one language serve it in another? Overlap, corrected for what it costs.

Experts of language *a* are chosen on half A of the sentence groups, those of *b* on half B, and
the reverse, over many seeded splits: chosen on translations of the same sentences, experts share
length and syntax whatever they mean. Overlap cannot exceed how well a language agrees with
itself, so beside every overlap stands that ceiling and the value corrected for it.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import SCORES, Halved
from neurotrace.trajectories.lifts import StepKey, along_steps

MIN_RELIABILITY = 0.2  # below it the ceiling is too near chance to divide by
MIN_ABOVE_CHANCE = 0.15  # of the way from chance to 1: the same, where chance itself is high


def expert_overlap(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    top: float | Sequence[float] = 0.05,
    per_layer: bool = False,
    n_splits: int = 20,
    score: str = "average_precision",
    null: str | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Overlap of a concept's expert sets between languages, over training.

    ``value = |E(c, a, A) ∩ E(c, b, B)| / k``, averaged over both directions and all splits;
    ``corrected = (value − chance) / √((rel_a − chance)(rel_b − chance))`` with
    ``rel_a = |E(c, a, A) ∩ E(c, a, B)| / k``, NaN where a ``rel`` is below 0.2;
    ``excess = value − max(wrong_concept, stratified)``.
    *Eats* example, layer, neuron, split → *leaves* step, concept, lang_a, lang_b (layer, k).

    Parameters
    ----------
    top
        Size of the expert sets: a fraction of all neurons (at most 500), or a number of neurons;
        a sequence gives the result an axis ``k``.
    per_layer
        Choose experts within each layer instead of among all layers together.
    n_splits
        Seeded divisions of the groups into halves; concepts are split evenly.
    score
        ``"average_precision"`` or ``"auroc"``.
    null
        ``None``; ``"deranged"`` gives every language its own assignment of concepts to groups, so
        that nothing is shared; ``"pseudo"`` replaces concepts by random groups, the same in every
        language, with the mix of concepts balanced.

    Returns
    -------
    Dataset with ``value``, ``chance`` (k/n), ``stratified`` (each layer keeps its number of
    experts), ``wrong_concept`` (E(c, a) against E(c′, b)), ``ceiling``, ``corrected``, ``excess``,
    ``same_half`` (a diagnostic: experts of both languages from the same sentences) over
    (step, concept, lang_a, lang_b), symmetric, NaN on the diagonal; ``rel`` (step, concept, lang).

    Raises
    ------
    ValueError
        For fewer than two languages, an unknown score or null, or too few groups for two halves.

    Notes
    -----
    Riemenschneider & Frank (2025) choose both sets on the same sentences and report the raw share
    alone; here sets come from disjoint groups, and each number has chance and ceiling.
    """
    if score not in SCORES:
        raise ValueError(f"got score {score!r}; valid are {', '.join(SCORES)}")
    if len(store.languages) < 2:
        raise ValueError(f"got languages {store.languages}; expected at least two")
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed, null=null)
    tops = list(top) if isinstance(top, Sequence) else [top]
    pools = [[layer] for layer in store.layers] if per_layer else [list(store.layers)]

    def one(step: StepKey) -> xr.Dataset:
        parts = []
        for layers in pools:
            widths = halved.widths[[store.layers.index(layer) for layer in layers]]
            ks = [probes.n_experts(size, int(widths.sum())) for size in tops]
            sets = halved.experts(step, max(ks), layers=layers, score=score)
            parts.append(xr.concat([_agreement(sets[..., :k], widths) for k in ks], dim="k"))
        return xr.concat(parts, dim="layer")

    result = along_steps(store, one)
    result = result.assign_coords(
        concept=store.concepts if null != "pseudo" else np.arange(len(store.concepts)),
        lang=store.languages,
        lang_a=store.languages,
        lang_b=store.languages,
    )
    result["chance"] = result["chance"].isel(step=0)
    result = result.assign_coords(layer=store.layers) if per_layer else result.isel(layer=0)
    result = result if isinstance(top, Sequence) else result.isel(k=0)
    result.attrs |= {"path": path, "n_splits": n_splits, "score": score, "null": null or "none"}
    return result.transpose("step", ...)


def _agreement(sets: NDArray[np.intp], widths: NDArray[np.intp]) -> xr.Dataset:
    """Every overlap of one step from ``(lang, split, half, concept, k)`` expert sets."""
    n_langs, _, _, n_concepts, k = sets.shape
    n_neurons = int(widths.sum())
    shape = (n_concepts, n_langs, n_langs)
    value, same, wrong, stratified = (np.full(shape, np.nan) for _ in range(4))
    counts = probes.layer_counts(sets, widths)
    rel = _matched(sets[:, :, 0], sets[:, :, 1]).mean(1).T
    for a in range(n_langs):
        for b in range(a + 1, n_langs):
            crossed = sets[b][:, ::-1]  # half B of b stands against half A of a, and the reverse
            pairwise = probes.pairwise_overlap(sets[a], crossed, n_neurons).mean((0, 1))
            expected = probes.layer_stratified(counts[a], counts[b][:, ::-1], widths)
            for matrix, pair in (
                (value, np.diagonal(pairwise)),
                (wrong, _off_diagonal_mean(pairwise)),
                (same, _matched(sets[a], sets[b]).mean((0, 1))),
                (stratified, expected.mean((0, 1))),
            ):
                matrix[:, a, b] = matrix[:, b, a] = pair
    chance = k / n_neurons
    dims = ("concept", "lang_a", "lang_b")
    root = reliability_root(rel[:, :, None], rel[:, None, :], chance)
    return xr.Dataset(
        {
            "value": (dims, value),
            "stratified": (dims, stratified),
            "wrong_concept": (dims, wrong),
            "same_half": (dims, same),
            "rel": (("concept", "lang"), rel),
            "ceiling": (dims, np.where(np.isnan(value), np.nan, chance + root)),
            "corrected": (dims, (value - chance) / root),
            "excess": (dims, value - np.fmax(wrong, stratified)),
            "chance": ((), chance),
        }
    ).assign_coords(k=k)


def reliability_root(
    rel_a: NDArray[np.float64], rel_b: NDArray[np.float64], chance: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """``√((rel_a − chance)(rel_b − chance))``, NaN where a reliability is too low to divide by."""
    low = np.fmin(rel_a, rel_b)
    usable = (low >= MIN_RELIABILITY) & (low >= chance + MIN_ABOVE_CHANCE * (1 - chance))
    with np.errstate(invalid="ignore"):
        root = np.sqrt((rel_a - chance) * (rel_b - chance))
    return np.where(usable, root, np.nan)


def _matched(a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.float64]:
    """Shared fraction of corresponding sets: ``(…, k)`` and ``(…, k)`` → ``(…)``."""
    both = np.sort(np.concatenate([a, b], axis=-1), axis=-1)
    return (both[..., 1:] == both[..., :-1]).sum(-1) / a.shape[-1]


def _off_diagonal_mean(pairwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each concept the mean overlap with every other one, in either role; NaN for a single."""
    n = len(pairwise)
    if n < 2:
        return np.full(n, np.nan)
    both = (pairwise.sum(0) + pairwise.sum(1)) / 2 - np.diagonal(pairwise)
    return both / (n - 1)
