"""Claims about the lab's tokenizers: what is saved reads back the same."""

import pytest
from transformers import AutoTokenizer

from neurotrace.lab.tokenizer import BOS_ID, PAD_ID, UNK_ID, byte_level, word_level


def test_words_have_the_ids_of_their_places_and_bos_comes_first():
    tokenizer = word_level([".", "?", "ba", "ке", "שא"])
    assert tokenizer("ba ке שא .")["input_ids"] == [BOS_ID, 5, 6, 7, 3]
    assert tokenizer("ba", add_special_tokens=False)["input_ids"] == [5]
    assert tokenizer("zz", add_special_tokens=False)["input_ids"] == [UNK_ID]


@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_a_saved_tokenizer_reads_back_with_identical_ids(kind, tmp_path):
    texts = ["ba ке שא .", "ba ba", "ке ке"]
    made = word_level([".", "ba", "ке", "שא"]) if kind == "words" else _bytes(texts)
    made.save_pretrained(tmp_path)
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read(texts)["input_ids"] == made(texts)["input_ids"]
    assert (read.bos_token_id, read.pad_token_id, read.padding_side) == (BOS_ID, PAD_ID, "right")
    assert len(read) == len(made)


def test_bytes_know_every_script_and_give_the_text_back():
    tokenizer = _bytes(["in the beginning"] * 20)
    text = "in the beginning 太初 בראשית"
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == BOS_ID
    assert UNK_ID not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert len(tokenizer("in the", add_special_tokens=False)["input_ids"]) == 2


def test_a_word_twice_is_refused():
    with pytest.raises(ValueError, match="repetitions"):
        word_level(["ba", "ba"])


def _bytes(texts):
    return byte_level(texts * 5, vocab_size=300)
