"""Every set that comes with neurotrace passes every check; a new file needs no new test."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet
from neurotrace.concepts.checks import FIGURES, check_file

FOLDER = Path(__file__).parents[2] / "data" / "concepts"
SHIPPED = sorted(FOLDER.glob("*.jsonl"))
each_set = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)


@cache
def checked(path: Path) -> pd.DataFrame:
    return check_file(path)


def test_the_folder_ships_the_everyday_set():
    assert "everyday" in ConceptSet.names()
    assert len(ConceptSet.load("everyday")) == 12 * 60 * 12


@each_set
def test_a_shipped_set_passes_every_check(path):
    table = checked(path)
    open_ones = table[(table["verdict"] != "ok") & ~table["check"].isin(FIGURES)]
    if find_spec("lingua") is None:
        open_ones = open_ones[open_ones["check"] != "language"]
    assert open_ones.empty, open_ones.to_string()


@each_set
def test_spelling_tells_a_shipped_set_by_its_words_alone(path):
    table = checked(path).pivot(index="subject", columns="check", values=["figure", "bound"])
    ap, chance = table["figure"], table["bound"]
    with_word, without = "n-gram AP, lexical", "n-gram AP, other"
    languages = ConceptSet.load(path).languages
    table = pd.DataFrame({"word": ap[with_word], "none": ap[without], "chance": chance[with_word]})
    assert (table.loc[languages, "word"] > 0.85).all(), table
    assert (table.loc[languages, "none"] < table.loc[languages, "word"] - 0.2).all(), table
