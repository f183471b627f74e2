"""Which next tokens stand for which concept, in which language: those that tell it, and no others.

A word's likelihood is taken at its first token after a frame. A token counts only where it tells
one concept of one language from all others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurotrace.causal.words import spaced, words_of
from neurotrace.concepts.lexicon import fold

Cell = tuple[str, str]  # concept, language
Ids = NDArray[np.int64]


def encode(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text, nothing put in front."""
    return [int(one) for one in tokenizer(text, add_special_tokens=False)["input_ids"]]


def first_of(tokenizer: Any, start: int | None) -> int:
    """The token that frames start with: the one given, else BOS, else EOS.

    Raises
    ------
    ValueError
        When there is none of them.
    """
    for first in (start, tokenizer.bos_token_id, tokenizer.eos_token_id):
        if first is not None:
            return int(first)
    raise ValueError("got a tokenizer with neither BOS nor EOS; expected start=")


def first_tokens(
    tokenizer: Any, words: Sequence[str], *, lang: str, frames: Sequence[str]
) -> dict[str, int]:
    """The token each word begins with after a frame; words without one are left out.

    The first frame decides behind which a word's tokens begin where the frame's end: behind some
    a tokenizer merges across the border. A special token (an unknown word) begins none.
    """
    blank = " " if spaced(lang) else ""
    opened = [(text, encode(tokenizer, text)) for text in frames]
    special = set(tokenizer.all_special_ids)
    first: dict[str, int] = {}
    for word in words:
        for text, ids in opened:
            whole = encode(tokenizer, f"{text}{blank}{word}")
            if whole[: len(ids)] == ids and len(whole) > len(ids):
                if whole[len(ids)] not in special:
                    first[word] = whole[len(ids)]
                break
    return first


def telling(
    tokenizer: Any,
    words: Mapping[str, Sequence[str]],
    *,
    lang: str,
    frames: Sequence[str],
    texts: Sequence[str] | None,
) -> dict[str, Ids]:
    """First tokens of each concept's words in one language.

    Parameters
    ----------
    words
        ``{concept: words}``
    texts
        Where given, a token must open words of its concept there at least as often as all other
        words together: a piece of one or two letters tells nothing.
    """
    first = {
        concept: first_tokens(tokenizer, own, lang=lang, frames=frames)
        for concept, own in words.items()
    }
    ids = {concept: list(dict.fromkeys(own.values())) for concept, own in first.items()}
    if texts is not None:
        seen = Counter(word for text in texts for word in words_of(text, lang))
        opened = first_tokens(tokenizer, list(seen), lang=lang, frames=frames)
        everything = _weighed(opened, seen, None)
        for concept, own in words.items():
            mine = _weighed(opened, seen, {fold(word) for word in own})
            ids[concept] = [one for one in ids[concept] if 2 * mine[one] >= everything[one]]
    return {concept: np.array(own, dtype=np.int64) for concept, own in ids.items()}


def unambiguous(ids: Mapping[Cell, Ids]) -> dict[Cell, Ids]:
    """Each id in one cell alone: a token that two concepts or languages share tells neither."""
    times = Counter(one for own in ids.values() for one in own.tolist())
    return {
        cell: np.array([one for one in own.tolist() if times[one] == 1], dtype=np.int64)
        for cell, own in ids.items()
    }


def complete(
    ids: Mapping[Cell, Ids], concepts: Sequence[str], languages: Sequence[str]
) -> tuple[list[str], list[str], list[str]]:
    """Concepts and languages that have words throughout, and what was left out, with its reason.

    The language or concept that lacks the largest share goes first, then the next.
    """
    concepts, languages, gone = list(concepts), list(languages), []
    while concepts and languages:
        empty = np.array(
            [[not len(ids.get((c, lang), ())) for lang in languages] for c in concepts]
        )
        if not empty.any():
            break
        of_concept, of_lang = empty.mean(1), empty.mean(0)
        if of_lang.max() >= of_concept.max():
            at = int(of_lang.argmax())
            lacking = [concepts[c] for c in np.flatnonzero(empty[:, at])]
            gone.append(f"{languages.pop(at)}: no word of its own for {', '.join(lacking)}")
        else:
            at = int(of_concept.argmax())
            lacking = [languages[a] for a in np.flatnonzero(empty[at])]
            gone.append(f"{concepts.pop(at)}: no word of its own in {', '.join(lacking)}")
    return concepts, languages, gone


def _weighed(
    opened: Mapping[str, int], seen: Mapping[str, int], among: set[str] | None
) -> Counter[int]:
    """How often each token opens a word of the texts, or one of some words."""
    counts: Counter[int] = Counter()
    for word, token in opened.items():
        if among is None or fold(word) in among:
            counts[token] += seen[word]
    return counts
