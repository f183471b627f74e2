"""Checks of form: header, codes, groups, code points, copies, lengths, digits and script."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from neurotrace.concepts import languages, text_checks
from neurotrace.concepts.verdicts import Row, Subject, counted, each, named

FIELDS = ("name", "version", "licence", "languages", "about")
MIN_SCRIPT, NEAR = 0.9, 0.5


def header(subject: Subject) -> Iterator[Row]:
    """Does the header say what a data card says? A table has no header: a note."""
    said = subject.concepts.header
    yield counted("header", "", [f"no {field}" for field in FIELDS if not said.get(field)], "note")


def codes(subject: Subject) -> Iterator[Row]:
    """Is every language code known? A set may declare others: a note."""
    for lang in subject.concepts.languages:
        try:
            known = languages.code(lang)
            faults = [] if known == lang else [f"is {known} in FLORES style"]
        except ValueError:
            faults = ["declared by the set, known to no register"]
        yield counted("codes", lang, faults, "note")


def groups(subject: Subject) -> Iterator[Row]:
    """Does every group stand in every language?"""
    if not subject.concepts.header.get("parallel", True):
        yield Row("groups", "", np.nan, 0, "not checked", "the set is not parallel")
        return
    every = list(pd.unique(subject.concepts.frame["group"]))
    for lang, rows in subject.by_lang.items():
        there = {row.group for row in rows}
        yield counted("groups", lang, [f"no {group}" for group in every if group not in there])


def unicode(subject: Subject) -> Iterator[Row]:
    """Are texts NFC, without traces of a broken encoding?"""
    yield from each(subject, "unicode", text_checks.flaw)


def copies(subject: Subject) -> Iterator[Row]:
    """Is every sentence new? A copy on either side of a split leaks what was learnt.

    Duplicates differ in nothing but case and punctuation; near-duplicates share half of the
    character n-grams that either has.
    """
    for lang, rows in subject.by_lang.items():
        texts = [row.text for row in rows]
        closest, pairs = text_checks.near_duplicates(texts, lang, least=NEAR)
        bare = [text_checks.bare(text) for text in texts]
        same: list[str] = []
        near: list[str] = []
        for i, j, index in pairs:
            which = same if bare[i] == bare[j] else near
            both = f"{named(rows[i])} and {named(rows[j])}"
            which.append(both if which is same else f"{both} ({index:.2f})")
        yield counted("duplicates", lang, same)
        others = [index for i, j, index in pairs if bare[i] != bare[j]]
        figure = max(others, default=closest if not pairs else np.nan)
        yield counted("near-duplicates", lang, near, bound=NEAR)._replace(figure=figure)


def sizes(subject: Subject) -> Iterator[Row]:
    """Have sentences 5 to 20 words, or as many letters as those take? And plain counts."""
    for lang, rows in subject.by_lang.items():
        least, most = text_checks.sizes_allowed(lang)
        unit = "words" if text_checks.spaced(lang) else "letters"
        size = [text_checks.size(row.text, lang) for row in rows]
        faults = [
            named(row, f"{n} {unit}, expected {least} to {most}")
            for n, row in zip(size, rows, strict=True)
            if not least <= n <= most
        ]
        yield counted("length", lang, faults, "note")
        yield Row("sentences", lang, len(rows), np.nan, "note")
        words = float(np.mean(size)) if unit == "words" else np.nan
        yield Row("mean words", lang, words, np.nan, "note")
        characters = float(np.mean([len(row.text) for row in rows]))
        yield Row("mean characters", lang, characters, np.nan, "note")


def digits(subject: Subject) -> Iterator[Row]:
    """Are there no numerals? They are the same string in most languages."""
    yield from each(subject, "digits", text_checks.digits, "note")


def script(subject: Subject) -> Iterator[Row]:
    """Is each sentence written in the script that its code declares?"""
    for lang, rows in subject.by_lang.items():
        shares = [text_checks.script_share(row.text, lang) for row in rows]
        known = [share for share in shares if share is not None]
        if len(known) < len(shares):
            detail = "the code names no script that is known to Unicode"
            yield Row("script", lang, np.nan, MIN_SCRIPT, "not checked", detail)
            continue
        worst_first = sorted(zip(known, rows, strict=True), key=lambda pair: pair[0])
        faults = [named(row, f"{share:.2f}") for share, row in worst_first if share < MIN_SCRIPT]
        yield counted("script", lang, faults, bound=MIN_SCRIPT)._replace(figure=min(known))
