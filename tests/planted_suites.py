"""Suites of checkpoints made from a run of the lab, with faults planted in them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

WEIGHTS = "model.safetensors"


def suite(source: Path, out: Path, *, most: int | None = None) -> Path:
    """A copy of a lab run's checkpoints, files linked; ``most``: the last so many."""
    folders = sorted(source.glob("step-*"))
    for folder in folders if most is None else folders[-most:]:
        (out / folder.name).mkdir(parents=True)
        for file in folder.iterdir():
            (out / folder.name / file.name).hardlink_to(file)
    return out


def step(folder: Path, number: int) -> Path:
    return folder / f"step-{number:06d}"


def serve(folder: Path, at: int, weights_of: int) -> None:
    """Step ``at`` serves the weights of another step."""
    replace(step(folder, at), (step(folder, weights_of) / WEIGHTS).read_bytes())


def swap(folder: Path, one: int, other: int) -> None:
    first, second = ((step(folder, at) / WEIGHTS).read_bytes() for at in (one, other))
    replace(step(folder, one), second)
    replace(step(folder, other), first)


def truncate(folder: Path, at: int, *, share: float = 0.6) -> None:
    whole = (step(folder, at) / WEIGHTS).read_bytes()
    replace(step(folder, at), whole[: int(share * len(whole))])


def lose(folder: Path, at: int) -> None:
    shutil.rmtree(step(folder, at))


def noise(folder: Path, at: int, *, kind: str = "drawn", seed: int = 0) -> None:
    """Weights ``drawn`` anew with each tensor's spread, ``flat`` with .02, or ``added`` on top."""
    rng = np.random.default_rng(seed)

    def change(_: str, tensor: np.ndarray) -> np.ndarray:
        drawn = rng.standard_normal(tensor.shape)
        if kind == "added":
            return tensor + tensor.std() * drawn
        spread = 0.02 if kind == "flat" else tensor.std()
        centre = tensor.mean() if kind == "drawn" and tensor.ndim < 2 else 0
        return centre + spread * drawn

    edit(step(folder, at), change)


def edit(checkpoint: Path, change: Callable[[str, np.ndarray], np.ndarray]) -> None:
    """Each tensor becomes ``change(name, tensor)``."""
    tensors = load_file(checkpoint / WEIGHTS)
    changed = {n: np.ascontiguousarray(change(n, t), t.dtype) for n, t in tensors.items()}
    (checkpoint / WEIGHTS).unlink()
    save_file(changed, checkpoint / WEIGHTS, metadata={"format": "pt"})


def replace(checkpoint: Path, content: bytes) -> None:
    """Another content under the same name; the linked original is left alone."""
    (checkpoint / WEIGHTS).unlink()
    (checkpoint / WEIGHTS).write_bytes(content)
