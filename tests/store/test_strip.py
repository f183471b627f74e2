"""Files without the activations that were scored."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from neurotrace.store import (
    ActivationStore,
    CheckpointWriter,
    NotKept,
    StoreDamaged,
    check_file,
    layout,
    strip,
)
from neurotrace.store.match import is_finished, read_header

MLP, TOKENS, EMBED = "mlp.hook_post/max", "hook_resid_post/tokens", "embed/mean"
CHECKSUM = "tables_checksum"


@pytest.fixture
def whole(planted: Any, tmp_path: Path) -> Path:
    loss = pd.DataFrame({"example": [0, 5], "n_tokens": [3, 4]})
    with planted.open(tmp_path / "0000_step16.h5", loss=loss) as writer:
        for start in range(0, 600, 256):
            writer.write(start, planted.slab(start))
        writer.write_loss(np.array([1.5, 2.5]))
        return writer.finish()


def told(file: Path) -> dict[str, Any]:
    """What a store says without reading activations."""
    store = ActivationStore.open(file)
    assert store.tokens is not None
    loss = store.loss(16)
    assert loss is not None
    return {
        "paths": store.paths,
        "layers": store.layers,
        "widths": [store.width(path) for path in store.paths],
        "languages": store.languages,
        "concepts": store.concepts,
        "labels": store.labels.tolist(),
        "tables": [t.to_dict("list") for t in (store.examples, store.tokens, loss)],
        "types": [t.dtypes.to_dict() for t in (store.examples, store.tokens, loss)],
        "header": {k: v for k, v in store.header(16).items() if k not in ("kept", CHECKSUM)},
    }


@pytest.mark.parametrize(
    ("keep", "there"), [("states", [EMBED, TOKENS]), ("scores", [])], ids=["states", "scores"]
)
def test_a_stripped_file_tells_all_but_what_was_dropped(
    keep: Any, there: list[str], whole: Path
) -> None:
    before, store = told(whole), ActivationStore.open(whole)
    values = {path: store.read(16, None if path == EMBED else 1, path) for path in there}
    assert [store.held(path) for path in store.paths] == [True] * 3
    assert strip(whole, keep) == whole
    assert told(whole) == before
    store = ActivationStore.open(whole, verify=True)
    assert store.header(16)["kept"] == keep
    assert [path for path in store.paths if store.held(path)] == there
    for path, expected in values.items():
        np.testing.assert_array_equal(
            store.read(16, None if path == EMBED else 1, path), expected.to_numpy()
        )
    with h5py.File(whole) as h5:
        assert {name for name in ("mlp.hook_post", "hook_resid_post", "embed") if name in h5} == {
            path.split("/")[0] for path in there
        }
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_what_was_not_kept_is_refused_by_path_and_file(whole: Path) -> None:
    strip(whole, "states")
    store = ActivationStore.open(whole)
    with pytest.raises(
        NotKept,
        match=r"got path mlp.hook_post/max of 0000_step16.h5, which was scored and not kept "
        r"\(--keep states\); valid are embed/mean, hook_resid_post/tokens",
    ):
        store.read(16, 0, MLP)
    with pytest.raises(ValueError, match="not kept"):
        store.map(lambda X, _: X.max(), MLP)
    with pytest.raises(KeyError, match="valid are embed/mean"):
        store.held("mlp.hook_pre/max")
    with pytest.raises(KeyError, match="got layer 9"):
        store.read(16, 9, MLP)


def test_a_path_is_held_only_if_every_step_holds_it(whole: Path, planted: Any) -> None:
    header = {"model": "planted", "step": 32, "bos": "default"}
    planted.write(whole.with_name("0001_step32.h5"), header=header)
    strip(whole, "scores")
    store = ActivationStore.open(whole.parent)
    assert not store.held(EMBED)
    assert store.read(32, 0, MLP).shape == (600, 40)
    assert store.width(MLP) == [40, 40]


def test_a_stripped_file_is_finished_and_goes_down_alone(whole: Path) -> None:
    header = read_header(whole)
    strip(whole, "states")
    inode = whole.stat().st_ino
    assert is_finished(whole, header, verify=True)
    strip(whole, "states")
    assert whole.stat().st_ino == inode  # nothing to do, nothing done
    strip(whole, "scores")
    assert is_finished(whole, header, verify=True)
    with pytest.raises(ValueError, match="got keep 'states' for 0000_step16.h5, which kept scores"):
        strip(whole, "states")
    with pytest.raises(ValueError, match="got keep 'activations'; valid are states, scores"):
        strip(whole, "activations")  # type: ignore[arg-type]


def test_a_harmed_dataset_is_not_stripped_into_a_good_looking_file(whole: Path) -> None:
    with h5py.File(whole, "r+") as h5:
        h5["embed/mean"][3, 3] += 1
    size = whole.stat().st_size
    with pytest.raises(StoreDamaged, match="embed/mean, rows 0 to 255"):
        strip(whole, "states")
    assert whole.stat().st_size == size
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_a_harmed_table_is_not_given_a_new_checksum(whole: Path) -> None:
    with h5py.File(whole, "r+") as h5:
        h5["labels"][3, 1] += 1
    with pytest.raises(StoreDamaged, match="header or a table"):
        strip(whole, "scores")


def test_what_a_killed_strip_left_is_removed(whole: Path, planted: Any) -> None:
    left = whole.with_name(f"{whole.name}.0badcafe.stripping")
    left.write_bytes(whole.read_bytes()[:5000])
    assert ActivationStore.open(whole.parent).steps == [16]
    strip(whole, "scores")
    assert not left.exists()
    # It is nobody's unfinished file either: a capture does not go on with it.
    left.write_bytes(whole.read_bytes())
    whole.unlink()
    with planted.open(whole) as writer:
        assert writer.n_done == 0


def test_harm_to_a_stripped_file_is_found(whole: Path) -> None:
    strip(whole, "states")
    with h5py.File(whole, "r+") as h5:
        h5["hook_resid_post/tokens/01"][0, 0] += 1
    assert check_file(whole, quick=True) is None
    assert "hook_resid_post/tokens/01, rows 0 to" in str(check_file(whole))
    with h5py.File(whole, "r+") as h5:
        del h5["embed/mean"]
        del h5.attrs[CHECKSUM]
    assert check_file(whole, quick=True) == "lacks embed/mean"


def test_a_stripped_file_of_the_papers_shape_stays_small(tmp_path: Path) -> None:
    # 320,000 sentences × 200 concepts, scaled down by twenty; each text has a hash of its own.
    rng, n = np.random.default_rng(0), 16_000
    hashes = [value.tobytes().hex() for value in rng.integers(0, 2**63, size=n)]
    examples = pd.DataFrame(
        {
            "group": [f"g{row // 16:05d}" for row in range(n)],
            "lang": [f"l{row % 16:02d}_Latn" for row in range(n)],
            "n_tokens": rng.integers(5, 40, n),
            "text_hash": hashes,
            "lexical": rng.random(n) < 0.1,
        }
    )
    labels = np.where(rng.random((n, 200)) < 0.25, -1, rng.random((n, 200)) < 0.01).astype(np.int8)
    header = {"model": "planted", "step": 16}
    file = tmp_path / "0000_step16.h5"
    with CheckpointWriter.open(
        file,
        header=header,
        examples=examples,
        labels=labels,
        concepts=[f"c{number}" for number in range(200)],
        arrays={(MLP, layer): (8, "float16") for layer in range(24)},
    ) as writer:
        for start, stop in layout.slabs(n):
            writer.write(start, {(MLP, i): np.ones((stop - start, 8)) for i in range(24)})
        writer.finish()
    strip(file, "scores")
    assert file.stat().st_size < 750_000
    assert ActivationStore.open(file).examples["text_hash"].tolist() == hashes
    np.testing.assert_array_equal(ActivationStore.open(file).labels, labels)
