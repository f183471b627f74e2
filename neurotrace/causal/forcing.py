"""Forced generation: what does a model say when a concept's experts are switched on?

Suau et al. 2020 (https://arxiv.org/abs/2005.07647) and Kojima et al. 2024
(https://arxiv.org/abs/2404.02431) hold experts at their median over positive sentences and read
what the model writes from nothing. Riemenschneider and Frank 2025 read its language at several
checkpoints. Where we differ: every number stands beside the same model left alone, beside random
neurons whose change is as large in the residual stream, and beside the concept's own direction.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from neurotrace.capture import HookedModel
from neurotrace.causal.controls import named
from neurotrace.causal.judges import Identifier, TopicJudge, degenerate
from neurotrace.causal.neurons import Neurons, widths_of
from neurotrace.causal.outcomes import Outcomes, Tally, weights
from neurotrace.causal.speech import Plan, Spoken, speak

ARMS = ("unforced", "experts", "random_matched", "random", "direction")
DEFAULT_ARMS = ("unforced", "experts", "random_matched", "direction")
SAMPLED = 28  # stream of random numbers
SHOWN = 2  # texts of each arm and concept that are kept for the reader
_TABLE = ("arm", "concept", "text", "lang")


def force(
    model: HookedModel,
    experts: Mapping[str, Neurons],
    values: Mapping[str, ArrayLike],
    *,
    language: str,
    topics: TopicJudge,
    identify: Identifier,
    concepts: Sequence[str] | None = None,
    directions: Mapping[str, ArrayLike] | None = None,
    arms: Sequence[str] = DEFAULT_ARMS,
    seeds: int = 50,
    max_new_tokens: int = 31,
    temperature: float = 1.0,
    rows_at_once: int = 256,
    replicates: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
) -> xr.Dataset:
    """Does switching on a language's experts bring the concept, and in which language?

    For every concept the model writes from its start of text, with the concept's experts held at
    their values at every position, the start included. All arms of a concept run in one batch and
    from the same seeds. *Leaves* arm (lang).

    Parameters
    ----------
    experts
        ``{concept: neurons}``, chosen in ``language`` alone.
    values
        ``{concept: (neuron,)}`` over all neurons of all layers: the median of the max-pooled
        activation in positive sentences of ``language``, those that chose the experts. The random
        neurons need theirs, too.
    language
        Source language, one of the judge's.
    topics, identify
        Judges of the texts, see :mod:`neurotrace.causal.judges`. They must not be what chose the
        neurons.
    concepts
        Which to force, all with experts unless given.
    directions
        ``{concept: (neuron,)}``: mean of positive less mean of negative sentences. For the arm
        ``direction``.
    arms
        ``unforced``; ``experts``; ``random_matched``: as many random neurons in each layer, held
        at their own values, the change rescaled token by token and layer by layer to ‖W_out·Δ‖ of
        the experts' in the same run; ``random``: the same without rescaling; ``direction``: the
        difference of means instead, rescaled likewise: the ceiling.
    seeds
        Texts of each arm and concept.
    max_new_tokens, temperature
        Of the sampling.
    rows_at_once
        Most rows of a batch; results do not depend on it.
    replicates, alpha
        Of the bootstrap over seeds and, where there are three or more, the draws over concepts.
    seed
        Of the texts (see :func:`sampling_seeds`), the random neurons and the draws.

    Returns
    -------
    Over ``arm``, means of the concepts, each with ``_low`` and ``_high``: ``topic``, the share of
    content words that are the forced concept's, ``topic_own`` and ``topic_other``, the same among
    words of the source language and of the others; ``…_log_odds`` against ``unforced``,
    ``…_over_random`` log-odds against ``random_matched``; ``language`` (arm, lang), shares of the
    texts that are not degenerate, ``language_change`` against unforced and ``source_log_odds``,
    all NaN where more than a fifth are degenerate. Without intervals ``topic_wrong`` (words of
    each other forced concept), ``perplexity`` under the model left alone, ``distinct``
    (distinct-2) and ``degenerate``; ``chance``: ``topic`` of unforced; ``ceiling``: of direction.
    Over ``example`` a few texts (``text_…``).

    Raises
    ------
    ValueError
        For unknown arms, concepts or languages, empty sets, values that do not fit the model.

    Notes
    -----
    Intervals cover the sampling of texts and the choice of concepts, by Student's t; neither the
    choice of random neurons beyond that, nor of source language, nor differences between training
    runs. Log-odds are NaN where no word of a concept came out in either arm, and a mean of several
    concepts of which a single one counts has no interval.
    """
    chosen = list(experts) if concepts is None else list(concepts)
    _refuse_arms(arms, chosen, directions)
    _refuse_unknown(chosen, experts, values, language, topics)
    width = widths_of(model)
    plans = {
        concept: Plan.of(concept, width, experts, values, directions, seed=seed)
        for concept in chosen
    }
    spoken = [
        speak(model, plans[concept], arms, sampling_seeds(concept, n=seeds, seed=seed),
              max_new_tokens=max_new_tokens, temperature=temperature, rows_at_once=rows_at_once)
        for concept in chosen
    ]  # fmt: skip
    tally, table = _judge(Spoken.joined(spoken, axis=-2), chosen, arms, topics, identify)
    drawn = weights(len(chosen), seeds, replicates, seed=seed)
    result = Outcomes(tally, arms, topics.languages, language, drawn, alpha, seed).dataset()
    for column in _TABLE:
        result[f"text_{column}"] = ("example", table[column].to_numpy(dtype=object))
    result.attrs |= {
        "language": language, "concepts": ", ".join(chosen), "seeds": seeds,
        "max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed,
        "replicates": replicates, "alpha": alpha,
    }  # fmt: skip
    return result


def sampling_seeds(concept: str, *, n: int, seed: int = 0) -> tuple[int, ...]:
    """Seeds from which a concept's texts are written, the same in every arm.

    Parameters
    ----------
    concept
        Its name alone decides, not what else is forced.
    n
        Texts. Fewer begin like more.
    seed
        The experiment's.

    Returns
    -------
    ``n`` numbers below 2³¹, as :func:`neurotrace.causal.generate` takes them.
    """
    drawn = np.random.SeedSequence(named(seed, SAMPLED, concept)).generate_state(n)
    return tuple((drawn >> 1).tolist())


def summarize_forcing(
    per_step: Mapping[int, xr.Dataset | Sequence[xr.Dataset]],
) -> tuple[xr.Dataset, xr.Dataset]:
    """Forcing at several checkpoints as one result, and the texts as a table.

    Parameters
    ----------
    per_step
        ``{step: what force returned}``, or a list of them, one for each source language.

    Returns
    -------
    Outcomes over ``step`` and ``arm``, with several source languages also over ``lang_a``; and a
    table over ``example``: ``step source arm concept text lang``.

    Raises
    ------
    ValueError
        For no checkpoint.
    """
    if not per_step:
        raise ValueError("got no checkpoint; expected at least one")
    outcomes, tables = [], []
    for step in sorted(per_step):
        found = per_step[step]
        several = [found] if isinstance(found, xr.Dataset) else list(found)
        tables += [_table_of(step, one) for one in several]
        kept = [one.drop_dims("example") for one in several]
        if not isinstance(found, xr.Dataset):
            langs = pd.Index([str(one.attrs["language"]) for one in several], name="lang_a")
            kept = [xr.concat(kept, dim=langs, combine_attrs="drop_conflicts")]
        outcomes.append(kept[0])
    steps = pd.Index(sorted(per_step), name="step")
    result = xr.concat(outcomes, dim=steps, combine_attrs="drop_conflicts")
    return result, xr.Dataset.from_dataframe(
        pd.concat(tables, ignore_index=True).rename_axis("example")
    ).drop_vars("example")


def _judge(
    spoken: Spoken,
    concepts: Sequence[str],
    arms: Sequence[str],
    topics: TopicJudge,
    identify: Identifier,
) -> tuple[Tally, pd.DataFrame]:
    """Judges see all texts in one list, without what they were written under."""
    texts, shape = [str(text) for text in spoken.texts.ravel()], spoken.texts.shape
    langs = list(identify(texts))
    found, content = topics.counts(texts, langs)
    grid = found.reshape(*shape, *found.shape[1:]).astype(float)
    columns = [list(topics.concepts).index(concept) for concept in concepts]
    words = np.stack([grid[:, at, :, column] for at, column in enumerate(columns)], axis=1)
    # A concept that stands alone has no other; 0 of 0 words is then no number.
    wrong = grid[:, :, :, columns].sum(axis=(-2, -1)) - words.sum(-1)
    with np.errstate(invalid="ignore"):
        wrong = wrong / np.float64(len(concepts) - 1)
    tally = Tally(
        words=words,
        content=content.reshape(*shape, -1).astype(float),
        wrong=wrong,
        language=(np.array(langs)[:, None] == np.array(topics.languages)).reshape(*shape, -1),
        degenerate=degenerate(spoken.distinct.ravel(), langs).reshape(shape),
        distinct=spoken.distinct,
        nats=spoken.nats,
        tokens=spoken.tokens,
    )
    at = [(a, c) for a in arms for c in concepts for _ in range(shape[-1])]
    shown_as = map(_printable, texts)
    rows = [(*names, text, lang) for names, text, lang in zip(at, shown_as, langs, strict=True)]
    shown = np.arange(len(texts)) % shape[-1] < SHOWN
    return tally, pd.DataFrame(rows, columns=list(_TABLE))[shown].reset_index(drop=True)


def _printable(text: str) -> str:
    # A model may write control characters, which neither a file of results nor a page can hold.
    return "".join(character if character.isprintable() else " " for character in text)


def _table_of(step: int, one: xr.Dataset) -> pd.DataFrame:
    columns = {column: one[f"text_{column}"].to_numpy() for column in _TABLE}
    return pd.DataFrame({"step": step, "source": str(one.attrs["language"]), **columns})


def _refuse_arms(
    arms: Sequence[str], concepts: Sequence[str], directions: Mapping[str, ArrayLike] | None
) -> None:
    if not arms or not set(arms) <= set(ARMS) or len(set(arms)) < len(arms):
        got = ", ".join(arms) or "none"
        raise ValueError(f"got arms {got}; valid are {', '.join(ARMS)}, each once")
    if "direction" in arms and not set(concepts) <= set(directions or {}):
        raise ValueError("got the arm 'direction'; it needs directions of every concept")


def _refuse_unknown(
    concepts: Sequence[str],
    experts: Mapping[str, Neurons],
    values: Mapping[str, ArrayLike],
    language: str,
    topics: TopicJudge,
) -> None:
    known = [c for c in experts if c in values and c in topics.concepts]
    missing = [concept for concept in concepts if concept not in known]
    if missing or not concepts or len(set(concepts)) < len(concepts):
        got = ", ".join(missing or concepts) or "none"
        raise ValueError(
            f"got concepts {got}; valid are {', '.join(known)}, with experts, values and words"
        )
    if language not in topics.languages:
        raise ValueError(f"got language {language!r}; valid are {', '.join(topics.languages)}")
