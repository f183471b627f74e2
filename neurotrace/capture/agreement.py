"""What the checkpoints of one series must agree in before any is captured."""

from collections.abc import Sequence

from neurotrace.capture import loading
from neurotrace.checkpoints import Checkpoint


def refuse_disorder(series: Sequence[Checkpoint]) -> None:
    """Refuse an empty series, and one whose steps are not in order, each once."""
    if not series:
        raise ValueError("got no checkpoint; expected at least one")
    keys = [(checkpoint.stage, checkpoint.step) for checkpoint in series]
    if sorted(set(keys)) != keys:
        labels = ", ".join(checkpoint.label for checkpoint in series)
        raise ValueError(f"got checkpoints {labels}; expected each step once, in order")


def refuse_other_shapes(series: Sequence[Checkpoint]) -> None:
    """Refuse series whose tensors change their names or shapes; only headers are read."""
    first = loading.shapes(series[0].path)
    for checkpoint in series[1:]:
        shapes = loading.shapes(checkpoint.path)
        differing = sorted(n for n in first.keys() | shapes.keys() if first.get(n) != shapes.get(n))
        if differing:
            name = differing[0]
            raise ValueError(
                f"{series[0].label} and {checkpoint.label} are of different shapes: {name} is "
                f"{first.get(name, 'absent')} and {shapes.get(name, 'absent')}"
            )
