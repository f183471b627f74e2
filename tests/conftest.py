"""One tiny lab run and its trace, made once and shared by whoever walks the road."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


TINY_RUN = ["--checkpoints", "0,16,64,128,192,256"]


@pytest.fixture(scope="session")
def tiny_lab(tmp_path_factory) -> Path:
    """The preset ``tiny``, seed 0: 256 steps, twelve checkpoints. Not to be changed."""
    from neurotrace import lab

    return made_once(
        tmp_path_factory, "tiny-lab", lambda out: lab.pretrain("tiny", out=out, seed=0)
    )


@pytest.fixture(scope="session")
def tiny_run(tiny_lab, tmp_path_factory) -> Path:
    """The whole road on half of its checkpoints, by the command line. Not to be changed."""
    from neurotrace.trace import main

    def trace(out: Path) -> None:
        assert main(["--source", str(tiny_lab), "--out", str(out), *TINY_RUN]) == 0

    return made_once(tmp_path_factory, "tiny-trace", trace)


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first of all test processes makes, and the others wait for."""
    base = folders.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    out, made = base / name, base / f"{name}.made"
    with (base / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(out)
            made.touch()
    return out
