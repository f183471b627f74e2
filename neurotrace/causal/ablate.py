"""Ablation: what does the model lose when shared or language-specific neurons are silenced?

Zeroing neurons hurts whatever is zeroed. So every set stands beside random neurons of the same
layers whose zeroing is rescaled to change the residual stream as much, on the same sentences:
several draws of them, since one may by chance hurt more or less than another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.capture import HookedModel
from neurotrace.capture.tokens import Tokenized
from neurotrace.causal.controls import alike, named
from neurotrace.causal.losses import Draws, Floats, Losses, nanmean, over_units
from neurotrace.causal.neurons import Neurons, flat, widths_of

SETS = ("shared", "language")
ARMS = (*SETS, *(f"random_{name}" for name in SETS))
RANDOM, DRAWN, CHOICE = 23, 24, 26  # streams of random numbers


def sample(
    frame: pd.DataFrame, *, in_b: NDArray[np.bool_], per_cell: int = 2, seed: int = 0
) -> NDArray[np.intp]:
    """Sentences on which losses are compared: the same for every checkpoint and arm.

    Groups are drawn for each concept, and stand in every language that has them.

    Parameters
    ----------
    frame
        A concept set's, with ``group lang concepts``.
    in_b
        ``(example,)``: the half that chose no neurons.
    per_cell
        Groups of each concept, as many as there are at most.

    Returns
    -------
    Row numbers, ascending.

    Raises
    ------
    ValueError
        When the half holds no sentence with a concept.
    """
    own = frame[np.asarray(in_b, dtype=bool)]
    cells = own[["group", "concepts"]].explode("concepts").dropna().drop_duplicates()
    if cells.empty:
        raise ValueError("got no sentence with a concept in that half; expected some")
    drawn: set[str] = set()
    for concept, groups in cells.groupby("concepts")["group"]:
        rng = np.random.default_rng(named(seed, DRAWN, str(concept)))
        drawn.update(rng.permutation(np.sort(groups.to_numpy()))[:per_cell].tolist())
    return np.flatnonzero(np.asarray(in_b, dtype=bool) & frame["group"].isin(drawn).to_numpy())


def ablate(
    model: HookedModel,
    sets: Mapping[str, Neurons | Mapping[str, Neurons]],
    sentences: Tokenized,
    *,
    frame: pd.DataFrame,
    languages: Sequence[str],
    concepts: Sequence[str],
    random_sets: int = 5,
    replicates: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
) -> xr.Dataset:
    """Change in next-token loss when some neurons are zeroed, by language and by concept.

    −log p of every content token given those before it, with the neurons at zero at every
    position, less the same with the model left alone. Means are over tokens within a language (or
    concept and language), then over languages. *Leaves* arm (lang, concept).

    Parameters
    ----------
    sets
        ``shared``: neurons; ``language``: ``{lang: neurons}``, whose union is the arm.
    sentences
        As :func:`neurotrace.capture.tokens.tokenize` makes them from ``frame``, such as the rows
        that :func:`sample` draws.
    frame
        ``group lang concepts`` of each sentence.
    languages, concepts
        The axes.
    random_sets
        Draws of random neurons for each set, of which a random arm is the mean; two or more.
    replicates, alpha
        Of the bootstrap over groups, which counts a sentence's translations together and is the
        same in every arm.

    Returns
    -------
    ``value`` (arm), nats a token, positive where the model gets worse, ``by_language`` (arm, lang)
    and ``by_concept`` (arm, concept), each with ``_low`` and ``_high``; ``over_random`` (arm), the
    set less the mean of its random ones; ``neurons`` (arm), how many were zeroed at once; ``own``
    and ``other``: the change in a language and in the others when that language's own neurons are
    zeroed, means over the languages that have any (``own_neurons``), with ``own_chance`` from as
    many draws of their random neurons, and ``of_language`` (lang_a, lang_b), neurons of the first
    on text of the second; ``chance``: ``value`` of ``random_shared``. An empty set gives NaN.

    Raises
    ------
    ValueError
        For other sets than these two, a language without sentences, a table that does not fit, or
        fewer than two draws of random neurons.

    Notes
    -----
    Random neurons are drawn among those outside the set; where a set takes most of a layer there
    are fewer of them (``neurons`` tells), still rescaled to ‖W_out·Δ‖ of the set per token and
    layer. Intervals cover the choice of sentences and, by Student's t over the draws, that of
    random neurons, see :func:`neurotrace.causal.losses.over_units`; not that of training runs.
    """
    shared, own = _checked(sets, languages)
    if random_sets < 2:
        raise ValueError(f"got random_sets {random_sets}; expected 2 or more, to tell them apart")
    _refuse_misfit(sentences, frame, languages)
    widths = widths_of(model)
    by_lang = {lang: flat(own.get(lang, []), widths) for lang in languages}
    union = np.unique(np.concatenate([*by_lang.values()]))
    losses = Losses.of(model, sentences)
    draws = Draws.of(frame, languages, concepts, losses.n, replicates=replicates, seed=seed)
    controls = _Controls(widths, random_sets, seed)
    zeroed = [flat(shared, widths), union]
    random = [controls.of(neurons, name) for neurons, name in zip(zeroed, SETS, strict=True)]
    deltas = [losses.without(neurons, like=neurons) for neurons in zeroed]
    for neurons, several in zip(zeroed, random, strict=True):
        deltas += [losses.without(drawn, like=neurons) for drawn in several]
    result = xr.Dataset(coords={"arm": list(ARMS)})
    result["neurons"] = ("arm", [len(neurons) for neurons in (*zeroed, *(r[0] for r in random))])
    _describe(result, draws, np.stack(deltas), controls=controls, alpha=alpha)
    _describe_own(result, losses, draws, by_lang, controls=controls, alpha=alpha)
    result["chance"] = result["value"].sel(arm="random_shared", drop=True)
    result = result.assign_coords(
        lang=list(languages), concept=list(concepts), lang_a=list(languages),
        lang_b=list(languages),
    )  # fmt: skip
    result.attrs |= {"sentences": len(frame), "groups": int(frame["group"].nunique()),
                     "random_sets": random_sets, "replicates": replicates, "alpha": alpha,
                     "seed": seed}  # fmt: skip
    return result


def summarize_ablation(per_step: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Ablation at several checkpoints as one result over ``step``.

    Raises
    ------
    ValueError
        For no checkpoint.
    """
    if not per_step:
        raise ValueError("got no checkpoint; expected at least one")
    steps = sorted(per_step)
    index = pd.Index(steps, name="step")
    return xr.concat([per_step[step] for step in steps], dim=index, combine_attrs="drop_conflicts")


@dataclass(frozen=True)
class _Controls:
    """Random neurons for sets, several times, by the name of the set."""

    widths: Sequence[int]
    n: int
    seed: int

    def of(self, neurons: NDArray[np.intp], name: str) -> list[NDArray[np.intp]]:
        keys = [named(self.seed, RANDOM, name, str(number)) for number in range(self.n)]
        return [alike(neurons, self.widths, key=key) for key in keys]

    def mean(self, found: Floats, name: str) -> Floats:
        """``(replicate, draw, …)`` → ``(replicate, …)``, its spread that of draws as well."""
        return over_units(found, key=named(self.seed, CHOICE, name))

    def by_arm(self, found: Floats) -> Floats:
        """``(replicate, run, …)``, sets and then the draws for each, → ``(replicate, arm, …)``."""
        sets, *random = np.split(found, [len(SETS), len(SETS) + self.n], axis=1)
        means = [self.mean(drawn, name) for drawn, name in zip(random, SETS, strict=True)]
        return np.concatenate([sets, np.stack(means, axis=1)], axis=1)


def _describe(
    result: xr.Dataset, draws: Draws, deltas: Floats, *, controls: _Controls, alpha: float
) -> None:
    """Means of ``(run, example)`` by language, by concept and over all."""
    by_language = controls.by_arm(draws.by_language(deltas))
    by_concept = controls.by_arm(draws.by_concept(deltas))
    value = nanmean(by_language, axis=-1)
    # The arms stand in the order of the sets, then of their random neurons.
    random = np.tile(value[:, len(SETS) :], 2)
    _keep(result, "value", ("arm",), value, alpha)
    _keep(result, "over_random", ("arm",), value - random, alpha)
    _keep(result, "by_language", ("arm", "lang"), by_language, alpha)
    _keep(result, "by_concept", ("arm", "concept"), by_concept, alpha)


def _describe_own(
    result: xr.Dataset,
    losses: Losses,
    draws: Draws,
    own: Mapping[str, NDArray[np.intp]],
    *,
    controls: _Controls,
    alpha: float,
) -> None:
    """Each language's own neurons on its text and on that of the others."""
    deltas = [losses.without(neurons, like=neurons) for neurons in own.values()]
    random = [
        losses.without(drawn, like=neurons, rows=np.flatnonzero(text))
        for (lang, neurons), text in zip(own.items(), draws.spoken, strict=True)
        for drawn in controls.of(neurons, f"language {lang}")
    ]
    matrix = draws.by_language(np.stack(deltas))
    same = np.eye(len(own), dtype=bool)
    beside = draws.by_language(np.stack(random)).reshape(-1, len(own), controls.n, len(own))
    chance = nanmean(np.diagonal(beside, axis1=1, axis2=3), axis=-1)
    for name, found in (
        ("own", nanmean(np.where(same, matrix, np.nan), axis=(-2, -1))),
        ("other", nanmean(np.where(same, np.nan, matrix), axis=(-2, -1))),
        ("own_chance", controls.mean(chance, "own")),
    ):
        _keep(result, name, (), found, alpha)
    result["of_language"] = (("lang_a", "lang_b"), matrix[0])
    result["own_neurons"] = ("lang_a", [len(own[lang]) for lang in own])


def _keep(
    result: xr.Dataset, name: str, dims: tuple[str, ...], draws: Floats, alpha: float
) -> None:
    """An outcome with the percentiles of its replicates; of both NaN where the estimate is."""
    result[name] = (dims, draws[0])
    # A replicate without a sentence of some concept says nothing of it.
    filled = np.where(np.isfinite(draws), draws, np.nan_to_num(draws[0]))[1:]
    for bound, share in (("low", alpha / 2), ("high", 1 - alpha / 2)):
        edge = np.quantile(filled, share, axis=0) if len(filled) else np.full_like(draws[0], np.nan)
        result[f"{name}_{bound}"] = (dims, np.where(np.isfinite(draws[0]), edge, np.nan))


def _checked(
    sets: Mapping[str, Neurons | Mapping[str, Neurons]], languages: Sequence[str]
) -> tuple[Neurons, Mapping[str, Neurons]]:
    if set(sets) != {"shared", "language"} or not isinstance(sets["language"], Mapping):
        raise ValueError(
            f"got sets {', '.join(sets) or 'none'}; expected shared: neurons and "
            "language: {lang: neurons}"
        )
    unknown = [lang for lang in sets["language"] if lang not in languages]
    if unknown:
        raise ValueError(f"got neurons of {unknown[0]}; valid are {', '.join(languages)}")
    return sets["shared"], sets["language"]  # type: ignore[return-value]


def _refuse_misfit(sentences: Tokenized, frame: pd.DataFrame, languages: Sequence[str]) -> None:
    if len(frame) != len(sentences.lengths) or not len(frame):
        raise ValueError(
            f"got {len(frame)} rows for {len(sentences.lengths)} sentences; expected as many, some"
        )
    silent = [lang for lang in languages if lang not in set(frame["lang"])]
    if silent:
        raise ValueError(f"got no sentence in {', '.join(silent)}; expected some in every language")
