"""CoNLL-U treebanks that are parallel by ``sent_id``, with lemmas that stand for concepts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pandas as pd

from neurotrace.concepts import rows
from neurotrace.concepts.languages import code
from neurotrace.concepts.lines import path_of, read_lines, shown

COLUMNS = 10  # of a token line
NAMED = ("sent_id", "text")  # comments that a sentence needs

Lemmas = Mapping[str, Sequence[str] | Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class _Sentence:
    """One sentence of a treebank; ``line`` is where its ``sent_id`` stands."""

    line: int
    text: str
    lemmas: frozenset[str]  # folded


def read_conllu(
    paths: Mapping[str, str | Path], *, lemmas: Lemmas, pivot: str | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Header and row table of treebanks, such as Parallel Universal Dependencies.

    Sentences with one ``# sent_id`` are one group. A group carries a concept when one of its
    lemmas is that of a token of the pivot's sentence (case ignored; multiword tokens count by
    their words, empty nodes do not count).

    Parameters
    ----------
    paths
        From languages to files.
    lemmas
        From concepts to lemmas of the pivot language; ``lexical`` is then left at its default,
        true, for want of knowledge. Or from concepts to lemmas by language, every language of
        ``paths``: then a row is ``lexical`` when it holds a lemma of each of its concepts.
    pivot
        The language whose lemmas decide; the first of ``paths`` unless given.

    Returns
    -------
    header
        ``languages`` in the order of ``paths``, and ``parallel`` (True).
    table
        ``group lang text concepts origin``, and ``lexical`` where it is known.

    Raises
    ------
    FileNotFoundError
        When a file is not there.
    ValueError
        Naming file and line: ``sent_id`` or ``text`` missing or twice, one ``sent_id`` on two
        sentences or not in every language, a token line of other than ten columns. Without: a
        concept without lemmas in a language, or with lemmas that nowhere occur.
    """
    if not isinstance(paths, Mapping) or not paths:
        raise ValueError(f"got paths {shown(paths)}; expected a mapping from languages to files")
    files = {code(lang): path_of(path) for lang, path in paths.items()}
    if len(files) < len(paths):
        raise ValueError(f"got languages {', '.join(paths)}; expected each once")
    lead = code(pivot) if pivot is not None else next(iter(files))
    if lead not in files:
        raise ValueError(f"got pivot {lead}, without a file; the paths are of {', '.join(files)}")
    sought = {concept: _by_language(concept, said, files, lead) for concept, said in lemmas.items()}
    banks = {lang: _read(path) for lang, path in files.items()}
    _refuse_unpaired(files, banks, lead)
    _refuse_absent(sought, banks[lead], files[lead], lead)
    knows_all = any(isinstance(said, Mapping) for said in lemmas.values())
    records, origins = [], []
    for group, sentence in banks[lead].items():
        carried = [concept for concept in sought if sought[concept][lead] & sentence.lemmas]
        for lang, bank in banks.items():
            record: dict[str, Any] = {
                "group": group,
                "lang": lang,
                "text": bank[group].text,
                "concepts": carried,
            }
            if knows_all:
                record["lexical"] = _is_lexical(bank[group], [sought[c] for c in carried], lang)
            records.append(record)
            origins.append(f"{files[lang].name}: line {bank[group].line}")
    header = {"languages": list(files), "parallel": True}
    return header, rows.table(records, origins=origins)


def _is_lexical(
    sentence: _Sentence, carried: Sequence[Mapping[str, frozenset[str]]], lang: str
) -> bool:
    """Whether a sentence holds a lemma of each concept it carries, as far as these are known."""
    return all(bool(forms[lang] & sentence.lemmas) for forms in carried if lang in forms)


def _by_language(
    concept: str,
    said: Sequence[str] | Mapping[str, Sequence[str]],
    files: Mapping[str, Path],
    lead: str,
) -> dict[str, frozenset[str]]:
    """Language → folded lemmas of a concept; the pivot's alone for a plain list."""
    by_language = said if isinstance(said, Mapping) else {lead: said}
    given = {code(lang): forms for lang, forms in by_language.items()}
    lacking = [lang for lang in files if lang not in given] if said is by_language else []
    if lacking:
        raise ValueError(
            f"got no lemmas of concept {concept!r:.60} in {', '.join(lacking)}; "
            "expected some in every language, or a list for the pivot alone"
        )
    for lang, forms in given.items():
        is_list = isinstance(forms, Sequence) and not isinstance(forms, str)
        if not is_list or not forms or not all(isinstance(form, str) for form in forms):
            raise ValueError(
                f"got lemmas {shown(forms)} of concept {concept!r:.60} in {lang}; "
                "expected a list of strings"
            )
    return {lang: frozenset(map(_folded, forms)) for lang, forms in given.items()}


def _folded(lemma: str) -> str:
    return normalize("NFC", lemma.strip()).casefold()


def _read(path: Path) -> dict[str, _Sentence]:
    """``sent_id`` → sentence of one file, in its order."""
    bank: dict[str, _Sentence] = {}
    for block in _blocks(read_lines(path)):
        sent_id, sentence = _sentence(block, path.name)
        if sent_id in bank:
            raise ValueError(
                f"{path.name}: line {sentence.line}: got sent_id {sent_id!r:.60} again; "
                f"it stands at line {bank[sent_id].line} too"
            )
        bank[sent_id] = sentence
    if not bank:
        raise ValueError(f"{path.name}: got no sentence; expected CoNLL-U")
    return bank


def _blocks(lines: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Numbered lines of one sentence after the other; blank lines part them."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []


def _sentence(block: Sequence[tuple[int, str]], name: str) -> tuple[str, _Sentence]:
    comments: dict[str, tuple[int, str]] = {}
    lemmas, tokens = set(), 0
    for number, line in block:
        where = f"{name}: line {number}"
        if line.startswith("#"):
            key, _, value = (part.strip() for part in line[1:].partition("="))
            if key in NAMED and key in comments:
                raise ValueError(f"{where}: got {key} twice in a sentence; expected it once")
            comments.setdefault(key, (number, value))
        else:
            tokens += 1
            lemmas |= {_folded(lemma) for lemma in _lemmas(line, where)}
    first = block[0][0]
    for key in NAMED:
        if not comments.get(key, (0, ""))[1]:
            raise ValueError(f"{name}: line {first}: got a sentence without # {key}")
    if not tokens:
        raise ValueError(f"{name}: line {first}: got a sentence without tokens")
    at, sent_id = comments["sent_id"]
    return sent_id, _Sentence(at, comments["text"][1], frozenset(lemmas))


def _lemmas(line: str, where: str) -> list[str]:
    """The lemma of a token line; none for a multiword token or an empty node."""
    from conllu.exceptions import ParseException
    from conllu.parser import parse_id_value, parse_line

    columns = line.split("\t")
    # The library would take two spaces for a tab.
    if len(columns) != COLUMNS or "  " in line or not all(column.strip() for column in columns):
        raise ValueError(
            f"{where}: got {len(columns)} columns parted by tabs; expected {COLUMNS}, none empty "
            "or with two spaces in a row"
        )
    try:
        token = parse_line(
            line, ("id", "form", "lemma"), {"id": lambda cells, at: parse_id_value(cells[at])}
        )
    except (ParseException, ValueError) as error:
        raise ValueError(f"{where}: got id {columns[0]!r:.60} ({error!s:.100})") from None
    if token["id"] is None:
        raise ValueError(f"{where}: got id {columns[0]!r:.60}; expected a number")
    return [str(token["lemma"])] if isinstance(token["id"], int) else []


def _refuse_unpaired(
    files: Mapping[str, Path], banks: Mapping[str, Mapping[str, _Sentence]], lead: str
) -> None:
    for lang in banks:
        for here, there in ((lead, lang), (lang, lead)):
            lacking = [sent_id for sent_id in banks[here] if sent_id not in banks[there]]
            if lacking:
                line = banks[here][lacking[0]].line
                raise ValueError(
                    f"{files[here].name}: line {line}: got sent_id {lacking[0]!r:.60}, which "
                    f"{files[there].name} lacks ({len(lacking)} such); expected each in every file"
                )


def _refuse_absent(
    sought: Mapping[str, Mapping[str, frozenset[str]]],
    bank: Mapping[str, _Sentence],
    file: Path,
    lead: str,
) -> None:
    held = frozenset().union(*(sentence.lemmas for sentence in bank.values()))
    for concept, forms in sought.items():
        if not forms[lead] & held:
            raise ValueError(
                f"{file.name}: got no token with lemma {', '.join(sorted(forms[lead])):.100}; "
                f"expected some for concept {concept!r:.60}"
            )
