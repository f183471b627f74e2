"""Sentences as token ids, made here and not by the model's wrapper, and which of them are content.

TransformerLens rebuilds tokenizers and may glue a BOS in front; so it is never handed a string.
"""

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from neurotrace.capture.pooling import Batch

BOS = ("default", "always", "never")
# Scripts without spaces between words, by the first word of their letters' Unicode names.
SPACELESS = frozenset(
    ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR")
)
_AT_ONCE = 512  # sentences a call of the tokenizer: bounds its lists


@dataclass(frozen=True)
class Tokenized:
    """All sentences of a concept set, as one flat array.

    Attributes
    ----------
    ids
        ``(token,)`` int32, sentence after sentence.
    content
        ``(token,)`` bool: neither special nor excluded.
    offsets
        ``(example + 1,)``: where each sentence begins.
    bos_present
        Whether sentences begin with a BOS (or CLS) token.
    pad_id
        Id that fills the padding; it is masked and never pooled.
    """

    ids: NDArray[np.int32]
    content: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    bos_present: bool
    pad_id: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens a sentence, special ones included."""
        return np.diff(self.offsets)

    @property
    def n_tokens(self) -> NDArray[np.int64]:
        """Content tokens a sentence: those that are pooled."""
        return np.add.reduceat(self.content.astype(np.int64), self.offsets[:-1])

    def batch(
        self,
        rows: NDArray[np.intp],
        *,
        device: str,
        drawn: pd.DataFrame | None = None,
        words: pd.DataFrame | None = None,
    ) -> Batch:
        """Some sentences, padded on the right, with their drawn rows in the tables' order."""
        lengths = self.lengths[rows]
        mask = np.arange(lengths.max())[None, :] < lengths[:, None]
        ids = np.full(mask.shape, self.pad_id, dtype=np.int64)
        content = np.zeros(mask.shape, dtype=bool)
        where = np.concatenate([np.arange(*self.offsets[row : row + 2]) for row in rows])
        ids[mask], content[mask] = self.ids[where], self.content[where]
        arrays = {"ids": ids, "mask": mask.astype(np.int64), "content": content}
        arrays["drawn"] = _places(rows, drawn, ("position",))
        arrays["words"] = _places(rows, words, ("position", "stop"))
        return Batch(**{name: torch.from_numpy(a).to(device) for name, a in arrays.items()})


def tokenize(
    tokenizer: Any,
    frame: pd.DataFrame,
    *,
    bos: str = "default",
    exclude_ids: Sequence[int] = (),
    max_length: int | None = None,
) -> Tokenized:
    """Tokenise the sentences of a concept set.

    Parameters
    ----------
    frame
        Columns ``group``, ``lang``, ``text``.
    bos
        ``default``: what the tokenizer does by itself; ``always``: a BOS (or CLS) in front, put
        there where the tokenizer puts none; ``never``: no special token at all.
    exclude_ids
        Token ids that are never pooled, such as words that languages share.
    max_length
        The model's positions, in tokens.

    Raises
    ------
    ValueError
        For a sentence without content tokens or longer than the model's positions, naming it; for
        ``always`` with a tokenizer that has no BOS.
    """
    if bos not in BOS:
        raise ValueError(f"got bos {bos!r}; valid are {', '.join(BOS)}")
    first = _bos_id(tokenizer)
    if bos == "always" and first is None:
        raise ValueError("got bos 'always', but the tokenizer has neither BOS nor CLS token")
    sentences = [
        _ids(ids, first if bos == "always" else None)
        for start in range(0, len(frame), _AT_ONCE)
        for ids in _encode(tokenizer, frame["text"].iloc[start : start + _AT_ONCE], bos)
    ]
    lengths = [len(ids) for ids in sentences]
    flat = np.concatenate(sentences)
    # The unknown-word token is special too: it is one token in every language, and a maximum over
    # it would look like a neuron that languages share.
    never = {*tokenizer.all_special_ids, *exclude_ids}
    pad = tokenizer.pad_token_id
    tokenized = Tokenized(
        ids=flat,
        content=~np.isin(flat, np.fromiter(never, dtype=np.int32, count=len(never))),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        bos_present=first is not None and all(len(s) > 0 and s[0] == first for s in sentences),
        pad_id=0 if pad is None else int(pad),
    )
    _refuse(tokenized, frame, max_length)
    return tokenized


def draw(
    tokenizer: Any, tokenized: Tokenized, frame: pd.DataFrame, *, per_language: int, seed: int
) -> pd.DataFrame:
    """Content tokens drawn evenly over a language's tokens, before any model is run.

    Returns
    -------
    Sorted by sentence and position: ``example position id word lang kind``. ``position`` counts
    from the sentence's first token, specials included. ``kind`` is ``whole`` where the token is a
    word of its own (in scripts without spaces, any token of whole characters), ``continuation``
    where letters go on before or after it, ``byte`` where it is
    part of a character.
    """
    if not tokenizer.is_fast:
        raise ValueError("got a slow tokenizer; drawing tokens needs one that knows offsets")
    # Each draw of a run has a stream of its own, so that adding one leaves the others as they were.
    rng = np.random.default_rng([seed, 1])
    example = np.repeat(np.arange(len(frame)), tokenized.lengths)
    lang = frame["lang"].to_numpy()[example]
    drawn = []
    for name in pd.unique(frame["lang"]):
        own = np.flatnonzero(tokenized.content & (lang == name))
        drawn.append(rng.choice(own, size=min(per_language, len(own)), replace=False))
    flat = np.sort(np.concatenate(drawn))
    ids = tokenized.ids[flat]
    rows = example[flat]
    position = flat - tokenized.offsets[rows]
    table: dict[str, Any] = {"example": rows, "position": position, "id": ids.astype(np.int64)}
    table["word"] = [tokenizer.decode([int(i)]) for i in ids]
    frame_of = pd.DataFrame(table | {"lang": lang[flat]})
    return frame_of.assign(kind=_kinds(tokenizer, tokenized, frame["text"], frame_of))


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 of everything that decides how a text becomes ids."""
    digest = hashlib.sha256()
    # The state of a fast tokenizer includes merges and normalizers, which a vocabulary does not.
    if tokenizer.is_fast:
        state = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
        # A training loop may have left these behind; here texts are neither cut nor padded.
        state.no_truncation()
        state.no_padding()
        digest.update(state.to_str().encode())
    else:
        digest.update(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    digest.update(json.dumps(special, sort_keys=True).encode())
    return digest.hexdigest()


def _places(
    rows: NDArray[np.intp], table: pd.DataFrame | None, columns: Sequence[str]
) -> NDArray[np.int64]:
    """Row of the batch and some columns, for every row of a table of drawn things."""
    if table is None or not len(table):
        return np.zeros((0, 1 + len(columns)), dtype=np.int64)
    place = {int(row): number for number, row in enumerate(rows)}
    found = [table["example"].map(place), *(table[name] for name in columns)]
    return np.stack(found, axis=1).astype(np.int64)


def _encode(tokenizer: Any, texts: pd.Series, bos: str) -> list[list[int]]:
    return tokenizer(
        list(texts), add_special_tokens=bos != "never", padding=False, truncation=False
    )["input_ids"]


def _ids(ids: list[int], first: int | None) -> NDArray[np.int32]:
    # A tokenizer that puts its own BOS in front needs no second one.
    if first is not None and ids[:1] != [first]:
        ids = [first, *ids]
    return np.asarray(ids, dtype=np.int32)


def _bos_id(tokenizer: Any) -> int | None:
    return tokenizer.cls_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id


def _refuse(tokenized: Tokenized, frame: pd.DataFrame, max_length: int | None) -> None:
    n_tokens = [int(c.sum()) for c in np.split(tokenized.content, tokenized.offsets[1:-1])]
    for row, (count, length) in enumerate(zip(n_tokens, tokenized.lengths, strict=True)):
        name = f"{frame['lang'].iloc[row]} group {frame['group'].iloc[row]!r}"
        if count == 0:
            raise ValueError(
                f"{name}: got no content token in {frame['text'].iloc[row]!r:.60}; expected one "
                "that is neither special nor excluded"
            )
        if max_length is not None and length > max_length:
            long = frame[tokenized.lengths > max_length]
            langs = ", ".join(pd.unique(long["lang"]))
            raise ValueError(
                f"{name}: got {length} tokens; the model has {max_length} positions "
                f"({len(long)} sentences of {langs} are too long; leave out their "
                f"{long['group'].nunique()} groups, or these languages)"
            )


def _kinds(
    tokenizer: Any, tokenized: Tokenized, texts: pd.Series, drawn: pd.DataFrame
) -> list[str]:
    kinds: list[str] = []
    lengths = tokenized.lengths
    spans: list[tuple[int, int]] = []
    last = -1
    for row, at, word in zip(drawn["example"], drawn["position"], drawn["word"], strict=True):
        text = texts.iloc[row]
        if row != last:  # sorted by sentence: each is split once
            spans, last = _spans(tokenizer, text, int(lengths[row])), row
        kinds.append("byte" if "\ufffd" in word else _kind(text, *spans[at]))
    return kinds


def _spans(tokenizer: Any, text: str, length: int) -> list[tuple[int, int]]:
    """Characters of each token; a BOS that was put in front here has none."""
    for special in (True, False):
        encoded = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        spans = [(int(a), int(b)) for a, b in encoded["offset_mapping"]]
        if len(spans) == length:
            return spans
    return [(0, 0), *spans][-length:]


def _kind(text: str, start: int, stop: int) -> str:
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    inside = start < stop and _in_word(text[start]) and start > 0 and _in_word(text[start - 1])
    goes_on = start < stop < len(text) and _in_word(text[stop - 1]) and _in_word(text[stop])
    return "continuation" if inside or goes_on else "whole"


def _in_word(character: str) -> bool:
    # Vowel signs and accents are marks, no letters: a word does not end at them.
    if not (character.isalnum() or unicodedata.category(character)[0] == "M"):
        return False
    # Where words stand without spaces, letters on both sides say nothing of a word's borders.
    return unicodedata.name(character, "").split(" ")[0] not in SPACELESS
