"""How many tokens a model can place."""

from typing import Any

from neurotrace.capture.families import Family


def n_positions(config: Any, family: Family, stack: str) -> int | None:
    """Most tokens of a sentence, special ones included; None where positions have no end (ALiBi).

    Parameters
    ----------
    stack
        A decoder behind an encoder spends one position on its start token.
    """
    config = config.get_text_config()
    if family.positions == "free" or getattr(config, "alibi", False):
        return None
    found = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions"))
    n = next((value for value in found if isinstance(value, int)), None)
    if n is None:
        return None
    if family.positions == "after_padding":
        # RoBERTa counts its positions from the id behind the padding's.
        n -= int(config.pad_token_id or 0) + 1
    return n - (family.auto == "seq2seq" and stack == "decoder")
