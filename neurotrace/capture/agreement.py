"""What the checkpoints of one series must agree in before any is captured."""

from collections.abc import Sequence

from neurotrace.capture import loading
from neurotrace.checkpoints import Checkpoint, headers


def refuse_disorder(series: Sequence[Checkpoint]) -> None:
    """Refuse an empty series, and one whose steps are not in order, each once."""
    if not series:
        raise ValueError("got no checkpoint; expected at least one")
    keys = [(checkpoint.stage, checkpoint.step) for checkpoint in series]
    if sorted(set(keys)) != keys:
        labels = ", ".join(checkpoint.label for checkpoint in series)
        raise ValueError(f"got checkpoints {labels}; expected each step once, in order")


def refuse_other_shapes(series: Sequence[Checkpoint]) -> None:
    """Refuse series whose tensors change their names or shapes; only headers are read.

    Of what is not here yet, ``.bin`` files have no header to ask for: they are seen when loaded.
    """
    first, label = None, ""
    for checkpoint in series:
        shapes = _shapes(checkpoint)
        if shapes is None:
            continue
        if first is None:
            first, label = shapes, checkpoint.label
        differing = sorted(n for n in first.keys() | shapes.keys() if first.get(n) != shapes.get(n))
        if differing:
            name = differing[0]
            raise ValueError(
                f"{label} and {checkpoint.label} are of different shapes: {name} is "
                f"{first.get(name, 'absent')} and {shapes.get(name, 'absent')}"
            )


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]] | None:
    if checkpoint.remote is None:
        return loading.shapes(checkpoint.path)
    found = headers.tensors(checkpoint)
    return None if found is None else {name: shape for name, (_, shape) in found.items()}
