"""A road of seconds: three tiny checkpoints, the sentences, and what of a run must be equal."""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neurotrace.trajectories.result_files import unfinished

STEPS = (0, 16, 512)
REST = (
    "--analyses", "expertise", "turnover", "retrieval", "--splits", "2", "--rotations", "0",
    "--batch-tokens", "64", "--backend", "plain", "--device", "cpu",
)  # fmt: skip


def arguments(source: Path, out: Path, *more: str) -> list[str]:
    """The command line of a run; options given here come last, and so they count."""
    return ["--source", str(source), "--out", str(out), *REST, *more]


def values(run: Path) -> dict[str, Any]:
    """Every dataset and attribute of every HDF5 file of a run, and the page's digest.

    Marks of what was scored elsewhere than where results are made are no values.
    """
    found: dict[str, Any] = {}
    for file in sorted([*run.glob("*.h5"), *run.glob("scores/*.h5"), *run.glob("causes/*.h5")]):
        place = str(file.relative_to(run))
        with h5py.File(file, locking=False) as h5:
            _note(found, place, h5)
            h5.visititems(lambda name, item, to=place: _note(found, f"{to} {name}", item))
    found = {name: value for name, value in found.items() if " done_" not in name}
    page = run / "report.html"
    if page.is_file():
        found["report.html"] = hashlib.sha256(page.read_bytes()).hexdigest()
    return found


def same(run: Path, whole: Path) -> None:
    """Assert that two runs are equal to the last bit, and that nothing unfinished is left."""
    left = [str(file.relative_to(run)) for file in run.rglob("*") if _unfinished(file)]
    assert not left, left
    here, there = values(run), values(whole)
    assert here.keys() == there.keys(), sorted(here.keys() ^ there.keys())
    for name, value in there.items():
        np.testing.assert_array_equal(here[name], value, err_msg=f"{run.name}: {name}")


def stage(run: Path) -> str:
    """Where a run stands, read off its files: the stage that a kill just now has met."""
    if (run / "report.html").is_file():
        return "done"
    if (run / "results.h5").is_file():
        return "report"
    if not all((run / f"{at:04d}_step{step}.h5").is_file() for at, step in enumerate(STEPS)):
        return "capture" if (run / "trace.json").is_file() else "start"
    return "results" if unfinished(run / "results.h5") else "scoring"


def _unfinished(file: Path) -> bool:
    ours = file.suffix in (".partial", ".draft", ".stripping") or file.name.startswith(".trace")
    return file.is_file() and ours


def _note(found: dict[str, Any], place: str, item: Any) -> None:
    if isinstance(item, h5py.Dataset):
        found[place] = item[()]
    for name, value in item.attrs.items():
        if not isinstance(value, h5py.Reference) and name not in (
            "DIMENSION_LIST",
            "REFERENCE_LIST",
        ):
            found[f"{place} @{name}"] = value
