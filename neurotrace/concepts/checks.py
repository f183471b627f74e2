"""Is a concept set what it says it is? A table of checks, each a figure against a bound.

An *error* is a claim of the set that its rows do not keep: a language, a script, a mark, a
parallel group, sentences that are new, concepts that length does not tell. A *note* is a wish
that many good sets leave open: a licence, short sentences, no digits. What cannot be judged here
is *not checked*, never ok.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from neurotrace.concepts import form_checks, shipped, surface, word_checks
from neurotrace.concepts.concept_set import ConceptSet
from neurotrace.concepts.lexicon import Lexicon
from neurotrace.concepts.verdicts import Row, Subject, Verdict

ALPHA = 0.05


def check(
    concepts: ConceptSet,
    *,
    lexicon: Lexicon | None = None,
    identify: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Run every check on a set.

    Parameters
    ----------
    lexicon
        The words of each concept; without one, ``lexical`` marks and the words of other concepts
        are not checked.
    identify
        Whether an independent identifier reads every sentence (extra ``language``).
    seed
        Of the halves and permutations that the probes use.

    Returns
    -------
    One row a check and subject: ``check``; ``subject``, a language, or empty for the whole set;
    ``figure`` and ``bound``; ``verdict``: ok, note, not checked or error; ``detail``, the first
    rows at fault. Of a set without concepts, checks that need some are left out, and ``concepts``
    is not checked. Rows of the names in `FIGURES` keep no bound: counts, mean lengths, and AP
    whose ``bound`` is its chance level. They are notes.
    """
    subject = Subject(concepts, lexicon, identify, seed)
    runs = RUN if concepts.concepts else [run for run in RUN if run not in OF_CONCEPTS]
    rows = [row for run in runs for row in run(subject)]
    return pd.DataFrame(rows, columns=Row._fields)


def check_file(
    name_or_path: str | Path,
    *,
    lexicon: str | Path | None = None,
    identify: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Run every check on a file, or on a set that comes with neurotrace.

    What keeps a file from being read as a set is an error of the check ``file``, and then the
    only row. The lexicon is, unless given, the one beside the file (``NAME.lexicon.tsv``).

    Raises
    ------
    FileNotFoundError
        Naming every place looked in.
    ValueError
        For a lexicon that cannot be read, with file and line.
    """
    path = shipped.locate(name_or_path)
    words = Lexicon.of(path) if lexicon is None else Lexicon.read(lexicon)
    try:
        concepts = ConceptSet.load(path)
    except ValueError as error:
        rows = [Row("file", "", np.nan, np.nan, "error", str(error))]
        return pd.DataFrame(rows, columns=Row._fields)
    told = f"{path.name}: {repr(concepts).partition(': ')[2].rstrip(')')}"
    read = pd.DataFrame([Row("file", "", 0, 0, "ok", told)], columns=Row._fields)
    found = check(concepts, lexicon=words, identify=identify, seed=seed)
    return pd.concat([read, found], ignore_index=True)


def _concepts(subject: Subject) -> Iterator[Row]:
    """Does the set name concepts? Without, what asks for them is left out."""
    n = len(subject.concepts.concepts)
    if n:
        yield Row("concepts", "", n, 1, "ok")
        return
    detail = "the set names none, so that lexicon, length and n-gram checks are left out"
    yield Row("concepts", "", 0, 1, "not checked", detail)


def _length_probe(subject: Subject) -> Iterator[Row]:
    """Are lengths alone at chance?"""
    try:
        probe = surface.length_probe(subject.concepts, seed=subject.seed)
    except ValueError as error:
        yield Row("length probe", "", np.nan, ALPHA, "not checked", str(error))
        return
    for lang, row in probe.iterrows():
        detail = f"AP {row['ap']:.3f} by lengths alone, chance {row['chance']:.3f}; "
        detail += _furthest(subject, str(lang))
        verdict: Verdict = "ok" if row["at_chance"] else "error"
        if np.isnan(row["p_holm"]):
            verdict, detail = "not checked", "no concept with positives and negatives in each half"
        yield Row("length probe", str(lang), row["p_holm"], ALPHA, verdict, detail)
        yield Row("length AP", str(lang), row["ap"], row["chance"], "note")


def _furthest(subject: Subject, lang: str) -> str:
    """The concept whose sentences differ most in length from its negatives: where to mend."""
    found = []
    for concept, labels in subject.labels.items():
        by_label: dict[int, list[int]] = {1: [], 0: [], -1: []}
        for row in subject.by_lang[lang]:
            by_label[labels[row.number]].append(len(row.text))
        inside, outside = float(np.mean(by_label[1])), float(np.mean(by_label[0]))
        found.append((abs(np.log(inside / outside)), concept, inside, outside))
    _, concept, inside, outside = max(found)
    return f"furthest is {concept}, {inside:.1f} characters on average, its negatives {outside:.1f}"


def _ngram_probe(subject: Subject) -> Iterator[Row]:
    """How much spelling tells, with the concept's word and without it: figures alone."""
    try:
        probe = surface.ngram_probe(subject.concepts, seed=subject.seed)
    except ValueError as error:
        for rows in surface.KINDS:
            yield Row(f"n-gram AP, {rows}", "", np.nan, np.nan, "not checked", str(error))
        return
    for lang, row in probe.iterrows():
        for rows in surface.KINDS:
            balance = row[f"balance_{rows}"]
            detail = "" if np.isnan(balance) else f"{balance:.3f} of the sentences are positive"
            ap, chance = row[f"ap_{rows}"], row[f"chance_{rows}"]
            yield Row(f"n-gram AP, {rows}", str(lang), ap, chance, "note", detail)


RUN: tuple[Callable[[Subject], Iterator[Row]], ...] = (
    form_checks.header,
    _concepts,
    form_checks.codes,
    form_checks.groups,
    form_checks.unicode,
    form_checks.copies,
    form_checks.sizes,
    form_checks.digits,
    form_checks.script,
    word_checks.language,
    word_checks.lexical,
    word_checks.shared,
    _length_probe,
    _ngram_probe,
)
OF_CONCEPTS = (word_checks.lexical, _length_probe, _ngram_probe)
# What the figure of each check is, and whether it must not exceed or not fall below its bound.
CHECKS: Mapping[str, tuple[str, str]] = {
    "file": ("the file can be read as a set", "<="),
    "header": ("fields the header lacks", "<="),
    "concepts": ("concepts that the set names", ">="),
    "codes": ("language codes that are not known", "<="),
    "groups": ("groups missing in a language", "<="),
    "unicode": ("texts not NFC or with broken characters", "<="),
    "duplicates": ("pairs alike but for case and punctuation", "<="),
    "near-duplicates": ("largest n-gram Jaccard of two sentences", "<"),
    "length": ("sentences not of 5 to 20 words", "<="),
    "digits": ("sentences with numerals", "<="),
    "script": ("least share of letters in the script", ">="),
    "language": ("share of sentences identified so", ">="),
    "lexicon": ("share of concepts with forms", ">="),
    "lexical": ("marks that the words belie", "<="),
    "other words": ("sentences with another concept's word", "<="),
    "shared strings": ("unmarked rows like a translation", "<="),
    "length probe": ("p of concepts told by length (Holm)", ">="),
}
FIGURES = (
    "sentences",
    "mean words",
    "mean characters",
    "length AP",
    *(f"n-gram AP, {rows}" for rows in surface.KINDS),
)
