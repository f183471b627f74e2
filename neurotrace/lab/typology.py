"""How far apart the lab's languages are: known, since their grammars are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from neurotrace.lab.language import LANGUAGES

CHOICES = ("order", "adjective_first", "articles", "cases", "postposition")


def syntactic_distances(languages: Sequence[str]) -> pd.DataFrame:
    """Share of the five grammatical choices in which two languages of the lab differ.

    The choices are the order of subject, verb and object, the adjective's place, articles, cases
    and the adposition's place.

    Parameters
    ----------
    languages
        Codes of the lab's languages.

    Returns
    -------
    ``(lang, lang)``, symmetric, 0 to 1.

    Raises
    ------
    ValueError
        For a language that the lab does not have.

    Examples
    --------
    >>> float(syntactic_distances(["qab_Cyrl", "qad_Hebr"]).iloc[0, 1])
    0.4
    """
    known = {language.code: language for language in LANGUAGES}
    unknown = [code for code in languages if code not in known]
    if unknown:
        raise ValueError(f"got languages {', '.join(unknown)}; valid are {', '.join(known)}")
    said = [[getattr(known[code], choice) for choice in CHOICES] for code in languages]
    apart = [[np.mean([a != b for a, b in zip(x, y, strict=True)]) for y in said] for x in said]
    return pd.DataFrame(apart, index=list(languages), columns=list(languages))
