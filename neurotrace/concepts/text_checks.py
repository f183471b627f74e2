"""What the checks measure on bare texts; knows nothing of concepts, groups or verdicts."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING
from unicodedata import category, is_normalized

import numpy as np
import regex
from numpy.typing import NDArray

from neurotrace.concepts import languages
from neurotrace.concepts.lexicon import WITHOUT_SPACES, fold, script

if TYPE_CHECKING:
    from scipy.sparse import csr_array

WORDS = (5, 20)
# About as many letters as 5 to 20 words take in scripts that do not part words by spaces.
LETTERS = {"Hans": (9, 42), "Hant": (9, 42), "Hani": (9, 42), "Jpan": (12, 55)}
OTHER_LETTERS = (15, 110)
# Codes for writing systems, in the names that Unicode gives to what they are made of.
MADE_OF = {
    "Hans": ("Han",),
    "Hant": ("Han",),
    "Jpan": ("Han", "Hiragana", "Katakana"),
    "Kore": ("Hangul", "Han"),
    "Hrkt": ("Hiragana", "Katakana"),
    "Hanb": ("Han", "Bopomofo"),
    "Aran": ("Arabic",),
    "Latf": ("Latin",),
    "Latg": ("Latin",),
    "Cyrs": ("Cyrillic",),
}
# One character is a syllable or a word: two carry what four do in an alphabet.
DENSE = frozenset({"Hans", "Hant", "Hani", "Hanb", "Jpan", "Hrkt", "Kore", "Hang"})
GRAM, DENSE_GRAM = 4, 2
BLOCK = 500  # sentences compared with all others at once: bounds the memory


def flaw(text: str) -> str:
    """What is wrong with the code points of a text, in words; empty where nothing is.

    >>> flaw("caf\\N{LATIN SMALL LETTER E WITH ACUTE}"), flaw("cafe\\N{COMBINING ACUTE ACCENT}")
    ('', 'not NFC')
    """
    if not is_normalized("NFC", text):
        return "not NFC"
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "a replacement character"
    if any(category(char) in ("Cc", "Cs", "Co", "Cn") for char in text):
        return "a control or unassigned character"
    return "" if text == text.strip() else "spaces at an end"


def digits(text: str) -> str:
    """The numerals of a text, in any script that has signs for them; words and Han are letters.

    >>> digits("3 dogs, ½ a loaf")
    '3½'
    """
    return "".join(char for char in text if category(char).startswith("N"))


def spaced(lang: str) -> bool:
    """Whether a language's script parts words by spaces; unknown scripts are taken to."""
    return script(lang) not in WITHOUT_SPACES


def size(text: str, lang: str) -> int:
    """Words of a text; letters where the script has no spaces.

    >>> size("It has rained.", "eng_Latn"), size("下雨了。", "zho_Hans")
    (3, 3)
    """
    return len(text.split()) if spaced(lang) else sum(char.isalpha() for char in text)


def sizes_allowed(lang: str) -> tuple[int, int]:
    """Least and largest `size` of a sentence: 5 to 20 words, or as many letters as those take."""
    return WORDS if spaced(lang) else LETTERS.get(script(lang), OTHER_LETTERS)


def script_share(text: str, lang: str) -> float | None:
    """Share of a text's letters that are of its language's script; None for an unknown script.

    Letters that Unicode counts to no one script (``ー``, ``ª``) are left out; a text without
    letters has a share of 0.

    >>> round(script_share("Привет, world", "rus_Cyrl"), 2)
    0.55
    """
    own = _of_script(script(lang))
    if own is None:
        return None
    letters = LETTER.findall(text)
    return sum(own.match(char) is not None for char in letters) / max(len(letters), 1)


LETTER = regex.compile(r"[\p{L}--[\p{Script=Common}\p{Script=Inherited}]]", regex.VERSION1)


@cache
def _of_script(name: str) -> regex.Pattern[str] | None:
    if name == languages.NO_SCRIPT:
        return None
    try:
        parts = (rf"\p{{Script={part}}}" for part in MADE_OF.get(name, (name,)))
        return regex.compile(f"[{''.join(parts)}]")
    except regex.error:
        return None


def near_duplicates(
    texts: Sequence[str], lang: str, *, least: float
) -> tuple[float, list[tuple[int, int, float]]]:
    """The closest two texts of a language, and every pair at least so close.

    Closeness is the Jaccard index of their sets of character 4-grams, case, accents kept,
    punctuation left out; of 2-grams where a character is a syllable or a word (Han, kana, Hangul).

    J(x, y) = |x ∩ y| / |x ∪ y|

    Parameters
    ----------
    texts
        ``(sentence,)``
    least
        Pairs are named from here on, 0–1.

    Returns
    -------
    The largest index, 0 for a single text, and ``(i, j, index)`` with i < j, closest first.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    n = DENSE_GRAM if script(lang) in DENSE else GRAM
    counter = CountVectorizer(
        analyzer="char", lowercase=False, ngram_range=(n, n), binary=True, dtype=np.int32
    )
    # Filled up to one gram, so that a text of one letter has something to compare.
    held = counter.fit_transform([bare(text).ljust(n, "\0") for text in texts])
    largest = 0.0
    pairs: list[tuple[int, int, float]] = []
    for rows, columns, index in _compared(csr_array(held)):
        largest = max(largest, float(index.max(initial=0)))
        near = index >= least
        pairs += zip(rows[near].tolist(), columns[near].tolist(), index[near].tolist(), strict=True)
    return largest, sorted(pairs, key=lambda pair: (-pair[2], *pair[:2]))


def bare(text: str) -> str:
    return f" {NO_LETTER.sub(' ', fold(text)).strip()} "


NO_LETTER = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def _compared(grams: "csr_array") -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """Rows, columns and Jaccard index of all pairs that share a gram, a block at a time."""
    count = np.diff(grams.indptr)
    for first in range(0, len(count), BLOCK):
        shared = (grams[first : first + BLOCK] @ grams[first:].T).tocoo()
        rows, columns = shared.coords[0] + first, shared.coords[1] + first
        once = columns > rows
        rows, columns, both = rows[once], columns[once], shared.data[once]
        yield rows, columns, both / (count[rows] + count[columns] - both)
