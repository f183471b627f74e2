"""Length, fertility and shared strings: hand-worked, planted, and unmoved by what is none."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from neurotrace.concepts import ConceptSet
from neurotrace.concepts.confounds import confounds, shared_strings
from neurotrace.concepts.strings import shares, strings


def made(rows, **header):
    """A set from ``(group, lang, text, concept)``."""
    return ConceptSet.from_frame(
        pd.DataFrame(rows, columns=["group", "lang", "text", "concept"]), **header
    )


def drawn(rng, *, langs=("aaa_Latn", "bbb_Latn"), n_groups=24, n_concepts=3, vocabulary=12):
    """Sentences of three to eight words from one small vocabulary, of any concept."""
    words = [f"word{chr(97 + i)}" for i in range(vocabulary)]
    rows = []
    for g, lang in product(range(n_groups), langs):
        text = " ".join(rng.choice(words, rng.integers(3, 9)))
        rows.append((f"g{g}", lang, f"{text} {g}", f"c{g % n_concepts}"))
    return made(rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Le thé à l'hôpital, 2024 cafés!", {"hopital", "cafes"}),
        ("Die STRASSE — die Straße.", {"strasse"}),
        ("İstanbul ΟΔΌΣ οδός ёлка", {"istanbul", "οδοσ", "елка"}),
        ("東京大学の学生", {"東京", "京大", "大学", "学生"}),
        ("チョコを食べた", {"チョコを"}),
        ("हिन्दी में किताबें", {"हिन्दी", "किताबें"}),
        ("كِتَابٌ كتـــاب", {"كتاب"}),
        ("בית־ספר שָׁלוֹם", {"שלום"}),
        ("abc def 12345 a1b2c3", set()),
        ("", set()),
    ],
)
def test_strings_are_long_words_without_case_and_accents_or_two_han_characters(text, expected):
    assert strings(text) == expected


def test_a_vowel_sign_is_no_accent():
    assert len(strings("दिवाली देवाला किताबें किताबों")) == 4


def test_letters_that_only_look_alike_are_not_shared():
    assert not strings("сосна осока") & strings("cocна ocoka cocha")


def test_strings_are_shared_within_a_group_in_both_directions_and_nowhere_else():
    concepts = made(
        [
            ("g0", "eng_Latn", "The hospital burns.", "fire"),
            ("g0", "spa_Latn", "El Hospital arde.", "fire"),
            ("g0", "zho_Hans", "医院在燃烧。", "fire"),
            ("g0", "jpn_Jpan", "病院が燃焼中、医院も。", "fire"),
            ("g1", "eng_Latn", "An animal rests.", "rest"),
            ("g1", "spa_Latn", "Una bestia en el hospital.", "rest"),
            ("g1", "zho_Hans", "动物休息。", "rest"),
            ("g1", "jpn_Jpan", "医院が休む。", "rest"),
        ]
    )
    assert shared_strings(concepts) == {
        0: {"spa_Latn": {"hospital"}},
        1: {"eng_Latn": {"hospital"}},
        2: {"jpn_Jpan": {"医院"}},
        3: {"zho_Hans": {"医院"}},
    }


def test_shares_equal_those_counted_pair_by_pair():
    concepts = drawn(np.random.default_rng(0))
    found, frame = shares(concepts), concepts.frame
    held = {(r.group, r.lang): strings(r.text) for r in frame.itertuples()}
    concept = {r.group: r.concepts for r in frame.itertuples()}
    meets = {
        (a, b): bool(held[a, "aaa_Latn"] & held[b, "bbb_Latn"])
        for a, b in product(concept, concept)
    }
    apart = [(a, b) for a, b in meets if a != b]
    own = [pair for pair in apart if concept[pair[0]] == concept[pair[1]]]
    other = [pair for pair in apart if concept[pair[0]] != concept[pair[1]]]
    assert found.overall[0, 1] == np.mean([meets[g, g] for g in concept])
    assert found.recurring[0, 1] == pytest.approx(np.mean([meets[pair] for pair in own]))
    assert found.chance[1, 0] == pytest.approx(np.mean([meets[pair] for pair in other]))
    for at, name in enumerate(concepts.concepts):
        expected = np.mean([meets[g, g] for g in concept if concept[g] == (name,)])
        assert found.shared[at, 0, 1] == found.shared[at, 1, 0] == pytest.approx(expected)
    assert np.isnan(np.diagonal(found.overall)).all()


def test_the_strings_shared_most_often_are_named_first():
    texts = ["hotel radio taxi", "hotel radio", "hotel zebra", "coala bread"]
    rows = [
        (f"g{g}", lang, f"{text} {lang} {g}", f"c{g % 2}")
        for (g, text), lang in product(enumerate(texts), ("aaa_Latn", "bbb_Grek"))
    ]
    concepts = made(rows)
    assert shares(concepts).examples.tolist() == [
        ["", "hotel, radio, bread"],
        ["hotel, radio, bread", ""],
    ]


def test_chance_is_drawn_from_some_groups_where_there_are_many(monkeypatch):
    concepts = drawn(np.random.default_rng(1), n_groups=200)
    whole = shares(concepts).chance[0, 1]
    monkeypatch.setattr("neurotrace.concepts.strings.MOST_GROUPS", 80)
    assert shares(concepts).chance[0, 1] == pytest.approx(whole, abs=0.03)


def test_the_order_of_rows_and_the_dress_of_words_change_nothing():
    concepts = drawn(np.random.default_rng(2))
    frame = concepts.frame.drop(columns=["lexical", "cognate"])
    mixed = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    mixed["text"] = [text.upper().replace(" ", " – ").replace("O", "Ö") for text in mixed["text"]]
    again = ConceptSet.from_frame(mixed, header={"languages": concepts.languages})
    for before, after in zip(shares(concepts), shares(again), strict=True):
        np.testing.assert_array_equal(before, after)


def test_sentences_without_translation_share_nothing_that_could_be_counted():
    rows = [(f"{lang}{g}", lang, f"hospital {g}", f"c{g % 2}")
            for g, lang in product(range(6), ("aaa_Latn", "bbb_Latn"))]  # fmt: skip
    concepts = made(rows, parallel=False)
    found = shares(concepts)
    assert shared_strings(concepts) == {}
    assert np.isnan(found.overall).all()
    assert found.chance[0, 1] == found.recurring[0, 1] == 1


def test_means_are_those_of_a_concepts_own_sentences_in_the_unit_of_the_script():
    concepts = made(
        [
            ("g0", "eng_Latn", "It rains , so what ?", "rain"),
            ("g0", "jpn_Jpan", "雨 が降る。", "rain"),
            ("g1", "eng_Latn", "Bread.", "bread"),
            ("g1", "jpn_Jpan", "パン", "bread"),
        ]
    )
    found = confounds(concepts, [8, 10, 3, 4])
    assert found["unit"].values.tolist() == ["word", "character"]
    assert found["words"].sel(lang="eng_Latn", concept="rain") == 4
    assert np.isnan(found["words"].sel(lang="jpn_Jpan")).all()
    assert found["characters"].sel(lang="jpn_Jpan", concept="rain") == 5
    assert found["tokens"].sel(lang="eng_Latn", concept="bread") == 3
    assert found["fertility"].sel(lang="eng_Latn", concept="rain") == 2
    assert found["fertility"].sel(lang="jpn_Jpan", concept="rain") == 2
    assert found["language_fertility"].values.tolist() == [11 / 5, 14 / 7]
    assert found["language_sentences"].values.tolist() == [2, 2]
    assert found["length_ratio"].sel(lang="eng_Latn", concept="rain") == pytest.approx(8 / 3)
    assert found["length_auroc"].sel(lang="eng_Latn").values.tolist() == [0, 1]


def test_length_tells_as_scikit_learn_says():
    concepts = drawn(np.random.default_rng(3), n_groups=60)
    n_tokens = np.random.default_rng(4).integers(3, 8, len(concepts))
    found = confounds(concepts, n_tokens)
    own = (concepts.frame["lang"] == "bbb_Latn").to_numpy()
    expected = [roc_auc_score(y, n_tokens[own]) for y in concepts.labels()[own].T]
    np.testing.assert_allclose(found["length_auroc"].sel(lang="bbb_Latn"), expected)
    np.testing.assert_allclose(found["length_auroc_sd"], np.sqrt(61 / (12 * 20 * 40)))


def test_a_tokenizer_twice_as_fine_doubles_fertility_and_nothing_else():
    concepts = drawn(np.random.default_rng(5))
    n_tokens = np.random.default_rng(6).integers(3, 8, len(concepts))
    one, two = confounds(concepts, n_tokens), confounds(concepts, 2 * n_tokens)
    np.testing.assert_allclose(two["fertility"], 2 * one["fertility"])
    for name in ("length_ratio", "length_auroc", "length_p", "fertility_ratio", "words", "shared"):
        np.testing.assert_allclose(two[name], one[name])


def test_a_concept_of_long_sentences_is_told_and_chance_is_not():
    rng = np.random.default_rng(7)
    concepts = drawn(rng, n_groups=120, n_concepts=4)
    carries = concepts.labels()[:, 2] == 1
    planted = rng.poisson(12, len(concepts)) + 4 * carries * (concepts.frame["lang"] == "aaa_Latn")
    p = confounds(concepts, planted)["length_p"].to_dataframe()["length_p"].unstack()
    assert p.loc["aaa_Latn", "c2"] < 1e-3
    assert (p.loc["bbb_Latn"] > 0.05).all()
    assert p.to_numpy().max() <= 1
    nulls = [confounds(concepts, rng.poisson(12, len(concepts))) for _ in range(60)]
    assert sum(bool((null["length_p"] <= 0.05).any()) for null in nulls) <= 8


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    concepts = drawn(np.random.default_rng(10), n_groups=60)
    found = confounds(concepts, np.random.default_rng(11).poisson(9, len(concepts)))
    raw = 2 * norm.sf(np.abs((found["length_auroc"] - 0.5) / found["length_auroc_sd"])).ravel()
    stepped = [p * (6 - rank) for rank, p in enumerate(np.sort(raw))]
    expected = np.minimum(np.maximum.accumulate(stepped), 1)
    np.testing.assert_allclose(np.sort(found["length_p"].values.ravel()), expected)


def test_a_sentence_not_judged_counts_on_neither_side():
    rows = [(f"g{i}", "aaa_Latn", f"text number {i}", ["c"] if i < 2 else []) for i in range(6)]
    frame = pd.DataFrame(rows, columns=["group", "lang", "text", "concepts"])
    frame["negative_for"] = [[], [], ["c"], ["c"], [], []]
    found = confounds(ConceptSet.from_frame(frame), [5, 5, 1, 9, 99, 99])
    assert found["length_auroc"].item() == 0.5
    assert found["length_ratio"].item() == 1


def test_without_a_tokenizer_length_is_counted_in_words():
    found = confounds(drawn(np.random.default_rng(8)))
    assert "fertility" not in found
    assert found.attrs["length"].startswith("words")


@pytest.mark.parametrize("counts", [[1, 2], [[1] * 48], [-1] * 48, [np.nan] * 48])
def test_counts_that_are_not_one_a_sentence_are_refused(counts):
    with pytest.raises(ValueError, match=r"got n_tokens of shape .* expected \(48,\)"):
        confounds(drawn(np.random.default_rng(9)), counts)


def test_one_language_and_signs_alone_are_borne():
    rows = [(f"g{i}", "aaa_Latn", "!? " * (i + 1), f"c{i % 2}") for i in range(6)]
    found = confounds(made(rows))
    assert np.isnan(found["length_ratio"]).all()
    assert np.isnan(found["shared"]).all()
