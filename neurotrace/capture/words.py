"""Words of the sentences and the tokens that make them up: what ``/words`` paths hold rows of."""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurotrace.capture.tokens import SPACELESS, Tokenized

_STREAM = 5  # of the seed: each draw of a run has its own
_AT_ONCE = 512  # sentences a call of the tokenizer: bounds its lists
# Inside words only: apostrophes, and the joiners of Persian and Indic scripts.
_LINKS = frozenset("'\u2019\uff07\u200c\u200d")
# 々 and 〇 are named for themselves.
_SPACELESS = SPACELESS | {"IDEOGRAPHIC"}

_OUTSIDE, _SPACED, _UNSPACED, _JOINING = range(4)  # sorts of characters
Span = tuple[int, int]


class Word(NamedTuple):
    """One occurrence: its tokens, from the first to the one behind the last, and its text."""

    position: int
    stop: int
    text: str


def draw_words(
    tokenizer: Any,
    tokenized: Tokenized,
    frame: pd.DataFrame,
    *,
    per_language: int,
    cap: int,
    seed: int,
) -> pd.DataFrame:
    """Words drawn evenly over a language's occurrences, frequent types held down first.

    A language keeps at most ``cap`` occurrences of a type, drawn with the seed, and of these
    ``per_language`` are drawn. The published pipeline (Mousi et al. 2024) keeps the *first* 15 of
    corpus order; drawn ones come from all sentences instead of the earliest. A word with a special
    or excluded token is never drawn. See :func:`align` for what a word is.

    Returns
    -------
    Sorted by sentence and position: ``example position stop word lang``. ``position`` counts from
    the sentence's first token, specials included; ``stop`` is the one behind the word's last token;
    ``word`` is the text as it stands there, lower-cased.

    Raises
    ------
    ValueError
        For a slow tokenizer, which knows no characters, and for a language without any word.
    """
    if not tokenizer.is_fast:
        raise ValueError(
            "got a slow tokenizer; words are found by offsets, which only fast ones know"
        )
    found = _occurrences(tokenizer, tokenized, frame["text"])
    found["lang"] = frame["lang"].to_numpy()[found["example"]]
    rng = np.random.default_rng([seed, _STREAM])
    drawn = []
    for name in pd.unique(frame["lang"]):
        own = np.flatnonzero(found["lang"] == name)
        if not len(own):
            raise ValueError(
                f"{name}: got no word of content tokens alone; expected one at least for /words "
                "paths"
            )
        shuffled = found.iloc[rng.permutation(own)]
        kept = np.sort(shuffled.index[shuffled.groupby("word").cumcount() < cap])
        # A second draw: the first in shuffled order would prefer the types that the cap cuts.
        drawn.append(rng.choice(kept, size=min(per_language, len(kept)), replace=False))
    return found.iloc[np.sort(np.concatenate(drawn))].reset_index(drop=True)


def align(text: str, spans: list[Span]) -> list[Word]:
    """The words of a text, with the tokens that make each up.

    A word is a run of letters, combining marks, digits and apostrophes between them; punctuation
    is no part of it, even where it shares a token with it. Where a script has no spaces between
    words (Chinese, Japanese, Thai, …) every token of whole characters is a word, and so are the
    tokens that spell one character together. A token that covers letters of two words belongs to
    neither, and neither is a word here: no state would be its own.

    Parameters
    ----------
    spans
        Characters of each token, from and to; nothing for special tokens.

    >>> align("Don't go", [(0, 3), (3, 4), (4, 5), (5, 8)])
    [Word(position=0, stop=3, text="don't"), Word(position=3, stop=4, text='go')]
    """
    runs, unspaced = _runs(text)
    run_of = [-1] * len(text)
    for number, (start, stop) in enumerate(runs):
        run_of[start:stop] = [number] * (stop - start)
    tokens: list[list[int]] = [[] for _ in runs]
    shared = set()
    for at, (start, stop) in enumerate(spans):
        covered = set(run_of[start:stop]) - {-1}
        for run in covered:
            tokens[run].append(at)
        if len(covered) > 1:
            shared.add(at)
    return [
        _word(text, run, group, spans)
        for run, own, alone in zip(runs, tokens, unspaced, strict=True)
        for group in (_characters(own, spans) if alone else [own])
        if group and not shared.intersection(group)
    ]


def _word(text: str, run: Span, group: list[int], spans: list[Span]) -> Word:
    first = max(run[0], min(spans[at][0] for at in group))
    last = min(run[1], max(spans[at][1] for at in group))
    return Word(group[0], group[-1] + 1, text[first:last].lower())


def _characters(own: list[int], spans: list[Span]) -> list[list[int]]:
    """Tokens in the smallest groups that share no character: bytes of one stay together."""
    groups: list[list[int]] = []
    reached = -1
    for at in own:
        if groups and spans[at][0] < reached:
            groups[-1].append(at)
        else:
            groups.append([at])
        reached = max(reached, spans[at][1])
    return groups


def _runs(text: str) -> tuple[list[Span], list[bool]]:
    """Stretches of one sort of letters, and whether theirs is a script without spaces."""
    runs: list[Span] = []
    unspaced: list[bool] = []
    before = _OUTSIDE
    for at, character in enumerate(text):
        sort = _sort(character)
        if sort == _JOINING:
            # It belongs to the letters before it; alone it is nothing.
            sort = before if _goes_on(text, at) else _OUTSIDE
        if sort != _OUTSIDE and sort == before:
            runs[-1] = (runs[-1][0], at + 1)
        elif sort != _OUTSIDE:
            runs.append((at, at + 1))
            unspaced.append(sort == _UNSPACED)
        before = sort
    return runs, unspaced


def _goes_on(text: str, at: int) -> bool:
    """Whether a mark, or a link with a letter behind it, continues a word."""
    if text[at] not in _LINKS:
        return True
    return at + 1 < len(text) and _sort(text[at + 1]) in (_SPACED, _UNSPACED)


@cache
def _sort(character: str) -> int:
    if character in _LINKS or unicodedata.category(character)[0] == "M":
        return _JOINING
    if not character.isalnum():
        return _OUTSIDE
    script = unicodedata.name(character, "").split(" ")[0]
    return _UNSPACED if script in _SPACELESS else _SPACED


def _occurrences(tokenizer: Any, tokenized: Tokenized, texts: pd.Series) -> pd.DataFrame:
    """Every word of every sentence whose tokens are all content."""
    rows: list[tuple[int, int, int, str]] = []
    for example, spans in enumerate(_spans(tokenizer, tokenized, list(texts))):
        first = tokenized.offsets[example]
        content = tokenized.content[first : first + len(spans)]
        rows += [
            (example, *word)
            for word in align(texts.iloc[example], spans)
            if content[word.position : word.stop].all()
        ]
    table = pd.DataFrame(rows, columns=["example", "position", "stop", "word"])
    return table.astype({"example": np.int64, "position": np.int64, "stop": np.int64})


def _spans(tokenizer: Any, tokenized: Tokenized, texts: list[str]) -> Iterator[list[Span]]:
    """Characters of each token of each sentence, special tokens as they stand in the ids."""
    lengths = tokenized.lengths
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        for number, spans in enumerate(_offsets(tokenizer, some, special=True), start):
            # The BOS policy shows in the length: as the tokenizer does, one more in front, or none.
            if len(spans) == lengths[number]:
                yield spans
            elif len(spans) + 1 == lengths[number]:
                yield [(0, 0), *spans]
            else:
                yield from _offsets(tokenizer, [texts[number]], special=False)


def _offsets(tokenizer: Any, texts: list[str], *, special: bool) -> list[list[Span]]:
    return tokenizer(
        texts,
        add_special_tokens=special,
        padding=False,
        truncation=False,
        return_offsets_mapping=True,
    )["offset_mapping"]
