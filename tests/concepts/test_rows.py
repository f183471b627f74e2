"""Rows of a set's own file: a broken header or row is named by file and line."""

import json

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet, set_file

HEADER = {"name": "t", "languages": ["en", "deu_Latn"]}
ROWS = [
    {"group": f"g{n}", "lang": lang, "text": f"{lang} {n}", "concept": "ab"[n]}
    for n in range(2)
    for lang in ("en", "de")
]


def read(folder, header, body=ROWS) -> ConceptSet:
    path = folder / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [header, *body]), encoding="utf-8")
    found, table = set_file.read(path)
    return ConceptSet.from_frame(table, header=found)


def test_codes_of_header_and_rows_become_flores_style(tmp_path):
    assert read(tmp_path, HEADER).languages == ["eng_Latn", "deu_Latn"]


def test_every_row_knows_its_line(tmp_path):
    read(tmp_path, HEADER)
    assert set_file.read(tmp_path / "t.jsonl")[1]["origin"].tolist() == [
        f"t.jsonl: line {n}" for n in (2, 3, 4, 5)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"languages": ["en", ["de"]]}, "got languages ['en', ['de']]; expected a list of codes"),
        ({"languages": ["en", None]}, "got languages ['en', None]; expected a list of codes"),
        ({"languages": ["en", " "]}, "got languages ['en', ' ']; expected a list of codes"),
        ({"languages": ["en", "de", "en"]}, "got languages ['en', 'de', 'en']; expected each once"),
        ({"languages": "en"}, "expected a header with name and a list of languages"),
        ({"name": ["t"]}, "got name ['t']; expected a str"),
        ({"parallel": "false"}, "got parallel 'false'; expected a bool"),
    ],
)
def test_a_broken_header_is_refused_at_line_one(tmp_path, change, message):
    with pytest.raises(ValueError, match="^t.jsonl: line 1: ") as error:
        read(tmp_path, HEADER | change)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"note": 1}, "got unknown field 'note'; valid are group, lang, text, concept"),
        ({"text": 5}, "got text 5; expected a string"),
        ({"group": True}, "got group True; expected a string"),
        ({"concept": 5}, "got concept 5; expected a name or a list of names"),
        ({"concept": ["a", None]}, "got concept ['a', None]; expected a name or a list"),
        ({"lexical": "maybe"}, "got lexical 'maybe'; valid are true, 1, yes, false, 0, no"),
        ({"cognate": 2}, "got cognate 2; valid are true"),
        ({"negative_for": {"a": 1}}, "got negative_for {'a': 1}; expected a name or a list"),
        ({"lang": "zzz_Latn"}, "got rows in zzz_Latn; the header names en, deu_Latn"),
    ],
)
def test_a_broken_row_is_refused_with_its_line(tmp_path, change, message):
    with pytest.raises(ValueError, match="^t.jsonl: line 4: ") as error:
        read(tmp_path, HEADER, [*ROWS[:2], ROWS[2] | change, ROWS[3]])
    assert message in str(error.value)


def test_numbers_may_name_groups(tmp_path):
    body = [row | {"group": int(row["group"][1:])} for row in ROWS]
    assert read(tmp_path, HEADER, body).frame["group"].tolist() == ["0", "0", "1", "1"]


def test_faults_of_the_whole_set_name_its_file(tmp_path):
    with pytest.raises(ValueError, match=r"^t.jsonl: got no row in language fra_Latn; expected"):
        read(tmp_path, HEADER | {"languages": ["en", "deu_Latn", "fra_Latn"]})
    with pytest.raises(ValueError, match=r"^t.jsonl: line 2: got group 'g0' without deu_Latn \(3"):
        read(tmp_path, HEADER | {"parallel": True}, [*ROWS[::2], ROWS[1] | {"group": "g5"}])


@pytest.mark.parametrize("column", ["concepts", "negative_for"])
def test_translations_that_carry_other_concepts_are_refused(tmp_path, column):
    body = [row | {"negative_for": "ba"[row["concept"] == "b"]} for row in ROWS]
    body = [{**row, "concepts": row["concept"]} for row in body]
    body = [{key: value for key, value in row.items() if key != "concept"} for row in body]
    torn = [*body[:3], body[3] | {column: ""}]
    said = rf"^t.jsonl: line 5: got {column} none in deu_Latn for group 'g1', but {column} \w in "
    said += r"eng_Latn \(t.jsonl: line 4; 1 such groups\); expected the same in every language, or"
    with pytest.raises(ValueError, match=said):
        read(tmp_path, HEADER, torn)
    assert read(tmp_path, HEADER, body).concepts == ["a", "b"]


def test_translations_need_not_agree_where_a_set_is_not_parallel(tmp_path):
    more = [{"group": "g9", "lang": lang, "text": lang, "concept": "a"} for lang in ("en", "de")]
    torn = [*ROWS, more[0], more[1] | {"concept": ""}]
    assert len(read(tmp_path, HEADER | {"parallel": False}, torn)) == 6
    with pytest.raises(ValueError, match="line 7: got concepts none in deu_Latn"):
        read(tmp_path, HEADER, torn)


def test_of_three_translations_the_one_that_stands_alone_is_named(tmp_path):
    body = [*ROWS, *({**ROWS[n], "lang": "fr", "text": f"fr {n}"} for n in (0, 2))]
    body[0] = body[0] | {"concept": "a|b|c"}
    with pytest.raises(ValueError, match="line 2: got concepts a, b, c in eng_Latn for group 'g0'"):
        read(tmp_path, HEADER | {"languages": ["en", "de", "fr"]}, body)


def test_faults_of_a_frame_name_the_row_and_how_many_there_are():
    frame = pd.DataFrame(ROWS)
    with pytest.raises(ValueError, match="^row 2: got an empty sentence for group 'g1', eng_Latn"):
        ConceptSet.from_frame(frame.assign(text=["a", "b", " ", "d"]))
    many = [ROWS[0] | {"group": f"x{n}"} for n in range(151)]
    with pytest.raises(ValueError, match=r"^row 4: .* text \(first at row 0\) \(151 such rows\)$"):
        ConceptSet.from_frame(pd.DataFrame([*ROWS, *many]))
    with pytest.raises(ValueError, match=r"\(first at row 0\) \(3 such rows\)$"):
        ConceptSet.from_frame(pd.DataFrame([*ROWS, *ROWS[:1] * 3]))
    with pytest.raises(
        ValueError, match=r"^row 2: got group 'g1' without .* or parallel=False \(C"
    ):
        ConceptSet.from_frame(frame[:3])
    assert "origin" not in ConceptSet.from_frame(frame).frame


def test_what_a_hole_is_told_to_do_works(tmp_path):
    path = tmp_path / "x.csv"
    pd.DataFrame([*ROWS, ROWS[0] | {"group": "g9", "text": "alone"}]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"ConceptSet.from_table\(path, parallel=False\).to_jsonl"):
        ConceptSet.load(path)
    written = ConceptSet.from_table(path, parallel=False).to_jsonl(tmp_path / "y.jsonl")
    assert len(ConceptSet.load(written)) == 5
