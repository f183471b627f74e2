"""The shipped sentences on models that learnt nothing, and a user's own table by its path."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast

from neurotrace import trajectories
from neurotrace.concepts import ConceptSet
from neurotrace.trace import main

FOUR = ["eng_Latn", "rus_Cyrl", "hin_Deva", "fin_Latn"]
TSV = "group\tlang\tconcept\ttext\n"


def tokenizer_of(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE, as BLOOM's, learnt from the sentences."""
    raw = ByteLevelBPETokenizer()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    raw.train_from_iterator(texts, vocab_size=4000, special_tokens=special)
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=raw._tokenizer, **names)


@pytest.fixture(scope="module")
def random_blooms(tmp_path_factory) -> Path:
    """Three BLOOM models with weights of three seeds, as if they were three steps."""
    source = tmp_path_factory.mktemp("bloom")
    tokenizer = tokenizer_of(ConceptSet.load("everyday").frame["text"])
    for seed, step in enumerate((0, 100, 1000)):
        torch.manual_seed(seed)
        model = BloomForCausalLM(
            BloomConfig(vocab_size=len(tokenizer), hidden_size=64, n_layer=3, n_head=4)
        )
        folder = source / f"step-{step:06d}"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return source


def trace(source: Path, out: Path, *rest: str) -> dict:
    """The results of a run that must succeed."""
    assert main(["--source", str(source), "--out", str(out), "--rotations", "0", *rest]) == 0
    return dict(trajectories.read(out))


def refuses_sharing(results: dict) -> None:
    """Corrected overlap holds nothing beyond what the re-initialised twin shows."""
    own, twin = (results[name]["corrected"] for name in ("summary", "summary_twin"))
    own = own.sel(k=results["summary"].attrs["main_k"]) if "k" in own.dims else own
    assert np.abs(own).max() < 0.05
    assert (np.abs(own - twin) < 0.05).all()


def test_nothing_is_found_in_random_models(random_blooms, tmp_path, capsys):
    rest = ["--concepts", "everyday", "--languages", *FOUR, "--splits", "6"]
    results = trace(
        random_blooms, tmp_path / "run", *rest, "--analyses", "overlap", "expertise", "confounds"
    )
    refuses_sharing(results)
    assert "No sharing is found" in capsys.readouterr().out


@pytest.mark.slow
def test_nothing_is_found_in_random_models_over_all_twelve_languages(random_blooms, tmp_path):
    refuses_sharing(trace(random_blooms, tmp_path / "run", "--concepts", "everyday"))


def test_a_table_of_ones_own_works_by_its_path(random_blooms, tmp_path):
    everyday = ConceptSet.load("everyday").select(languages=FOUR[:2])
    rows = everyday.frame.assign(concept=[names[0] for names in everyday.frame["concepts"]])
    own = tmp_path / "mine.tsv"
    lines = ["\t".join(row) for row in rows[["group", "lang", "concept", "text"]].to_numpy()]
    own.write_text(TSV + "\n".join(lines) + "\n", encoding="utf-8")
    rest = ["--checkpoints", "0", "--analyses", "expertise", "--concepts", str(own)]
    assert "expertise" in trace(random_blooms, tmp_path / "run", *rest)


def test_a_broken_table_is_refused_in_one_line_before_any_model(random_blooms, tmp_path, capsys):
    own = tmp_path / "mine.tsv"
    own.write_text(TSV + "a\teng_Latn\train\n", encoding="utf-8")
    arguments = ["--source", str(random_blooms), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--concepts", str(own)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert "mine.tsv: line 2" in said
    assert not (tmp_path / "run").exists()
