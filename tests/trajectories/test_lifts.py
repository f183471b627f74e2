"""Lifts keep the step, whatever a series calls its checkpoints."""

import numpy as np
import pytest
import xarray as xr
from planted import Stage

from neurotrace.trajectories import along_steps, expert_overlap

STAGE = Stage(n_concepts=2, n_groups=4, n_langs=2, widths=(8,))


@pytest.fixture
def staged(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3, len(STAGE.lang), STAGE.n_neurons))
    return STAGE.write(tmp_path, {(1, 0): X[0], (1, 5): X[1], (2, 5): X[2]})


def test_a_step_of_two_stages_is_two_checkpoints(staged):
    found = along_steps(
        staged, lambda step: xr.Dataset({"value": float(staged.read(step, 0).mean())})
    )
    assert found["step"].values.tolist() == [0, 5, 5]
    assert found["stage"].values.tolist() == [1, 1, 2]
    assert len(set(found["value"].values)) == 3
    assert expert_overlap(staged, top=2, n_splits=2).sizes["step"] == 3


def test_an_axis_without_a_name_of_the_house_is_refused(staged):
    with pytest.raises(ValueError, match="got unknown axes time; valid are run, step"):
        along_steps(staged, lambda _: xr.Dataset({"value": ("time", [1.0])}))


def test_an_error_names_the_step_it_came_from(staged):
    def fail(step):
        raise RuntimeError(step)

    with pytest.raises(RuntimeError) as error:
        along_steps(staged, fail)
    assert error.value.__notes__ == ["while working on (1, 0)"]
