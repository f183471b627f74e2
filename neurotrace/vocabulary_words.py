"""What the traced sentences tell of a vocabulary: counts, languages, and which tokens translate."""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.geometry.scripts import SPACE, decode_bytes
from neurotrace.trajectories.word_rows import Dictionaries

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class TokenCounts(NamedTuple):
    """How often a vocabulary's tokens stand in some sentences."""

    frequency: NDArray[np.int64]
    """(vocab,) in all sentences"""
    languages: NDArray[np.str_]
    """(vocab,) the language in which a token has the largest share, empty for those unseen"""


def token_counts(
    checkpoint: Checkpoint, concepts: ConceptSet, *, trust_remote_code: bool = False
) -> TokenCounts:
    """How often does each token stand in the sentences, and in which language mostly?

    Special tokens that a tokenizer adds are not counted.

    Raises
    ------
    BrokenCheckpoint
        When the tokenizer cannot be read.
    """
    from neurotrace.capture.embedding import token_texts
    from neurotrace.capture.loading import load_tokenizer

    tokenizer = load_tokenizer(checkpoint, trust_remote_code=trust_remote_code)
    n = len(token_texts(checkpoint, trust_remote_code=trust_remote_code))
    counts = []
    for lang in concepts.languages:
        texts = concepts.frame.loc[concepts.frame["lang"] == lang, "text"].tolist()
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        counts.append(np.bincount(np.concatenate([[], *ids]).astype(np.intp), minlength=n)[:n])
    by_lang = np.array(counts)
    share = by_lang / np.maximum(by_lang.sum(1, keepdims=True), 1)
    mostly = np.array(concepts.languages)[share.argmax(0)]
    return TokenCounts(by_lang.sum(0), np.where(by_lang.any(0), mostly, ""))


def token_dictionary(dictionaries: Dictionaries, texts: Sequence[str]) -> dict[int, list[int]]:
    """Translations of words that are single tokens, in both directions.

    A word is looked for with the vocabulary's mark of a space in front, then without. Pairs that
    are one token are left out, since a string is no translation of itself.

    Parameters
    ----------
    dictionaries
        (language, language) → word → its translations.
    texts
        ``(vocab,)`` tokens as :func:`neurotrace.capture.embedding.token_texts` gives them.
    """
    ids: dict[str, int] = {}
    for number, text in enumerate(decode_bytes(texts)):
        ids.setdefault(text, number)
    found: dict[int, set[int]] = {}
    for words in dictionaries.values():
        for word, translations in words.items():
            for other in translations:
                one, two = _token(word, ids), _token(other, ids)
                if one is not None and two is not None and one != two:
                    found.setdefault(one, set()).add(two)
                    found.setdefault(two, set()).add(one)
    return {one: sorted(found[one]) for one in sorted(found)}


def sentence_dictionaries(concepts: ConceptSet) -> Dictionaries:
    """The best translation of each word, learned from parallel sentences, for every two languages.

    Empty for a set that is not parallel. Embedding matrices have not seen these sentences, so that
    no half of them need be held back.
    """
    from neurotrace.geometry.parallel_words import parallel_dictionary

    frame = concepts.frame.drop_duplicates(["group", "lang"])
    words = frame["text"].map(lambda text: WORD.findall(text.lower()))
    by_lang = frame.assign(words=words).pivot(index="group", columns="lang", values="words")
    made = {}
    for a, b in combinations(concepts.languages, 2):
        both = by_lang[[a, b]].dropna()
        if len(both):
            made[a, b] = parallel_dictionary(both[a].tolist(), both[b].tolist(), top_n=1)
    return made


def _token(word: str, ids: Mapping[str, int]) -> int | None:
    return ids.get(SPACE + word, ids.get(word))
