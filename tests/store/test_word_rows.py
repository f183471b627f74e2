"""Rows of words in a file: written slab by slab, read with their table, absent in old files."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from neurotrace.store import ActivationStore, StoreMismatch
from neurotrace.store.layout import bytes_needed, dims, holds_tokens, rows_of, table_of

WORDS = {
    ("hook_resid_post/words", 0): (16, "float32"),
    ("hook_resid_post/words_mean", 0): (16, "float32"),
    ("embed/words_first", None): (16, "float32"),
}


@pytest.fixture
def worded(make_planted: Any) -> Any:
    """A planted file's worth of rows with words, other in number than its tokens."""
    planted = make_planted()
    rng = np.random.default_rng(9)
    example = np.sort(rng.integers(0, planted.n_examples, size=110))
    position = rng.integers(0, 8, size=110)
    planted.words = pd.DataFrame(
        {
            "example": example,
            "position": position,
            "stop": position + rng.integers(1, 4, size=110),
            "word": [f"дом{number % 7}" for number in range(110)],
            "lang": planted.examples["lang"].to_numpy()[example],
        }
    )
    planted.arrays = {key: (x.shape[1], "float32") for key, x in planted.values.items()} | WORDS
    planted.values |= {key: rng.standard_normal((110, 16)).astype(np.float32) for key in WORDS}
    tables = {"tokens": planted.tokens, "words": planted.words}

    def slab(start: int) -> dict:
        stop = min(start + 256, planted.n_examples)
        return {k: x[rows_of(k[0], tables, start, stop)] for k, x in planted.values.items()}

    planted.slab = slab
    return planted


def write(worded: Any, file: Path, **changes: Any) -> Path:
    return worded.write(file, arrays=worded.arrays, words=worded.words, **changes)


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("mlp.hook_post/max", "examples"),
        ("hook_resid_post/mean_all", "examples"),
        ("embed/tokens", "tokens"),
        ("hook_resid_post/words", "words"),
        ("mlp.hook_post@rotated7/words_mean", "words"),
        ("embed/words_first", "words"),
    ],
)
def test_a_path_says_which_table_its_rows_are_of(path: str, table: str) -> None:
    assert table_of(path) == table
    assert holds_tokens(path) is (table != "examples")
    assert dims(path)[0] == ("example" if table == "examples" else "token")


def test_a_word_on_the_border_of_two_slabs_belongs_to_its_sentence() -> None:
    tables = {"words": pd.DataFrame({"example": [0, 255, 256, 256, 511, 512]})}
    found = [rows_of("embed/words", tables, *slab) for slab in ((0, 256), (256, 512), (512, 600))]
    assert found == [slice(0, 2), slice(2, 5), slice(5, 6)]
    assert rows_of("embed/mean", tables, 256, 512) == slice(256, 512)


def test_words_come_back_with_their_table_along_the_rows(worded: Any, tmp_path: Path) -> None:
    write(worded, tmp_path / "0000_step16.h5")
    store = ActivationStore.open(tmp_path)
    assert list(store.words) == ["example", "position", "stop", "word", "lang"]
    pd.testing.assert_frame_equal(store.words, worded.words, check_dtype=False)
    assert len(store.tokens) == 70
    for (path, layer), expected in worded.values.items():
        found = store.read(16, layer, path)
        np.testing.assert_array_equal(found, expected, err_msg=path)
    some = store.read(16, 0, "hook_resid_post/words", rows=[100, 3])
    assert some.dims == ("token", "feature")
    assert some["word"].to_numpy().tolist() == ["дом2", "дом3"]
    assert some["stop"].to_numpy().tolist() == worded.words["stop"].iloc[[100, 3]].tolist()


def test_a_map_over_words_sees_the_words_of_the_groups(worded: Any, tmp_path: Path) -> None:
    write(worded, tmp_path / "0000_step16.h5")
    store = ActivationStore.open(tmp_path)
    groups = set(store.examples["group"].iloc[:200])

    def seen(X: np.ndarray, table: pd.DataFrame) -> float:
        assert list(table) == list(worded.words)
        assert set(store.examples["group"].iloc[table["example"]]) <= groups
        return float(len(X))

    counts = store.map(seen, "hook_resid_post/words_mean", groups=groups)
    assert counts.dims == ("step", "layer")
    assert int(counts[0, 0]) == int((worded.words["example"] < 200).sum())


def test_damaged_words_are_written_anew(worded: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    options = {"arrays": worded.arrays, "words": worded.words}
    with worded.open(file, **options) as writer:
        for start in (0, 256):
            writer.write(start, worded.slab(start))
    (held,) = tmp_path.glob("*.partial")
    last = int((worded.words["example"] < 512).sum()) - 1
    with h5py.File(held, "r+") as h5:
        h5["hook_resid_post/words_mean/00"][last, 5] += 1
    with worded.open(file, **options) as writer:
        assert writer.n_done == 256
    other = worded.words.assign(stop=worded.words["stop"] + 1)
    with pytest.raises(StoreMismatch, match="started with another words"):
        worded.open(file, **{**options, "words": other})


def test_a_value_that_is_no_number_is_refused_with_the_sentence_of_its_word(
    worded: Any, tmp_path: Path
) -> None:
    worded.values["hook_resid_post/words", 0][0, 3] = np.nan
    example = int(worded.words["example"].iloc[0])
    sentence = worded.examples.iloc[example]
    with pytest.raises(ValueError, match=rf"words, {sentence['lang']} group '{sentence['group']}'"):
        write(worded, tmp_path / "0000_step16.h5")


def test_word_paths_without_a_table_are_refused(worded: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got path 'hook_resid_post/words' without a word table"):
        worded.open(tmp_path / "0000_step16.h5", arrays=worded.arrays)


def test_files_without_words_open_as_they_did(planted: Any, tmp_path: Path) -> None:
    planted.write(tmp_path / "0000_step16.h5")
    store = ActivationStore.open(tmp_path)
    assert store.words is None
    assert len(store.tokens) == 70
    assert store.read(16, 0, "hook_resid_post/tokens").shape == (70, 16)
    with pytest.raises(KeyError, match="got path 'hook_resid_post/words'; valid are embed/mean"):
        store.read(16, 0, "hook_resid_post/words")
    with pytest.raises(KeyError, match="got path 'hook_resid_post/words'; valid are embed/mean"):
        store.map(lambda X, _: len(X), "hook_resid_post/words", groups={"g0"})


def test_bytes_count_the_rows_of_each_table() -> None:
    arrays = {("embed/words", None): (16, "float32"), ("embed/tokens", None): (16, "float32")}
    few = bytes_needed(arrays, n_examples=10, n_tokens=256, n_words=256)
    more = bytes_needed(arrays, n_examples=10, n_tokens=256, n_words=1024)
    assert more - few == 768 * (16 * 4 + 200)
