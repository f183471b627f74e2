"""An offline identifier of a text's language, independent of what a concept set declares.

The lingua library (extra ``language``), statistics of letters for 75 languages. It is asked to
choose among the languages that could be meant, since among all of them short sentences of close
relatives are lost; English is always among them, as what is left untranslated mostly is.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neurotrace.concepts.lexicon import canonical, script

if TYPE_CHECKING:
    import lingua

EXTRA = "pip install 'neurotrace[language]'"
# Standard varieties that FLORES names one by one and the identifier by what unites them.
UNITED = {
    "als": "sqi", "arb": "ara", "azj": "aze", "cmn": "zho", "ekk": "est", "khk": "mon",
    "lvs": "lav", "pes": "fas", "swh": "swa", "zsm": "msa",
}  # fmt: skip
COMPANIONS = ("eng", "fra")


def available() -> bool:
    """Whether the extra is installed."""
    try:
        import lingua  # noqa: F401
    except ImportError:
        return False
    return True


def identified_as(lang: str) -> str | None:
    """The ISO 639-3 code that the identifier uses for a language in its script, if it knows it.

    Raises
    ------
    ImportError
        Naming the extra.
    """
    iso = canonical(lang).partition("_")[0]
    iso = UNITED.get(iso, iso)
    language = _languages().get(iso)
    return iso if language is not None and _writes(language, script(lang)) else None


def identify(texts: Sequence[str], *, languages: Sequence[str]) -> list[str]:
    """The likeliest language of each text among those given.

    Parameters
    ----------
    texts
        ``(sentence,)``
    languages
        ISO 639-3 codes, as :func:`identified_as` gives them. English is added, and French where
        that leaves no choice.

    Returns
    -------
    ``(sentence,)`` ISO 639-3 codes, empty where the text decides nothing.

    Raises
    ------
    ImportError
        Naming the extra.
    ValueError
        For a language that the identifier does not know.
    """
    known = _languages()
    unknown = sorted(set(languages) - set(known))
    if unknown:
        raise ValueError(
            f"got language {', '.join(unknown)}; the identifier knows {', '.join(sorted(known))}"
        )
    from lingua import LanguageDetectorBuilder

    chosen = list(dict.fromkeys([*languages, COMPANIONS[0]]))
    chosen += COMPANIONS[1:] if len(chosen) == 1 else ()
    builder = LanguageDetectorBuilder.from_languages(*(known[iso] for iso in chosen))
    found = builder.build().detect_languages_in_parallel_of(list(texts))
    return ["" if one is None else _iso(one) for one in found]


def _languages() -> "dict[str, lingua.Language]":
    try:
        from lingua import Language
    except ImportError:
        raise ImportError(
            f"got no lingua; identifying languages needs the extra: {EXTRA}"
        ) from None
    return {_iso(language): language for language in Language.all()}


def _iso(language: "lingua.Language") -> str:
    return language.iso_code_639_3.name.lower()


def _writes(language: "lingua.Language", written: str) -> bool:
    """Whether the identifier's letters for a language are of the script.

    Scripts beyond the four that several of its languages use belong to one of them each.
    """
    from lingua import Language

    several = {
        "Latn": Language.all_with_latin_script(),
        "Cyrl": Language.all_with_cyrillic_script(),
        "Arab": Language.all_with_arabic_script(),
        "Deva": Language.all_with_devanagari_script(),
    }
    if written in several:
        return language in several[written]
    return not any(language in users for users in several.values())
