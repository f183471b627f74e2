"""The words of a concept in each language, and whether a sentence holds one of them.

A lexicon is a tab-separated file beside a set, ``NAME.lexicon.tsv`` beside ``NAME.jsonl``: a line
``concept lang forms``, then one line a concept and language, the forms parted by commas. ``*`` at
an end of a form or inside it stands for any letters, or none. It knows nothing of grammar: a form
that is not written down is not found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unicodedata import normalize

import regex

from neurotrace.concepts import languages
from neurotrace.concepts.lines import path_of, read_lines

COLUMNS = ("concept", "lang", "forms")
SUFFIX = ".lexicon.tsv"
# Written without spaces between words: a form is then sought anywhere in the text.
WITHOUT_SPACES = frozenset({"Hans", "Hant", "Hani", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"})
# Vowel signs, points and joiners are no letters to Unicode, yet part of the word they stand in.
IN_WORD = r"[\p{L}\p{M}\p{N}\p{Pc}\u200c\u200d]"
OTHER_COMMAS = "，、،"


@cache
def script(lang: str) -> str:
    """The script of a language's code, looked up once; ``Zzzz`` where none is known.

    >>> script("zho_Hans"), script("klingon")
    ('Hans', 'Zzzz')
    """
    return languages.script(lang)


@cache
def canonical(lang: str) -> str:
    """The FLORES-style code; a code that only a set declares stays as it is.

    >>> canonical("de"), canonical("klingon")
    ('deu_Latn', 'klingon')
    """
    try:
        return languages.code(lang)
    except ValueError:
        return lang


@dataclass(frozen=True)
class Lexicon:
    """Forms that count as the word of a concept.

    Attributes
    ----------
    forms
        concept → language → forms, as written; languages in FLORES style where they are known.
    """

    forms: Mapping[str, Mapping[str, tuple[str, ...]]] = field(repr=False)

    def __post_init__(self) -> None:
        known = {
            concept: {canonical(lang): tuple(said) for lang, said in by_lang.items()}
            for concept, by_lang in self.forms.items()
        }
        object.__setattr__(self, "forms", known)

    @classmethod
    def read(cls, path: str | Path) -> "Lexicon":
        """Read the file form.

        Languages may be given in any form the set's own may (``de`` is ``deu_Latn``).

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            Naming file and line: bytes that are not UTF-8, another first line, another number of
            columns, no form, a concept and language that stand twice, forms parted by a comma of
            another script.
        """
        path = path_of(path)
        forms: dict[str, dict[str, tuple[str, ...]]] = {}
        for number, line in enumerate(read_lines(path), 1):
            where = f"{path.name}: line {number}"
            cells = [cell.strip() for cell in line.split("\t")]
            if number == 1:
                _expect_header(where, cells)
            elif line.strip():
                concept, lang, said = _entry(where, cells)
                if lang in forms.setdefault(concept, {}):
                    raise ValueError(f"{where}: got {concept} in {lang} a second time")
                forms[concept][lang] = said
        if not forms:
            raise ValueError(f"{path.name}: got no forms; expected lines of {_columns()}")
        return cls(forms)

    @classmethod
    def of(cls, set_path: str | Path) -> "Lexicon | None":
        """The lexicon that stands beside a set's file; None where there is none.

        Raises
        ------
        ValueError
            As :meth:`read`.
        """
        set_path = path_of(set_path)
        beside = set_path.with_name(f"{set_path.stem}{SUFFIX}")
        return cls.read(beside) if beside.is_file() else None

    def covers(self, concept: str, lang: str) -> bool:
        """Whether there are forms for the concept in the language."""
        return canonical(lang) in self.forms.get(concept, {})

    def occurs(self, concept: str, lang: str, text: str) -> list[str]:
        """The forms of a concept that a text holds, in the lexicon's order.

        Whole words in scripts that part words by spaces, anywhere in those that do not. Case does
        not count.

        Raises
        ------
        ValueError
            When the lexicon has no forms for the concept in that language.
        """
        if not self.covers(concept, lang):
            raise ValueError(f"got {concept!r} in {lang}, for which the lexicon has no forms")
        folded = fold(text)
        whole = script(lang) not in WITHOUT_SPACES
        said = self.forms[concept][canonical(lang)]
        return [form for form in said if _pattern(form, whole=whole).search(folded)]


def fold(text: str) -> str:
    """A text as it is compared: composed, and without case.

    >>> fold("STRASSE") == fold("Straße")
    True
    """
    return normalize("NFC", normalize("NFC", text).casefold())


@cache
def _pattern(form: str, *, whole: bool) -> regex.Pattern[str]:
    folded = fold(form) if whole else fold(form).strip("*")
    # Split by pattern: a space beside a "*" must stay.
    parts = (regex.split(r"\s+", part) for part in folded.split("*"))
    spaced = (r"\s+".join(map(regex.escape, words)) for words in parts)
    core = rf"{IN_WORD}*".join(spaced)
    return regex.compile(rf"(?<!{IN_WORD}){core}(?!{IN_WORD})" if whole else core)


def _columns() -> str:
    return ", ".join(COLUMNS)


def _expect_header(where: str, cells: list[str]) -> None:
    if tuple(cells) != COLUMNS:
        raise ValueError(
            f"{where}: got {', '.join(cells):.60}; expected {_columns()}, parted by tabs"
        )


def _entry(where: str, cells: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """Concept, language and forms of one line."""
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{where}: got {len(cells)} columns; expected {_columns()}")
    concept, lang, said = cells
    if not concept or not lang:
        raise ValueError(f"{where}: got an empty cell; expected {_columns()}")
    if any(comma in said for comma in OTHER_COMMAS):
        raise ValueError(f"{where}: got {said!r:.60}; expected forms parted by ','")
    forms = tuple(normalize("NFC", form.strip()) for form in said.split(",") if form.strip("* \r"))
    if not forms:
        raise ValueError(f"{where}: got no form for {concept} in {lang}; expected at least one")
    return normalize("NFC", concept), canonical(lang), forms
