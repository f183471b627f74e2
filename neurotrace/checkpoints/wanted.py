"""Which files of a repository are a checkpoint: configuration, tokenizer, one copy of the weights.

Never optimizer states, other frameworks' weights, or a second format of the same ones.
"""

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.find import Checkpoint
from neurotrace.checkpoints.remote import File
from neurotrace.checkpoints.weights import BrokenCheckpoint, fingerprint, weight_files

# Small files, in order of need. Python files run only with trust_remote_code.
SMALL = (
    "config.json", "generation_config.json", "tokenizer*.json", "special_tokens_map.json",
    "added_tokens.json", "chat_template*", "tokenizer.model*", "spiece.model",
    "sentencepiece*.model", "spm*.model", "source.spm", "vocab*.json", "vocab*.txt", "merges.txt",
    "tekken.json", "*.tiktoken", "*.py",
)  # fmt: skip
TOKENIZER = tuple(name for name in SMALL if name not in ("generation_config.json", "*.py"))
# The formats that can be read, best first: one file, or shards and their index.
FORMATS = (("model", ".safetensors"), ("pytorch_model", ".bin"))


class Want(NamedTuple):
    """One file of one commit."""

    repo: str
    commit: str
    file: File
    weights: bool

    @property
    def link(self) -> str:
        """Its name in the folder of snapshots."""
        return f"{self.commit}/{self.file.name}"


def wants(checkpoint: Checkpoint, *, weights: bool) -> list[Want]:
    """The files of a remote checkpoint, of its tokenizer's repository too, that are needed.

    Raises
    ------
    BrokenCheckpoint
        When the weights are wanted and there are none.
    """
    assert checkpoint.remote is not None
    repo, commit = checkpoint.remote.repo, checkpoint.remote.commit
    listed = hub.files(repo, commit)
    found = [Want(repo, commit, file, weights=False) for file in small_of(listed)]
    if checkpoint.remote.tokenizer is not None:
        lender, at = checkpoint.remote.tokenizer
        found += [Want(lender, at, f, weights=False) for f in tokenizer_of(hub.files(lender, at))]
    if weights:
        heavy = weights_of(listed, folder=checkpoint.path)
        if not heavy:
            raise _no_weights(checkpoint, repo)
        found += [Want(repo, commit, file, weights=True) for file in heavy]
    return found


def repos_of(checkpoint: Checkpoint) -> list[str]:
    """The repositories that a checkpoint's files come from; none for a local one."""
    if checkpoint.remote is None:
        return []
    lent = checkpoint.remote.tokenizer
    return [checkpoint.remote.repo, *([lent[0]] if lent else [])]


def weights_mark(checkpoint: Checkpoint) -> str:
    """A cheap mark of a checkpoint's weights, the same whether it is brought or not.

    Of a local folder its fingerprint; of a remote one a hash over names, sizes and digests of its
    weight files as the Hub lists them.

    Returns
    -------
    64 hexadecimal digits.

    Raises
    ------
    BrokenCheckpoint
        When there are no weights.
    """
    if checkpoint.remote is None:
        return fingerprint(checkpoint.path)
    repo, digest = checkpoint.remote.repo, hashlib.sha256()
    # By the listing alone: an index that came meanwhile must not change the mark.
    listed = weights_of(hub.files(repo, checkpoint.remote.commit))
    if not listed:
        raise _no_weights(checkpoint, repo)
    for file in listed:
        digest.update(f"{file.name}|{file.size}|{file.digest}|".encode())
    return digest.hexdigest()


def weight_bytes(checkpoint: Checkpoint) -> int:
    """Bytes of a checkpoint's weight files, whether it is brought or not.

    Raises
    ------
    BrokenCheckpoint
        When there are none.
    """
    if checkpoint.remote is None:
        return sum(file.stat().st_size for file in weight_files(checkpoint.path))
    return sum(want.file.size for want in wants(checkpoint, weights=True) if want.weights)


def weights_of(files: Iterable[File], *, folder: Path | None = None) -> tuple[File, ...]:
    """The files of a listing that hold the weights, one format of them; empty where there are none.

    Parameters
    ----------
    folder
        Where the index may lie already: its word on the names of shards is preferred to their
        usual pattern.
    """
    top = _top(files)
    for stem, suffix in FORMATS:
        if f"{stem}{suffix}" in top:
            return (top[f"{stem}{suffix}"],)
        if f"{stem}{suffix}.index.json" in top:
            usual = re.compile(rf"{stem}[-_]\d+-of-\d+{re.escape(suffix)}")
            named = _named(folder / f"{stem}{suffix}.index.json") if folder else None
            shards = [n for n in top if (n in named if named else usual.fullmatch(n))]
            return tuple(top[name] for name in sorted(shards))
    return ()


def small_of(files: Iterable[File]) -> tuple[File, ...]:
    """Configuration, tokenizer, code and the index of shards."""
    top = _top(files)
    found = [name for name in top if any(fnmatch.fnmatchcase(name, glob) for glob in SMALL)]
    for stem, suffix in FORMATS:
        if f"{stem}{suffix}" in top:
            break
        if f"{stem}{suffix}.index.json" in top:
            found.append(f"{stem}{suffix}.index.json")
            break
    return tuple(top[name] for name in sorted(found))


def tokenizer_of(files: Iterable[File]) -> tuple[File, ...]:
    """What a repository that only lends its tokenizer is asked for."""
    top = _top(files)
    found = [name for name in top if any(fnmatch.fnmatchcase(name, glob) for glob in TOKENIZER)]
    return tuple(top[name] for name in sorted(found))


def _no_weights(checkpoint: Checkpoint, repo: str) -> BrokenCheckpoint:
    return BrokenCheckpoint(f"{checkpoint.label}: got no weights among the files of {repo}")


def _top(files: Iterable[File]) -> dict[str, File]:
    """Files that lie in no folder of the repository."""
    return {file.name: file for file in files if "/" not in file.name}


def _named(index: Path) -> set[str] | None:
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None  # not here yet, or broken: whoever reads it says so
