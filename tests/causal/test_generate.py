"""A row of generated text depends on its seed alone, and the cache changes nothing."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from neurotrace.causal.clamp import clamp
from neurotrace.causal.generate import (
    Generated,
    _choose,
    _forward,
    generate,
    log_likelihood,
    perplexity,
)
from neurotrace.causal.prompts import start_ids

FAMILIES = ["gpt_neox", "bloom", "llama"]
BACKENDS = ["plain", "bridge"]
SOME = ["L0.N3", "L1.N70", "L2.N11"]


def rows(generated: Generated) -> list[list[int]]:
    return [ids[kept].tolist() for ids, kept in zip(generated.ids, generated.mask, strict=True)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_with_a_cache_are_those_without_one(tiny, family, backend):
    model = tiny.hooked(family, backend)
    ids = torch.randint(4, 48, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    with clamp(model, SOME, 1.5), torch.inference_mode():
        whole, cache, start = model.logits(ids, mask), None, 0
        for end in range(3, 10):
            step, cache = _forward(model, ids[:, start:end], mask[:, :end], cache)
            assert torch.allclose(step, whole[:, end - 1], atol=1e-4)
            start = end


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_depends_on_its_seed_alone(tiny, family, backend):
    model = tiny.hooked(family, backend)
    together = generate(model, seeds=range(20), max_new_tokens=12)
    some = generate(model, seeds=[13, 2, 7], max_new_tokens=12)
    assert rows(some) == [rows(together)[seed] for seed in (13, 2, 7)]
    assert some.texts == tuple(together.texts[seed] for seed in (13, 2, 7))
    assert rows(generate(model, seeds=5, max_new_tokens=12))[0] == rows(together)[5]
    assert len({tuple(row) for row in rows(together)}) > 15


def test_more_tokens_go_on_where_fewer_stopped(model):
    short = generate(model, seeds=range(8), max_new_tokens=5)
    long = generate(model, seeds=range(8), max_new_tokens=11)
    assert [row[:5] for row in rows(long)] == rows(short)


def test_one_seed_stands_for_a_row_of_seeds(model):
    assert generate(model, seeds=4, n=3).seeds == (4, 5, 6)
    with pytest.raises(ValueError, match="2 seeds and n 3"):
        generate(model, seeds=[1, 2], n=3)
    with pytest.raises(ValueError, match="seed -1"):
        generate(model, seeds=[-1])


def test_without_temperature_the_likeliest_token_is_taken(model):
    written = generate(model, seeds=[1, 2], max_new_tokens=10, temperature=0)
    assert rows(written)[0] == rows(written)[1]
    ids = torch.tensor([[1, *rows(written)[0]]])
    logits = model.logits(ids, torch.ones_like(ids))
    assert logits[0, :-1].argmax(dim=-1).tolist() == ids[0, 1:].tolist()


def test_tokens_are_drawn_with_their_probabilities():
    chances = np.array([0.5, 0.0, 0.3, 0.2])
    logits = torch.log(torch.tensor(chances)).repeat(4000, 1)
    draws = np.random.default_rng(0).random(4000)
    counts = np.bincount(_choose(logits, draws, 1.0, None), minlength=4)
    assert counts[1] == 0
    assert chisquare(counts[[0, 2, 3]], 4000 * chances[[0, 2, 3]]).pvalue > 0.001
    hot = np.bincount(_choose(logits, draws, 0.5, None), minlength=4)
    squared = chances**2 / (chances**2).sum()
    assert chisquare(hot[[0, 2, 3]], 4000 * squared[[0, 2, 3]]).pvalue > 0.001


def test_a_nucleus_is_the_smallest_set_that_holds_enough():
    logits = torch.log(torch.tensor([0.2, 0.5, 0.3])).repeat(300, 1)
    draws = np.linspace(0, 0.9999, 300)
    assert set(_choose(logits, draws, 1.0, 0.5).tolist()) == {1}
    assert set(_choose(logits, draws, 1.0, 0.502).tolist()) == {1, 2}
    counts = np.bincount(_choose(logits, draws, 1.0, 0.6), minlength=3)
    assert abs(counts[1] / 300 - 5 / 8) < 0.01


def test_a_row_ends_with_its_eos_and_others_go_on(tiny):
    model = tiny.hooked("llama")
    written = generate(model, seeds=range(60), max_new_tokens=25)
    ended = [row for row in rows(written) if row[-1] == 2]
    assert 0 < len(ended) < 60
    assert all(2 not in row[:-1] for row in rows(written))
    assert all(len(row) == 25 for row in rows(written) if row[-1] != 2)
    assert (written.ids[~written.mask] == 0).all()
    assert written.lengths.tolist() == [len(row) for row in rows(written)]
    assert "<" not in "".join(written.texts)
    # A row that has ended does not disturb those that go on.
    alone = generate(model, seeds=[59], max_new_tokens=25)
    assert rows(alone)[0] == rows(written)[59]


def test_every_id_that_the_model_names_as_its_end_ends_a_row(tiny, monkeypatch):
    model = tiny.hooked("llama")
    monkeypatch.setattr(model.model.generation_config, "eos_token_id", [9, 11])
    written = rows(generate(model, seeds=range(30), max_new_tokens=20))
    assert {row[-1] for row in written if len(row) < 20} == {2, 9, 11}
    assert not any({2, 9, 11} & set(row[:-1]) for row in written)


def test_logits_that_are_no_numbers_are_refused(model):
    with pytest.raises(ValueError, match="run away"):
        generate(model, during=clamp(model, SOME, 3e38), max_new_tokens=2)


def test_a_clamp_forces_its_own_rows_of_the_texts(model):
    free = generate(model, seeds=[3, 3, 3], max_new_tokens=10)
    with clamp(model, SOME, 6.0, rows=[1]):
        mixed = generate(model, seeds=[3, 3, 3], max_new_tokens=10)
    forced = generate(model, seeds=[3], max_new_tokens=10, during=clamp(model, SOME, 6.0))
    assert rows(mixed)[0] == rows(mixed)[2] == rows(free)[0]
    assert rows(mixed)[1] == rows(forced)[0] != rows(free)[0]
    assert rows(generate(model, seeds=[3], max_new_tokens=10)) == rows(free)[:1]


def test_hooks_of_during_are_gone_after_an_error(tiny, model):
    hooks = tiny.n_hooks(model)
    with pytest.raises(ValueError, match="rows"):
        generate(model, seeds=[1], during=clamp(model, SOME, 6.0, rows=[4]))
    assert tiny.n_hooks(model) == hooks


def test_each_family_starts_as_its_training_texts_did(tiny):
    assert start_ids(tiny.hooked("gpt_neox")).tolist() == [1]
    assert start_ids(tiny.hooked("bloom")).tolist() == [2]  # "</s>"
    assert start_ids(tiny.hooked("llama"), "word0 word1").tolist() == [1, 4, 5]
    assert start_ids(tiny.hooked("llama"), "").tolist() == [1]
    assert generate(tiny.hooked("bloom"), max_new_tokens=3).prompt.tolist() == [2]
    with pytest.raises(ValueError, match="no token"):
        start_ids(tiny.hooked("bloom"), "")


def test_likelihood_is_that_of_each_token_after_those_before(tiny):
    model = tiny.hooked("llama")
    written = generate(model, seeds=range(60), max_new_tokens=25, prompt="word1 word2")
    told = log_likelihood(model, written)
    for row in (0, int(written.lengths.argmin()), 59):
        ids = torch.tensor([[*written.prompt.tolist(), *rows(written)[row]]])
        chances = model.logits(ids, torch.ones_like(ids)).log_softmax(dim=-1)[0, 2:-1]
        by_hand = chances[torch.arange(len(chances)), ids[0, 3:]].mean()
        assert told[row] == pytest.approx(float(by_hand), abs=1e-4)
    assert np.allclose(perplexity(model, written), np.exp(-told))


def test_a_model_that_knows_nothing_has_the_vocabulary_as_perplexity(tiny):
    model = tiny.hooked("gpt_neox")
    head = model.model.get_output_embeddings().weight
    kept = head.data.clone()
    head.data.zero_()
    try:
        written = generate(model, seeds=range(4), max_new_tokens=6)
        assert np.allclose(perplexity(model, written), 48, rtol=1e-4)
    finally:
        head.data.copy_(kept)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens 0"),
        ({"temperature": -1.0}, "temperature -1"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_p": 0.0}, "top_p 0"),
        ({"max_new_tokens": 96}, "97 tokens with the prompt; the model has 96"),
        ({"seeds": []}, "at least one"),
    ],
)
def test_settings_out_of_range_are_refused(model, arguments, line):
    with pytest.raises(ValueError, match=line):
        generate(model, **arguments)
