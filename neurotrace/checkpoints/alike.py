"""Have all steps of a series the same tensors? One that differs from the others is broken."""

from collections import Counter
from collections.abc import Mapping, Sequence

from neurotrace.checkpoints.headers import Entry

# What some versions of a library save and others leave out or tie to the embeddings.
OPTIONAL = (
    "attn.bias", "attention.bias", "masked_bias", "inv_freq", "position_ids",
    "lm_head.weight", "embed_tokens.weight", "decoder.weight", "decoder.bias",
)  # fmt: skip
SMALLER = 0.98  # of the usual size of a file whose header cannot be read

Layouts = Sequence[Mapping[str, Entry] | None]


def differing(layouts: Layouts) -> dict[int, str]:
    """Checkpoints whose tensors are not those of most others, by position, and in what.

    Parameters
    ----------
    layouts
        The tensors of each checkpoint, None where they are unknown. Types may differ: a series
        may be saved in single and half precision.

    Returns
    -------
    Nothing for series of fewer than three, which have no majority.
    """
    known = {at: layout for at, layout in enumerate(layouts) if layout is not None}
    if len(known) < 3:
        return {}
    shapes = Counter((n, e.shape) for layout in known.values() for n, e in layout.items())
    usual: dict[str, tuple[int, ...]] = {}
    for (name, shape), count in shapes.items():
        if 2 * count > len(known):
            usual[name] = shape
    found = {}
    for at, layout in known.items():
        told = _difference(layout, usual)
        if told:
            found[at] = told
    return found


def smaller(sizes: Sequence[int | None]) -> dict[int, str]:
    """Checkpoints whose weight files are smaller than those of most others, by position.

    Parameters
    ----------
    sizes
        Bytes of the weight files, None where their headers say more. Half of the usual size is
        half of the precision.
    """
    known = sorted(size for size in sizes if size is not None)
    if len(known) < 3:
        return {}
    usual = known[len(known) // 2]
    return {
        at: f"{size:,} bytes of weights, {usual:,} at most other steps (truncated?)"
        for at, size in enumerate(sizes)
        if size is not None
        and size < SMALLER * usual
        and min(abs(size / usual - share) for share in (0.5, 0.25)) > 1 - SMALLER
    }


def _difference(layout: Mapping[str, Entry], usual: Mapping[str, tuple[int, ...]]) -> str:
    for name, shape in usual.items():
        if name in layout and layout[name].shape != shape:
            got = list(layout[name].shape)
            return f"{name} has the shape {got}, at most other steps {list(shape)}"
    missing = sorted(n for n in usual if n not in layout and not n.endswith(OPTIONAL))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"no {missing[0]}{more}, which most other steps have"
    return ""
