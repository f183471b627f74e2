"""Checks of words: the language they are in, the concept's word, and strings in common."""

from collections.abc import Iterator, Mapping

import numpy as np

from neurotrace.concepts import identifier
from neurotrace.concepts.lexicon import SUFFIX, Lexicon, canonical
from neurotrace.concepts.strings import shared_strings
from neurotrace.concepts.verdicts import Row, Sentence, Subject, Verdict, counted, named

MIN_IDENTIFIED = 0.95
Held = Mapping[str, list[list[str]]]  # concept → sentence → forms of its word


def language(subject: Subject) -> Iterator[Row]:
    """Does an independent identifier read the declared language in 95 % of sentences?"""
    unknown, known = _identifiable(subject)
    asked = sorted({iso for iso in known.values() if iso})
    for lang, rows in subject.by_lang.items():
        if not known.get(lang):
            detail = unknown or "the identifier does not know this language in this script"
            yield Row("language", lang, np.nan, MIN_IDENTIFIED, "not checked", detail)
            continue
        found = identifier.identify([row.text for row in rows], languages=asked)
        faults = [
            named(row, f"read as {iso or 'none'}")
            for iso, row in zip(found, rows, strict=True)
            if iso != known[lang]
        ]
        share = 1 - len(faults) / len(rows)
        verdict: Verdict = "ok" if share >= MIN_IDENTIFIED else "error"
        row = counted("language", lang, faults, bound=MIN_IDENTIFIED)
        yield row._replace(figure=share, verdict=verdict)


def _identifiable(subject: Subject) -> tuple[str, Mapping[str, str | None]]:
    """Why none is asked for, or each language's name to the identifier."""
    if not subject.identify:
        return "not asked for", {}
    if not identifier.available():
        return f"needs the extra: {identifier.EXTRA}", {}
    return "", {lang: identifier.identified_as(lang) for lang in subject.by_lang}


def lexical(subject: Subject) -> Iterator[Row]:
    """By the lexicon: is it whole, are the marks true, do other concepts' words stay away?"""
    lexicon, names = subject.lexicon, subject.concepts.concepts
    if lexicon is not None:
        yield from _beyond(subject, lexicon)
    for lang, rows in subject.by_lang.items():
        if lexicon is None:
            yield from _no_lexicon(lang, f"no lexicon ({SUFFIX}) is given")
            continue
        there = [name for name in names if lexicon.covers(name, lang)]
        if not there:
            yield from _no_lexicon(lang, "the lexicon lacks this language")
            continue
        missing = [name for name in names if name not in there]
        row = counted("lexicon", lang, [f"no forms for {name}" for name in missing], "not checked")
        yield row._replace(figure=len(there) / len(names), bound=1)
        held = {name: [lexicon.occurs(name, lang, row.text) for row in rows] for name in there}
        yield counted("lexical", lang, list(_false_marks(rows, held)))
        yield counted("other words", lang, list(_other_words(rows, held, subject)))


def _beyond(subject: Subject, lexicon: Lexicon) -> Iterator[Row]:
    """Concepts and languages of the lexicon that the set lacks.

    A misspelt concept is an error; more languages than the set has may be a selection.
    """
    own = set(map(canonical, subject.concepts.languages))
    foreign = sorted({lang for by_lang in lexicon.forms.values() for lang in by_lang} - own)
    unknown = [name for name in lexicon.forms if name not in subject.concepts.concepts]
    faults = [f"lexicon names concept {name!r:.60}, which the set lacks" for name in unknown]
    faults += [f"lexicon names language {lang:.60}, which the set lacks" for lang in foreign]
    if faults:
        row = counted("lexicon", "", faults, "error" if unknown else "note", bound=1)
        yield row._replace(figure=1 - len(unknown) / len(lexicon.forms))


def _no_lexicon(lang: str, why: str) -> Iterator[Row]:
    for name, bound in (("lexicon", 1), ("lexical", 0), ("other words", 0)):
        yield Row(name, lang, np.nan, bound, "not checked", why)


def _false_marks(rows: list[Sentence], held: Held) -> Iterator[str]:
    """A sentence of several concepts is lexical when the words of all of them stand in it."""
    for at, row in enumerate(rows):
        if not row.concepts or not set(row.concepts) <= set(held):
            continue
        absent = [name for name in row.concepts if not held[name][at]]
        if row.lexical and absent:
            yield named(row, f"marked lexical, holds no form of {', '.join(absent)}")
        elif not row.lexical and not absent:
            forms = dict.fromkeys(form for name in row.concepts for form in held[name][at])
            yield named(row, f"marked not lexical, holds {', '.join(forms)}")


def _other_words(rows: list[Sentence], held: Held, subject: Subject) -> Iterator[str]:
    """Negatives of a concept that hold its word; what is not judged for it may."""
    for at, row in enumerate(rows):
        for name, forms in held.items():
            if forms[at] and subject.labels[name][row.number] == 0:
                yield named(row, f"holds {', '.join(forms[at])} of {name}")


def shared(subject: Subject) -> Iterator[Row]:
    """Is every row that shares a string with its own translation marked ``cognate``?

    An error where the set uses the mark; where it marks no row at all, a note.
    """
    frame = subject.concepts.frame
    if frame.groupby("group")["lang"].nunique().max() < 2:
        detail = "no group stands in two languages"
        yield Row("shared strings", "", np.nan, 0, "not checked", detail)
        return
    verdict: Verdict = "error" if frame["cognate"].any() else "note"
    found = shared_strings(subject.concepts)
    for lang, rows in subject.by_lang.items():
        faults = [
            named(row, _alike(found[row.number]))
            for row in rows
            if row.number in found and not row.cognate
        ]
        yield counted("shared strings", lang, faults, verdict)


def _alike(others: Mapping[str, set[str]]) -> str:
    """Each string that is shared, and with whom."""
    langs: dict[str, list[str]] = {}
    for lang, strings in others.items():
        for string in sorted(strings):
            langs.setdefault(string, []).append(lang)
    return ", ".join(f"{string} as in {'/'.join(found)}" for string, found in langs.items())
