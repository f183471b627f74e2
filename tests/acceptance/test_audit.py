"""Ten honest runs of the lab, of four presets and several seeds, in which an audit finds nothing.

Set ``NEUROTRACE_TEST_RUNS`` to a folder of runs to keep them and use them again.
"""

import os
import random
from pathlib import Path

import planted_suites as plant
import pytest

from neurotrace import lab
from neurotrace.checkpoints import audit, find
from neurotrace.checkpoints.__main__ import sentence_loss
from neurotrace.checkpoints.audit_command import Config

RUNS = [
    ("default", 0), ("default", 1), ("default", 2), ("control", 0), ("control", 1),
    ("late", 0), ("late", 1), ("slow", 0), ("slow", 1), ("imbalanced", 0),
]  # fmt: skip
FAULTS = ("copy", "final", "drawn", "flat", "truncated", "swapped")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: f"{run[0]}-{run[1]}")
def run(request, tmp_path_factory):
    kept = os.environ.get("NEUROTRACE_TEST_RUNS")
    preset, seed = request.param
    folder = Path(kept) if kept else tmp_path_factory.mktemp("runs")
    return lab.pretrain(preset, out=folder / f"{preset}-{seed}", seed=seed)


def test_an_honest_run_is_in_order_deep_and_with_its_loss(run):
    assert set(audit(find(run))["verdict"]) == {"ok"}
    table = audit(find(run), deep=True, loss=sentence_loss(Config(source=str(run))))
    assert set(table["verdict"]) == {"ok"}
    assert table["note"].eq("").all()
    assert table["detour"].max() < 1.5


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_anywhere_is_the_one_thing_found(run, fault, tmp_path):
    steps = [checkpoint.step for checkpoint in find(run)]
    rng = random.Random(f"{run.name} {fault}")
    for trial in range(4):
        suite = plant.suite(run, tmp_path / str(trial))
        kept = sorted([*rng.sample(steps[:-1], 11), steps[-1]])
        for step in set(steps) - set(kept):
            plant.lose(suite, step)
        expected = _plant(suite, fault, kept, rng)
        table = audit(find(suite), deep=True).set_index("step")["verdict"]
        told = table[~table.isin(["ok", "missing"])].to_dict()
        assert {step: verdict.partition(":")[0] for step, verdict in told.items()} == expected


def _plant(suite, fault, steps, rng):
    """Plant a fault at a place drawn from all that can be told; returns the verdicts to come."""
    at = rng.randrange(1, len(steps) - 1)
    if fault == "copy":
        at = max(at, 3)
        of = rng.randrange(at - 1)  # not the step right before: that may have stood still
        plant.serve(suite, steps[at], weights_of=steps[of])
        return {steps[at]: f"copy of step {steps[of]}"}
    if fault == "final":
        plant.serve(suite, steps[at], weights_of=steps[-1])
        return {steps[at]: "serves the final weights"}
    if fault == "truncated":
        plant.truncate(suite, steps[at], share=rng.random())
        return {steps[at]: "broken"}
    if fault == "swapped":
        other = rng.choice([place for place in range(1, len(steps) - 1) if place != at])
        plant.swap(suite, steps[at], steps[other])
        return dict.fromkeys((steps[at], steps[other]), "off the curve")
    plant.noise(suite, steps[at], kind=fault, seed=rng.randrange(1000))
    return {steps[at]: "off the curve"}
