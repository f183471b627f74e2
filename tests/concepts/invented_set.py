"""A small parallel set of invented words that passes every check, to plant faults in."""

import numpy as np
import pandas as pd

from neurotrace.concepts import ConceptSet
from neurotrace.concepts.lexicon import Lexicon

# Two languages of one script with no letter in common, and two scripts of their own.
ALPHABETS = {
    "qaa_Latn": "abcdefghijklm",
    "qab_Latn": "nopqrstuvwxyz",
    "qac_Cyrl": "абвгдежзиклмнопрстуфхцчшщ",
    "qad_Hans": "".join(chr(0x4E00 + i) for i in range(0, 6000, 7)),
}
LANGS = list(ALPHABETS)
CONCEPTS = ("bread", "rain", "river")
HEADER = {"name": "invented", "version": "1", "licence": "CC0-1.0", "about": "random words"}
N_GROUPS = 18  # of a concept; every third lacks the concept's word


def word(lang: str, rng: np.random.Generator) -> str:
    return "".join(rng.choice(list(ALPHABETS[lang]), 2 if lang == "qad_Hans" else 5))


def own_word(concept: str, lang: str) -> str:
    return word(lang, np.random.default_rng([CONCEPTS.index(concept), LANGS.index(lang)]))


def frame(seed: int = 0) -> pd.DataFrame:
    """Sentences of equal lengths in every concept: 8 to 12 words."""
    rng = np.random.default_rng(seed)
    rows = []
    for concept in CONCEPTS:
        for number in range(N_GROUPS):
            for lang in LANGS:
                words = [word(lang, rng) for _ in range(8 + number % 5)]
                lexical = number % 3 != 2
                if lexical:
                    words[rng.integers(len(words))] = own_word(concept, lang)
                text = "".join(words) + "。" if lang == "qad_Hans" else " ".join(words) + "."
                rows.append((f"{concept}-{number:02d}", lang, text, concept, lexical))
    return pd.DataFrame(rows, columns=["group", "lang", "text", "concept", "lexical"])


def invented(table: pd.DataFrame | None = None, **header: object) -> ConceptSet:
    return ConceptSet.from_frame(frame() if table is None else table, header={**HEADER, **header})


def lexicon() -> Lexicon:
    return Lexicon({c: {lang: (own_word(c, lang),) for lang in LANGS} for c in CONCEPTS})


def lexicon_file(path) -> None:
    rows = [f"{c}\t{lang}\t{own_word(c, lang)}" for c in CONCEPTS for lang in LANGS]
    path.write_text("\n".join(["concept\tlang\tforms", *rows]) + "\n", encoding="utf-8")
