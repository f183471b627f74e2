"""Are the values Hugging Face's own, and is a sentence the same alone as in a batch?"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurotrace.doctor.findings import Finding, judged
from neurotrace.doctor.reading import Place, Values, difference, read, read_alone
from neurotrace.doctor.sites import Spot, truths

# Largest difference, as a share of a site's largest value: what rounding alone does.
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
NEURONS = {"mlp.hook_pre", "mlp.hook_post", "mlp.shared_expert.hook_post"}
HALF = 65504.0  # largest number of float16


def joined(testimonies: Sequence[Any]) -> Any:
    """Testimonies of single sentences as one, their tokens one after the other."""
    from neurotrace.capture.witness import Block, Testimony

    def together(parts: Sequence[Any]) -> Any:
        return None if any(part is None for part in parts) else np.concatenate(parts)

    blocks = []
    for same in zip(*(each.blocks for each in testimonies), strict=True):
        reads = {name: together([one.reads[name] for one in same]) for name in same[0].reads}
        writes = {name: together([one.writes[name] for one in same]) for name in same[0].writes}
        activation = together([one.activation for one in same])
        state = together([one.state for one in same])
        blocks.append(Block(reads=reads, writes=writes, activation=activation, state=state))
    embed = np.concatenate([each.embed for each in testimonies])
    return Testimony(embed, tuple(blocks))


def of_values(
    model: Any,
    tokenized: Any,
    rows: NDArray[np.intp],
    *,
    places: Sequence[Place],
    spots: dict[str, Spot],
    told: dict[str, Any],
    dtype: str,
) -> Iterator[Finding]:
    """Compare what the hooks see with every testimony, and with themselves.

    Parameters
    ----------
    spots
        Where the sites lie in the independent model; without those that were found nowhere.
    told
        Testimonies, each under what is said of it.
    """
    batch = tokenized.batch(rows, device=str(model.device))
    got, bound = read(model, batch, places), TOLERANCE[dtype]
    for name, testimony in told.items():
        yield _compared(name, got, truths(spots, testimony), bound)
    alone = read_alone(model, tokenized, rows, places)
    yield _compared("alone, in a batch", got, alone, bound)
    yield _compared("the same batch again", read(model, batch, places), got, 0.0)
    yield _finite(got)


def of_storage(got: Values, units: Sequence[str]) -> Iterator[Finding]:
    """Whether neurons fit into float16, in which they are kept unless told otherwise."""
    for name, of_site in (
        ("largest neuron", NEURONS),
        ("largest other unit", set(units) - NEURONS),
    ):
        largest = {place: _largest(x) for place, x in got.items() if place[0] in of_site}
        if largest:
            place = max(largest, key=largest.__getitem__)
            fine = largest[place] < HALF
            yield Finding(
                "numbers",
                name,
                f"{largest[place]:,.4g} ({_at(place)})",
                f"below {HALF:,.0f} (float16)",
                judged(fine, "failed" if of_site is NEURONS else "note"),
                largest[place],
                "" if fine else "keep them as float32 (--dtype float32 of the trace)",
            )


def _compared(name: str, got: Values, truth: Values, bound: float) -> Finding:
    if not truth:
        return Finding("values", name, "no site was found there", "", "not checked")
    off = difference(got, truth)
    worst: Any = off.idxmax()
    value = float(off.max())
    fine = value <= bound
    where = "" if value == 0 else f" ({_at(worst)})"
    sites = sorted({place[0] for place in off.index[off > bound]})
    return Finding(
        "values",
        name,
        ("other tokens or widths" if np.isinf(value) else f"off by {value:.1g}") + where,
        f"≤ {bound:.0e} of the largest" if bound else "exactly equal",
        judged(fine),
        value,
        "" if fine else f"wrong at {', '.join(sites)}",
    )


def _finite(got: Values) -> Finding:
    bad = {place: int((~np.isfinite(x)).sum()) for place, x in got.items()}
    n = sum(bad.values())
    first = next((place for place, count in bad.items() if count), None)
    return Finding(
        "values",
        "NaN and infinity",
        f"{n:,} values" + (f", first at {_at(first)}" if first else ""),
        "none",
        judged(n == 0),
        float(n),
        "" if n == 0 else "the weights are damaged, or the type is too narrow",
    )


def _largest(x: NDArray[Any]) -> float:
    return float(np.abs(x[np.isfinite(x)]).max(initial=0))


def _at(place: Place) -> str:
    site, layer = place
    return site if layer is None else f"L{layer} {site}"
