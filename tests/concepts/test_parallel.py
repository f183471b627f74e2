"""Folders of aligned lines: one file a language, and errors that name file and line."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from neurotrace.concepts import ConceptSet, parallel

ALIGNED = Path(__file__).parent / "formats" / "aligned"
NUMBERS = {"dog": [1, 3], "rain": [2, 4]}


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(ALIGNED, tmp_path / "aligned"))


def read(folder, concepts=NUMBERS, pivot=None) -> ConceptSet:
    header, table = parallel.read_parallel(folder, concepts=concepts, pivot=pivot)
    return ConceptSet.from_frame(table, header=header)


def test_line_n_of_every_language_is_one_group():
    made = read(ALIGNED)
    assert made.languages == ["deu_Latn", "eng_Latn", "rus_Cyrl"]
    assert made.frame["group"].nunique() == 6
    second = made.frame[made.frame["group"] == "2"]
    assert second["concepts"].tolist() == [("rain",)] * 3
    assert second["text"].tolist()[1] == "Rain fell on the old roof."
    assert made.labels()[made.frame["group"] == "6"].tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(
    ("concepts", "pivot"),
    [
        (ALIGNED / "concepts.tsv", None),
        (str(ALIGNED / "concepts.tsv"), "en"),
        ({"dog": ["Dog*"], "rain": ["rain", "snow"]}, "eng"),
        ({"dog": [1, 3], "rain": ["regne*", "Regen"]}, "de"),
        ({"dog": np.array([1, 3]), "rain": list(np.array([2, 4], dtype=np.int32))}, None),
        ({"dog": ["собака"], "rain": ["дожд*"]}, "rus_Cyrl"),
    ],
)
def test_line_numbers_tables_and_words_of_the_pivot_say_the_same(concepts, pivot):
    assert read(ALIGNED, concepts, pivot).digest == read(ALIGNED).digest


def test_files_may_lie_in_the_folder_itself_and_be_named_by_any_code(folder):
    digest = read(folder).digest
    (folder / "dev" / "deu_Latn.dev").rename(folder / "dev" / "de.dev")
    assert read(folder / "dev").digest == digest


def test_groups_sort_as_their_lines_do(folder):
    for file in (folder / "dev").iterdir():
        lines = file.read_text(encoding="utf-8").splitlines()
        more = [f"{file.stem} sentence {n}" for n in range(6)]
        file.write_text("\n".join([*lines, *more]), encoding="utf-8")
    groups = read(folder).frame["group"].drop_duplicates().tolist()
    assert groups == sorted(groups) == [f"{n:02d}" for n in range(1, 13)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda lines: lines[:-1],
            "deu_Latn.dev: line 6: got the end of the file; eng_Latn.dev has 6",
        ),
        (
            lambda lines: [*lines, "x"],
            "eng_Latn.dev: line 7: got the end of the file; deu_Latn.dev",
        ),
        (lambda lines: [lines[0], " ", *lines[2:]], "deu_Latn.dev: line 2: got an empty line"),
        (lambda lines: [*lines, ""], "deu_Latn.dev: line 7: got an empty line"),
        (lambda lines: [*lines[:5], lines[0]], "deu_Latn.dev: line 6: got a duplicate row"),
        (lambda _: [], "deu_Latn.dev: got an empty file"),
        (lambda lines: [*lines[:2], "a\0b", *lines[3:]], "deu_Latn.dev: line 3: got a NUL byte"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(folder, change, message):
    file = folder / "dev" / "deu_Latn.dev"
    lines = change(file.read_text(encoding="utf-8").splitlines())
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with pytest.raises(ValueError, match="_Latn.dev: ") as error:
        read(folder)
    assert str(error.value).startswith(message)


def test_the_first_of_two_equal_sentences_is_named(folder):
    file = folder / "dev" / "deu_Latn.dev"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*lines[:5], lines[0]]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"same text \(first at deu_Latn.dev: line 1\)$"):
        read(folder)


def test_bytes_of_another_encoding_are_refused_with_their_line(folder):
    text = (folder / "dev" / "deu_Latn.dev").read_text(encoding="utf-8")
    (folder / "dev" / "deu_Latn.dev").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"^deu_Latn.dev: got bytes .* line 5; expected UTF-8"):
        read(folder)


def test_two_splits_are_not_mixed(folder):
    shutil.copytree(folder / "dev", folder / "devtest")
    with pytest.raises(
        ValueError, match="aligned: got splits dev, devtest; expected the folder of"
    ):
        read(folder)
    shutil.copy(folder / "dev" / "eng_Latn.dev", folder / "dev" / "eng_Latn.devtest")
    with pytest.raises(ValueError, match=r"got splits \w+.dev and eng_Latn.devtest in one folder"):
        read(folder / "dev")


def test_files_that_are_no_language_or_one_twice_are_refused(folder):
    shutil.copy(folder / "dev" / "deu_Latn.dev", folder / "dev" / "de.dev")
    with pytest.raises(ValueError, match="deu_Latn.dev: got deu_Latn again; it stands in de.dev"):
        read(folder)
    (folder / "dev" / "de.dev").rename(folder / "dev" / "german.dev")
    with pytest.raises(ValueError, match="^german.dev: got 'german', no known language code"):
        read(folder)


@pytest.mark.parametrize(
    ("concepts", "pivot", "message"),
    [
        ({"dog": [1, 7]}, None, "got line 7 for concept 'dog'; expected 1 to 6"),
        ({"dog": [0]}, None, "got line 0 for concept 'dog'; expected 1 to 6"),
        (
            {"dog": ["dog"]},
            None,
            "got word forms for concept 'dog' without a pivot; expected the l",
        ),
        ({"dog": ["dog"]}, "fr", "got pivot fra_Latn, without a file; the folder has deu_Latn"),
        ({"dog": ["cat"]}, "en", "eng_Latn.dev: got no line with cat; expected some for concept"),
        ({"dog": "dog"}, "en", "got 'dog' for concept 'dog'; expected a list of line numbers or"),
        ({"dog": [1, "dog"]}, "en", "got [1, 'dog'] for concept 'dog'; expected a list"),
        (
            {"dog": np.array([0.5])},
            None,
            "got array([0.5]) for concept 'dog'; expected a list of l",
        ),
        ({"dog": np.array([True])}, None, "got array([ True]) for concept 'dog'; expected a list"),
        ({"dog": np.array(1)}, None, "got array(1) for concept 'dog'; expected a list of line"),
        ({"dog": np.array([[1]])}, None, "got array([[1]]) for concept 'dog'; expected a list of"),
        ({"dog": [True]}, None, "got [True] for concept 'dog'; expected a list"),
        ({"dog": []}, None, "got [] for concept 'dog'; expected a list"),
        ({}, None, "got no concept at all"),
    ],
)
def test_concepts_that_cannot_be_placed_are_refused(concepts, pivot, message):
    with pytest.raises(ValueError, match="got ") as error:
        read(ALIGNED, concepts, pivot)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "concept\tline\ndog\t1\ndog\tthree\n",
            "line 3: got concept 'dog', line 'three'; expected",
        ),
        (
            "concept\tline\ndog\t7\n",
            "line 2: got concept 'dog', line '7'; expected a name and a li",
        ),
        ("concept\tline\ndog\t" + "9" * 5000, "line 2: got concept 'dog', line '9999"),
        (
            "concept\tnumber\ndog\t1\n",
            "line 1: got columns concept, number; expected concept, line",
        ),
        ("concept\tline\ndog\n", "line 2: got 1 cells; expected 2"),
        ("concept\tline\n", "got 1 lines; expected column names and rows"),
    ],
)
def test_a_broken_table_of_concepts_is_refused_with_its_line(folder, table, message):
    path = folder / "concepts.tsv"
    path.write_text(table)
    with pytest.raises(ValueError, match="^concepts.tsv: ") as error:
        read(folder, path)
    assert str(error.value).startswith(f"concepts.tsv: {message}")


def test_folders_that_are_not_there_or_hold_no_language_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder with one file a language"):
        read(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="got no file of a language; expected one each, such as"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match="none.tsv; expected a file"):
        read(ALIGNED, tmp_path / "none.tsv")


def test_lines_without_concepts_make_a_set_that_says_so_and_comes_back_from_its_file(tmp_path):
    made = ConceptSet.from_parallel(ALIGNED)
    assert made.concepts == []
    assert made.labels().shape == (len(made), 0)
    back = ConceptSet.load(made.to_jsonl(tmp_path / "plain.jsonl"))
    assert back.digest == made.digest
    with pytest.raises(ValueError, match="got no concept at all"):
        ConceptSet.from_frame(made.frame, name="plain")  # nothing says that none is meant
