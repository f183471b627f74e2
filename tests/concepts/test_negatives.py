"""Equal numbers in every language: what is drawn, what is not judged, what is refused."""

import numpy as np
import pandas as pd
import pytest

from neurotrace.concepts import ConceptSet

LANGS = ["qaa_Latn", "qab_Cyrl"]


def uneven_frame() -> pd.DataFrame:
    """Not parallel: 6 and 9 sentences of ``a``, 12 and 7 of ``b``."""
    counts = {
        ("qaa_Latn", "a"): 6,
        ("qab_Cyrl", "a"): 9,
        ("qaa_Latn", "b"): 12,
        ("qab_Cyrl", "b"): 7,
    }
    return pd.DataFrame(
        [
            {
                "group": f"{lang}{concept}{i}",
                "lang": lang,
                "concept": concept,
                "text": f"{concept}{i}",
            }
            for (lang, concept), n in counts.items()
            for i in range(n)
        ]
    )


def counts(concepts: ConceptSet, wanted: int) -> list[list[int]]:
    labels, langs = concepts.labels(), concepts.frame["lang"].to_numpy()
    return [(labels[langs == lang] == wanted).sum(0).tolist() for lang in LANGS]


def test_every_language_gets_as_many_as_the_poorest_has():
    concepts = ConceptSet.from_frame(uneven_frame())
    assert concepts.uneven == ["a", "b"]
    even = concepts.balanced(seed=3)
    assert counts(even, 1) == [[6, 7], [6, 7]]
    assert counts(even, 0) == [[7, 6], [7, 6]]
    assert even.uneven == []
    assert even.header["balanced"] == {"positives": None, "negatives": None, "seed": 3}


def test_what_was_not_drawn_is_not_judged():
    even = ConceptSet.from_frame(uneven_frame()).balanced(positives=4, negatives=3)
    labels = even.labels()
    assert counts(even, 1) == [[4, 4], [4, 4]]
    assert counts(even, 0) == [[3, 3], [3, 3]]
    assert (labels >= 0).any(1).all(), "sentences that no concept drew are left out"
    assert (labels == -1).any()


def test_the_seed_alone_decides_the_draw():
    concepts = ConceptSet.from_frame(uneven_frame())
    draws = [concepts.balanced(negatives=3, seed=seed).digest for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_parallel_set_draws_the_same_groups_in_every_language():
    df = pd.DataFrame(
        [
            {"group": f"g{i}", "lang": lang, "concept": "abc"[i % 3], "text": f"{lang} {i}"}
            for i in range(30)
            for lang in LANGS
        ]
    )
    drawn = ConceptSet.from_frame(df).balanced(negatives=5, seed=1)
    labels, frame = drawn.labels(), drawn.frame
    for column in range(3):
        negative = frame[labels[:, column] == 0]
        by_lang = [set(negative.loc[negative["lang"] == lang, "group"]) for lang in LANGS]
        assert by_lang[0] == by_lang[1]
        assert len(by_lang[0]) == 5


def test_own_negatives_are_drawn_before_any_other():
    df = uneven_frame()
    df["negative_for"] = np.where(df["concept"] == "b", "a", "b")
    df = pd.concat(
        [
            df,
            pd.DataFrame(
                {
                    "group": f"{lang}x",
                    "lang": lang,
                    "text": "x",
                    "concepts": [[]],
                    "negative_for": "",
                }
                for lang in LANGS
            ),
        ],
        ignore_index=True,
    )
    even = ConceptSet.from_frame(df.drop(columns="concepts")).balanced()
    assert "x" not in set(even.frame["text"])


def test_more_than_a_language_has_is_refused_by_name():
    concepts = ConceptSet.from_frame(uneven_frame())
    with pytest.raises(ValueError, match=r"got 8 negatives asked for; qab_Cyrl has 7 of 'a'"):
        concepts.balanced(negatives=8)
    with pytest.raises(ValueError, match=r"got 0 positives asked for; qaa_Latn has 6 of 'a'"):
        concepts.balanced(positives=0)


def test_halves_are_even_in_each_language_of_a_set_that_is_not_parallel():
    concepts = ConceptSet.from_frame(uneven_frame())
    carries = concepts.labels()[:, 0] == 1
    for lang in LANGS:
        own = carries & (concepts.frame["lang"] == lang).to_numpy()
        in_a = concepts.halves(10)[:, own].sum(1)
        assert (abs(2 * in_a - own.sum()) <= 1).all()


def test_sentences_are_counted_by_concept_language_and_label():
    judged = ConceptSet.from_frame(uneven_frame()).n_judged
    assert judged["a", "qaa_Latn", "positives"] == 6
    assert judged["a", "qab_Cyrl", "negatives"] == 7
    assert min(judged, key=lambda key: judged[key]) == ("a", "qaa_Latn", "positives")
