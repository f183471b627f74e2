"""results.h5: resumable while it grows, whole when it has its name, readable two ways."""

import h5py
import numpy as np
import pytest
import xarray as xr

from neurotrace.trajectories import Results, read


def dataset(value: float) -> xr.Dataset:
    data = xr.Dataset({"value": (("step", "lang"), np.full((2, 2), value))})
    return data.assign_coords(step=[0, 8], lang=["qaa_Latn", "qab_Ελλη"]).assign_attrs(path="p")


def never():
    raise AssertionError("computed again")


def test_a_result_is_computed_once_even_across_an_interruption(tmp_path):
    first = Results(tmp_path)
    xr.testing.assert_identical(first.get("a", lambda: dataset(1)), dataset(1))
    with pytest.raises(FileNotFoundError, match="expected a finished run"):
        read(tmp_path)
    second = Results(tmp_path)  # as after a kill
    second.get("a", never)
    second.get("b", lambda: dataset(2))
    found = second.finish()
    assert list(found) == ["a", "b"]
    xr.testing.assert_identical(Results(tmp_path).get("b", never), dataset(2))


def test_a_group_that_was_cut_off_is_written_again(tmp_path):
    Results(tmp_path).get("a", lambda: dataset(1))
    with h5py.File(tmp_path / "results.h5.partial", "a") as file:
        file.create_group("b")["value"] = [1.0]
    results = Results(tmp_path)
    assert "a" in results
    assert "b" not in results
    results.get("b", lambda: dataset(2))
    xr.testing.assert_identical(results.finish()["b"], dataset(2))


def test_a_damaged_partial_starts_again(tmp_path):
    Results(tmp_path).get("a", lambda: dataset(1))
    partial = tmp_path / "results.h5.partial"
    partial.write_bytes(partial.read_bytes()[:100])
    results = Results(tmp_path)
    assert "a" not in results
    xr.testing.assert_identical(results.get("a", lambda: dataset(3)), dataset(3))


def test_plain_h5py_reads_the_same(tmp_path):
    results = Results(tmp_path)
    results.get("a", lambda: dataset(1.5))
    results.finish()
    with h5py.File(tmp_path / "results.h5") as file:
        assert file["a/value"][...].tolist() == [[1.5, 1.5], [1.5, 1.5]]
        assert file["a/lang"].asstr()[...].tolist() == ["qaa_Latn", "qab_Ελλη"]
        assert file["a"].attrs["path"] == "p"


def test_a_finished_file_is_added_to_and_never_lost(tmp_path):
    first = Results(tmp_path)
    first.get("a", lambda: dataset(1))
    first.finish()
    later = Results(tmp_path)
    later.get("b", lambda: dataset(2))
    xr.testing.assert_identical(later["a"], dataset(1))
    assert list(later.finish()) == ["a", "b"]
