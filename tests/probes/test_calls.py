"""Calls: known families by hand, languages that depend on one another, and what is refused."""

import numpy as np
import pytest

from neurotrace.probes import call_experts, languages_served, partial_conjunction


def test_a_family_is_everything_handed_in():
    p = np.array([[0.01, 0.5], [0.02, 0.9]])
    together = call_experts(p)
    np.testing.assert_allclose(together.q, [[0.04, 2 / 3], [0.04, 0.9]])
    assert together.passes.tolist() == [[True, False], [True, False]]
    assert together.family == "4 tests (2 x 2)"
    alone = call_experts(p[1])
    np.testing.assert_allclose(alone.q, [0.04, 0.9])
    assert call_experts(p, alpha=0.03).passes.sum() == 0


def test_any_dependence_costs_the_harmonic_sum():
    p = np.linspace(0.001, 0.2, 7)
    ratio = call_experts(p, method="by").q / call_experts(p).q
    np.testing.assert_allclose(ratio, sum(1 / i for i in range(1, 8)))


def test_a_family_can_be_kept_to_what_other_sentences_called():
    p = np.array([0.02, 0.03, 0.9, 0.04])
    called = call_experts(p, among=np.array([True, False, False, True]))
    np.testing.assert_allclose(called.q, [0.04, np.nan, np.nan, 0.04])
    assert called.passes.tolist() == [True, False, False, True]
    assert called.family == "2 tests"
    assert call_experts(p, among=np.zeros(4, bool)).passes.sum() == 0


def test_partial_conjunction_by_hand():
    p = np.array([0.03, 0.001, 0.2, 0.004])
    found = [float(partial_conjunction(p, least=k)) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, [4 * 0.001, 3 * 0.004, 2 * 0.03, 0.2])
    assert float(partial_conjunction([0.01, 0.011], least=2)) == pytest.approx(0.02)


@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
def test_partial_conjunction_holds_however_languages_depend(rho):
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    common, own = rng.standard_normal((1, 40_000)), rng.standard_normal((4, 40_000))
    p = norm.sf(np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
    p[0] = 1e-9  # served in one language for certain: "in two" is false all the same
    for level in (0.05, 0.01):
        spread = 3 * (level * (1 - level) / p.shape[1]) ** 0.5
        assert (partial_conjunction(p, least=2) <= level).mean() <= level + spread


def test_languages_are_named_on_one_half_and_confirmed_on_the_other():
    p = np.full((3, 1, 4), 0.9)
    confirm = np.full((3, 1, 4), 0.9)
    p[:, 0, 0] = confirm[:, 0, 0] = 1e-6  # all three
    p[:2, 0, 1] = confirm[:2, 0, 1] = 1e-6  # two
    p[2, 0, 2] = 1e-6  # called, never confirmed
    p[:2, 0, 3] = [1e-9, 1e-6]  # called in two, confirmed in the likelier one
    confirm[0, 0, 3] = 1e-6
    served = languages_served(p, confirm)
    assert served.n_languages.tolist() == [[3, 2, 0, 1]]
    assert served.passes[:, 0].T.tolist() == [
        [True, True, True],
        [True, True, False],
        [False, False, False],
        [True, False, False],
    ]
    assert np.isnan(served.q[0, 2])
    assert np.isnan(served.q_confirmed[0, 2])
    assert (served.q[0, [0, 1, 3]] <= 0.05).all()


def test_a_language_that_confirms_cannot_stand_in_for_the_one_named():
    p = np.array([1e-9, 0.5, 0.5]).reshape(3, 1, 1)
    assert languages_served(p, p[::-1].copy()).n_languages.sum() == 0
    assert languages_served(p, p).n_languages.sum() == 1


def test_names_of_languages_concepts_and_neurons_do_not_matter():
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 4, 3, 50)) ** 6
    plain = languages_served(first, second)
    at = np.ix_(rng.permutation(4), rng.permutation(3), rng.permutation(50))
    mixed = languages_served(first[at], second[at])
    assert plain.passes.any()
    np.testing.assert_array_equal(mixed.passes, plain.passes[at])
    np.testing.assert_array_equal(mixed.q, plain.q[np.ix_(*[a.ravel() for a in at[1:]])])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: call_experts([0.1, 1.2]), "all from 0 to 1"),
        (lambda: call_experts([0.1, np.nan]), "all from 0 to 1"),
        (lambda: call_experts([0.1], method="holm"), "got method 'holm'; valid are bh, by"),
        (lambda: call_experts([0.1], alpha=1.0), "got alpha=1.0"),
        (lambda: call_experts([0.1], among=[1]), "expected bool"),
        (lambda: partial_conjunction([0.1, 0.2], least=3), "got least=3"),
        (lambda: languages_served([0.1], [0.1]), r"expected \(lang, concept, neuron\) twice"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        given()
