"""A lexicon finds whole words in any script, and refuses bad files by file and line."""

import pytest

from neurotrace.concepts.lexicon import Lexicon


def holds(form: str, lang: str, text: str) -> bool:
    return Lexicon({"c": {lang: (form,)}}).occurs("c", lang, text) == [form]


@pytest.mark.parametrize(
    ("form", "lang", "text"),
    [
        ("rain", "eng_Latn", "Rain, again."),
        ("dog", "eng_Latn", "The dog's bone"),
        ("rain*", "eng_Latn", "A rainbow stood there"),
        ("*haus", "deu_Latn", "Das SCHULHAUS brennt"),
        ("ge*t", "deu_Latn", "Es hat geregnet."),
        ("straße", "deu_Latn", "DIE STRASSE"),
        ("école", "fra_Latn", "L'e\N{COMBINING ACUTE ACCENT}cole"),
        ("дожд*", "rus_Cyrl", "Под дождём"),
        ("ύπνος", "ell_Grek", "Ο ΎΠΝΟΣ του"),
        ("مطر", "arb_Arab", "نزل مطر غزير"),
        ("*مطر", "arb_Arab", "بعد المطر"),
        ("बारिश", "hin_Deva", "कल बारिश हुई।"),
        ("नदि*", "hin_Deva", "नदियों का पानी"),
        ("学校", "zho_Hans", "他在学校里。"),
        ("ねむ*", "jpn_Jpan", "とてもねむい。"),
        ("ฝน", "tha_Thai", "เมื่อวานฝนตก"),
        ("go to bed", "eng_Latn", "They go  to\tbed late"),
        ("dog", "en", "A dog."),
    ],
)
def test_a_form_is_found(form, lang, text):
    assert holds(form, lang, text)


@pytest.mark.parametrize(
    ("form", "lang", "text"),
    [
        ("rain", "eng_Latn", "A train in training"),
        ("rain*", "eng_Latn", "the train"),
        ("*haus", "deu_Latn", "die Hausaufgabe"),
        ("नद", "hin_Deva", "नदी गहरी है"),  # a vowel sign is part of the word
        ("مطر", "arb_Arab", "مطرُ الليل"),  # and so is a vowel point
        ("می", "pes_Arab", "می\N{ZERO WIDTH NON-JOINER}خوابم"),  # the joiner stands inside
        ("c.t", "eng_Latn", "the cat"),
        ("学校", "zho_Hans", "他学习。"),
    ],
)
def test_what_only_looks_alike_is_not_found(form, lang, text):
    assert not holds(form, lang, text)


def test_forms_are_told_in_the_order_of_the_lexicon():
    lexicon = Lexicon({"rain": {"eng_Latn": ("rained", "rain", "rains")}})
    assert lexicon.occurs("rain", "eng_Latn", "It rains; the rain is warm.") == ["rain", "rains"]


def test_a_concept_without_forms_in_a_language_is_refused():
    lexicon = Lexicon({"rain": {"eng_Latn": ("rain",)}})
    assert not lexicon.covers("rain", "deu_Latn")
    with pytest.raises(ValueError, match="got 'rain' in deu_Latn, for which the lexicon has no"):
        lexicon.occurs("rain", "deu_Latn", "Regen")


def written(tmp_path, text: str, encoding: str = "utf-8"):
    path = tmp_path / "mine.lexicon.tsv"
    path.write_bytes(text.encode(encoding))
    return path


HEAD = "concept\tlang\tforms\n"


def test_a_file_is_read_with_codes_as_the_set_has_them(tmp_path):
    text = f"\ufeff{HEAD}rain\tde\tRegen, regne*\r\n\nrain\telvish\tross\n"
    lexicon = Lexicon.read(written(tmp_path, text))
    assert lexicon.forms == {"rain": {"deu_Latn": ("Regen", "regne*"), "elvish": ("ross",)}}
    assert lexicon.occurs("rain", "deu_Latn", "Es regnete.") == ["regne*"]


def test_the_file_beside_a_set_is_found_by_its_name(tmp_path):
    written(tmp_path, f"{HEAD}rain\tde\tRegen\n")
    assert Lexicon.of(tmp_path / "mine.jsonl") == Lexicon({"rain": {"deu_Latn": ("Regen",)}})
    assert Lexicon.of(tmp_path / "other.jsonl") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rain\tde\tRegen\n", "line 1: got rain, de, Regen; expected concept, lang, forms"),
        (f"{HEAD}rain\tRegen\n", "line 2: got 2 columns; expected concept, lang, forms"),
        (f"{HEAD}rain\t\tRegen\n", "line 2: got an empty cell"),
        (f"{HEAD}\nrain\tde\t , *\n", "line 3: got no form for rain in de"),
        (f"{HEAD}rain\tde\tRegen\nrain\tdeu\tNiesel\n", "line 3: got rain in deu_Latn a second"),
        (f"{HEAD}rain\tzho_Hans\t雨、水\n", "line 2: got '雨、水'; expected forms parted by ','"),
        (HEAD, "mine.lexicon.tsv: got no forms"),
        ("", "mine.lexicon.tsv: got no forms"),
        (f"{HEAD}rain\tde\tRe\0gen\n", "line 2: got a NUL byte"),
        (f"{HEAD}rain\tde\tRe\ufffdgen\n", "line 2: got U+FFFD, what a wrong decoding leaves"),
    ],
)
def test_a_bad_file_is_refused_by_file_and_line(tmp_path, text, message):
    with pytest.raises(ValueError, match="^mine.lexicon.tsv: ") as error:
        Lexicon.read(written(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_not_utf8_are_refused_by_line(tmp_path):
    path = written(tmp_path, f"{HEAD}rain\tes\tlluvia\nbread\tfr\tp\xe2t\xe9\n", "latin-1")
    with pytest.raises(ValueError, match="got bytes that are not UTF-8 at offset .*, line 3"):
        Lexicon.read(path)


def test_a_lexicon_that_is_not_there_is_told_in_one_line(tmp_path):
    for path in (tmp_path / "none.tsv", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"^got .*; expected a file$"):
            Lexicon.read(path)
