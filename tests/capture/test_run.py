"""The capture of a series: what is written, resumed, skipped and refused."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from neurotrace import capture
from neurotrace.capture import collect, loading
from neurotrace.checkpoints import Checkpoint, find
from neurotrace.concepts import ConceptSet
from neurotrace.store import ActivationStore, CheckpointWriter, StoreMismatch

Source = tuple[list[Checkpoint], ConceptSet]
WHAT = ("mlp.hook_post/max", "mlp.hook_post@rotated7/max", "hook_resid_post/tokens", "embed/mean")


def captured(source: Source, out: Path, **changes: Any) -> ActivationStore:
    options = {"what": WHAT, "tokens_per_language": 40, "loss_sentences": 4, "progress": False}
    return capture.run(*source, out, **{**options, **changes})


def contents(folder: Path) -> dict[str, Any]:
    """Every dataset and attribute of every file."""
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.h5")):
        with h5py.File(file) as h5:
            items: list[tuple[str, Any]] = [("", h5)]
            h5.visititems(lambda name, item, to=items: to.append((name, item)))
            for name, item in items:
                if isinstance(item, h5py.Dataset):
                    found[f"{file.name} {name}"] = item[...]
                found |= {f"{file.name} {name} @{k}": v for k, v in item.attrs.items()}
    return found


def equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.fixture(scope="module")
def whole(source: Source, tmp_path_factory) -> Path:
    """An undisturbed run, never changed."""
    out = tmp_path_factory.mktemp("whole")
    captured(source, out, twin=5)
    return out


def test_what_was_asked_for_is_there_for_every_step(whole: Path, concepts: ConceptSet) -> None:
    store = ActivationStore.open(whole)
    assert store.steps == [0, 16, 512]
    assert store.paths == sorted(WHAT)
    assert store.layers == [0, 1]
    assert [f.name for f in sorted(whole.glob("*.h5"))] == [
        "0000_step0.h5",
        "0001_step16.h5",
        "0002_step512.h5",
        "twin.h5",
    ]
    assert store.read(16, 1).shape == (600, 80)
    assert store.read(16, 1).dtype == np.float16
    assert store.read(16, 1, "hook_resid_post/tokens").shape == (80, 32)
    assert store.read(16, None, "embed/mean").dtype == np.float32
    np.testing.assert_array_equal(store.labels, concepts.labels())
    assert list(store.examples["group"]) == list(concepts.frame["group"])
    assert ConceptSet.load(whole / "concepts.jsonl").digest == concepts.digest
    header = store.header(16)
    assert header["bos"] == "default"
    assert header["bos_present"]
    assert header["concepts"] == concepts.digest
    loss = store.loss(512)
    assert loss["nats"].between(0.5, 20).all()
    assert len(loss) == 8


def test_no_file_says_when_or_where_it_was_made(whole: Path) -> None:
    for file in whole.glob("*.h5"):
        with h5py.File(file) as h5:
            said = json.dumps({name: str(value) for name, value in h5.attrs.items()})
        assert str(whole) not in said
        assert not re.search(r"/(tmp|home|root|work|usr)|20\d\d-|\d\d:\d\d", said)


def test_the_same_run_again_captures_nothing(
    whole: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(whole)
    monkeypatch.setattr(CheckpointWriter, "write", lambda *_: pytest.fail("captured again"))
    captured(source, whole, twin=5)
    equal(before, contents(whole))


@pytest.mark.parametrize("after", [0, 1, 4, 7])
def test_an_interrupted_run_resumed_equals_an_undisturbed_one(
    after: int, whole: Path, tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = CheckpointWriter.write, []

    def counted(self: CheckpointWriter, start: int, rows: Any) -> None:
        if len(written) == after:
            written.append(None)
            raise KeyboardInterrupt
        written.append(start)
        write(self, start, rows)

    monkeypatch.setattr(CheckpointWriter, "write", counted)
    with pytest.raises(KeyboardInterrupt):
        captured(source, tmp_path, twin=5)
    assert len(list(tmp_path.glob("*.partial"))) == 1
    assert len(list(tmp_path.glob("*.h5"))) == after // 3
    captured(source, tmp_path, twin=5)
    assert len(written) == 12 + 1  # three slabs of three steps and the twin, each once
    assert not list(tmp_path.glob("*.partial"))
    equal(contents(whole), contents(tmp_path))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bos": "never"}, "another bos"),
        ({"dtype": "float32"}, "another dtype"),
        ({"what": WHAT[:2]}, "another what"),
        ({"exclude_ids": [9]}, "another exclude_ids"),
        ({"seed": 1}, "another seed"),
    ],
)
def test_a_folder_captured_in_another_way_is_refused(
    changes: dict, named: str, whole: Path, source: Source
) -> None:
    before = contents(whole)
    with pytest.raises(StoreMismatch, match=named):
        captured(source, whole, **changes)
    equal(before, contents(whole))


def test_a_folder_of_other_sentences_weights_or_series_is_refused(
    whole: Path,
    tmp_path: Path,
    source: Source,
    few: ConceptSet,
    tiny: SimpleNamespace,
) -> None:
    series, concepts = source
    with pytest.raises(StoreMismatch, match="was made with other concepts"):
        captured((series, few), whole)
    with pytest.raises(StoreMismatch, match=r"0002_step512\.h5, which is no part of this series"):
        captured((series[:2], concepts), whole)
    shutil.copytree(series[0].path.parent, tmp_path / "series")
    tiny.save(tmp_path / "series" / "step-000016", tiny.model("gpt_neox", seed=99))
    with pytest.raises(StoreMismatch, match=r"0001_step16\.h5 .* another weight_hash"):
        captured((find(tmp_path / "series"), concepts), whole)


def test_a_partial_file_of_another_run_is_refused_and_kept(
    tmp_path: Path,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collect, "_refuse_not_finite", stop)
    with pytest.raises(KeyboardInterrupt):
        captured(source, tmp_path)
    (partial,) = tmp_path.glob("*.partial")
    with pytest.raises(StoreMismatch, match=r"0000_step0\.h5 was started with another .*bos"):
        captured(source, tmp_path, bos="never")
    assert partial.exists()


def stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_excluded_ids_take_no_part_in_pooling(
    tmp_path: Path, series: list[Checkpoint], few: ConceptSet
) -> None:
    what = ["mlp.hook_post/max", "mlp.hook_post/tokens"]
    both = [
        captured((series[:1], few), tmp_path / str(n), what=what, exclude_ids=ids, dtype="float32",
                 tokens_per_language=10**6)
        for n, ids in enumerate([[], [4, 5, 6, 7, 8, 9]])
    ]  # fmt: skip
    everything, fewer = both
    tokens = everything.tokens
    kept = ~tokens["id"].between(4, 9)
    assert list(fewer.tokens["id"]) == list(tokens["id"][kept])
    values = everything.read(0, 1, "mlp.hook_post/tokens").to_numpy()[kept]
    example = tokens["example"][kept].to_numpy()
    expected = np.stack([values[example == row].max(0) for row in range(len(few))])
    np.testing.assert_allclose(fewer.read(0, 1).to_numpy(), expected, atol=1e-5)
    assert fewer.header(0)["exclude_ids"].tolist() == [4, 5, 6, 7, 8, 9]
    assert (everything.examples["n_tokens"] >= fewer.examples["n_tokens"]).all()


def test_rates_times_tokens_are_whole_numbers(
    tmp_path: Path, series: list[Checkpoint], few: ConceptSet
) -> None:
    store = captured((series[:1], few), tmp_path, what=["mlp.hook_pre/rate"])
    n_tokens = store.examples["n_tokens"].to_numpy()[:, None]
    counts = store.read(0, 0, "mlp.hook_pre/rate").to_numpy().astype(float) * n_tokens
    np.testing.assert_allclose(counts, counts.round(), atol=0.01)


def test_a_twin_of_a_seed_has_other_weights_of_the_same_shape(whole: Path) -> None:
    store = ActivationStore.open(whole)
    assert store.twin.steps == [0]
    assert store.twin.width("mlp.hook_post/max") == store.width("mlp.hook_post/max")
    hashes = set(store.checkpoints["weight_hash"])
    assert store.twin.header(0)["weight_hash"] not in hashes
    assert not np.allclose(store.twin.read(0, 0), store.read(0, 0))


def test_no_twin_repeats_the_weights_of_a_run_that_began_from_its_seed(folder: Path) -> None:
    config = loading.load_config(folder / "step-000000")
    for seed in range(3):
        torch.manual_seed(seed)
        began = AutoModelForCausalLM.from_config(config).state_dict()
        state = torch.random.get_rng_state()
        twin = loading.reinitialized(folder / "step-000000", seed=seed).state_dict()
        assert torch.equal(state, torch.random.get_rng_state())
        assert not any(torch.equal(began[n], x) for n, x in twin.items() if x.ndim > 1)
