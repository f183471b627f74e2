"""Labels of neurons as results of a run: the counts, the table, and whether they can be had.

A trace over all analyses must not fail because its sentences are too few for one of them, nor
print zeros where nothing could have been called: both are asked before anything is read.
"""

from dataclasses import replace
from math import comb

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evidence import Bars, Questions
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.label_counting import CONTROLS, Counting, Judged
from neurotrace.trajectories.labels import PART, label_counts, neuron_table
from neurotrace.trajectories.lifts import StepKey, language_rows, step_keys
from neurotrace.trajectories.parts import Part, kept

ALPHA = 0.05
TABLE = "labelled_neurons"
PER_KIND = 50  # rows of the table for each kind: no kind crowds out another
FEWEST = 8  # groups with a concept, and without it, in each language: halves and nulls need them


def why_not(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    alpha: float = ALPHA,
    seed: int = 0,
) -> str | None:
    """What keeps neurons from being labelled, in words; None where nothing does.

    Labels need two languages, positives and negatives of every concept in each language on both
    halves (under the silent labels, too), and so many of them that a neuron which ranks a concept
    perfectly is called although no other is.
    """
    if len(store.languages) < 2:
        return "there is one language"
    examples, labels = store.examples, store.labels
    for lang, own in language_rows(store):
        groups = examples["group"].to_numpy()[own]
        for name, column in zip(store.concepts, labels[own].T, strict=True):
            held, lacking = (len(np.unique(groups[column == value])) for value in (1, 0))
            if min(held, lacking) < FEWEST:
                return (
                    f"{name} has {held} sentence groups with it and {lacking} without it in "
                    f"{lang}, and {FEWEST} of either are needed"
                )
    nulls = [None, *(n for n in CONTROLS.values() if n != "pseudo" or len(store.concepts) > 1)]
    for null in nulls:
        halved = Halved.of(store, path, n_splits=1, seed=seed, null=null)
        smallest = _smallest_p(halved)
        if smallest is None:
            return "a half of the sentences lacks a concept in some language"
        if null is None:
            tests = len(store.languages) * len(store.concepts) * int(halved.widths.sum())
            if smallest * tests > alpha:
                return (
                    f"no single neuron could be called among {tests:,} tests with so few "
                    "sentences of a concept"
                )
    return None


def counted(
    store: ActivationStore,
    *,
    path: str = "mlp.hook_post/max",
    texts: list[str] | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """:func:`neurotrace.trajectories.label_counts`, and what must be known to read it.

    Returns
    -------
    Its Dataset with the attributes ``concepts`` and ``languages`` (how many), ``compared`` (groups
    on which languages were compared, those of the smaller half), ``language_p`` (the smallest
    p-value a language can get from them) and ``lacking`` (sentences of a concept without its usual
    word; −1 where nothing says so).
    """
    found = label_counts(store, path=path, twin=store.twin, texts=texts, seed=seed)
    questions = Questions.of(
        store, path, score=found.attrs["score"], least=found.attrs["least"], seed=seed
    )
    compared = min(questions.n_compared)
    lexical = store.examples.get("lexical")
    positive = (store.labels > 0).any(1)
    lacking = -1 if lexical is None else int((positive & ~lexical.to_numpy(bool)).sum())
    return found.assign_attrs(
        concepts=len(store.concepts),
        languages=len(store.languages),
        compared=compared,
        language_p=float(found.attrs["least"] ** compared),
        lacking=lacking,
    )


def labelled(
    store: ActivationStore, *, path: str = "mlp.hook_post/max", seed: int = 0
) -> xr.Dataset:
    """The called neurons of the last step as a row table, the surest of each kind first.

    A neuron of a concept in more languages stands before one of fewer, then the smaller ``q``
    counts: both are from half A, so that the figures, from half B, were not chosen to be high.

    Returns
    -------
    The columns of :func:`neurotrace.trajectories.neuron_labels` over ``example``, ``learned`` as
    1, 0 or NaN, at most 50 rows a kind. Attributes ``step path languages alpha method least family
    family_languages scripts`` and ``<kind>_called``, the neurons there are of each kind.
    """
    last, counting = step_keys(store)[-1], _usual(store, path, None, seed)

    def compute() -> xr.Dataset:
        return _table(counting, last, counting.judged(last))

    return kept(store, last, compute, name=TABLE, settings=_told(counting))


def labels_kept(
    store: ActivationStore,
    *,
    path: str,
    texts: list[str] | None,
    seed: int,
    last: bool,
) -> None:
    """Have the counts of every checkpoint kept, and its table where it may be the last one."""
    counting = _usual(store, path, texts, seed)
    parts = [Part.of(PART, counting.settings), Part.of(TABLE, _told(counting))][: 1 + last]
    for step in step_keys(store):

        def compute(step: StepKey = step) -> list[xr.Dataset]:
            judged = counting.judged(step)
            counts = counting.counts(step, judged)
            return [counts, _table(counting, step, judged)] if last else [counts]

        store.parts.together(step, parts, compute)


def label_bars(twin: ActivationStore, *, path: str, seed: int) -> Bars | None:
    """What the neurons of a re-initialised model reach, kept for all checkpoints."""
    return replace(_usual(twin, path, None, seed), twin=twin).bars


def _usual(store: ActivationStore, path: str, texts: list[str] | None, seed: int) -> Counting:
    """Counting with the settings that a trace has no options for."""
    twin = store.twin
    return Counting(store, path, "auroc", ALPHA, "bh", probes.LEAST, twin, texts, 20, seed)


def _told(counting: Counting) -> dict[str, object]:
    """Settings of the table, which knows of no texts."""
    return {name: value for name, value in counting.settings.items() if name != "texts"}


def _table(counting: Counting, step: StepKey, judged: Judged) -> xr.Dataset:
    store, path = counting.store, counting.path
    frame = neuron_table(counting, step, judged)
    kinds = [kind for kind in probes.KINDS if kind != "neither"]
    kept = pd.concat([_surest(frame[frame["kind"] == kind]) for kind in kinds], ignore_index=True)
    attrs = {name: frame.attrs[name] for name in ("alpha", "method", "least", "family")}
    attrs |= {name: frame.attrs[name] for name in ("family_languages", "scripts")}
    attrs |= {f"{kind}_called": int((frame["kind"] == kind).sum()) for kind in kinds}
    columns = {str(name): ("example", _plain(kept[name])) for name in kept.columns}
    number = step[1] if isinstance(step, tuple) else step
    attrs |= {"step": number, "path": path, "languages": len(store.languages)}
    return xr.Dataset(columns, attrs=attrs)


def _surest(rows: pd.DataFrame) -> pd.DataFrame:
    by = ["n_languages", "q", "q_confirmed", "layer", "neuron"]
    return rows.sort_values(by, ascending=[False, True, True, True, True]).head(PER_KIND)


def _plain(column: pd.Series) -> NDArray:
    """Numbers, or text that a file keeps even if there is none of it."""
    if column.dtype == "boolean":
        return column.astype("Float64").to_numpy(float, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    return np.array(column.tolist(), dtype="U" if len(column) else "U1")


def _smallest_p(halved: Halved) -> float | None:
    """p-value of a perfect ranking where that is smallest; None where a half has no ranking."""
    smallest = []
    for own in halved.rows:
        for side in (halved.in_a[0, own], ~halved.in_a[0, own]):
            positive, judged = (
                (halved.labels[own][side] >= least).sum(0).tolist() for least in (1, 0)
            )
            ways = list(map(comb, judged, positive))
            if min(ways) < 2:
                return None  # one class alone can be ranked in one way
            smallest.append(1 / max(ways))
    return max(smallest)
