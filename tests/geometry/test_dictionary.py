"""Dictionaries: read from pairs and alignments, learned from parallel sentences."""

import numpy as np
import pytest

from neurotrace.geometry.dictionary import read_alignments, read_muse
from neurotrace.geometry.parallel_words import parallel_dictionary


def sentences(n, rng, *, n_words=60, length=8, lost=0.1):
    """Sentences of invented words, some of a topic, and translations in another order."""
    source, target = [], []
    for _ in range(n):
        topic = rng.integers(6)
        topical = 6 + 9 * topic + rng.integers(0, 9, length - 3)
        words = np.concatenate([rng.integers(0, 5, 3), topical])
        words = words[words < n_words]
        source.append([f"s{i}" for i in words])
        target.append([f"t{i}" for i in rng.permutation(words[rng.random(len(words)) > lost])])
    return source, target


def right(dictionary):
    """Share of words whose best translation is theirs."""
    return np.mean([best[0][1:] == word[1:] for word, best in dictionary.items()])


def test_pairs_are_read_best_first(tmp_path):
    file = tmp_path / "en-de.txt"
    file.write_text("Dog Hund\n\ndog\tKöter\ncat Katze\nDog Hund\n", encoding="utf-8")
    found = read_muse(file)
    assert dict(found) == {"cat": ("katze",), "dog": ("hund", "köter")}
    assert list(read_muse(file, lower=False)) == ["Dog", "cat", "dog"]


def test_probabilities_order_translations(tmp_path):
    file = tmp_path / "en-de.txt"
    file.write_text("dog köter .2\ndog hund .8\n", encoding="utf-8")
    assert read_muse(file)["dog"] == ("hund", "köter")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog hund\ncat\n", "en-de.txt, line 2: got 'cat'; expected two words"),
        ("dog hund x\n", "line 1"),
        ("dog hund 1.5\n", "line 1"),
        ("dog hund .5\ncat katze\n", "a probability in 1 of 2 lines"),
        ("\n", "without a line"),
    ],
)
def test_bad_lines_are_named(tmp_path, text, message):
    file = tmp_path / "en-de.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_muse(file)


def test_links_are_counted_into_probabilities():
    source = [["the", "dog"], ["the", "dog"], ["the", "dog"]]
    target = [["der", "Hund"], ["der", "Hund"], ["ein", "Hund"]]
    found = read_alignments(source, target, ["0-0 1-1", "0-0", "0-0 1-1"])
    assert found["the"] == ("der", "ein")
    rows = found.table.set_index(["source", "target"])
    assert rows.loc[("the", "der"), "probability"] == pytest.approx(2 / 3)
    assert rows.loc[("dog", "Hund"), "count"] == 2


def test_a_word_may_hold_a_bar():
    found = read_alignments([["a|||b"]], [["c"]], ["0-0"])
    assert found["a|||b"] == ("c",)


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("0-1", "line 1: got link '0-1' for sentences of 1 and 1"),
        ("1-0", "line 1: got link '1-0'"),
        ("0:0", "line 1: got link '0:0'"),
    ],
)
def test_bad_links_are_named(link, message):
    with pytest.raises(ValueError, match=message):
        read_alignments([["a"]], [["b"]], [link])


def test_unequal_numbers_of_sentences_are_refused():
    with pytest.raises(ValueError, match="got 1 source and 1 target sentences and 2 lines"):
        read_alignments([["a"]], [["b"]], ["0-0", "0-0"])
    with pytest.raises(ValueError, match="got 2 sentences and 1 translations"):
        parallel_dictionary([["a"], ["b"]], [["c"]])


@pytest.mark.parametrize("score", ["ibm1", "llr"])
def test_planted_translations_are_found(score):
    source, target = sentences(400, np.random.default_rng(0))
    found = parallel_dictionary(source, target, score=score)
    assert right(found) > 0.95
    assert len(found) > 50


def test_deranged_translations_give_no_dictionary():
    source, target = sentences(400, np.random.default_rng(1))
    deranged = parallel_dictionary(source, [*target[1:], target[0]])
    assert right(deranged) < 0.2


def test_the_order_of_sentences_does_not_matter():
    source, target = sentences(100, np.random.default_rng(2))
    order = np.random.default_rng(3).permutation(100)
    moved = [source[i] for i in order], [target[i] for i in order]
    assert dict(parallel_dictionary(*moved)) == dict(parallel_dictionary(source, target))


def test_rare_pairs_and_further_translations_are_left_out():
    source, target = sentences(100, np.random.default_rng(4))
    found = parallel_dictionary([*source, ["once"]], [*target, ["einmal"]], top_n=2)
    assert "once" not in found
    many, few = (parallel_dictionary(source, target, top_n=n, score="llr") for n in (9, 2))
    assert max(map(len, many.values())) > 2
    assert {word: best[:2] for word, best in many.items()} == dict(few)
    once = parallel_dictionary([*source, ["once"]], [*target, ["einmal"]], min_count=1)
    assert once["once"] == ("einmal",)


def test_probabilities_are_fractions():
    source, target = sentences(100, np.random.default_rng(5))
    table = parallel_dictionary(source, target).table
    assert table["probability"].between(0, 1).all()
    assert (table.groupby("source")["probability"].sum() <= 1 + 1e-9).all()
