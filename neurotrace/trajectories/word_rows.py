"""Which words of a store are clustered, and which translate which: what latent concepts rest on."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.concepts.lexicon import WITHOUT_SPACES, script
from neurotrace.geometry.parallel_words import parallel_dictionary
from neurotrace.geometry.word_vectors import capped
from neurotrace.store import ActivationStore
from neurotrace.trajectories.confounds import sentences

STREAM = 67
SITE = "hook_resid_post"

Dictionaries = Mapping[tuple[str, str], Mapping[str, Sequence[str]]]


def usual_words(store: ActivationStore) -> str | None:
    """The path whose rows are words: ``/words``, or ``/tokens`` with whole words of two languages.

    None where there is neither.
    """
    if f"{SITE}/words" in store.paths:
        return f"{SITE}/words"
    tokens = store.tokens
    if tokens is None or f"{SITE}/tokens" not in store.paths:
        return None
    return f"{SITE}/tokens" if tokens.loc[tokens["kind"] == "whole", "lang"].nunique() > 1 else None


def word_rows(
    store: ActivationStore,
    path: str,
    *,
    languages: Sequence[str] | None = None,
    groups: NDArray | None = None,
    cap: int = 15,
    seed: int = 0,
) -> pd.DataFrame:
    """The words that a path has vectors of, no type of a language more often than ``cap``.

    Parameters
    ----------
    path
        ``…/words``, or ``…/tokens``: of these the tokens that are words of their own.
    languages
        All by default.
    groups
        Only the words of these groups' sentences.
    cap
        Occurrences of a type, drawn with ``seed``.

    Returns
    -------
    ``row`` (of the path), ``example word lang``; words lower-cased, without spaces around them.

    Raises
    ------
    ValueError
        For a path without words, an unknown language, or fewer than two languages with words.
    """
    if path not in store.paths or (table := _table(store, path)) is None:
        raise ValueError(
            f"got {path!r}; expected captured words, as in {SITE}/words or {SITE}/tokens; "
            f"the store has {', '.join(store.paths)}"
        )
    wanted = _languages(store, languages)
    kept = table["lang"].isin(wanted) & (table["word"] != "")
    if "kind" in table:
        kept &= table["kind"] == "whole"
    if groups is not None:
        group = store.examples["group"].to_numpy()[table["example"].to_numpy()]
        kept &= np.isin(group, groups)
    table = table[kept]
    table = table.iloc[
        capped(
            table["word"].to_numpy(), table["lang"].to_numpy(), cap=cap, order="drawn", seed=seed
        )
    ]
    lacking = [lang for lang in wanted if lang not in set(table["lang"])]
    if lacking:
        raise ValueError(f"got no words of {', '.join(lacking)} in {path}; expected some of each")
    return table[["row", "example", "word", "lang"]].reset_index(drop=True)


def half_of_groups(
    store: ActivationStore, *, groups: NDArray | None = None, seed: int = 0
) -> tuple[NDArray, NDArray]:
    """The sentence groups, or some of them, as two random halves: to learn from, to measure on."""
    every = store.examples["group"].to_numpy() if groups is None else groups
    groups = np.unique(every.astype(str))
    if len(groups) < 2:
        raise ValueError(f"got {len(groups)} sentence group; expected at least two, for two halves")
    drawn = np.random.default_rng([seed, STREAM]).permutation(groups)
    return np.sort(drawn[: len(drawn) // 2]), np.sort(drawn[len(drawn) // 2 :])


def dictionaries(
    store: ActivationStore,
    texts: Sequence[str],
    *,
    path: str,
    groups: NDArray,
    languages: Sequence[str] | None = None,
    **dials: Any,
) -> Dictionaries:
    """A dictionary for every ordered pair of languages, learned from these groups' sentences.

    Parameters
    ----------
    texts
        ``(example,)`` the store's sentences.
    path
        Whose words are to be translated: in scripts without spaces, sentences are cut into these.
    groups
        Sentences to learn from.
    dials
        Of :func:`neurotrace.geometry.parallel_words.parallel_dictionary`.

    Raises
    ------
    ValueError
        When texts and sentences are not equally many, or two languages share none of the groups.
    """
    examples = store.examples
    if len(texts) != len(examples):
        raise ValueError(f"got {len(texts)} texts for {len(examples)} sentences; expected one each")
    wanted, table = _languages(store, languages), _table(store, path)
    known = {
        lang: _known(table, lang) if script(lang) in WITHOUT_SPACES else None for lang in wanted
    }
    held: dict[str, dict[str, list[str]]] = {lang: {} for lang in wanted}
    learned = np.isin(examples["group"], groups).tolist()
    for text, lang, group, own in zip(
        texts, examples["lang"], examples["group"], learned, strict=True
    ):
        if own and lang in held:
            held[lang][group] = list(words_of(text, known[lang]))
    made = {}
    for a, b in permutations(wanted, 2):
        both = [group for group in held[a] if group in held[b]]
        if not both:
            raise ValueError(
                f"got {a} and {b} without common sentence groups; expected parallel sentences, or "
                "dictionaries"
            )
        pair = ([held[lang][group] for group in both] for lang in (a, b))
        made[a, b] = parallel_dictionary(*pair, **dials)
    return made


def material(
    store: ActivationStore,
    path: str,
    dictionary: Dictionaries | None,
    texts: Sequence[str] | None,
    *,
    languages: Sequence[str] | None,
    top_n: int,
    cap: int,
    seed: int,
) -> tuple[pd.DataFrame, Dictionaries]:
    """The words to cluster, and their translations, which come from other sentences."""
    if dictionary is not None:
        table = word_rows(store, path, languages=languages, cap=cap, seed=seed)
        pairs = list(permutations([str(lang) for lang in pd.unique(table["lang"])], 2))
        lacking = [f"{a} → {b}" for a, b in pairs if (a, b) not in dictionary]
        if lacking:
            raise ValueError(f"got no dictionary of {', '.join(lacking)}; expected all pairs")
        return _halved(store, table, None, seed), dictionary
    learned, measured = half_of_groups(store, seed=seed)
    table = word_rows(store, path, languages=languages, groups=measured, cap=cap, seed=seed)
    if texts is None:
        texts = sentences(store).frame["text"].tolist()
    made = dictionaries(store, texts, path=path, groups=learned, languages=languages, top_n=top_n)
    return _halved(store, table, measured, seed), made


def _halved(
    store: ActivationStore, table: pd.DataFrame, groups: NDArray | None, seed: int
) -> pd.DataFrame:
    """The words, and whether each stands in the first half of the groups."""
    group = store.examples["group"].to_numpy()[table["example"].to_numpy()]
    return table.assign(half=np.isin(group, half_of_groups(store, groups=groups, seed=seed)[0]))


def words_of(text: str, known: frozenset[str] | None = None) -> Iterator[str]:
    """The words of a text, lower-cased; of a text without spaces, the known words in it.

    Known words are taken from left to right, the longest that fits.

    >>> list(words_of("Don't go!")), list(words_of("下雨了", frozenset({"下", "下雨"})))
    (["don't", 'go'], ['下雨'])
    """
    if known is None:
        yield from _pattern().findall(text.lower())
        return
    text, at = text.lower(), 0
    longest = max(map(len, known), default=0)
    while at < len(text):
        sizes = range(min(longest, len(text) - at), 0, -1)
        size = next((size for size in sizes if text[at : at + size] in known), 0)
        if size:
            yield text[at : at + size]
        at += max(1, size)


@cache
def _pattern() -> Any:
    import regex

    letters = r"[\p{L}\p{M}\p{N}]+"
    return regex.compile(rf"{letters}(?:['’＇\u200c\u200d]+{letters})*")


def _table(store: ActivationStore, path: str) -> pd.DataFrame | None:
    """The rows of a path of words, numbered; None for another path."""
    last = path.rpartition("/")[2]
    if last.partition("_")[0] not in ("words", "tokens"):
        return None
    table = store.tokens if last == "tokens" else store.words
    if table is None:
        return None
    return table.assign(row=np.arange(len(table)), word=table["word"].str.strip(" ▁").str.lower())


def _known(table: pd.DataFrame | None, lang: str) -> frozenset[str]:
    return frozenset() if table is None else frozenset(table.loc[table["lang"] == lang, "word"])


def _languages(store: ActivationStore, languages: Sequence[str] | None) -> list[str]:
    wanted = store.languages if languages is None else list(languages)
    unknown = [lang for lang in wanted if lang not in store.languages]
    if unknown or len(set(wanted)) < 2:
        raise ValueError(
            f"got languages {', '.join(wanted) or 'none'}; expected at least two of "
            f"{', '.join(store.languages)}"
        )
    return list(wanted)
