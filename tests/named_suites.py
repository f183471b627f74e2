"""Repositories for a Hub on loopback under any names; their weights are bytes without sense."""

from collections.abc import Iterable
from pathlib import Path

SIZE = 12_000  # bytes of a weight file: kept as a large one


def repository(root: Path, repo: str, revisions: Iterable[str], *, tokenizer: bool = True) -> Path:
    """``root/repo/<revision>/``: a config, weights of the revision's own, and a tokenizer."""
    for revision in revisions:
        folder = root / repo / revision
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(f"{repo}{revision}".encode().ljust(SIZE, b"."))
        if tokenizer:
            (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    return root


def bare(root: Path, repo: str, *revisions: str) -> Path:
    """Revisions that hold a README and nothing else."""
    for revision in revisions:
        folder = root / repo / revision
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text(f"# {repo}")
    return root
