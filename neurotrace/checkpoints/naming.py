"""How training runs name their checkpoints, and what is known of the published suites.

Steps, stages and tokens are read off the names of folders, branches, tags or repositories. The
table holds only what a suite's own pages or code say: its schedule, the tokens of one step, whose
tokenizer it uses. A suite that is not in it is found just as well by the usual names.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# step-000512 step512 step_512 checkpoint-512 global_step512, with tokens behind: step1000-tokens4B
# or step-001000-2BT, and with a stage in front: stage1-step150-tokens1B, stage2-step-3480000.
USUAL = (
    r"(?:stage(?P<stage>\d+)-)?(?:global_)?(?:step|checkpoint|ckpt|iter)[-_]?(?P<step>\d+)"
    r"(?:-tokens?(?P<tokens>\d+(?:\.\d+)?[KMBT]?)|-(?P<read>\d+(?:\.\d+)?[KMB])T)?"
)
SHOWN = 8  # names that a note or an error quotes
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


class Place(NamedTuple):
    """Where in its training a checkpoint was saved, as its name says."""

    stage: int
    step: int
    tokens: int | None


@dataclass(frozen=True)
class Suite:
    """A published series of checkpoints.

    Attributes
    ----------
    name
        What people call it.
    repo
        Regular expression of its repositories' whole names.
    schedule
        The steps that were published, where they are all of one stage; empty for unknown.
    tokens_per_step
        Training tokens of one step.
    tokenizer
        Repository whose tokenizer all steps use; may refer to groups of ``repo``.
    apart
        Start of the names of repositories that hold one checkpoint each; may refer to groups.
    pattern
        How the names are read where they are not the usual ones.
    unit
        Steps that the number in a name counts: 1000 where ``20k`` is written.
    """

    name: str
    repo: str
    schedule: tuple[int, ...] = ()
    tokens_per_step: int | None = None
    tokenizer: str | None = None
    apart: str | None = None
    pattern: str = USUAL
    unit: int = 1


THOUSANDS = tuple(range(1000, 143_001, 1000))
PYTHIA = (0, *(2**power for power in range(10)), *THOUSANDS)
MISTRAL = (
    *range(0, 100, 10), *range(100, 2000, 50), *range(2000, 20_000, 100),
    *range(20_000, 400_001, 1000),
)  # fmt: skip
MULTIBERTS = (*range(0, 200_001, 20_000), *range(300_000, 2_000_001, 100_000))
_SMOL2 = r"HuggingFaceTB/SmolLM2-%s-intermediate-checkpoints"

SUITES = (
    Suite(
        "Pythia",
        r"EleutherAI/pythia-[\d.]+[mb](?:-deduped)?(?:-(?:data-|weight-)?seed\d+)?",
        PYTHIA,
        2_097_152,
    ),
    Suite("Pythia, first release", r"EleutherAI/pythia-[\d.]+[mb](?:-deduped)?-v0", THOUSANDS),
    Suite("Mistral GPT-2", r"stanford-crfm/\w+-gpt2-(?:small|medium)-x\d+", MISTRAL),
    Suite(
        "BLOOM",
        r"bigscience/(?P<final>bloom-\d+[mb]\d*)-intermediate",
        tokenizer=r"bigscience/\g<final>",
    ),
    Suite("SmolLM3", r"HuggingFaceTB/SmolLM3-3B-checkpoints", tokens_per_step=2_359_296),
    Suite("SmolLM2", _SMOL2 % "135M", tokens_per_step=1_048_576),
    Suite("SmolLM2", _SMOL2 % "360M", tokens_per_step=1_572_864),
    Suite("SmolLM2", _SMOL2 % r"1\.7B", tokens_per_step=2_097_152),
    Suite(
        "MultiBERTs",
        r"google/(?P<seed>multiberts-seed_\d+)",
        MULTIBERTS,
        131_072,
        apart=r"google/\g<seed>-step_",
        pattern=r"multiberts-seed_\d+-step_(?P<step>\d+)k",
        unit=1000,
    ),
)


def suite_of(repo: str) -> Suite | None:
    """The published suite that a repository belongs to, its groups filled in; None if unknown.

    Examples
    --------
    >>> suite_of("bigscience/bloom-560m-intermediate").tokenizer
    'bigscience/bloom-560m'
    >>> suite_of("google/multiberts-seed_3").apart
    'google/multiberts-seed_3-step_'
    """
    for suite in SUITES:
        match = re.fullmatch(suite.repo, repo)
        if match:
            filled = {
                name: match.expand(value)
                for name in ("tokenizer", "apart")
                if (value := getattr(suite, name)) is not None
            }
            return Suite(**{**vars(suite), **filled})
    return None


def compiled(pattern: str | None) -> re.Pattern[str]:
    """A pattern of names, the usual one for None.

    Raises
    ------
    ValueError
        For what is no regular expression, or has no group ``step``.
    """
    try:
        matcher = re.compile(pattern or USUAL)
    except re.error as error:
        raise ValueError(f"got pattern {pattern!r}, no regular expression: {error}") from None
    if "step" not in matcher.groupindex:
        raise ValueError(f"got pattern {pattern!r}; expected a group named step: (?P<step>\\d+)")
    return matcher


def place_of(match: re.Match[str] | None, *, name: str, unit: int = 1) -> Place:
    """Stage, step and tokens that a matched name says; zeros and None for no match.

    Raises
    ------
    ValueError
        When the group ``step`` or ``stage`` caught something else than digits, or ``tokens``
        something else than a number with K, M, B or T.

    Examples
    --------
    >>> place_of(compiled(None).fullmatch("stage1-step150-tokens1B"), name="")
    Place(stage=1, step=150, tokens=1000000000)
    """
    groups = match.groupdict() if match else {}
    for group in ("step", "stage"):
        if groups.get(group) and not groups[group].isdecimal():
            raise ValueError(f"{name}: got {group} {groups[group]!r}; expected digits")
    tokens = groups.get("tokens") or groups.get("read")
    return Place(
        int(groups.get("stage") or 0),
        int(groups.get("step") or 0) * unit,
        _tokens(tokens, name) if tokens else None,
    )


def with_stages(places: Sequence[Place]) -> list[Place]:
    """Names without a stage among names with one belong to the first, where it has no such step."""
    if len({place.stage == 0 for place in places}) < 2:
        return list(places)
    first = min(place.stage for place in places if place.stage)
    taken = {(place.stage, place.step) for place in places}
    return [
        place._replace(stage=first)
        if place.stage == 0 and (first, place.step) not in taken
        else place
        for place in places
    ]


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: sorted, no more of them than a line holds.

    Examples
    --------
    >>> quoted(["step2", "main"]), quoted([])
    ('main, step2', 'none')
    """
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more if listed else "none"


def _tokens(text: str, name: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMBT]?)", text)
    if not match:
        raise ValueError(f"{name}: got tokens {text!r}; expected a number, with K, M, B or T")
    return round(float(match[1]) * UNITS[match[2]])
