"""Do a concept's experts in one language serve it in another? Overlap, corrected for what it costs.

Experts of language *a* are chosen on half A of the sentence groups, those of *b* on half B, and
the reverse, over many seeded splits: chosen on translations of the same sentences, experts share
length and syntax whatever they mean. Overlap cannot exceed how well a language agrees with
itself, so beside every overlap stands that ceiling and the value corrected for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.agreement import Agreement, with_ceiling
from neurotrace.trajectories.halved import SCORES, Halved
from neurotrace.trajectories.lifts import StepKey, joined, step_keys
from neurotrace.trajectories.parts import Part, ordered
from neurotrace.trajectories.series_null import exchanges

MOST_BYTES = 3 << 29  # of expert sets held at once; beyond it, sentences are ranked several times


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

    def part(self, n_neurons: int, settings: Mapping[str, object]) -> Part:
        """What is kept of a step under this question."""
        own = {"top": self.top if self.per_layer else self.sizes(n_neurons)}
        name = "overlap_layers" if self.per_layer else "overlap"
        return Part.of(name, {**settings, **own})

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
    about = {"path": path, "n_splits": n_splits, "score": score, "null": null or "none"}
    n_neurons, settings = int(halved.widths.sum()), about | {"replicates": replicates, "seed": seed}
    parts = [question.part(n_neurons, settings) for question in questions]

    def one(step: StepKey) -> list[xr.Dataset]:
        def compute() -> list[xr.Dataset]:
            return _at_step(halved, step, questions, score, moved)

        if store.parts is None:
            return [ordered(found) for found in compute()]
        return store.parts.together(step, parts, compute)

    made = [[with_ceiling(part, len(store.languages)) for part in one(s)] for s in step_keys(store)]
    return [
        question.shaped(joined(store, found), store.layers).assign_coords(names).assign_attrs(about)
        for question, found in zip(questions, zip(*made, strict=True), strict=True)
    ]


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
    counted = [[Agreement(k, wide) for k in ks] for ks, wide in zip(sizes, widths, strict=True)]
    for some in _batches(halved, max(k for _, k in wanted)):
        for at, sets in some.pools(step, wanted, score=score):
            for agreement in counted[at]:
                agreement.add(sets[..., : agreement.k])
    found = [xr.concat([own.means(moved) for own in of_pool], dim="k") for of_pool in counted]
    return [
        xr.concat([found[at] for at, (of, _) in enumerate(asked) if of == number], dim="layer")
        for number in range(len(questions))
    ]


def _batches(halved: Halved, k: int) -> Iterator[Halved]:
    """The splits, so many at a time that their sets fit into memory."""
    n_splits = len(halved.in_a)
    # A set holds the score and the number of each of its neurons while it is gathered.
    of_split = 2 * len(halved.rows) * halved.labels.shape[1] * k * 8
    size = min(n_splits, max(1, MOST_BYTES // of_split))
    for start in range(0, n_splits, size):
        yield replace(halved, in_a=halved.in_a[start : start + size])
