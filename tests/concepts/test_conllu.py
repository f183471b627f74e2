"""Treebanks that are parallel by sent_id: lemmas decide, and errors name file and line."""

import shutil
from pathlib import Path

import pytest

from neurotrace.concepts import ConceptSet, conllu

FORMATS = Path(__file__).parent / "formats"
LEMMAS = {"dog": ["dog"], "rain": ["rain"]}
OWN = {
    "dog": {"en": ["dog"], "de": ["Hund"]},
    "rain": {"eng_Latn": ["RAIN"], "deu_Latn": ["Regen", "regnen"]},
}


@pytest.fixture
def banks(tmp_path):
    return {
        lang: Path(shutil.copy(FORMATS / f"{lang}.conllu", tmp_path)) for lang in ("eng", "deu")
    }


def read(banks, lemmas=LEMMAS, pivot=None) -> ConceptSet:
    header, table = conllu.read_conllu(banks, lemmas=lemmas, pivot=pivot)
    return ConceptSet.from_frame(table, header=header)


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_sentences_of_one_id_are_one_group_whatever_their_order(banks):
    made = read(banks)
    assert made.languages == ["eng_Latn", "deu_Latn"]
    frame = made.frame.set_index(["group", "lang"])
    assert frame.loc[("a1", "deu_Latn"), "text"] == "Hunde bellten."
    assert frame.loc[("a2", "deu_Latn"), "concepts"] == ("rain",)
    assert frame["concepts"].map(len).groupby("group").sum().to_dict() == {
        "a1": 2, "a2": 2, "a3": 2, "a4": 2, "a5": 0,
    }  # fmt: skip


def test_lexical_is_true_to_each_language_s_own_lemmas(banks):
    frame = read(banks, OWN).frame
    assert frame[~frame["lexical"]][["group", "lang"]].to_numpy().tolist() == [["a3", "deu_Latn"]]
    assert read(banks).frame["lexical"].all()


def test_the_pivot_decides_what_a_group_carries(banks):
    frame = read(banks, OWN, pivot="de").frame
    assert frame[frame["group"] == "a3"]["concepts"].tolist() == [(), ()]


def test_empty_nodes_and_multiword_tokens_have_no_lemma(banks):
    with pytest.raises(ValueError, match="eng.conllu: got no token with lemma fall; expected some"):
        read(banks, {"fall": ["fall"]})
    assert read(banks, LEMMAS | {"not": ["not"]}).concepts == ["dog", "not", "rain"]


TOKEN = "1\tIt\tit\tPRON\t_\t_\t0\troot\t_\t_"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# sent_id = a2\n", "", "line 8: got a sentence without # sent_id"),
        ("# sent_id = a2\n", "# sent_id =\n", "line 8: got a sentence without # sent_id"),
        ("# text = It rained.\n", "", "line 8: got a sentence without # text"),
        ("# text = It rained.\n", "# text = a\n# text = b\n", "line 10: got text twice in a sent"),
        ("sent_id = a2", "sent_id = a1", "line 8: got sent_id 'a1' again; it stands at line 2 too"),
        (
            "sent_id = a2",
            "sent_id = b2",
            "line 8: got sent_id 'b2', which deu.conllu lacks (1 such",
        ),
        (TOKEN, TOKEN[:-2], "line 10: got 9 columns parted by tabs; expected 10"),
        (TOKEN, TOKEN + "\t_", "line 10: got 11 columns"),
        (TOKEN, TOKEN.replace("\t", "  "), "line 10: got 1 columns"),
        (
            TOKEN,
            TOKEN.replace("PRON", ""),
            "line 10: got 10 columns parted by tabs; expected 10, no",
        ),
        (TOKEN, "it" + TOKEN, "line 10: got id 'it1' ("),
        (TOKEN, "9" * 5000 + TOKEN, "line 10: got id '9999"),
        (TOKEN, "_" + TOKEN[1:], "line 10: got id '_'"),
        (
            "\n# sent_id = a2",
            "# x\n\n\n# y\n\n# sent_id = a2",
            "line 10: got a sentence without # sen",
        ),
        (
            "# sent_id = a2",
            "# sent_id = a\n# text = b\n\n#",
            "line 8: got a sentence without tokens",
        ),
        ("barked.", "bar\0ked.", "line 3: got a NUL byte"),
    ],
)
def test_a_broken_treebank_is_refused_with_its_line(banks, old, new, message):
    changed(banks["eng"], old, new)
    with pytest.raises(ValueError, match="^eng.conllu: line") as error:
        read(banks)
    assert str(error.value).startswith(f"eng.conllu: {message}")
    assert "\n" not in str(error.value)


def test_a_sentence_that_another_language_has_alone_is_refused_there(banks):
    changed(banks["deu"], "sent_id = a5", "sent_id = a6")
    with pytest.raises(ValueError, match=r"^eng.conllu: line 31: got sent_id 'a5', which deu.conl"):
        read(banks)
    text = banks["eng"].read_text(encoding="utf-8")
    banks["eng"].write_text(text.split("# sent_id = a5")[0], encoding="utf-8")
    with pytest.raises(ValueError, match=r"^deu.conllu: line 28: got sent_id 'a6', which eng.conl"):
        read(banks)


def test_one_text_twice_is_refused_with_both_lines(banks):
    changed(banks["eng"], "# text = It rained.", "# text = Dogs barked.")
    with pytest.raises(
        ValueError, match=r"^eng.conllu: line 8: .*\(first at eng.conllu: line 2\)$"
    ):
        read(banks)


@pytest.mark.parametrize(
    ("lemmas", "pivot", "message"),
    [
        ({"dog": "dog"}, None, "got lemmas 'dog' of concept 'dog' in eng_Latn; expected a list of"),
        ({"dog": []}, None, "got lemmas [] of concept 'dog' in eng_Latn"),
        ({"dog": [1]}, None, "got lemmas [1] of concept 'dog'"),
        (
            {"dog": {"en": ["dog"]}},
            None,
            "got no lemmas of concept 'dog' in deu_Latn; expected som",
        ),
        ({"cat": ["cat"]}, None, "eng.conllu: got no token with lemma cat; expected some"),
        (LEMMAS, "fr", "got pivot fra_Latn, without a file; the paths are of eng_Latn, deu_Latn"),
        ({}, None, "got no concept at all"),
    ],
)
def test_lemmas_and_pivots_that_cannot_be_are_refused(banks, lemmas, pivot, message):
    with pytest.raises(ValueError, match="got ") as error:
        read(banks, lemmas, pivot)
    assert message in str(error.value)


def test_files_are_given_by_language(banks, tmp_path):
    with pytest.raises(ValueError, match="got languages en, eng; expected each once"):
        read({"en": banks["eng"], "eng": banks["deu"]})
    with pytest.raises(ValueError, match="expected a mapping from languages to files"):
        read([banks["eng"]])
    with pytest.raises(FileNotFoundError, match="none.conllu; expected a file"):
        read({"en": tmp_path / "none.conllu"})
    (tmp_path / "empty.conllu").write_text("\n\n")
    with pytest.raises(ValueError, match="^empty.conllu: got no sentence; expected CoNLL-U"):
        read({"en": tmp_path / "empty.conllu"})
