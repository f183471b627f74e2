"""Which stretches of text are words, which tokens make them up, and which words are drawn."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from neurotrace.capture.tokens import tokenize
from neurotrace.capture.words import align, draw_words


def table(*texts: str, lang: str = "aaa_Latn") -> pd.DataFrame:
    rows = [(lang, f"g{number}", text) for number, text in enumerate(texts)]
    return pd.DataFrame(rows, columns=["lang", "group", "text"])


def byte_level(merges: Sequence[str] = (), *, trim: bool = True) -> PreTrainedTokenizerFast:
    """GPT-2's kind: bytes, with ``Ġ`` for the space in front of a word."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [tuple(merge.split()) for merge in merges]
    names = ["<s>", *letters, *(left + right for left, right in pairs)]
    raw = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, pairs))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=trim)
    raw.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>")


def sentencepiece(pieces: Sequence[str]) -> PreTrainedTokenizerFast:
    """XLM-R's kind: ``▁`` for the space in front of a word, NFKC first."""
    raw = Tokenizer(models.Unigram([("<unk>", -20.0), *((p, -len(p) / 9) for p in pieces)], 0))
    raw.normalizer = normalizers.NFKC()
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", unk_token="<unk>")


def words_of(tokenizer: PreTrainedTokenizerFast, text: str) -> list[tuple[str, int, int]]:
    spans = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    return [(w.text, w.position, w.stop) for w in align(text, spans["offset_mapping"])]


def characters(text: str) -> list[tuple[int, int]]:
    return [(at, at + 1) for at in range(len(text))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("'Don't' she said, twice.", ["don't", "she", "said", "twice"]),
        ("l\u2019e\u0301te\u0301 (2024)", ["l\u2019e\u0301te\u0301", "2024"]),
        ("half-way 3.5 a_b", ["half", "way", "3", "5", "a", "b"]),
        ("नमस्ते, दुनिया।", ["नमस्ते", "दुनिया"]),
        ("می\u200cخواهم \u200cنه", ["می\u200cخواهم", "نه"]),
        ("我在2020年。", ["我", "在", "2020", "年"]),
        ("人々とコーヒー", list("人々とコーヒー")),
        ("ที่นี่", list("ที่นี่")),
        ("한국어 말", ["한국어", "말"]),
        ("\u0301 ' -- ,", []),
    ],
)
def test_words_are_runs_of_letters_marks_digits_and_inner_apostrophes(
    text: str, words: list[str]
) -> None:
    # Every character is a token here, hence a word where words stand without spaces.
    assert [word.text for word in align(text, characters(text))] == words


@pytest.mark.parametrize("trim", [True, False])
def test_byte_level_tokens_are_aligned_by_characters(trim: bool) -> None:
    tokenizer = byte_level(["Ġ d", "Ġd o", "Ġdo g"], trim=trim)
    assert words_of(tokenizer, "a dog dogs. é") == [
        ("a", 0, 1),
        ("dog", 1, 2),
        ("dogs", 2, 4),
        ("é", 6, 8),
    ]


def test_bytes_of_one_character_stay_together_in_scripts_without_spaces() -> None:
    tokenizer = byte_level(["æ Ī", "æĪ ĳ"])  # 我 is one token, 们 and 。 are three bytes each
    assert words_of(tokenizer, "我们。我") == [("我", 0, 1), ("们", 1, 4), ("我", 7, 8)]


def test_sentencepiece_tokens_are_words_in_thai_and_japanese_and_parts_of_words_elsewhere() -> None:
    pieces = ["▁", "▁hel", "lo", ",", "สวัสดี", "▁สวัสดี", "ชาว", "โลก", "日本", "▁日本", "語", "。"]
    tokenizer = sentencepiece(pieces)
    assert words_of(tokenizer, "hello, lo") == [("hello", 0, 2), ("lo", 4, 5)]
    thai = words_of(tokenizer, "สวัสดีชาวโลก")
    assert [word for word, *_ in thai] == ["สวัสดี", "ชาว", "โลก"]
    assert [word for word, *_ in words_of(tokenizer, "日本語。日本")] == ["日本", "語", "日本"]


def test_a_token_with_letters_of_two_words_spoils_both() -> None:
    assert [w.text for w in align("of the day", [(0, 6), (6, 10)])] == ["day"]
    assert [w.text for w in align("日A本語", [(0, 2), (2, 3), (3, 4)])] == ["本", "語"]
    assert align("end.", [(0, 4)])[0].text == "end"


def draw(tokenizer: PreTrainedTokenizerFast, frame: pd.DataFrame, **options: int) -> pd.DataFrame:
    settings = {"per_language": 10**6, "cap": 10**6, "seed": 0, **options}
    exclude = settings.pop("exclude", None)
    found = tokenize(tokenizer, frame, exclude_ids=[] if exclude is None else [exclude])
    return draw_words(tokenizer, found, frame, **settings)


def test_positions_count_special_tokens_and_words_lose_excluded_and_unknown_tokens(
    tiny: SimpleNamespace,
) -> None:
    tokenizer = tiny.tokenizer()
    frame = table("w0 </s> w1 unheard W2", "w1 w3")
    found = draw(tokenizer, frame, exclude=4)
    assert list(found) == ["example", "position", "stop", "word", "lang"]
    assert found[["example", "position", "stop", "word"]].to_numpy().tolist() == [
        [0, 3, 4, "w1"],
        [1, 1, 2, "w1"],
        [1, 2, 3, "w3"],
    ]
    for bos in ("always", "never"):
        for template in (True, False):
            tokenizer = tiny.tokenizer(bos=template)
            ids = tokenize(tokenizer, frame, bos=bos)
            drawn = draw_words(tokenizer, ids, frame, per_language=99, cap=9, seed=0)
            own = ids.ids[ids.offsets[drawn["example"]] + drawn["position"]]
            assert tokenizer.convert_ids_to_tokens(own.tolist()) == list(drawn["word"])


def test_types_are_capped_and_words_drawn_with_the_seed_evenly_over_languages(
    tiny: SimpleNamespace,
) -> None:
    frame = pd.concat(
        [table(*["w0 w0 w0 w1"] * 50), table(*["w2 w3 w4"] * 30, lang="bbb_Latn")],
        ignore_index=True,
    )
    tokenizer = tiny.tokenizer()
    capped = draw(tokenizer, frame, cap=15)
    assert capped.groupby(["lang", "word"]).size().tolist() == [15] * 5
    drawn = draw(tokenizer, frame, cap=15, per_language=20)
    assert drawn["lang"].value_counts().to_dict() == {"aaa_Latn": 20, "bbb_Latn": 20}
    assert drawn["example"].is_monotonic_increasing
    assert not drawn.duplicated(["example", "position"]).any()
    pd.testing.assert_frame_equal(drawn, draw(tokenizer, frame, cap=15, per_language=20))
    other = draw(tokenizer, frame, cap=15, per_language=20, seed=1)
    assert not drawn["example"].equals(other["example"])


def test_the_cap_draws_from_all_sentences_and_the_draw_prefers_no_type(
    tiny: SimpleNamespace,
) -> None:
    tokenizer = tiny.tokenizer()
    frame = table(*["w0 w0 w0 w0 w0 w0 w0 w0 w0 w1"] * 40)
    drawn = [draw(tokenizer, frame, cap=15, per_language=10, seed=seed) for seed in range(60)]
    share = np.mean([(one["word"] == "w0").mean() for one in drawn])
    assert abs(share - 0.5) < 0.1  # half of the 30 that are left, though nine in ten of the text
    assert np.mean([one["example"].mean() for one in drawn]) == pytest.approx(19.5, abs=2)


def test_a_language_without_words_and_a_slow_tokenizer_are_refused(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = Tokenizer(models.WordLevel({"a-b": 0, "c": 1, "?": 2}, "?"))
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(" "), "removed")
    whole = PreTrainedTokenizerFast(tokenizer_object=raw)
    frame = pd.concat([table("c"), table("a-b a-b", lang="bbb_Latn")], ignore_index=True)
    with pytest.raises(ValueError, match="bbb_Latn: got no word of content tokens alone"):
        draw(whole, frame)
    tokenizer = tiny.tokenizer()
    found = tokenize(tokenizer, table("w0"))
    slow: Callable[[object], bool] = lambda _: False  # noqa: E731
    monkeypatch.setattr(type(tokenizer), "is_fast", property(slow))
    with pytest.raises(ValueError, match="got a slow tokenizer; words are found by offsets"):
        draw_words(tokenizer, found, table("w0"), per_language=1, cap=1, seed=0)
