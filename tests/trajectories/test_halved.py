"""Neurons read some at a time, whichever way languages lie in the file."""

import numpy as np
import pytest
from planted import PATH, Stage

from neurotrace.probes import average_precision
from neurotrace.trajectories import halved as room
from neurotrace.trajectories.halved import Halved


class Interleaved(Stage):
    """The same, all translations of a sentence in a row."""

    @property
    def concept(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_concepts), self.n_groups * self.n_langs)

    @property
    def lang(self) -> np.ndarray:
        return np.tile(np.arange(self.n_langs), self.n_concepts * self.n_groups)

    @property
    def group(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_concepts * self.n_groups), self.n_langs)


@pytest.fixture(params=[Stage, Interleaved])
def halved(request, tmp_path) -> Halved:
    stage = request.param(n_concepts=3, n_groups=12, n_langs=3, widths=(37, 21))
    X = np.random.default_rng(0).standard_normal((len(stage.lang), stage.n_neurons))
    return Halved.of(stage.write(tmp_path, {0: X}), PATH, n_splits=2, seed=0)


@pytest.mark.parametrize("neurons", [None, np.array([30, 2, 11, 3])])
def test_scores_do_not_depend_on_how_many_neurons_are_read_at_once(halved, neurons, monkeypatch):
    whole = list(halved.scores(0, 0, neurons=neurons))
    monkeypatch.setattr(room, "READ", 1)
    monkeypatch.setattr(room, "LEAST", 5)
    parts = list(halved.scores(0, 0, neurons=neurons))
    assert len(parts) == 3
    X = halved.store.read(0, 0).values
    X = X if neurons is None else X[:, neurons]
    for own, one, other in zip(halved.rows, whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
        side = own[halved.in_a[1, own]]
        expected = average_precision(X[side], halved.labels[side])
        np.testing.assert_allclose(one[1, 0], expected, rtol=1e-6)


def test_no_more_is_read_than_was_allowed(halved, monkeypatch):
    monkeypatch.setattr(room, "READ", 1)
    monkeypatch.setattr(room, "LEAST", 5)
    read = [X.shape[1] for _, _, X in room.by_language(halved, 0, 0)]
    assert max(read) == 5
    assert sum(read) == 3 * 37
