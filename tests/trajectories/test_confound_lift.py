"""What else differs, lifted over a store: its sentences, its tokenizer, its overlap."""

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from planted import Stage

from neurotrace import trajectories
from neurotrace.concepts import ConceptSet
from neurotrace.concepts.confounds import confounds as between_sentences
from neurotrace.store import ActivationStore, StoreMismatch
from neurotrace.trajectories import confounds
from neurotrace.trajectories.confounds import CONCEPTS

STAGE = Stage(n_langs=4, n_concepts=3, n_groups=8, widths=(8,))
# Share of the groups in which two languages write the same word.
SPELLED = np.array([[0, 8, 4, 2], [8, 0, 1, 0], [4, 1, 0, 3], [2, 0, 3, 0]]) / 8


def told(stage: Stage = STAGE) -> ConceptSet:
    """A sentence for each row of a planted store; the n-th groups share as SPELLED says."""
    rows = []
    for lang, group, concept in zip(stage.lang, stage.group, stage.concept, strict=True):
        own = [f"common{chr(97 + min(lang, b))}{chr(97 + max(lang, b))}" for b in range(4)
               if b != lang and group % 8 < SPELLED[lang, b] * 8]  # fmt: skip
        text = " ".join([*own, f"say{lang}", f"{group}"])
        rows.append((f"g{group:04d}", stage.languages[lang], text, f"c{concept:02d}"))
    return ConceptSet.from_frame(pd.DataFrame(rows, columns=["group", "lang", "text", "concept"]))


@pytest.fixture
def store(tmp_path):
    """A planted store whose files name the sentences beside them."""
    concepts, X = told(), np.random.default_rng(0).random((len(STAGE.lang), 8))
    STAGE.write(tmp_path, {0: X, 64: X})
    for file in tmp_path.glob("*.h5"):
        with h5py.File(file, "a") as h5:
            h5.attrs["concepts"] = concepts.digest
            h5["examples/n_tokens"][...] = 3 + np.arange(len(STAGE.lang)) % 5
    concepts.to_jsonl(tmp_path / CONCEPTS)
    return ActivationStore.open(tmp_path)


def overlapping(corrected: np.ndarray, *, chance: float = 0.05) -> xr.Dataset:
    """An overlap of two sizes and two steps whose last step is corrected to what is given."""
    rel = np.array([0.5, 0.6, 0.7, 0.8])
    root = np.sqrt((rel[:, None] - chance) * (rel[None, :] - chance))
    value = chance + root * corrected
    value[range(4), range(4)] = np.nan
    dims = ("step", "k", "concept", "lang_a", "lang_b")
    every = np.broadcast_to(value, (2, 2, 3, 4, 4)).copy()
    every[0] = every[:, 0] = chance
    spread = np.array([-0.02, 0, 0.02])[:, None, None]
    return xr.Dataset(
        {
            "value": (dims, every + spread),
            "rel": (("step", "k", "concept", "lang"), np.broadcast_to(rel, (2, 2, 3, 4))),
            "chance": ("k", [0.01, chance]),
        },
        {"step": [0, 64], "k": [5, 51], "lang_a": STAGE.languages, "lang_b": STAGE.languages},
        {"main_k": 51},
    )


def test_a_store_tells_what_its_sentences_tell_under_its_tokenizer(store):
    n_tokens = 3 + np.arange(len(STAGE.lang)) % 5
    xr.testing.assert_identical(confounds(store), between_sentences(told(), n_tokens))
    found = confounds(store)
    np.testing.assert_allclose(found["shared"].values[~np.eye(4, dtype=bool)],
                               SPELLED[~np.eye(4, dtype=bool)])  # fmt: skip
    assert found.attrs["length"] == "tokens"


def test_overlap_that_follows_the_spelling_is_told_to_the_pair(store):
    planted = 0.1 + 0.5 * SPELLED
    found = confounds(store, overlap=overlapping(planted))
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found["corrected"].values[off], planted[off])
    assert found["shared_r"] == pytest.approx(1)
    assert found["shared_p"] == pytest.approx(1 / 24)
    assert found.attrs["step"] == 64
    assert found.attrs["nodes"] == 4
    against = confounds(store, overlap=overlapping(0.9 - planted))
    assert against["shared_r"] == pytest.approx(-1)


def test_a_language_too_unreliable_to_be_corrected_is_no_sample(store):
    overlap = overlapping(0.1 + 0.5 * SPELLED)
    overlap["rel"] = overlap["rel"].copy()
    overlap["rel"].values = np.where(np.arange(4) == 3, 0.1, overlap["rel"].values)
    found = confounds(store, overlap=overlap)
    assert np.isnan(found["corrected"].values[3]).all()
    assert found.attrs["nodes"] == 3


def test_results_survive_the_file(store):
    results = trajectories.Results(store.path)
    found = confounds(store, overlap=overlapping(SPELLED))
    xr.testing.assert_equal(results.get("confounds", lambda: found), found)
    again = results["confounds"]
    assert again["unit"].values.tolist() == ["word"] * 4
    assert again["shared_examples"].values[0, 1] == "commonab"
    assert again["concept"].values.tolist() == store.concepts
    assert again.attrs == found.attrs


def test_other_sentences_than_those_captured_are_refused(store):
    other = told(Stage(n_langs=4, n_concepts=4, n_groups=8, widths=(8,)))
    other.to_jsonl(store.path / CONCEPTS)
    with pytest.raises(StoreMismatch, match=r"got concepts.jsonl with digest \w{12}; expected"):
        confounds(store)


def test_a_store_without_sentences_is_refused_and_left_out_of_a_trace(store):
    names = [name for name, _ in trajectories.tasks(store, {}.get, analyses=("confounds",))]
    assert names == ["confounds"]
    (store.path / CONCEPTS).unlink()
    with pytest.raises(FileNotFoundError, match="without concepts.jsonl"):
        confounds(store)
    with pytest.warns(UserWarning, match="differs between languages is left out: there is no"):
        assert trajectories.tasks(store, {}.get, analyses=("confounds",)) == []


def test_a_trace_hands_over_the_overlap_only_where_it_was_asked_for(store):
    overlap = overlapping(SPELLED)
    for analyses, expected in ((("confounds",), False), (("overlap", "confounds"), True)):
        tasks = dict(trajectories.tasks(store, {"overlap": overlap}.__getitem__,
                                        analyses=analyses, top=2))  # fmt: skip
        assert ("corrected" in tasks["confounds"]()) is expected
        assert list(tasks)[-1] == "confounds"
