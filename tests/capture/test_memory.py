"""Memory that does not suffice: batches travel in halves, and the values stay what they are."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurotrace import capture
from neurotrace.capture import devices
from neurotrace.capture.batches import Allowance, DoesNotFit
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet

# What allocators were seen or are documented to say, each of another device.
FULL = (
    "CUDA out of memory. Tried to allocate 20.00 MiB",
    "MPS backend out of memory (MPS allocated: 17.95 GB)",
    "Invalid buffer size: 12.00 GB",
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
)


@pytest.mark.parametrize("words", FULL)
def test_full_memory_is_recognised_in_the_words_of_every_device(words):
    assert devices.out_of_memory(RuntimeError(words))
    assert not devices.out_of_memory(ValueError(words))


def test_full_memory_is_recognised_by_its_own_errors_and_nothing_else_is_taken_for_it():
    assert devices.out_of_memory(torch.OutOfMemoryError("whatever"))
    assert devices.out_of_memory(MemoryError())
    assert not devices.out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_memory_is_given_back_to_the_device_it_was_taken_from(monkeypatch):
    given: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: given.append("mps"))
    for device in ("cpu", "cuda:1", "mps"):
        devices.free(device)
    assert given == ["cuda", "mps"]


LENGTHS = np.array([4, 3, 9, 2, 7, 5, 8, 6])
BY_LENGTH = np.argsort(LENGTHS)


def limited(n_tokens: int, seen: list[int]) -> Callable[[NDArray[np.intp]], str]:
    """An attempt that fails above so many tokens, padding included."""

    def attempt(rows: NDArray[np.intp]) -> str:
        seen.append(len(rows) * int(LENGTHS[rows].max()))
        if seen[-1] > n_tokens:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return ",".join(map(str, rows))

    return attempt


def test_a_batch_goes_through_in_halves_in_its_order_and_the_halving_sticks():
    allowance, seen = Allowance(), []
    with pytest.warns(UserWarning, match=r"--batch-tokens \d+ spares the attempts"):
        parts = list(allowance.through(BY_LENGTH, LENGTHS, limited(12, seen)))
    assert np.concatenate([rows for rows, _ in parts]).tolist() == BY_LENGTH.tolist()
    assert [value for _, value in parts] == [",".join(map(str, rows)) for rows, _ in parts]
    # 8 sentences of up to 9 tokens are 72: half of that is tried next.
    # Its shorter half is too much as well: from then on 10 tokens, or a sentence alone.
    assert seen[:2] == [72, 20]
    assert max(seen[2:]) <= 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = list(allowance.through(BY_LENGTH, LENGTHS, limited(12, seen)))
    assert [rows.tolist() for rows, _ in again] == [rows.tolist() for rows, _ in parts]


def test_nothing_is_split_as_long_as_everything_fits():
    parts = list(Allowance().through(BY_LENGTH, LENGTHS, limited(1000, [])))
    assert [rows.tolist() for rows, _ in parts] == [BY_LENGTH.tolist()]


@pytest.mark.filterwarnings("ignore:the memory of:UserWarning")
def test_a_sentence_that_does_not_fit_alone_is_named():
    with pytest.raises(DoesNotFit) as caught:
        list(Allowance().through(BY_LENGTH, LENGTHS, limited(8, [])))
    assert (caught.value.row, caught.value.n_tokens) == (2, 9)


def test_another_error_is_no_reason_to_try_again():
    calls = []

    def attempt(rows: NDArray[np.intp]) -> None:
        calls.append(rows)
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        list(Allowance().through(BY_LENGTH, LENGTHS, attempt))
    assert len(calls) == 1


WHAT = ("mlp.hook_post/max", "hook_resid_post/mean", "hook_resid_post/tokens", "embed/last")


def narrow(monkeypatch: pytest.MonkeyPatch, n_tokens: int, error: Exception) -> list[int]:
    """Models have memory for so many tokens a pass, in the middle of which it runs out."""
    real, sizes = capture.HookedModel.watch, []

    def watch(self, readers):
        def full(x: Tensor, reader: Callable[[Tensor], None]) -> None:
            reader(x)
            sizes.append(x.shape[0] * x.shape[1])
            if sizes[-1] > n_tokens:
                raise error

        def limited(place):
            return lambda x, reader=readers[place]: full(x, reader)

        return real(self, {p: limited(p) if p[1] == 1 else r for p, r in readers.items()})

    monkeypatch.setattr(capture.HookedModel, "watch", watch)
    return sizes


@pytest.fixture
def few_at_two(series: list[Checkpoint], few: ConceptSet) -> tuple[list[Checkpoint], ConceptSet]:
    """Two checkpoints, 24 sentences."""
    return series[:2], few


@pytest.mark.filterwarnings("ignore:the memory of:UserWarning")
@pytest.mark.parametrize(
    ("backend", "error"),
    [
        ("bridge", torch.OutOfMemoryError("full")),
        ("plain", torch.OutOfMemoryError("full")),
        ("plain", RuntimeError(FULL[3])),
        ("plain", MemoryError()),
    ],
)
def test_a_run_whose_memory_ran_out_gives_the_values_of_an_undisturbed_one(
    few_at_two: tuple[list[Checkpoint], ConceptSet],
    backend: str,
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    series, few = few_at_two
    options = dict(what=WHAT, backend=backend, dtype="float32", progress=False, device="cpu")
    calm = capture.run(series, few, tmp_path / "calm", **options)
    sizes = narrow(monkeypatch, 60, error)
    hard = capture.run(series, few, tmp_path / "hard", **options)
    assert max(sizes) > 60
    for step in calm.steps:
        for path in WHAT:
            for layer in [None] if path.startswith("embed") else calm.layers:
                a, b = (store.read(step, layer, path).to_numpy() for store in (calm, hard))
                np.testing.assert_allclose(b, a, atol=1e-5)
    # The second checkpoint tries nothing that the first has found to be too much.
    per_checkpoint = np.flatnonzero(np.array(sizes) > 60)
    assert per_checkpoint[-1] < len(sizes) // 2


@pytest.mark.filterwarnings("ignore:the memory of:UserWarning")
def test_a_sentence_too_long_for_the_memory_is_refused_with_its_name_and_length(
    tmp_path: Path, series: list[Checkpoint], few: ConceptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, 8, torch.OutOfMemoryError("full"))
    with pytest.raises(
        ValueError, match=r"step0, \w+_Latn group 'g\d+': got a sentence of \d+ tok"
    ):
        capture.run(series[:1], few, tmp_path, what=WHAT, progress=False, device="cpu")
