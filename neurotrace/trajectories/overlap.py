"""Do a concept's experts in one language serve it in another? Overlap, corrected for what it costs.

Experts of language *a* are chosen on half A of the sentence groups, those of *b* on half B, and
the reverse, over many seeded splits: chosen on translations of the same sentences, experts share
length and syntax whatever they mean. Overlap cannot exceed how well a language agrees with
itself, so beside every overlap stands that ceiling and the value corrected for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.halved import SCORES, Halved
from neurotrace.trajectories.lifts import StepKey, along_steps, step_keys
from neurotrace.trajectories.series_null import corrected_null, exchanges, overlap_null

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
    replicates: int = 200,
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
    replicates
        Draws of ``null``: exchanges of concepts, each the same at every step, layer and size.

    Returns
    -------
    Dataset with ``value``, ``chance`` (k/n), ``stratified`` (each layer keeps its number of
    experts), ``wrong_concept`` (E(c, a) against E(c′, b)), ``ceiling``, ``corrected``, ``excess``,
    ``same_half`` (a diagnostic: experts of both languages from the same sentences) over
    (step, concept, lang_a, lang_b), symmetric, NaN on the diagonal; ``rel`` (step, concept, lang);
    and ``null`` (step, replicate): the mean corrected overlap of a series in which every language
    exchanged its concepts, the same way throughout, moved up to a mean of 0 where it lies below.
    It is NaN where the mean corrected overlap is, and there is none (NaN) where concepts
    and languages allow fewer than 80 distinct exchanges.

    Raises
    ------
    ValueError
        For fewer than two languages, an unknown score or null, or too few groups for two halves.

    Notes
    -----
    Riemenschneider & Frank (2025) choose both sets on the same sentences and report the raw share
    alone; here sets come from disjoint groups, and each number has chance and ceiling.
    """
    return _measured(
        store,
        [_Question(top, per_layer)],
        path=path,
        n_splits=n_splits,
        score=score,
        null=null,
        replicates=replicates,
        seed=seed,
    )[0]


def expert_overlaps(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    top: float | Sequence[float] = 0.05,
    layer_top: float | Sequence[float] = 0.05,
    n_splits: int = 20,
    score: str = "average_precision",
    replicates: int = 200,
    seed: int = 0,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Overlap among the experts of the whole model, and among those of each layer, in one pass.

    Value for value what two calls of :func:`expert_overlap` return, the second one
    ``per_layer``, for little more than the cost of one: sentences are ranked and scored once.

    Parameters
    ----------
    top, layer_top
        Size of the sets of the whole model, and of those within a layer.

    Raises
    ------
    ValueError
        As :func:`expert_overlap`.
    """
    whole, within = _measured(
        store,
        [_Question(top, False), _Question(layer_top, True)],
        path=path,
        n_splits=n_splits,
        score=score,
        null=None,
        replicates=replicates,
        seed=seed,
    )
    return whole, within


@dataclass(frozen=True)
class _Question:
    """Sets of which sizes, of all layers together or of each."""

    top: float | Sequence[float]
    per_layer: bool

    def pools(self, layers: list[int]) -> list[list[int]]:
        return [[layer] for layer in layers] if self.per_layer else [layers]

    def sizes(self, n_neurons: int) -> list[int]:
        tops = self.top if isinstance(self.top, Sequence) else [self.top]
        return [probes.n_experts(size, n_neurons) for size in tops]

    def shaped(self, result: xr.Dataset, layers: list[int]) -> xr.Dataset:
        """With the axes that were asked for, and no others."""
        result["chance"] = result["chance"].isel(step=0)
        several = isinstance(self.top, Sequence)
        result = result.assign_coords(layer=layers) if self.per_layer else result.isel(layer=0)
        return (result if several else result.isel(k=0)).transpose("step", ...)


def _measured(
    store: ActivationStore,
    questions: Sequence[_Question],
    *,
    path: str,
    n_splits: int,
    score: str,
    null: str | None,
    replicates: int,
    seed: int,
) -> list[xr.Dataset]:
    """The overlaps that each question asks for, over training, all from one scoring a step."""
    if score not in SCORES:
        raise ValueError(f"got score {score!r}; valid are {', '.join(SCORES)}")
    if len(store.languages) < 2:
        raise ValueError(f"got languages {store.languages}; expected at least two")
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed, null=null)
    concepts = store.concepts if null != "pseudo" else np.arange(len(store.concepts))
    names = {"concept": concepts} | dict.fromkeys(("lang", "lang_a", "lang_b"), store.languages)
    moved = exchanges(
        halved.labels.shape[1], len(store.languages), replicates=replicates, seed=seed
    )
    made = {key: _at_step(halved, key, questions, score, moved) for key in step_keys(store)}
    results = []
    for number, question in enumerate(questions):
        by_step = {key: found[number] for key, found in made.items()}
        result = question.shaped(along_steps(store, by_step.__getitem__), store.layers)
        about = {"path": path, "n_splits": n_splits, "score": score, "null": null or "none"}
        results.append(result.assign_coords(names).assign_attrs(about))
    return results


def _at_step(
    halved: Halved,
    step: StepKey,
    questions: Sequence[_Question],
    score: str,
    moved: NDArray[np.intp],
) -> list[xr.Dataset]:
    """One step's answers, ``(layer, k, …)``, each set let go once its overlaps are counted."""
    layers = halved.store.layers
    asked = [(number, pool) for number, q in enumerate(questions) for pool in q.pools(layers)]
    widths = [halved.widths[[layers.index(layer) for layer in pool]] for _, pool in asked]
    sizes = [
        questions[number].sizes(int(wide.sum()))
        for (number, _), wide in zip(asked, widths, strict=True)
    ]
    wanted = [(pool, max(ks)) for (_, pool), ks in zip(asked, sizes, strict=True)]
    found: dict[int, xr.Dataset] = {}
    for at, sets in halved.pools(step, wanted, score=score):
        parts = [_agreement(sets[..., :k], widths[at], moved) for k in sizes[at]]
        found[at] = xr.concat(parts, dim="k")
    return [
        xr.concat([found[at] for at, (of, _) in enumerate(asked) if of == number], dim="layer")
        for number in range(len(questions))
    ]


def _agreement(
    sets: NDArray[np.intp], widths: NDArray[np.intp], moved: NDArray[np.intp]
) -> xr.Dataset:
    """Every overlap of one step from ``(lang, split, half, concept, k)`` expert sets."""
    n_langs, _, _, n_concepts, k = sets.shape
    n_neurons = int(widths.sum())
    chance = k / n_neurons
    shape = (n_concepts, n_langs, n_langs)
    value, same, wrong, stratified = (np.full(shape, np.nan) for _ in range(4))
    counts = probes.layer_counts(sets, widths)
    rel = _matched(sets[:, :, 0], sets[:, :, 1]).mean(1).T
    exchanged = []
    for a, b in combinations(range(n_langs), 2):
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
        exchanged.append(overlap_null(pairwise, moved[:, a], moved[:, b]))
    dims = ("concept", "lang_a", "lang_b")
    root = reliability_root(rel[:, :, None], rel[:, None, :], chance)
    of_pair = rel.mean(0)[np.stack(np.triu_indices(n_langs, 1))]
    mean_root = reliability_root(of_pair[0], of_pair[1], chance)
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
            "null": ("replicate", corrected_null(np.stack(exchanged), mean_root, chance)),
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
