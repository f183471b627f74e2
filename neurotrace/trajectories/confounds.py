"""What else differs between the languages of a run, beside what their experts share.

Read from the sentences and the tokenizer alone. It says nothing of the model, and so it says what
a neuron could answer to without any meaning: spelling, length, and how words are cut.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import axes, geometry
from neurotrace.concepts import ConceptSet
from neurotrace.concepts.confounds import confounds as between_sentences
from neurotrace.store import ActivationStore, StoreMismatch
from neurotrace.trajectories.agreement import reliability_root
from neurotrace.trajectories.lifts import step_keys

CONCEPTS = "concepts.jsonl"


def confounds(
    store: ActivationStore, *, overlap: xr.Dataset | None = None, seed: int = 0
) -> xr.Dataset:
    """Length, fertility and shared strings of a store's sentences, under its tokenizer.

    *Eats* example → *leaves* lang, concept, lang_a, lang_b.

    Parameters
    ----------
    overlap
        What :func:`neurotrace.trajectories.expert_overlap` returns. With it, the corrected overlap
        of each language pair at the last step stands beside the strings that the pair shares.
    seed
        Of the permutations of languages.

    Returns
    -------
    What :func:`neurotrace.concepts.confounds.confounds` returns; with ``overlap`` also
    ``corrected`` (lang_a, lang_b), formed from the means over concepts as in a summary, with its
    chance level 0, and the rank correlation of it with ``shared`` over pairs: ``shared_r``,
    ``shared_p`` from permuted languages, and ``shared_r_detectable``, the smallest that could be
    told from chance. See :func:`neurotrace.geometry.mantel`.

    Raises
    ------
    FileNotFoundError
        When no concepts.jsonl stands beside the store's files.
    StoreMismatch
        When it holds other sentences than those captured.
    """
    result = between_sentences(sentences(store), store.examples["n_tokens"].to_numpy())
    if overlap is not None:
        corrected = _corrected(overlap)
        found = geometry.mantel(corrected, result["shared"].values, seed=seed)
        result["corrected"] = (("lang_a", "lang_b"), corrected)
        result = result.assign(
            corrected_chance=0.0,
            shared_r=found.r,
            shared_p=found.p,
            shared_r_detectable=found.detectable,
            shared_r_chance=0.0,
        )
        result.attrs |= {"step": int(overlap["step"].values[-1]), "nodes": found.nodes}
    axes.check(result)
    return result


def sentences(store: ActivationStore) -> ConceptSet:
    """The sentences of a store, read from the file beside it.

    Raises
    ------
    FileNotFoundError
        When there is none.
    StoreMismatch
        When they are not those captured.
    """
    file = (store.path if store.path.is_dir() else store.path.parent) / CONCEPTS
    if not file.is_file():
        raise FileNotFoundError(
            f"got {store.path.name} without {CONCEPTS}; expected the sentences beside the captured "
            "files, as a capture leaves them"
        )
    concepts, captured = ConceptSet.load(file), store.header(step_keys(store)[0]).get("concepts")
    if concepts.digest != captured:
        raise StoreMismatch(
            f"got {CONCEPTS} with digest {concepts.digest[:12]}; expected "
            f"{str(captured)[:12]}, that of the sentences captured in {store.path.name}"
        )
    return concepts


def _corrected(overlap: xr.Dataset) -> NDArray[np.float64]:
    """Corrected overlap of each pair ``(lang_a, lang_b)`` at the last step and the headline k."""
    last = overlap.isel(step=-1)
    if "k" in last.dims:
        sizes = last["k"].values.tolist()
        k = overlap.attrs.get("main_k", sizes[len(sizes) // 2])
        last = last.isel(k=sizes.index(k))
    value = last["value"].mean("concept").transpose("lang_a", "lang_b").values
    rel, chance = last["rel"].mean("concept").values, float(last["chance"])
    root = reliability_root(rel[:, None], rel[None, :], chance)
    return (value - chance) / root
