"""LAPE's language-specific neurons, as its authors' code saves them with torch.

A ``.pth`` file holds nested lists: for each language, for each layer, a LongTensor of neurons
(github.com/RUCAIBox/Language-Specific-Neurons). It does not say which languages these are, nor how
wide the layers. And it does not even say how many languages there were: the code that writes it
leaves off those at the end that got no neuron, so a list of six may stem from seven languages. A
place in the list is a language only as far as the list goes, and only if the order is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LapeNeurons:
    """Which neurons of each layer are specific to each language.

    Attributes
    ----------
    languages
        Names, in the order of the list; "0", "1", … where none were given.
    neurons
        By language, by layer: (neuron,) indices within the layer, sorted.
    """

    languages: tuple[str, ...]
    neurons: tuple[tuple[NDArray[np.int64], ...], ...]

    @property
    def n_layers(self) -> int:
        return len(self.neurons[0])

    def mask(self, width: int) -> NDArray[np.bool_]:
        """As a mask: the form of `lape_neurons`, its neuron axis split into layers.

        Parameters
        ----------
        width
            Neurons of a layer, which the file does not say.

        Returns
        -------
        (lang, layer, neuron) bool

        Raises
        ------
        ValueError
            A neuron at `width` or beyond.
        """
        mask = np.zeros((len(self.languages), self.n_layers, width), bool)
        for at, layers in enumerate(self.neurons):
            for layer, neurons in enumerate(layers):
                if len(neurons) and neurons[-1] >= width:
                    raise ValueError(
                        f"got width={width}, expected more than {neurons[-1]}, "
                        f"a neuron of {self.languages[at]} in layer {layer}"
                    )
                mask[at, layer, neurons] = True
        return mask

    def table(self) -> "pd.DataFrame":
        """As a table: one row a language and neuron, with columns ``lang layer neuron``."""
        import pandas as pd

        sizes = np.array([[len(neurons) for neurons in layers] for layers in self.neurons])
        lang, layer = np.indices(sizes.shape).reshape(2, -1).repeat(sizes.ravel(), axis=1)
        flat = [neurons for layers in self.neurons for neurons in layers]
        names = np.array(self.languages, dtype=object)[lang].tolist()
        return pd.DataFrame({"lang": names, "layer": layer, "neuron": np.concatenate(flat)})


def read_lape(
    path: str | Path, *, languages: Sequence[str] | None = None, allow_shorter: bool = False
) -> LapeNeurons:
    """Read the nested lists that LAPE saves: for each language and layer, its neurons.

    The file is loaded with ``weights_only``: tensors and lists, and nothing that runs code.

    Parameters
    ----------
    path
        Of the ``.pth`` file. Needs torch.
    languages
        Names in the order in which the rates were stacked, all of them. Without names a language
        is its place in the list, and whether the last ones are missing cannot be seen.
    allow_shorter
        Accept a list shorter than `languages`: the last ones had no neuron, and get none here.

    Raises
    ------
    FileNotFoundError
        No such file.
    ImportError
        torch is not installed.
    ValueError
        Beginning with the file's name: another content, a file that would run code, a list that
        is shorter than `languages` (unless allowed) or longer.

    References
    ----------
    Tang et al. 2024, "Language-specific neurons", arXiv:2402.16438; here a language keeps its
    place even where it has no neuron.
    """
    path = Path(path)
    found = _nested(_load(path), path.name)
    if languages is None:
        return LapeNeurons(tuple(str(at) for at in range(len(found))), found)
    names = tuple(languages)
    missing = len(names) - len(found)
    if len(set(names)) < len(names):
        raise ValueError(f"got languages {', '.join(names):.200}, expected each once")
    if missing < 0 or (missing and not allow_shorter):
        raise ValueError(f"{path.name}: {_lengths(names, len(found))}")
    nobody = tuple(np.empty(0, np.int64) for _ in found[0])
    return LapeNeurons(names, found + (nobody,) * missing)


def _lengths(names: tuple[str, ...], n_lists: int) -> str:
    said = f"got lists of {n_lists} languages, expected {len(names)} ({', '.join(names):.200})"
    if n_lists > len(names):
        return said
    last = ", ".join(names[n_lists:])
    return (
        f"{said}; LAPE leaves off the last languages where they have no neuron, "
        f"and allow_shorter=True reads it so ({last:.200})"
    )


def _load(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"got {path}, expected a file")
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # Damaged files raise whatever the unpickler stumbles over: KeyError, EOFError, …
        raise ValueError(
            f"{path.name}: got a file that torch does not load safely (damaged, or with objects "
            "that run code when loaded), expected lists of tensors"
        ) from None


def _nested(value: Any, where: str) -> tuple[tuple[NDArray[np.int64], ...], ...]:
    """By language, by layer: sorted indices; refused where anything else is found."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"{where}: got {_kind(value)}, expected a list of languages")
    found = []
    for lang, layers in enumerate(value):
        if not isinstance(layers, (list, tuple)) or not layers:
            raise ValueError(f"{where}: language {lang}: got {_kind(layers)}, expected its layers")
        if len(layers) != len(value[0]):
            raise ValueError(
                f"{where}: language {lang}: got {len(layers)} layers, expected {len(value[0])}, "
                "as the first language has"
            )
        found.append(
            tuple(
                _indices(neurons, f"{where}: language {lang}, layer {layer}")
                for layer, neurons in enumerate(layers)
            )
        )
    return tuple(found)


def _indices(neurons: Any, where: str) -> NDArray[np.int64]:
    import torch

    whole = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
    plain = torch.is_tensor(neurons) and neurons.layout is torch.strided and neurons.ndim == 1
    if not plain or neurons.dtype not in whole:
        raise ValueError(f"{where}: got {_kind(neurons)}, expected a tensor of neuron indices")
    indices = np.sort(neurons.numpy().astype(np.int64))
    if len(indices) and (indices[0] < 0 or (np.diff(indices) == 0).any()):
        raise ValueError(f"{where}: got an index below 0 or twice, expected each neuron once")
    return indices


def _kind(value: Any) -> str:
    """What was found, in a few words."""
    if hasattr(value, "dtype"):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r:.60}"
