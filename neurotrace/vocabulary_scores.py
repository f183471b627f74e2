"""The input embedding over checkpoints: scripts, neighbours and translations of a vocabulary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from neurotrace.axes import check
from neurotrace.checkpoints import Checkpoint, Shelf
from neurotrace.geometry.canonical import canonical_cosines, mean_cosine_null
from neurotrace.geometry.embeddings import neighbour_scripts, token_map
from neurotrace.geometry.nearest import knn_agreement, knn_agreement_chance
from neurotrace.geometry.scripts import decode_bytes, scripts_of
from neurotrace.geometry.separability import largest_min_tokens, script_separability
from neurotrace.geometry.token_translations import neighbour_translations

SAMPLED = 1000  # tokens whose neighbourhood is looked at, where 1 % are fewer
ROWS = 20_000  # tokens that spaces are compared on
SHOWN = 2_000  # tokens on a map
CURVES = (
    "value", "scripts", "translations", "translations_chance", "translations_low",
    "translations_high", "previous", "agreement",
)  # fmt: skip

Matrix = NDArray[np.floating]


def embedding_scores(
    checkpoints: Sequence[Checkpoint],
    *,
    scripts: ArrayLike | None = None,
    dictionary: Mapping[int, Sequence[int]] | None = None,
    frequency: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    k: int = 10,
    script_k: int = 50,
    min_tokens: int | None = None,
    folds: int = 10,
    seed: int = 0,
    shelf: Shelf | None = None,
    trust_remote_code: bool = False,
) -> xr.Dataset:
    """How do scripts and translations come to lie in the input embedding, and when does it settle?

    Only the embedding matrices are read. Ids without a token, rows of zeros at any checkpoint, and
    tokens without class take no part.

    *Eats* token, feature → *leaves* step, script.

    Parameters
    ----------
    checkpoints
        A series with one vocabulary.
    scripts
        ``(vocab,)`` classes of the tokens, empty for those left out; None takes the script that
        each is written in. Languages do as well.
    dictionary
        Token id → ids of its translations; without it translations are NaN.
    frequency, classes
        ``(vocab,)`` counts of each token in some text, and its language: what a random
        translation has in common with the true one. Without classes, the scripts.
    k
        Neighbours among which a translation is looked for, and on which checkpoints agree.
    script_k
        Neighbours whose scripts are counted, or half of the tokens where those are fewer.
    min_tokens
        Tokens that a class needs to be probed. None takes 500, or where fewer than two classes
        have as many, the largest of 100, 50 and 20 for which two do.
    folds, seed
        Of the probe, the samples and the order among ties.
    shelf
        Brings checkpoints that are not on this disk, each twice.

    Returns
    -------
    ``value``: accuracy of telling a script from the rest, mean over scripts, with ``chance`` ½;
    ``separability_by`` (step, script); ``scripts``: distinct scripts among a token's neighbours and
    itself, chance ``scripts_chance``; ``translations``: share of tokens with a translation among
    their neighbours, chance ``translations_chance`` and its 95 % ``translations_low`` and ``_high``
    over permutations; ``previous``: mean canonical cosine with the checkpoint before, NaN at the
    first, chance ``previous_chance`` of unrelated spaces; ``agreement``: share of neighbours that
    are so at the last checkpoint, NaN there, chance ``agreement_chance``. ``attrs``: ``k``,
    ``script_k``, ``tokens``, ``min_tokens``, ``classes``, ``translated`` (tokens with a
    translation), ``compared`` (tokens on which checkpoints are).

    Raises
    ------
    ValueError
        For vocabularies that differ, arrays that do not fit, or no class that can be probed.

    References
    ----------
    Wen-Yi and Mimno 2023, "Hyperpolyglot LLMs", for single models; here per checkpoint, each
    figure with its chance.
    """
    tokens, last = _tokens(checkpoints, scripts, shelf, trust_remote_code=trust_remote_code)
    settings = {"k": min(k, len(tokens.ids) - 1), "script_k": min(script_k, len(tokens.ids) // 2)}
    least = largest_min_tokens(tokens.scripts) if min_tokens is None else min_tokens
    words = _Words.of(tokens, dictionary, frequency, classes)
    compared = _some(len(tokens.ids), ROWS, seed)
    last = last[compared]
    rows, before = [], None
    for checkpoint in checkpoints:
        W = _matrix(checkpoint, shelf, trust_remote_code=trust_remote_code)[tokens.ids]
        probe = script_separability(
            W, tokens.scripts, min_tokens=least, folds=min(folds, least), seed=seed
        )
        row = _scored(W, tokens, words, **settings, seed=seed)
        row |= {"value": float(probe.mean()), "separability_by": probe}
        now = W[compared]
        if before is not None:
            row["previous"] = _mean_cosine(before, now)
        if checkpoint is not checkpoints[-1]:
            row["agreement"] = knn_agreement(now, last, k=settings["k"])
        before = now
        rows.append(row)
        del W  # of a large vocabulary one matrix at a time
    n, width = len(compared), last.shape[1]
    chances = {
        "chance": probe.attrs["chance"],
        "scripts_chance": rows[-1]["scripts_chance"],
        "previous_chance": mean_cosine_null(n - 1, *[min(width, n - 1)] * 2),
        "agreement_chance": knn_agreement_chance(n, settings["k"]),
    }
    return _dataset(checkpoints, rows, chances).assign_attrs(
        **settings,
        tokens=len(tokens.ids),
        min_tokens=least,
        classes=", ".join(f"{name} {count}" for name, count in probe.attrs["tokens"].items()),
        translated=0 if words is None else len(words.dictionary),
        compared=n,
    )


def embedding_map(
    checkpoint: Checkpoint,
    *,
    scripts: ArrayLike | None = None,
    most: int = SHOWN,
    seed: int = 0,
    shelf: Shelf | None = None,
    trust_remote_code: bool = False,
) -> xr.Dataset:
    """Where do the tokens of a checkpoint lie, seen in its embedding's two leading directions?

    *Eats* token, feature → *leaves* token.

    Parameters
    ----------
    scripts
        As in :func:`embedding_scores`.
    most
        Tokens kept, drawn with ``seed``; all of them decide the directions.

    Returns
    -------
    ``x``, ``y``, ``script`` and ``text`` by token id, ``explained``: the share of the variance
    that the two show, and ``chance``: NaN, since a map has none. ``attrs``: ``step``, ``tokens``.
    """
    tokens, W = _tokens([checkpoint], scripts, shelf, trust_remote_code=trust_remote_code)
    found = token_map(W, n=2)
    shown = _some(len(tokens.ids), most, seed)
    at = {
        "x": found.coordinates[shown, 0],
        "y": found.coordinates[shown, 1],
        "script": tokens.scripts[shown].astype(object),
        "text": np.array([_readable(tokens.texts[place]) for place in shown], dtype=object),
    }
    result = xr.Dataset(
        {name: ("token", values) for name, values in at.items()},
        coords={"token": tokens.ids[shown]},
        attrs={"step": checkpoint.step, "tokens": len(tokens.ids)},
    ).assign(explained=float(found.explained.sum()), chance=float("nan"))
    check(result)
    return result


@dataclass(frozen=True)
class _Tokens:
    """The tokens of a vocabulary that take part: ids, texts and classes, each ``(token,)``."""

    ids: NDArray[np.intp]
    texts: list[str]
    scripts: NDArray[np.str_]
    vocab: int


@dataclass(frozen=True)
class _Words:
    """Which of them translate which, by their places among those that take part."""

    dictionary: dict[int, list[int]]
    frequency: NDArray | None
    classes: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        tokens: _Tokens,
        dictionary: Mapping[int, Sequence[int]] | None,
        frequency: ArrayLike | None,
        classes: ArrayLike | None,
    ) -> "_Words | None":
        """Translations of which both ids take part and have a class; None without any."""
        if dictionary is None:
            return None
        names = tokens.scripts
        if classes is not None:
            names = _fitting("classes", classes, tokens).astype(np.str_)
        counts = None if frequency is None else _fitting("frequency", frequency, tokens)
        place = {int(number): at for at, number in enumerate(tokens.ids) if names[at]}
        kept = {
            place[one]: [place[other] for other in others if other in place and other != one]
            for one, others in dictionary.items()
            if one in place
        }
        kept = {one: others for one, others in kept.items() if others}
        return cls(kept, counts, names) if kept else None


def _tokens(
    checkpoints: Sequence[Checkpoint],
    scripts: ArrayLike | None,
    shelf: Shelf | None,
    *,
    trust_remote_code: bool,
) -> tuple[_Tokens, Matrix]:
    """The tokens that take part at every checkpoint, and their rows at the last."""
    from neurotrace.capture.embedding import token_texts

    texts = token_texts(checkpoints[0], trust_remote_code=trust_remote_code)
    kept = np.array([bool(text) for text in texts])
    for checkpoint in checkpoints:
        W = _matrix(checkpoint, shelf, trust_remote_code=trust_remote_code)
        if len(W) != len(texts):
            raise ValueError(
                f"got {len(W)} embedding rows at {checkpoint.label}; "
                f"expected {len(texts)}, as at {checkpoints[0].label}"
            )
        kept &= W.any(1)
    classes = np.asarray(scripts_of(texts, nameless="OTHER") if scripts is None else scripts)
    if classes.shape != kept.shape:
        raise ValueError(f"got {classes.size} scripts for {len(kept)} ids; expected one each")
    classes = classes.astype(np.str_)
    ids = np.flatnonzero(kept & (classes != ""))
    plain = decode_bytes(texts)
    return _Tokens(ids, [plain[number] for number in ids], classes[ids], len(texts)), W[ids]


def _matrix(checkpoint: Checkpoint, shelf: Shelf | None, *, trust_remote_code: bool) -> Matrix:
    from neurotrace.capture.embedding import embedding_matrix

    with (shelf or Shelf([checkpoint])).at_hand(checkpoint):
        return embedding_matrix(checkpoint, trust_remote_code=trust_remote_code)


def _scored(
    W: Matrix, tokens: _Tokens, words: _Words | None, *, k: int, script_k: int, seed: int
) -> dict:
    """Neighbourhoods at one checkpoint."""
    sample = min(1.0, max(0.01, SAMPLED / len(W)))
    around = neighbour_scripts(W, tokens.scripts, k=script_k, sample=sample, seed=seed)
    row = {"scripts": around.value, "scripts_chance": around.chance}
    if words is not None:
        found = neighbour_translations(
            W, words.dictionary, frequency=words.frequency, classes=words.classes, k=k, seed=seed
        )
        row |= {"translations": found.value, "translations_chance": found.chance,
                "translations_low": found.low, "translations_high": found.high}  # fmt: skip
    return row


def _mean_cosine(before: Matrix, now: Matrix) -> float:
    cosines = canonical_cosines(before, now)
    return float(cosines.mean()) if len(cosines) else float("nan")


def _dataset(
    checkpoints: Sequence[Checkpoint], rows: list[dict], chances: dict[str, float]
) -> xr.Dataset:
    table = pd.DataFrame(rows).reindex(columns=[*CURVES])
    by_script = pd.DataFrame([row["separability_by"] for row in rows])
    result = xr.Dataset(
        {name: ("step", table[name].to_numpy(dtype=float)) for name in CURVES},
        coords={
            "step": [checkpoint.step for checkpoint in checkpoints],
            "stage": ("step", [checkpoint.stage for checkpoint in checkpoints]),
            "script": by_script.columns.to_numpy(dtype=object),
        },
    )
    result["separability_by"] = ("step", "script"), by_script.to_numpy()
    seen = [checkpoint.tokens for checkpoint in checkpoints]
    if all(count is not None for count in seen):
        result = result.assign_coords(tokens=("step", np.array(seen, dtype=float)))
    result = result.assign(chances)
    check(result, "step")
    return result


def _fitting(name: str, given: ArrayLike, tokens: _Tokens) -> NDArray:
    values = np.asarray(given)
    if values.shape != (tokens.vocab,):
        raise ValueError(
            f"got {name} of shape {values.shape}; expected ({tokens.vocab},), one for each id"
        )
    return values[tokens.ids]


def _some(n: int, most: int, seed: int) -> NDArray[np.intp]:
    """All of n places, or so many of them, drawn and in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 65]).choice(n, most, replace=False))


def _readable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
