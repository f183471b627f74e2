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


@pytest.fixture(scope="session")
def lab_run(tmp_path_factory):
    """``lab_run(preset, seed)``: the folder of a finished trace."""
    kept = os.environ.get("NEUROTRACE_TEST_RUNS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("acceptance")

    @cache
    def one(preset: str, seed: int) -> Path:
        source = lab.pretrain(preset, out=folder / f"{preset}-{seed}", seed=seed)
        run = folder / f"{preset}-{seed}-trace"
        config = TraceConfig(source=str(source), out=str(run), analyses=ANALYSES[preset])
        return trace.run(config).parent

    return one
