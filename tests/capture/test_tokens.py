"""Ids, special tokens and drawn tokens."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from neurotrace.capture.tokens import draw, tokenize, tokenizer_hash


def table(*texts: str) -> pd.DataFrame:
    rows = [("aaa_Latn", f"g{number}", text) for number, text in enumerate(texts)]
    return pd.DataFrame(rows, columns=["lang", "group", "text"])


@pytest.mark.parametrize(
    ("template", "bos", "ids", "there"),
    [
        (True, "default", [1, 4, 5], True),
        (True, "always", [1, 4, 5], True),
        (True, "never", [4, 5], False),
        (False, "default", [4, 5], False),
        (False, "always", [1, 4, 5], True),
        (False, "never", [4, 5], False),
    ],
)
def test_the_bos_policy_decides_what_stands_first(
    template: bool, bos: str, ids: list[int], there: bool, tiny: SimpleNamespace
) -> None:
    found = tokenize(tiny.tokenizer(bos=template), table("w0 w1"), bos=bos)
    assert found.ids.tolist() == ids
    assert found.bos_present is there
    assert found.content.tolist() == [token > 3 for token in ids]
    assert found.n_tokens.tolist() == [2]


def test_special_tokens_in_the_text_and_excluded_ids_are_no_content(
    tiny: SimpleNamespace,
) -> None:
    frame = table("w0 </s> w1 unheard-of w2", "w3 w4")
    found = tokenize(tiny.tokenizer(), frame, exclude_ids=[4, 7])
    assert found.ids.tolist() == [1, 4, 2, 5, 3, 6, 1, 7, 8]
    assert found.content.tolist() == [False, False, False, True, False, True, False, False, True]
    assert found.n_tokens.tolist() == [2, 1]


def test_a_batch_is_padded_on_the_right_and_padding_is_neither_token_nor_content(
    tiny: SimpleNamespace,
) -> None:
    found = tokenize(tiny.tokenizer(), table("w0 w1 w2", "w3"))
    batch = found.batch(np.array([1, 0]), device="cpu")
    assert batch.ids.tolist() == [[1, 7, 0, 0], [1, 4, 5, 6]]
    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.content.tolist() == [[False, True, False, False], [False, True, True, True]]


def test_sentences_without_content_are_refused_by_name(tiny: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"aaa_Latn group 'g1': got no content token in '</s>'"):
        tokenize(tiny.tokenizer(), table("w0", "</s>"))
    with pytest.raises(ValueError, match=r"group 'g0': got no content token in 'w0'"):
        tokenize(tiny.tokenizer(), table("w0"), exclude_ids=[4])
    with pytest.raises(ValueError, match=r"group 'g0': got no content token in '  '"):
        tokenize(tiny.tokenizer(bos=False), table("  "))


def test_sentences_longer_than_the_model_are_refused_by_name(tiny: SimpleNamespace) -> None:
    frame = table("w0", "w0 " * 9)
    assert tokenize(tiny.tokenizer(), frame, max_length=10).lengths.tolist() == [2, 10]
    with pytest.raises(ValueError, match=r"group 'g1': got 10 tokens; the model has 9 positions"):
        tokenize(tiny.tokenizer(), frame, max_length=9)


def test_unknown_policies_and_tokenizers_without_bos_are_refused(tiny: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="valid are default, always, never"):
        tokenize(tiny.tokenizer(), table("w0"), bos="sometimes")
    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"w0": 0}, "w0")))
    with pytest.raises(ValueError, match="neither BOS nor CLS"):
        tokenize(bare, table("w0"), bos="always")


def test_drawn_tokens_are_content_seeded_and_evenly_many_a_language(
    tiny: SimpleNamespace,
) -> None:
    frame = pd.concat([table(*["w0 w1 w2 w3"] * 20), table(*["w4 w5"] * 30)], ignore_index=True)
    frame.loc[20:, "lang"] = "bbb_Latn"
    tokenizer = tiny.tokenizer()
    found = tokenize(tokenizer, frame)
    drawn = draw(tokenizer, found, frame, per_language=50, seed=3)
    assert drawn["lang"].value_counts().to_dict() == {"aaa_Latn": 50, "bbb_Latn": 50}
    at = found.offsets[drawn["example"]] + drawn["position"]
    assert found.content[at].all()
    assert (found.ids[at] == drawn["id"]).all()
    assert (frame["lang"].to_numpy()[drawn["example"]] == drawn["lang"]).all()
    assert drawn["example"].is_monotonic_increasing
    assert not drawn.duplicated(["example", "position"]).any()
    pd.testing.assert_frame_equal(drawn, draw(tokenizer, found, frame, per_language=50, seed=3))
    other = draw(tokenizer, found, frame, per_language=50, seed=4)
    assert not drawn["position"].equals(other["position"])
    every = draw(tokenizer, found, frame, per_language=10**6, seed=0)
    assert len(every) == found.content.sum()


def test_words_parts_of_words_and_parts_of_characters_are_told_apart() -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(["<s>", *letters])}
    merges = [("Ġ", "d"), ("Ġd", "o"), ("Ġdo", "g")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    raw = Tokenizer(models.BPE(vocabulary, merges))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>")
    frame = table("a dog dogs. ж")
    found = tokenize(tokenizer, frame, bos="always")
    drawn = draw(tokenizer, found, frame, per_language=100, seed=0)
    kinds = list(zip(drawn["word"], drawn["kind"], strict=True))
    assert kinds[:5] == [
        ("a", "whole"),
        (" dog", "whole"),
        (" dog", "continuation"),
        ("s", "continuation"),
        (".", "whole"),
    ]
    assert [kind for _, kind in kinds[-2:]] == ["byte", "byte"]


def test_the_hash_of_a_tokenizer_sees_words_and_special_tokens(tiny: SimpleNamespace) -> None:
    one = tokenizer_hash(tiny.tokenizer())
    assert one == tokenizer_hash(tiny.tokenizer())
    other = tiny.tokenizer()
    other.add_tokens(["new"])
    assert len({one, tokenizer_hash(tiny.tokenizer(bos=False)), tokenizer_hash(other)}) == 3
