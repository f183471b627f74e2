"""A small file's worth of rows, planted without any model."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurotrace.runner import lease_files, leases
from neurotrace.runner.leases import Lease, try_hold
from neurotrace.store import ActivationStore, CheckpointWriter, check_file
from neurotrace.store.layout import Key, holds_tokens, token_rows

ARRAYS = {
    ("mlp.hook_post/max", 0): (40, "float16"),
    ("mlp.hook_post/max", 1): (40, "float16"),
    ("hook_resid_post/tokens", 0): (16, "float32"),
    ("hook_resid_post/tokens", 1): (16, "float32"),
    ("embed/mean", None): (16, "float32"),
}


@dataclass
class Planted:
    """Rows for every dataset, and how to write them."""

    n_examples: int = 600
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        rows = np.arange(self.n_examples)
        self.examples = pd.DataFrame(
            {
                "group": [f"g{row // 2}" for row in rows],
                "lang": np.where(rows % 2, "bbb_Cyrl", "aaa_Latn"),
                "n_tokens": rng.integers(3, 9, size=self.n_examples),
            }
        )
        self.labels = rng.integers(-1, 2, size=(self.n_examples, 3)).astype(np.int8)
        example = np.sort(rng.choice(rows[rows % 300 < 200], size=70))
        self.tokens = pd.DataFrame(
            {
                "example": example,
                "position": rng.integers(1, 9, size=70),
                "id": rng.integers(4, 99, size=70),
                "word": [f"слово{number}" for number in range(70)],
                "lang": self.examples["lang"].to_numpy()[example],
                "kind": "whole",
            }
        )
        self.values = {
            key: rng.standard_normal(
                (70 if holds_tokens(key[0]) else self.n_examples, width)
            ).astype(np.float32)
            for key, (width, _) in ARRAYS.items()
        }

    def open(self, file: Path, **changes: Any) -> CheckpointWriter:
        options = {
            "header": {"model": "planted", "step": 16, "bos": "default", "tokens": None},
            "examples": self.examples,
            "labels": self.labels,
            "concepts": ["heat", "river", "war"],
            "arrays": ARRAYS,
            "tokens": self.tokens,
        }
        return CheckpointWriter.open(file, **{**options, **changes})

    def slab(self, start: int) -> dict[Key, np.ndarray]:
        stop = min(start + 256, self.n_examples)
        of_tokens = token_rows(self.tokens, start, stop)
        return {
            key: x[of_tokens] if holds_tokens(key[0]) else x[start:stop]
            for key, x in self.values.items()
        }

    def write(self, file: Path, **changes: Any) -> Path:
        with self.open(file, **changes) as writer:
            for start in range(writer.n_done, self.n_examples, 256):
                writer.write(start, self.slab(start))
            return writer.finish()


@pytest.fixture(autouse=True)
def hung_at_once() -> Iterator[None]:
    """What seems to have lapsed has: it is not looked at for a beat of half a minute."""
    with pytest.MonkeyPatch.context() as patched:  # its own: tests undo theirs midway
        patched.setattr(leases, "WATCHED", 1e-6)
        yield


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture(scope="session")
def make_planted() -> type[Planted]:
    return Planted


def values(file: Path) -> dict[str, np.ndarray]:
    store = ActivationStore.open(file)
    return {
        f"{path}/{layer}": store.read(16, layer, path).to_numpy()
        for path in store.paths
        for layer in ([None] if path.startswith("embed") else store.layers)
    }


@pytest.fixture
def undisturbed() -> Callable[[Path, Planted], None]:
    """Claim that a file is whole and equal to one that was written in one go."""

    def claim(file: Path, planted: Planted) -> None:
        assert check_file(file) is None
        whole = planted.write(file.with_name("undisturbed.h5"))
        expected, found = values(whole), values(file)
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        whole.unlink()

    return claim


@pytest.fixture
def taken() -> Callable[[Path], Lease]:
    """A lease of a file; of its heir, as if its holder had not been heard of for an hour."""

    def take(file: Path) -> Lease:
        for left in lease_files.folder(file).glob(f"{file.name}.*"):
            then = time.time() - 3600
            os.utime(left, (then, then))
        lease = try_hold(file)
        assert lease is not None
        return lease

    return take
