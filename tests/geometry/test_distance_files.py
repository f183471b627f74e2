"""Distances of the user's own: read as they stand, refused by line and pair where they do not."""

import pytest

from neurotrace.geometry.distances import read_distances

HEADER = "lang_a\tlang_b\tkind\tvalue"
WHOLE = """eng_Latn\tfra_Latn\tsyntactic\t0.4569
fra_Latn\tdeu_Latn\tsyntactic\t0.5
deu_Latn\teng_Latn\tsyntactic\t0.42
eng_Latn\tfra_Latn\tgenetic\t0.9"""


def written(folder, rows, *, header=HEADER, name="mine.tsv"):
    file = folder / name
    file.write_text(f"{header}\n{rows}\n", encoding="utf-8")
    return file


def test_each_kind_becomes_a_symmetric_table(tmp_path):
    found = read_distances(written(tmp_path, WHOLE))
    assert set(found) == {"syntactic", "genetic"}
    assert found["syntactic"].loc["fra_Latn", "eng_Latn"] == 0.4569
    assert found["syntactic"].loc["eng_Latn", "deu_Latn"] == 0.42
    assert found["syntactic"].loc["deu_Latn", "deu_Latn"] == 0
    assert list(found["genetic"].index) == ["eng_Latn", "fra_Latn"]


def test_commas_a_bom_and_other_columns_make_no_difference(tmp_path):
    rows = "\n".join(f"{row},x" for row in WHOLE.replace("\t", ",").splitlines())
    header = "\ufeff" + HEADER.replace("\t", ",") + ",source"
    commas = read_distances(written(tmp_path, rows, header=header, name="mine.csv"))
    tabs = read_distances(written(tmp_path, WHOLE))
    assert all(commas[kind].equals(tabs[kind]) for kind in tabs)


def test_a_pair_may_stand_both_ways_if_they_agree(tmp_path):
    both = WHOLE + "\nfra_Latn\teng_Latn\tgenetic\t.90\neng_Latn\teng_Latn\tgenetic\t0"
    assert read_distances(written(tmp_path, both))["genetic"].iloc[0, 1] == 0.9


def test_only_the_languages_asked_for_need_every_pair(tmp_path):
    part = WHOLE.rsplit("\n", 1)[0] + "\neng_Latn\tjpn_Jpan\tsyntactic\t0.8"
    file = written(tmp_path, part)
    message = "mine.tsv: syntactic: got no finite distance of deu_Latn jpn_Jpan and 1 more"
    with pytest.raises(ValueError, match=message):
        read_distances(file)
    asked = ["fra_Latn", "eng_Latn", "deu_Latn"]
    found = read_distances(file, languages=asked)["syntactic"]
    assert list(found.columns) == asked
    with pytest.raises(ValueError, match="no finite distance of jpn_Jpan fra_Latn"):
        read_distances(file, languages=["eng_Latn", "jpn_Jpan", "fra_Latn"])
    with pytest.raises(ValueError, match="without a pair of the languages"):
        read_distances(file, languages=["kor_Hang", "tha_Thai"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("eng_Latn\tfra_Latn\tgenetic\t0.8", "line 6: got eng_Latn fra_Latn twice, as 0.8 and, in"),
        ("fra_Latn\teng_Latn\tgenetic\t0.8", "line 6: got fra_Latn eng_Latn in two directions"),
        ("eng_Latn\tkli_Latn\tgenetic\tNaN", "line 6: got value 'NaN'; expected a number"),
        ("eng_Latn\tdeu_Latn\tgenetic\t", "line 6: got value ''; expected a number"),
        ("eng_Latn\tdeu_Latn\tgenetic\t-1", "line 6: got value '-1'; expected a number of 0 or"),
        ("eng_Latn\tdeu_Latn\tgenetic\tinf", "line 6: got value 'inf'"),
        ("eng_Latn\tGerman\tgenetic\t0.5", "line 6: got unknown language 'German'; expected one"),
        ("eng_Latn\teng_Latn\tgenetic\t0.5", "line 6: got eng_Latn at 0.5 from itself; expected 0"),
        ("eng_Latn\tdeu_Latn\tgenetic", "line 6: expected one cell a column"),
        ("eng_Latn\tdeu_Latn\tgenetic\t1\t2", "line 6: expected one cell a column"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        read_distances(written(tmp_path, f"{WHOLE}\n{row}"))


def test_a_table_without_its_columns_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"mine.tsv without the columns kind, value; .* by tabs"):
        read_distances(written(tmp_path, "eng_Latn\tfra_Latn\t1", header="lang_a\tlang_b\tx"))
