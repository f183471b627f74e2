"""How far do the spaces of languages move between checkpoints, or through tuning? By CKA."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace.geometry.similarity import (
    FEWEST,
    Alikeness,
    Centred,
    alikeness,
    calibrate,
    centred,
    crosses,
    reordered,
)
from neurotrace.store import ActivationStore, StoreMismatch
from neurotrace.store.match import equal
from neurotrace.trajectories.lifts import (
    StepKey,
    along_steps,
    drawn_rows,
    is_parallel,
    joined,
    step_keys,
)
from neurotrace.trajectories.parts import held

STREAM = 62
PATH = "hook_resid_post/mean"
MOVES = ("value", "biased", "chance", "calibrated")
DIMS = {"apart": ("layer", "lang_a", "lang_b"), "apart_chance": ("layer",)}  # else layer, lang
# What two models need in common for their states of a sentence to be compared.
COMMON = ("concepts", "tokenizer_hash", "bos", "exclude_ids")

Rows = Mapping[str, NDArray[np.intp]]
Sides = Mapping[str, Centred]
Found = dict[str, NDArray[np.float64]]


def evolution(
    store: ActivationStore, *, path: str = PATH, sentences: int = 1000, seed: int = 0
) -> xr.Dataset:
    """How far does each language's space move from checkpoint to checkpoint, and lie from others?

    One minus linear CKA of the same sentences of the same language, which turning, scaling or
    shifting the whole space does not change. *Eats* example, feature → *leaves* step, layer, lang
    and step, layer, lang_a, lang_b.

    Parameters
    ----------
    path
        Pooled states of sentences.
    sentences
        At most so many a language, of groups drawn with ``seed``; the same at all steps and, in a
        parallel set, for all languages.
    seed
        Of the groups and of the derangement.

    Returns
    -------
    From two checkpoints on, over (step, layer, lang): ``value``, 1 − debiased CKA with the
    checkpoint before, NaN at the first, for which unrelated states give 1 on average (attribute
    ``value_chance``); ``biased``, the same from biased CKA, with its own ``chance``, the exact
    mean over all orders of the sentences; ``calibrated``, biased over chance, 1 for unrelated
    states; ``to_last``, debiased, against the last checkpoint.
    In a parallel set of two languages and more: ``apart`` (step, layer, lang_a, lang_b),
    1 − debiased CKA of two languages over translations, NaN on the diagonal, and ``apart_chance``
    (step, layer), the mean over pairs with translations deranged. With one checkpoint, or where
    only scores were kept of the states, these alone, and ``chance`` is 1.

    Raises
    ------
    ValueError
        For a language with fewer than four sentences, or where there is nothing to compare: one
        checkpoint, and languages that are not parallel.

    Notes
    -----
    Translations share their structure beside their meaning: languages without a word in common
    lie nearer than ``apart_chance``, too, before training (``store.twin`` says how near) and more
    so after it. ``apart`` is no evidence of shared meaning.

    References
    ----------
    Philippy, Guo, Haddadan 2023, arXiv:2305.02151, before and after tuning and with biased CKA;
    here between checkpoints, debiased, and with what unrelated states would give.
    """
    rows, keys = _drawn(store, sentences, seed), step_keys(store)
    tables, moves = len(rows) > 1 and is_parallel(store), len(keys) > 1 and held(store, path)
    if not tables and not moves:
        few = "one checkpoint" if len(keys) == 1 else f"no activations of {path} any more"
        raise ValueError(
            f"got {few} and no translations; expected two checkpoints or a parallel set"
        )
    found: list[xr.Dataset] = []
    if moves:
        by_layer = [_along(_reader(store, layer, path, rows), keys) for layer in store.layers]
        at_step = [_stacked(list(layers)) for layers in zip(*by_layer, strict=True)]
        found.append(joined(store, at_step).assign_coords(lang=list(rows)))
    if tables:
        found.append(languages_apart(store, path=path, sentences=sentences, seed=seed))
    result = xr.merge(found, compat="equals", join="exact").assign_coords(layer=store.layers)
    if not moves:
        result["chance"] = xr.DataArray(1.0)
    n_kept = max(len(own) for own in rows.values())
    return result.assign_attrs(path=path, sentences=n_kept, value_chance=1.0)


def languages_apart(
    store: ActivationStore, *, path: str = PATH, sentences: int = 1000, seed: int = 0
) -> xr.Dataset:
    """How far do the languages' spaces lie from each other? What each checkpoint says by itself.

    ``apart`` and ``apart_chance`` of :func:`evolution`, which needs no other checkpoint for them.

    Raises
    ------
    ValueError
        For one language, languages that are not parallel, or fewer than four sentences.
    """
    rows = _drawn(store, sentences, seed)
    if len(rows) < 2 or not is_parallel(store):
        raise ValueError("got one language, or languages with different groups; expected parallel")
    order = _derangement(len(next(iter(rows.values()))), seed)

    def one(step: StepKey) -> xr.Dataset:
        readers = (_reader(store, layer, path, rows) for layer in store.layers)
        return _stacked([_apart(read(step), order) for read in readers])

    settings = {"path": path, "sentences": sentences, "seed": seed}
    result = along_steps(store, one, name="languages_apart", settings=settings)
    return result.assign_coords(lang_a=list(rows), lang_b=list(rows))


def impact(
    base: ActivationStore,
    tuned: Mapping[str, ActivationStore],
    *,
    path: str = PATH,
    layers: Sequence[int] | None = None,
    sentences: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """How far does tuning in one language move the space of each other language?

    ``Φ(S, T) = 1 − CKA(states of T in base, states of T in the model tuned in S)``, at the last
    step of each store. *Eats* example, feature → *leaves* layer, lang_a (source S),
    lang_b (target T).

    Parameters
    ----------
    base
        The model before tuning.
    tuned
        Source language to the model tuned in it; sources are languages of ``base``.
    path
        Pooled states of sentences; the paper's are those of its [CLS] token.
    layers
        Blocks, counted from 0; all by default.
    sentences
        At most so many a language, of groups drawn with ``seed``.

    Returns
    -------
    ``value`` (debiased, 1 on average for unrelated states), ``biased`` (the published measure)
    with its exact ``chance``, and ``calibrated``, over (layer, lang_a, lang_b); S = T included.

    Raises
    ------
    StoreMismatch
        For models of another width or captured with other sentences, tokenizer, BOS or excluded
        tokens, and for one whose weights are those of ``base``.
    ValueError
        Without any tuned model, or for a source that is no language of ``base``.
    KeyError
        For a path or layer that a store lacks.

    References
    ----------
    Philippy, Guo, Haddadan 2023, arXiv:2305.02151. Their released code loads the base model from
    the folder of the tuned one and overwrites it for every source, so that its Φ compares models
    tuned in S with the one tuned last; here, as the text says, each with the model before tuning.
    """
    if not tuned:
        raise ValueError("got no tuned models; expected one a source language or more")
    unknown = [source for source in tuned if source not in base.languages]
    if unknown:
        raise ValueError(f"got sources {', '.join(unknown)}; valid are {', '.join(base.languages)}")
    for source, store in tuned.items():
        _refuse_other(base, store, source, path)
    rows = _drawn(base, sentences, seed)
    kept = list(base.layers if layers is None else layers)

    def one(layer: int) -> NDArray[np.float64]:
        before = _reader(base, layer, path, rows)(step_keys(base)[-1])
        after = [_reader(store, layer, path, rows) for store in tuned.values()]
        both = zip(after, tuned.values(), strict=True)
        return np.array([_moved(before, read(step_keys(store)[-1])) for read, store in both])

    found = np.stack([one(layer) for layer in kept])  # layer, source, measure, target
    dims = ("layer", "lang_a", "lang_b")
    result = xr.Dataset({name: (dims, found[:, :, at]) for at, name in enumerate(MOVES)})
    result = result.assign_coords(layer=kept, lang_a=list(tuned), lang_b=list(rows))
    n_kept = max(len(own) for own in rows.values())
    return result.assign_attrs(path=path, sentences=n_kept, value_chance=1.0)


def _drawn(store: ActivationStore, sentences: int, seed: int) -> Rows:
    """Each language's drawn sentences, enough of them to be debiased."""
    if sentences < FEWEST:
        raise ValueError(f"got sentences={sentences}; expected at least {FEWEST}")
    rows = drawn_rows(store, sentences, np.random.default_rng([seed, STREAM]))
    few = [lang for lang, own in rows.items() if len(own) < FEWEST]
    if few:
        raise ValueError(
            f"got fewer than {FEWEST} sentences in {', '.join(few)}; expected that many or more"
        )
    return rows


def _derangement(n: int, seed: int) -> NDArray[np.intp]:
    """An order in which nothing stays in its place: one random cycle through all."""
    cycle = np.random.default_rng([seed, STREAM, 1]).permutation(n)
    order = np.empty(n, np.intp)
    order[cycle] = np.roll(cycle, 1)
    return order


def _reader(
    store: ActivationStore, layer: int, path: str, rows: Rows
) -> Callable[[StepKey], dict[str, Centred]]:
    """What reads and prepares the languages' states of one layer at a step."""

    def read(step: StepKey) -> dict[str, Centred]:
        H = store.read(step, layer, path).values
        # A Gram matrix is made once and serves every pair; wide states then cost nothing more.
        gram = max(len(own) for own in rows.values()) <= 2 * H.shape[1]
        return {lang: centred(H[own].astype(np.float64), gram=gram) for lang, own in rows.items()}

    return read


def _along(read: Callable[[StepKey], Sides], keys: Sequence[StepKey]) -> list[Found]:
    """What moves in one layer, step by step; three steps' states are held at a time."""
    last = read(keys[-1])
    before: Sides | None = None
    found = []
    for key in keys:
        now = last if key == keys[-1] else read(key)
        moved = _moved(before, now) if before else np.full((len(MOVES), len(now)), np.nan)
        found.append(dict(zip(MOVES, moved, strict=True), to_last=_moved(now, last)[0]))
        before = now
    return found


def _moved(before: Sides, now: Sides) -> NDArray[np.float64]:
    """One minus CKA of each language, (measure, lang): debiased, biased, chance, calibrated."""
    every = [_distances(alikeness(before[lang], now[lang])) for lang in before]
    return np.array(every).T


def _distances(found: Alikeness) -> tuple[float, float, float, float]:
    calibrated = calibrate(found.biased, found.chance)
    return 1 - found.debiased, 1 - found.biased, 1 - found.chance, 1 - calibrated


def _apart(now: Sides, order: NDArray[np.intp]) -> Found:
    """One minus debiased CKA of each pair of languages, and its mean with rows deranged."""
    sides = list(now.values())
    deranged = [reordered(side, order) for side in sides]
    table = 1 - _table(sides, sides)
    table[np.diag_indices(len(sides))] = np.nan
    upper = np.triu_indices(len(sides), 1)
    silent = 1 - _table(sides, deranged)[upper]
    return {"apart": np.fmax(table, table.T), "apart_chance": np.asarray(np.mean(silent))}


def _table(ones: list[Centred], others: list[Centred]) -> NDArray[np.float64]:
    """Debiased CKA of the first of each pair with the second, NaN but above the diagonal."""
    products = crosses(ones, others) if ones[0].gram else None
    found = np.full((len(ones), len(ones)), np.nan)
    for a, b in combinations(range(len(ones)), 2):
        cross = None if products is None else float(products[a, b])
        found[a, b] = alikeness(ones[a], others[b], cross=cross).debiased
    return found


def _stacked(layers: Sequence[Found]) -> xr.Dataset:
    """The measures of one step, layer by layer."""
    return xr.Dataset(
        {
            name: (DIMS.get(name, ("layer", "lang")), np.stack([found[name] for found in layers]))
            for name in layers[0]
        }
    )


def _refuse_other(base: ActivationStore, store: ActivationStore, source: str, path: str) -> None:
    """Refuse a tuned model whose states are not those of the same sentences, or that is base."""
    one, other = (each.header(step_keys(each)[-1]) for each in (base, store))
    differing = [name for name in COMMON if not equal(one.get(name), other.get(name))]
    columns = ["group", "lang"]
    if not base.examples[columns].equals(store.examples[columns]):
        differing.append("order of sentences")
    if base.width(path) != store.width(path):
        differing.append("width")
    if differing:
        raise StoreMismatch(
            f"base and the model tuned in {source} were captured with another "
            f"{', another '.join(differing)}; expected the same"
        )
    if one.get("weight_hash") and equal(one["weight_hash"], other.get("weight_hash")):
        raise StoreMismatch(
            f"base and the model tuned in {source} have the same weights; expected a tuned model"
        )
