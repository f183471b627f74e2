"""A model before and after tuning as a series of two steps, for every analysis of series."""

from pathlib import Path

import numpy as np

from neurotrace.store import ActivationStore, StoreMismatch


class TwoSteps(ActivationStore):
    """One checkpoint of each of two stores, as steps 0 and 1. Made by :func:`two_steps`.

    It reads their two files where they lie and writes nothing. Which models they are stands in
    ``checkpoints``; their own numbers of updates and tokens are two clocks, and are left out.
    """

    def __init__(self, path: Path, before: Path, after: Path) -> None:
        super().__init__(path, [before, after])
        # The files come back in order of their own steps, which says nothing across two runs.
        if self._files[0] != before:
            self._files.reverse()
            self._headers.reverse()
            self.checkpoints = self.checkpoints[::-1].reset_index(drop=True)
        for number, header in enumerate(self._headers):
            header |= {"step": number, "stage": 0}
            header.pop("tokens", None)
        numbers = [0, 1]
        self.checkpoints = self.checkpoints.assign(
            index=numbers, step=numbers, stage=0, tokens=np.nan
        )


def two_steps(
    base: ActivationStore,
    tuned: ActivationStore,
    *,
    base_step: int | tuple[int, int] | None = None,
    tuned_step: int | tuple[int, int] | None = None,
) -> TwoSteps:
    """Any two traced models of one origin as a store with steps 0 (base) and 1 (tuned).

    *Eats* nothing → *leaves* step.

    Parameters
    ----------
    base, tuned
        Stores of the same sentences, such as two runs of the command line, or one run twice with
        two steps.
    base_step, tuned_step
        Which checkpoint of each, as its store names it; the last by default.

    Returns
    -------
    A store that every analysis of a series takes. Neurons keep their numbers only if ``tuned``
    was trained from ``base``; that is for the caller to know.

    Raises
    ------
    StoreMismatch
        When the two were captured with other sentences, tokenizer, BOS, type or paths, naming
        what differs; or when both hold the same weights.
    KeyError
        For a step that a store lacks.
    """
    before, after = _file(base, base_step), _file(tuned, tuned_step)
    if before.resolve() == after.resolve():
        raise StoreMismatch(f"got {before.name} as base and tuned; expected two checkpoints")
    pair = TwoSteps(base.path, before, after)
    one, other = pair.checkpoints["weight_hash"]
    if one and one == other:
        raise StoreMismatch("base and tuned have the same weights; expected a tuned model")
    return pair


def _file(store: ActivationStore, step: int | tuple[int, int] | None) -> Path:
    """Where a step of a store lies; the last where none is named."""
    table = store.checkpoints
    last = (int(table["stage"].iloc[-1]), int(table["step"].iloc[-1]))
    header = store.header(
        last if step is None else step
    )  # names the valid steps where there is no such one
    found = (table["step"] == header["step"]) & (table["stage"] == header.get("stage", 0))
    name = str(table["file"][found].iloc[0])
    return store.path / name if store.path.is_dir() else store.path
