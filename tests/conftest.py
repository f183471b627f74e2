"""One tiny lab run and its trace, made once a session and shared by whoever walks the road."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


TINY_RUN = ["--checkpoints", "0,16,64,128,192,256"]


@pytest.fixture(scope="session")
def tiny_lab(tmp_path_factory) -> Path:
    """The preset ``tiny``, seed 0: 256 steps, twelve checkpoints."""
    from neurotrace import lab

    return lab.pretrain("tiny", out=tmp_path_factory.mktemp("labs") / "tiny", seed=0)


@pytest.fixture(scope="session")
def tiny_run(tiny_lab, tmp_path_factory) -> Path:
    """The whole road on half of its checkpoints, by the command line."""
    from neurotrace.trace import main

    out = tmp_path_factory.mktemp("runs") / "tiny-trace"
    assert main(["--source", str(tiny_lab), "--out", str(out), *TINY_RUN]) == 0
    return out
