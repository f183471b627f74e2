"""What an audit lets pass, or is told to, is captured and not refused a second time."""

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet
from neurotrace.config import TraceConfig
from neurotrace.road import Road, capture_options


@pytest.mark.parametrize(
    ("verdict", "allow", "equal"),
    [
        ("ok", False, False),
        ("unmoved since step 0", False, True),
        ("copy of step 0", True, True),
        ("off the curve", False, False),
    ],
)
def test_equal_weights_pass_where_the_audit_let_them_pass(verdict, allow, equal):
    audit = pd.DataFrame({"stage": 0, "step": [0, 1], "verdict": ["ok", verdict]})
    config, concepts = TraceConfig(allow=allow), ConceptSet.load("everyday")
    road = Road(config, [], concepts, 1, audit=audit)
    assert capture_options(road)["allow_equal"] is equal
    assert capture_options(Road(config, [], concepts, 1))["allow_equal"] is allow
