"""Runs of the lab, trained and traced once each, two to four minutes of one core.

Set ``NEUROTRACE_TEST_RUNS`` to a folder to keep them and use them again.
"""

import os
from functools import cache
from pathlib import Path

import pytest

from neurotrace import lab, trace
from neurotrace.config import TraceConfig

# What is judged of each preset.
EVERYTHING = (
    "overlap", "onset", "expertise", "counts", "lives", "compression", "roles", "loss",
    "interchange", "ablation", "forcing",
)  # fmt: skip
ANALYSES = {
    "default": EVERYTHING,
    "control": EVERYTHING,
    "slow": ("overlap", "onset", "interchange"),
    "late": ("overlap", "onset"),
    "imbalanced": ("overlap", "forcing"),
}
SPACES = ("retrieval", "ilo", "embeddings", "latent_concepts", "evolution")


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory) -> Path:
    kept = os.environ.get("NEUROTRACE_TEST_RUNS")
    return Path(kept) if kept else tmp_path_factory.mktemp("acceptance")


@pytest.fixture(scope="session")
def lab_run(runs_folder):
    """``lab_run(preset, seed)``: the folder of a finished trace."""

    @cache
    def one(preset: str, seed: int) -> Path:
        source = lab.pretrain(preset, out=runs_folder / f"{preset}-{seed}", seed=seed)
        run = runs_folder / f"{preset}-{seed}-trace"
        config = TraceConfig(source=str(source), out=str(run), analyses=ANALYSES[preset])
        return trace.run(config).parent

    return one


@pytest.fixture(scope="session")
def lab_spaces(runs_folder):
    """``lab_spaces(preset, seed)``: the folder of a trace of the geometry at six checkpoints."""

    @cache
    def one(preset: str, seed: int) -> Path:
        source = lab.pretrain(preset, out=runs_folder / f"{preset}-{seed}", seed=seed)
        config = TraceConfig(
            source=str(source),
            out=str(runs_folder / f"{preset}-{seed}-spaces"),
            analyses=SPACES,
            rotations=0,
            checkpoints="0,64,128,256,512,1500",
        )
        return trace.run(config).parent

    return one
