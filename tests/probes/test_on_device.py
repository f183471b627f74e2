"""Scores by torch where a tensor lies: those of the compiled walks, ties and all."""

import subprocess
import sys

import numpy as np
import pytest

from neurotrace.probes import on_device, rank, scores

torch = pytest.importorskip("torch")

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


def material(dtype, seed=0):
    """Ties, zeros of both signs and a constant neuron; concepts from one positive to most."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(150, 40)) * 3)
    X[:, ::2] += rng.normal(size=(150, 20))
    X[:, 0], X[:, 1] = 0.0, -3.25
    X[::2, 0] = -0.0
    Y = rng.random((150, 5)) < [0.3, 0.01, 0.95, 0.1, 0.5]
    Y[:4], Y[4:8] = True, False
    in_a = rng.random((3, 150)) < 0.5
    in_a[:, :8:2], in_a[:, 1:8:2] = True, False
    return X.astype(dtype), Y.astype(int), in_a


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, bool])
@pytest.mark.parametrize("unknown", [False, True])
def test_scores_and_halves_are_those_of_numpy(device, dtype, unknown):
    X, Y, in_a = material(dtype)
    if unknown:
        Y[8:][np.random.default_rng(1).random((142, 5)) < 0.2] = -1
    tensor, ranking = torch.tensor(X, device=device), rank(X)
    for precision, whole, in_halves in (
        (True, ranking.average_precision, ranking.average_precision_halves),
        (False, ranking.auroc, ranking.auroc_halves),
    ):
        for at_once in (1 << 20, 450):  # all neurons, and three at a time
            found = on_device.scores(tensor, Y, precision=precision, at_once=at_once)
            np.testing.assert_allclose(found, whole(Y), rtol=0, atol=1e-12)
        found = on_device.halves(tensor, Y, in_a, precision=precision, dtype=np.float64)
        np.testing.assert_allclose(found, in_halves(Y, in_a, dtype=np.float64), rtol=0, atol=1e-12)


def test_tied_scores_by_hand():
    X = torch.tensor([[0.9], [0.8], [0.8], [0.1]])
    assert on_device.scores(X, [1, 0, 1, 0], precision=True) == pytest.approx([5 / 6], rel=1e-15)
    assert on_device.scores(X, [1, 0, 1, 0], precision=False) == pytest.approx([7 / 8], rel=1e-15)


def test_a_tensor_with_a_graph_in_bfloat16_is_read_and_left_alone():
    X, Y, _ = material(np.float32)
    tensor = torch.tensor(X).bfloat16().requires_grad_()
    expected = rank(tensor.detach().float().numpy()).average_precision(Y)
    np.testing.assert_allclose(on_device.scores(tensor, Y, precision=True), expected, atol=1e-12)
    assert tensor.grad is None


@pytest.mark.parametrize("score", ["average_precision", "auroc", "average_precision_halves"])
def test_public_scores_take_the_way_of_the_device(score, monkeypatch):
    """A tensor in main memory stands in for one elsewhere."""
    X, Y, in_a = material(np.float32)
    given = (Y, in_a) if score.endswith("halves") else (Y,)
    expected = getattr(scores, score)(X, *given)
    monkeypatch.setattr(on_device, "lies_on_device", lambda X: isinstance(X, torch.Tensor))
    monkeypatch.setattr(scores, "each_ranking", None)
    monkeypatch.setattr(scores, "rank", None)
    np.testing.assert_allclose(getattr(scores, score)(torch.tensor(X), *given), expected, atol=1e-6)


def test_tensors_in_main_memory_and_arrays_stay_with_the_compiled_walks():
    assert not on_device.lies_on_device(torch.zeros(2, 2))
    assert not on_device.lies_on_device(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (torch.zeros(4), r"X of shape \(4,\)"),
        (torch.zeros(4, 0), "non-empty"),
        (torch.zeros(4, 2, dtype=torch.complex64), "dtype torch.complex64"),
        (torch.tensor([[0.0, 1.0, np.inf]] * 4), r"neuron \(column\) 2,"),
        (torch.zeros(5, 2), r"labels of shape \(4,\), expected \(5,\)"),
    ],
)
def test_what_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        on_device.scores(X, [1, 0, 1, 0], precision=True, at_once=4)


def test_arrays_are_scored_without_torch():
    code = (
        "import sys; from neurotrace.probes import average_precision;"
        "average_precision([[1.0], [0.0]], [1, 0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
