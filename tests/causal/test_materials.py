"""Frames and words: what stands for a concept, what stands for none, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.causal.materials import Materials
from neurotrace.causal.next_tokens import complete, first_tokens
from neurotrace.causal.words import listed_words, openings, typical_words, words_of
from neurotrace.concepts import ConceptSet, Lexicon
from neurotrace.concepts.shipped import locate
from neurotrace.lab.tokenizer import byte_level, word_level

WORDS = {
    ("cold", "eng_Latn"): ["ice", "frost"],
    ("cold", "deu_Latn"): ["eis", "kälte"],
    ("rain", "eng_Latn"): ["rain", "drop"],
    ("rain", "deu_Latn"): ["regen"],
}
FRAMES = {"eng_Latn": ["we see", "now"], "deu_Latn": ["wir sehen"]}
SPOKEN = [*(word for own in WORDS.values() for word in own), "we", "see", "now", "wir", "sehen"]


@pytest.fixture(scope="module")
def whole_words():
    return word_level(SPOKEN)


def made(words, tokenizer, **changes):
    return Materials.from_words(words, FRAMES, tokenizer=tokenizer, **changes)


def test_lists_become_ids_with_a_start_token_in_front_of_every_frame(whole_words):
    materials = made(WORDS, whole_words)
    id_of = whole_words.convert_tokens_to_ids
    assert materials.concepts == ("cold", "rain")
    assert materials.languages == ("eng_Latn", "deu_Latn")
    assert materials.words["cold", "deu_Latn"].tolist() == id_of(["eis", "kälte"])
    assert materials.frames["eng_Latn"] == [id_of(["<bos>", "we", "see"]), id_of(["<bos>", "now"])]
    assert materials.left_out == ()
    other = made(WORDS, whole_words, start=2)
    assert [frame[0] for frame in other.frames["deu_Latn"]] == [2]


def test_a_token_of_two_concepts_or_languages_stands_for_none(whole_words):
    shared = WORDS | {
        ("rain", "deu_Latn"): ["regen", "drop"],
        ("rain", "eng_Latn"): ["rain", "ice", "drop"],
    }
    materials = made(shared, whole_words)
    id_of = whole_words.convert_tokens_to_ids
    assert materials.words["rain", "deu_Latn"].tolist() == [id_of("regen")]
    assert materials.words["rain", "eng_Latn"].tolist() == [id_of("rain")]
    assert materials.words["cold", "eng_Latn"].tolist() == [id_of("frost")]


def test_what_has_no_word_or_frame_is_left_out_by_name(whole_words):
    more = WORDS | {("fog", "eng_Latn"): ["fog"], ("cold", "fra_Latn"): ["eis"]}
    materials = made(more, whole_words)
    assert materials.languages == ("eng_Latn", "deu_Latn")
    assert materials.concepts == ("cold", "rain")
    assert materials.left_out == (
        "fra_Latn: no frame",
        "fog: no word of its own in eng_Latn, deu_Latn",
    )
    with pytest.raises(ValueError, match="got words of 1 concepts in 2 languages; .* fog: no word"):
        made({cell: own for cell, own in more.items() if cell[0] != "rain"}, whole_words)


def test_the_language_or_concept_that_lacks_most_goes_first():
    one = np.array([1])
    ids = {(c, lang): one for c in "abcd" for lang in ("x", "y", "z")}
    for gap in (("a", "z"), ("b", "z"), ("c", "y")):
        ids[gap] = one[:0]
    concepts, languages, gone = complete(ids, list("abcd"), ["x", "y", "z"])
    assert languages == ["x", "y"]
    assert concepts == ["a", "b", "d"]
    assert gone == ["z: no word of its own for a, b", "c: no word of its own in y"]


def test_the_judge_counts_the_words_given(whole_words):
    counts, content = made(WORDS, whole_words).word_forms.counts(
        ["Ice and frost, rain", "regen"], ["eng_Latn", "deu_Latn"]
    )
    assert counts[0].tolist() == [[2, 0], [1, 0]]
    assert counts[1].tolist() == [[0, 0], [0, 1]]
    assert content.tolist() == [[3, 0], [0, 1]]


def test_a_word_is_its_first_token_as_it_stands_after_a_frame():
    tokenizer = byte_level(
        ["we see the ice on the lake", "we see rain", "ice ice"] * 4, vocab_size=290
    )
    first = first_tokens(tokenizer, ["ice"], lang="eng_Latn", frames=["we see"])
    with_blank = tokenizer("we see ice", add_special_tokens=False)["input_ids"]
    without = tokenizer("we see", add_special_tokens=False)["input_ids"]
    assert first == {"ice": with_blank[len(without)]}
    joined = first_tokens(tokenizer, ["冰"], lang="zho_Hans", frames=["我"])
    assert joined == {"冰": tokenizer("冰", add_special_tokens=False)["input_ids"][0]}


def test_openings_are_those_of_most_concepts():
    texts = [
        "We saw ice",
        "We saw rain",
        "We saw ice",
        "The ice froze",
        "The rain fell",
        "The ice broke",
    ]
    about = [("cold",), ("rain",), ("cold",), ("cold",), ("rain",), ("cold",)]
    assert openings(texts, about, "eng_Latn", n=5) == ["We saw"]
    apart = ["We saw ice", "We heard rain", "Then came ice"]
    assert openings(apart, [("cold",), ("rain",), ("cold",)], "eng_Latn", n=5) == ["We"]
    assert openings(["我们看冰", "我们看雨"], [("cold",), ("rain",)], "zho_Hans", n=5) == ["我们"]
    assert openings(["Ice", "Rain"], [("cold",), ("rain",)], "eng_Latn", n=5) == []


def test_planted_words_are_found_and_evenly_spread_ones_are_not():
    rng = np.random.default_rng(0)
    filler = [f"w{chr(97 + i)}{chr(97 + j)}" for i in range(10) for j in range(8)]
    own = [" ".join([*rng.choice(filler, 7), "Frost" if i % 3 else "ice"]) for i in range(30)]
    others = [" ".join(rng.choice(filler, 8)) for _ in range(90)]
    assert set(typical_words(own, others, "eng_Latn", n=8)) == {"Frost", "ice"}
    assert typical_words(own[:0], others, "eng_Latn", n=8) == []
    assert words_of("下雨了", "zho_Hans") == ["下雨", "雨了"]


def test_a_lexicons_wildcards_give_the_words_that_texts_hold():
    lexicon = Lexicon({"cold": {"eng_Latn": ("frost*", "ice"), "zho_Hans": ("*冰*", "霜")}})
    texts = ["Frosty frost, frosty nights", "frosting"]
    listed = listed_words(lexicon, "cold", "eng_Latn", texts)
    assert set(listed) == {"Frosty", "frost", "frosty", "frosting", "ice"}
    assert listed_words(lexicon, "cold", "zho_Hans", ["霜霜冰", "冰"]) == ["冰", "霜"]


NAMED = {"cold": ("ice", "eis"), "rain": ("rain", "regen"), "dog": ("dog", "hund"),
         "sea": ("sea", "meer")}  # fmt: skip


def sentences() -> ConceptSet:
    """Four concepts of 24 groups; every sentence opens alike and ends in a word of its own."""
    rows = [
        (f"{concept}{group}", lang, f"{opening} {word} {lang[0]}{concept}{group}", concept)
        for concept, words in NAMED.items()
        for group in range(24)
        for lang, word, opening in zip(
            ("eng_Latn", "deu_Latn"), words, ("We saw", "Wir sahen"), strict=True
        )
    ]
    frame = pd.DataFrame(rows, columns=["group", "lang", "text", "concept"])
    return ConceptSet.from_frame(frame.assign(lexical=True, cognate=False))


def test_a_set_without_a_lexicon_gives_frames_and_its_own_words():
    found = sentences()
    tokenizer = word_level(sorted({word for text in found.frame["text"] for word in text.split()}))
    materials = Materials.from_set(found, tokenizer)
    said = {
        cell: tokenizer.convert_ids_to_tokens(ids.tolist()) for cell, ids in materials.words.items()
    }
    assert said["cold", "eng_Latn"] == ["ice"]
    assert said["rain", "deu_Latn"] == ["regen"]
    opened = tokenizer.convert_ids_to_tokens(materials.frames["deu_Latn"][0])
    assert opened == ["<bos>", "Wir", "sahen"]


def test_half_b_is_never_read():
    found = sentences()
    half = found.halves(1, seed=0)[0]
    tokenizer = word_level(
        sorted({word for text in found.frame["text"] for word in text.split()} | {"hail"})
    )
    frame = found.frame.copy()
    frame.loc[~half, "text"] = frame.loc[~half, "text"] + " hail"
    other = ConceptSet(frame, found.header)
    a, b = (Materials.from_set(own, tokenizer, in_a=half) for own in (found, other))
    assert a.frames == b.frames
    assert {cell: ids.tolist() for cell, ids in a.words.items()} == {
        cell: ids.tolist() for cell, ids in b.words.items()
    }


def test_the_everyday_set_gives_words_that_tell_and_neutral_frames():
    found = ConceptSet.load("everyday").select(languages=["eng_Latn", "deu_Latn", "fin_Latn"])
    lexicon = Lexicon.of(locate("everyday"))
    tokenizer = byte_level(found.frame["text"].tolist(), vocab_size=3000)
    materials = Materials.from_set(found, tokenizer, lexicon=lexicon)
    assert set(materials.languages) == {"eng_Latn", "deu_Latn", "fin_Latn"}
    assert len(materials.concepts) >= 9
    assert len(materials.concepts) + len(materials.left_out) == len(found.concepts)
    dogs = [tokenizer.decode([one]) for one in materials.words["dog", "deu_Latn"]]
    assert " Hund" in dogs
    for lang in materials.languages:
        assert len(materials.frames[lang]) >= 4
        for frame in materials.frames[lang]:
            text = tokenizer.decode(frame[1:])
            assert not any(lexicon.occurs(concept, lang, text) for concept in found.concepts)
