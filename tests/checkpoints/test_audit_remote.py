"""A suite on the Hub is audited from listings and headers; deep, it is read by ranges."""

import json
import shutil

import planted_suites as plant
import pytest
import torch
from hub_server import Faults, HubServer, point_at
from safetensors.torch import load_file, save_file

from neurotrace.checkpoints import find
from neurotrace.checkpoints.audit import audit, refused
from neurotrace.checkpoints.headers import tensors
from neurotrace.checkpoints.shelf import Shelf

REPO = "org/suite"


@pytest.fixture
def root(tiny_lab, tmp_path):
    """The tiny lab as a repository: a branch a step, ``main`` with the final weights."""
    repo = plant.suite(tiny_lab, tmp_path / "hub" / REPO)
    shutil.copytree(plant.step(repo, 256), repo / "main")
    return tmp_path / "hub"


@pytest.fixture
def suite(root):
    return root / REPO


@pytest.fixture
def hub(root, tmp_path, monkeypatch):
    with HubServer(root) as server:
        point_at(monkeypatch, server, tmp_path / "cache")
        yield server


def verdicts(table):
    return {row.step: row.verdict for row in table.itertuples() if row.verdict != "ok"}


def sent(server):
    """Bytes of weight files that were sent, by the ranges asked for."""
    ranges = [r.range for r in server.requests if r.range and r.status == 206]
    bounds = [text.removeprefix("bytes=").split("-") for text in ranges]
    return sum(int(stop) - int(start) + 1 for start, stop in bounds)


def plant_all(suite):
    """Every fault that a suite of twelve steps can have at once, and what it is called."""
    plant.serve(suite, 1, weights_of=0)
    plant.serve(suite, 16, weights_of=4)
    plant.serve(suite, 32, weights_of=256)
    plant.truncate(suite, 64)
    plant.swap(suite, 128, 192)
    plant.noise(suite, 8)
    return {
        1: "unmoved since step 0",
        16: "copy of step 4",
        32: "serves the final weights",
        8: "off the curve",
        128: "off the curve",
        192: "off the curve",
    }


def test_an_honest_suite_is_in_order_by_headers_alone(hub):
    series = find(REPO)
    table = audit(series)
    assert verdicts(table) == {}
    assert table["step"].tolist() == [0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256]
    assert sum(r.status == 206 for r in hub.requests) == len(series)  # the header of each, once
    assert not any(checkpoint.path.exists() for checkpoint in series)


@pytest.mark.usefixtures("hub")
def test_an_honest_suite_is_in_order_by_samples_read_in_ranges():
    assert verdicts(audit(find(REPO), deep=True)) == {}


def test_a_large_model_is_judged_by_a_small_part_of_it(hub, suite):
    for number, seed in ((0, 0), (1, 0), (2, 1)):
        torch.manual_seed(0)
        weights = {f"layers.{i}.mlp.up.weight": torch.randn(300, 2000) for i in range(4)}
        torch.manual_seed(seed)
        weights["embed.weight"] = torch.randn(2000, 200) + number
        (plant.step(suite, number) / plant.WEIGHTS).unlink()
        save_file(weights, plant.step(suite, number) / plant.WEIGHTS)
    series = find(REPO)[:3]
    audit(series, deep=True)
    assert sent(hub) < 3 * (2**18 + 300_000)


@pytest.mark.parametrize("brought", [False, True])
def test_every_planted_fault_is_found_on_a_hub_of_bad_days(suite, hub, brought):
    expected = plant_all(suite)
    shutil.rmtree(plant.step(suite, 96))
    (suite / "step-000096").mkdir()
    (suite / "step-000096" / "config.json").write_text("{}")
    hub.faults = Faults(rate=0.2, slow=0.01)
    series = find(REPO)
    table = audit(series, deep=True, shelf=Shelf(series) if brought else None)
    found = verdicts(table)
    assert found.pop(64).startswith("broken: step64/model.safetensors: got ")
    assert found == expected | {96: "missing"}
    assert refused(table)["step"].tolist() == [16, 32, 64]
    note = table.set_index("step")["note"]
    assert note[128] == "fits as step 192: swapped labels?"
    assert len(hub.faults.done) > 5


def test_the_cheap_part_finds_what_listings_and_headers_show(suite, hub):
    plant_all(suite)
    found = verdicts(audit(find(REPO)))
    assert found.pop(64).startswith("broken: ")
    assert found == {
        1: "unmoved since step 0",
        16: "copy of step 4",
        32: "serves the final weights",
    }
    assert sent(hub) <= 12 * 2**18


@pytest.mark.usefixtures("hub")
def test_a_shard_of_another_step_breaks_a_checkpoint(suite):
    for number in (0, 1, 2, 4, 8, 16):
        folder = plant.step(suite, number)
        weights = load_file(folder / plant.WEIGHTS)
        (folder / plant.WEIGHTS).unlink()
        table = {}
        for part, names in enumerate((sorted(weights)[:20], sorted(weights)[20:]), 1):
            file = f"model-0000{part}-of-00002.safetensors"
            save_file({name: weights[name] for name in names}, folder / file)
            table |= dict.fromkeys(names, file)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    series = find(REPO)
    assert verdicts(audit(series)) == {}
    assert tensors(series[0]) == tensors(series[-1])  # shards or one file
    part = "model-00001-of-00002.safetensors"
    shutil.copy(plant.step(suite, 2) / part, plant.step(suite, 8) / part)
    (plant.step(suite, 4) / "model-00002-of-00002.safetensors").unlink()
    assert verdicts(audit(find(REPO))) == {
        4: "broken: step4: got no file model-00002-of-00002.safetensors, which "
        "model.safetensors.index.json names",
        2: f"broken: {part} is that of step 8 too",
        8: f"broken: {part} is that of step 2 too",
    }


@pytest.mark.usefixtures("hub")
def test_torch_files_on_the_hub_are_judged_by_digest_and_size_and_read_once_brought(suite):
    for folder in sorted(suite.iterdir()):
        torch.save(load_file(folder / plant.WEIGHTS), folder / "pytorch_model.bin")
        (folder / plant.WEIGHTS).unlink()
    cut = plant.step(suite, 32) / "pytorch_model.bin"
    cut.write_bytes(cut.read_bytes()[:-200_000])
    same = (plant.step(suite, 4) / "pytorch_model.bin").read_bytes()
    (plant.step(suite, 16) / "pytorch_model.bin").write_bytes(same)
    series = find(REPO)
    assert tensors(series[0]) is None
    table = audit(series, deep=True)
    assert set(verdicts(table)) == {16, 32}
    assert "(truncated?)" in verdicts(table)[32]
    assert table["note"].str.startswith("weights not read").sum() == len(series) - 1
    brought = audit(series, deep=True, shelf=Shelf(series))
    assert set(verdicts(brought)) == {16, 32}
    assert brought["drift"].notna().sum() == len(series) - 3


@pytest.mark.usefixtures("hub")
def test_a_step_that_main_serves_while_it_is_not_the_last_is_noted(suite):
    shutil.rmtree(suite / "main")
    shutil.copytree(plant.step(suite, 64), suite / "main")
    table = audit(find(REPO))
    assert verdicts(table) == {}
    assert {r.step: r.note for r in table.itertuples() if r.note} == {
        64: "the branch main serves these weights too"
    }
