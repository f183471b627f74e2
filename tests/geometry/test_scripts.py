"""The script of a token: the published rule, with everything odd that follows from it."""

import unicodedata

import numpy as np
import pytest
from tokenizers import ByteLevelBPETokenizer

from neurotrace.geometry.scripts import _bytes, decode_bytes, is_byte_level, script_of, scripts_of


def spelled(text: str | bytes) -> str:
    """A token as a byte-level vocabulary writes it."""
    back = {byte: char for char, byte in _bytes().items()}
    return "".join(back[byte] for byte in (text if isinstance(text, bytes) else text.encode()))


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("и", "CYRILLIC"),
        ("日本の", "CJK"),  # two of three
        ("です。", "HIRAGANA"),
        ("한국", "HANGUL"),
        ("हिन्दी", "DEVANAGARI"),  # three letters, three marks: the first seen wins
        ("ि", "M"),
        ("12", "N"),
        ("1a", "N"),  # a tie: the first seen
        ("a1", "LATIN"),
        (".", "P"),
        ("\n", "C"),
        (" ", "Z"),
        ("", "Unknown"),
    ],
)
def test_most_characters_decide_and_of_ties_the_first(token, expected):
    assert script_of(token) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("▁", "S"),
        ("▁a", "S"),  # the mark of a space is a symbol, and comes first
        ("▁in", "LATIN"),
        ("ａ", "FULLWIDTH"),
        ("ー", "KATAKANA-HIRAGANA"),
        ("ʰ", "MODIFIER"),
        ("ª", "FEMININE"),
        ("µ", "MICRO"),
        ("<0x0A>", "S"),  # two symbols, two digits, two letters
        ("<0xFF>", "LATIN"),
        ("�", "S"),
    ],
)
def test_odd_consequences_of_the_rule_are_kept(token, expected):
    assert script_of(token) == expected


def test_a_letter_without_a_name_is_refused_or_gets_the_class_that_is_asked_for():
    nameless = "\U00017000"  # Tangut, unnamed up to Python 3.12
    if unicodedata.name(nameless, ""):
        pytest.skip("this Python names it")
    with pytest.raises(ValueError, match=r"got letter U\+17000, which has no Unicode name"):
        script_of(nameless)
    assert script_of(nameless, nameless="OTHER") == "OTHER"


def test_every_byte_has_one_printable_character_and_comes_back():
    table = _bytes()
    assert sorted(table.values()) == list(range(256))
    assert table["Ġ"] == 0x20
    assert table["Ċ"] == 0x0A
    assert all(char.isprintable() and not char.isspace() for char in table)
    for text in ("naïve", "за", "日本", "\t"):
        assert decode_bytes([spelled(text)], byte_level=True) == [text]


def test_a_leading_space_is_written_as_sentencepiece_does():
    assert decode_bytes(["Ġthe", "theĠ", "Ġ"], byte_level=True) == ["▁the", "the ", "▁"]


def test_broken_characters_look_latin_as_published_or_get_a_class_of_their_own():
    half = spelled("日".encode()[:2])
    tokens = ["Ġ" + spelled("за"), half]
    assert decode_bytes(tokens, byte_level=True) == ["▁за", f"bad: {half}"]
    published = scripts_of(tokens, byte_level=True)
    assert published.tolist() == ["CYRILLIC", "LATIN"]
    own = scripts_of(tokens, byte_level=True, undecodable="bytes")
    assert own.tolist() == ["CYRILLIC", "bytes"]
    with pytest.raises(ValueError, match="got undecodable='guess'; valid are published, bytes"):
        scripts_of(tokens, undecodable="guess")


def test_byte_level_vocabularies_are_known_by_their_alphabet():
    vocabulary = [*_bytes(), "Ġthe", spelled("за"), "<|endoftext|>", "   "]
    assert is_byte_level(vocabulary)
    texts = decode_bytes(vocabulary)
    assert texts[-4:] == ["▁the", "за", "<|endoftext|>", "   "]  # added tokens stay plain


@pytest.mark.parametrize(
    "vocabulary",
    [
        ["▁the", "▁за", "日", "a"],
        ["grāmata", "ķēde", "ūdens", "naïve"],  # Latvian: within the alphabet, but words
        ["the", "of", "and"],
        [*map(chr, range(0x100, 0x400)), *_bytes()],  # all characters, most beyond the alphabet
    ],
)
def test_other_vocabularies_are_left_as_they_are(vocabulary):
    assert not is_byte_level(vocabulary)
    assert decode_bytes(vocabulary) == vocabulary


def test_a_tokenizer_learnt_on_bytes_is_read_as_text():
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(["сколько слов здесь", "so many words"] * 20, vocab_size=300)
    vocabulary = [str(tokenizer.id_to_token(number)) for number in range(300)]
    scripts = scripts_of(vocabulary)
    whole = [text for text, script in zip(decode_bytes(vocabulary), scripts, strict=True)
             if script == "CYRILLIC" and len(text) > 2]  # fmt: skip
    assert whole
    assert all(part.strip("▁") in "сколько слов здесь" for part in whole)
    assert np.isin(["LATIN", "CYRILLIC"], scripts).all()
