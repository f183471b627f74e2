"""The folder of a run that grows while its model is trained: what stands in it, and what may."""

from pathlib import Path

import h5py

from neurotrace.capture.folder import file_name
from neurotrace.capture.job import Job
from neurotrace.checkpoints import Checkpoint
from neurotrace.store import StoreMismatch
from neurotrace.store.match import key_of, read_header, refuse_mixture


class LiveFolder:
    """Which file a step has, and which files of earlier sittings count.

    A training that was stopped goes on from its last checkpoint, and may have been captured beyond
    it: such files are of no use once the same steps come out otherwise. They are given up only
    where a file of the very weights at hand has shown that the folder is this training's.

    Parameters
    ----------
    path
        Folder of the run; need not exist.
    """

    def __init__(self, path: Path):
        self.path = path
        self._own = False  # seen to be this training's

    @property
    def files(self) -> list[Path]:
        """The finished files of steps."""
        return sorted(self.path.glob("[0-9]*_*.h5"))

    def refuse_other_run(self, job: Job) -> None:
        """Refuse a folder in which something was captured in another way.

        Raises
        ------
        StoreMismatch
            Naming what differs.
        """
        headers = {file.name: read_header(file) for file in self.files[:1]}
        refuse_mixture({**headers, "this training": job.header})

    def file_of(self, checkpoint: Checkpoint) -> Path:
        """Where a step is, or will be: numbered by how many come before it."""
        there = sorted(self.path.glob(f"[0-9]*_{checkpoint.label}.h5"))
        if there:
            return there[0]
        own = (checkpoint.stage, checkpoint.step)
        before = sum(key_of(read_header(file)) < own for file in self.files)
        return self.path / file_name(before, checkpoint)

    def give_way(self, file: Path, weights: str) -> None:
        """Remove what was captured at this step, in whole or in part, of other weights.

        Raises
        ------
        StoreMismatch
            Where the file may be another training's.
        """
        if file.exists():
            if read_header(file)["weight_hash"] == weights:
                self._own = True
            elif self._own:
                file.unlink()
            else:
                raise StoreMismatch(
                    f"{self.path.name} holds {file.name} of other weights than these; expected a "
                    "folder of this training (remove the file if it was resumed before that step)"
                )
        for partial in self.path.glob(f"{file.name}.*.partial"):
            if self._own and _weights_of(partial) not in (weights, None):
                partial.unlink()


def _weights_of(partial: Path) -> str | None:
    """The mark in an unfinished file, None where it cannot be read: it will be written anew."""
    try:
        with h5py.File(partial, "r") as h5:
            return str(h5.attrs["weight_hash"])
    except (OSError, KeyError):
        return None
