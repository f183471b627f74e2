"""Where languages are spoken and what they descend from: the table beside this file."""

import csv
import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

FILE = "languages.tsv"


class Language(NamedTuple):
    """One written language: a rough centre of where it is spoken, and its place in a tree."""

    code: str
    """FLORES style: ``deu_Latn``"""
    name: str
    latitude: float
    """degrees north of the equator, −90 to 90"""
    longitude: float
    """degrees east of Greenwich, −180 to 180"""
    family: tuple[str, ...]
    """branches from the top; the language itself, below the last of them, is left out"""

    @property
    def path(self) -> tuple[str, ...]:
        """Branches from the top and the language, by its ISO 639-3 code, as the last of them."""
        return (*self.family, self.code.partition("_")[0])


@lru_cache(maxsize=1)
def language_table() -> dict[str, Language]:
    """Every language of the table by its code.

    Centres are rounded to where most of a language's speakers or its historical area lie, for
    English in England, Spanish in Spain; a degree or two either way is no error. Families are
    the undisputed ones: neither Altaic nor Nostratic joins what is apart here.

    >>> language_table()["fin_Latn"].path
    ('Uralic', 'Finnic', 'fin')
    """
    text = resources.files("neurotrace.geometry").joinpath(FILE).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {
        row["code"]: Language(
            row["code"],
            row["name"],
            float(row["latitude"]),
            float(row["longitude"]),
            tuple(row["family"].split("/")),
        )
        for row in rows
    }


def languages_known(languages: Iterable[str]) -> list[Language]:
    """The table's rows of these languages, in their order.

    Raises
    ------
    ValueError
        Naming the languages that the table does not know, and the codes that may be meant; for a
        language that is given twice, and for fewer than two.
    """
    asked = distinct(languages)
    table = language_table()
    unknown = [lang for lang in asked if lang not in table]
    if unknown:
        known = "".join(f"; {hint}" for hint in map(meant, unknown) if hint)
        raise ValueError(
            f"got languages without known place or family: {', '.join(unknown)}; expected FLORES "
            f"codes among the {len(table)} of {FILE}, or a table of your own distances{known}"
        )
    return [table[lang] for lang in asked]


def meant(given: str) -> str:
    """Which codes of the table may be meant by an ISO code or an English name; empty for none.

    >>> meant("deu"), meant("es"), meant("qaa")
    ('deu: valid is deu_Latn (German)', 'es: valid is spa_Latn (Spanish)', '')
    """
    iso = re.split("[-_]", given.strip().lower())[0]
    rows = language_table().values()
    near = [row for row in rows if row.path[-1] == iso]
    near = near or [row for row in rows if _macrolanguage(row.path[-1]) == _macrolanguage(iso)]
    near = near or [row for row in rows if row.name.lower() == given.strip().lower()]
    if not near:
        return ""
    return f"{given.strip()}: valid is " + " or ".join(f"{row.code} ({row.name})" for row in near)


@lru_cache(maxsize=1024)
def _macrolanguage(iso: str) -> str:
    """The shortest code of a language, or of the larger one it is part of: ``arb`` → ``ar``."""
    import langcodes

    try:
        return langcodes.standardize_tag(iso, macro=True)
    except ValueError:
        return iso


def distinct(languages: Iterable[str]) -> list[str]:
    """The languages as a list of text; refused if one stands twice, or if there are not two."""
    asked = [languages] if isinstance(languages, str) else [str(lang) for lang in languages]
    if len(asked) < 2:
        raise ValueError(f"got languages {asked}; expected two or more")
    twice = sorted({lang for lang in asked if asked.count(lang) > 1})
    if twice:
        raise ValueError(f"got languages twice: {', '.join(twice)}; expected each once")
    return asked
