"""A run that is captured already as the source of a trace: what it can answer, and what not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from capture.tiny_families import WORDS, model_of, tokenizer_of
from capture.training import nudged

from neurotrace import trajectories
from neurotrace.capture.live import LiveCapture
from neurotrace.captured import Captured, is_captured, series_of
from neurotrace.concepts import ConceptSet
from neurotrace.config import TraceConfig
from neurotrace.store import ActivationStore
from neurotrace.trace import main

WHAT = ("mlp.hook_post/max", "hook_resid_post/mean")


def sentences(*, seed: int = 0) -> ConceptSet:
    """Parallel sentences in two languages; a concept's own words are among its sentences'."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "group": f"g{group:03d}",
            "lang": lang,
            "text": " ".join([WORDS[group % 4], *rng.choice(WORDS[8:], size=5)]),
            "concept": f"c{group % 4}",
        }
        for group in range(64)
        for lang in ("aaa_Latn", "bbb_Latn")
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="tiny")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three steps of a loop that saved nothing; never changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "live"
    live = LiveCapture(
        sentences(), out, what=WHAT, tokenizer=tokenizer_of("gpt_neox"), twin=3, strict=True
    )
    model = model_of("gpt_neox").train()
    for step in (0, 4, 16):
        live.capture(nudged(model, seed=step), step, tokens=100 * step)
    return out


@pytest.fixture
def config(source: Path, tmp_path: Path) -> TraceConfig:
    return TraceConfig(source=str(source), out=str(tmp_path / "out"))


def test_a_captured_run_is_told_from_checkpoints(source: Path, tmp_path: Path) -> None:
    assert is_captured(source)
    assert not is_captured(tmp_path)
    assert not is_captured(tmp_path / "nothing")
    both = tmp_path / "both"
    (both / "step-4").mkdir(parents=True)
    for file in (*source.glob("*.h5"), source / "concepts.jsonl"):
        (both / file.name).symlink_to(file)
    assert is_captured(both)
    (both / "step-4" / "config.json").write_text("{}")
    assert not is_captured(both)


def test_its_series_is_that_of_its_files(source: Path) -> None:
    series = series_of(ActivationStore.open(source))
    assert [(c.label, c.tokens, c.revision) for c in series] == [
        ("step0", 0, "step0"),
        ("step4", 400, "step4"),
        ("step16", 1600, "step16"),
    ]
    assert [c.path.name for c in series] == ["0000_step0.h5", "0001_step4.h5", "0002_step16.h5"]


def test_what_needs_weights_or_was_not_captured_is_left_out_by_name(config: TraceConfig) -> None:
    found = Captured.of(config)
    assert found.config.analyses == (
        *("overlap", "onset", "turnover", "expertise", "counts", "labels", "compression"),
        *("lives", "roles", "retrieval", "loss", "confounds", "ilo", "evolution"),
    )
    assert found.config.rotations == 0
    captured = "hook_resid_post/mean, mlp.hook_post/max"
    assert found.notes == (
        f"language_id is left out: hook_resid_post/tokens was not captured, but {captured}",
        "embeddings, interchange, ablation, forcing are left out: the source holds activations "
        "and no weights",
        f"latent_concepts is left out: hook_resid_post/words was not captured, but {captured}",
        "the rotated basis is left out: mlp.hook_post@rotated0/max was not captured",
    )


def test_what_was_decided_at_capture_stands_in_the_configuration(config: TraceConfig) -> None:
    asked = replace(config, backend="bridge", dtype="float32", bos="never", seed=9)
    found = Captured.of(asked).config
    assert (found.backend, found.dtype, found.bos) == ("plain", "float16", "default")
    assert found.seed == 9


def test_steps_can_be_chosen(config: TraceConfig) -> None:
    found = Captured.of(replace(config, checkpoints="4:"))
    assert found.store.steps == [4, 16]
    assert list(found.weights) == ["step4", "step16"]
    with pytest.raises(ValueError, match="got checkpoint 5; the series has 0, 4, 16"):
        Captured.of(replace(config, checkpoints="5"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": ("aaa_Latn",)}, "got --languages aaa_Latn for live, which was captured"),
        ({"negatives": 4}, "got --negatives 4 for live"),
        ({"concepts": "everyday"}, "got --concepts everyday for live"),
        ({"analyses": ("embeddings",)}, "none of the analyses can be done: the source holds"),
        ({"pooling": "last", "analyses": ("overlap", "onset")}, "mlp.hook_post/last was not"),
    ],
    ids=str,
)
def test_what_it_cannot_be_asked_is_refused(
    changes: dict[str, object], message: str, config: TraceConfig
) -> None:
    with pytest.raises(ValueError, match=message):
        Captured.of(replace(config, **changes))


def test_the_road_goes_from_activations_to_the_report(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "out", sorted(source.iterdir())
    command = ["--source", str(source), "--out", str(out)]
    command += ["--analyses", "retrieval", "loss", "interchange"]
    assert main([*command, "--dry-run"]) == 0
    assert "captured already" in capsys.readouterr().out
    assert main(command) == 0
    results = trajectories.read(out)
    for name in ("retrieval", "loss"):
        assert results[name]["step"].values.tolist() == [0, 4, 16]
    page = (out / "report.html").read_text()
    assert "interchange is left out: the source holds activations and no weights" in page
    assert not list(out.glob("[0-9]*.h5"))
    assert sorted(source.iterdir()) == before


@pytest.mark.slow
def test_everything_that_can_be_answered_is(source: Path, tmp_path: Path) -> None:
    assert main(["--source", str(source), "--out", str(tmp_path / "out")]) == 0
    results = trajectories.read(tmp_path / "out")
    assert {"overlap", "expertise", "lives", "roles", "ilo", "evolution"} <= set(results)
