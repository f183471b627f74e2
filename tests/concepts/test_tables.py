"""Tables with named columns are read as they stand, or refused with file and line."""

import json
from pathlib import Path

import pytest

from neurotrace.concepts import ConceptSet, tables

TSV = Path(__file__).parent / "formats" / "sentences.tsv"
HEAD = "group\tlang\ttext\tconcept"
BODY = [
    f"g{n}\t{lang}\t{lang} {word} {n}\t{word}"
    for n, word in enumerate(["dog", "rain", "dog", "rain"])
    for lang in ("en", "de")
]


def written(folder: Path, name: str, lines, encoding="utf-8") -> Path:
    path = folder / name
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def read(path: Path, columns=None) -> ConceptSet:
    header, table = tables.read_table(path, columns=columns)
    return ConceptSet.from_frame(table, header=header)


def test_a_table_of_ours_is_read():
    made = read(TSV)
    assert (made.name, len(made)) == ("sentences", 18)
    assert made.languages == ["eng_Latn", "deu_Latn", "rus_Cyrl"]
    assert made.frame["concepts"].iloc[[0, -1]].tolist() == [("dog",), ()]
    assert made.frame["lexical"].tolist() == [True, True, False] + [True] * 15


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path, end, mark):
    path = tmp_path / "x.tsv"
    path.write_bytes(mark + end.join([HEAD, *BODY, ""]).encode())
    made = read(path)
    assert made.frame["text"][0] == "en dog 0"
    assert made.digest == read(written(tmp_path, "y.tsv", [HEAD, *BODY])).digest


def test_tsv_csv_and_json_lines_say_the_same(tmp_path):
    cells = [line.split("\t") for line in BODY]
    objects = [json.dumps(dict(zip(HEAD.split("\t"), row, strict=True))) for row in cells]
    paths = [
        written(tmp_path, "a.tsv", [HEAD, *BODY]),
        written(tmp_path, "a.csv", [",".join(row) for row in [HEAD.split("\t"), *cells]]),
        written(tmp_path, "a.jsonl", objects),
    ]
    assert len({read(path).digest for path in paths}) == 1


def test_json_lines_with_a_header_are_a_set(tmp_path):
    path = read(TSV).to_jsonl(tmp_path / "set.jsonl")
    assert read(path).digest == read(TSV).digest


def test_quoted_cells_hold_delimiters_and_quotes(tmp_path):
    lines = ["group,lang,text,concept", 'g1,en,"""Sit, dog,"" she said.",dog', "g2,en,Rain.,rain"]
    assert read(written(tmp_path, "x.csv", lines)).frame["text"][0] == '"Sit, dog," she said.'


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"Hi" he said', '"Hi" he said'),
        ('"Hi', '"Hi'),
        ('He said "hi', 'He said "hi'),
        ('5" or 6"', '5" or 6"'),
        ('"Yes," she said, "we can."', '"Yes," she said, "we can."'),
        ('"He said ""yes""."', 'He said "yes".'),
        ('"one\ttwo"', "one\ttwo"),
        ('"', '"'),
    ],
)
def test_in_tsv_a_quote_is_text_unless_quotes_enclose_the_cell(tmp_path, cell, text):
    lines = [HEAD, f"g1\ten\t{cell}\tdog", "g2\ten\tRain.\train"]
    for name in ("x.tsv", "x.tab"):
        assert read(written(tmp_path, name, lines)).frame["text"][0] == text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['g,en,"open,dog'], "line 2: got quotes that do not balance"),
        (['g,en,"a" b,dog'], "line 2: got quotes that do not balance"),
        (['g,en,"one', 'two",dog'], "line 2: got quotes .* no line break inside a cell"),
        ([f"g,en,{'a' * 140_000},dog"], "line 2: got a cell above 131,072 characters"),
    ],
)
def test_csv_is_strict(tmp_path, lines, message):
    with pytest.raises(ValueError, match=f"^x.csv: {message}"):
        read(written(tmp_path, "x.csv", ["group,lang,text,concept", *lines]))


@pytest.mark.parametrize(("sign", "told"), [(";", "';'"), ("\t", "tabs")])
def test_a_csv_that_is_parted_otherwise_is_told(tmp_path, sign, told):
    lines = [line.replace("\t", sign) for line in (HEAD, *BODY)]
    with pytest.raises(
        ValueError, match=f"line 1: got one column 'group.*: the file is parted by {told}; save it "
    ):
        read(written(tmp_path, "x.csv", lines))


@pytest.mark.parametrize("cell", ["dog|wet dog", "dog; wet dog ;", "wet dog|dog|dog"])
def test_cells_of_several_concepts_are_split(tmp_path, cell):
    lines = ["group\tlang\ttext\tconcepts\tnegative_for", f"1\ten\ta\t{cell}\train"]
    lines += ["2\ten\tb\train\tdog;wet dog"]
    made = read(written(tmp_path, "x.tsv", lines))
    assert made.frame["concepts"].tolist() == [("dog", "wet dog"), ("rain",)]
    assert made.frame["negative_for"].tolist() == [("rain",), ("dog", "wet dog")]


@pytest.mark.parametrize(
    ("cell", "flag"),
    [("true", True), ("FALSE", False), ("1", True), ("0", False), ("Yes", True), ("no", False)],
)
def test_flags_are_words_or_digits(tmp_path, cell, flag):
    lines = [f"{HEAD}\tlexical\tcognate", *(f"{line}\t{cell}\t{cell}" for line in BODY)]
    frame = read(written(tmp_path, "x.tsv", lines)).frame
    assert set(frame["lexical"]) == set(frame["cognate"]) == {flag}


def test_columns_say_what_the_file_calls_ours_and_leave_out_the_rest(tmp_path):
    lines = ["id\tlanguage\ttext\tsentence\tconcept", *(
        "\t".join([row[0], row[1], "note", row[2], row[3]])
        for row in (line.split("\t") for line in BODY)
    )]  # fmt: skip
    path = written(tmp_path, "x.tsv", lines)
    made = read(path, columns={"group": "id", "lang": "language", "text": "sentence"})
    assert made.frame["text"][0] == "en dog 0"
    with pytest.raises(ValueError, match="x.tsv: line 1: got unknown columns id, language, sente"):
        read(path)
    with pytest.raises(ValueError, match="x.tsv: line 1: got columns .*; expected 'idd', for grou"):
        read(path, columns={"group": "idd"})
    with pytest.raises(ValueError, match="got columns for 'language'; valid are group, lang"):
        read(path, columns={"language": "lang"})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["group\tlang\ttext", "g\ten\tx"], "line 1: got columns group, lang, text; expected"),
        ([f"{HEAD}\tnote", *(f"{b}\t" for b in BODY)], "line 1: got unknown columns note; valid"),
        ([f"{HEAD}\ttext", *(f"{b}\t" for b in BODY)], "line 1: got column 'text' twice"),
        (
            [f"\t{HEAD}", *(f"1\t{b}" for b in BODY)],
            "line 1: got unknown columns an unnamed column",
        ),
        ([f"\t{HEAD}\t", *(f"1\t{b}\t" for b in BODY)], "line 1: got an unnamed column twice"),
        ([HEAD.title(), *BODY], "columns={'group': 'Group', 'lang': 'Lang', 'text': 'Text', 'conc"),
        ([HEAD.replace("\t", ","), *BODY], "is parted by ','; save it with tabs, or as .csv"),
        ([HEAD, *BODY[:3], "g9\ten\tx"], "line 5: got 3 cells; expected 4 (group, lang, text"),
        ([HEAD, *BODY[:3], "", "a\tb\tc\td\te"], "line 6: got 5 cells; expected 4"),
        ([HEAD, "g\ten\ta\rb\tdog"], "line 2: got a carriage return in a cell"),
        ([HEAD, *BODY, "g9\ten\tx\0y\tdog"], "line 10: got a NUL byte"),
        ([HEAD, *BODY, "g9\ten\tx\ufffdy\tdog"], "line 10: got U+FFFD"),
        ([HEAD, *BODY, "g9\ten\t  \tdog"], "line 10: got an empty sentence for group 'g9'"),
        ([HEAD, *BODY, "\ten\tx\tdog"], "line 10: got an empty group"),
        ([HEAD, *BODY, BODY[2]], "line 10: got a duplicate row: eng_Latn group 'g1'"),
        ([HEAD, *BODY, BODY[2]], "(first at x.tsv: line 4)"),
        ([HEAD, *BODY, "g1\tde\tother\tdog"], "same group and language (first at x.tsv: line 5)"),
        ([HEAD, *BODY, "g7\tklingonisch\tx\tdog"], "line 10: got 'klingonisch', no known lang"),
        ([HEAD, *BODY, "g7\ten\tx\tdog"], "line 10: got group 'g7' without deu_Latn"),
        ([f"{HEAD}\tlexical", f"{BODY[0]}\tmaybe"], "line 2: got lexical 'maybe'; valid are true"),
        ([HEAD], "got 1 lines; expected column names and rows"),
        ([], "got 0 lines"),
    ],
)
def test_a_broken_table_is_refused_with_file_and_line(tmp_path, lines, message):
    with pytest.raises(ValueError, match="^x.tsv: ") as error:
        read(written(tmp_path, "x.tsv", lines))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"group": "g", "lang": "en", "text": "x"}', "got columns group, lang, text; expected"),
        ('{"group": "g", "lang": "en", "text": null, "concept": "a"}', "got fields group, lang, c"),
        ('{"group": "g", "lang": "en", "text": ["x"], "concept": "a"}', "got text ['x']; expected"),
        ('{"group": "g", "lang": "en", "text": "\\ud800", "concept": "a"}', "half a surrogate"),
        ('{"group": "g", "group": "g"}', "not JSON (key 'group' stands twice)"),
        ('{"group": NaN}', "not JSON (NaN is no JSON number)"),
        ('{"group": ' + "9" * 5000 + "}", "not JSON (Exceeds the limit"),
        ("[" * 100_000, "got JSON nested too deep"),
        ('{"a": ' * 60 + "1" + "}" * 60, "got JSON nested too deep"),
        ('{"group": "g", "note": 1}', "got unknown columns note"),
        ('{"group": "g", "lang": "en", "text": "x", "concept": {"a": 1}}', "got concept {'a': 1}"),
        ("[1, 2]", "got [1, 2]; expected a JSON object"),
    ],
)
def test_a_broken_json_line_is_refused_with_file_and_line(tmp_path, line, message):
    good = '{"group": "1", "lang": "en", "text": "Dogs.", "concept": "dog"}'
    with pytest.raises(ValueError, match="^x.jsonl: line 3: ") as error:
        read(written(tmp_path, "x.jsonl", [good, "", line]))
    assert message in str(error.value)


def test_mixed_encodings_are_told_from_a_wrong_one(tmp_path):
    lines = [HEAD, "g\tde\tMüll\ta", "h\tde\tÖl\tb"]
    path = written(tmp_path, "x.tsv", lines, "latin-1")
    with pytest.raises(ValueError, match="x.tsv: got bytes .* offset 30, line 2; expected UTF-8"):
        read(path)
    path.write_bytes("\n".join(lines[:2]).encode() + b"\n" + lines[2].encode("latin-1"))
    with pytest.raises(ValueError, match="line 3, while line 2 is UTF-8: mixed encodings"):
        read(path)
    with pytest.raises(ValueError, match=r"line 1 \(UTF-16"):
        read(written(tmp_path, "y.tsv", lines, "utf-16"))


def test_other_endings_and_missing_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x.xlsx: got ending '.xlsx'; valid are .tsv, .tab, .csv"):
        read(written(tmp_path, "x.xlsx", [HEAD]))
    with pytest.raises(FileNotFoundError, match=r"nowhere.tsv; expected a file"):
        read(tmp_path / "nowhere.tsv")
