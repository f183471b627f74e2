"""Files harmed after they were whole: found, named, set aside."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurotrace.store import (
    ActivationStore,
    StoreDamaged,
    StoreMismatch,
    check_file,
    set_aside,
)
from neurotrace.store.match import is_finished, read_header
from neurotrace.store.sums import TABLES

HEADER = {"model": "planted", "step": 16, "bos": "default"}


@pytest.fixture
def whole(planted: Any, tmp_path: Path) -> Path:
    return planted.write(tmp_path / "0000_step16.h5")


def everything(file: Path) -> dict[str, Any]:
    """All values and attributes, with their types."""
    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype.str, np.asarray(item[...]).tolist())
        found.update({f"{name}@{key}": np.asarray(v).tolist() for key, v in item.attrs.items()})

    with h5py.File(file, locking=False) as h5:
        note("", h5)
        h5.visititems(note)
    return found


def edited(edit: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def harm(file: Path) -> None:
        with h5py.File(file, "r+") as h5:
            edit(h5)

    return harm


def truncated(size: int) -> Callable[[Path], None]:
    def harm(file: Path) -> None:
        with file.open("r+b") as stream:
            stream.truncate(size)

    return harm


def one_more(name: str, where: Any) -> Callable[[h5py.File], None]:
    def edit(h5: h5py.File) -> None:
        h5[name][where] += 1

    return edit


def lacking(name: str) -> Callable[[h5py.File], None]:
    def edit(h5: h5py.File) -> None:
        del h5[name]

    return edit


# What is found by a look at header and tables, and what by reading every value alone.
TABLES_HARMED = "differs from its checksum in the header or a table"
HARMS = {
    "cut short": (truncated(100_000), "is truncated (100,000 bytes are left)"),
    "emptied": (truncated(0), "is empty"),
    "text": (lambda file: file.write_text("no HDF5 at all " * 9), "is no HDF5 file"),
    "foreign": (
        lambda file: h5py.File(file, "w").close(),
        "is another's file (format None version None)",
    ),
    "a label": (edited(one_more("labels", (599, 2))), TABLES_HARMED),
    "a table": (edited(one_more("examples/n_tokens", 7)), TABLES_HARMED),
    "a word": (edited(lambda h5: h5["tokens/word"].__setitem__(3, "другое")), TABLES_HARMED),
    "the header": (edited(lambda h5: h5.attrs.modify("model", "other")), TABLES_HARMED),
    "a checksum": (edited(one_more("checksums", (0, 0))), TABLES_HARMED),
    "a dataset": (edited(lacking("embed/mean")), TABLES_HARMED),
}
SLABS_HARMED = {
    "a value": (("mlp.hook_post/max/01", (300, 7)), "mlp.hook_post/max/01, rows 256 to 511"),
    "the last value": (("embed/mean", (599, 15)), "embed/mean, rows 512 to 599"),
}


def test_a_whole_file_passes(whole: Path) -> None:
    assert check_file(whole) is None
    assert check_file(whole, quick=True) is None
    assert is_finished(whole, read_header(whole), verify=True)
    assert ActivationStore.open(whole.parent, verify=True).steps == [16]


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_file_is_found_by_a_quick_look_and_told_what_is_wrong(
    harm: str, whole: Path
) -> None:
    header = read_header(whole)
    do, reason = HARMS[harm]
    do(whole)
    assert check_file(whole, quick=True) == check_file(whole) == reason
    with pytest.raises(StoreDamaged, match=r"^0000_step16\.h5 .*; --repair sets it aside"):
        ActivationStore.open(whole.parent, verify=True)
    # Another model in the header is first of all another series.
    expected = StoreMismatch if harm == "the header" else StoreDamaged
    with pytest.raises(expected, match="0000_step16.h5"):
        is_finished(whole, header)


@pytest.mark.parametrize("harm", SLABS_HARMED)
def test_a_harmed_value_is_found_by_reading_all_and_named_by_dataset_and_rows(
    harm: str, whole: Path
) -> None:
    header = read_header(whole)
    at, place = SLABS_HARMED[harm]
    edited(one_more(*at))(whole)
    assert check_file(whole, quick=True) is None
    assert check_file(whole) == f"differs from its checksum in {place}"
    assert is_finished(whole, header)
    with pytest.raises(StoreDamaged, match=rf"0000_step16\.h5 differs .* {place}; --repair"):
        is_finished(whole, header, verify=True)
    with pytest.raises(StoreDamaged, match=place):
        ActivationStore.open(whole, verify=True)


@pytest.mark.parametrize("harm", ["cut short", "emptied", "text", "foreign"])
def test_opening_what_is_no_file_of_ours_names_it_and_the_way_out(
    harm: str, whole: Path, planted: Any
) -> None:
    planted.write(whole.with_name("0001_step32.h5"), header=HEADER | {"step": 32})
    HARMS[harm][0](whole)
    with pytest.raises(StoreDamaged, match=r"^0000_step16\.h5 .*; --repair") as e:
        ActivationStore.open(whole.parent)
    assert "\n" not in str(e.value)


def test_a_file_of_another_version_is_not_called_damaged(whole: Path) -> None:
    edited(lambda h5: h5.attrs.modify("version", 2))(whole)
    with pytest.raises(StoreMismatch, match="version 2; expected .* version 1") as e:
        ActivationStore.open(whole)
    assert not isinstance(e.value, StoreDamaged)


def test_an_unfinished_file_under_a_final_name_is_not_whole(planted: Any, tmp_path: Path) -> None:
    with planted.open(tmp_path / "0000_step16.h5") as writer:
        writer.write(0, planted.slab(0))
    (held,) = tmp_path.glob("*.partial")
    edited(lambda h5: h5.attrs.__delitem__(TABLES))(held)
    file = held.rename(tmp_path / "0000_step16.h5")
    assert check_file(file, quick=True) == "is not whole (256 of 600 rows)"


def test_files_from_before_the_checksum_of_tables_are_read_as_they_are(whole: Path) -> None:
    edited(lambda h5: h5.attrs.__delitem__(TABLES))(whole)
    assert check_file(whole) is None
    assert ActivationStore.open(whole, verify=True).read(16, 0).shape == (600, 40)


def test_what_is_not_there_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "0000_step16.h5")


def test_a_file_set_aside_is_kept_and_captured_again(whole: Path, planted: Any) -> None:
    for number in (1, 2):
        truncated(1000 * number)(whole)
        broken = set_aside(whole)
        assert broken.name == f"0000_step16.h5.broken-{number}"
        assert broken.stat().st_size == 1000 * number
        with pytest.raises(FileNotFoundError, match="without captured checkpoints"):
            ActivationStore.open(whole.parent)
        planted.write(whole)
    assert ActivationStore.open(whole.parent, verify=True).steps == [16]
    assert len(list(whole.parent.iterdir())) == 3


def flip(file: Path, good: bytes, at: int, bit: int) -> None:
    changed = bytearray(good)
    changed[at] ^= 1 << bit
    file.write_bytes(changed)


def structure(file: Path, size: int) -> list[int]:
    """Bytes that hold no value of a slab: headers, tables, and HDF5's own bookkeeping."""
    outside = np.ones(size, dtype=bool)
    with h5py.File(file) as h5:
        for name in h5["checksums"].attrs["datasets"]:
            for number in range(h5[name].id.get_num_chunks()):
                chunk = h5[name].id.get_chunk_info(number)
                outside[chunk.byte_offset : chunk.byte_offset + chunk.size] = False
    return np.flatnonzero(outside).tolist()


@pytest.mark.parametrize("n_flips", [60, pytest.param(4000, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_found_or_changes_nothing(
    n_flips: int, make_planted: Any, tmp_path: Path
) -> None:
    file = make_planted(300).write(tmp_path / "0000_step16.h5")
    good, expected, rng = file.read_bytes(), everything(file), random.Random(n_flips)
    bookkeeping = structure(file, len(good))
    found = 0
    for number in range(n_flips):
        at = rng.choice(bookkeeping) if number % 2 else rng.randrange(len(good))
        flip(file, good, at, rng.randrange(8))
        if check_file(file) is not None:
            found += 1
            continue
        now = everything(file)
        changed = {key for key in now.keys() | expected if now.get(key) != expected.get(key)}
        # Its own name is all that the checksum cannot vouch for.
        assert changed <= {f"@{TABLES}"} | (now.keys() - expected), f"byte {at}"
    assert found > n_flips // 3
