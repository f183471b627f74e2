"""One call from a preset's name to a folder of checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from neurotrace.lab.corpus import Corpus, GrammarCorpus
from neurotrace.lab.folder import LabFolder
from neurotrace.lab.preset import Preset, preset_named
from neurotrace.lab.texts import CloneCorpus, TextCorpus
from neurotrace.lab.training import train

VOCAB_SIZES = {"texts": 4096, "clone": 1200}


def pretrain(
    preset: str = "default",
    *,
    out: str | Path,
    seed: int = 0,
    steps: int | None = None,
    texts: str | Path | None = None,
    shared_types: float = 0.3,
    vocab_size: int | None = None,
    threads: int = 1,
    progress: bool = True,
) -> Path:
    """Pre-train one preset and leave its checkpoints, ready for ``neurotrace.trace``.

    A run that was interrupted goes on from its last checkpoint and ends in the same weights; a
    finished one is left as it is.

    Parameters
    ----------
    preset
        One of :func:`presets`. With ``texts`` and no other choice, ``texts``.
    out
        Folder of the run, new or of the same run.
    seed
        Decides grammar, documents, initial weights and order: the same seed on the same machine
        gives the same weights bit for bit.
    steps
        Optimiser updates, if other than the preset's; the schedule ends with them.
    texts
        For ``texts`` a folder of UTF-8 files, one a language, named by its code
        (``eng_Latn.txt``), a passage a line; for ``clone`` one such file. Passages to evaluate on
        are not to be among them; ``clone`` keeps its own back.
    shared_types
        Share of the text's types that ``clone`` writes alike in both languages, 0–1.
    vocab_size
        Types learnt from the texts: 4096, for ``clone`` 1200.
    threads
        Torch threads while training. One is fastest at this size, and exact.
    progress
        Show it on the standard error stream.

    Returns
    -------
    ``out``.

    Raises
    ------
    ValueError
        For an unknown preset, too few steps, texts that are missing, not UTF-8 or too short, or a
        folder that holds something else.
    """
    chosen = _chosen(preset, steps, texts)
    if threads < 1:
        raise ValueError(f"got {threads} threads; expected at least 1")
    corpus, source = _corpus(chosen, seed, texts, shared_types, vocab_size)
    folder = LabFolder(Path(out), {**_facts(chosen, seed, corpus), **source})
    if not folder.complete:
        with _torch_threads(threads):
            train(folder, chosen, corpus, seed=seed, progress=progress)
    return folder.path


def _chosen(name: str, steps: int | None, texts: str | Path | None) -> Preset:
    """The preset, with the user's own number of steps; texts alone mean the preset ``texts``."""
    preset = preset_named("texts" if texts is not None and name == "default" else name)
    if preset.source == "grammar" and texts is not None:
        raise ValueError(f"got texts with preset {name}; only texts and clone read any")
    if preset.source != "grammar" and texts is None:
        wanted = "a folder with one file a language" if preset.source == "texts" else "a text file"
        raise ValueError(f"got preset {name} without texts; expected --texts and {wanted}")
    if steps is None:
        return preset
    if steps < 1 or steps <= preset.shared_after:
        least = max(1, preset.shared_after + 1)
        raise ValueError(f"got {steps} steps; preset {name} needs at least {least}")
    return replace(preset, steps=steps)


def _corpus(
    preset: Preset,
    seed: int,
    texts: str | Path | None,
    shared_types: float,
    vocab_size: int | None,
) -> tuple[Corpus, dict[str, Any]]:
    """The corpus, and what of its making decides the result beyond preset and seed."""
    if seed < 0:
        raise ValueError(f"got seed {seed}; expected 0 or more")
    if texts is None:
        return GrammarCorpus(preset, seed=seed), {}
    path, size = Path(texts), vocab_size or VOCAB_SIZES[preset.source]
    if preset.source == "texts":
        own = TextCorpus(preset, path, seed=seed, vocab_size=size)
        return own, {"vocab_size": size, "texts": own.digest}
    pair = CloneCorpus(preset, path, seed=seed, shared_types=shared_types, vocab_size=size)
    return pair, {"vocab_size": size, "shared_types": shared_types, "texts": pair.digest}


def _facts(preset: Preset, seed: int, corpus: Corpus) -> dict[str, Any]:
    return {
        "preset": preset.name,
        "finding": preset.finding,
        "seed": seed,
        "steps": preset.steps,
        "batch": preset.batch,
        "length": preset.length,
        "languages": corpus.languages,
        "types": len(corpus.tokenizer),
    }


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """Lend torch's number of threads out; runs on several cores are slower at this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
