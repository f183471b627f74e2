"""How the command line ends where it does not come through, and that it leaves no trace of it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurotrace.endings import ending_tidily, told
from neurotrace.runner.leases import try_hold
from neurotrace.trace import _clear, main


@pytest.fixture(autouse=True)
def keyboard() -> Iterator[None]:
    """Python's usual answer to it: a shell's background jobs are started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def handlers() -> list[object]:
    return [signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)]


def test_a_request_long_after_one_that_was_lost_counts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("neurotrace.endings.time.monotonic", lambda: clock[0])
    with ending_tidily():
        for clock[0], heard in ((0.0, True), (29.0, False), (31.0, True), (60.0, False)):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                found = False
            except KeyboardInterrupt:
                found = True
            assert found is heard


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_the_first_request_to_end_counts_and_later_ones_do_not(first: int) -> None:
    before = handlers()
    with ending_tidily():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), first)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
    assert handlers() == before


def test_the_command_line_leaves_the_handlers_as_they_were(capsys: pytest.CaptureFixture) -> None:
    before = handlers()
    assert main(["--source", "nowhere", "--out", "nowhere", "--top", "8.7"]) == 2
    assert "got top 8.7" in capsys.readouterr().err
    assert handlers() == before


def test_a_keyboard_that_is_ignored_or_has_its_own_answer_keeps_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ending_tidily():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "run/results.h5"), "Permission denied: run/res"),
        # As h5py raises it: no name of a file but in its text.
        (PermissionError(13, "Unable to open file (name = 'x.h5')"), "Unable to open file (name"),
    ],
)
def test_an_error_says_what_it_knows(error: OSError, line: str) -> None:
    said, code = told(error, Path("run"))
    assert said.startswith(line)
    assert "None" not in said
    assert code == 2


def test_leases_that_somebody_holds_are_not_removed(tmp_path: Path) -> None:
    lease = try_hold(tmp_path / "results.h5")
    assert lease is not None
    _clear(tmp_path)
    assert lease.still_ours()
    lease.release()
    _clear(tmp_path)
    assert not (tmp_path / ".leases").exists()
