"""Expert sets are called among all tests of a checkpoint, though few p-values are held."""

import numpy as np
import pytest

from neurotrace.probes import call_experts
from neurotrace.trajectories.expert_sets import _passes


@pytest.mark.parametrize("seed", range(4))
def test_calls_among_the_small_p_values_are_those_among_all(seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(4000) ** (1 + 2 * seed), 4)  # with ties
    called = call_experts(p, alpha=0.05).passes
    small = p <= 0.05
    np.testing.assert_array_equal(_passes(p[small], len(p), 0.05), called[small])
    assert not called[~small].any()
