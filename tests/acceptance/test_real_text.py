"""The whole road on real text, where a folder of it is given in ``NEUROTRACE_TEST_DATA``.

Expected there: ``bible_dev.tsv`` and ``pud_dev.tsv`` (id, lang, text), and
``bible_concepts.tsv`` (concept, id).
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
PUD = SCRIPTS | {"ar": "arb_Arab", "hi": "hin_Deva", "tr": "tur_Latn"}  # three that no model saw
LONGEST = 480  # bytes: unseen scripts are spelled in bytes, of which the model holds 512

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


@pytest.fixture(scope="module")
def bible(tmp_path_factory) -> tuple[Path, Path]:
    """A model of 800 steps on the Bible in eight languages, and the concepts of unseen books."""
    folder = tmp_path_factory.mktemp("bible")
    texts, concepts = texts_and_concepts(folder)
    return lab.pretrain("texts", out=folder / "lab", texts=texts, steps=800), concepts


def parallel_news(folder: Path) -> Path:
    """Sentences in ten languages that stand in all of them, without concepts."""
    rows = read("pud_dev.tsv").dropna().drop_duplicates(["lang", "text"])
    rows = rows[rows["text"].map(lambda text: len(text.encode())) <= LONGEST]
    langs = rows["lang"].nunique()
    whole = rows.groupby("id")["lang"].nunique() == langs
    rows = rows[rows["id"].isin(whole[whole].index)]
    frame = pd.DataFrame({
        "group": rows["id"], "lang": rows["lang"].map(PUD), "text": rows["text"],
        "concepts": pd.Series([()] * len(rows), index=rows.index, dtype=object),
    })  # fmt: skip
    made = ConceptSet.from_frame(frame, name="news", header={"concept_free": True})
    return made.to_jsonl(folder / "news.jsonl")


def test_four_measures_run_on_ten_languages_and_claim_nothing(bible, tmp_path):
    run, news = tmp_path / "run", parallel_news(tmp_path)
    given = ["--source", str(bible[0]), "--concepts", str(news), "--out", str(run)]
    asked = ["--analyses", "retrieval", "ilo", "embeddings", "latent_concepts", "evolution"]
    assert main([*given, "--checkpoints", "0,256,800", *asked]) == 0
    results = trajectories.read(run)
    last = {name: one.isel(step=-1) for name, one in results.items() if "step" in one.dims}
    assert float(last["ilo"]["corrected"].mean()) < -0.8  # languages keep apart
    assert float(last["companions"]["value"].mean()) < 0.005
    aligned = last["latent_concepts"]
    assert float(aligned["value"].mean()) < float(aligned["chance_high"].mean())
    assert float(last["evolution"]["apart"].mean()) > 0.8
    assert (last["distances"]["p_holm"] > 0.05).all()
    assert float(last["embeddings"]["value"]) > 0.65  # scripts, which need no meaning
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "languages keep apart" in page
    assert "is not seen" in page  # that distant languages lie further apart


def test_real_text_shows_a_language_gradient_and_no_sharing_beyond_baselines(bible, tmp_path):
    source, concepts = bible
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
    assert main(["--source", str(source), "--out", str(run), "--analyses", "retrieval", "ilo"]) == 0
    results = trajectories.read(run)
    mixed = results["ilo"].isel(step=-1).mean(("layer", "lang"))
    assert (float(mixed["centered"]) > float(mixed["centered_chance"]) - 0.03) is found
    curve = results["retrieval"]
    best = curve["value"].max("layer").isel(lang_a=0, lang_b=1)
    chance = float(curve["chance"])
    if found:
        # Random attention carries a little of the shared neighbours in, from the first step on.
        assert float(best[0]) < 0.08
        assert float(best[-1]) > max(0.2, 5 * float(best[0]))
    else:
        assert float(best.max()) < 0.03 < 25 * chance
