"""What is known of repositories without asking: pinned, remembered, or seen in the cache."""

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from neurotrace.checkpoints.remote import File
from neurotrace.checkpoints.retries import HubError

PINNED = "neurotrace.json"  # beside refs/, blobs/ and snapshots/ of a repository in the cache
LARGE = (".safetensors", ".bin")  # what the Hub marks by SHA-256, never by git's id


@dataclass(frozen=True)
class Kept:
    """Refs (name → commit) and listings (commit → files) of one repository."""

    refs: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[File, ...]] = field(default_factory=dict)


def read(folder: Path) -> Kept | None:
    """What is pinned in a repository's folder of the cache.

    Raises
    ------
    HubError
        When the pin is there and cannot be read.
    """
    file = folder / PINNED
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        listed = {commit: _files(rows) for commit, rows in raw["files"].items()}
        return Kept(dict(raw["refs"]), listed)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HubError(f"{file}: got no pinned listing; delete it and prefetch again") from None


def write(folder: Path, kept: Kept) -> None:
    """Pin refs and listings in a repository's folder of the cache, whole or not at all."""
    rows = {commit: _rows(listed) for commit, listed in sorted(kept.files.items())}
    _write_whole(folder / PINNED, {"refs": dict(sorted(kept.refs.items())), "files": rows})


def remembered(repo: str, commit: str) -> tuple[File, ...] | None:
    """A listing that was asked for before, by this or an earlier process."""
    try:
        return _files(json.loads(_memory(repo, commit).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remember(repo: str, commit: str, files: tuple[File, ...]) -> None:
    """Keep a listing among the assets of the Hugging Face home, where they can be written."""
    try:
        _write_whole(_memory(repo, commit), _rows(files))
    except OSError:
        return


def cached_refs(folder: Path) -> dict[str, str]:
    """Branches and tags that the cache itself recorded.

    Raises
    ------
    HubError
        When it recorded none.
    """
    inside = folder / "refs"
    found = {
        file.relative_to(inside).as_posix(): file.read_text(encoding="utf-8").strip()
        for file in sorted(inside.rglob("*"))
        if file.is_file()
    }
    if not found:
        raise HubError(
            f"{folder.name}: got HF_HUB_OFFLINE=1 and no branch or tag of it in {folder.parent}; "
            "prefetch it while online"
        )
    return found


def cached_files(snapshot: Path, repo: str) -> tuple[File, ...]:
    """The files of a snapshot on disk; a link's target is named by its digest."""
    if not snapshot.is_dir():
        raise HubError(
            f"{repo}@{snapshot.name:.8}: got HF_HUB_OFFLINE=1 and no snapshot of it in "
            f"{snapshot.parent}; prefetch it while online"
        )
    present = sorted(file for file in snapshot.rglob("*") if file.is_file())
    return tuple(
        File(file.relative_to(snapshot).as_posix(), file.stat().st_size, _digest(file))
        for file in present
    )


def _digest(file: Path) -> str:
    if file.is_symlink():
        return file.readlink().name
    digest = hashlib.sha256()
    if not file.name.endswith(LARGE):
        digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _memory(repo: str, commit: str) -> Path:
    from huggingface_hub import constants

    return (
        Path(constants.HF_ASSETS_CACHE) / "neurotrace" / repo.replace("/", "--") / f"{commit}.json"
    )


def _rows(files: tuple[File, ...]) -> list[list[str | int]]:
    return [[file.name, file.size, file.digest] for file in files]


def _files(rows: list[list[str | int]]) -> tuple[File, ...]:
    return tuple(File(str(name), int(size), str(digest)) for name, size, digest in rows)


def _write_whole(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
