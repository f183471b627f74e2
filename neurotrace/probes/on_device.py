"""Average precision and AUROC where a tensor lies: torch on its device, equal to the NumPy path.

`average_precision`, `auroc` and `average_precision_halves` come here by themselves with tensors on
a CUDA device; responses that are there for other reasons are then never copied. Tensors in main
memory stay with the compiled walks, which are faster there. Ties are exact, counts are whole
numbers, and what is divided and summed is float64: only the order of the sums differs.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from neurotrace.probes.inputs import not_finite
from neurotrace.probes.labels import Labels
from neurotrace.probes.ranking import check_halves

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 1 << 26  # entries of one block of neurons: some 4 GB while it is scored


class _Sorted(NamedTuple):
    """Sentences by falling value, (neuron, example): which, and where tie groups close."""

    order: "Tensor"
    closes: "Tensor"


def scores(
    X: "Tensor", y: ArrayLike, *, precision: bool, at_once: int = AT_ONCE
) -> NDArray[np.float64]:
    """Average precision, or AUROC, of every neuron for every concept.

    Parameters
    ----------
    X : (example, neuron) tensor on any device, finite
    y : (example,) or (example, concept)
        Bool, or 1 positive, 0 negative, -1 unknown (left out for that concept).
    precision
        True for average precision, False for AUROC.
    at_once
        Entries of X handled together: bounds the memory on the device.

    Returns
    -------
    (neuron,) or (concept, neuron) in main memory, within 1e-12 of the scores of NumPy arrays

    Raises
    ------
    ValueError
        As `average_precision` and `auroc`.
    """
    _check_tensor(X)
    labels = Labels.of(y, len(X))
    labels.check_classes(None, negatives=not precision)
    everyone = np.ones((1, len(X)), bool)
    found = np.empty((1, labels.n_concepts, X.shape[1]))
    _fill(found, X, labels, everyone, precision=precision, at_once=at_once)
    return labels.shaped(found[0])


def halves(
    X: "Tensor",
    y: ArrayLike,
    in_a: ArrayLike,
    *,
    precision: bool = True,
    dtype: DTypeLike = np.float32,
    at_once: int = AT_ONCE,
) -> NDArray[np.floating]:
    """Average precision, or AUROC, inside each half of many splits: one sort of each neuron.

    Parameters
    ----------
    X, y, precision, at_once : as for `scores`
    in_a : (split, example) bool
        True puts the sentence in half A, False in half B.
    dtype
        Of the result.

    Returns
    -------
    (split, 2, concept, neuron) in main memory

    Raises
    ------
    ValueError
        As `average_precision_halves`.
    """
    _check_tensor(X)
    sides = check_halves(in_a, len(X))
    labels = Labels.of(y, len(X))
    labels.check_classes(sides, negatives=not precision)
    parts = np.stack([sides, ~sides], axis=1)
    found = np.empty((*parts.shape[:2], labels.n_concepts, X.shape[1]), dtype)
    flat = found.reshape(-1, *found.shape[2:])
    _fill(flat, X, labels, parts.reshape(-1, len(X)), precision=precision, at_once=at_once)
    return found


def _fill(
    found: NDArray[np.floating],
    X: "Tensor",
    labels: Labels,
    parts: NDArray[np.bool_],
    *,
    precision: bool,
    at_once: int,
) -> None:
    """Scores (part, concept, neuron) inside each part of the sentences."""
    import torch

    X = X.detach()
    score = _precision if precision else _mean_rank
    for pattern in labels.patterns:
        known = np.flatnonzero(~pattern.left_out)
        positive = labels.positive[np.ix_(known, pattern.members)]
        rows = X if len(known) == len(X) else X[torch.as_tensor(known, device=X.device)]
        step = max(1, at_once // len(rows))
        for first in range(0, X.shape[1], step):
            block = _sort(rows[:, first : first + step], first)
            for number, part in enumerate(parts[:, known]):
                reached = _down_to(block, torch.as_tensor(part, device=X.device))
                for concepts, table in _tables(positive & part[:, None], 4 * len(rows)):
                    places = torch.as_tensor(table, device=X.device)
                    values = score(block, reached, places, int(part.sum()))
                    members = pattern.members[concepts]
                    found[number, members, first : first + len(values)] = values.T.cpu().numpy()


def _check_tensor(X: "Tensor") -> None:
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"got X of shape {tuple(X.shape)}, expected a non-empty (example, neuron) matrix"
        )
    if X.is_complex():
        raise ValueError(f"got X of dtype {X.dtype}, expected floating, integer or bool")


def _sort(X: "Tensor", first: int) -> _Sorted:
    """Order the columns of X; `first` is the name of column 0 in errors."""
    import torch

    values = X.T.contiguous()
    if values.is_floating_point():
        bad = (~torch.isfinite(values)).any(1)
        if bool(bad.any()):
            raise not_finite(first + int(bad.int().argmax()))
        # A sort by bits, as on some devices, would part the two zeros: this adds up to one of them.
        values = values + 0.0
    elif values.dtype == torch.bool:
        values = values.to(torch.uint8)
    ranked, order = values.sort(dim=1, descending=True)
    closes = torch.ones_like(order, dtype=torch.bool)
    closes[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    return _Sorted(order, closes)


def _down_to(block: _Sorted, part: "Tensor") -> "Tensor":
    """Sentences of a part down to the end of each tie group, (neuron, place in the order)."""
    import torch

    counted = torch.cumsum(part[block.order], dim=1, dtype=torch.int32)
    # Counts never fall, so the next close holds the least of all that follow.
    later = torch.where(block.closes, counted, len(part) + 1).flip(1)
    return later.cummin(dim=1).values.flip(1)


def _tables(
    positive: NDArray[np.bool_], most: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Concepts of like size, and their positives (concept, place) filled up with `example`.

    Parameters
    ----------
    positive : (example, concept)
    most
        Entries of a table, unless one concept alone has more.
    """
    sizes = positive.sum(0)
    rising = np.argsort(sizes, kind="stable")
    first = 0
    while first < len(rising):
        last = first + 1
        while last < len(rising) and (last + 1 - first) * sizes[rising[last]] <= most:
            last += 1
        concepts = rising[first:last]
        table = np.full((len(concepts), int(sizes[concepts[-1]])), len(positive))
        for row, concept in zip(table, concepts, strict=True):
            own = np.flatnonzero(positive[:, concept])
            row[: len(own)] = own
        yield concepts, table
        first = last


def _by_sentence(block: _Sorted, values: "Tensor", filling: int) -> "Tensor":
    """Values by place in the order → by sentence, and one column more for what fills a table."""
    import torch

    n_neurons, n = values.shape
    found = torch.full((n_neurons, n + 1), filling, dtype=values.dtype, device=values.device)
    return found.scatter_(1, block.order, values)


def _precision(block: _Sorted, reached: "Tensor", places: "Tensor", size: int) -> "Tensor":
    """(neuron, concept): mean over positives of positives reached by sentences reached."""
    import torch

    n = reached.shape[1]
    counts = _by_sentence(block, reached, n + 1)[:, places]  # beyond every count: sorted to the end
    counts = counts.sort(dim=-1).values
    positives = torch.searchsorted(counts, counts, right=True)
    filled = counts > size
    shares = torch.where(filled, 0.0, positives.double() / counts.double())
    return shares.sum(-1) / (~filled).sum(-1)


def _mean_rank(block: _Sorted, reached: "Tensor", places: "Tensor", size: int) -> "Tensor":
    """(neuron, concept): Mann and Whitney's U from the positives' falling mid-ranks."""
    import torch

    before = torch.zeros_like(reached)
    # What was reached before a group is what the group above it reached.
    before[:, 1:] = torch.where(block.closes[:, :-1], reached[:, :-1], 0).cummax(dim=1).values
    twice = _by_sentence(block, reached.long() + before + 1, 0)[:, places].sum(-1)
    positives = (places < reached.shape[1]).sum(-1)
    pairs = positives * (size - positives)
    below = 0.5 * (positives * (positives + 1) - twice).double()
    return (pairs + below) / pairs


def lies_on_device(X: Any) -> bool:
    """Whether X is a tensor on a CUDA device, by its attributes: torch is not imported to ask."""
    return bool(getattr(X, "is_cuda", False)) and hasattr(X, "detach")
