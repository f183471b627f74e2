"""LAPE: neurons that fire in few languages, by the entropy of their rates over languages.

A rate is the share of a language's tokens at which the neuron is above zero. It is read at the
pre-activation, `mlp.hook_pre` (the gate in gated models), where SiLU, GELU and ReLU agree about
the sign. Rates are summed over tokens, not averaged over sentences: a language's rate is the share
of all its tokens, so that a sentence of two words does not weigh as much as one of forty. From
stored sentences, whose path is `mlp.hook_pre/rate`:

>>> rate = np.array([[0.5], [0.1], [0.0], [0.2]])  # (example, neuron), of each sentence's tokens
>>> n_tokens = np.array([2, 40, 10, 10])  # without special tokens
>>> lang = np.array(["de", "de", "fr", "fr"])
>>> active = np.round(rate * n_tokens[:, None])  # whole tokens again
>>> rates = [active[lang == l].sum(0) / n_tokens[lang == l].sum() for l in ("de", "fr")]
>>> np.round(rates, 3).tolist()
[[0.119], [0.1]]
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.inputs import plain_array


def lape(rate: ArrayLike) -> NDArray[np.float64]:
    """Over how many languages is each neuron's firing spread?

    entropy = -Σ_lang q log q, with q = rate / Σ_lang rate and 0 log 0 = 0

    0 where a neuron fires in one language only, log(languages) where it fires alike in all. Only
    the proportions count: a neuron that hardly ever fires may score 0, which is why
    `lape_neurons` looks at the rates besides. No null stands behind it, and rates of few tokens
    give low entropies by themselves.

    Eats `lang`, leaves `neuron`.

    Parameters
    ----------
    rate : (lang, neuron)
        Share of a language's tokens at which the neuron is above zero at `mlp.hook_pre`, the gate
        in gated models; summed over tokens, not averaged over sentences: the module shows how.

    Returns
    -------
    (neuron,) nats; NaN for a neuron that never fires, which has no distribution

    Raises
    ------
    ValueError
        Another shape, fewer than two languages, or rates that are no fractions.

    References
    ----------
    Tang et al. 2024, "Language-specific neurons", arXiv:2402.16438, who give neurons that never
    fire the entropy 0, as if they were most specific.

    Examples
    --------
    >>> lape([[0.9, 0.3, 0.0], [0.05, 0.3, 0.0], [0.05, 0.3, 0.0]]).round(5)
    array([0.3944 , 1.09861,     nan])
    """
    rates = _check_rates(rate)
    total = rates.sum(0)
    share = rates / np.where(total > 0, total, 1)
    nats = -(share * np.log(np.where(share > 0, share, 1))).sum(0)
    return np.where(total > 0, np.abs(nats), np.nan)  # no negative zero


def lape_neurons(
    rate: ArrayLike, *, fraction: float = 0.01, activity: float = 0.95
) -> NDArray[np.bool_]:
    """Which neurons are specific to which language?

    The bar is the value at place round(activity × lang × neuron) of all rates, lowest first. A
    neuron whose rate is above the bar in no language is discarded. Of the others, those of lowest
    entropy are taken, round(fraction × neuron) of all neurons, at least 1; each belongs to every
    language in which its rate is above the bar. Where entropies tie, the lower index is taken.

    Layers stand side by side, `np.concatenate(rates, axis=1)`, since bar and fraction are of all
    neurons of the model.

    Eats nothing: `lang` and `neuron` stay.

    Parameters
    ----------
    rate : (lang, neuron)
        As in `lape`.
    fraction
        Of all neurons, discarded ones included; fewer come out where too few pass the bar.
    activity
        Share of all rates that are not above the bar.

    Returns
    -------
    (lang, neuron) bool; row i is language i even where it has no neuron

    Raises
    ------
    ValueError
        As `lape`, or a fraction or activity outside (0, 1].

    References
    ----------
    Tang et al. 2024, arXiv:2402.16438. In the released masks the last languages are missing where
    they have no neuron, so that places in the list are not languages; here every language keeps
    its row.

    Examples
    --------
    >>> lape_neurons([[0.9, 0.3, 0.1], [0.0, 0.3, 0.0]], fraction=0.34, activity=0.5).astype(int)
    array([[1, 0, 0],
           [0, 0, 0]])
    """
    rates = _check_rates(rate)
    for name, share in (("fraction", fraction), ("activity", activity)):
        if not 0 < share <= 1:
            raise ValueError(f"got {name}={share}, expected a share in (0, 1]")
    place = max(1, round(activity * rates.size))
    bar = np.partition(rates, place - 1, axis=None)[place - 1]
    above = rates > bar
    entropy = np.where(above.any(0), lape(rates), np.inf)
    wanted = max(1, round(fraction * rates.shape[1]))
    # A discarded neuron may be reached where few pass, and belongs to no language anyway.
    specific = np.zeros(rates.shape[1], bool)
    specific[np.argsort(entropy, kind="stable")[:wanted]] = True
    return above & specific


def _check_rates(rate: ArrayLike) -> NDArray[np.float64]:
    rates = plain_array(rate)
    if rates.ndim != 2 or 0 in rates.shape or rates.dtype.kind not in "fiub" or len(rates) < 2:
        raise ValueError(
            f"got rates of shape {rates.shape} and dtype {rates.dtype}, "
            "expected numbers (lang, neuron) of at least two languages"
        )
    rates = rates.astype(np.float64)
    fractions = (rates >= 0) & (rates <= 1)  # NaN is neither
    if not fractions.all():
        lang, neuron = np.argwhere(~fractions)[0]
        raise ValueError(
            f"got the rate {rates[lang, neuron]} of neuron {neuron} in language {lang}, "
            "expected a fraction from 0 to 1"
        )
    return rates
