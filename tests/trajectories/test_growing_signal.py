"""A signal that grows while sharing stays: raw overlap climbs, and no onset of sharing is found.

Sharing that is as large at the first checkpoint where it can be measured as at the last is
`present`, and has no onset: what grew is the power to see it.
"""

import numpy as np
import pytest
from planted import Stage, experts_of, fire

from neurotrace.trajectories import expert_overlap, node_bootstrap, summarize
from neurotrace.trajectories.onset import onset
from neurotrace.trajectories.overlap_tasks import series_of

K, STEPS = 12, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
GROWING = (0.0, 0.0, 0.3, 0.6, 1.0, 1.4, 1.9, 2.4, 3.0, 4.0)
STAGE = Stage(n_concepts=8, n_groups=24, n_langs=4, widths=(256, 256))


def _series(folder, shares, signals, *, seed=0):
    """A store whose experts share what `shares` says at each step, and fire as `signals` says."""
    rng = np.random.default_rng([seed, 5])
    sets = {share: experts_of(STAGE, k=K, shared=share, rng=rng) for share in sorted(set(shares))}
    responses = {
        step: fire(STAGE, sets[share], signal=signal, rng=rng)
        for step, share, signal in zip(STEPS, shares, signals, strict=True)
    }
    return STAGE.write(folder, responses)


def _onset(overlap, name="corrected", *, seed=0):
    curve = node_bootstrap(overlap, replicates=400, seed=seed)[name]
    if name == "value":  # the headline curve, against its chance
        curve = curve - overlap["chance"]
        return onset(curve, curve.isel(replicate=[0]) * 0)
    return onset(*series_of(overlap, seed=seed))


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    return _series(tmp_path_factory.mktemp("constant"), [0.3] * len(STEPS), GROWING)


@pytest.fixture(scope="module")
def rising(tmp_path_factory):
    """Good experts throughout; nothing is shared before step 32, and half of it from then on."""
    shares = [0.0] * 5 + [0.5] * 5
    return _series(tmp_path_factory.mktemp("rising"), shares, [3.0] * len(STEPS))


def test_fixed_sharing_has_no_onset_while_the_signal_grows(constant):
    overlap = expert_overlap(constant, top=K, n_splits=4)
    found = _onset(overlap)
    assert str(found["outcome"].values) == "present"
    assert np.isnan(found["detect"])
    assert np.isnan(found["half"])
    assert str(_onset(overlap, "value")["outcome"].values) == "onset"  # the raw curve has one
    corrected = summarize(overlap)["corrected"].values
    assert np.isnan(corrected[:2]).all()
    assert np.nanmax(np.abs(corrected - 0.3)) < 0.1


def test_nothing_shared_is_never_detected_while_the_signal_grows(tmp_path):
    overlap = expert_overlap(_series(tmp_path, [0.0] * len(STEPS), GROWING), top=K, n_splits=4)
    found = _onset(overlap)
    assert str(found["outcome"].values) == "none"
    assert np.isnan(found["detect"])
    assert float(overlap["rel"][-1].mean()) > 0.9  # the experts are there


def test_sharing_that_begins_is_found_where_it_begins(rising):
    found = _onset(expert_overlap(rising, top=K, n_splits=4))
    assert str(found["outcome"].values) == "onset"
    assert float(found["detect"]) == 32
    assert 16 <= float(found["half"]) <= 32


@pytest.mark.parametrize("null", ["deranged", "pseudo"])
def test_labels_that_must_find_nothing_have_no_onset(rising, null):
    overlap = expert_overlap(rising, top=K, n_splits=4, null=null)
    for name in ("corrected", "value"):
        found = _onset(overlap, name)
        assert str(found["outcome"].values) in ("none", "undefined")
        assert np.isnan(found["detect"])


@pytest.mark.slow
def test_false_onsets_are_rare_over_many_series(tmp_path, record_property):
    outcomes = {"constant": [], "nothing": []}
    for seed in range(40):
        for name, share in (("constant", 0.3), ("nothing", 0.0)):
            store = _series(tmp_path / f"{name}{seed}", [share] * len(STEPS), GROWING, seed=seed)
            found = _onset(expert_overlap(store, top=K, n_splits=4, seed=seed), seed=seed)
            outcomes[name].append(str(found["outcome"].values))
    for name, seen in outcomes.items():
        for outcome in ("onset", "present", "unconfirmed", "none"):
            record_property(f"{name}_{outcome}", float(seen.count(outcome)))
    assert outcomes["constant"].count("onset") <= 2
    assert outcomes["nothing"].count("onset") + outcomes["nothing"].count("present") <= 2
