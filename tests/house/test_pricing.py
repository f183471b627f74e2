"""What a job is said to cost."""

from dataclasses import fields, replace

import pytest

from neurotrace import pricing, pricing_blocks
from neurotrace.config import ANALYSES, CAUSES
from neurotrace.pricing_blocks import Blocks, Shape
from neurotrace.pricing_laws import COMMON, LAWS, ONCE, TWIN
from neurotrace.pricing_work import Work

SHAPE = Shape(
    n_checkpoints=7,
    n_layers=2,
    width=100,
    n_features=16,
    n_weights=5_000,
    n_embedded=800,
    n_languages=3,
    n_concepts=4,
    n_sentences=80,
    n_tokens=2_000,
    top=10,
    n_splits=4,
    bytes_read=10**6,
    bytes_written=3 * 10**6,
    bytes_states=10**6,
)
BLOCKS = Blocks(**dict.fromkeys((field.name for field in fields(Blocks)), 1e-6))
ASKED = tuple(name for name in ANALYSES if name not in CAUSES)


def test_every_analysis_has_a_law_made_of_work_that_there_is():
    work = Work(SHAPE, BLOCKS)
    assert set(LAWS) | set(COMMON) == set(ASKED)
    assert set(TWIN) | set(ONCE) <= set(LAWS)
    for law in (*LAWS.values(), *COMMON.values()):
        assert all(float(getattr(work, part)) > 0 and share > 0 for part, share in law.items())


def test_work_is_counted_as_by_hand():
    work = Work(SHAPE, BLOCKS)
    assert work.ranking == pytest.approx(200 * 3 * 1e-6)
    assert (work.pairs, work.layers) == (2 * 3, 2)
    assert work.scatter == pytest.approx(2 * (2 * 240 * 100 * 100) * 1e-6)
    assert work.translations == pytest.approx(2 * 3 * (2 * 80 * 80 * 16) * 1e-6)
    # 2 × 3 languages × 4 concepts × 50 neurons × 8 bytes a split: all at once.
    assert (SHAPE.largest_top, SHAPE.n_rankings) == (50, 1)


def test_the_overlap_ranks_sentences_again_where_its_sets_do_not_fit():
    paper = replace(
        SHAPE, n_layers=24, width=4096, n_languages=16, n_concepts=200, top=500, n_splits=20
    )
    assert (paper.largest_top, paper.n_rankings) == (5_000, 4)
    dear = replace(BLOCKS, ranking=2e-6)
    more = Work(paper, dear).overlaps - Work(paper, BLOCKS).overlaps
    # Four times for itself, once for each of two nulls and for a rotated basis.
    assert more == pytest.approx((4 + 2 + 1) * Work(paper, BLOCKS).ranking)


def test_twice_the_checkpoints_cost_twice_but_for_twin_and_report():
    priced = [
        pricing.price(replace(SHAPE, n_checkpoints=n, twin=False), BLOCKS, analyses=("counts",))
        for n in (7, 14)
    ]
    one, two = priced
    assert two.capture == pytest.approx(2 * one.capture)
    assert two.scoring["counts"] == pytest.approx(2 * one.scoring["counts"])
    assert two.series == one.series
    assert (one.read, one.written) == (7 * 10**6, 21 * 10**6)


def test_workers_share_what_can_be_shared_in_whole_checkpoints():
    priced = pricing.price(SHAPE, BLOCKS, analyses=("counts",), capture=10.0)
    assert priced.capture == 80  # the twin is an eighth
    scored = priced.scoring["counts"]
    assert priced.wall(1) == pytest.approx(80 + scored + priced.series)
    assert priced.wall(3) == pytest.approx(30 + scored / 3 + priced.series)


def test_a_model_on_a_gpu_costs_hours_of_that_and_scoring_those_of_cores():
    on_cpu, on_gpu = (
        pricing.price(replace(SHAPE, device=device), BLOCKS, analyses=ASKED, capture=3600.0)
        for device in ("cpu", "cuda")
    )
    assert (on_cpu.gpu_seconds, on_gpu.gpu_seconds) == (0, 8 * 3600)
    assert on_cpu.core_seconds == pytest.approx(on_gpu.core_seconds + 8 * 3600)
    told = "\n".join(on_gpu.lines(executor="slurm", workers=4))
    assert "8.0 GPU-hours" in told
    assert "core-hours" in told
    assert "--executor slurm, 4 at once" in told


@pytest.mark.parametrize(("devices", "at_once"), [([], 2), (["GPU-1", "GPU-2", "GPU-3"], 3)])
def test_processes_are_as_many_as_the_executor_would_start(monkeypatch, devices, at_once):
    monkeypatch.setattr(pricing, "cores", lambda: 2)
    monkeypatch.setattr(pricing, "gpus", lambda: devices)
    priced = pricing.price(SHAPE, BLOCKS, analyses=ASKED, capture=3600.0)
    assert f"--executor processes, {at_once} at once" in priced.lines(executor="processes")[-1]
    assert "--executor processes, 8 at once" in priced.lines(executor="processes", workers=99)[-1]
    assert "--executor slurm, 8 at once" in priced.lines(executor="slurm")[-1]  # and the twin


def test_experiments_are_priced_only_where_they_are_asked_for():
    none, some = (
        pricing.price(SHAPE, BLOCKS, analyses=asked, capture=1.0)
        for asked in (("counts",), ("counts", "ablation"))
    )
    assert none.experiments == 0
    assert some.experiments > 0
    assert "rough" not in "\n".join(none.lines()).replace("roughly", "")
    assert "experiments" in "\n".join(some.lines())


def test_less_is_kept_down_the_tiers():
    kept = pricing.kept_bytes(SHAPE)
    assert kept["activations"] - kept["scores"] == 8 * 3 * 10**6
    assert kept["states"] - kept["scores"] == 8 * 10**6
    experts = 2.1 * 2 * 4 * 3 * 4 * 10
    rest = 6e5 + 14 * 240 + 4 * 3 * (6 * 19 + 2 * 11.3) + 28 * 4 * 9
    assert kept["scores"] == pytest.approx(8 * (experts + rest), abs=1)


def test_blocks_are_measured_in_small_and_told_for_more_sentences(monkeypatch):
    asked = []

    def noted(n_examples, n_concepts, **options):
        asked.append(n_examples)
        return real(n_examples, n_concepts, **options)

    real = pricing_blocks.measured
    monkeypatch.setattr(pricing_blocks, "measured", noted)
    monkeypatch.setattr(pricing_blocks, "MOST_SENTENCES", 400)
    large = Blocks.measured(replace(SHAPE, n_sentences=400_000))
    assert max(asked) == 400
    assert all(getattr(large, field.name) > 0 for field in fields(Blocks))
    monkeypatch.setattr(pricing_blocks, "MOST_SENTENCES", 20_000)
    assert large.ranking > 300 * Blocks.measured(replace(SHAPE, n_sentences=400)).ranking
