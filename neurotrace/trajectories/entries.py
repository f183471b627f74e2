"""A line of the table of what a trace computes: its result, and what of it one checkpoint says."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import xarray as xr

from neurotrace.store import ActivationStore

Task = tuple[str, Callable[[], xr.Dataset]]
Get = Callable[[str], xr.Dataset]
Lift = Callable[[ActivationStore], xr.Dataset]


@dataclass(frozen=True)
class Entry:
    """One result of a trace.

    Attributes
    ----------
    name
        Of the result.
    compute
        Computes it; None for what only scoring keeps.
    score
        Computes and keeps the parts of each checkpoint of the store that the table is of. None
        where none are needed, or another entry of the same group keeps them.
    twin
        The same where the table is of the re-initialised twin's store.
    group
        Entries of one group rest on one reading; the entry's name by default.
    """

    name: str
    compute: Callable[[], xr.Dataset] | None = None
    score: Callable[[], object] | None = None
    twin: Callable[[], object] | None = None
    group: str = ""

    @property
    def unit(self) -> str:
        return self.group or self.name


def results(*tasks: Task) -> list[Entry]:
    """Entries of what is computed from other results, the sentences or the files' tables."""
    return [Entry(name, compute) for name, compute in tasks]


def with_twin(name: str, lift: Lift, store: ActivationStore) -> list[Entry]:
    """A lift of a store, and of its twin where there is one."""
    own = partial(lift, store)
    made = [Entry(name, own, score=own, twin=own)]
    if store.twin is not None:
        made.append(Entry(f"{name}_twin", partial(lift, store.twin)))
    return made
