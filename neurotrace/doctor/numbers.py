"""What a narrower type changes, and whether the model has learned anything."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurotrace.doctor.findings import Finding, judged
from neurotrace.doctor.reading import Place, Values, pooled

LOSSES_ALIKE = 0.02  # nats
ALIKE = 0.99  # least correlation of pooled neurons in two types


def of_drift(
    wide: Values, narrow: Values, sites: Any, *, used: str, content: NDArray[np.bool_], counts: Any
) -> Iterator[Finding]:
    """Pooled units in bfloat16 against float32, layer by layer; the worst layer is told.

    Parameters
    ----------
    wide, narrow
        Values of the same sentences in float32 and in bfloat16.
    sites
        Those that are looked at.
    used
        The type that a run here would compute in.
    content, counts
        As :func:`neurotrace.doctor.reading.pooled` takes them.
    """
    for site in sites:
        alike: dict[Place, float] = {}
        off: dict[Place, float] = {}
        for place, values in wide.items():
            if place[0] != site:
                continue
            a = pooled(values, content, counts).astype(np.float64)
            b = pooled(narrow[place], content, counts).astype(np.float64)
            alike[place] = _correlation(a, b)
            scale = max(float(np.nanmax(np.abs(a), initial=0)), 1e-12)
            off[place] = float(np.nan_to_num(np.abs(a - b), nan=np.inf).max()) / scale
        worst = min(alike, key=alike.__getitem__)
        fine = alike[worst] >= ALIKE
        yield Finding(
            "numbers",
            f"bfloat16, {site}",
            f"r = {alike[worst]:.5f} (L{worst[1]}), off by {max(off.values()):.1%}",
            f"r ≥ {ALIKE} with float32",
            judged(fine, "failed" if used == "bfloat16" else "note"),
            alike[worst],
            "" if fine else "compute in float32 (--compute-dtype float32 of the trace)",
        )


def of_loss(
    each: NDArray[np.float64], heard: Sequence[float], *, kind: str, n_vocabulary: int
) -> Iterator[Finding]:
    """The loss here against Hugging Face's, and against a model that knows nothing.

    Parameters
    ----------
    each
        ``(sentence,)`` nats a token, as a trace would take it.
    heard
        What the independent model says of the first of them.
    """
    mean, uniform = float(np.mean(each)), float(np.log(n_vocabulary))
    below = mean < uniform
    yield Finding(
        "numbers",
        f"loss, {kind}",
        f"{mean:.3f} nats a token",
        f"below {uniform:.2f}, a uniform guess",
        judged(below, "note") if np.isfinite(mean) else "failed",
        mean,
        "" if below else "no better than a guess: an untrained checkpoint, or another language",
    )
    if len(heard):
        off = float(np.abs(np.asarray(heard) - each[: len(heard)]).max())
        same = off <= LOSSES_ALIKE
        yield Finding(
            "numbers",
            "loss, Hugging Face's own",
            f"off by {off:.1g} nats ({len(heard)} sentences)",
            f"≤ {LOSSES_ALIKE:g} nats",
            judged(same),
            off,
            "" if same else "the loss of a trace is not this model's",
        )


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    good = np.isfinite(a) & np.isfinite(b)
    a, b = a[good], b[good]
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(np.corrcoef(a, b)[0, 1])
