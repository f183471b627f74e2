"""Next-token loss against a plain model, one sentence at a time."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from neurotrace import capture
from neurotrace.capture import loss, models
from neurotrace.capture.tokens import tokenize
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet


@pytest.mark.parametrize("bos", ["always", "never"])
@pytest.mark.parametrize("family", ["gpt_neox", "llama"])
def test_the_loss_is_that_of_one_unpadded_sentence_at_a_time(
    family: str, bos: str, few: ConceptSet, tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss, "LOGITS", 48 * 40)  # several small batches
    tokenized = tokenize(tiny.tokenizer(), few.frame, bos=bos)
    plain = tiny.model(family)
    hooked = models.hook(tiny.model(family), tiny.tokenizer())
    rows = np.array([5, 0, 17, 3])
    got = loss.nats(hooked, tokenized, rows)
    for row, value in zip(rows, got, strict=True):
        ids = torch.tensor(
            tokenized.ids[tokenized.offsets[row] : tokenized.offsets[row + 1]]
        ).long()
        with torch.no_grad():
            log_p = plain(ids[None]).logits[0, :-1].log_softmax(-1)
        assert value == pytest.approx(-log_p[range(len(ids) - 1), ids[1:]].mean().item(), abs=1e-4)


def test_the_sample_is_seeded_and_even_over_languages(
    few: ConceptSet, tiny: SimpleNamespace
) -> None:
    tokenized = tokenize(tiny.tokenizer(), few.frame)
    one, same, other = (
        loss.sample(tokenized, few.frame, per_language=5, seed=seed) for seed in (0, 0, 1)
    )
    assert one.equals(same)
    assert not one.equals(other)
    assert few.frame["lang"].to_numpy()[one["example"]].tolist().count("aaa_Latn") == 5
    assert (one["n_tokens"] == tokenized.n_tokens[one["example"]]).all()


def test_every_step_keeps_the_loss_of_the_same_sentences(
    series: list[Checkpoint], few: ConceptSet, tmp_path: Path
) -> None:
    store = capture.run(series, few, tmp_path, loss_sentences=3, progress=False)
    first, last = store.loss(0), store.loss(512)
    assert list(first["example"]) == list(last["example"])
    assert len(first) == 6
    assert not np.allclose(first["nats"], last["nats"])
    without = capture.run(series[:1], few, tmp_path / "none", loss_sentences=0, progress=False)
    assert without.loss(0) is None
