"""The loss of masked models, by hand: which tokens are hidden, and what hiding them costs."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from capture.tiny_families import MASK, WORDS, model_of, save, tokenizer_of

from neurotrace import capture
from neurotrace.checkpoints import find
from neurotrace.concepts import ConceptSet
from neurotrace.store import ActivationStore

ENCODERS = ("bert", "xlm-roberta", "modernbert")
STEPS = (16, 32)


def sentences(length: int, number: int) -> ConceptSet:
    rng = np.random.default_rng(length)
    return of_texts([[" ".join(rng.choice(WORDS, length)) for _ in "ab"] for _ in range(number)])


def of_texts(pairs: list[list[str]]) -> ConceptSet:
    """Pairs of translations, of two concepts in turn."""
    rows = [
        {"group": f"g{number}", "lang": lang, "text": text, "concept": f"c{number % 2}"}
        for number, pair in enumerate(pairs)
        for lang, text in zip(("aaa_Latn", "bbb_Latn"), pair, strict=True)
    ]
    return ConceptSet.from_frame(pd.DataFrame(rows), name="words")


def run(
    family: str, concepts: ConceptSet, root: Path, name: str, **options: Any
) -> ActivationStore:
    """What is captured of ``root/lab``, by default of one checkpoint that is made there."""
    if not (root / "lab").exists():
        save(root / "lab" / "step-000016", family, seed=16)
    given = {"what": ["hook_resid_post/max"], "loss_sentences": 40, "progress": False}
    return capture.run(find(root / "lab"), concepts, root / name, **(given | options))


def by_hand(family: str, step: int, text: str) -> dict[tuple[int, ...], float]:
    """Mean −log p of the hidden words, for one and for two of them hidden, by their places."""
    tokenizer, model = tokenizer_of(family), model_of(family, seed=step)
    ids = tokenizer(text)["input_ids"]
    words = [n for n, number in enumerate(ids) if number not in tokenizer.all_special_ids]
    found = {}
    for hidden in [*combinations(words, 1), *combinations(words, 2)]:
        given = torch.tensor([ids])
        given[0, list(hidden)] = tokenizer.convert_tokens_to_ids(MASK)
        with torch.no_grad():
            log_p = model(given).logits[0].log_softmax(-1)
        found[hidden] = float(-np.mean([log_p[n, ids[n]] for n in hidden]))
    return found


def places(family: str, store: ActivationStore, concepts: ConceptSet, step: int) -> list[tuple]:
    """Where the words must have been hidden for each loss to come out as it did."""
    table = store.loss(step)
    found = []
    for row, nats in zip(table["example"], table["nats"], strict=True):
        ways = by_hand(family, step, concepts.frame["text"].iloc[row])
        fitting = [hidden for hidden, value in ways.items() if abs(value - nats) < 1e-4]
        assert len(fitting) == 1, f"sentence {row}: got {nats}; expected one of {ways}"
        found += fitting
    return found


@pytest.mark.parametrize("family", ENCODERS)
def test_the_loss_of_two_words_is_that_of_the_hidden_ones(family: str, tmp_path: Path) -> None:
    concepts = sentences(2, 6)
    for step in STEPS:
        save(tmp_path / "lab" / f"step-{step:06d}", family, seed=step)
    store = run(family, concepts, tmp_path, "run")
    hidden = [places(family, store, concepts, step) for step in STEPS]
    # The same words at both checkpoints, and not always the first.
    assert hidden[0] == hidden[1]
    assert len(set(hidden[0])) > 1
    assert len(hidden[0]) == 12


def test_the_hidden_words_are_drawn_from_the_seed_of_the_run(tmp_path: Path) -> None:
    concepts = sentences(7, 6)
    one, same, other = (
        run("bert", concepts, tmp_path, name, seed=seed).loss(16)["nats"]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_batches_and_back_ends_do_not_change_the_loss(tmp_path: Path) -> None:
    concepts = sentences(5, 6)
    first, second = (
        run("xlm-roberta", concepts, tmp_path, backend, backend=backend, batch_tokens=tokens)
        for backend, tokens in (("bridge", 4096), ("plain", 20))
    )
    np.testing.assert_allclose(first.loss(16)["nats"], second.loss(16)["nats"], atol=1e-4)


def test_a_model_that_puts_the_right_word_behind_every_mask_has_no_loss(tmp_path: Path) -> None:
    # A head that says w3 whatever it reads: sentences of w3 alone cost nothing, of others a lot.
    folder, model = save(tmp_path / "lab" / "step-000016", "bert"), model_of("bert")
    with torch.no_grad():
        model.cls.predictions.bias.zero_()
        model.cls.predictions.bias[tokenizer_of("bert").convert_tokens_to_ids("w3")] = 1000.0
    model.save_pretrained(folder)
    texts = [["w3 w3 w3 w3", "w5 w5 w5 w5"], ["w3 w3", "w6 w6 w6"]]
    nats = run("bert", of_texts(texts), tmp_path, "run").loss(16)["nats"]
    assert nats[[0, 2]].to_numpy() == pytest.approx(0, abs=1e-6)
    assert (nats[[1, 3]] > 900).all()
