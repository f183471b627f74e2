"""Romanised twins of sentences: the same language in Latin letters.

A neuron that falls silent on the twin answered to the script, one that stays to the language.
"""

from collections.abc import Sequence

import pandas as pd
import regex

from neurotrace.concepts import languages

LATIN = "Latn"
HAN = regex.compile(r"\p{Han}")


def twin_of(lang: str) -> str:
    """The code of a language's romanised twin: ``rus_Cyrl`` becomes ``rus_Latn``.

    Raises
    ------
    ValueError
        When the language is in Latin letters already.
    """
    if languages.script(lang) == LATIN:
        raise ValueError(f"got {lang} to romanise; expected a language in another script")
    return f"{lang.partition('_')[0]}_{LATIN}"


def twins(frame: pd.DataFrame, langs: Sequence[str]) -> pd.DataFrame:
    """The rows of some languages again, in Latin letters, under their twins' codes.

    Uses uroman (Hermjakob, May & Knight 2018), which knows scripts, not readings: Chinese
    characters come out as Mandarin syllables in Japanese sentences, too, some numerals as digits,
    and unwritten vowels stay unwritten. Every Chinese character becomes a syllable of its own,
    since no space tells where a word ends: what a neuron does on such a twin may come from the
    other segmentation as well as from the script.

    Raises
    ------
    ImportError
        When the extra ``language`` is not installed.
    ValueError
        When a language is in Latin letters already.
    """
    codes = {lang: twin_of(lang) for lang in langs}
    try:
        from uroman import Uroman
    except ImportError:
        raise ImportError(
            "got no uroman; expected it for romanised twins: pip install 'neurotrace[language]'"
        ) from None
    romaniser = Uroman()
    rows = frame[frame["lang"].isin(list(langs))]
    texts = [
        " ".join(
            romaniser.romanize_string(
                HAN.sub(r" \g<0> ", text), lcode=lang.partition("_")[0]
            ).split()
        )
        for text, lang in zip(rows["text"], rows["lang"], strict=True)
    ]
    return rows.assign(text=texts, lang=rows["lang"].map(codes))
