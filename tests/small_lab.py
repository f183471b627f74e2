"""A lab run with few sentences, the trace of it that takes seconds, and what has to be equal."""

import json
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from neurotrace import trajectories
from neurotrace.trajectories.parts import read_scores

LANGS, CONCEPTS, EACH = 2, 4, 16
# What is scored step by step, needs a twin, goes over steps, and is made of states.
QUICK = ["--checkpoints", "0,64,256", "--splits", "2", "--rotations", "0"]
QUICK += ["--analyses", "expertise", "turnover", "retrieval"]
QUICK += ["--backend", "plain"]  # which workers import in half the time
# The same with an overlap in two bases, and an experiment on the model.
CAUSAL = ["--checkpoints", "0,256", "--splits", "2", "--rotations", "1"]
CAUSAL += ["--analyses", "overlap", "retrieval", "interchange"]


def smaller(lab: Path, out: Path) -> Path:
    """The same checkpoints with 4 concepts in 2 languages, 16 sentences each."""
    out.mkdir(parents=True)
    header, *rows = map(json.loads, (lab / "concepts.jsonl").read_text("utf-8").splitlines())
    header["languages"] = header["languages"][:LANGS]
    known = sorted({row["concepts"][0] for row in rows})[:CONCEPTS]
    kept, taken = [], Counter[tuple[str, str]]()
    for row in rows:
        key = row["concepts"][0], row["lang"]
        if key[0] in known and key[1] in header["languages"] and taken[key] < EACH:
            taken[key] += 1
            kept.append(row)
    lines = [json.dumps(one, ensure_ascii=False) for one in (header, *kept)]
    (out / "concepts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for file in lab.iterdir():
        if file.name != "concepts.jsonl":
            (out / file.name).symlink_to(file)
    return out


def assert_same(run: Path, whole: Path) -> None:
    """Every value of two finished runs is equal: captured, scored, concluded and shown."""
    assert _names(run) == _names(whole)
    for name in _names(whole):
        with h5py.File(run / name) as ours, h5py.File(whole / name) as theirs:
            assert _listed(ours) == _listed(theirs), name
            for at, (_, shape) in _listed(theirs).items():
                if shape is not None:
                    np.testing.assert_array_equal(ours[at][()], theirs[at][()], f"{name} {at}")
    for name in _names(whole):
        step = name.removesuffix(".h5").partition("_step")[2]
        ours, theirs = (read_scores(path, int(step) if step else "twin") for path in (run, whole))
        assert theirs.keys() <= ours.keys(), name  # a serial run keeps what its results ask for
        _identical({part: ours[part] for part in theirs}, theirs)
    _identical(trajectories.read(run), trajectories.read(whole))
    assert (run / "report.html").read_bytes() == (whole / "report.html").read_bytes()


def _names(run: Path) -> list[str]:
    return sorted(file.name for file in (*run.glob("0*_step*.h5"), run / "twin.h5"))


def _listed(file: h5py.File) -> dict[str, tuple[str, object]]:
    """Attributes and shape of everything in a file."""
    found = {"": (_told(file), None)}
    file.visititems(
        lambda name, item: found.update({name: (_told(item), getattr(item, "shape", None))})
    )
    return found


def _told(item: h5py.Group | h5py.Dataset) -> str:
    return str({name: np.asarray(value).tolist() for name, value in sorted(item.attrs.items())})


def _identical(ours: dict[str, xr.Dataset], theirs: dict[str, xr.Dataset]) -> None:
    assert sorted(ours) == sorted(theirs)
    for name, dataset in theirs.items():
        xr.testing.assert_identical(ours[name], dataset)
