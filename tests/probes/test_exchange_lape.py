"""LAPE's nested lists: a mask by language, nothing that runs code, no language guessed."""

import os
import pickle

import numpy as np
import pytest

from neurotrace.probes.exchange import read_lape

torch = pytest.importorskip("torch")

NEURONS = [
    [[1, 3], [], [0]],  # by language, by layer
    [[], [], []],
    [[3], [2, 0], []],
]
LANGUAGES = ["en", "zh", "fr"]


def saved(path, nested):
    torch.save([[torch.tensor(layer).long() for layer in lang] for lang in nested], path)
    return path


class RunsCode:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_a_neuron_is_true_where_the_lists_name_it_and_nowhere_else(tmp_path):
    found = read_lape(saved(tmp_path / "x.pth", NEURONS), languages=LANGUAGES)
    mask = found.mask(4)
    assert mask.shape == (3, 3, 4)
    assert mask.dtype == bool
    expected = [
        (lang, layer, neuron)
        for lang in range(3)
        for layer in range(3)
        for neuron in sorted(NEURONS[lang][layer])
    ]
    assert [tuple(at) for at in np.argwhere(mask).tolist()] == expected


def test_the_table_names_languages_layers_and_neurons(tmp_path):
    table = read_lape(saved(tmp_path / "x.pth", NEURONS), languages=LANGUAGES).table()
    assert table.to_numpy().tolist() == [
        ["en", 0, 1], ["en", 0, 3], ["en", 2, 0], ["fr", 0, 3], ["fr", 1, 0], ["fr", 1, 2],
    ]  # fmt: skip
    assert list(table) == ["lang", "layer", "neuron"]


def test_planted_masks_come_back_through_the_authors_way_of_writing(tmp_path):
    mask = np.random.default_rng(0).random((5, 4, 30)) < 0.1
    lists = [[np.flatnonzero(layer).tolist() for layer in lang] for lang in mask]
    for order in (1, -1):  # indices need not rise
        shuffled = [[layer[::order] for layer in lang] for lang in lists]
        found = read_lape(saved(tmp_path / "x.pth", shuffled))
        assert (found.mask(30) == mask).all()
        assert found.languages == ("0", "1", "2", "3", "4")


def test_a_mask_without_any_neuron_is_a_table_without_rows(tmp_path):
    found = read_lape(saved(tmp_path / "x.pth", [[[], []]]))
    assert (len(found.table()), found.mask(3).sum()) == (0, 0)


def test_a_list_shorter_than_the_languages_is_refused_unless_allowed(tmp_path):
    file = saved(tmp_path / "BLOOM.neuron.pth", NEURONS)
    names = [*LANGUAGES, "ja", "id"]
    with pytest.raises(ValueError, match="got lists of 3 languages, expected 5") as refused:
        read_lape(file, languages=names)
    assert "leaves off the last languages where they have no neuron" in str(refused.value)
    assert str(refused.value).endswith("(ja, id)")
    found = read_lape(file, languages=names, allow_shorter=True)
    assert found.languages == tuple(names)
    assert found.mask(4).any((1, 2)).tolist() == [True, False, True, False, False]


def test_a_list_longer_than_the_languages_is_always_refused(tmp_path):
    file = saved(tmp_path / "x.pth", NEURONS)
    for allow in (False, True):
        with pytest.raises(ValueError, match="got lists of 3 languages, expected 2"):
            read_lape(file, languages=LANGUAGES[:2], allow_shorter=allow)
    with pytest.raises(ValueError, match="expected each once"):
        read_lape(file, languages=["en", "en", "fr"])


@pytest.mark.parametrize("plain", [True, False], ids=["pickle", "torch"])
def test_a_file_that_would_run_code_is_refused_before_it_does(tmp_path, plain):
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    evil = [[torch.tensor([1])], [RunsCode(trace)]]
    if plain:
        file.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, file)
    with pytest.raises(ValueError, match="does not load safely") as refused:
        read_lape(file)
    assert str(refused.value).startswith("evil.pth: ")
    assert "\n" not in str(refused.value)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 half an archive"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "half.pth").write_bytes(content)
    with pytest.raises(ValueError, match="^half.pth: got a file that torch does not load"):
        read_lape(tmp_path / "half.pth")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent.pth, expected a file"):
        read_lape(tmp_path / "absent.pth")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"en": []}, "got a dict of 1, expected a list of languages"),
        ([], "got a list of 0, expected a list of languages"),
        ([[]], "language 0: got a list of 0, expected its layers"),
        ([torch.tensor([1])], r"language 0: got a tensor of shape \(1,\) and torch.int64"),
        ([[[1, 2]]], "language 0, layer 0: got a list of 2, expected a tensor of neuron"),
        ([[torch.tensor([0.5])]], "got a tensor of shape .* torch.float32, expected a tensor of"),
        ([[torch.tensor([True])]], "torch.bool, expected a tensor of neuron indices"),
        ([[torch.tensor([[1]])]], r"got a tensor of shape \(1, 1\)"),
        ([[torch.tensor([1]).to_sparse()]], "expected a tensor of neuron indices"),
        ([[torch.tensor([-1])]], "got an index below 0 or twice"),
        ([[torch.tensor([2, 2])]], "got an index below 0 or twice"),
        ([[torch.tensor([1])] * 2, [torch.tensor([1])]], "language 1: got 1 layers, expected 2"),
    ],
)
def test_other_content_is_refused_by_language_and_layer(tmp_path, value, message):
    torch.save(value, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=message) as refused:
        read_lape(tmp_path / "x.pth")
    assert str(refused.value).startswith("x.pth: ")


def test_a_width_that_a_neuron_exceeds_is_refused(tmp_path):
    found = read_lape(saved(tmp_path / "x.pth", NEURONS), languages=LANGUAGES)
    with pytest.raises(ValueError, match="got width=3, expected more than 3, a neuron of en in"):
        found.mask(3)
