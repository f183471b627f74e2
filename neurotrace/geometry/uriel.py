"""Typological distances of URIEL+, an optional package that brings its own data."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.geometry.distances import complete
from neurotrace.geometry.language_table import distinct

KINDS = ("syntactic", "geographic", "inventory", "genetic", "phonological")
FEATURES_UNDER = {"zho": "cmn"}  # features of Mandarin stand under its own code


class Base(Protocol):
    """What is used of URIEL+."""

    def new_distance(self, distance: str, *args: Any) -> Any: ...


def uriel(languages: Iterable[str], *, kinds: Sequence[str] = KINDS) -> dict[str, pd.DataFrame]:
    """How far apart are languages by their features in URIEL+?

    Angular distance, 2 θ / π, of two languages' feature vectors over the features known of both.
    Nothing is imputed and nothing is downloaded: the package brings its data, licensed
    CC BY-SA 4.0. Genetic distance takes a second or two a language. Installed by
    ``pip install 'neurotrace[typology]'``.

    Parameters
    ----------
    languages
        FLORES codes, whose ISO 639-3 part is looked up.
    kinds
        Of syntactic, geographic, inventory, genetic, phonological, featural, morphological and
        script; without it, the first five, which are those of Philippy et al. 2023.

    Returns
    -------
    kind → ``(lang_a, lang_b)``.

    Raises
    ------
    ModuleNotFoundError
        Without the package.
    ValueError
        For a kind or a language that URIEL+ does not know, and for a pair of languages without a
        feature known of both, naming them.

    Notes
    -----
    These are not the values that the paper took from lang2vec (syntactic English–French .4569
    there, .4204 in URIEL+ 1.3.2); nobody has derived its tables from its feature vectors. With
    those tables at hand, use :func:`neurotrace.geometry.distances.read_distances`.

    References
    ----------
    Khan et al. 2025, "URIEL+", COLING; Littell et al. 2017, "URIEL and lang2vec", EACL.
    """
    asked = distinct(languages)
    base = _base()
    isos = [FEATURES_UNDER.get(iso, iso) for iso in (lang.partition("_")[0] for lang in asked)]
    tables = {}
    for kind in kinds:
        frame = pd.DataFrame(_distances(base, kind, isos), index=asked, columns=asked)
        try:
            tables[kind] = complete(frame, asked)
        except ValueError as problem:
            raise ValueError(f"URIEL+, {kind}: {problem}") from None
    return tables


def _distances(base: Base, kind: str, isos: list[str]) -> NDArray[np.float64]:
    """``(lang, lang)``, NaN without common features; one language may stand in two scripts."""
    once = sorted(set(isos))
    if len(once) == 1:
        return np.zeros((len(isos), len(isos)))
    try:
        with _quiet():
            found = base.new_distance(kind, once)
    except ValueError as problem:
        raise ValueError(f"URIEL+, {kind}: {' '.join(str(problem).split())}") from None
    # Of two languages it is one number; of more, a table with -1 where no feature is common.
    table = np.array(found, dtype=float)
    if table.ndim == 0:
        table = np.full((2, 2), table)
    np.fill_diagonal(table, 0)
    at = [once.index(iso) for iso in isos]
    return np.where(table < 0, np.nan, table)[np.ix_(at, at)]


@contextmanager
def _quiet() -> Iterator[None]:
    """URIEL+ tells the root logger of every distance."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.INFO))
    try:
        yield
    finally:
        logging.disable(before)


def _base() -> Base:
    try:
        module = import_module("urielplus.urielplus")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "got no package urielplus; expected it, from pip install 'neurotrace[typology]'"
        ) from None
    with _quiet():
        base: Base = module.URIELPlus()
    return base
