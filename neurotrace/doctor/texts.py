"""Is a text read as it should be: ids, special tokens, words that the tokenizer does not know."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurotrace.doctor.findings import Finding, judged

MANY_UNKNOWN, MOST_UNKNOWN = 0.01, 0.10  # share of a language's tokens: worth a note, a failure
FAITHFUL = 0.99  # share of sentences that come back from their ids


def of_texts(
    tokenizer: Any,
    frame: pd.DataFrame,
    tokenized: Any,
    *,
    n_vocabulary: int,
    n_positions: int | None,
) -> Iterator[Finding]:
    """Everything that can be said of sentences before a model reads them.

    Parameters
    ----------
    frame
        Sentences, columns ``lang`` and ``text``.
    tokenized
        The same as :class:`neurotrace.capture.tokens.Tokenized`.
    n_vocabulary
        Rows of the model's embedding.
    n_positions
        Most tokens that the model can place; None without an end.
    """
    yield _kind(tokenizer)
    yield _ids(tokenizer, tokenized, n_vocabulary)
    yield _round_trip(tokenizer, frame)
    yield _unknown(tokenizer, frame, tokenized)
    yield _lengths(frame, tokenized, n_positions)
    yield _specials(tokenizer, tokenized)


def of_bos(tokenizer: Any, tokenized: Any, prepends: bool | None) -> Iterator[Finding]:
    """What stands in front of a sentence, and what TransformerLens would put there.

    Parameters
    ----------
    prepends
        ``default_prepend_bos`` of the bridge; None without a bridge.
    """
    first = tokenizer.cls_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    name = "no token" if first is None else tokenizer.convert_ids_to_tokens(int(first))
    if tokenized.bos_present:
        here = f"{name} in front, never pooled"
    else:
        here = "none in front"
    starts = tokenized.offsets[:-1]
    pooled = tokenized.bos_present and bool(tokenized.content[starts].any())
    if prepends is None:
        there = "no bridge to compare with"
    else:
        there = f"TransformerLens' default: {name if prepends else 'none'}"
    differs = prepends is not None and prepends != tokenized.bos_present
    yield Finding(
        "texts",
        "BOS",
        here if not pooled else f"{name} in front is pooled",
        there,
        "failed" if pooled else judged(not differs, "note"),
        detail="the tokenizer's own way is taken; --bos of the trace chooses" if differs else "",
    )


def _kind(tokenizer: Any) -> Finding:
    fast = bool(tokenizer.is_fast)
    return Finding(
        "texts",
        "tokenizer",
        f"{type(tokenizer).__name__}, {'fast' if fast else 'slow'}",
        "fast",
        judged(fast, "note"),
        detail="" if fast else "paths of single tokens and words need a fast one",
    )


def _ids(tokenizer: Any, tokenized: Any, n_vocabulary: int) -> Finding:
    known = max(tokenizer.get_vocab().values(), default=0)
    highest = max(int(tokenized.ids.max()), int(known))
    fine = highest < n_vocabulary
    return Finding(
        "texts",
        "token ids",
        f"up to {highest:,}",
        f"below {n_vocabulary:,} (embedding)",
        judged(fine),
        float(highest),
        "" if fine else "the tokenizer is another model's, or tokens were added to it alone",
    )


def _round_trip(tokenizer: Any, frame: pd.DataFrame) -> Finding:
    texts = list(frame["text"])
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    same = [_plain(tokenizer.decode(i)) == _plain(t) for i, t in zip(ids, texts, strict=True)]
    share = float(np.mean(same))
    langs = frame.loc[~np.array(same), "lang"].value_counts()
    return Finding(
        "texts",
        "round trip",
        f"{share:.1%} come back from ids",
        f"≥ {FAITHFUL:.0%}",
        judged(share >= FAITHFUL, "note"),
        share,
        ""
        if share >= FAITHFUL
        else f"most in {', '.join(langs.index[:3])}: case, marks or letters",
    )


def _plain(text: str) -> str:
    # Spaces and compatible forms of a letter are no loss.
    return "".join(unicodedata.normalize("NFKC", text).split())


def _unknown(tokenizer: Any, frame: pd.DataFrame, tokenized: Any) -> Finding:
    unknown = tokenizer.unk_token_id
    if unknown is None:
        return Finding("texts", "unknown words", "none: every text has ids", "≤ 1 %", figure=0.0)
    langs = frame["lang"].to_numpy()[np.repeat(np.arange(len(frame)), tokenized.lengths)]
    share = pd.Series(tokenized.ids == unknown).groupby(langs).mean().sort_values()
    worst, name = float(share.iloc[-1]), share.index[-1]
    bad = [lang for lang, value in share.items() if value > MANY_UNKNOWN]
    verdict = "failed" if worst > MOST_UNKNOWN else judged(worst <= MANY_UNKNOWN, "note")
    return Finding(
        "texts",
        "unknown words",
        f"up to {worst:.1%} of tokens" + (f" ({name})" if worst else ""),
        f"≤ {MANY_UNKNOWN:.0%} in each language",
        verdict,
        worst,
        "" if verdict == "ok" else f"leave out {', '.join(map(str, bad[::-1]))}",
    )


def _lengths(frame: pd.DataFrame, tokenized: Any, n_positions: int | None) -> Finding:
    lengths: NDArray[np.int64] = tokenized.lengths
    mean = pd.Series(lengths).groupby(frame["lang"].to_numpy()).mean().sort_values()
    most = int(lengths.max())
    fine = n_positions is None or most <= n_positions
    low, high = f"{mean.iloc[0]:.0f} ({mean.index[0]})", f"{mean.iloc[-1]:.0f} ({mean.index[-1]})"
    return Finding(
        "texts",
        "tokens a sentence",
        f"mean {low} to {high}, most {most}",
        "any number" if n_positions is None else f"≤ {n_positions:,} positions",
        judged(fine),
        float(most),
        "" if fine else "leave out the groups of sentences that are too long",
    )


def _specials(tokenizer: Any, tokenized: Any) -> Finding:
    special = np.isin(tokenized.ids, list(tokenizer.all_special_ids))
    pooled = int((special & tokenized.content).sum())
    none = int((tokenized.n_tokens == 0).sum())
    return Finding(
        "texts",
        "what is pooled",
        f"{pooled} special, {none} empty sentences",
        "0 and 0",
        judged(pooled == 0 and none == 0),
        float(pooled + none),
    )
