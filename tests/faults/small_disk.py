"""File systems of a test's own: a small one, and one that cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(at: Path, *options: str) -> Iterator[Path]:
    """Something mounted on a folder; skips the test where that is not possible."""
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(at)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def small(at: Path, megabytes: int) -> "contextmanager[Path]":
    """A file system of that size."""
    return mounted(at, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")


def fill(folder: Path, *, leaving: int) -> Path:
    """A file that takes all of a disk but so many bytes."""
    disk, ballast = os.statvfs(folder), folder / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - leaving))
    return ballast


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The folder, in which nobody can write for now."""
    if os.getuid():
        mode = folder.stat().st_mode
        folder.chmod(0o555)
        try:
            yield folder
        finally:
            folder.chmod(mode)
        return
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield folder
