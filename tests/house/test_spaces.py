"""The geometry of spaces in a trace: what it needs from outside, and what it does without."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurotrace import spaces, trajectories
from neurotrace.capture import embedding
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.config import ANALYSES, TUNING, TraceConfig
from neurotrace.givens import read_dictionaries, read_strata
from neurotrace.lab.language import LANGUAGES
from neurotrace.lab.typology import syntactic_distances
from neurotrace.road import Road, prepare
from neurotrace.trace import main

CODES = [language.code for language in LANGUAGES]
GEOMETRY = {"ilo", "ilo_twin", "companions", "embeddings", "embedding_map", "latent_concepts",
            "latent_words", "evolution", "evolution_twin", "distances"}  # fmt: skip


def test_a_trace_holds_the_geometry_and_leaves_tuning_for_those_who_ask(tiny_run):
    assert set(trajectories.read(tiny_run)) >= GEOMETRY
    assert TUNING not in ANALYSES


def test_sentences_without_concepts_are_enough_for_geometry_and_refused_elsewhere(
    tiny_lab, tmp_path, capsys
):
    own = ConceptSet.load(tiny_lab / "concepts.jsonl").frame
    plain = own.assign(concepts=pd.Series([()] * len(own), dtype=object))
    groups = plain["group"].unique()[:60]
    made = ConceptSet.from_frame(
        plain[plain["group"].isin(groups)], header={"concept_free": True}, name="plain"
    )
    sentences = str(made.to_jsonl(tmp_path / "plain.jsonl"))
    strata = tmp_path / "strata.tsv"
    strata.write_text(
        "lang\tstratum\n" + "\n".join(f"{c}\t{'ab'[n % 2]}" for n, c in enumerate(CODES))
    )
    run = tmp_path / "run"
    given = ["--source", str(tiny_lab), "--concepts", sentences, "--checkpoints", "0,256"]
    assert main([*given, "--out", str(run)]) == 2
    assert "got sentences without concepts for overlap" in capsys.readouterr().err
    asked = ["--analyses", "ilo", "evolution", "embeddings", "--strata", str(strata)]
    assert main([*given, "--out", str(run), *asked]) == 0
    results = trajectories.read(run)
    assert results["ilo"]["stratum"].values.tolist() == ["a", "b"]
    # without a lab's own sentences nothing says how far apart its invented languages are
    assert "distances" not in results
    assert "distance study is left out" in (run / "report.html").read_text("utf-8")


@pytest.mark.parametrize(("others", "left_out"), [(9, True), (10, False)])
def test_a_vocabulary_without_a_second_script_is_left_out_by_name(others, left_out, monkeypatch):
    texts = [f"{a}{b}{c}" for a in "bdfg" for b in "aeiou" for c in "klm"] + ["!"] * others
    monkeypatch.setattr(embedding, "token_texts", lambda *_, **__: texts)
    config = TraceConfig(analyses=("embeddings",))
    road = Road(config, [Checkpoint("made", 0, Path("step0"))], ConceptSet.load("everyday"), 1)
    store: Any = SimpleNamespace(languages=["eng_Latn", "deu_Latn"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = [name for name, _ in spaces.tasks(road, store, lambda _: xr.Dataset())]
    told = [str(warning.message) for warning in caught]
    assert made == ([] if left_out else ["embeddings", "embedding_map"])
    why = "the input embedding is left out: its vocabulary has no two scripts to tell apart"
    assert told == [why] * left_out


def test_the_lab_s_languages_are_as_far_apart_as_their_grammars_say():
    table = syntactic_distances(CODES)
    assert (np.diag(table) == 0).all()
    assert table.loc["qab_Cyrl", "qad_Hebr"] == 0.4  # adjective and adposition, of five
    with pytest.raises(ValueError, match="got languages deu_Latn; valid are qaa_Latn"):
        syntactic_distances(["deu_Latn"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lang\tgroup\nx\ty\n", "got columns lang, group; expected lang and stratum"),
        ("lang\tstratum\nx\ta\n", "got no stratum of y"),
        ("lang\tstratum\nx\ta\ny\t\n", "got no stratum of some"),
        ("lang\tstratum\nx\ta\ny\tb\nx\tb\n", "got x twice"),
    ],
)
def test_a_table_of_strata_that_is_not_one_is_refused(tmp_path, text, told):
    file = tmp_path / "strata.tsv"
    file.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_strata(file, ["x", "y"])


@pytest.mark.parametrize(("name", "between"), [("strata.tsv", "\t"), ("strata.csv", ",")])
def test_strata_stand_between_tabs_or_commas(tmp_path, name, between):
    rows = [("lang", "stratum"), ("x", "a"), ("y", "b"), ("z", "a")]
    (tmp_path / name).write_text("\n".join(between.join(row) for row in rows))
    assert read_strata(tmp_path / name, ["y", "x"]) == {"x": "a", "y": "b", "z": "a"}


def test_word_lists_are_read_in_either_direction_and_missed_by_name(tmp_path: Path):
    (tmp_path / "x-y.txt").write_text(
        "dog hund\nhound hund\ncat katze\ncat kater\n", encoding="utf-8"
    )
    found = read_dictionaries(tmp_path, ["x", "y"])
    assert list(found["x", "y"]["cat"]) == ["katze", "kater"]
    assert list(found["y", "x"]["kater"]) == ["cat"]
    assert list(found["y", "x"]["hund"]) == ["dog", "hound"]
    with pytest.raises(ValueError, match=r"got no x-z\.txt"):
        read_dictionaries(tmp_path, ["x", "y", "z"])


@pytest.mark.parametrize(("setting", "value"), [("clusters", 1), ("tune_steps", 0)])
def test_settings_that_no_run_could_have_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"got {setting} {value}"):
        TraceConfig(**{setting: value}).check()


def test_the_pooling_of_states_is_captured_once_under_its_own_path(tiny_lab):
    config = TraceConfig(source=str(tiny_lab), out="x", states="mean_all", analyses=("ilo",))
    assert "hook_resid_post/mean_all" in prepare(config).config.what
    assert "hook_resid_post/mean" not in config.what
    assert TraceConfig(analyses=("embeddings", "tuning")).what == ("hook_resid_post/mean",)
    both = TraceConfig(analyses=("ilo", "retrieval"))
    assert both.what.count("hook_resid_post/mean") == 1
