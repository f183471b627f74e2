"""Where each site lies, as the modules of an independently loaded model tell it.

A site's definition is spelled out here without any name of a module: neurons are what the block's
last linear map reads, their pre-activations what the activation function before it reads, every
other unit what some linear map gives.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurotrace.doctor.findings import Finding, judged
from neurotrace.doctor.reading import Values

MEANING = {
    "embed": "the embedding's output",
    "hook_resid_post": "the block's output",
    "mlp.hook_post": "the last linear map's input",
    "mlp.hook_pre": "the activation's input",
    "mlp.gate": "the activation's input",
    "mlp.out": "the last linear map's output",
    "mlp.shared_expert.hook_post": "a linear map's input",
}
LINEAR = "a linear map's output"


class Spot(NamedTuple):
    """A place in a block.

    Attributes
    ----------
    name
        Of the module; empty where it is none of its own.
    side
        ``input`` or ``output``.
    columns
        Those of a fused map; None for all.
    right
        Whether the site's definition says so.
    """

    name: str
    side: str
    columns: NDArray[np.intp] | None = None
    right: bool = True

    def __str__(self) -> str:
        return f"{self.side if self.columns is None else 'part'} of {self.name}"


def locate(site: str, x: NDArray[Any], block: Any, *, tolerance: float) -> Spot | None:
    """Where a block's modules read or gave these values; None where they nowhere did.

    Parameters
    ----------
    x
        ``(token, feature)``.
    block
        :class:`neurotrace.capture.witness.Block`.
    """
    if site == "hook_resid_post":
        return Spot("the block", "output") if _close(x, block.state, tolerance) else None
    gave = _search(x, block.writes, tolerance, "output")
    read = _search(x, block.reads, tolerance, "input")
    last = list(block.writes)[-1]
    if site in ("mlp.hook_pre", "mlp.gate") and block.activation is not None:
        # In its own name where a linear map gives it, as in most families.
        right = _close(x, block.activation, tolerance)
        found = gave or (Spot("the activation", "input") if right else read)
        return None if found is None else found._replace(right=right)
    if site == "mlp.hook_post":
        right = _close(x, block.reads[last], tolerance)
        return Spot(last, "input") if right else _wrong(read or gave)
    if site == "mlp.out":
        right = _close(x, block.writes[last], tolerance)
        return Spot(last, "output") if right else _wrong(gave or read)
    return (read or _wrong(gave)) if site.endswith("hook_post") else (gave or _wrong(read))


def _wrong(spot: Spot | None) -> Spot | None:
    return None if spot is None else spot._replace(right=False)


def at(spot: Spot, site: str, block: Any) -> NDArray[Any] | None:
    """The values at a place of a block; None where it has no such module."""
    if site == "hook_resid_post":
        return block.state
    if site in ("mlp.hook_pre", "mlp.gate") and block.activation is not None:
        return block.activation
    held = block.reads if spot.side == "input" else block.writes
    values = held.get(spot.name)
    return values if values is None or spot.columns is None else values[:, spot.columns]


def truths(spots: dict[str, Spot], testimony: Any) -> Values:
    """What the independent model says at every place."""
    found: dict[tuple[str, int | None], NDArray[Any]] = {}
    for site, spot in spots.items():
        if site == "embed":
            found[site, None] = testimony.embed
            continue
        for layer, block in enumerate(testimony.blocks):
            values = at(spot, site, block)
            # No values are no agreement either.
            found[site, layer] = np.empty((0, 0)) if values is None else values
    return found


def spots_of(
    sites: Sequence[str], got: Values, testimony: Any, *, tolerance: float
) -> dict[str, Spot | None]:
    """Where each site lies, looked for in the first block."""
    found: dict[str, Spot | None] = {}
    for site in sites:
        if site == "embed":
            same = _close(got[site, None], testimony.embed, tolerance)
            found[site] = Spot("the embedding", "output") if same else None
        else:
            block = testimony.blocks[0]
            found[site] = locate(site, got[site, 0], block, tolerance=tolerance)
    return found


def of_sites(
    spots: dict[str, Spot | None], got: Values, n_layers: int, n_blocks: int
) -> Iterator[Finding]:
    """A line a site: how many blocks, how wide, and where it was found."""
    yield Finding(
        "sites",
        "blocks",
        f"{n_layers}",
        f"{n_blocks}, as Hugging Face has",
        judged(n_layers == n_blocks),
        float(n_layers),
    )
    for site, spot in spots.items():
        widths = sorted({x.shape[1] for (name, _), x in got.items() if name == site})
        wide = " and ".join(f"{width:,}" for width in widths)
        yield Finding(
            "sites",
            site,
            f"{wide}, {'no linear map of the block' if spot is None else spot}",
            MEANING.get(site, LINEAR),
            judged(spot is not None and spot.right and len(widths) == 1),
            float(widths[0]),
            "" if spot and spot.right else "the hook reads something else than its name says",
        )
    yield from _apart(spots)


def _apart(spots: dict[str, Spot | None]) -> Iterator[Finding]:
    """Queries, keys and values are three things."""
    names = [name for name in ("attn.q", "attn.k", "attn.v") if spots.get(name) is not None]
    seen: set[tuple[str, int]] = set()
    total = 0
    for name in names:
        spot = spots[name]
        columns = [-1] if spot is None or spot.columns is None else spot.columns.tolist()
        seen |= {(spot.name if spot else "", int(column)) for column in columns}
        total += len(columns)
    if total and len(names) > 1:
        fine = len(seen) == total
        yield Finding(
            "sites",
            "queries, keys, values",
            "share no column" if fine else f"share {total - len(seen)} columns",
            "three different things",
            judged(fine),
        )


def _search(x: NDArray[Any], held: dict[str, Any], tolerance: float, side: str) -> Spot | None:
    for name, values in held.items():
        if _close(x, values, tolerance):
            return Spot(name, side)
    for name, values in held.items():
        columns = _columns(x, values, tolerance)
        if columns is not None:
            return Spot(name, side, columns)
    return None


def _close(x: NDArray[Any], y: NDArray[Any] | None, tolerance: float) -> bool:
    if y is None or x.shape != y.shape:
        return False
    scale = max(float(np.nanmax(np.abs(y), initial=0)), 1e-6)
    return bool(np.allclose(x, y, rtol=0, atol=tolerance * scale, equal_nan=True))


def _columns(x: NDArray[Any], y: NDArray[Any], tolerance: float) -> NDArray[np.intp] | None:
    """Which columns of a wider map these are; None where they are not all among them."""
    if len(x) != len(y) or x.shape[1] >= y.shape[1] or not len(x):
        return None
    # One number a column finds candidates; the whole column decides.
    mix = np.random.default_rng(0).standard_normal(len(x))
    ours, theirs = mix @ np.nan_to_num(x), mix @ np.nan_to_num(y)
    order = np.argsort(theirs)
    near = np.clip(np.searchsorted(theirs[order], ours), 1, len(order) - 1)
    left, right = order[near - 1], order[near]
    columns = np.where(np.abs(theirs[left] - ours) <= np.abs(theirs[right] - ours), left, right)
    return columns if _close(x, y[:, columns], tolerance) else None
