"""Suites for the small Hub, a client that does not dawdle, and a gauge of what lies on disk."""

import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SIZE = 60_000  # bytes of a checkpoint's weights
CONFIG = {"config.json": 30, "tokenizer.json": 5_000, "generation_config.json": 20}
NOT_WANTED = ("optimizer.bin", "pytorch_model.bin", "flax_model.msgpack", "onnx/model.onnx")


def suite(
    root: Path, steps: Sequence[int], *, repo: str = "org/suite", size: int = SIZE
) -> list[Path]:
    """Folders ``root/repo/stepN`` of random bytes that look like checkpoints."""
    return [checkpoint(root / repo / f"step{step}", seed=step, size=size) for step in steps]


def checkpoint(folder: Path, *, seed: int, size: int = SIZE) -> Path:
    rng = random.Random(seed)
    weights = {"model.safetensors": rng.randbytes(size)}
    small = {name: b"x" * n for name, n in CONFIG.items()}
    others = {name: b"never" * 500 for name in NOT_WANTED}
    for name, content in {**weights, **small, **others}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def shard(folder: Path, names: Sequence[str]) -> None:
    """Weights of a folder cut into files of these names, with an index of them."""
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    for number, name in enumerate(names):
        (folder / name).write_bytes(content[number :: len(names)])
    index = {"weight_map": {f"t{number}": name for number, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait between two tries, and read files in small pieces."""
    import huggingface_hub
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    from neurotrace.checkpoints import retries

    huggingface_hub.utils.logging.set_verbosity_error()
    no_time = SimpleNamespace(sleep=lambda _: None)
    monkeypatch.setattr(file_download, "time", no_time)
    monkeypatch.setattr(_http, "time", no_time)
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)


class Gauge:
    """The most bytes of blobs, whole and partial, that lay in a cache at any write.

    Attributes
    ----------
    peak
        Bytes.
    n_read
        How often it was read.
    """

    def __init__(self, cache: Path, *, ignoring: Sequence[str] = ()):
        self._cache, self._ignored = cache, set(ignoring)
        self.peak = self.n_read = 0
        self._lock = threading.Lock()

    def read(self) -> int:
        total = 0
        for file in self._cache.glob("hub/models--*/blobs/*"):
            if file.name not in self._ignored:
                try:
                    total += file.lstat().st_size
                except FileNotFoundError:
                    continue  # renamed or evicted while we looked
        with self._lock:
            self.peak, self.n_read = max(self.peak, total), self.n_read + 1
        return total


@contextmanager
def gauged(
    monkeypatch: pytest.MonkeyPatch, cache: Path, *, ignoring: Sequence[str] = ()
) -> Iterator[Gauge]:
    """Read a gauge after every piece that is written, and all the time in between."""
    from huggingface_hub import file_download

    gauge, over = Gauge(cache, ignoring=ignoring), threading.Event()
    get = file_download.http_get

    def watched(url: str, temp_file: Any, **more: Any) -> None:
        get(url, _Watched(temp_file, gauge.read), **more)

    def always() -> None:
        while not over.wait(0.001):
            gauge.read()

    monkeypatch.setattr(file_download, "http_get", watched)
    thread = threading.Thread(target=always)
    thread.start()
    try:
        yield gauge
    finally:
        over.set()
        thread.join()


class _Watched:
    """A file that tells after each write."""

    def __init__(self, file: Any, tell: Callable[[], int]):
        self._file, self._tell = file, tell

    def write(self, content: bytes) -> int:
        n = self._file.write(content)
        self._file.flush()
        self._tell()
        return n

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def brought(folder: Path) -> set[str]:
    """Names of the files in a snapshot whose content is there."""
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
