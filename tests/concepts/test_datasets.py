"""Hugging Face datasets and frames are read like tables, and refused by row."""

import datasets
import numpy as np
import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet, tables

RECORDS = {
    "group": ["1", "2", "1", "2"],
    "lang": ["en", "en", "de", "de"],
    "text": ["Dogs.", "Rain.", "Hunde.", "Regen."],
    "concepts": [["dog"], ["rain"], ["dog"], ["rain"]],
    "lexical": [True, None, False, True],
}


def test_a_dataset_is_read_like_a_table():
    header, table = tables.from_dataset(datasets.Dataset.from_dict(RECORDS))
    made = ConceptSet.from_frame(table, header=header)
    assert made.concepts == ["dog", "rain"]
    assert made.frame["lexical"].tolist() == [True, True, False, True]


def test_names_stand_for_the_numbers_of_a_class_label():
    data = datasets.Dataset.from_dict(RECORDS | {"concepts": [1, 0, 1, 0]})
    data = data.cast_column("concepts", datasets.ClassLabel(names=["rain", "dog"]))
    _, table = tables.from_dataset(
        data.rename_column("concepts", "topic"), columns={"concept": "topic"}
    )
    assert ConceptSet.from_frame(table).frame["concepts"].tolist() == [("dog",), ("rain",)] * 2


def test_a_broken_dataset_is_refused_by_row_or_split():
    data = datasets.Dataset.from_dict(RECORDS | {"text": ["Dogs.", "Rain.", None, "Regen."]})
    with pytest.raises(ValueError, match="^row 2: got no text; expected a string"):
        ConceptSet.from_frame(tables.from_dataset(data)[1])
    splits = datasets.DatasetDict({"train": data, "test": data})
    with pytest.raises(ValueError, match=r"such as dataset\['train'\] \(splits are train, test\)"):
        tables.from_dataset(splits)
    with pytest.raises(ValueError, match="got a IterableDataset; expected a datasets.Dataset"):
        tables.from_dataset(data.to_iterable_dataset())
    with pytest.raises(ValueError, match="dataset: got unknown columns id; valid are"):
        tables.from_dataset(data.add_column("id", np.arange(4)))


def test_rows_of_a_frame_are_counted_where_nothing_says_their_origin():
    frame = pd.DataFrame(RECORDS).rename(columns={"concepts": "concept"})
    for cell, message in ((None, "got no text"), (["x"], "got text"), ("a\0b", "got text 'a.*NUL")):
        broken = frame.assign(text=pd.Series(["a", "b", cell, "d"], dtype=object))
        with pytest.raises(ValueError, match=f"^row 2: {message}"):
            ConceptSet.from_frame(broken)
    with pytest.raises(ValueError, match=r"^row 4: got a duplicate row.*\(first at row 1\)$"):
        ConceptSet.from_frame(pd.concat([frame, frame[1:2]]))
    with pytest.raises(ValueError, match="got unknown columns note; valid are group, lang, text"):
        ConceptSet.from_frame(frame.assign(note=""))
    with pytest.raises(ValueError, match="got column 'text' twice; expected each once"):
        ConceptSet.from_frame(pd.concat([frame, frame[["text"]]], axis=1))


def test_lists_of_class_labels_are_named():
    label = datasets.ClassLabel(names=["rain", "dog"])
    data = datasets.Dataset.from_dict(
        {
            "group": [1, 1, 2, 2, 3, 3, 4, 4],
            "lang": ["en", "de"] * 4,
            "text": list("abcdefgh"),
            "concepts": [[0], [0], [1], [1], [0, 1], [1, 0], [], [-1]],
        }
    )
    data = data.cast_column("concepts", datasets.Sequence(label))
    named = ConceptSet.from_frame(tables.from_dataset(data)[1]).frame["concepts"].tolist()
    assert named[::2] == named[1::2] == [("rain",), ("dog",), ("dog", "rain"), ()]
