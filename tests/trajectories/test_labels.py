"""Labels of neurons: planted kinds come out, silent labels find none, words are no concepts."""

import numpy as np
import pytest
from planted import PATH, Stage

from neurotrace.store import ActivationStore
from neurotrace.trajectories import label_counts, neuron_labels

STAGE = Stage(n_concepts=4, n_groups=40, n_langs=3, widths=(40, 40))
SHARED, OWN, TONGUE = range(0, 8), range(40, 50), range(50, 70)


def planted(rng: np.random.Generator, *, shared=6.0, own=6.0, tongue=9.0) -> np.ndarray:
    """Neurons of a concept each in all languages, of concept 2 in language 1, of language 2."""
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    X[:, SHARED] += shared * (STAGE.concept[:, None] == np.array(SHARED) % STAGE.n_concepts)
    X[:, OWN] += own * ((STAGE.concept == 2) & (STAGE.lang == 1))[:, None]
    X[:, TONGUE] += tongue * (STAGE.lang == 2)[:, None]
    return X


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ActivationStore:
    rng = np.random.default_rng(0)
    responses = {0: planted(rng, shared=0, own=0, tongue=0), 100: planted(rng)}
    return STAGE.write(tmp_path_factory.mktemp("labels"), responses)


def test_planted_kinds_come_out(store):
    frame = neuron_labels(store, 100)
    found = {kind: list(frame.index[frame["kind"] == kind]) for kind in set(frame["kind"])}
    assert found["shared"] == list(SHARED)
    assert found["one_language"] == list(OWN)
    assert found["language"] == list(TONGUE)
    assert len(found["neither"]) == 80 - 38
    assert frame.loc[SHARED, "concept"].tolist() == ["c00", "c01", "c02", "c03"] * 2
    assert set(frame.loc[SHARED, "n_languages"]) == {3}
    assert set(frame.loc[OWN, "languages"]) == {"qab_Latn"}
    assert set(frame.loc[TONGUE, "tells"]) == {"qac_Latn"}
    assert (frame.loc[SHARED, "ap"] > 0.95).all()
    assert (frame.loc[SHARED, "coincidence"] < 0.1).all()
    assert frame["layer"].tolist() == [0] * 40 + [1] * 40
    assert frame["neuron"].tolist() == [*range(40), *range(40)]
    assert frame.attrs["scripts"] == "not decidable"


def test_counts_follow_the_steps_and_silent_labels_find_nothing(store):
    found = label_counts(store, replicates=5)
    assert found["shared"].values.tolist() == [0, 8]
    assert found["one_language"].values.tolist() == [0, 10]
    assert found["language"].values.tolist() == [0, 20]
    assert found["tells"].values.tolist() == [[0, 0, 0], [0, 0, 20]]
    assert found["all"].values.tolist() == [0, 8]
    assert float(found["all_chance"][1]) < 2
    for kind in ("shared", "one_language", "language"):
        assert found[f"{kind}_chance"].values.tolist() == [0, 0]
    assert found["shared_pseudo"].values.tolist() == [0, 0]
    assert np.isnan(found["script"]).all()
    assert np.isnan(found["shared_learned"]).all()
    assert found["undecided"].values.tolist() == [0, 18]
    assert found.attrs["alpha"] == 0.05


def test_figures_come_from_the_half_that_did_not_call(tmp_path):
    from neurotrace.probes import average_precision
    from neurotrace.trajectories.halved import Halved

    weak = STAGE.write(tmp_path, {0: planted(np.random.default_rng(3), own=2.5)})
    in_b = ~Halved.of(weak, PATH, n_splits=1, seed=0).in_a[0]
    rows = in_b & (STAGE.lang == 1)
    expected = average_precision(weak.read(0, 1, PATH).values[rows], weak.labels[rows])[2]
    frame = neuron_labels(weak, 0).loc[list(OWN)]
    called = (frame["concept"] == "c02").to_numpy()
    assert called.sum() > 5
    assert expected[:10][called].mean() < 0.99
    np.testing.assert_allclose(frame["ap"][called], expected[:10][called], rtol=1e-6)


def test_the_twin_says_what_was_learned(store, tmp_path):
    rng = np.random.default_rng(5)
    same = STAGE.write(tmp_path / "same", {0: planted(rng)})
    silent = STAGE.write(tmp_path / "silent", {0: planted(rng, shared=0, own=0, tongue=0)})
    against_silence = neuron_labels(store, 100, twin=silent)
    kinds = against_silence["kind"] != "neither"
    assert against_silence.loc[kinds, "learned"].all()
    against_itself = neuron_labels(store, 100, twin=same)
    assert against_itself.loc[kinds, "learned"].mean() < 0.5
    assert label_counts(store, twin=silent, replicates=2)["shared_learned"][1] == 8


def with_words(store: ActivationStore, word: np.ndarray) -> ActivationStore:
    """The same store, which knows in which sentences the concept's word occurs."""
    knows = ActivationStore.open(store.path)
    knows.__dict__["examples"] = store.examples.assign(lexical=word)
    return knows


def test_neurons_of_a_word_are_not_those_of_a_concept(tmp_path):
    rng = np.random.default_rng(1)
    word = np.tile(rng.permutation(np.arange(STAGE.n_concepts * STAGE.n_groups) % 4 > 0), 3)
    X = rng.standard_normal((len(STAGE.lang), STAGE.n_neurons))
    X[:, :10] += 6 * (STAGE.concept == 1)[:, None]
    X[:, 10:20] += 6 * ((STAGE.concept == 1) & word)[:, None]
    store = STAGE.write(tmp_path, {0: X})
    # A quarter of a word's positives are left to chance: AUROC about .88, which `least` lets pass.
    frame = neuron_labels(with_words(store, word), 0, least=0.7)
    assert set(frame.loc[:9, "evidence"]) == {"concept"}
    assert set(frame.loc[10:19, "evidence"]) == {"word"}
    assert set(frame.loc[:19, "kind"]) == {"shared"}
    assert set(neuron_labels(store, 0, least=0.7).loc[:19, "evidence"]) == {"undecided"}


def test_average_precision_calls_the_same_strong_neurons(store):
    frame = neuron_labels(store, 100, score="average_precision")
    assert frame["kind"].tolist() == neuron_labels(store, 100)["kind"].tolist()


def test_rates_bring_the_languages_of_lape(tmp_path):
    rng = np.random.default_rng(2)
    rate = (rng.random((len(STAGE.lang), STAGE.n_neurons)) < 0.3).astype(float)
    rate[:, 47] = STAGE.lang == 1
    responses = {PATH: rng.standard_normal(rate.shape), "mlp.hook_pre/rate": rate}
    frame = neuron_labels(STAGE.write(tmp_path, {0: responses}), 0)
    assert frame.loc[47, "lape"] == "qab_Latn"
    assert set(frame["lape"].drop(47)) == {""}


def test_what_is_refused(store):
    with pytest.raises(ValueError, match="got score 'f1'; valid are auroc, average_precision"):
        neuron_labels(store, 100, score="f1")
    with pytest.raises(ValueError, match="got method 'holm'"):
        neuron_labels(store, 100, method="holm")
