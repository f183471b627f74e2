"""A sample of a checkpoint's weights, the same numbers at every step, by which steps are compared.

Rows of embeddings, biases, norms and pieces of matrices: a megabyte or two of a checkpoint, read
from its files where they lie, by ranges where that is on the Hub.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from neurotrace.checkpoints.headers import Entry, here, reader
from neurotrace.checkpoints.series import Checkpoint
from neurotrace.checkpoints.weights import torch_state

EMBEDDINGS = re.compile(r"(^|\.)(w[tp]e|shared|lm_head|embed\w*|\w*_embeddings?)(\.|$)")
NORMS = re.compile(r"norm|(^|\.)ln_?\w*\.", re.IGNORECASE)
ROWS, LENGTH = 8, 4096  # pieces of an embedding matrix, and numbers in each
SHORT, MATRIX = 1024, 2048  # numbers of a vector, and of any other matrix
FAR = 16  # vectors or matrices of a kind that are read over the network
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

CLOSE = 2**16  # bytes between two pieces that are cheaper to read than another request

Values = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Piece:
    """Some numbers of one tensor.

    Attributes
    ----------
    name
        The tensor.
    kind
        ``embeddings``, ``norms``, ``biases`` or ``matrices``.
    start, stop
        Positions in the flattened tensor.
    """

    name: str
    kind: str
    start: int
    stop: int

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape has these numbers."""
        return self.stop <= int(np.prod(shape))


Span = tuple[str, int, Piece, int]  # file, first byte, piece, bytes of one number


def plan(layouts: Sequence[Mapping[str, Entry]], *, far: bool = False) -> list[Piece]:
    """Which numbers are compared: of float tensors that all checkpoints have in the same shape.

    Parameters
    ----------
    layouts
        The tensors of each checkpoint.
    far
        For files on the Hub: fewer pieces, spread over the depth of the model.
    """
    if not layouts:
        return []
    first = layouts[0]
    common = [
        name
        for name, entry in first.items()
        if all(name in other and other[name].shape == entry.shape for other in layouts)
        and all(other[name].dtype in TYPES for other in layouts)
        and 0 not in entry.shape
    ]
    pieces = [piece for name in sorted(common) for piece in _pieces(name, first[name].shape)]
    if not far:
        return pieces
    chosen: list[Piece] = []
    for kind, group in groupby(sorted(pieces, key=lambda p: p.kind), key=lambda p: p.kind):
        of_kind = list(group)
        most = len(of_kind) if kind == "embeddings" else min(FAR, len(of_kind))
        chosen += [of_kind[at] for at in np.linspace(0, len(of_kind) - 1, most).round().astype(int)]
    return chosen


def values(checkpoint: Checkpoint, layout: Mapping[str, Entry], pieces: Sequence[Piece]) -> Values:
    """``(number,)`` for each kind, in the order of ``pieces``.

    Raises
    ------
    HubError
        When they are on the Hub and it does not answer.
    BrokenCheckpoint
        When the weights are not what their header says.
    """
    read_ = _torch(checkpoint, layout) if _only_torch(checkpoint, layout) else None
    raw = {} if read_ else _raw(checkpoint, layout, pieces)
    found: dict[str, list[NDArray[np.float32]]] = {}
    for piece in pieces:
        numbers = read_(piece) if read_ else floats(raw[piece], layout[piece.name].dtype)
        found.setdefault(piece.kind, []).append(numbers)
    return {kind: np.concatenate(parts) for kind, parts in found.items()}


def _only_torch(checkpoint: Checkpoint, layout: Mapping[str, Entry]) -> bool:
    return here(checkpoint) and any(entry.file.endswith(".bin") for entry in layout.values())


def _torch(
    checkpoint: Checkpoint, layout: Mapping[str, Entry]
) -> Callable[[Piece], NDArray[np.float32]]:
    files = {entry.file for entry in layout.values()}
    states = {file: torch_state(checkpoint.path / file) for file in files}

    def read(piece: Piece) -> NDArray[np.float32]:
        tensor = states[layout[piece.name].file][piece.name]
        numbers: NDArray[np.float32] = tensor.flatten()[piece.start : piece.stop].float().numpy()
        return numbers

    return read


def _raw(
    checkpoint: Checkpoint, layout: Mapping[str, Entry], pieces: Sequence[Piece]
) -> dict[Piece, bytes]:
    """The bytes of each piece; what lies close together in a file is read at once."""
    spans = []
    for piece in pieces:
        entry = layout[piece.name]
        size = np.dtype(TYPES[entry.dtype]).itemsize
        spans.append((entry.file, entry.start + piece.start * size, piece, size))
    found: dict[Piece, bytes] = {}
    for file, of_file in groupby(sorted(spans, key=lambda s: s[:2]), key=lambda s: s[0]):
        read = reader(checkpoint, file)
        for group in _close(list(of_file)):
            start = group[0][1]
            stop = max(at + (piece.stop - piece.start) * size for _, at, piece, size in group)
            content = read(start, stop)
            for _, at, piece, size in group:
                end = at - start + (piece.stop - piece.start) * size
                found[piece] = content[at - start : end]
    return found


def _close(spans: list[Span]) -> list[list[Span]]:
    """Spans in groups with at most ``CLOSE`` bytes between neighbours."""
    groups = [spans[:1]]
    for before, span in pairwise(spans):
        end = before[1] + (before[2].stop - before[2].start) * before[3]
        if span[1] - end > CLOSE:
            groups.append([])
        groups[-1].append(span)
    return groups


def floats(raw: bytes, dtype: str) -> NDArray[np.float32]:
    """Numbers of a safetensors type; a bfloat16 is the upper half of a float32."""
    bits = np.frombuffer(raw, dtype=TYPES[dtype])
    if dtype == "BF16":
        return (bits.astype(np.uint32) << 16).view(np.float32)
    return bits.astype(np.float32)


def distances(series: Sequence[Values]) -> dict[str, NDArray[np.float64]]:
    """For each kind ``(step, step)``: Euclidean distance between the checkpoints' numbers."""
    found = {}
    for kind in series[0] if series else ():
        numbers = np.stack([one[kind] for one in series]).astype(np.float64)
        # Around their mean, so that small steps of large weights keep their digits.
        gram = (numbers - numbers.mean(axis=0)) @ (numbers - numbers.mean(axis=0)).T
        square = np.diag(gram)[:, None] + np.diag(gram)[None] - 2 * gram
        np.fill_diagonal(square, 0)
        found[kind] = np.sqrt(np.maximum(square, 0))
    return found


def cosines(series: Sequence[Values]) -> NDArray[np.float64] | None:
    """``(step, step)`` cosines of embeddings and matrices; None where a model has neither.

    Their means are near zero, so that independent draws are at right angles.
    """
    kinds = [kind for kind in ("embeddings", "matrices") if series and kind in series[0]]
    if not kinds:
        return None
    gram: NDArray[np.float64] = np.zeros((len(series), len(series)))
    for kind in kinds:
        numbers = np.stack([one[kind] for one in series]).astype(np.float64)
        gram += numbers @ numbers.T / max(float(np.median(np.square(numbers).sum(axis=1))), 1e-300)
    norms = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    return np.asarray(gram / norms[:, None] / norms[None])


def drift(one: Values, other: Values) -> float:
    """Distance from one checkpoint to another as a share of the first one's norm."""
    moved = sum(float(np.square(other[k].astype(np.float64) - one[k]).sum()) for k in one)
    norm = sum(float(np.square(one[k].astype(np.float64)).sum()) for k in one)
    return float(np.sqrt(moved / norm)) if norm > 0 else np.nan


def _pieces(name: str, shape: tuple[int, ...]) -> list[Piece]:
    size = int(np.prod(shape))
    if len(shape) < 2:
        kind = "biases" if name.endswith("bias") else "norms" if NORMS.search(name) else "biases"
        return [Piece(name, kind, 0, min(size, SHORT))]
    if EMBEDDINGS.search(name):
        starts = np.linspace(0, size - LENGTH, ROWS).astype(int) if size > ROWS * LENGTH else [0]
        length = LENGTH if size > ROWS * LENGTH else size
        return [Piece(name, "embeddings", int(at), int(at) + length) for at in starts]
    length = min(MATRIX, size)
    at = (size - length) // 2
    return [Piece(name, "matrices", at, at + length)]
