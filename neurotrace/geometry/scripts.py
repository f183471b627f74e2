"""Which script is a token of a vocabulary written in? A rule over characters, no model needed."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

UNKNOWN, BYTES = "Unknown", "bytes"
SPACE = "▁"  # how SentencePiece writes a space
BAD = "bad: "
# A byte-level vocabulary begins with its alphabet, and nearly all of its tokens are spelled in it.
SINGLES, SPELLED = 200, 0.99


def script_of(token: str, *, nameless: str | None = None) -> str:
    """The class of a token: what most of its characters are.

    A letter (Unicode category L) counts for the first word of its Unicode name, ``LATIN`` or
    ``CJK``; any other character for the first letter of its category, ``P N S M C Z``. Among
    classes with equally many characters the first in the token wins.

    What follows from the rule is kept as published. SentencePiece's mark of a space is a symbol,
    so that ``▁a`` is ``S`` and ``▁in`` is ``LATIN``; full-width letters are ``FULLWIDTH``,
    modifier letters ``MODIFIER``, and the Japanese long vowel is ``KATAKANA-HIRAGANA``.

    Parameters
    ----------
    token
        As it reads; tokens of a byte-level vocabulary through :func:`decode_bytes` first.
    nameless
        The class of letters that have no name (Tangut ideographs, in some versions of Python).
        None refuses them, as the released code does.

    Returns
    -------
    A class; ``Unknown`` for an empty token.

    Raises
    ------
    ValueError
        For a letter without a name.

    References
    ----------
    Wen-Yi and Mimno 2023, "Hyperpolyglot LLMs", by their released code.

    Examples
    --------
    >>> [script_of(token) for token in ("▁in", "▁a", "日本の", "です。", "1a", "")]
    ['LATIN', 'S', 'CJK', 'HIRAGANA', 'N', 'Unknown']
    """
    if not token:
        return UNKNOWN
    # A counter keeps the order of first sight, and so does the sort by counts.
    return Counter(_class(char, nameless) for char in token).most_common(1)[0][0]


def scripts_of(
    tokens: Sequence[str],
    *,
    undecodable: Literal["published", "bytes"] = "published",
    nameless: str | None = None,
    byte_level: bool | None = None,
) -> NDArray[np.str_]:
    """The class of every token of a vocabulary, byte-level ones decoded first.

    Parameters
    ----------
    tokens
        ``(token,)`` as the vocabulary spells them.
    undecodable
        The class of byte strings that are no text: ``published`` prefixes them with ``bad: ``,
        which mostly makes them ``LATIN``; ``bytes`` gives them a class of that name.
    nameless
        As in :func:`script_of`.
    byte_level
        Whether tokens are spelled in bytes; None looks at their alphabet.

    Returns
    -------
    ``(token,)`` classes.

    Raises
    ------
    ValueError
        For a letter without a name, or an unknown ``undecodable``.

    References
    ----------
    Wen-Yi and Mimno 2023; there undecodable tokens count as what their prefix looks like.

    Examples
    --------
    >>> scripts_of(["за", "und", "。"]).tolist()
    ['CYRILLIC', 'LATIN', 'P']
    """
    if undecodable not in ("published", "bytes"):
        raise ValueError(f"got undecodable={undecodable!r}; valid are published, bytes")
    found = []
    for token, text in zip(tokens, _decoded(tokens, byte_level), strict=True):
        if text is None and undecodable == "bytes":
            found.append(BYTES)
        else:
            found.append(script_of(BAD + token if text is None else text, nameless=nameless))
    return np.array(found, dtype=np.str_)


def decode_bytes(tokens: Sequence[str], *, byte_level: bool | None = None) -> list[str]:
    """The text of every token of a vocabulary that may be spelled in bytes.

    GPT-2, BLOOM and others write each byte as one printable character. Such a vocabulary is known
    by its alphabet: nearly every token is spelled in these 256 characters, and most of them are
    tokens themselves. Any other vocabulary comes back as it is. A leading space becomes ``▁``, so
    that vocabularies compare; tokens that are no whole text get the prefix ``bad: ``.

    Parameters
    ----------
    tokens
        ``(token,)`` as the vocabulary spells them.
    byte_level
        Whether they are spelled in bytes; None looks at their alphabet.

    Returns
    -------
    ``(token,)`` texts.

    References
    ----------
    Wen-Yi and Mimno 2023, by their released code.

    Examples
    --------
    >>> decode_bytes(["Ġthe", "Ð²", "Ð"], byte_level=True)
    ['▁the', 'в', 'bad: Ð']
    """
    texts = _decoded(tokens, byte_level)
    return [
        BAD + token if text is None else text for token, text in zip(tokens, texts, strict=True)
    ]


def is_byte_level(tokens: Iterable[str]) -> bool:
    """Whether a vocabulary is spelled in the printable characters that stand for bytes.

    Parameters
    ----------
    tokens
        All tokens of the vocabulary, not some of them.

    Examples
    --------
    >>> is_byte_level(["▁the", "Größe"])
    False
    """
    known = _bytes()
    kept = [token for token in tokens if token]
    if sum(token in known for token in set(kept)) < SINGLES:
        return False
    return sum(known.keys() >= set(token) for token in kept) >= SPELLED * len(kept)


def _decoded(tokens: Sequence[str], byte_level: bool | None) -> list[str | None]:
    """Texts, None for byte strings that are none."""
    if not (is_byte_level(tokens) if byte_level is None else byte_level):
        return list(tokens)
    return [_text(token) for token in tokens]


def _text(token: str) -> str | None:
    known = _bytes()
    if not known.keys() >= set(token):
        return token  # added to the vocabulary as plain text
    try:
        text = bytes(known[char] for char in token).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return SPACE + text[1:] if text.startswith(" ") else text


@cache
def _bytes() -> dict[str, int]:
    """Character to byte: printable bytes stand for themselves, the others for U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    table = {chr(byte): byte for byte in printable}
    return table | {chr(0x100 + place): byte for place, byte in enumerate(others)}


@cache
def _class(char: str, nameless: str | None) -> str:
    category = unicodedata.category(char)[0]
    if category != "L":
        return category
    name = unicodedata.name(char, "")
    if name:
        return name.split()[0]
    if nameless is None:
        raise ValueError(
            f"got letter U+{ord(char):04X}, which has no Unicode name in this version of Python; "
            "expected named letters, or nameless= with a class for the others"
        )
    return nameless
