"""NeuroX's activations: one array a sentence, in HDF5 or JSON lines, and what pooling makes of it.

NeuroX (github.com/fdalvi/NeuroX) keeps every token: ``.hdf5`` files hold a dataset (layer, token,
neuron) for each sentence, named "0", "1", …, and ``sentence_to_index``, which is written last;
``.json`` files hold one sentence a line, rounded to eight decimals.

Layers count from 0 in the order of the file. Where NeuroX saved all layers of a transformer, 0 is
the embedding output and layer b + 1 is block b; where it saved some (``filter_layers``, a file a
layer), the file does not say which.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import h5py
    import pandas as pd

HDF5, JSON_LINES = (".hdf5", ".h5"), (".json", ".jsonl")
TEXTS = "sentence_to_index"
AGAIN = re.compile(r"(.*) \(Occurrence \d+\)", re.DOTALL)  # NeuroX's mark on a repeated sentence

Pool = Literal["max", "mean"]


class NeuroxActivations(NamedTuple):
    """Every token of every sentence.

    Attributes
    ----------
    activations : one (layer, token, neuron) array a sentence
    sentences : their tokens, joined by blanks
    numbers : (example,) NeuroX's number of each sentence, rising: the line of the text it read
    """

    activations: list[NDArray[Any]]
    sentences: list[str]
    numbers: NDArray[np.int64]


class PooledSentences(NamedTuple):
    """One row a sentence, ready for every score and probe.

    Attributes
    ----------
    X : (example, neuron), layer after layer
    neurons : DataFrame with columns ``layer neuron``, a row for each column of X
    sentences : their tokens, joined by blanks
    numbers : (example,) NeuroX's number of each sentence; ``labels[numbers]`` are those of the rows
    """

    X: NDArray[np.floating]
    neurons: "pd.DataFrame"
    sentences: list[str]
    numbers: NDArray[np.int64]


class _Sentence(NamedTuple):
    number: int
    text: str
    values: NDArray[Any]  # (layer, token, neuron)


def read_neurox(path: str | Path) -> NeuroxActivations:
    """Read NeuroX's activations: everything, so the file has to fit into memory.

    Sentences come in the order of their numbers, not in that of the file, where 10 stands before
    2. Numbers may have gaps.

    Parameters
    ----------
    path
        ``.hdf5`` or ``.h5``; ``.json`` or ``.jsonl`` for JSON lines.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Beginning with the file's name, and the sentence or line: damaged or unfinished files,
        other content, sentences of different layers or widths, NaN or infinity.

    References
    ----------
    Dalvi et al. 2023, "NeuroX library for neuron analysis of deep NLP models", arXiv:2305.17073;
    here the layers of a token stay apart instead of being joined into one row.
    """
    read = sorted(_checked(Path(path)), key=lambda sentence: sentence.number)
    numbers = np.array([sentence.number for sentence in read])
    texts = [sentence.text for sentence in read]
    return NeuroxActivations([sentence.values for sentence in read], texts, numbers)


def pool_neurox(path: str | Path, *, how: Pool = "max") -> PooledSentences:
    """Read NeuroX's activations into one row a sentence, holding one sentence at a time.

    All tokens in the file take part. NeuroX leaves special tokens out unless told otherwise; the
    first token of a sentence, in many models by far the largest, is in it.

    Eats `token`, joins `layer` and `neuron`.

    Parameters
    ----------
    path
        As in `read_neurox`.
    how
        "max" or "mean" over the tokens of a sentence.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_neurox`, a sentence without tokens, or another `how`.
    """
    if how not in ("max", "mean"):
        raise ValueError(f"got how={how!r}, valid are 'max', 'mean'")
    rows, shape = [], (0, 0)
    for sentence in _checked(Path(path)):
        if not sentence.values.shape[1]:
            raise ValueError(
                f"{Path(path).name}: sentence {sentence.number}: got no token, expected at least 1"
            )
        shape = (sentence.values.shape[0], sentence.values.shape[2])
        rows.append((sentence.number, sentence.text, _pooled(sentence.values, how)))
    rows.sort(key=lambda row: row[0])
    X = np.stack([values for _, _, values in rows])
    numbers = np.array([number for number, _, _ in rows])
    return PooledSentences(X, _columns(*shape), [text for _, text, _ in rows], numbers)


def _pooled(values: NDArray[Any], how: Pool) -> NDArray[np.floating]:
    """(layer, token, neuron) to one row, layer after layer; float32 unless the file has more."""
    kind = np.result_type(values.dtype, np.float32)
    if how == "max":
        return values.max(axis=1).ravel().astype(kind)
    return values.mean(axis=1, dtype=np.float64).ravel().astype(kind)


def _columns(n_layers: int, width: int) -> "pd.DataFrame":
    import pandas as pd

    layer, neuron = np.indices((n_layers, width)).reshape(2, -1)
    return pd.DataFrame({"layer": layer, "neuron": neuron})


def _checked(path: Path) -> Iterator[_Sentence]:
    """Sentences in the order of the file, all of one number of layers and one width."""
    if not path.is_file():
        raise FileNotFoundError(f"got {path}, expected a file")
    if path.suffix.lower() not in (*HDF5, *JSON_LINES):
        raise ValueError(
            f"{path.name}: got ending {path.suffix!r}, valid are {', '.join((*HDF5, *JSON_LINES))}"
        )
    sentences = _hdf5(path) if path.suffix.lower() in HDF5 else _json_lines(path)
    first: tuple[int, int] | None = None
    met: set[int] = set()
    for sentence in sentences:
        where = f"{path.name}: sentence {sentence.number}"
        shape = (sentence.values.shape[0], sentence.values.shape[2])
        first = first or shape
        if shape != first or 0 in shape:
            raise ValueError(f"{where}: got {_layers(shape)}, expected {_layers(first)}")
        if sentence.number in met:
            raise ValueError(f"{where}: got a second one of this number, expected each once")
        if not np.isfinite(sentence.values).all():
            raise ValueError(f"{where}: got NaN or infinity, expected finite activations")
        met.add(sentence.number)
        yield sentence
    if first is None:
        raise ValueError(f"{path.name}: got no sentence, expected at least 1")


def _layers(shape: tuple[int, int]) -> str:
    return f"{shape[0]} layers of {shape[1]} neurons"


def _hdf5(path: Path) -> Iterator[_Sentence]:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError:
        raise ValueError(f"{path.name}: got a damaged file or no HDF5, expected HDF5") from None
    with file:
        texts = _texts(file, path.name)
        for marked, key in texts.items():
            again = AGAIN.fullmatch(marked)
            text = again[1] if again and again[1] in texts else marked
            where = f"{path.name}: sentence {key}"
            data = file.get(key)
            if not isinstance(data, h5py.Dataset) or data.ndim != 3 or data.dtype.kind not in "fiu":
                raise ValueError(f"{where}: got {data}, expected numbers (layer, token, neuron)")
            try:
                yield _Sentence(int(key), text, data[()])
            except OSError:
                raise ValueError(f"{where}: got damaged data, expected a whole file") from None


def _texts(file: "h5py.File", where: str) -> dict[str, str]:
    """Sentence to the name of its dataset, every dataset once."""
    if TEXTS not in file:
        raise ValueError(
            f"{where}: got no {TEXTS!r}, which NeuroX writes last, expected a finished file"
        )
    try:
        named = json.loads(file[TEXTS].asstr()[0])
        keys = {text: str(int(key)) for text, key in named.items()}
    except (AttributeError, TypeError, ValueError, IndexError, OSError):
        raise ValueError(
            f"{where}: got a {TEXTS!r} of another kind, expected JSON of sentences to numbers"
        ) from None
    datasets = set(file) - {TEXTS}
    if sorted(keys.values()) != sorted(datasets):
        raise ValueError(
            f"{where}: got {len(datasets)} datasets and {len(keys)} sentences, "
            f"expected {TEXTS!r} to name each dataset once"
        )
    return keys


def _json_lines(path: Path) -> Iterator[_Sentence]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parsed(line, f"{path.name}: line {number}")


def _parsed(line: bytes, where: str) -> _Sentence:
    """One line: ``linex_index`` and ``features``, each a token with its layers."""
    try:
        record = json.loads(line)
        tokens = record["features"]
        text = " ".join(token["token"] for token in tokens)
        orders = {tuple(layer["index"] for layer in token["layers"]) for token in tokens}
        values = np.array(
            [[layer["values"] for layer in token["layers"]] for token in tokens], dtype=np.float64
        )
        number = int(record["linex_index"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(
            f"{where}: got another content, expected linex_index and features, "
            "each a token with layers of index and values, as many in every token"
        ) from None
    if not tokens:
        raise ValueError(f"{where}: got no token, expected at least 1")
    if values.ndim != 3 or len(orders) != 1:
        raise ValueError(f"{where}: got tokens of different layers, expected the same in each")
    return _Sentence(number, text, values.swapaxes(0, 1))
