"""ConceptSet: what it says of its rows, and every bad file in one clear line."""

import json

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet

LANGS = ["qaa_Latn", "qab_Cyrl"]


def long_form(n_groups: int = 4) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"group": f"g{i}", "lang": lang, "text": f"{lang} says {i}", "concept": "ab"[i % 2]}
            for i in range(n_groups)
            for lang in LANGS
        ]
    )


def write(path, rows, header=None):
    head = header or {"name": "t", "languages": LANGS}
    path.write_text("\n".join(json.dumps(row) for row in [head, *rows]), encoding="utf-8")
    return path


def test_labels_are_one_where_a_sentence_carries_the_concept():
    concepts = ConceptSet.from_frame(long_form())
    assert concepts.concepts == ["a", "b"]
    assert concepts.labels().T.tolist() == [[1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0, 1, 1]]


def test_long_form_folds_to_one_row_a_sentence():
    df = long_form()
    both = pd.concat([df, df.assign(concept="c")[:2]])
    folded = ConceptSet.from_frame(both)
    assert len(folded) == len(df)
    assert folded.frame["concepts"][0] == ("a", "c")


def test_a_file_gives_back_the_same_set(tmp_path):
    concepts = ConceptSet.from_frame(long_form(), name="word")
    again = ConceptSet.load(concepts.to_jsonl(tmp_path / "set.jsonl"))
    assert (again.digest, again.name, again.languages) == (concepts.digest, "word", LANGS)
    pd.testing.assert_frame_equal(again.frame, concepts.frame)


def test_the_digest_sees_every_letter_and_not_the_header():
    df = long_form()
    one = ConceptSet.from_frame(df, name="x").digest
    assert ConceptSet.from_frame(df, name="y").digest == one
    df.loc[0, "text"] += "!"
    assert ConceptSet.from_frame(df).digest != one


def test_negative_for_leaves_the_rest_unjudged():
    df = long_form().assign(negative_for=[["b"], ["b"], ["a"], ["a"], [], [], [], []])
    labels = ConceptSet.from_frame(df).labels()
    assert labels[:, 0].tolist() == [1, 1, 0, 0, 1, 1, -1, -1]


def test_select_keeps_other_sentences_as_negatives():
    concepts = ConceptSet.from_frame(long_form())
    some = concepts.select(languages=["qab_Cyrl"], concepts=["b"])
    twice = concepts.select(languages=["qab_Cyrl", "qab_Cyrl"])
    assert twice.languages == ["qab_Cyrl"]
    assert (some.languages, some.concepts, len(some)) == (["qab_Cyrl"], ["b"], 4)
    assert some.labels()[:, 0].tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="got language fra_Latn; the set has qaa_Latn, qab_Cyrl"):
        concepts.select(languages=["fra_Latn"])
    with pytest.raises(ValueError, match="got concept z; the set has a, b"):
        concepts.select(concepts=["z"])


def test_halves_keep_groups_whole_and_concepts_even():
    concepts = ConceptSet.from_frame(long_form(12))
    in_a = concepts.halves(5)
    groups = concepts.frame["group"].to_numpy()
    for half in in_a:
        assert not set(groups[half]) & set(groups[~half])
        for concept in range(2):
            positive = concepts.labels()[:, concept] == 1
            assert abs(int(half[positive].sum()) - int((~half)[positive].sum())) <= len(LANGS)
    assert (in_a == concepts.halves(5)).all()
    assert not (in_a == concepts.halves(5, seed=1)).all()


def test_one_group_cannot_be_halved():
    df = pd.concat([long_form(), long_form(1).assign(group="z", concept="c", text=["x", "y"])])
    with pytest.raises(ValueError, match=r"got 1 group\(s\) for concept column 2"):
        ConceptSet.from_frame(df).halves()


ROWS = long_form().to_dict("records")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**ROWS[0], "text": "  "}, *ROWS[1:]], "got an empty sentence for group 'g0', qaa_Latn"),
        ([*ROWS, ROWS[3]], "got a duplicate row: qab_Cyrl group 'g1' 'qab_Cyrl says 1'"),
        ([], "got a header and no sentence"),
        ([*ROWS, ROWS[3] | {"text": "other"}], "group 'g1' 'other' stands twice"),
        ([*ROWS, ROWS[3] | {"group": "g9"}], "stands twice with the same text"),
        (ROWS[:-1], "got group 'g3' without qab_Cyrl"),
        ([r for r in ROWS if r["lang"] == "qaa_Latn"], "got no row in language qab_Cyrl"),
        ([r | {"concept": "a"} for r in ROWS], "got no negatives for concept 'a' in qaa_Latn"),
        ([*ROWS, {"group": "g", "lang": "x", "text": "t", "concept": "a"}], "got rows in x"),
        ([*ROWS, {"group": "g", "lang": "x"}], "line 10: got fields group, lang; expected"),
        ([*ROWS, ROWS[0] | {"text": None}], "line 10: got fields group, lang, concept; expected"),
        ([*ROWS, "word"], "line 10: got 'word'; expected a JSON object"),
    ],
)
def test_a_bad_row_is_refused_by_name(tmp_path, rows, message):
    with pytest.raises(ValueError, match="bad.jsonl") as error:
        ConceptSet.load(write(tmp_path / "bad.jsonl", rows))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_other_line_separators_within_a_sentence_are_kept(tmp_path):
    df = long_form()
    df.loc[0, "text"] = "one\u2028two\u0085three"
    path = ConceptSet.from_frame(df).to_jsonl(tmp_path / "set.jsonl")
    assert ConceptSet.load(path).frame["text"][0] == "one\u2028two\u0085three"


def test_concept_and_concepts_may_stand_in_one_file(tmp_path):
    rows = [
        r | {"concept": None, "concepts": ["a", "c"]} if r["group"] == "g0" else r for r in ROWS
    ]
    rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
    assert ConceptSet.load(write(tmp_path / "x.jsonl", rows)).concepts == ["a", "b", "c"]


def test_bytes_that_are_not_utf8_are_refused(tmp_path):
    path = tmp_path / "latin1.jsonl"
    path.write_bytes('{"name": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="latin1.jsonl: got bytes that are not UTF-8 at offset"):
        ConceptSet.load(path)


def test_rows_without_a_header_are_a_table(tmp_path):
    table = ConceptSet.load(write(tmp_path / "x.jsonl", ROWS[1:], header=ROWS[0]))
    assert (table.name, table.languages) == ("x", LANGS)


def test_a_damaged_header_and_what_is_no_json_are_refused(tmp_path):
    with pytest.raises(ValueError, match="line 1: got unknown columns languages"):
        ConceptSet.load(write(tmp_path / "z.jsonl", ROWS, header={"languages": "qaa_Latn"}))
    (tmp_path / "y.jsonl").write_text("{broken")
    with pytest.raises(ValueError, match="line 1: not JSON"):
        ConceptSet.load(tmp_path / "y.jsonl")


def test_an_unknown_name_lists_every_place_looked_in():
    with pytest.raises(FileNotFoundError, match=r"looked in nowhere.*share.neurotrace.concepts"):
        ConceptSet.load("nowhere")


def test_a_set_that_is_not_parallel_may_have_holes():
    assert len(ConceptSet.from_frame(long_form(8)[:-1], parallel=False)) == 15
