"""What every score of the registry keeps to: a new one is tested by being listed there."""

import inspect

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest, f_classif

from neurotrace.probes.inputs import COLUMNS
from neurotrace.probes.scores import SCORES

EVERY = pytest.mark.parametrize("score", [pytest.param(f, id=name) for name, f in SCORES.items()])
FLOATS = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])


def responses(n_examples=90, n_neurons=40, dtype=np.float16, seed=0):
    """Columns with ties, rectified ones, and a constant one; neuron 3 knows the first concept."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_examples, n_neurons))
    X[:, ::5] = np.round(X[:, ::5])
    X[:, 1::7] = np.maximum(X[:, 1::7], 0)
    X[:, 6] = -0.3
    X[:, 3] += 4 * labels(n_examples)[:, 0]
    return X.astype(dtype)


def labels(n_examples=90):
    return np.arange(n_examples)[:, None] % np.array([3, 4, 7]) == 0


def close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)


@EVERY
def test_a_score_gives_one_number_a_neuron_and_a_row_a_concept(score):
    X, Y = responses(), labels()
    assert score(X, Y[:, 0]).shape == (40,)
    assert score(X, Y).shape == (3, 40)
    assert score(X, Y).dtype == np.float64
    assert np.isfinite(score(X, Y)).all()


@EVERY
def test_many_concepts_equal_one_at_a_time(score):
    X, Y = responses(), labels()
    close(score(X, Y), [score(X, y) for y in Y.T])


@EVERY
@FLOATS
def test_the_layout_of_the_responses_does_not_matter(score, dtype, tmp_path):
    X, y = responses(dtype=dtype), labels()[:, 0]
    expected = score(X, y)
    np.save(tmp_path / "X.npy", X)
    frozen = X.copy()
    frozen.flags.writeable = False
    wide = np.repeat(X, 2, axis=1)
    for same in (
        np.asfortranarray(X),
        wide[:, ::2],
        frozen,
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        X.astype(X.dtype.newbyteorder()),
        X.tolist(),
    ):
        close(score(same, y), expected)


@EVERY
def test_the_precision_of_the_responses_does_not_matter(score):
    X, Y = responses(dtype=np.float16), labels()
    expected = score(X, Y)
    close(score(X.astype(np.float32), Y), expected)
    close(score(X.astype(np.float64), Y), expected)


@EVERY
@FLOATS
def test_inputs_are_left_as_they_were(score, dtype):
    X, Y = responses(dtype=dtype), labels().astype(int)
    before = X.tobytes(), Y.tobytes()
    score(X, Y)
    assert (X.tobytes(), Y.tobytes()) == before


@EVERY
def test_the_order_of_sentences_and_of_neurons_does_not_matter(score):
    X, Y = responses(), labels()
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(90), rng.permutation(40)
    close(score(X[rows], Y[rows]), score(X, Y))
    close(score(X[:, columns], Y), score(X, Y)[:, columns])


@EVERY
def test_neurons_of_later_blocks_are_scored_like_those_of_the_first(score):
    X, Y = responses(30), labels(30)
    tiled = np.tile(X, (1, 2 * COLUMNS // 40 + 1))
    close(score(tiled, Y), np.tile(score(X, Y), (1, 2 * COLUMNS // 40 + 1)))


@EVERY
def test_unknown_labels_equal_the_sentences_dropped(score):
    X, Y = responses(), labels().astype(int)
    Y[np.random.default_rng(2).random(Y.shape) < 0.2] = -1
    Y[40:60, 1] = -1
    Y[:, 2] = Y[:, 1]
    close(score(X, Y), [score(X[y >= 0], y[y >= 0] == 1) for y in Y.T])


@EVERY
def test_a_neuron_constant_among_the_known_sentences_is_as_a_constant_one(score):
    y = np.array([1, 0, 1, 0, 0, -1, -1])
    moving, still = np.full((7, 1), 0.1), np.full((7, 1), 0.1)
    moving[5:] = 3
    assert score(moving, y) == score(still, y)


@EVERY
def test_a_planted_neuron_comes_out_on_top_of_select_k_best(score):
    X, y = responses(), labels()[:, 0]
    assert SelectKBest(score, k=1).fit(X, y).get_support(indices=True).tolist() == [3]
    assert SelectKBest(f_classif, k=1).fit(X[:, :6], y).get_support(indices=True).tolist() == [3]


@EVERY
def test_every_real_dtype_is_taken(score):
    X = np.random.default_rng(3).integers(0, 50, (60, 9))
    y = np.arange(60) % 3 == 0
    for dtype in (np.int8, np.uint16, np.int64, ">f4"):
        close(score(X.astype(dtype), y), score(X.astype(float), y))
    close(score(X > 25, y), score((X > 25).astype(float), y))


@EVERY
def test_tensors_are_taken_from_their_graph_and_in_half_precision(score):
    torch = pytest.importorskip("torch")
    X, y = responses(dtype=np.float32), labels()[:, 0]
    attached = torch.tensor(X, requires_grad=True)
    close(score(attached, torch.tensor(y)), score(X, y))
    halved = torch.tensor(X, dtype=torch.bfloat16)
    close(score(halved, y), score(halved.float().numpy(), y))


@EVERY
@FLOATS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_by_neuron(score, dtype, bad):
    X = np.zeros((9, COLUMNS + 30), dtype)
    X[4, COLUMNS + 9] = bad
    with pytest.raises(ValueError, match=rf"neuron \(column\) {COLUMNS + 9}, expected finite"):
        score(X, np.arange(9) < 4)


@EVERY
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 2)), [1, 0, 1], r"labels of shape \(3,\), expected \(4,\)"),
        (np.zeros(4), [1, 0, 1, 0], r"X of shape \(4,\)"),
        (np.zeros((4, 0)), [1, 0, 1, 0], "non-empty"),
        (np.zeros((4, 2), complex), [1, 0, 1, 0], "dtype complex128"),
        (np.zeros((4, 2)), [0, 1, 2, 0], "1 positive, 0 negative, -1 unknown"),
        (np.zeros((4, 2)), [0, 0, 0, 0], r"no positive in the sentences for concept \(column\) 0"),
        (np.zeros((4, 2)), [[1, 0], [1, 0], [0, 0], [0, 0]], r"no positive .* \(column\) 1"),
        (np.zeros((4, 2)), [1, -1, 1, -1], "no negative"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(score, X, y, message):
    with pytest.raises(ValueError, match=message):
        score(X, y)


@EVERY
def test_one_class_is_refused_where_a_score_compares_two(score):
    if score is SCORES["average_precision"]:
        pytest.skip("average precision is defined without negatives: 1")
    with pytest.raises(ValueError, match="no negative"):
        score(np.arange(4.0)[:, None], [True] * 4)


@EVERY
def test_only_responses_and_labels_are_positional(score):
    first, second, *rest = inspect.signature(score).parameters.values()
    assert (first.name, second.name) == ("X", "y")
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in rest)


def test_the_registry_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        SCORES["mine"] = len
