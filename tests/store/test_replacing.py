"""One file put in another's place: whoever hangs on the way changes nothing when it wakes."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurotrace.runner.leases import Lease, LeaseLost
from neurotrace.store import ActivationStore, check_file, strip
from neurotrace.store import replacing as replacing_module
from neurotrace.store.replacing import replacing

# The function of the same name hides the module from plain imports.
strip_module = sys.modules["neurotrace.store.strip"]


@pytest.mark.parametrize("moment", ["_copy", "refuse_damaged", "sync"])
def test_a_strip_that_hangs_until_its_heir_is_done_changes_nothing(
    moment: str, planted: Any, taken: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = planted.write(tmp_path / "0000_step16.h5")
    lease, done = taken(file), []
    module = replacing_module if moment == "sync" else strip_module
    then = getattr(module, moment)

    def hung(*given: Any, **options: Any) -> Any:
        if options.get("quick"):  # of the file as it was
            return then(*given, **options)
        monkeypatch.undo()
        heir = taken(file)
        strip(file, "states", lease=heir)
        done.append((file.stat().st_ino, file.read_bytes()))
        heir.release()
        return then(*given, **options)

    monkeypatch.setattr(module, moment, hung)
    with pytest.raises(LeaseLost, match="another took the file over"):
        strip(file, "states", lease=lease)
    assert (file.stat().st_ino, file.read_bytes()) == done[0]
    assert check_file(file) is None
    np.testing.assert_array_equal(
        ActivationStore.open(file).read(16, None, "embed/mean"), planted.values["embed/mean", None]
    )
    assert sorted(tmp_path.iterdir()) == [tmp_path / ".leases", file]


def begun(file: Path, lease: Lease) -> Callable[[], None]:
    """A replacement of a file that is written and not yet in place; call to end it."""
    work = replacing(file, "draft", lease)
    work.__enter__().write_text("first")
    return lambda: work.__exit__(None, None, None)  # type: ignore[return-value]


def test_one_who_hangs_between_its_check_and_the_name_has_nothing_to_name(
    taken: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "whole"
    lease = taken(file)
    end, asked = begun(file, lease), lease.refuse_if_lost

    def late() -> None:
        asked()
        monkeypatch.undo()
        with replacing(file, "draft", taken(file)) as draft:
            draft.write_text("second")

    monkeypatch.setattr(lease, "refuse_if_lost", late)
    with pytest.raises(LeaseLost):
        end()
    assert file.read_text() == "second"
    assert not list(tmp_path.glob("*.draft"))


def test_one_who_hung_before_it_began_leaves_its_heirs_draft_alone(
    taken: Any, tmp_path: Path
) -> None:
    file = tmp_path / "whole"
    lease = taken(file)
    end = begun(file, taken(file))
    with pytest.raises(LeaseLost), replacing(file, "draft", lease):
        pass
    end()
    assert file.read_text() == "first"


def test_a_draft_that_fails_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "whole"
    file.write_text("before")
    with pytest.raises(TypeError), replacing(file, "draft") as draft:
        draft.write_text(None)  # type: ignore[arg-type]
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_the_folder_is_kept_by_the_disk_after_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, kept = tmp_path / "whole", []
    monkeypatch.setattr(replacing_module, "sync", lambda path: kept.append((path, file.exists())))
    with replacing(file, "draft") as draft:
        draft.write_text("whole")
    assert kept == [(draft, False), (tmp_path, True)]
