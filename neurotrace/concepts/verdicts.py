"""What a check says: one figure against a bound, a verdict, and the rows at fault in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from neurotrace.concepts.concept_set import ConceptSet
from neurotrace.concepts.lexicon import Lexicon

Verdict = Literal["ok", "note", "not checked", "error"]
VERDICTS: tuple[Verdict, ...] = ("ok", "note", "not checked", "error")  # from best to worst
TOLD = 3  # rows at fault that a detail names
CUT = 60  # letters of a sentence that it shows


class Row(NamedTuple):
    """One check of one language, or of the whole set where ``subject`` is empty."""

    check: str
    subject: str
    figure: float
    bound: float
    verdict: Verdict
    detail: str = ""


class Sentence(NamedTuple):
    """One row of the set, and its number there."""

    number: int
    group: str
    text: str
    concepts: tuple[str, ...]
    lexical: bool
    cognate: bool


@dataclass(frozen=True)
class Subject:
    """What the checks look at, and how."""

    concepts: ConceptSet
    lexicon: Lexicon | None
    identify: bool
    seed: int

    @cached_property
    def by_lang(self) -> Mapping[str, list[Sentence]]:
        """The sentences of each language, in the order of the set."""
        frame = self.concepts.frame
        columns = [frame[name].tolist() for name in Sentence._fields[1:]]
        found: dict[str, list[Sentence]] = {lang: [] for lang in self.concepts.languages}
        for number, (lang, *cells) in enumerate(zip(frame["lang"], *columns, strict=True)):
            found[lang].append(Sentence(number, *cells))
        return found

    @cached_property
    def labels(self) -> Mapping[str, list[int]]:
        """Concept → 1, 0 or −1 for every sentence, by its number."""
        columns = self.concepts.labels().T.tolist()
        return dict(zip(self.concepts.concepts, columns, strict=True))


def counted(
    check: str, lang: str, faults: Sequence[str], verdict: Verdict = "error", *, bound: float = 0
) -> Row:
    """A check that wants no fault; its figure is how many there are.

    Parameters
    ----------
    faults
        In words, the worst first.
    verdict
        Where there are any.
    """
    more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
    told = "; ".join(faults[:TOLD]) + more
    return Row(check, lang, len(faults), bound, verdict if faults else "ok", told)


def each(
    subject: Subject, check: str, fault: Callable[[str], str], verdict: Verdict = "error"
) -> Iterator[Row]:
    """A fault that a text has by itself, told in words or empty, by language."""
    for lang, rows in subject.by_lang.items():
        told = ((row, fault(row.text)) for row in rows)
        yield counted(check, lang, [named(row, why) for row, why in told if why], verdict)


def named(row: Sentence, why: str = "") -> str:
    """A sentence as details name it: its group, its beginning, and what is wrong."""
    text = row.text if len(row.text) <= CUT else f"{row.text[: CUT - 1]}…"
    return f"{row.group} {text!r}" + (f" ({why})" if why else "")
