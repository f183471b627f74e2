"""Corpora made of the user's own texts: one file a language, or one text and its clone.

A clone is the text once more with every type replaced by a type of its own, a language that
corresponds token by token, of which a share of the types may stay as they are (K, Wang, Mayhew and
Roth 2020, https://arxiv.org/abs/1912.07840, "Fake-English"). Ours are BPE pieces, written apart
by blanks so that any tokenizer of whole words reads them back exactly.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from neurotrace.concepts import ConceptSet
from neurotrace.lab.preset import Preset
from neurotrace.lab.tokenizer import BOS_ID, SPECIALS, byte_level, word_level

MIN_VOCAB = 300  # 256 bytes, the special tokens, and some room to learn pieces
MIN_TOKENS = 1024  # a language, in training
ORIGINAL, COPY = "txt_Orig", "txt_Copy"
PRIME = "′"  # no byte is written so in a byte-level piece: marked pieces never meet unmarked ones
MIN_PASSAGES, MAX_HELD_OUT, RUN = 160, 700, 20
KEY_WORDS = 16

Ids = NDArray[np.int64]


class TextCorpus:
    """The user's files, one a language, each language equally often.

    Rows begin with BOS at the start of a random passage and run on through the next ones.

    Parameters
    ----------
    preset
        Rows an update and tokens a row.
    folder
        ``eng_Latn.txt`` and so on: UTF-8, a passage a line.
    vocab_size
        Types of the byte-level BPE that is learnt from all files together.

    Raises
    ------
    ValueError
        For no files, a file that is empty, not UTF-8 or too short, a vocabulary below 300.
    """

    def __init__(self, preset: Preset, folder: Path, *, seed: int, vocab_size: int) -> None:
        files = sorted(folder.glob("*.txt"))
        if not folder.is_dir() or not files:
            raise ValueError(
                f"{folder}: got no .txt files; expected a folder with one a language, "
                "such as eng_Latn.txt, a passage a line"
            )
        texts = {file.stem: passages(file) for file in files}
        self.languages = list(texts)
        self.digest = _digest(texts)
        self.tokenizer = _learn([line for lines in texts.values() for line in lines], vocab_size)
        streams = [_stream(self.tokenizer, lines) for lines in texts.values()]
        self._rows = _Rows(preset, streams, self.languages, seed=seed)

    @property
    def shared_ids(self) -> list[int]:
        """None are planted here; which pieces real languages share is the tokenizer's affair."""
        return []

    def batch(self, update: int) -> Ids:
        """``(batch, length + 1)`` token ids of an update, counted from 1."""
        return self._rows.batch(update)

    def evaluation(self) -> None:
        """The user brings the sentences to evaluate on."""


class CloneCorpus:
    """A text and its clone, trained on disjoint halves, evaluated on passages neither has seen.

    Halves alternate in runs of 20 passages. Up to 700 passages, at most a tenth, are kept back;
    which ones, the halves and the pieces do not depend on how many types are shared, and a larger
    share holds a smaller one.

    Parameters
    ----------
    file
        UTF-8, a passage a line.
    shared_types
        Share of the pieces that the clone writes as the text does, 0–1, drawn from the seed.

    Raises
    ------
    ValueError
        For a share outside 0–1, or a text that is empty, not UTF-8 or too short.
    """

    def __init__(
        self, preset: Preset, file: Path, *, seed: int, shared_types: float, vocab_size: int
    ) -> None:
        if not 0 <= shared_types <= 1:
            raise ValueError(f"got shared types {shared_types}; expected a share from 0 to 1")
        lines = passages(file)
        if len(lines) < MIN_PASSAGES:
            raise ValueError(
                f"{file}: got {len(lines)} passages; expected at least {MIN_PASSAGES}, one a line"
            )
        self.languages = [ORIGINAL, COPY]
        self.digest = _digest({ORIGINAL: lines})
        self._pieces = _learn(lines, vocab_size)
        types = self._pieces.convert_ids_to_tokens([*range(len(SPECIALS), len(self._pieces))])
        self.tokenizer = word_level([*types, *(piece + PRIME for piece in types)])
        drawn = np.random.default_rng([seed, 7]).permutation(len(types))
        self._is_shared = np.zeros(len(self._pieces), dtype=bool)
        self._is_shared[len(SPECIALS) + drawn[: round(shared_types * len(types))]] = True
        encoded = [np.array(ids) for ids in _encode(self._pieces, lines)]
        self._held_out = _hold_out(encoded, lines, longest=preset.length, seed=seed)
        kept = np.setdiff1d(np.arange(len(lines)), self._held_out)
        halves = [kept[np.arange(len(kept)) // RUN % 2 == half] for half in (0, 1)]
        streams = [_stream(self._pieces, [lines[at] for at in half]) for half in halves]
        streams[1] = (self._clone(streams[1][0]), streams[1][1])
        self._rows = _Rows(preset, streams, self.languages, seed=seed)
        self._lines, self._encoded = lines, encoded

    @property
    def shared_ids(self) -> list[int]:
        """Ids that both languages use: to be left out of pooling, else retrieval is spelling."""
        return np.flatnonzero(self._is_shared).tolist()

    def batch(self, update: int) -> Ids:
        """``(batch, length + 1)`` token ids of an update, counted from 1."""
        return self._rows.batch(update)

    def evaluation(self) -> ConceptSet:
        """The passages kept back, in both languages; concepts are words some of them hold.

        Passages that consist of shared types alone are left out: nothing of them could be pooled.
        """
        kept = [at for at in self._held_out if not self._is_shared[self._encoded[at]].all()]
        named = _key_words([self._lines[at] for at in kept])
        rows = [
            {"group": f"passage{at:05d}", "lang": lang, "text": self._write(ids),
             "concepts": concepts, "lexical": True, "cognate": False}
            for at, concepts in zip(kept, named, strict=True)
            for lang, ids in zip(
                self.languages, (self._encoded[at], self._clone(self._encoded[at])), strict=True
            )
        ]  # fmt: skip
        header = {"name": "lab-clone", "languages": self.languages, "parallel": True,
                  "about": "pieces of a text and of its clone; types that both use occur and are "
                           "listed in shared_ids.json, to be left out of pooling; concepts are "
                           "words of the text"}  # fmt: skip
        return ConceptSet.from_frame(pd.DataFrame(rows), header=header)

    def _clone(self, ids: Ids) -> Ids:
        own = ids + len(self._pieces) - len(SPECIALS)
        return np.where(self._is_shared[ids], ids, own)

    def _write(self, ids: Ids) -> str:
        return " ".join(self.tokenizer.convert_ids_to_tokens(ids.tolist()))


def passages(file: Path) -> list[str]:
    """The lines of a UTF-8 file that are not blank.

    Raises
    ------
    ValueError
        When the file is missing, not UTF-8, or has none.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file}: got bytes that are not UTF-8 at position {error.start}; expected UTF-8"
        ) from None
    except OSError as error:
        raise ValueError(
            f"{file}: got {error.strerror}; expected a UTF-8 text, a passage a line"
        ) from None
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError(f"{file}: got an empty text; expected a passage a line")
    return lines


class _Rows:
    """Rows of fixed length out of streams, each from the start of a passage."""

    def __init__(
        self,
        preset: Preset,
        streams: Sequence[tuple[Ids, Ids]],
        languages: Sequence[str],
        *,
        seed: int,
    ) -> None:
        for language, (ids, _) in zip(languages, streams, strict=True):
            if len(ids) < MIN_TOKENS:
                raise ValueError(
                    f"{language}: got {len(ids)} tokens to train on; "
                    f"expected at least {MIN_TOKENS}: too little text"
                )
        self.preset, self.seed = preset, seed
        self.ids = [ids for ids, _ in streams]
        self.starts = [at[at <= len(ids) - preset.length] for ids, at in streams]

    def batch(self, update: int) -> Ids:
        size, length = self.preset.batch, self.preset.length
        rng = np.random.default_rng([self.seed, 8, update])
        rows = np.full((size, length + 1), BOS_ID)
        language = rng.integers(len(self.ids), size=size)
        for row, (which, draw) in enumerate(zip(language, rng.random(size), strict=True)):
            starts = self.starts[which]
            start = starts[int(draw * len(starts))]
            rows[row, 1:] = self.ids[which][start : start + length]
        return rows


def _learn(lines: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    if vocab_size < MIN_VOCAB:
        raise ValueError(f"got vocabulary size {vocab_size}; expected at least {MIN_VOCAB}")
    return byte_level(lines, vocab_size=vocab_size)


def _encode(tokenizer: PreTrainedTokenizerFast, lines: Sequence[str]) -> list[list[int]]:
    return tokenizer(list(lines), add_special_tokens=False)["input_ids"]


def _stream(tokenizer: PreTrainedTokenizerFast, lines: Sequence[str]) -> tuple[Ids, Ids]:
    """All passages one after the other, each closed by a line break, and where each begins."""
    encoded = _encode(tokenizer, [f"{line}\n" for line in lines])
    ends = np.cumsum([len(ids) for ids in encoded])
    return np.concatenate([np.array(ids) for ids in encoded]), np.concatenate([[0], ends[:-1]])


def _hold_out(encoded: Sequence[Ids], lines: Sequence[str], *, longest: int, seed: int) -> Ids:
    """Passages to evaluate on: of 8 tokens up to a training row, no two alike, in text order."""
    counts = Counter(lines)
    fit = [at for at, ids in enumerate(encoded)
           if 8 <= len(ids) <= longest and counts[lines[at]] == 1]  # fmt: skip
    wanted = min(MAX_HELD_OUT, len(lines) // 10)
    if len(fit) < wanted:
        raise ValueError(
            f"got {len(fit)} passages of 8 to {longest} tokens; expected at least {wanted}"
        )
    return np.sort(np.random.default_rng([seed, 9]).permutation(fit)[:wanted])


def _key_words(lines: Sequence[str]) -> list[tuple[str, ...]]:
    """For each passage those it holds of the 16 commonest words of 2–10 % of the passages."""
    found = [set(re.findall(r"[^\W\d_]{5,}", line.casefold())) for line in lines]
    counts = Counter(word for words in found for word in words)
    low, high = max(2, 0.02 * len(lines)), 0.10 * len(lines)
    middling = sorted((w for w, n in counts.items() if low <= n <= high),
                      key=lambda word: (-counts[word], word))  # fmt: skip
    chosen = set(middling[:KEY_WORDS])
    return [tuple(sorted(chosen & words)) for words in found]


def _digest(texts: dict[str, list[str]]) -> str:
    """SHA-256 of what the files say, by language: another text is another run."""
    said = "\0".join(part for name, lines in texts.items() for part in (name, *lines))
    return hashlib.sha256(said.encode()).hexdigest()
