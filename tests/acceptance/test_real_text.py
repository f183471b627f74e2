"""The whole road on real text, where a folder of it is given in ``NEUROTRACE_TEST_DATA``.

Expected there: ``bible_dev.tsv`` (id, lang, text) and ``bible_concepts.tsv`` (concept, id).
"""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurotrace import lab, trajectories
from neurotrace.concepts import ConceptSet
from neurotrace.trace import main

DATA = Path(os.environ.get("NEUROTRACE_TEST_DATA", ""))
SCRIPTS = {"en": "eng_Latn", "de": "deu_Latn", "es": "spa_Latn", "fi": "fin_Latn"} | {
    "ru": "rus_Cyrl", "zh": "zho_Hans", "el": "ell_Grek", "ko": "kor_Hang",
}  # fmt: skip
HELD_OUT = ("Mark", "John")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("NEUROTRACE_TEST_DATA"), reason="NEUROTRACE_TEST_DATA is not set"
    ),
]


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / name, sep="\t", quoting=csv.QUOTE_NONE, dtype=str)


def texts_and_concepts(folder: Path) -> tuple[Path, Path]:
    """Training files without the held-out books, and the concepts of the held-out ones."""
    verses = read("bible_dev.tsv").dropna()
    held = verses["id"].str.startswith(HELD_OUT)
    (folder / "texts").mkdir()
    for lang, own in verses[~held].groupby("lang"):
        (folder / "texts" / f"{SCRIPTS[lang]}.txt").write_text("\n".join(own["text"]), "utf-8")
    rows = verses[held].drop_duplicates(["lang", "text"])
    whole = rows.groupby("id")["lang"].nunique() == len(SCRIPTS)
    rows = rows[rows["id"].isin(whole[whole].index)]
    named = (
        read("bible_concepts.tsv").groupby("id")["concept"].agg(lambda names: sorted(set(names)))
    )
    many = read("bible_concepts.tsv").query("id in @rows.id")["concept"].value_counts()
    usable = set(many[many >= 12].index)
    concepts = [tuple(c for c in named.get(verse, ()) if c in usable) for verse in rows["id"]]
    frame = pd.DataFrame({
        "group": rows["id"], "lang": rows["lang"].map(SCRIPTS), "text": rows["text"],
        "concepts": pd.Series(concepts, index=rows.index, dtype=object),
    })  # fmt: skip
    path = ConceptSet.from_frame(frame, name="bible").to_jsonl(folder / "bible.jsonl")
    return folder / "texts", path


def test_real_text_shows_a_language_gradient_and_no_sharing_beyond_baselines(tmp_path):
    texts, concepts = texts_and_concepts(tmp_path)
    source = lab.pretrain("texts", out=tmp_path / "lab", texts=texts, steps=800)
    run = tmp_path / "run"
    given = ["--source", str(source), "--concepts", str(concepts), "--out", str(run)]
    assert main([*given, "--checkpoints", "0,16,64,256,512,800"]) == 0
    results = trajectories.read(run)
    language = results["language_id"]
    by_layer = language["value"].isel(step=-1).values
    assert float(language["embed"][-1]) < by_layer.min()
    assert by_layer[-1] > float(language["chance"]) + 0.4
    summary = results["summary"].sel(k=results["summary"].attrs["main_k"])
    assert not float(summary["excess_low"][-1]) > 0.05
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Nothing is found" in page or "not found" in page
    assert np.isfinite(results["loss"]["value"].values).all()


@pytest.mark.parametrize(("share", "found"), [(0.3, True), (0.0, False)])
def test_a_clone_is_retrieved_where_types_are_shared_and_not_where_none_is(tmp_path, share, found):
    english = read("bible_dev.tsv").query("lang == 'en'")["text"].dropna()
    text = tmp_path / "english.txt"
    text.write_text("\n".join(english), encoding="utf-8")
    source = lab.pretrain("clone", out=tmp_path / "lab", texts=text, shared_types=share)
    run = tmp_path / "run"
    assert main(["--source", str(source), "--out", str(run), "--analyses", "retrieval"]) == 0
    curve = trajectories.read(run)["retrieval"]
    best = curve["value"].max("layer").isel(lang_a=0, lang_b=1)
    chance = float(curve["chance"])
    if found:
        # Random attention carries a little of the shared neighbours in, from the first step on.
        assert float(best[0]) < 0.08
        assert float(best[-1]) > max(0.2, 5 * float(best[0]))
    else:
        assert float(best.max()) < 0.03 < 25 * chance
