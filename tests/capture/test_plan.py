"""A run counted before it is made."""

import time
from pathlib import Path

import pytest

from neurotrace import capture
from neurotrace.capture import loading, sampled
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet

WHAT = ("mlp.hook_post/max", "hook_resid_post/tokens")


def test_a_plan_foretells_bytes_sentences_and_roughly_the_time(
    series: list[Checkpoint], concepts: ConceptSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(loading, "load_weights", lambda *_, **__: pytest.fail("read weights"))
        plan = capture.plan(series, concepts, what=WHAT, tokens_per_language=30)
    begun = time.perf_counter()
    capture.run(series, concepts, tmp_path, what=WHAT, tokens_per_language=30, progress=False)
    needed = time.perf_counter() - begun
    size = sum(file.stat().st_size for file in tmp_path.glob("*.h5"))
    assert size <= plan.n_bytes <= size + 3 * 1_500_000
    assert plan.n_bytes == 3 * plan.bytes_per_checkpoint
    assert (plan.n_checkpoints, plan.n_examples, plan.n_drawn) == (3, 600, 60)
    assert plan.paths == WHAT
    assert 0.1 < plan.seconds / needed < 10


def test_a_plan_counts_the_twin_and_refuses_what_a_run_refuses(
    series: list[Checkpoint], few: ConceptSet
) -> None:
    one, two = (capture.plan(series, few, twin=twin) for twin in (None, 5))
    assert two.n_bytes == 4 * one.bytes_per_checkpoint
    assert two.seconds > one.seconds
    assert "in 4 files of" in str(two)
    assert "roughly" in str(two)
    with pytest.raises(ValueError, match="valid are default, always, never"):
        capture.plan(series, few, bos="perhaps")


def test_a_large_model_is_priced_from_a_matrix_product_and_is_not_built(
    series: list[Checkpoint], few: ConceptSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampled, "MOST_WEIGHTS", 0)
    monkeypatch.setattr(loading, "reinitialized", lambda *_, **__: pytest.fail("built a model"))
    monkeypatch.setattr(sampled, "product_speed", lambda *_: 1e6)
    slow = capture.plan(series, few, loss_sentences=0)
    monkeypatch.setattr(sampled, "product_speed", lambda *_: 2e6)
    fast = capture.plan(series, few, loss_sentences=0)
    operations = 2 * slow.n_tokens * slow.sampled.n_weights
    assert slow.sampled.forward - fast.sampled.forward == pytest.approx(operations / 2e6)
    assert slow.seconds == pytest.approx(3 * slow.sampled.total)


def test_a_plan_tells_states_from_neurons(series: list[Checkpoint], few: ConceptSet) -> None:
    both = capture.plan(series, few, what=("mlp.hook_post/max", "hook_resid_post/mean"))
    width = both.sampled.n_features
    assert both.bytes_of_states == both.n_layers * both.n_examples * width * 4
    assert capture.plan(series, few).bytes_of_states == 0
