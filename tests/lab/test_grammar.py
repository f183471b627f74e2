"""Claims about the latent grammar and the frequencies of its lemmas."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from neurotrace.lab import grammar as g


@pytest.fixture(scope="module")
def shuffled() -> g.Frequencies:
    return g.Frequencies.shuffled(0, n_languages=4)


@pytest.fixture(scope="module")
def said(shuffled: g.Frequencies) -> g.Meanings:
    return _say(shuffled, documents=6000)


def _say(frequencies: g.Frequencies, *, documents: int, seed: int = 1) -> g.Meanings:
    rng = np.random.default_rng(seed)
    language = rng.integers(4, size=documents) % len(frequencies.ranked["topics"])
    return g.meanings(
        g.Grammar.draw(0),
        frequencies,
        language=language,
        topic=frequencies.topic(language, rng.random(documents)),
        draws=rng.random((documents, 4, g.DRAWS)),
    )


def test_there_are_236_lemmas_and_two_marks():
    assert g.LEMMAS == 16 * (6 + 4 + 3) + 12 + 6 + 10 == 236
    assert {g.FULL_STOP, g.QUESTION_MARK} == {236, 237}


def test_zipf_shapes_are_those_of_the_recipe(shuffled):
    nouns = np.diff(shuffled.cumulative["nouns"], prepend=0)
    np.testing.assert_allclose(nouns, np.array([60, 30, 20, 15, 12, 10]) / 147)
    topics = np.diff(shuffled.cumulative["topics"], prepend=0)
    np.testing.assert_allclose(topics[0] / topics[[3, 8, 15]], [2, 3, 4])
    verbs = np.diff(shuffled.cumulative["verbs"], prepend=0)
    np.testing.assert_allclose(verbs[0] / verbs[3], 4**0.8)


@pytest.mark.parametrize("kind", ["topics", "nouns", "verbs", "adjectives", "free_verbs"])
def test_every_language_has_its_own_order_of_frequencies(shuffled, kind):
    ranked = shuffled.ranked[kind]
    assert (np.sort(ranked, axis=-1) == np.arange(ranked.shape[-1])).all()
    for a in range(4):
        for b in range(a):
            assert not (ranked[a] == ranked[b]).all()


def test_topics_occur_as_often_as_their_rank_says(said, shuffled):
    expected = np.diff(shuffled.cumulative["topics"], prepend=0)
    for language in range(4):
        counts = np.bincount(said.topic[said.language == language], minlength=g.TOPICS)
        by_rank = counts[shuffled.ranked["topics"][language]] / counts.sum()
        np.testing.assert_allclose(by_rank, expected, atol=0.02)


def test_no_two_languages_agree_on_what_is_frequent():
    agreements = []
    for seed in range(40):
        order = np.argsort(g.Frequencies.shuffled(seed, n_languages=2).ranked["topics"], axis=-1)
        agreements.append(spearmanr(order[0], order[1]).statistic)
    assert abs(np.mean(agreements)) < 3 * 0.26 / np.sqrt(40)  # s.d. of one is 1/sqrt(15)


def test_slots_are_filled_as_often_as_the_recipe_says(said):
    assert (said.object != g.ABSENT).mean() == pytest.approx(0.8, abs=0.01)
    assert (said.place != g.ABSENT).mean() == pytest.approx(0.3, abs=0.01)
    assert (said.adjective != g.ABSENT).mean() == pytest.approx(0.4, abs=0.01)
    assert (said.verb < g.FREE_VERB).mean() == pytest.approx(0.6, abs=0.01)
    assert said.negated.mean() == pytest.approx(0.1, abs=0.01)
    assert said.past.mean() == pytest.approx(0.3, abs=0.01)


def test_eight_percent_of_the_slots_leave_the_topic(said):
    topical = said.verb < g.FREE_VERB
    topic = np.broadcast_to(said.topic[:, None], said.verb.shape)[topical]
    off = (said.verb[topical] - g.VERB) // g.VERBS != topic
    assert off.mean() == pytest.approx(0.08, abs=0.01)
    first = said.subject[:, 0]  # nothing can be named again here
    assert ((first - g.NOUN) // g.NOUNS != said.topic).mean() == pytest.approx(0.08, abs=0.01)


def test_entities_are_named_again():
    """With every noun of 96 equally likely, a second noun equals the first in 40 % and 1/96."""
    rng = np.random.default_rng(0)
    nouns = [rng.integers(0, 10**9, (4000, 2)) for _ in range(3)]
    there = [np.ones((4000, 2), bool)] * 3
    chances = [(rng.random((4000, 2)), rng.random((4000, 2))) for _ in range(3)]
    subject, object_, place = g._repeat(nouns, there, chances)
    assert (object_[:, 0] == subject[:, 0]).mean() == pytest.approx(0.4, abs=0.03)
    named = np.stack([subject[:, 0], object_[:, 0]], axis=1)
    assert (place[:, [0]] == named).any(axis=1).mean() == pytest.approx(0.4, abs=0.03)
    assert (subject[:, 0] == nouns[0][:, 0]).all()


def test_anchors_become_the_rarest_and_nothing_else_moves(shuffled):
    anchors = g.Grammar.draw(0).anchors
    rare = shuffled.with_rare(anchors).ranked["nouns"]
    for language in range(4):
        for topic in range(g.TOPICS):
            before, after = shuffled.ranked["nouns"][language, topic], rare[language, topic]
            assert set(after[-2:]) == set(anchors[topic])
            rest = [noun for noun in before if noun not in anchors[topic]]
            assert after[:4].tolist() == rest


def test_flat_frequencies_are_even_and_know_no_anchors():
    grammar = g.Grammar.draw(0)
    said = _say(g.Frequencies.flat(grammar), documents=4000)
    present = np.concatenate([said.subject, said.object, said.place]).ravel()
    assert not np.isin(present, grammar.anchor_lemmas()).any()
    nouns = present[(present >= g.NOUN) & (present < g.VERB)]
    counts = np.bincount(nouns - g.NOUN, minlength=96)
    own = counts[counts > 0]
    assert len(own) == 64
    # Naming again bunches them, so the spread is wider than a multinomial's.
    assert own.std() / own.mean() < 0.2


def test_the_same_draws_give_the_same_meanings_and_are_not_changed(shuffled):
    draws = np.random.default_rng(3).random((10, 4, g.DRAWS))
    kept = draws.copy()
    languages, topics = np.arange(10) % 4, np.arange(10)
    made = [
        g.meanings(g.Grammar.draw(0), shuffled, language=languages, topic=topics, draws=draws)
        for _ in range(2)
    ]
    for name, values in vars(made[0]).items():
        np.testing.assert_array_equal(values, vars(made[1])[name])
    np.testing.assert_array_equal(draws, kept)
