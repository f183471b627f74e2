"""Cards of single neurons: the sentences that excite them most, early, midway and at the end."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace.store import ActivationStore
from neurotrace.trajectories.confounds import sentences
from neurotrace.trajectories.expert_sets import refuse_several
from neurotrace.trajectories.halved import Halved
from neurotrace.trajectories.lifts import StepKey, language_rows, step_keys

COLUMNS = ("name", "of_concept", "step", "lang", "rank", "text", "activation", "positive")
MOST_NEURONS, MOST_LANGUAGES = 24, 6  # of which a page shows sentences


def cards(
    store: ActivationStore,
    lives: xr.Dataset,
    *,
    texts: Sequence[str] | None = None,
    per_language: int = 3,
    languages: Sequence[str] | None = None,
) -> xr.Dataset:
    """What excites the followed neurons most, in each language, at three checkpoints?

    The first checkpoint, the one since which the neuron serves its languages, and the last; the
    middle one where that says nothing new. Sentences are of half B, on which the neurons were not
    chosen, and come by activation alone, whether or not they carry the concept.
    *Eats* neuron, lang → one row a sentence.

    Parameters
    ----------
    lives
        What :func:`neurotrace.trajectories.neuron_lives` returns; its first 24 neurons.
    texts
        The sentences in the store's order; those beside the store's files by default.
    per_language
        Sentences for each neuron, language and checkpoint, fewer where fewer are above zero.
    languages
        The languages to show, the store's first six by default.

    Returns
    -------
    Over ``example``: ``name of_concept step lang rank text activation positive``: ``rank`` from 0,
    ``activation`` as captured, ``positive`` 1, 0, or −1 where the label is unknown.

    Raises
    ------
    ValueError
        For languages the store does not have, texts that are not its sentences, or neurons it
        does not have.
    FileNotFoundError
        Without ``texts``, where no sentences stand beside the store.
    """
    refuse_several(store)
    parts = []
    steps = step_keys(store)
    reader = _Reader(store, str(lives.attrs["path"]), int(lives.attrs["seed"]))
    shown = _shown(store, languages)
    for one in range(min(lives.sizes["neuron"], MOST_NEURONS)):
        life = lives.isel(neuron=one)
        name, concept = str(life["name"].values), str(life["of_concept"].values)
        when = [steps[number] for number in _three(store.steps, float(life["since"]))]
        parts.append(reader.rows(name, concept, when, shown, per_language))
    return _table(parts, _texts(store, texts)).assign_attrs(lives.attrs)


def neuron_card(
    store: ActivationStore,
    neuron: str,
    *,
    concept: str,
    texts: Sequence[str] | None = None,
    steps: Sequence[StepKey] | None = None,
    per_language: int = 3,
    languages: Sequence[str] | None = None,
    path: str = "mlp.hook_post/max",
    seed: int = 0,
) -> pd.DataFrame:
    """The sentences of half B that excite one neuron most, as a row table.

    Parameters
    ----------
    neuron
        Such as ``"L3.N117"``.
    concept
        Whose labels ``positive`` tells.
    steps
        Checkpoints; the first, the middle and the last by default.
    texts, per_language, languages
        As for :func:`cards`.

    Returns
    -------
    Columns as the variables of :func:`cards`. Sentences at which the neuron is not above zero
    excite nothing and are left out.

    Raises
    ------
    ValueError
        As :func:`cards`, or for a name that is not of a neuron, or an unknown concept.
    """
    refuse_several(store)
    keys = step_keys(store)
    when = [keys[n] for n in _three(store.steps, np.nan)] if steps is None else list(steps)
    reader = _Reader(store, path, seed)
    rows = reader.rows(neuron, concept, when, _shown(store, languages), per_language)
    return _table([rows], _texts(store, texts)).to_dataframe().reset_index(drop=True)


class _Reader:
    """Reads columns of a store, each layer of each step once."""

    def __init__(self, store: ActivationStore, path: str, seed: int):
        self._store, self._path = store, path
        self._in_b = ~Halved.of(store, path, n_splits=1, seed=seed).in_a[0]
        self._own = dict(language_rows(store))
        self._read: dict[tuple[StepKey, int], NDArray] = {}

    def rows(
        self,
        name: str,
        concept: str,
        steps: Sequence[StepKey],
        languages: Sequence[str],
        per_language: int,
    ) -> pd.DataFrame:
        """The rows of one neuron, ``example`` for the text."""
        store, parts = self._store, []
        if concept not in store.concepts:
            raise ValueError(f"got concept {concept!r}; valid are {', '.join(store.concepts)}")
        layer, neuron = self._parsed(name)
        labels = store.labels[:, store.concepts.index(concept)]
        for step in steps:
            activation = self._column(step, layer, neuron)
            for lang in languages:
                own = self._own[lang][self._in_b[self._own[lang]]]
                best = own[np.argsort(-activation[own], kind="stable")[:per_language]]
                best = best[activation[best] > 0]
                part = {"example": best, "rank": np.arange(len(best)), "lang": lang}
                part |= {"activation": activation[best], "positive": labels[best]}
                part |= {"name": name, "of_concept": concept}
                parts.append(pd.DataFrame(part | {"step": _number(step)}))
        return pd.concat(parts, ignore_index=True)

    def _column(self, step: StepKey, layer: int, neuron: int) -> NDArray[np.float64]:
        key = (step, layer)
        if key not in self._read:
            self._read[key] = self._store.read(step, layer, self._path).values
        return self._read[key][:, neuron].astype(float)

    def _parsed(self, name: str) -> tuple[int, int]:
        """Layer and index of a neuron by its name."""
        layer, _, neuron = name.partition(".")
        widths = dict(zip(self._store.layers, self._store.width(self._path), strict=True))
        known = layer[:1] == "L" and neuron[:1] == "N"
        if known and layer[1:].isdecimal() and neuron[1:].isdecimal():
            at, index = int(layer[1:]), int(neuron[1:])
            if index < widths.get(at, 0):
                return at, index
        last = max(widths)
        raise ValueError(
            f"got neuron {name!r}; expected a name such as L{last}.N7; valid are layers "
            f"{', '.join(map(str, widths))} with {min(widths.values())} neurons or more"
        )


def _three(steps: Sequence[int], since: float) -> list[int]:
    """Places of the first checkpoint, the one since which a neuron serves, and the last."""
    last = len(steps) - 1
    between = steps.index(int(since)) if np.isfinite(since) else 0
    between = between if 0 < between < last else last // 2
    return sorted({0, between, last})


def _shown(store: ActivationStore, languages: Sequence[str] | None) -> list[str]:
    shown = store.languages[:MOST_LANGUAGES] if languages is None else list(languages)
    unknown = [lang for lang in shown if lang not in store.languages]
    if unknown:
        raise ValueError(
            f"got languages {', '.join(unknown)}; valid are {', '.join(store.languages)}"
        )
    return shown


def _texts(store: ActivationStore, given: Sequence[str] | None) -> NDArray[np.object_]:
    texts = sentences(store).frame["text"].tolist() if given is None else list(given)
    if len(texts) != len(store.examples):
        raise ValueError(
            f"got {len(texts)} texts; expected {len(store.examples)}, one for each captured "
            "sentence, in the store's order"
        )
    return np.array(texts, object)


def _table(parts: list[pd.DataFrame], texts: NDArray[np.object_]) -> xr.Dataset:
    """All rows with their texts, over ``example``."""
    if parts:
        rows = pd.concat(parts, ignore_index=True)
    else:
        rows = pd.DataFrame(columns=[*COLUMNS, "example"])
    rows["text"] = texts[rows["example"].to_numpy(int)]
    numbers = {"step": int, "rank": int, "activation": float, "positive": int}
    columns: dict[str, tuple[str, NDArray]] = {}
    for name in COLUMNS:
        held = rows[name].tolist()
        dtype = numbers.get(name, "U" if held else "U1")
        columns[name] = ("example", np.array(held, dtype=dtype))
    return xr.Dataset(columns)


def _number(step: StepKey) -> int:
    return step[1] if isinstance(step, tuple) else step
