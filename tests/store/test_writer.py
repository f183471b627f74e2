"""One checkpoint's file while it is being written."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurotrace.store import ActivationStore, layout


def one_partial(folder: Path) -> Path:
    (found,) = folder.glob("*.partial")
    return found


def test_bytes_read_back_are_the_bytes_written(planted: Any, tmp_path: Path) -> None:
    file = planted.write(tmp_path / "0000_step16.h5")
    with h5py.File(file) as h5:
        for key, x in planted.values.items():
            dataset = h5[layout.dataset_name(*key)]
            np.testing.assert_array_equal(dataset[...], x.astype(dataset.dtype))
            assert dataset.compression is None
            assert dataset.chunks == layout.chunks(*dataset.shape)


def test_a_file_has_its_name_only_when_it_is_whole(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
        assert not file.exists()
        with pytest.raises(ValueError, match="got 256 of 600 rows"):
            open_writer.finish()
    assert one_partial(tmp_path).name.startswith("0000_step16.h5.")
    planted.write(file)
    assert [path.name for path in tmp_path.iterdir()] == ["0000_step16.h5"]
    with pytest.raises(FileExistsError, match="0000_step16"):
        planted.open(file)


def test_the_file_has_its_full_size_on_disk_before_the_first_row(
    planted: Any, tmp_path: Path
) -> None:
    with planted.open(tmp_path / "0000_step16.h5") as open_writer:
        found = one_partial(tmp_path).stat()
        needed = sum(x.size * 2 for key, x in planted.values.items() if key[0].startswith("mlp"))
        assert found.st_blocks * 512 >= found.st_size > needed
        for start in (0, 256, 512):
            open_writer.write(start, planted.slab(start))
        assert one_partial(tmp_path).stat().st_size == found.st_size


def test_the_size_is_foretold_with_the_rest_of_every_chunk(planted: Any, tmp_path: Path) -> None:
    arrays = {("mlp.hook_post/max", layer): (1500, "float32") for layer in range(6)}
    planted.open(tmp_path / "0000_step16.h5", arrays=arrays).close()
    size = one_partial(tmp_path).stat().st_size
    foretold = layout.bytes_needed(arrays, n_examples=600, n_tokens=70)
    assert 30_000_000 < size <= foretold <= size + 2_000_000


def test_counted_rows_survive_and_are_not_written_again(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        open_writer.write(0, planted.slab(0))
    with planted.open(file) as open_writer:
        assert open_writer.n_done == 256
        with pytest.raises(ValueError, match="got rows from 0; expected the slab that starts 256"):
            open_writer.write(0, planted.slab(0))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_resumed_file_equals_an_undisturbed_one(planted: Any, tmp_path: Path) -> None:
    for name, stops in (("whole", []), ("resumed", [256, 512])):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "0000_step16.h5"
        for stop in stops:
            with planted.open(file) as open_writer:
                open_writer.write(stop - 256, planted.slab(stop - 256))
        planted.write(file)
    whole, resumed = (dump(tmp_path / n / "0000_step16.h5") for n in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, resumed[name], err_msg=name)


def dump(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(file) as h5:
        found |= {f"@{name}": value for name, value in h5.attrs.items()}
        h5.visititems(
            lambda name, item: found.update({name: item[...]} if hasattr(item, "shape") else {})
        )
    return found


def test_a_file_damaged_before_its_end_gets_no_name(planted: Any, tmp_path: Path) -> None:
    file = tmp_path / "0000_step16.h5"
    with planted.open(file) as open_writer:
        for start in (0, 256, 512):
            open_writer.write(start, planted.slab(start))
        open_writer._h5["embed/mean"][599, 3] = 0.5
        with pytest.raises(OSError, match="rows from 512 on do not read back"):
            open_writer.finish()
    assert not file.exists()
    planted.write(file)
    store = ActivationStore.open(file)
    np.testing.assert_array_equal(
        store.read(16, None, "embed/mean"), planted.values["embed/mean", None]
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "got nan; expected finite numbers"),
        (-np.inf, "got -inf; expected finite numbers"),
        (1e5, r"got 100000, beyond what float16 holds \(65504\); use dtype='float32'"),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_by_step_layer_site_and_sentence(
    value: float, message: str, planted: Any, tmp_path: Path
) -> None:
    planted.values["mlp.hook_post/max", 1][301, 3] = value
    wanted = f"^step 16, layer 1, mlp.hook_post/max, bbb_Cyrl group 'g150': {message}$"
    with planted.open(tmp_path / "0000_step16.h5") as open_writer:
        open_writer.write(0, planted.slab(0))
        with pytest.raises(ValueError, match=wanted):
            open_writer.write(256, planted.slab(256))
        assert open_writer.n_done == 256
