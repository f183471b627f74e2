"""Finding the checkpoints of a training run and putting them in order."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# step-000512, step512, step_512, checkpoint-512, global_step512, with tokens: step1000-tokens4B,
# and with a stage in front: stage1-step150-tokens1B.
USUAL = (
    r"(?:stage(?P<stage>\d+)-)?(?:global_)?(?:step|checkpoint|ckpt|iter)[-_]?(?P<step>\d+)"
    r"(?:-tokens?(?P<tokens>\d+(?:\.\d+)?[KMBT]?))?"
)
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


@dataclass(frozen=True)
class Checkpoint:
    """One saved state of one training run.

    Attributes
    ----------
    model
        Name of the series: the folder or repository it was found in.
    step
        Optimiser updates.
    path
        Local folder with config, weights and tokenizer.
    stage
        Training stage, for suites that have several.
    tokens
        Training tokens seen, where the name says so.
    revision
        The series' own name of this checkpoint.
    """

    model: str
    step: int
    path: Path
    stage: int = 0
    tokens: int | None = None
    revision: str | None = None

    @property
    def label(self) -> str:
        """``step512``, or ``stage1-step512`` where there are stages."""
        return f"stage{self.stage}-step{self.step}" if self.stage else f"step{self.step}"

    def __str__(self) -> str:
        return self.label


def find(source: str | Path, *, pattern: str | None = None) -> list[Checkpoint]:
    """The checkpoints of a folder, ordered by stage and step.

    Parameters
    ----------
    source
        A folder whose sub-folders are checkpoints, or one checkpoint folder itself.
    pattern
        Regular expression that a sub-folder's whole name must match, with a group named ``step``
        (and optionally ``stage``, ``tokens``). Without it the usual names are known:
        ``step-000512 step512 checkpoint-512 global_step512 stage1-step150-tokens1B``.

    Returns
    -------
    Checkpoints, sorted by (stage, step). Folders that do not match are no part of the series.

    Raises
    ------
    FileNotFoundError
        When there is no such folder, or no checkpoint in it.
    ValueError
        When two folders have the same stage and step, the pattern has no group ``step``, or a
        folder that is named like a checkpoint holds no weights.
    """
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"got source {str(source)!r}; expected a folder of checkpoints")
    matcher = _compile(pattern)
    matches = [(sub, matcher.fullmatch(sub.name)) for sub in folder.iterdir() if sub.is_dir()]
    series = [_checkpoint(folder.name, sub, match) for sub, match in matches if match]
    if not series and _has_weights(folder):
        match = matcher.fullmatch(folder.name)
        series = [_checkpoint(folder.name, folder, match)]
    if not series:
        present = ", ".join(sorted(sub.name for sub, _ in matches)[:5]) or "no folders"
        wanted = (
            f"whole names that match {pattern!r}"
            if pattern
            else "names like step512, step-000512, checkpoint-512 or global_step512, or --pattern"
        )
        raise FileNotFoundError(f"got source {str(source)!r} with {present}; expected {wanted}")
    _refuse_twins(series)
    return sorted(series, key=lambda checkpoint: (checkpoint.stage, checkpoint.step))


def select(series: Sequence[Checkpoint], selection: str) -> list[Checkpoint]:
    """Part of a series, by steps.

    Parameters
    ----------
    selection
        ``"all"``; a list ``"0,64,512"``; a range of steps, both ends included, ``"64:1024"``,
        ``":512"``; every n-th checkpoint ``"::2"``. Commas join several of these.

    Raises
    ------
    ValueError
        For a step that the series lacks, or a selection that is empty or cannot be read.
    """
    chosen: set[int] = set()
    for part in selection.split(","):
        chosen |= _chosen(series, part.strip())
    if not chosen:
        raise ValueError(f"got checkpoints {selection!r}, which selects none of {_steps(series)}")
    return [series[index] for index in sorted(chosen)]


def _chosen(series: Sequence[Checkpoint], part: str) -> set[int]:
    if part in ("all", ""):
        return set(range(len(series)))
    match = re.fullmatch(r"(\d*):(\d*)(?::(\d+))?", part)
    if match:
        low, high, every = (int(text) if text else None for text in match.groups())
        inside = [
            index
            for index, checkpoint in enumerate(series)
            if (low is None or checkpoint.step >= low) and (high is None or checkpoint.step <= high)
        ]
        return set(inside[:: every or 1])
    if not part.isdigit():
        raise ValueError(f"got checkpoints {part!r}; valid are all, 0,64,512, 64:1024 and ::2")
    found = {index for index, checkpoint in enumerate(series) if checkpoint.step == int(part)}
    if not found:
        raise ValueError(f"got checkpoint {part}; the series has {_steps(series)}")
    return found


def _steps(series: Sequence[Checkpoint]) -> str:
    return ", ".join(str(checkpoint.step) for checkpoint in series)


def _compile(pattern: str | None) -> re.Pattern[str]:
    try:
        matcher = re.compile(pattern or USUAL)
    except re.error as error:
        raise ValueError(f"got pattern {pattern!r}, no regular expression: {error}") from None
    if "step" not in matcher.groupindex:
        raise ValueError(f"got pattern {pattern!r}; expected a group named step: (?P<step>\\d+)")
    return matcher


def _checkpoint(model: str, folder: Path, match: re.Match[str] | None) -> Checkpoint:
    if not _has_weights(folder):
        raise ValueError(
            f"{folder.name}: got a checkpoint folder without weights; "
            f"expected one of {', '.join(WEIGHT_FILES)}"
        )
    groups = match.groupdict() if match else {}
    for name in ("step", "stage"):
        if groups.get(name) and not groups[name].isdecimal():
            raise ValueError(f"{folder.name}: got {name} {groups[name]!r}; expected digits")
    tokens = groups.get("tokens")
    return Checkpoint(
        model=model,
        step=int(groups.get("step") or 0),
        path=folder,
        stage=int(groups.get("stage") or 0),
        tokens=_tokens(tokens) if tokens else None,
        revision=folder.name,
    )


def _tokens(text: str) -> int:
    number, unit = (text[:-1], text[-1]) if text[-1] in UNITS else (text, "")
    return round(float(number) * UNITS[unit])


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in WEIGHT_FILES)


def _refuse_twins(series: Sequence[Checkpoint]) -> None:
    counts = Counter((checkpoint.stage, checkpoint.step) for checkpoint in series)
    (key, count) = counts.most_common(1)[0]
    if count > 1:
        names = sorted(c.path.name for c in series if (c.stage, c.step) == key)
        raise ValueError(f"got step {key[1]} twice, in folders {' and '.join(names)}")
