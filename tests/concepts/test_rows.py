"""Rows of a set's own file: a broken header or row is named by file and line."""

import json

import pytest

from neurotrace.concepts import ConceptSet, rows

HEADER = {"name": "t", "languages": ["en", "deu_Latn"]}
ROWS = [
    {"group": f"g{n}", "lang": lang, "text": f"{lang} {n}", "concept": "ab"[n]}
    for n in range(2)
    for lang in ("en", "de")
]


def read(folder, header, body=ROWS) -> ConceptSet:
    path = folder / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [header, *body]), encoding="utf-8")
    found, table = rows.read(path)
    return ConceptSet.from_frame(table, header=found)


def test_codes_of_header_and_rows_become_flores_style(tmp_path):
    assert read(tmp_path, HEADER).languages == ["eng_Latn", "deu_Latn"]


def test_every_row_knows_its_line(tmp_path):
    read(tmp_path, HEADER)
    assert rows.read(tmp_path / "t.jsonl")[1]["origin"].tolist() == [
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
