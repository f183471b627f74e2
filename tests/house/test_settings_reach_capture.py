"""What a trace is told of models and memory reaches the capture that it starts."""

import inspect
from dataclasses import fields

from neurotrace import capture
from neurotrace.checkpoints import Shelf
from neurotrace.concepts import ConceptSet
from neurotrace.config import TraceConfig
from neurotrace.road import Road, capture_options


def test_every_setting_that_capture_knows_reaches_it():
    config = TraceConfig(stack="decoder", device_map="auto")
    shelf = Shelf(budget=1_000)
    road = Road(config, [], ConceptSet.load("everyday"), 1, shelf)
    options = capture_options(road)
    known = set(inspect.signature(capture.run).parameters)
    shared = known & {field.name for field in fields(TraceConfig)}
    given_apart = {"concepts", "out", "cache_budget"}  # the last is the shelf's
    assert shared - given_apart <= options.keys() <= known
    assert (options["stack"], options["device_map"]) == ("decoder", "auto")
    assert options["shelf"] is shelf
