"""results.h5: resumable while it grows, whole when it has its name, readable two ways."""

import fcntl

import h5py
import numpy as np
import pytest
import xarray as xr

from neurotrace.runner.leases import Lease, LeaseLost, try_hold
from neurotrace.store.disk import Unlocked
from neurotrace.trajectories import Results, read, result_files, results
from neurotrace.trajectories.results import ResultsLost


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


@pytest.mark.parametrize("ending", [lambda made: made.finish(), lambda made: made["b"]])
def test_results_that_another_process_removed_are_missed_before_anything_has_a_name(
    tmp_path, ending
):
    made = Results(tmp_path)
    made.get("a", lambda: dataset(1))
    (tmp_path / "results.h5.partial").unlink()
    with pytest.raises(ResultsLost, match=r"1 of the results made so far are gone \(a\)"):
        made.get("b", lambda: dataset(2))
    made = Results(tmp_path)
    for name in ("a", "b"):
        made.get(name, lambda: dataset(1))
    made._read.clear()
    (tmp_path / "results.h5.partial").unlink()
    with pytest.raises(
        ResultsLost, match=r"2 of the results .* gone \(a, b\): another process removed or renamed"
    ):
        ending(made)
    assert not list(tmp_path.iterdir())


def test_whoever_loses_the_file_in_the_middle_of_a_write_leaves_nothing(tmp_path, monkeypatch):
    lease, ours = try_hold(tmp_path / "results.h5"), [True]
    reserve = result_files.reserve
    monkeypatch.setattr(Lease, "still_ours", lambda _: ours[0])

    def taken(file, dataset=None):
        if dataset is None:  # after the values, before their marks
            file.unlink()
            ours[0] = False
        reserve(file, dataset)

    monkeypatch.setattr(result_files, "reserve", taken)
    with pytest.raises(LeaseLost):
        Results(tmp_path, lease=lease).get("a", lambda: xr.Dataset({"x": 1.0}))
    ours[0] = True
    lease.release()
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_that_lacks_what_was_put_into_it_is_not_finished(tmp_path):
    made = Results(tmp_path)
    for name in ("a", "b"):
        made.get(name, lambda: dataset(1))
    with h5py.File(tmp_path / "results.h5.partial", "a") as file:
        del file["a"]
    with pytest.raises(ResultsLost, match=r"1 of the results made so far are gone \(a\)"):
        made.finish()
    assert not (tmp_path / "results.h5").exists()


def test_a_run_that_asks_for_nothing_has_an_empty_file(tmp_path):
    assert Results(tmp_path).finish() == {}
    assert read(tmp_path) == {}


def test_a_finished_file_is_read_where_no_lock_of_it_is_to_be_had(tmp_path):
    made = Results(tmp_path)
    made.get("a", lambda: dataset(1))
    made.finish()
    results._LAST.clear()
    with (tmp_path / "results.h5").open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="unable to lock"):
            h5py.File(tmp_path / "results.h5", "r", locking=True)
        xr.testing.assert_identical(read(tmp_path)["a"], dataset(1))


@pytest.mark.parametrize(
    ("refused", "raised"),
    [
        (OSError("unable to lock file, errno = 37, error message = 'No locks'"), Unlocked),
        (PermissionError(13, "Unable to open file (errno = 13)"), PermissionError),
    ],
)
def test_what_may_not_be_read_is_not_said_to_be_damaged(tmp_path, monkeypatch, refused, raised):
    made = Results(tmp_path)
    made.get("a", lambda: dataset(1))
    made.finish()
    results._LAST.clear()

    def refuse(*_, **__):
        raise refused

    monkeypatch.setattr(results.h5py, "File", refuse)
    with pytest.raises(raised) as found:
        read(tmp_path)
    assert "--repair" not in str(found.value)
