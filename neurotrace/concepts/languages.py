"""Language codes: FLORES style inside (``deu_Latn``), ISO 639 and BCP 47 accepted at the border."""

import re
from collections.abc import Collection
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langcodes import Language

FLORES = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
NO_SCRIPT = "Zzzz"  # ISO 15924 for a script that has no code

# FLORES-200 names individual languages where ISO 639-1 names a macrolanguage: the variety that
# most text in the macrolanguage is written in. Filipino is written as Tagalog.
INDIVIDUAL = {
    "ara": "arb", "aym": "ayr", "aze": "azj", "cmn": "zho", "din": "dik", "fas": "pes",
    "fil": "tgl", "ful": "fuv", "kau": "knc", "kur": "kmr", "lav": "lvs", "mlg": "plt",
    "mon": "khk", "msa": "zsm", "nep": "npi", "nor": "nob", "ori": "ory", "orm": "gaz",
    "pus": "pbt", "que": "quy", "sqi": "als", "swa": "swh", "uzb": "uzn", "yid": "ydd",
}  # fmt: skip
# Where CLDR's likely script is not the one that corpora and FLORES-200 use.
USUAL_SCRIPT = {
    "acm": "Arab", "acq": "Arab", "ajp": "Arab", "azb": "Arab", "cjk": "Latn", "crh": "Latn",
    "dik": "Latn", "grc": "Grek", "kmr": "Latn", "kor": "Hang", "lus": "Latn", "pbt": "Arab",
    "quy": "Latn", "taq": "Latn", "tzm": "Tfng",
}  # fmt: skip


def code(given: str, *, declared: Collection[str] = ()) -> str:
    """The FLORES-style code of a language: ISO 639-3, underscore, ISO 15924.

    ``de``, ``deu``, ``ger``, ``de-AT`` and ``deu_Latn`` are all ``deu_Latn``. A missing script is
    CLDR's likely one; a macrolanguage becomes the individual language of FLORES-200
    (``ara`` → ``arb_Arab``). What already has FLORES style stays as it is, private codes
    (``qaa_Latn`` to ``qtz_Latn``) included.

    Parameters
    ----------
    given
        A FLORES-style code, an ISO 639-1 or 639-3 code, or a BCP 47 tag.
    declared
        Codes that pass unchanged where no register knows them: those a set's header names.

    Raises
    ------
    ValueError
        For what is no known language or script, or a language whose usual script is unknown.
    """
    try:
        if not isinstance(given, str) or not TAG.fullmatch(given):
            raise ValueError(_unknown(given))
        return _known(given)
    except ValueError:
        if isinstance(given, str) and given in declared:
            return given
        raise


def name(code: str) -> str:
    """English name of a language (``German``), or the code itself where none is known.

    Individual languages go by the common name of their macrolanguage (``Arabic``); a script is
    named where it is not the usual one (``Russian (Latin)``). Names come from the package
    language_data, which langcodes offers as an option; without it the code is returned.
    """
    import langcodes

    try:
        usual = _known(_known(code)[:3])
    except ValueError:
        return code
    if find_spec("language_data") is None:
        return code
    language = langcodes.Language.get(_known(code)).prefer_macrolanguage()
    if usual == _known(code):
        return str(language.language_name("en"))
    return f"{language.language_name('en')} ({language.script_name('en')})"


def script(code: str) -> str:
    """ISO 15924 script of a code (``Latn``); ``Zzzz`` for a code that names none."""
    import langcodes

    last = code.rpartition("_")[2]
    if re.fullmatch("[A-Z][a-z]{3}", last) and langcodes.tag_is_valid(f"en-{last}"):
        return last
    try:
        return _known(code).rpartition("_")[2] if TAG.fullmatch(code) else NO_SCRIPT
    except ValueError:
        return NO_SCRIPT


@lru_cache(maxsize=4096)
def _known(given: str) -> str:
    import langcodes

    try:
        language = langcodes.Language.get(given)
    except ValueError:
        raise ValueError(_unknown(given)) from None
    if language.language is None or not language.is_valid():
        raise ValueError(_unknown(given))
    if FLORES.fullmatch(given):
        return given
    iso = language.to_alpha3()
    if (language.language, language.territory) == ("fa", "AF"):
        iso = "prs"  # langcodes writes Dari as the Persian of Afghanistan
    iso = INDIVIDUAL.get(iso, iso)
    return f"{iso}_{language.script or USUAL_SCRIPT.get(iso) or _likely_script(language, given)}"


def _likely_script(language: "Language", given: str) -> str:
    """CLDR's script, without its last resort: a language it does not know counts as English."""
    from langcodes.data_dicts import LIKELY_SUBTAGS

    for known in (language, language.prefer_macrolanguage()):
        if known.language in LIKELY_SUBTAGS and not _is_private(str(known.language)):
            return str(known.maximize().script)
    raise ValueError(
        f"got language {given!r}, whose usual script is not known; "
        f"expected it with its script, such as {language.to_alpha3()}_Latn"
    )


def _is_private(iso: str) -> bool:
    return re.fullmatch("q[a-t][a-z]", iso) is not None


def _unknown(given: object) -> str:
    return (
        f"got {given!r:.60}, no known language code; valid are FLORES style (deu_Latn), "
        "ISO 639 (de, deu), BCP 47 (zh-TW), private qaa_Latn to qtz_Latn, "
        "and codes that the header declares under languages"
    )
