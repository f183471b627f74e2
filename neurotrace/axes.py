"""The few axis names that every result uses, what each means, and its unit.

An analysis *eats* some axes and *leaves* the rest. Names are checked, so that a figure or a join
never guesses what a dimension is.
"""

from collections.abc import Hashable, Iterable
from typing import Protocol

AXES: dict[str, str] = {
    "run": "one training run or lab seed",
    "step": "optimiser updates; coordinates stage and tokens may stand beside it",
    "layer": "transformer block, counted from 0; the embedding output is no layer",
    "neuron": "index of a unit within its layer",
    "feature": "coordinate of a state vector (residual stream, embedding)",
    "example": "one sentence, in concept-set order",
    "pair": "one pair of corresponding rows, such as a sentence and its translation",
    "token": "one token drawn from the sentences",
    "split": "one seeded division of the groups into two halves",
    "replicate": "one draw of a null or a bootstrap; 0 may be the estimate",
    "lang": "language, FLORES style: eng_Latn",
    "lang_a": "first language of a pair",
    "lang_b": "second language of a pair",
    "concept": "meaning that sentences of several languages share",
    "k": "size of an expert set, in neurons",
    "script": "writing system",
    "stratum": "class of languages: family, region, resource level, script",
    "distance": "one measure of how far apart two languages are",
    "arm": "one condition of an experiment: unforced, experts, a control",
    "dose": "strength of an intervention, as a share of the residual stream's norm",
}


class HasDims(Protocol):
    """Whatever names its dimensions as xarray does."""

    @property
    def dims(self) -> Iterable[Hashable]: ...


def check(array: HasDims, *needed: str) -> None:
    """Refuse an array whose axes are not the house's, or that lacks a needed one.

    Parameters
    ----------
    array
        A DataArray or Dataset.
    needed
        Axis names that must be there.

    Raises
    ------
    ValueError
        Naming the unknown or missing axes.

    >>> import xarray as xr
    >>> check(xr.DataArray([1.0], dims="step"), "step")
    >>> check(xr.DataArray([1.0], dims="time"))
    Traceback (most recent call last):
        ...
    ValueError: got unknown axes time; valid are run, step, layer, neuron, feature, example, \
pair, token, split, replicate, lang, lang_a, lang_b, concept, k, script, stratum, distance, arm, \
dose
    """
    dims = [str(dim) for dim in array.dims]
    unknown = [dim for dim in dims if dim not in AXES]
    if unknown:
        raise ValueError(f"got unknown axes {', '.join(unknown)}; valid are {', '.join(AXES)}")
    missing = [name for name in needed if name not in dims]
    if missing:
        raise ValueError(
            f"got axes {', '.join(dims) or 'none'}; expected {', '.join(missing)} among them"
        )
