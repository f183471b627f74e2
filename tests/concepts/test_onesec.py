"""OneSec and selfcond files: a sentence is one row, judged for what its files say of it."""

import json
from pathlib import Path

import pytest

from neurotrace.concepts import ConceptSet, onesec

FOLDER = Path(__file__).parent / "formats" / "onesec"
GOOD = {
    "concept": "dog",
    "group": "animal",
    "sentences": {"positive": ["A dog barks.", "Dogs dig."], "negative": ["It rains.", "Sing!"]},
}


def written(folder: Path, name: str, value) -> Path:
    path = folder / "eng_Latn" / name
    path.parent.mkdir(exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, indent=1)
    path.write_text(text, encoding="utf-8")
    return path


def read(paths, lang=None) -> ConceptSet:
    header, table = onesec.read_onesec(paths, lang=lang)
    return ConceptSet.from_frame(table, header=header)


def sides(positive, negative, concept="dog"):
    return GOOD | {
        "concept": concept, "sentences": {"positive": positive, "negative": negative},
    }  # fmt: skip


def test_a_folder_of_ours_is_read_in_the_languages_of_its_folders():
    made = read(FOLDER)
    assert made.languages == ["deu_Latn", "eng_Latn"]
    assert made.header["categories"] == {"dog": "animal.n.01", "rain": "weather.n.01"}
    assert made.header["parallel"] is False
    assert len(made) == made.frame["group"].nunique() == 12


def test_a_file_s_own_negatives_are_all_that_is_judged():
    made = read(FOLDER / "eng_Latn")
    labels = dict(zip(made.frame["text"], made.labels().tolist(), strict=True))
    assert labels["Whose dog is this?"] == [1, 0]
    assert labels["A kitten hid under the stairs."] == [0, 0]
    assert labels["Nobody wanted the last pear."] == [0, -1]  # no negative of rain's file


@pytest.mark.parametrize(
    "paths",
    [
        {"en": FOLDER / "eng_Latn", "deu": [FOLDER / "deu_Latn" / "dog.json"]},
        [FOLDER / "eng_Latn", str(FOLDER / "deu_Latn" / "dog.json")],
    ],
)
def test_files_folders_lists_and_mappings_are_taken(paths):
    assert sorted(onesec.read_onesec(paths)[0]["languages"]) == ["deu_Latn", "eng_Latn"]


def test_a_given_language_goes_before_the_folder_s_name(tmp_path):
    path = written(tmp_path, "dog.json", GOOD)
    assert onesec.read_onesec(path, lang="sw")[0]["languages"] == ["swh_Latn"]
    with pytest.raises(ValueError, match="got lang='de' beside a mapping"):
        onesec.read_onesec({"en": path}, lang="de")


def test_the_name_of_a_folder_that_is_no_language_is_refused(tmp_path):
    path = tmp_path / "sense" / "dog.json"
    path.parent.mkdir()
    path.write_text(json.dumps(GOOD))
    with pytest.raises(ValueError, match=r"^sense/dog.json: got 'sense', no known .*; lang= or a"):
        onesec.read_onesec(path)


def test_positive_in_one_file_wins_over_negative_for_the_same_concept_only(tmp_path):
    one = written(tmp_path, "a.json", sides(["A dog barks.", "Wet dog."], ["It rains."]))
    two = written(tmp_path, "b.json", sides(["Dogs dig."], ["A dog barks."]))
    three = written(tmp_path, "c.json", sides(["It rains."], ["A dog barks.", "Wet dog."], "rain"))
    frame = read([one, two, three]).frame.set_index("text")
    assert frame.loc["A dog barks.", ["concepts", "negative_for"]].tolist() == [("dog",), ("rain",)]
    assert frame.loc["It rains.", ["concepts", "negative_for"]].tolist() == [("rain",), ("dog",)]


def test_blanks_around_a_sentence_and_repetitions_do_not_count(tmp_path):
    value = sides([" A dog barks.", "A dog barks. ", "A dog barks."], ["It rains."])
    assert read(written(tmp_path, "a.json", value)).frame["text"].tolist() == [
        "A dog barks.", "It rains.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            sides(["A dog."], ["It rains.", "A dog."]),
            "got 'A dog.' as sentences.positive[0] and sen",
        ),
        (sides(["A dog.", " "], []), "got sentences.positive[1] ' '; expected a string"),
        (sides(["A dog.", ["x"]], []), "got sentences.positive[1] ['x']; expected a string"),
        (sides("A dog.", []), "got sentences.positive 'A dog.'; expected a list"),
        (GOOD | {"sentences": {"positive": ["A"]}}, "expected an object with positive, negative"),
        (GOOD | {"sentences": ["A"]}, "got sentences ['A']; expected an object with positive, neg"),
        (GOOD | {"concept": 3}, "got concept 3; expected a name"),
        (GOOD | {"group": None}, "got group None; expected a name"),
        (GOOD | {"note": "x"}, "got unknown field 'note'; valid are concept, group, source, sent"),
        ([GOOD], "expected an object with concept, group, source, sentences"),
        ('{"concept": "dog",\n"group" "animal"}', "line 2: not JSON (Expecting ':' delimiter)"),
        ('{"concept": "dog",\n\n"concept": 1}', "line 3: not JSON (key 'concept' stands twice)"),
        ('{"concept":\n"\\ud800"}', "line 2: got half a surrogate pair"),
        ('{"concept":\nNaN}', "line 2: not JSON (NaN is no JSON number)"),
        ("[" * 100_000, "got JSON nested too deep"),
        ("", "line 1: not JSON (Expecting value)"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, value, message):
    with pytest.raises(ValueError, match="^eng_Latn/x.json: ") as error:
        read(written(tmp_path, "x.json", value))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_one_concept_has_one_category(tmp_path):
    one = written(tmp_path, "a.json", GOOD)
    two = written(tmp_path, "b.json", GOOD | {"group": "pet"})
    with pytest.raises(
        ValueError, match="b.json: got group 'pet' for concept 'dog'; expected 'ani"
    ):
        onesec.read_onesec([one, two])


def test_files_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.json; expected a file"):
        onesec.read_onesec(tmp_path / "nothing.json")
    with pytest.raises(FileNotFoundError, match="without .json files"):
        onesec.read_onesec(tmp_path)
    with pytest.raises(ValueError, match="got no file; expected at least one"):
        onesec.read_onesec([])
