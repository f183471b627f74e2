"""What a trace is told of models and memory reaches the capture that it starts."""

import inspect
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from neurotrace import capture
from neurotrace.capture.sites import LINEAR_SITES
from neurotrace.checkpoints import Checkpoint, Shelf
from neurotrace.concepts import ConceptSet
from neurotrace.config import TraceConfig
from neurotrace.road import Road, capture_options
from neurotrace.trace import provenance


def road_of(site: Any) -> Road:
    config = TraceConfig(source="made", site=site)
    return Road(config, [Checkpoint("made", 8, Path("step8"))], ConceptSet.load("everyday"), 1)


def store_of(header: dict[str, str]) -> Any:
    table = pd.DataFrame({"stage": [0], "step": [8], "file": ["0000_step8.h5"]})
    return SimpleNamespace(checkpoints=table, header=lambda key: {"step": key[1], **header})


def test_every_setting_that_capture_knows_reaches_it():
    config = TraceConfig(stack="decoder", device_map="auto")
    shelf = Shelf(budget=1_000)
    road = Road(config, [], ConceptSet.load("everyday"), 1, shelf)
    options = capture_options(road)
    known = set(inspect.signature(capture.run).parameters)
    shared = known & {field.name for field in fields(TraceConfig)}
    given_apart = {"concepts", "out", "cache_budget", "executor"}  # the shelf's, the stage's
    assert shared - given_apart <= options.keys() <= known
    assert (options["stack"], options["device_map"]) == ("decoder", "auto")
    assert options["shelf"] is shelf


@pytest.mark.parametrize("site", [*LINEAR_SITES, "mlp.hook_post", "mlp.hook_pre"])
def test_units_that_are_no_neurons_are_said_to_be_called_so(site):
    told = provenance(road_of(site), store_of({}))["notes"]
    said = [note for note in told if note.startswith("what is called a neuron here")]
    assert len(said) == (site in LINEAR_SITES)
    assert all(f"({site}: {LINEAR_SITES[site]})" in note for note in said)


@pytest.mark.parametrize("used", [{"backend": "plain", "stack": "encoder"}, {"backend": "bridge"}])
def test_the_report_tells_what_read_the_model_not_what_was_asked_for(used):
    told = provenance(road_of("mlp.hook_post"), store_of(used))["config"]
    assert told["backend"] == used["backend"]
    assert told["stack"] == used.get("stack", "auto")
