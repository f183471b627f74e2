"""Every check of one checkpoint, in the order in which they can be made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from neurotrace.checkpoints import BrokenCheckpoint, Checkpoint, find
from neurotrace.concepts import ConceptSet
from neurotrace.doctor import texts
from neurotrace.doctor.case import Case, Options
from neurotrace.doctor.findings import Finding, table

EVERYDAY = "everyday"
PER_LANGUAGE = 40  # sentences that are tokenized and timed


def diagnose(
    model: str | Path | Checkpoint,
    *,
    concepts: ConceptSet | str | Path | None = None,
    tokenizer: str | Path | None = None,
    backend: str = "bridge",
    device: str = "auto",
    dtype: str = "auto",
    stack: str = "auto",
    trust_remote_code: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Is this model measured rightly here?

    The model is loaded twice: once as a trace loads it, with hooks, and once by transformers alone,
    whose modules are asked what they read and gave. Both see the same few sentences.

    Parameters
    ----------
    model
        A checkpoint, its folder, ``org/model@revision``; of a series, its last checkpoint.
    concepts
        Sentences, or the name or file of a set; without, those that lie beside the checkpoint, else
        the set ``everyday``.
    tokenizer
        Where the tokenizer is taken from, if not from the model.
    backend, device, dtype, stack
        As in :func:`neurotrace.capture.load_model`.

    Returns
    -------
    A row a check: part, check, found, expected, verdict (``ok``, ``note``, ``not checked``,
    ``failed``), figure, detail.

    Raises
    ------
    ValueError, FileNotFoundError, HubError
        For input that cannot be checked at all.
    """
    from neurotrace.capture.devices import resolve
    from neurotrace.capture.models import BACKENDS

    if backend not in BACKENDS:
        raise ValueError(f"got backend {backend!r}; valid are {', '.join(BACKENDS)}")
    device, dtype = resolve(device, dtype)
    options = Options(
        backend=backend,
        device=device,
        dtype=dtype,
        stack=stack,
        trust_remote_code=trust_remote_code,
        seed=seed,
    )
    checkpoint = checkpoint_of(model, tokenizer=tokenizer)
    with _at_hand(checkpoint) as found:
        return table(_findings(found, _sentences(found, concepts), options))


def checkpoint_of(model: str | Path | Checkpoint, *, tokenizer: str | Path | None) -> Checkpoint:
    """The one checkpoint that is meant, the last of a series."""
    if isinstance(model, Checkpoint):
        return model if tokenizer is None else replace(model, tokenizer=Path(tokenizer))
    return find(model, tokenizer=None if tokenizer is None else str(tokenizer))[-1]


@contextmanager
def _at_hand(checkpoint: Checkpoint) -> Iterator[Checkpoint]:
    if checkpoint.remote is None:
        yield checkpoint
        return
    from neurotrace.checkpoints.shelf import Shelf

    with Shelf([checkpoint]).at_hand(checkpoint) as folder:
        yield replace(checkpoint, path=folder)


def _sentences(checkpoint: Checkpoint, concepts: ConceptSet | str | Path | None) -> pd.DataFrame:
    """Some sentences of every language; those of the lab where a lab has trained the model."""
    if concepts is None:
        beside = checkpoint.path.parent / "concepts.jsonl"
        concepts = beside if beside.is_file() else EVERYDAY
    chosen = concepts if isinstance(concepts, ConceptSet) else ConceptSet.load(concepts)
    return chosen.frame.groupby("lang", sort=False).head(PER_LANGUAGE).reset_index(drop=True)


def _findings(checkpoint: Checkpoint, frame: pd.DataFrame, options: Options) -> Iterator[Finding]:
    from neurotrace.capture import UnsupportedModel, loading
    from neurotrace.capture.tokens import tokenize

    try:
        loading.refuse_incomplete(checkpoint)
        loading.shapes(checkpoint.path)
        trust = options.trust_remote_code
        tokenizer = loading.load_tokenizer(checkpoint, trust_remote_code=trust)
        case = Case(checkpoint, options)
    except (BrokenCheckpoint, UnsupportedModel) as error:
        yield _refused("the checkpoint loads", error)
        return
    try:
        tokenized = tokenize(tokenizer, frame)
    except ValueError as error:
        yield Finding("texts", "sentences", str(error), "content in each", "failed")
        return
    read = list(
        texts.of_texts(
            tokenizer,
            frame,
            tokenized,
            n_vocabulary=case.n_vocabulary,
            n_positions=case.n_positions,
        )
    )
    if int(tokenized.ids.max()) >= case.n_vocabulary:
        yield from read
        yield Finding("values", "the model reads them", "ids it lacks", "", "not checked")
        return
    of_model: list[Finding] = []
    try:
        for finding in case.findings(tokenizer, tokenized, frame):
            of_model.append(finding)  # what was found before a refusal is told, too
    except (BrokenCheckpoint, UnsupportedModel, RuntimeError) as error:
        of_model.append(_refused("the model runs", error))
    yield from read
    yield from texts.of_bos(tokenizer, tokenized, case.prepends)
    yield from of_model


def _refused(check: str, error: Exception) -> Finding:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return Finding("values", check, line, "nothing to refuse", "failed")
