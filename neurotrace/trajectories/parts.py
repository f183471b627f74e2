"""What scoring keeps of each checkpoint, so that a trace is finished without its activations.

    RUN/scores/0007_step512.h5    a group for each part, NAME/DIGEST; the digest is of its settings
    RUN/scores/0007_step512/      parts that were finished since, one file each, same groups
    RUN/scores/twin.h5, twin/     the same of the re-initialised twin

A part depends on one checkpoint and its settings, never on the series. Every variable is a plain
dataset; attributes of the group: ``settings`` and ``layout`` (axes and types) as JSON,
``checkpoint``, a digest of what the activations were. Of use to others are

``experts`` (concept, lang, half, rank): ``layer``, ``neuron`` and ``held_out``, the experts of the
first split, best first; ``held_out`` is their average precision on the other half in units of
1/4000. ``gaps`` (split, lang, half, concept, k): the sets of the further splits, sorted, as steps
from one flat neuron number to the next, the first from −1.
``histogram`` (layer, lang, bin): neurons by average precision, over both halves of the first split
and all concepts, in 200 bins from 0 to 1, the last with its right edge.

They are written under another name and renamed, so that any number of processes may work on one
run: a part is whole or is not there.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from neurotrace.runner.leases import LeaseLost, try_hold
from neurotrace.store import ActivationStore
from neurotrace.store.replacing import replacing
from neurotrace.trajectories import part_files
from neurotrace.trajectories.result_files import guard

Step = int | tuple[int, int]
FOLDER = "scores"
DONE = "done_"  # before the name of a unit, in the name of the empty part that says so
TWIN = "twin"
FORMAT = 1  # a part of another format is computed again
# What must be the same for scores to be of these activations.
OF = ("model", "weight_hash", "concepts", "tokenizer_hash", "bos", "dtype", "stage", "step")


@dataclass(frozen=True)
class Part:
    """The name of a part and, as JSON, the settings that decide its values."""

    name: str
    settings: str = "{}"

    @classmethod
    def of(cls, name: str, settings: Mapping[str, object]) -> "Part":
        """Name a part by settings that JSON can hold."""
        return cls(name, json.dumps(dict(settings), sort_keys=True, default=_plain))

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(f"{FORMAT} {self.settings}".encode()).hexdigest()[:8]

    @property
    def group(self) -> str:
        return f"{self.name}/{self.digest}"


Named = Part | str


class Parts:
    """The parts of one run's checkpoints. Make it with :meth:`of`, or :func:`attach`.

    Attributes
    ----------
    folder
        ``RUN/scores``.
    """

    def __init__(self, folder: Path, stems: Mapping[tuple[int, int], tuple[str, str]]) -> None:
        self.folder = folder
        self._stems = dict(stems)

    @classmethod
    def of(cls, store: ActivationStore, folder: Path, *, stem: str | None = None) -> "Parts":
        """Parts of a store's checkpoints, in files named after the store's own, or ``stem``."""
        stems = {}
        table = store.checkpoints
        for stage, step, file in zip(table["stage"], table["step"], table["file"], strict=True):
            key = int(stage), int(step)
            header = store.header(key)
            told = json.dumps([header.get(name) for name in OF], default=_plain)
            identity = hashlib.sha256(told.encode()).hexdigest()[:16]
            stems[key] = stem or Path(str(file)).stem, identity
        return cls(folder, stems)

    def get(self, step: Step, name: Named, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
        """A part: read where it is kept, computed and kept where it is not."""
        return self.together(step, [name], lambda: [compute()])[0]

    def together(
        self, step: Step, names: Sequence[Named], compute: Callable[[], Sequence[xr.Dataset]]
    ) -> list[xr.Dataset]:
        """Several parts that one computation gives, in their order."""
        key, parts = self._key(step), [_named(name) for name in names]
        found = [self._read(key, part) for part in parts]
        if any(one is None for one in found):
            for part, dataset in zip(parts, compute(), strict=True):
                self._write(key, part, dataset)
            found = [self._read(key, part) for part in parts]
        return [_there(one, part) for one, part in zip(found, parts, strict=True)]

    def missing(self, step: Step, names: Iterable[Named]) -> list[str]:
        """Those of the parts, by name, that are not kept of a checkpoint."""
        key = self._key(step)
        parts = [_named(name) for name in names]
        return [part.name for part in parts if self._read(key, part, look=True) is None]

    def fold(self, step: Step) -> Path:
        """Gather the parts of one checkpoint in its one file, which is returned.

        Readers and writers of parts may go on beside it; where another process folds them, or
        took that over because this one hung, nothing is done.

        Raises
        ------
        ValueError
            For a part that is not as it was written, naming its file; nothing is removed.
        """
        stem, identity = self._stems[self._key(step)]
        whole, folder = self.folder / f"{stem}.h5", self.folder / stem
        if not folder.is_dir():
            return whole
        lease = try_hold(guard(self.folder.parent, whole))
        if lease is None:
            return whole
        try:
            if any(folder.glob("*.h5")):
                with replacing(whole, "draft", lease) as draft:
                    files = sorted(folder.glob("*.h5"))
                    part_files.gather(files, whole, into=draft, checkpoint=identity)
                lease.refuse_if_lost()
                for file in files:
                    file.unlink(missing_ok=True)
                part_files.clear(whole)
            with contextlib.suppress(OSError):  # somebody has begun another part
                folder.rmdir()
        except LeaseLost:  # its heir has gathered them, or does so now
            pass
        finally:
            lease.release()
        return whole

    def _key(self, step: Step) -> tuple[int, int]:
        found = [key for key in self._stems if step in (key, key[1])]
        if len(found) != 1:
            known = ", ".join(map(str, self._stems))
            raise KeyError(f"got step {step}; expected one of (stage, step) {known}")
        return found[0]

    def _read(self, key: tuple[int, int], part: Part, *, look: bool = False) -> xr.Dataset | None:
        """The part, or None; ``look`` only looks whether it is there."""
        stem, identity = self._stems[key]
        alone = self.folder / stem / f"{part.name}.{part.digest}.h5"
        # Folding moves a part from the first place to the second; whoever looks in between
        # has missed it in both, and finds it when looking again.
        for file in (alone, self.folder / f"{stem}.h5", alone):
            found = part_files.read(file, part.group, identity, look=look)
            if found is not None:
                return found
        return None

    def _write(self, key: tuple[int, int], part: Part, dataset: xr.Dataset) -> None:
        stem, identity = self._stems[key]
        file = self.folder / stem / f"{part.name}.{part.digest}.h5"
        with part_files.draft_of(file, beside=self.folder) as draft:
            with part_files.create(draft) as h5:
                h5.attrs["stage"], h5.attrs["step"] = key
                group = h5.create_group(part.group)
                part_files.write(group, dataset)
                group.attrs["settings"], group.attrs["checkpoint"] = part.settings, identity


def attach(store: ActivationStore, folder: Path | None = None) -> ActivationStore:
    """Have a store, and its twin, keep the parts of its analyses beside its files.

    Parameters
    ----------
    folder
        The run's; the store's own by default.
    """
    run = folder if folder is not None else store.path
    store.parts = Parts.of(store, run / FOLDER)
    if store.twin is not None:
        attach_twin(store.twin, run)
    return store


def attach_twin(twin: ActivationStore, folder: Path) -> ActivationStore:
    """Have the re-initialised twin's store keep its parts in a run's folder."""
    twin.parts = Parts.of(twin, folder / FOLDER, stem=TWIN)
    return twin


def held(store: ActivationStore, path: str) -> bool:
    """Whether a store has not let go of a path's activations; so it is of one never captured."""
    return path not in store.paths or store.held(path)


def kept(
    store: ActivationStore,
    step: Step,
    compute: Callable[[], xr.Dataset],
    *,
    name: str,
    settings: Mapping[str, object],
) -> xr.Dataset:
    """A part of one checkpoint: read where the store keeps parts and has it, else computed."""
    if store.parts is None:
        return ordered(compute())
    return store.parts.get(step, Part.of(name, settings), compute)


def ordered(dataset: xr.Dataset) -> xr.Dataset:
    """The same with its last axes together in memory, as what is read back has them: sums of one
    order may differ from those of another in their last digit."""
    return dataset.map(lambda own: own.copy(data=np.asarray(own.data, order="C")))


def read_scores(run: str | Path, step: Step | str) -> dict[str, xr.Dataset]:
    """What scoring kept of one checkpoint, by part, without any activations.

    Parameters
    ----------
    run
        A run's folder.
    step
        Optimiser updates, or (stage, step); ``"twin"`` for the re-initialised twin.

    Returns
    -------
    Name → Dataset, ``NAME/DIGEST`` where several settings of one part are kept; the settings stand
    in the attribute ``settings``. ``experts`` has axes concept, lang, half, rank.

    Raises
    ------
    FileNotFoundError
        When nothing is kept of that step.
    ValueError
        For a step that several stages have.
    """
    folder = Path(run) / FOLDER
    found: dict[str, xr.Dataset] = {}
    stems = set()
    for file in sorted({*folder.glob("*.h5"), *folder.glob("*/*.h5")}):
        stem = file.stem if file.parent == folder else file.parent.name
        if re.search(rf"_step{_number(step)}$", stem) or stem == step == TWIN:
            own = part_files.read_all(file, step if isinstance(step, tuple) else None)
            stems |= {stem} if own else set()
            found |= own
    if len(stems) > 1:
        raise ValueError(
            f"got step {step}, of which {', '.join(sorted(stems))} are; expected (stage, step)"
        )
    if not found:
        raise FileNotFoundError(f"got step {step} of {Path(run).name}; nothing is kept of it")
    found = {group: own for group, own in found.items() if not group.startswith(DONE)}
    names = [group.partition("/")[0] for group in found]
    single = {group for group, name in zip(found, names, strict=True) if names.count(name) == 1}
    return {
        group.partition("/")[0] if group in single else group: dataset
        for group, dataset in found.items()
    }


def twin_hash(twin: ActivationStore | None) -> str | None:
    """What tells one re-initialised twin from another, None for none."""
    return None if twin is None else str(twin.checkpoints["weight_hash"].iloc[0])


def digest_of(*told: object) -> str:
    """Eight digits that change with what is told, for settings that are long."""
    text = json.dumps(told, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _number(step: Step | str) -> object:
    return step[1] if isinstance(step, tuple) else step


def _named(name: Named) -> Part:
    return name if isinstance(name, Part) else Part(name)


def _there(found: xr.Dataset | None, part: Part) -> xr.Dataset:
    if found is None:
        raise OSError(f"{part.name} was kept and is gone; expected nobody else to remove scores")
    return found


def _plain(value: object) -> object:
    """NumPy's numbers and what else is a list, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    raise TypeError(f"got a setting {value!r}; expected what JSON holds")
