"""Are a concept's experts still the same neurons one checkpoint later?

Two draws of the same experts differ because they come from finitely many sentences, so that sets
of one step already disagree with each other. Turnover is therefore counted between disjoint
halves, and read beside the disagreement within a step. It exists within one training run alone:
the neuron of a number in one model has nothing to do with that of the same number in another.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes, nodes, probes
from neurotrace.nodes import interval
from neurotrace.store import ActivationStore
from neurotrace.trajectories.agreement import reliability_root
from neurotrace.trajectories.expert_tables import SPLITS, split_experts
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, along_steps


def turnover(experts: xr.Dataset, *, n_neurons: int) -> xr.Dataset:
    """Share of an expert set that is replaced from one checkpoint to the next.

    ``value[t] = 1 − |E(t−1, A) ∩ E(t, B)| / k``, the mean of that and of the reverse halves;
    ``corrected = (agreement − chance) / √((rel[t−1] − chance)(rel[t] − chance))``, with
    ``rel[t] = |E(t, A) ∩ E(t, B)| / k``, is the share *kept*: 1 where nothing changed, 0 where
    sets agree as random ones do. *Eats* split, k and the first step → *leaves* the rest; step t
    stands for what happened since the checkpoint before.

    Parameters
    ----------
    experts
        ``a`` and ``b``, both ``(step, …, k)``: neuron numbers chosen on half A and on half B.
    n_neurons
        Of all layers that compete.

    Returns
    -------
    ``value``; ``chance``, 1 − k/n; ``ceiling``, the turnover that would be seen if nothing
    changed; ``corrected``; ``rel`` and ``rel_before``, the self-agreement at both checkpoints.

    Raises
    ------
    ValueError
        For several runs, a missing half, fewer than two checkpoints, or sets larger than all.
    """
    if "run" in experts.dims:
        raise ValueError("got an axis run; expected one training run: neurons of two are unrelated")
    if not {"a", "b"} <= set(experts):
        raise ValueError(f"got {', '.join(map(str, experts))}; expected the halves a and b")
    axes.check(experts, "step", "k")
    n_steps, k = experts.sizes["step"], experts.sizes["k"]
    if n_steps < 2 or k > n_neurons:
        raise ValueError(
            f"got {n_steps} checkpoints and sets of {k} among {n_neurons} neurons; expected two "
            "checkpoints and no more experts than neurons"
        )
    halves = [experts[name].transpose("step", ..., "k") for name in ("a", "b")]
    sets = np.stack([half.values for half in halves], axis=1)
    rel = _shared(sets[:, 0], sets[:, 1])
    agreement = _between(sets[:-1], sets[1:])
    shell = halves[0].isel(step=slice(1, None), k=0, drop=True)
    found = {"agreement": agreement, "rel": rel[1:], "rel_before": rel[:-1]}
    counted = xr.Dataset({name: shell.copy(data=values) for name, values in found.items()})
    counted = counted.mean("split") if "split" in counted.dims else counted
    return _corrected(counted, k / n_neurons)


def expert_turnover(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    top: float | int = 0.05,
    n_splits: int = SPLITS,
    replicates: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
) -> xr.Dataset:
    """Turnover of a run's experts between neighbouring checkpoints, with intervals.

    The mean over concepts and languages of what :func:`turnover` counts, ``corrected`` from the
    concept means of each language. *Eats* example, layer, neuron, split, concept, lang → *leaves*
    step, without the first.

    Parameters
    ----------
    top
        Size of the sets: a fraction of all neurons (at most 500), or a number of neurons.
    replicates
        Draws in which concepts and languages are resampled as nodes.

    Returns
    -------
    ``value``, ``corrected`` and ``ceiling``, each with ``…_low`` and ``…_high``, and ``chance``.

    Raises
    ------
    ValueError
        For a store of two models, or of fewer than two checkpoints.

    Notes
    -----
    With fewer than about five languages the intervals are rough, with fewer than three concepts
    there are none.
    """
    models = sorted({str(model) for model in store.checkpoints["model"]})
    if len(models) > 1:
        raise ValueError(
            f"got a store of {', '.join(models)}; expected one training run: neurons of two are "
            "unrelated"
        )
    if len(store.steps) < 2:
        raise ValueError(f"got {len(store.steps)} checkpoint; expected at least two")
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed)
    n_neurons = int(halved.widths.sum())
    k = probes.n_experts(top, n_neurons)
    counted = _counted(halved, k, seed)
    draws = _drawn(counted, k / n_neurons, replicates, seed)
    result = xr.Dataset({"chance": xr.DataArray(1 - k / n_neurons)})
    for name in ("value", "corrected", "ceiling"):
        low, high = interval(draws[name], alpha=alpha)
        result[name] = draws[name].isel(replicate=0, drop=True)
        result[f"{name}_low"], result[f"{name}_high"] = low, high
    result.attrs = {"path": path, "n_splits": n_splits, "k": k, "alpha": alpha}
    return result


def _counted(halved: Halved, k: int, seed: int) -> xr.Dataset:
    """Agreements ``(step, concept, lang)``; only two checkpoints' sets are ever held."""
    before: list[NDArray[np.intp]] = []

    def one(step: StepKey) -> xr.Dataset:
        # (lang, split, half, concept, k) → half first
        now = np.moveaxis(split_experts(halved, step, k, seed=seed), 2, 0)
        last = before.pop() if before else now
        before.append(now)
        found = {
            "agreement": _between(last[None], now[None])[0],
            "rel": _shared(now[0], now[1]),
            "rel_before": _shared(last[0], last[1]),
        }
        dims = ("lang", "concept")
        return xr.Dataset({name: (dims, values.mean(1)) for name, values in found.items()})

    return along_steps(halved.store, one).isel(step=slice(1, None))


def _drawn(counted: xr.Dataset, chance: float, replicates: int, seed: int) -> xr.Dataset:
    """Draws of the means over concepts and languages ``(replicate, step)``; 0 is the estimate."""
    sizes = counted.sizes["concept"], counted.sizes["lang"]
    concepts, langs = (
        xr.DataArray(weights / weights.sum(1, keepdims=True), dims=("replicate", node))
        for node, weights in zip(("concept", "lang"), nodes.left_out(*sizes), strict=True)
    )
    found = _corrected(counted.map(lambda of: xr.dot(of, concepts, dim="concept")), chance)
    means = found.map(lambda of: _over_langs(of, langs) if "lang" in of.dims else of)
    return nodes.draws_of(means, *sizes, replicates=replicates, seed=seed)


def _over_langs(values: xr.DataArray, weights: xr.DataArray) -> xr.DataArray:
    """Weighted mean over languages that leaves undefined ones out."""
    total = xr.dot(values.notnull().astype(float), weights, dim="lang")
    return xr.dot(values.fillna(0), weights, dim="lang") / total.where(total > 0)


def _corrected(counted: xr.Dataset, chance: float) -> xr.Dataset:
    root = xr.apply_ufunc(reliability_root, counted["rel_before"], counted["rel"], chance)
    result = counted.drop_vars("agreement")
    result["value"] = 1 - counted["agreement"]
    result["chance"] = xr.DataArray(1 - chance)
    result["ceiling"] = 1 - (chance + root)
    result["corrected"] = (counted["agreement"] - chance) / root
    return result


def _between(before: NDArray[np.intp], after: NDArray[np.intp]) -> NDArray[np.float64]:
    """Agreement across halves of ``(step, half, …, k)`` sets, the mean of both directions."""
    return (_shared(before[:, 0], after[:, 1]) + _shared(before[:, 1], after[:, 0])) / 2


def _shared(a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.float64]:
    """Share of ``(…, k)`` sets that is in the corresponding ones."""
    together = np.sort(np.concatenate([a, b], axis=-1), axis=-1)
    return (np.diff(together, axis=-1) == 0).sum(-1) / a.shape[-1]
