"""How often do labels that mean nothing leave a life, or a shared set? Counted over stores.

Translations move neurons alike (half of the noise), and the store's own labels are shared for
real, so that a leak between halves or languages would show. Five stores are always run, fifty
when asked.
"""

import numpy as np
import pytest
from planted import Stage

from neurotrace.store import ActivationStore
from neurotrace.trajectories.compression import compression
from neurotrace.trajectories.expert_sets import expert_sets
from neurotrace.trajectories.lives import neuron_lives
from neurotrace.trajectories.lives_counts import lives_counts

STAGE = Stage(n_concepts=6, n_groups=24, n_langs=4, widths=(96, 96))
SHORT, LONG = 5, 50


def store(folder, seed: int) -> ActivationStore:
    """Two steps: noise that translations share, then a third of the neurons shared experts."""
    rng = np.random.default_rng(seed)
    groups = rng.standard_normal((STAGE.n_concepts * STAGE.n_groups, STAGE.n_neurons))
    noise = rng.standard_normal((2, len(STAGE.lang), STAGE.n_neurons))
    before, after = np.sqrt(0.5) * (groups[STAGE.group] + noise)
    concept = rng.integers(STAGE.n_concepts, size=64)
    after[:, ::3] += 4 * (STAGE.concept[:, None] == concept)
    return STAGE.write(folder, {0: before, 100: after})


def with_any(tmp_path, n: int) -> dict[str, float]:
    """Shares of stores in which deranged labels, or the first step, have what they should not."""
    found = {"life": 0, "pair": 0, "early": 0, "true": 0}
    for seed in range(n):
        made = store(tmp_path / str(seed), seed)
        sets = expert_sets(made, seed=seed)
        counts = lives_counts(made, sets=sets, replicates=5, seed=seed)
        found["life"] += neuron_lives(made, null="deranged", sets=sets, seed=seed).neuron.size > 0
        found["pair"] += bool(counts["deranged"].max() > 0)
        found["early"] += bool(counts["value"][0] > 0)
        value = compression(made, sets=sets, replicates=20, draws=50, seed=seed).isel(step=1)
        found["true"] += bool(value["value"] > value["chance_high"])
    return {name: count / n for name, count in found.items()}


def test_deranged_labels_leave_no_life(tmp_path):
    found = with_any(tmp_path, SHORT)
    assert found == {"life": 0, "pair": 0, "early": 0, "true": 1}


@pytest.mark.slow
def test_at_most_one_deranged_store_in_twenty_has_a_life(tmp_path, record_property):
    found = with_any(tmp_path, LONG)
    for name, share in found.items():
        record_property(name, float(share))
    assert max(found["life"], found["pair"], found["early"]) <= 0.05
    assert found["true"] == 1
