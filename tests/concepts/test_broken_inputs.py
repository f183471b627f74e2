"""Broken inputs of every format: a set, or one clear line that names the file and the line.

Good files of each format are damaged by hypothesis, byte by byte and in ways people damage files;
whatever a reader then does, it never lets an error of pandas, json or csv through.
"""

import json
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from concepts.damage import DAMAGES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurotrace.concepts import ConceptSet, conllu, onesec, parallel, set_file, tables

FORMATS = Path(__file__).parent / "formats"
FAST, SLOW = 100, 2_000  # broken inputs a reader

# Faults of a set, of a whole file, or of JSON that need not have lines.
WITHOUT_LINE = re.compile(
    r"got (no (concept at all|positives|negatives|row in language|token with|line with|line;)"
    r"|\d+ lines; expected column|a header and no sentence|an empty file|no sentence)"
)
WITHIN_JSON = re.compile(
    r"sentences\.(positive|negative)|got (concept|group|sentences) |unknown field '"
    r"|got .*expected an object with|JSON nested|not JSON \(Exceeds"
)


def own(folder: Path):
    return set_file.read(folder / "set.jsonl")


def table(name: str) -> Callable:
    return lambda folder: tables.read_table(folder / name)


def treebanks(folder: Path):
    lemmas = {"dog": ["dog"], "rain": {"en": ["rain"], "de": ["Regen", "regnen"]}}
    paths = {"en": folder / "eng.conllu", "de": folder / "deu.conllu"}
    return conllu.read_conllu(paths, lemmas=lemmas)


def numbered(folder: Path):
    return parallel.read_parallel(folder / "aligned", concepts=folder / "aligned" / "concepts.tsv")


def worded(folder: Path):
    concepts = {"dog": ["dog"], "rain": ["rain*"]}
    return parallel.read_parallel(folder / "aligned", concepts=concepts, pivot="en")


READERS: dict[str, tuple[Callable, list[str]]] = {
    "set": (own, ["set.jsonl"]),
    "tsv": (table("sentences.tsv"), ["sentences.tsv"]),
    "csv": (table("sentences.csv"), ["sentences.csv"]),
    "jsonl": (table("sentences.jsonl"), ["sentences.jsonl"]),
    "onesec": (
        lambda folder: onesec.read_onesec(folder / "onesec"),
        ["onesec/eng_Latn/dog.json", "onesec/deu_Latn/rain.json"],
    ),
    "numbered": (numbered, ["aligned/concepts.tsv", "aligned/dev/deu_Latn.dev"]),
    "worded": (worded, ["aligned/dev/eng_Latn.dev", "aligned/dev/rus_Cyrl.dev"]),
    "conllu": (treebanks, ["eng.conllu", "deu.conllu"]),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A folder with a good file of every format."""
    folder = Path(shutil.copytree(FORMATS, tmp_path_factory.mktemp("good") / "formats"))
    header, frame = tables.read_table(folder / "sentences.tsv")
    ConceptSet.from_frame(frame, header=header).to_jsonl(folder / "set.jsonl")
    frame = frame.drop(columns="origin")
    records = frame.assign(concepts=frame["concepts"].str.findall("[^|]+")).to_dict("records")
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (folder / "sentences.jsonl").write_text("\n".join(lines), encoding="utf-8")
    frame.to_csv(folder / "sentences.csv", index=False)
    return folder


def outcome(reader: Callable, folder: Path) -> str:
    """ "set" or what was refused; any other error, or one with a traceback behind it, fails."""
    try:
        header, frame = reader(folder)
        made = ConceptSet.from_frame(frame, header=header)
        made.to_jsonl(folder / "again.out")
    except (ValueError, FileNotFoundError) as error:
        refused = error
    else:
        return "set"
    assert type(refused) in (ValueError, FileNotFoundError), repr(refused)
    assert refused.__cause__ is None
    assert refused.__suppress_context__ or refused.__context__ is None, repr(refused.__context__)
    return str(refused)


def is_clear(said: str, name: str, files: list[str]) -> bool:
    """Whether it is one line that names the file and, if the fault has one, the line."""
    if re.match(r"got no (positives|negatives|concept at all)", said):
        return "\n" not in said
    placed = re.search(r"line \d", said) or WITHOUT_LINE.search(said)
    if name == "onesec":
        placed = placed or WITHIN_JSON.search(said)
    named = any(Path(file).name in said for file in files)
    return bool(placed and named and "\n" not in said and len(said) < 1000)


def campaign(good: Path, name: str, *, examples: int) -> Counter:
    """Damage a reader's files ``examples`` times; how often a set stood and how often not."""
    reader, files = READERS[name]
    every = [file.name for file in FORMATS.rglob("*.*")] + files
    counts: Counter = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(good, Path(temporary) / "formats"))

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(
            seed=st.integers(0, 2**32),
            damages=st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=3),
            file=st.sampled_from(files),
        )
        def survives(seed, damages, file):
            rng = random.Random(seed)
            data = before = (good / file).read_bytes()
            for damage in damages:
                data = damage(data, rng)
            (folder / file).write_bytes(data)
            try:
                said = outcome(reader, folder)
            finally:
                (folder / file).write_bytes(before)
            counts["set" if said == "set" else "refused"] += 1
            counts["damaged"] += data != before
            assert said == "set" or is_clear(said, name, every), said

        survives()
    return counts


def test_every_good_file_is_a_set(good):
    for name, (reader, _) in READERS.items():
        assert outcome(reader, good) == "set", name


@pytest.mark.parametrize("name", READERS)
def test_a_broken_input_is_a_set_or_one_clear_line(good, name):
    counts = campaign(good, name, examples=FAST)
    assert counts["refused"] > FAST / 3


@pytest.mark.slow
def test_ten_thousand_broken_inputs_are_sets_or_clear_lines(good):
    total: Counter = Counter()
    for name in READERS:
        total += campaign(good, name, examples=SLOW)
    assert total["damaged"] >= 10_000, total
    assert total["refused"] > total["damaged"] / 2, total
