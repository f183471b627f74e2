"""Reading captured activations. Needs no torch, no model and no transformers."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.store import layout, match
from neurotrace.store.layout import Key
from neurotrace.store.mapping import over_steps
from neurotrace.store.repair import refuse_damaged, verify_once
from neurotrace.store.sums import dataset_names

Step = int | tuple[int, int]  # step, or (stage, step) where a step occurs in several stages


class ActivationStore:
    """One run's captured activations, over the steps of one training run.

    Use :meth:`open`. Only whole files are seen: a file under its final name is complete.

    Attributes
    ----------
    path
        The run's folder, or the one file of a store such as the twin's.
    checkpoints
        One row a file, in order of (stage, step): ``index step stage tokens model revision
        weight_hash file``.
    """

    def __init__(self, path: Path, files: Sequence[Path]):
        self.path = path
        self.parts: Any = None
        self._labels: dict[str, dict[str, NDArray]] = {}
        headers = [match.read_header(file) for file in files]
        order = sorted(range(len(files)), key=lambda i: match.key_of(headers[i]))
        self._files = [files[i] for i in order]
        self._headers = [headers[i] for i in order]
        match.refuse_mixture(dict(zip([f.name for f in self._files], self._headers, strict=True)))
        # Stage before step: two stages may both have a step 0.
        rows = [match.row_of(*pair) for pair in zip(self._headers, self._files, strict=True)]
        self.checkpoints = pd.DataFrame(rows)

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = False) -> "ActivationStore":
        """Open a run's folder, or one file.

        Parameters
        ----------
        verify
            Read every value of every file against its checksum first.

        Raises
        ------
        StoreDamaged
            When a file is truncated, is not ours, or (with ``verify``) was harmed since it was
            written, naming it.
        FileNotFoundError
            When there is no whole file.
        StoreMismatch
            When the files of a folder were captured with other concepts, tokenizer, BOS policy
            or type, naming what differs.
        """
        path = Path(path)
        files = [path] if path.is_file() else sorted(path.glob("[0-9]*_*.h5"))
        if not files:
            raise FileNotFoundError(
                f"got {str(path)!r} without captured checkpoints; expected files like "
                "0007_step512.h5"
            )
        for file in files if verify else ():
            refuse_damaged(file)
        return cls(path, files)

    @property
    def steps(self) -> list[int]:
        """Optimiser updates, in order; a step may stand twice where there are stages."""
        return [int(step) for step in self.checkpoints["step"]]

    @cached_property
    def paths(self) -> list[str]:
        """Captured paths such as ``mlp.hook_post/max``."""
        return sorted({path for path, _ in self._datasets})

    @cached_property
    def layers(self) -> list[int]:
        """Blocks, counted from 0."""
        return sorted({layer for _, layer in self._datasets if layer is not None})

    @cached_property
    def languages(self) -> list[str]:
        """Language codes, in set order."""
        return [str(name) for name in self._column("languages")]

    @cached_property
    def concepts(self) -> list[str]:
        """Concept names: the columns of :attr:`labels`."""
        return [str(name) for name in self._column("concepts")]

    @cached_property
    def labels(self) -> NDArray[np.int8]:
        """``(example, concept)``: 1 carries the concept, 0 does not, -1 unknown."""
        return self._column("labels")

    @cached_property
    def examples(self) -> pd.DataFrame:
        """One row a sentence: ``group lang n_tokens text_hash lexical``, the last saying whether
        the concept's word occurs; ``n_tokens`` counts those pooled."""
        return self._table("examples")

    @cached_property
    def tokens(self) -> pd.DataFrame | None:
        """The drawn tokens, rows of the ``…/tokens`` paths: ``example position id word lang kind``.

        None where no such path was captured. ``kind`` is ``whole`` (a word of its own),
        ``continuation`` (part of a longer word) or ``byte`` (part of a character).
        """
        return self._table("tokens")

    @cached_property
    def words(self) -> pd.DataFrame | None:
        """The drawn words, rows of the ``…/words`` paths: ``example position stop word lang``.

        None where no such path was captured. A word's tokens are those from ``position`` to before
        ``stop``; ``word`` is its text, lower-cased.
        """
        return self._table("words")

    @cached_property
    def twin(self) -> "ActivationStore | None":
        """The re-initialised model's store, where it was captured; never among the steps."""
        file = self.path / match.TWIN
        return ActivationStore.open(file) if self.path.is_dir() and file.is_file() else None

    def read(
        self,
        step: Step,
        layer: int | None,
        path: str = "mlp.hook_post/max",
        *,
        rows: Sequence[int] | NDArray | slice | None = None,
        columns: slice | None = None,
    ) -> xr.DataArray:
        """Values of one step and layer, as they are stored.

        Parameters
        ----------
        step
            Optimiser updates, or (stage, step).
        layer
            Block, counted from 0; None for the site ``embed``, which is no layer.
        rows
            Sentences (drawn tokens, words) to read: indices, a mask, or a slice; all by default.
        columns
            A range of neurons or features, all by default.

        Returns
        -------
        ``(example, neuron)``; ``feature`` instead of ``neuron`` for states, ``token`` instead of
        ``example`` for ``…/tokens`` and ``…/words``. Coordinates ``step stage layer``, and ``lang``
        and ``group`` (or the columns of the drawn tokens or words) along the rows.

        Raises
        ------
        KeyError
            For a step, layer or path that was not captured, listing those that were.
        StoreDamaged
            When everything is read and does not agree with its checksums.
        NotKept
            (a ValueError) For a path that was captured, scored and not kept.
        """
        number = self._index(step)
        name = self._name(path, layer)
        chosen = layout.selection(rows)
        self._refuse_not_kept(number, path)
        with layout.reading(self._files[number]) as h5:
            values = layout.take(h5[name], chosen, columns or slice(None))
            if rows is columns is None:
                verify_once(self._files[number], h5, name, values)
        coords = self._coords(number, layer, path, chosen)
        return xr.DataArray(values, dims=layout.dims(path), coords=coords, name=path)

    def verify(self, step: Step, layer: int | None, path: str = "mlp.hook_post/max") -> None:
        """Hold one layer's values against their checksums, before they are read in parts.

        Once a process; memory does not grow with the sentences.

        Raises
        ------
        KeyError, StoreDamaged, NotKept
            As :meth:`read`.
        """
        number, name = self._index(step), self._name(path, layer)
        self._refuse_not_kept(number, path)
        with layout.reading(self._files[number]) as h5:
            verify_once(self._files[number], h5, name)

    def header(self, step: Step) -> dict[str, Any]:
        """Root attributes of a step's file: the provenance of its numbers."""
        return dict(self._headers[self._index(step)])

    def loss(self, step: Step) -> pd.DataFrame | None:
        """Loss of the sampled sentences: ``example``, ``nats`` a token, ``n_tokens``."""
        with layout.reading(self._files[self._index(step)]) as h5:
            return layout.read_table(h5, "loss") if "loss" in h5 else None

    def width(self, path: str) -> list[int]:
        """Neurons or features of each layer (one number for ``embed``)."""
        return [self._datasets[key] for key in self._keys(path)]

    def held(self, path: str) -> bool:
        """Whether the values of a path are still there, at every step.

        Raises
        ------
        KeyError
            For a path that was not captured.
        """
        self._keys(path)
        return all(layout.keeps(match.kept_of(header), path) for header in self._headers)

    def map(
        self,
        fn: Callable[[NDArray, pd.DataFrame], Any],
        path: str,
        *,
        groups: Collection[str] | None = None,
    ) -> xr.DataArray:
        """Apply a function to every step and layer, keeping ``step`` and ``layer`` as axes.

        Parameters
        ----------
        fn
            Takes ``X`` (example, neuron) and the examples' table; returns a number, one number a
            neuron, or a DataArray.
        groups
            Only the sentences of these groups.

        Returns
        -------
        ``(step, layer, …)``, with ``stage`` and ``tokens`` beside ``step``; without ``layer`` for
        the site ``embed``.
        """
        layers = [layer for _, layer in self._keys(path)]
        return over_steps(self, fn, path, layers=layers, groups=groups)

    @cached_property
    def _datasets(self) -> dict[Key, int]:
        """Width of every dataset, from the names listed beside the checksums."""
        with layout.reading(self._files[0]) as h5:
            keys = [layout.parse(name) for name in dataset_names(h5)]
            return dict(zip(keys, layout.widths(h5), strict=True))

    def _keys(self, path: str) -> list[Key]:
        """The datasets of a path, by layer."""
        if path not in self.paths:
            raise KeyError(f"got path {path!r}; valid are {', '.join(self.paths)}")
        keys = [key for key in self._datasets if key[0] == path]
        return sorted(keys, key=lambda key: -1 if key[1] is None else key[1])

    def _refuse_not_kept(self, number: int, path: str) -> None:
        file, header = self._files[number], self._headers[number]
        match.refuse_not_kept(header, path, file=file, paths=self.paths)

    def _name(self, path: str, layer: int | None) -> str:
        valid = [key[1] for key in self._keys(path)]
        if layer not in valid:
            raise KeyError(f"got layer {layer} of {path}; valid are {', '.join(map(str, valid))}")
        return layout.dataset_name(path, layer)

    def _index(self, step: Step) -> int:
        """Number of a step's file in :attr:`checkpoints`."""
        keys = [match.key_of(header) for header in self._headers]
        stage, wanted = step if isinstance(step, tuple) else (None, step)
        found = [i for i, key in enumerate(keys) if key[1] == wanted and stage in (None, key[0])]
        if len(found) == 1:
            return found[0]
        if found:
            stages = ", ".join(str(keys[i]) for i in found)
            raise KeyError(f"got step {step}, which several stages have; valid are {stages}")
        steps = ", ".join(map(str, self.steps))
        raise KeyError(f"got step {step}; the store has {steps}")

    def _table(self, name: str) -> Any:
        with layout.reading(self._files[0]) as h5:
            return layout.read_table(h5, name) if name in h5 else None

    def _column(self, name: str) -> NDArray:
        with layout.reading(self._files[0]) as h5:
            return layout.read_column(h5[name])

    def _coords(
        self, number: int, layer: int | None, path: str, chosen: NDArray | slice
    ) -> dict[str, Any]:
        stage, step = match.key_of(self._headers[number])
        coords: dict[str, Any] = {"step": step, "stage": stage}
        if layer is not None:
            coords["layer"] = layer
        for name, values in self._labels_of(layout.table_of(path)).items():
            coords[name] = (layout.dims(path)[0], values[chosen])
        return coords

    def _labels_of(self, name: str) -> dict[str, NDArray]:
        """What is said of every row beside its values; turned to arrays once, not at each read."""
        if name not in self._labels:
            table = getattr(self, name)
            columns = ("lang", "group") if name == "examples" else table.columns
            self._labels[name] = {str(column): table[column].to_numpy() for column in columns}
        return self._labels[name]

    def __repr__(self) -> str:
        return (
            f"ActivationStore({self.path.name}: {len(self._files)} checkpoints, "
            f"{len(self.layers)} layers, {len(self.examples)} sentences, {', '.join(self.paths)})"
        )
