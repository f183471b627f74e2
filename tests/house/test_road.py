"""The road from checkpoints to a report: whole, repeatable, resumable, and clear when refused."""

import json
import shutil

import h5py
import numpy as np
import pytest
import xarray as xr
from conftest import TINY_RUN

from neurotrace import lab, trajectories
from neurotrace.config import TraceConfig
from neurotrace.config_file import save_config
from neurotrace.store import ActivationStore
from neurotrace.trace import main


def corrected(run) -> xr.DataArray:
    summary = trajectories.read(run)["summary"]
    return summary["corrected"].sel(k=summary.attrs["main_k"])


def test_the_road_ends_in_results_and_one_self_contained_page(tiny_run):
    results = trajectories.read(tiny_run)
    assert {"overlap", "summary", "summary_twin", "basis", "expertise", "loss"} <= set(results)
    page = (tiny_run / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 8
    assert 'src="http' not in page
    with h5py.File(tiny_run / "results.h5") as file:
        assert file["summary/corrected"].shape == (6, 3)


def test_every_result_has_its_chance_level(tiny_run):
    results = trajectories.read(tiny_run)
    for name in ("cards", "forcing_texts"):  # texts to read, without a number of their own
        results.pop(name)
    assert len(results) > 40
    for name, result in results.items():
        assert any("chance" in str(variable) for variable in result.variables), name


def test_sharing_is_found_in_tiny_and_not_in_its_control(tiny_run, tmp_path):
    assert float(corrected(tiny_run)[-1]) > 0.12
    assert abs(float(corrected(tiny_run)[0])) < 0.05
    control = lab.pretrain("control", out=tmp_path / "control", seed=0, steps=256)
    out = tmp_path / "run"
    rest = ["--checkpoints", "256", "--analyses", "overlap", "--rotations", "0"]
    assert main(["--source", str(control), "--out", str(out), *rest]) == 0
    assert abs(float(corrected(out)[-1])) < 0.05


def test_a_finished_run_is_left_alone(tiny_lab, tiny_run):
    before = {file: file.stat().st_mtime_ns for file in tiny_run.rglob("*")}
    assert main(["--source", str(tiny_lab), "--out", str(tiny_run), *TINY_RUN]) == 0
    assert {file: file.stat().st_mtime_ns for file in tiny_run.rglob("*")} == before


def test_lost_files_are_made_again_to_the_same_values(tiny_lab, tmp_path):
    whole, copy = tmp_path / "whole", tmp_path / "copy"
    rest = ["--checkpoints", "0,256", "--splits", "4", "--rotations", "0"]
    rest += ["--analyses", "overlap", "expertise", "retrieval"]
    assert main(["--source", str(tiny_lab), "--out", str(whole), *rest]) == 0
    shutil.copytree(whole, copy)
    (copy / "results.h5").unlink()
    (copy / "0001_step256.h5").unlink()
    assert main(["--source", str(tiny_lab), "--out", str(copy), *rest]) == 0
    again, before = trajectories.read(copy), trajectories.read(whole)
    assert list(again) == list(before)
    for name, result in before.items():
        xr.testing.assert_identical(again[name], result)
    assert (copy / "report.html").read_bytes() == (whole / "report.html").read_bytes()


def test_experiments_that_were_interrupted_end_in_the_same_values(tiny_lab, tmp_path):
    whole, copy = tmp_path / "whole", tmp_path / "copy"
    rest = ["--checkpoints", "0,256", "--rotations", "0"]
    rest += ["--analyses", "interchange", "ablation", "forcing"]
    assert main(["--source", str(tiny_lab), "--out", str(whole), *rest]) == 0
    shutil.copytree(whole, copy)
    (copy / "results.h5").unlink()
    first, last = sorted((copy / "causes").glob("*.h5"))
    last.unlink()
    kept = first.stat().st_mtime_ns
    assert main(["--source", str(tiny_lab), "--out", str(copy), *rest]) == 0
    assert first.stat().st_mtime_ns == kept
    again, before = trajectories.read(copy), trajectories.read(whole)
    assert {"interchange", "interchange_doses", "ablation", "forcing"} <= set(again)
    for name, result in before.items():
        xr.testing.assert_identical(again[name], result)


def test_what_other_settings_caused_is_made_anew(tiny_lab, tmp_path, monkeypatch):
    rest = ["--source", str(tiny_lab), "--out", str(tmp_path / "run"), "--checkpoints", "256"]
    rest += ["--rotations", "0", "--analyses", "interchange"]
    monkeypatch.setattr("neurotrace.report.write", interrupt)
    with pytest.raises(SystemExit):
        main(rest)
    assert list((tmp_path / "run" / "causes").glob("0000_step256-*.h5"))
    (tmp_path / "run" / "results.h5").unlink()
    monkeypatch.undo()
    assert main([*rest, "--top", "20"]) == 0
    main([*rest[:3], str(tmp_path / "fresh"), *rest[4:], "--top", "20"])
    again, fresh = (trajectories.read(tmp_path / name) for name in ("run", "fresh"))
    xr.testing.assert_identical(again["interchange"], fresh["interchange"])


def interrupt(*_: object) -> None:
    raise SystemExit(1)


def test_no_file_tells_a_machine_or_a_time(tiny_lab, tiny_run):
    for file in tiny_run.rglob("*.*"):
        if file.name == "trace.json":
            continue  # the source, as the user typed it
        content = file.read_bytes()
        assert str(tiny_lab.parent).encode() not in content, file.name
        assert str(tiny_run.parent).encode() not in content, file.name


def test_plain_hooks_and_the_bridge_agree(tiny_lab, tiny_run, tmp_path):
    options = ["--backend", "plain", "--checkpoints", "256", "--analyses", "overlap"]
    options += ["--splits", "1", "--rotations", "0"]
    assert main(["--source", str(tiny_lab), "--out", str(tmp_path), *options]) == 0
    plain, bridge = ActivationStore.open(tmp_path), ActivationStore.open(tiny_run)
    for layer in plain.layers:
        np.testing.assert_allclose(
            plain.read(256, layer).values.astype("f4"),
            bridge.read(256, layer).values.astype("f4"),
            atol=2e-3,
        )
    assert plain.header(256)["backend"] == "plain"


def test_a_saved_configuration_is_read_back(tiny_run, tmp_path, capsys):
    config = str(tiny_run / "trace.json")
    assert main(["--config", config, "--out", str(tmp_path / "x"), "--dry-run"]) == 0
    assert "6 checkpoints, step0 to step256" in capsys.readouterr().out
    assert not (tmp_path / "x").exists()
    (tmp_path / "bad.json").write_text(json.dumps({"config": {"cellar": 1}}))
    assert main(["--config", str(tmp_path / "bad.json"), "--out", "x"]) == 2
    assert "got settings cellar; valid are allow" in capsys.readouterr().err


def test_without_arguments_it_says_what_it_can_do(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "python -m neurotrace.lab --preset default --seed 0 --out runs/lab" in out
    assert "python -m neurotrace.trace --source runs/lab --out runs/trace" in out


@pytest.fixture
def few(tiny_lab, tmp_path):
    """Two of the lab's checkpoints, to be spoilt."""
    source = tmp_path / "few"
    source.mkdir()
    for name in ("step-000000", "step-000256"):
        shutil.copytree(tiny_lab / name, source / name)
    shutil.copy(tiny_lab / "concepts.jsonl", source)
    return source


def refused(capsys, *arguments) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 or lines[0].startswith(("step", "audit: ")), lines
    return lines[-1]


def test_a_folder_begun_with_other_settings_is_refused(tiny_lab, tiny_run, capsys):
    line = refused(capsys, "--source", tiny_lab, "--out", tiny_run, *TINY_RUN, "--splits", "7")
    assert "begun with another trace: splits (was 20, now 7)" in line


def test_another_model_in_a_finished_folder_is_refused(tiny_lab, tiny_run, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(tiny_lab, other)
    shutil.copy(other / "twin" / "model.safetensors", other / "step-000256")
    assert "step256 has other weights than before" in refused(
        capsys, "--source", other, "--out", tiny_run, *TINY_RUN
    )


def test_other_concepts_in_the_same_folder_are_refused(tiny_lab, tiny_run, tmp_path, capsys):
    other = tmp_path / "other.jsonl"
    text = (tiny_lab / "concepts.jsonl").read_text(encoding="utf-8")
    other.write_text(text.replace(" .", " ?", 1), encoding="utf-8")
    rest = ["--source", tiny_lab, "--out", tiny_run, *TINY_RUN, "--concepts", other]
    assert "concepts_digest (was" in refused(capsys, *rest)


def test_spoilt_checkpoints_are_refused_by_name(few, tmp_path, capsys):
    out = tmp_path / "out"
    weights = few / "step-000256" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:5000])
    line = refused(capsys, "--source", few, "--out", out)
    assert "step256: broken: step-000256/model.safetensors: got 5000 bytes, too few" in line
    assert "--allow to go on" in line
    weights.unlink()
    assert main(["--source", str(few), "--out", str(out), "--dry-run"]) == 0
    assert "missing: 1 step: 256" in capsys.readouterr().out
    weights.write_bytes((few / "step-000000" / "model.safetensors").read_bytes())
    line = refused(capsys, "--source", few, "--out", out)
    assert "step0: serves the final weights" in line


def test_checkpoints_of_other_shapes_are_refused(few, tmp_path, capsys):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(few / "step-000256", intermediate_size=128)
    AutoModelForCausalLM.from_config(config).save_pretrained(few / "step-000256")
    capsys.readouterr()
    line = refused(capsys, "--source", few, "--out", tmp_path / "out")
    assert "step256" in line
    assert "128" in line


def test_too_few_groups_for_two_halves_are_refused(few, tmp_path, capsys):
    lines = (few / "concepts.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if '"topic00-' not in line or '"topic00-00"' in line]
    (few / "concepts.jsonl").write_text("\n".join(kept), encoding="utf-8")
    line = refused(capsys, "--source", few, "--out", tmp_path / "out")
    assert "got 1 positives of concept 'topic00' in qaa_Latn; expected at least 8" in line


def test_a_language_the_set_lacks_is_refused(few, tmp_path, capsys):
    rest = ["--languages", "fra_Latn", "--source", few, "--out", tmp_path / "out"]
    assert "got language fra_Latn; the set has qaa_Latn" in refused(capsys, *rest)


def test_an_interruption_says_how_to_go_on(tiny_lab, tmp_path, capsys, monkeypatch):
    from neurotrace import capture

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(capture, "run", interrupted)
    assert main(["--source", str(tiny_lab), "--out", str(tmp_path)]) == 1
    assert "the same command goes on: python -m neurotrace.trace" in capsys.readouterr().err


def test_an_unfinished_lab_run_is_refused(few, tmp_path, capsys):
    (few / "lab.json").write_text('{"complete": false}')
    line = refused(capsys, "--source", few, "--out", tmp_path / "out")
    assert "a lab run that is not finished" in line


def test_before_anything_is_captured_every_setting_may_change(tmp_path):
    one, other = TraceConfig(source="s", out="o"), TraceConfig(source="s", out="o", pooling="mean")
    facts = {"concepts_digest": "d", "series": ["step0"], "weights": {"step0": "w"}}
    save_config(one, tmp_path, facts)
    save_config(other, tmp_path, facts)
    assert json.loads((tmp_path / "trace.json").read_text())["config"]["pooling"] == "mean"


def test_with_files_captured_only_analysis_settings_may_change(tmp_path):
    facts = {"concepts_digest": "d", "series": ["step0"], "weights": {"step0": "w"}}
    save_config(TraceConfig(source="s", out="o"), tmp_path, facts)
    (tmp_path / "0000_step0.h5").touch()
    (tmp_path / "results.h5.partial").touch()
    with pytest.raises(ValueError, match="pooling"):
        save_config(TraceConfig(source="s", out="o", pooling="mean"), tmp_path, facts)
    assert (tmp_path / "results.h5.partial").exists()
    save_config(TraceConfig(source="s", out="o", splits=4), tmp_path, facts)
    assert not (tmp_path / "results.h5.partial").exists()
    (tmp_path / "results.h5").touch()
    with pytest.raises(ValueError, match=r"splits \(was 4, now 5\)"):
        save_config(TraceConfig(source="s", out="o", splits=5), tmp_path, facts)


def test_a_setting_that_an_older_run_did_not_know_had_its_default(tmp_path):
    facts = {"concepts_digest": "d", "series": ["step0"], "weights": {"step0": "w"}}
    save_config(TraceConfig(source="s", out="o"), tmp_path, facts)
    record = tmp_path / "trace.json"
    older = json.loads(record.read_text())
    del older["config"]["stack"], older["config"]["languages"]
    record.write_text(json.dumps(older))
    (tmp_path / "results.h5").touch()
    save_config(TraceConfig(source="s", out="o"), tmp_path, facts)
    with pytest.raises(ValueError, match=r"stack \(was 'auto', now 'decoder'\)"):
        save_config(TraceConfig(source="s", out="o", stack="decoder"), tmp_path, facts)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--top=100000", "got top=100000 for 1024 neurons"),
        ("--top=8.7", "got top 8.7; expected a fraction below 1 or a whole number"),
        ("--seed=-1", "got seed -1; expected 0 or more"),
        ("--device=cuda:77", "got device 'cuda:77', which is not to be had"),
        ("--config=nowhere.json", "nowhere.json"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_runs(
    few, tmp_path, capsys, option, message
):
    out = tmp_path / "out"
    try:
        code = main(["--source", str(few), "--out", str(out), option])
    except SystemExit as stop:  # the parser's own refusal
        code = stop.code
    assert code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.h5*"))


def test_a_file_for_a_folder_is_refused(few, tmp_path, capsys):
    (tmp_path / "afile").touch()
    line = refused(capsys, "--source", few, "--out", tmp_path / "afile")
    assert "a file; expected a folder, new or a run's own" in line
