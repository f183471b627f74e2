"""The checkpoints of a run as they come from the Hub: what is needed early, and what not again."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from neurotrace.checkpoints import Checkpoint
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.store.match import read_header


def shelf_of(
    series: Sequence[Checkpoint], *, cache_budget: int | None = None, shelf: Shelf | None = None
) -> Shelf:
    """The shelf of a run, with the small files of all checkpoints on it.

    Configurations, tokenizers and the indices of shards are what a run is planned from; weights
    are brought when their turn comes.

    Parameters
    ----------
    cache_budget, shelf
        One of both at most: a shelf has its budget already.

    Raises
    ------
    ValueError
        When both are given, or the budget is below what one checkpoint takes.
    HubError
        When a file cannot be had.
    """
    if shelf is not None and cache_budget is not None:
        raise ValueError("got cache_budget and shelf; expected one of both: a shelf has its own")
    shelf = shelf or Shelf(series, budget=cache_budget)
    shelf.refuse_poor_budget(series)
    shelf.small_of_all(series)
    return shelf


def captured_hash(file: Path, checkpoint: Checkpoint) -> str | None:
    """The weight hash of a file made from the same commit; None where there is no such file.

    A commit's weights never change: they need not come again to be hashed.
    """
    if checkpoint.remote is None or not file.exists():
        return None
    header = read_header(file)
    same = (header.get("model"), header.get("commit")) == (
        checkpoint.model,
        checkpoint.remote.commit,
    )
    return str(header["weight_hash"]) if same else None


def following(files: Mapping[Checkpoint, Path]) -> dict[Checkpoint, Checkpoint | None]:
    """For each checkpoint the next one that is not captured yet."""
    found: dict[Checkpoint, Checkpoint | None] = {}
    waiting = None
    for checkpoint, file in reversed(list(files.items())):
        found[checkpoint] = waiting
        waiting = waiting if file.exists() else checkpoint
    return found
