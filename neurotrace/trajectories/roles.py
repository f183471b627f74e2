"""What is each layer for? Five measures of its role over training, resampled alike throughout.

Whatever is resampled (words and sentences of the language probe, concepts and languages of the
concept probes and the experts, neurons of the counts) is resampled alike in every layer at every
step: a difference between two layers or two checkpoints then has an interval of its own, which is
narrower than two intervals laid side by side would tell.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.nodes import interval, node_draws
from neurotrace.probes.language_correct import LanguageCorrect, language_correct
from neurotrace.store import ActivationStore
from neurotrace.trajectories.decodability import decoded_at, within_and_across
from neurotrace.trajectories.division import NO_EVIDENCE
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.layers import tokens_of, usual_kind
from neurotrace.trajectories.lifts import StepKey, along_steps

REPLICATES = 500
SEEDS = 12  # divisions of word types: with three the draw of the types outweighs all else
DECODED = ("within_draws", "across_draws")
PASSES = 0.9  # average precision of a neuron that tells a language, on both halves


def layer_roles(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    resid: str = "hook_resid_post",
    top: float | int = 0.05,
    n_splits: int = 2,
    seed: int = 0,
) -> xr.Dataset:
    """What does each layer tell and hold, over training?

    *Eats* token, example, feature, neuron, concept, lang, split → *leaves* step, layer.

    Parameters
    ----------
    path
        The neurons among which experts and language neurons are counted.
    resid
        Site of the states: its ``/tokens`` serve identification of languages, its ``/mean`` the
        concept probes, or else the neurons do.
    top
        Size of the expert sets, as :func:`neurotrace.trajectories.expert_overlap` takes it.
    n_splits
        Divisions of the sentence groups for concept probes and experts.

    Returns
    -------
    Over (step, layer), each with ``_low``, ``_high``, ``_chance`` and the draws ``_draws``
    (replicate, step, layer; 0 is the estimate):

    ``language_id``
        Accuracy of a linear probe on tokens, word types disjoint; chance one over the languages;
        ``language_id_embed`` (step) is the same at the embeddings. Left out without token states.
    ``within``, ``across``
        Average precision of concept probes in their own language and in the others; the ceiling of
        ``across`` is ``within``, and ``across_deranged`` is ``across`` of labels without meaning.
    ``experts``
        Share of all experts that lie in the layer, mean over concepts and languages; chance is
        the layer's share of all neurons.
    ``language_neurons``
        Share of the layer's neurons that tell one language; chance with languages shuffled.

    ``chance`` is that of ``within``.

    Raises
    ------
    ValueError
        For fewer than two languages, or too few groups for two halves.

    Notes
    -----
    Draws of ``language_id`` resample word types of each language and sentence groups, the product
    of both counts weighting a token (Owen 2007, the pigeonhole bootstrap, a little conservative),
    given the probes; those of concepts and experts move concepts and languages as nodes; those
    of language neurons resample a layer's neurons. None covers differences between training runs.

    Riemenschneider & Frank (2025) show random-token accuracies by layer. That layers specialise
    happens where nothing is shared between languages, too: it is no evidence of sharing.
    """
    if len(store.languages) < 2:
        raise ValueError(f"got languages {store.languages}; expected at least two")
    states = f"{resid}/mean" if f"{resid}/mean" in store.paths else path
    parts = [
        _decoded(store, states, n_splits, seed),
        _experts(store, path, top, n_splits, seed),
        _language_neurons(store, path, seed),
    ]
    kind = usual_kind(store) if f"{resid}/tokens" in store.paths else None
    if kind is not None:
        parts.insert(0, _identified(store, resid, kind, seed))
    result = _with_intervals(parts)
    result["across_ceiling"], result["chance"] = result["within"], result["within_chance"]
    result.attrs = {
        "path": path,
        "states": states,
        "kind": kind or "",
        "top": probes.n_experts(top, sum(store.width(path))),
        "n_splits": n_splits,
        "seeds": SEEDS,
        "left_out": "" if kind else "language_id: too few token states of two languages",
        "note": NO_EVIDENCE,
    }
    return result


def _with_intervals(parts: list[xr.Dataset]) -> xr.Dataset:
    """Estimates and intervals beside the draws; what cannot be resampled has NaN for draws."""
    numbered = [part.assign_coords(replicate=np.arange(part.sizes["replicate"])) for part in parts]
    result = xr.merge(numbered, join="outer", compat="equals")
    for name in [str(name) for name in result if str(name).endswith("_draws")]:
        low, high = interval(result[name])
        own = name.removesuffix("_draws")
        result[own] = result[name].isel(replicate=0, drop=True)
        result[f"{own}_low"], result[f"{own}_high"] = low, high
    return result


def _identified(store: ActivationStore, site: str, kind: str, seed: int) -> xr.Dataset:
    """Accuracy of a language probe, at every layer and at the embeddings."""
    table = store.tokens
    if table is None:
        raise ValueError(f"got a store without token states; expected {site}/tokens captured")
    kept, _ = tokens_of(table, kind)
    sentence = store.examples["group"].to_numpy()[table["example"].to_numpy()]
    lang, types, groups = (
        np.unique(column[kept], return_inverse=True)[1].astype(np.intp)
        for column in (table["lang"].to_numpy(), table["id"].to_numpy(), sentence)
    )

    def probe(step: StepKey, layer: int | None, path: str) -> LanguageCorrect:
        X = store.read(step, layer, path).values[kept]
        return language_correct(X, lang, types=types, groups=groups, seeds=SEEDS, seed=seed)

    held: list[NDArray[np.floating]] = []

    def averages(tested: NDArray[np.bool_]) -> NDArray[np.floating]:
        # The same tokens are tested whatever the states are.
        if not held:
            held.append(_averages(tested, lang, _token_weights(lang, types, groups, seed)))
        return held[0]

    def one(step: StepKey) -> xr.Dataset:
        found = [probe(step, layer, f"{site}/tokens") for layer in store.layers]
        tested = found[0].tested
        correct = [of_layer.correct[tested] for of_layer in found]
        draws = averages(tested) @ np.stack(correct, axis=1)
        result = xr.Dataset({"language_id_draws": (("replicate", "layer"), draws)})
        if "embed/tokens" in store.paths:
            hits = probe(step, None, "embed/tokens").correct[tested]
            result["language_id_embed_draws"] = ("replicate", averages(tested) @ hits)
        return result

    settings = {"site": site, "kind": kind, "seeds": SEEDS, "replicates": REPLICATES, "seed": seed}
    result = along_steps(store, one, name="roles_language_id", settings=settings)
    result = result.assign_coords(layer=store.layers)
    return result.assign(language_id_chance=xr.DataArray(1 / len(np.unique(lang))))


def _token_weights(
    lang: NDArray[np.intp], types: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> NDArray[np.float32]:
    """How often each token is drawn, (replicate, token): its type's times its group's count."""
    rng = np.random.default_rng([seed, 21])
    weights = _counts(int(groups.max()) + 1, rng)[:, groups]
    for own in (lang == number for number in np.unique(lang)):
        code = np.unique(types[own], return_inverse=True)[1]
        weights[:, own] *= _counts(int(code.max()) + 1, rng)[:, code]
    return weights


def _counts(n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Times each of n is drawn, with replacement; replicate 0 has each once: (replicate, n)."""
    drawn = rng.multinomial(n, np.full(n, 1 / n), REPLICATES)
    return np.vstack([np.ones(n), drawn]).astype(np.float32)


def _averages(
    tested: NDArray[np.bool_], lang: NDArray[np.intp], weights: NDArray[np.float32]
) -> NDArray[np.floating]:
    """What turns hits of test tokens, division after division, into accuracies: (replicate, hit).

    Languages count alike. Draws are of the linearised mean, ``p + Σ w (hit − p) / n``: a ratio of
    sums leans to the rare words, which are many, and away from the estimate.
    """
    parts = []
    for of_split in tested:
        drawn = weights[:, of_split]
        for own in (lang[of_split] == number for number in np.unique(lang)):
            drawn[:, own] += 1 - drawn[:, own].mean(1, keepdims=True)
            drawn[:, own] /= own.sum()
        parts.append(drawn)
    return np.hstack(parts) / (len(tested) * len(np.unique(lang)))


def _decoded(store: ActivationStore, path: str, n_splits: int, seed: int) -> xr.Dataset:
    """Concept probes in their own language and in the others."""
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed)
    silent = Halved.of(store, path, n_splits=1, seed=seed, null="deranged")

    def one(step: StepKey) -> xr.Dataset:
        # Draws are kept, not what they are of, which a large model has a hundred times as much of.
        found = within_and_across(
            decoded_at(halved, step).expand_dims("step"), replicates=REPLICATES, seed=seed
        )
        deranged = within_and_across(decoded_at(silent, step).expand_dims("step"), replicates=0)
        across = deranged["across_draws"].isel(replicate=0, drop=True)
        return found.assign(across_deranged=across).isel(step=0, drop=True)

    settings = {"path": path, "n_splits": n_splits, "replicates": REPLICATES, "seed": seed}
    result = along_steps(store, one, name="roles_decoded", settings=settings)
    chance = xr.DataArray(float(halved.chance().mean()))
    result = result.assign(within_chance=chance, across_chance=chance)
    draws = {name: result[name].transpose("replicate", "step", "layer") for name in DECODED}
    return result.assign(draws)


def _experts(
    store: ActivationStore, path: str, top: float | int, n_splits: int, seed: int
) -> xr.Dataset:
    """Shares of the experts of all concepts and languages that lie in each layer."""
    halved = Halved.of(store, path, n_splits=n_splits, seed=seed)
    k = probes.n_experts(top, int(halved.widths.sum()))

    def one(step: StepKey) -> xr.Dataset:
        sets = halved.experts(step, k, layers=store.layers)
        share = probes.layer_counts(sets, halved.widths).mean((1, 2)) / k
        return xr.Dataset({"share": (("lang", "concept", "layer"), share)})

    settings = {"path": path, "k": k, "n_splits": n_splits, "seed": seed}
    found = along_steps(store, one, name="roles_experts", settings=settings)
    found = found.assign_coords(layer=store.layers)
    share = found["share"].transpose("step", "lang", "concept", "layer").values

    def means(concepts: NDArray[np.float64], langs: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = concepts[:, None, :] * langs[:, :, None]
        weights /= weights.sum((1, 2), keepdims=True)
        return np.einsum("rlc,slcn->rsn", weights, share)

    draws, noise = node_draws(
        means, len(store.concepts), len(store.languages), replicates=REPLICATES, seed=seed
    )
    return found.drop_vars("share").assign(
        experts_draws=(("replicate", "step", "layer"), draws),
        experts_noise=("step", noise),
        experts_chance=("layer", halved.widths / halved.widths.sum()),
    )


def _language_neurons(store: ActivationStore, path: str, seed: int) -> xr.Dataset:
    """Share of each layer's neurons that tell one language, on both halves of the sentences."""
    langs = store.examples["lang"].to_numpy()
    own = langs[:, None] == np.array(store.languages)
    shuffled = own[np.random.default_rng([seed, 22]).permutation(len(own))]
    in_a = Halved.of(store, path, n_splits=1, seed=seed).in_a
    rng = np.random.default_rng([seed, 23])
    times = [_counts(width, rng) / width for width in store.width(path)]

    def one(step: StepKey) -> xr.Dataset:
        draws, chance = [], []
        for layer, drawn in zip(store.layers, times, strict=True):
            X = store.read(step, layer, path).values
            told, by_chance = (_tells(X, labels, in_a) for labels in (own, shuffled))
            draws.append(drawn[:, told].sum(1))
            chance.append(by_chance.mean())
        made = {"language_neurons_draws": (("replicate", "layer"), np.stack(draws, axis=1))}
        return xr.Dataset({**made, "language_neurons_chance": ("layer", np.array(chance))})

    settings = {"path": path, "passes": PASSES, "replicates": REPLICATES, "seed": seed}
    result = along_steps(store, one, name="roles_language_neurons", settings=settings)
    return result.assign_coords(layer=store.layers)


def _tells(
    X: NDArray[np.floating], labels: NDArray[np.bool_], in_a: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Neurons whose average precision for one of the languages passes on both halves."""
    scores = [
        ranking.average_precision_halves(labels, in_a)[0] for _, ranking in probes.rankings(X)
    ]
    passes = np.concatenate(scores, axis=-1) >= PASSES
    return np.asarray(passes.all(0).any(0))
