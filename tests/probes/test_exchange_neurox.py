"""NeuroX's activations: sentences in their own order, pooled by hand, damage told by name."""

import json

import h5py
import numpy as np
import pytest

from neurotrace.probes import average_precision
from neurotrace.probes.exchange import pool_neurox, read_neurox

LAYERS, WIDTH = 3, 4


def sentences(n=12, seed=0):
    """(layer, token, neuron) of sentences of different lengths, and their tokens."""
    rng = np.random.default_rng(seed)
    lengths = 1 + np.arange(n) % 4
    values = [rng.standard_normal((LAYERS, length, WIDTH)).astype("f4") for length in lengths]
    tokens = [[f"w{at}{word}" for word in range(length)] for at, length in enumerate(lengths)]
    return values, tokens


def write_hdf5(path, values, tokens, **changes):
    with h5py.File(path, "w") as file:
        for at, array in enumerate(values):
            file.create_dataset(str(at), data=array)
        named = {" ".join(words): str(at) for at, words in enumerate(tokens)}
        text = changes.get("index", json.dumps(named))
        if text is not None:
            file.create_dataset("sentence_to_index", (1,), dtype=h5py.string_dtype())[0] = text
    return path


def write_json(path, values, tokens, order=None):
    lines = []
    for at in range(len(values)) if order is None else order:
        features = [
            {
                "token": token,
                "layers": [
                    {"index": layer, "values": [round(float(x), 8) for x in row]}
                    for layer, row in enumerate(values[at][:, place])
                ],
            }
            for place, token in enumerate(tokens[at])
        ]
        lines.append(json.dumps({"linex_index": at, "features": features}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_sentences_of_hdf5_come_by_number_with_their_words(tmp_path):
    values, tokens = sentences()
    found = read_neurox(write_hdf5(tmp_path / "a.hdf5", values, tokens))
    assert found.numbers.tolist() == list(range(12))  # the file has 10 before 2
    assert found.sentences == [" ".join(words) for words in tokens]
    assert all((a == b).all() for a, b in zip(found.activations, values, strict=True))


def test_json_lines_hold_the_same_to_eight_decimals(tmp_path):
    values, tokens = sentences()
    file = write_json(tmp_path / "a.json", values, tokens, order=[3, 1, 11, 0])
    found, pooled = read_neurox(file), pool_neurox(file)
    assert found.numbers.tolist() == pooled.numbers.tolist() == [0, 1, 3, 11]
    assert found.sentences == pooled.sentences
    assert found.sentences == [" ".join(tokens[at]) for at in (0, 1, 3, 11)]
    for array, at in zip(found.activations, (0, 1, 3, 11), strict=True):
        assert array == pytest.approx(values[at], abs=1e-8)


def test_pooling_is_over_tokens_with_layers_side_by_side(tmp_path):
    one = np.array([[[1, -5], [3, -7]], [[0, 2], [0, 4]]], dtype="f2")  # 2 layers, tokens, neurons
    file = write_hdf5(tmp_path / "a.hdf5", [one], [["a", "b"]])
    assert pool_neurox(file, how="max").X.tolist() == [[3, -5, 0, 4]]
    found = pool_neurox(file, how="mean")
    assert found.X.tolist() == [[2, -6, 0, 3]]
    assert found.X.dtype == np.float32
    assert found.neurons["layer"].tolist() == [0, 0, 1, 1]
    assert found.neurons["neuron"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("how", ["max", "mean"])
def test_pooling_a_file_equals_pooling_what_was_read(tmp_path, how):
    values, tokens = sentences()
    for write, name in ((write_hdf5, "a.hdf5"), (write_json, "a.json")):
        found = pool_neurox(write(tmp_path / name, values, tokens), how=how)
        expected = np.stack([getattr(array, how)(axis=1).ravel() for array in values])
        assert found.X == pytest.approx(expected, abs=1e-6)
        assert found.sentences == [" ".join(words) for words in tokens]


def test_the_order_of_tokens_does_not_matter_to_pooling(tmp_path):
    values, tokens = sentences()
    turned = [array[:, ::-1] for array in values]
    for how in ("max", "mean"):
        a = pool_neurox(write_hdf5(tmp_path / "a.hdf5", values, tokens), how=how)
        b = pool_neurox(write_hdf5(tmp_path / "b.hdf5", turned, tokens), how=how)
        assert a.X == pytest.approx(b.X, abs=1e-6)


def test_a_planted_neuron_is_found_through_the_file(tmp_path):
    values, tokens = sentences(n=24)
    y = np.arange(24) % 2 == 0
    for at in np.flatnonzero(y):
        values[at][1, 0, 2] += 9  # layer 1, first token, neuron 2
    found = pool_neurox(write_hdf5(tmp_path / "a.hdf5", values, tokens), how="max")
    best = average_precision(found.X, y[found.numbers]).argmax()
    assert found.neurons.iloc[best].tolist() == [1, 2]


def test_a_sentence_that_stands_twice_loses_the_mark_neurox_gives_it(tmp_path):
    values, _ = sentences(n=3)
    index = json.dumps({"a b": "0", "a b (Occurrence 2)": "1", "c (Occurrence 2)": "2"})
    found = read_neurox(write_hdf5(tmp_path / "a.hdf5", values, [], index=index))
    assert found.sentences == ["a b", "a b", "c (Occurrence 2)"]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (None, "got no 'sentence_to_index', which NeuroX writes last"),
        ("no json", "got a 'sentence_to_index' of another kind"),
        ('["a", "b"]', "got a 'sentence_to_index' of another kind"),
        ('{"a": "0"}', "got 2 datasets and 1 sentences"),
        ('{"a": "0", "b": "0"}', "got 2 datasets and 2 sentences, .* name each dataset once"),
    ],
)
def test_an_index_that_does_not_fit_the_datasets_is_refused(tmp_path, index, message):
    values, _ = sentences(n=2)
    file = write_hdf5(tmp_path / "a.hdf5", values, [], index=index)
    with pytest.raises(ValueError, match=f"^a.hdf5: {message}"):
        read_neurox(file)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.zeros((LAYERS, 2, 5)), "got 3 layers of 5 neurons, expected 3 layers of 4 neurons"),
        (np.zeros((2, 2, WIDTH)), "got 2 layers of 4 neurons, expected 3 layers"),
        (np.zeros((LAYERS, WIDTH)), r"expected numbers \(layer, token, neuron\)"),
        (np.full((LAYERS, 1, WIDTH), np.inf), "got NaN or infinity"),
        (np.zeros((LAYERS, 0, WIDTH)), "got no token"),
    ],
)
def test_a_sentence_of_another_shape_is_named(tmp_path, second, message):
    file = write_hdf5(tmp_path / "a.hdf5", [np.zeros((LAYERS, 1, WIDTH)), second], [["a"], ["b"]])
    with pytest.raises(ValueError, match=f"^a.hdf5: sentence 1: .*{message}"):
        pool_neurox(file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "got another content"),
        (b"[]", "got another content"),
        (b"\xff\xfe\xfd", "got another content"),
        (b'{"features": []}', "got another content"),
        (b'{"linex_index": 1, "features": []}', "got no token"),
        (b'{"linex_index": 1, "features": [{"token": "a"}]}', "got another content"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    file = write_json(tmp_path / "a.json", *sentences(n=1))
    file.write_bytes(file.read_bytes() + b"\n" + line + b"\n")
    with pytest.raises(ValueError, match=f"^a.json: line 3: {message}"):
        read_neurox(file)


def test_tokens_of_different_layers_and_numbers_given_twice_are_refused(tmp_path):
    values, tokens = sentences(n=2)
    file = write_json(tmp_path / "a.json", values, tokens, order=[0, 1, 1])
    with pytest.raises(ValueError, match="^a.json: sentence 1: got a second one"):
        read_neurox(file)
    file = write_json(tmp_path / "b.json", values, tokens)
    text = file.read_text().splitlines()
    file.write_text("\n".join([text[0], text[1].replace('"index": 2', '"index": 5', 1)]))
    with pytest.raises(ValueError, match="^b.json: line 2: got tokens of different layers"):
        read_neurox(file)


def test_damaged_missing_empty_and_unknown_files_are_refused(tmp_path):
    file = write_hdf5(tmp_path / "a.hdf5", *sentences())
    file.write_bytes(file.read_bytes()[:-900])
    with pytest.raises(ValueError, match="^a.hdf5: got a damaged file or no HDF5"):
        read_neurox(file)
    (tmp_path / "b.json").write_text("\n")
    with pytest.raises(ValueError, match="^b.json: got no sentence"):
        read_neurox(tmp_path / "b.json")
    (tmp_path / "c.pt").touch()
    with pytest.raises(ValueError, match="^c.pt: got ending '.pt', valid are .hdf5, .h5, .json"):
        read_neurox(tmp_path / "c.pt")
    with pytest.raises(FileNotFoundError, match="expected a file"):
        pool_neurox(tmp_path / "absent.hdf5")
    with pytest.raises(ValueError, match="got how='sum', valid are 'max', 'mean'"):
        pool_neurox(tmp_path / "b.json", how="sum")
