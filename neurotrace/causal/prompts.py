"""What a text starts with when a model speaks without being asked: data, and one rule."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Families whose tokenizer puts nothing in front of a text, though training did; others start with
# the tokenizer's BOS. Adding a family is adding a row.
START = {"bloom": "</s>"}


def start_ids(model: Any, prompt: str | None = None) -> NDArray[np.int64]:
    """The tokens every text that a hooked model writes starts with; see :func:`start_of`."""
    return start_of(model.tokenizer, str(model.model.config.model_type), prompt)


def start_of(tokenizer: Any, family: str, prompt: str | None = None) -> NDArray[np.int64]:
    """The tokens every text of a family starts with.

    Parameters
    ----------
    tokenizer
        The model's own.
    family
        Its ``model_type``, such as ``bloom``.
    prompt
        A text, tokenised as it is. None for the start of the family: the table's string, else
        BOS, else EOS.

    Returns
    -------
    ``(token,)``, at least one.

    Raises
    ------
    ValueError
        For a prompt without tokens, or a tokenizer that has neither BOS nor EOS.
    """
    text = START.get(family) if prompt is None else prompt
    if text is None:
        for first in (tokenizer.bos_token_id, tokenizer.eos_token_id):
            if first is not None:
                return np.array([first], dtype=np.int64)
        raise ValueError(
            "got a tokenizer with neither BOS nor EOS; expected a prompt to start with"
        )
    ids = tokenizer(text)["input_ids"]
    if not ids:
        raise ValueError(f"got prompt {text!r}, which has no token; expected at least one")
    return np.asarray(ids, dtype=np.int64)
