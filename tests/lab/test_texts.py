"""Claims about corpora of the user's texts, and of a text and its clone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from neurotrace.lab import pretrain
from neurotrace.lab.preset import PRESETS
from neurotrace.lab.texts import COPY, ORIGINAL, PRIME, CloneCorpus, TextCorpus, passages
from neurotrace.lab.tokenizer import BOS_ID, SPECIALS

SMALL = replace(PRESETS["clone"], length=32, batch=8)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("text") / "story.txt"
    file.write_text("\n".join(_sentences(400, seed=0)) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def clone(text: Path) -> CloneCorpus:
    return _clone(text, 0.3)


def test_a_clone_says_the_text_piece_by_piece(clone):
    frame = clone.evaluation().frame
    original = frame[frame["lang"] == ORIGINAL]["text"].tolist()
    copy = frame[frame["lang"] == COPY]["text"].tolist()
    assert [text.replace(PRIME, "") for text in copy] == original
    a, b = (clone.tokenizer(texts, add_special_tokens=False)["input_ids"]
            for texts in (original, copy))  # fmt: skip
    shift = (len(clone.tokenizer) - len(SPECIALS)) // 2
    for left, right in zip(a, b, strict=True):
        shared = np.isin(left, clone.shared_ids)
        np.testing.assert_array_equal(np.array(right) - np.array(left), np.where(shared, 0, shift))


def test_the_asked_share_of_types_is_shared_and_shares_are_nested(text):
    shared = {share: set(_clone(text, share).shared_ids) for share in (0.0, 0.1, 0.3, 1.0)}
    types = (len(_clone(text, 0.3).tokenizer) - len(SPECIALS)) // 2
    assert [len(ids) for ids in shared.values()] == [
        0,
        round(0.1 * types),
        round(0.3 * types),
        types,
    ]
    assert shared[0.1] < shared[0.3] < shared[1.0]


def test_the_share_changes_neither_passages_nor_rows(text, clone):
    none = _clone(text, 0.0)
    assert none.evaluation().frame["group"].tolist() == clone.evaluation().frame["group"].tolist()
    shift = (len(clone.tokenizer) - len(SPECIALS)) // 2
    for update in (1, 7):
        as_text = [np.where(rows >= shift + len(SPECIALS), rows - shift, rows)
                   for rows in (none.batch(update), clone.batch(update))]  # fmt: skip
        np.testing.assert_array_equal(*as_text)


def test_halves_and_evaluation_have_no_passage_in_common(text, clone):
    lines = passages(text)
    held = {lines[at] for at in clone._held_out}
    halves = []
    for ids, starts in zip(clone._rows.ids, clone._rows.starts, strict=True):
        words = clone.tokenizer.convert_ids_to_tokens(ids.tolist())
        joined = "".join(words).replace(PRIME, "").replace("Ġ", " ")
        halves.append(set(joined.split("Ċ")) - {""})
        assert starts[0] == 0
    assert len(held) == 40
    assert not halves[0] & halves[1]
    assert not held & (halves[0] | halves[1])
    assert halves[0] | halves[1] | held == set(lines)


def test_rows_begin_with_bos_and_a_passage(clone):
    rows = np.concatenate([clone.batch(update) for update in range(1, 20)])
    assert rows.shape == (19 * 8, 33)
    assert (rows[:, 0] == BOS_ID).all()
    assert (rows[:, 1:] >= len(SPECIALS)).all()
    first = clone.tokenizer.convert_ids_to_tokens(rows[:, 1].tolist())
    assert all(not piece.startswith("Ġ") for piece in first)


def test_a_clone_run_writes_the_ids_to_leave_out(text, clone, tmp_path):
    lab = pretrain(
        "clone", out=tmp_path / "lab", texts=text, steps=1, vocab_size=320, progress=False
    )
    tokenizer = AutoTokenizer.from_pretrained(lab / "step-000001")
    ids = json.loads((lab / "shared_ids.json").read_text())
    assert ids == clone.shared_ids
    assert not any(piece.endswith(PRIME) for piece in tokenizer.convert_ids_to_tokens(ids))
    with pytest.raises(ValueError, match=r"got shared_types 0\.1, but the folder holds"):
        pretrain("clone", out=lab, texts=text, steps=1, vocab_size=320, shared_types=0.1)


def test_files_become_languages(tmp_path):
    for seed, code in enumerate(("deu_Latn", "eng_Latn")):
        (tmp_path / f"{code}.txt").write_text("\n".join(_sentences(200, seed=seed)), "utf-8")
    corpus = TextCorpus(PRESETS["texts"], tmp_path, seed=0, vocab_size=400)
    assert corpus.languages == ["deu_Latn", "eng_Latn"]
    assert corpus.evaluation() is None
    assert corpus.batch(1).shape == (16, 65)
    np.testing.assert_array_equal(corpus.batch(3), corpus.batch(3))
    row = corpus.batch(1)[0]
    known = "\n".join(_sentences(200, seed=0) + _sentences(200, seed=1))
    assert corpus.tokenizer.decode(row, skip_special_tokens=True) in known
    lab = pretrain(out=tmp_path / "lab", texts=tmp_path, steps=1, vocab_size=400, progress=False)
    assert json.loads((lab / "lab.json").read_text())["preset"] == "texts"
    assert not (lab / "concepts.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "got no .txt files"),
        (b"", "got an empty text"),
        (b" \n\n", "got an empty text"),
        (b"caf\xe9\n", "not UTF-8 at position 3"),
        (b"too short\n", "got 3 tokens to train on; expected at least 1024: too little text"),
    ],
)
def test_useless_texts_are_refused_in_one_line(tmp_path, content, message):
    texts, out = tmp_path / "texts", tmp_path / "lab"
    texts.mkdir()
    if content is not None:
        (texts / "eng_Latn.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        pretrain("texts", out=out, texts=texts, steps=1, vocab_size=300, progress=False)
    assert "\n" not in str(refused.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shared_types": 1.5}, r"got shared types 1\.5; expected a share"),
        ({"vocab_size": 100}, "got vocabulary size 100; expected at least 300"),
        ({"texts": Path("nowhere.txt")}, "nowhere.txt: got No such file"),
    ],
)
def test_wrong_clone_settings_are_refused(text, tmp_path, changes, message):
    settings = {"texts": text, "out": tmp_path / "lab", "steps": 1, "progress": False, **changes}
    with pytest.raises(ValueError, match=message):
        pretrain("clone", **settings)


def test_too_few_passages_for_a_clone_are_refused(tmp_path):
    file = tmp_path / "short.txt"
    file.write_text("\n".join(_sentences(159, seed=0)), "utf-8")
    with pytest.raises(ValueError, match="got 159 passages; expected at least 160"):
        _clone(file, 0.3)


def _clone(file: Path, share: float) -> CloneCorpus:
    return CloneCorpus(SMALL, file, seed=0, shared_types=share, vocab_size=320)


def _sentences(number: int, *, seed: int) -> list[str]:
    """Sentences of a small town, no two alike."""
    rng = np.random.default_rng([seed, 99])
    who = ["miller", "baker", "queen", "sailor", "daughter", "stranger", "brother", "teacher"]
    does = ["sees", "calls", "helps", "follows", "forgets", "carries"]
    return [
        f"the {rng.choice(who)} {rng.choice(does)} the {rng.choice(who)} on day {day}"
        for day in range(number)
    ]
