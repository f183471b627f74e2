"""Which lives are no more than coincidence: the number, its mark, and what may be said of them.

Languages that choose their neurons independently meet in some by chance. A life is told apart
from those by its ``coincidence``: of the pairs called in as many languages, the share that
independent languages would have in common.
"""

from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report.claim import single_units
from neurotrace.report.reading import Results, count, number

MOSTLY = 0.5  # above it, most such pairs are what independent languages would have in common
MARK = "mostly coincidence"


def coincidences(found: xr.Dataset) -> np.ndarray:
    """``(neuron,)`` the share of each life; NaN throughout where it was not computed."""
    if "coincidence" not in found:
        return np.full(found.sizes.get("neuron", 0), np.nan)
    return found["coincidence"].values.astype(float)


def is_mostly(value: float) -> bool:
    """Must a life be marked? One whose share is unknown is neither marked nor called beyond it."""
    return isfinite(value) and value > MOSTLY


def beside(value: float) -> str:
    """One life's share as a card says it.

    >>> beside(0.98), beside(0.004), beside(float("nan"))
    ('coincidence 0.98', 'coincidence 0.004', 'coincidence unknown')
    """
    return f"coincidence {share(value)}" if isfinite(value) else "coincidence unknown"


def share(value: float) -> str:
    """A share in print: two digits, three where two would say nothing."""
    return number(value, 3 if value < 0.01 else 2)


def lives_said(results: Results) -> str:
    """How many of the lives traced are beyond coincidence; empty where there is none to speak of.

    Counts those whose ``coincidence`` is known and at most ``MOSTLY``.
    """
    found = results.get("lives")
    if found is None or not found.sizes.get("neuron", 0):
        return ""
    values, units = coincidences(found), single_units(results)
    known = values[np.isfinite(values)]
    if not known.size:
        return (
            f"Whether the lives of {count(values.size)} {units} that this page shows are "
            "coincidence was not examined."
        )
    beyond = int((known <= MOSTLY).sum())
    least, most = share(float(known.min())), share(float(known.max()))
    spread = least if least == most else f"{least} to {most}"
    text = (
        f"Of the {count(values.size)} {units} whose lives this page follows, "
        f"{count(beyond) if beyond else 'none'} {'are' if beyond != 1 else 'is'} beyond "
        f"coincidence: languages that choose independently would have in common {spread} of the "
        "pairs called in as many languages"
    )
    return f"{text}{', so nothing here speaks for sharing' if not beyond else ''}."
