"""One line of a diagnosis: what was checked, what was found, what was expected."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pandas as pd

# From good to bad. A note is worth knowing and no fault of the model.
VERDICTS = ("ok", "note", "not checked", "failed")
ROOMS = ("texts", "sites", "values", "numbers", "here")  # parts of the table, in order


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes
    ----------
    part
        Of the table: ``texts``, ``sites``, ``values``, ``numbers``, ``here``.
    check
        What was looked at.
    found, expected
        In words, with units.
    verdict
        One of ``VERDICTS``.
    figure
        The number that was judged, where there is one.
    detail
        What to do about it.
    """

    part: str
    check: str
    found: str
    expected: str = ""
    verdict: str = "ok"
    figure: float = float("nan")
    detail: str = ""


def table(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings as rows: part, check, found, expected, verdict, figure, detail."""
    return pd.DataFrame([asdict(finding) for finding in findings])


def judged(fine: bool, otherwise: str = "failed") -> str:
    """``ok``, or another verdict."""
    return "ok" if fine else otherwise
