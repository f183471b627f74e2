"""The Hub's API: refs, listings and ranges of files; every question to the network starts here.

A listing belongs to a commit and never changes, so each is asked for once and kept. What
``prefetch`` pinned answers without a connection; so does the cache itself where HF_HUB_OFFLINE=1.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from neurotrace.checkpoints import listings
from neurotrace.checkpoints.naming import quoted
from neurotrace.checkpoints.remote import File
from neurotrace.checkpoints.retries import HubError, retried

__all__ = [
    "HubError", "asking_anew", "cache_folder", "commit_of", "files", "is_repo", "keep_listing",
    "kept_listing", "offline", "read_range", "refs", "repo_folder", "repositories", "retried",
    "snapshot_path",
]  # fmt: skip

NAME = r"(?![.-])(?!.*(?:--|\.\.))[\w.-]{1,96}(?<![.-])"
_anew: ContextVar[bool] = ContextVar("_anew", default=False)
_known: dict[tuple[Path, str], tuple[File, ...]] = {}  # (snapshot, endpoint) -> its listing


def is_repo(source: str | Path) -> bool:
    """Whether ``source`` reads as ``org/model`` and no such file or folder lies here."""
    text = str(source)
    return bool(re.fullmatch(f"{NAME}/{NAME}", text)) and not Path(text).exists()


def cache_folder() -> Path:
    """The Hugging Face cache, as HF_HUB_CACHE and HF_HOME have it at this moment."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def repo_folder(repo: str) -> Path:
    """Where the cache keeps a repository."""
    return cache_folder() / f"models--{repo.replace('/', '--')}"


def snapshot_path(repo: str, commit: str) -> Path:
    """Where the files of a commit lie in the cache, or will lie once brought."""
    return repo_folder(repo) / "snapshots" / commit


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids any connection."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def asking_anew() -> Iterator[None]:
    """Inside, pinned refs are passed over and the Hub is asked again, as ``prefetch`` does."""
    token = _anew.set(not offline())
    try:
        yield
    finally:
        _anew.reset(token)


def refs(repo: str) -> dict[str, str]:
    """Branches and tags of a repository, each with the commit it points at.

    Where a branch and a tag share a name, the branch counts.

    Raises
    ------
    HubError
        When there is no such repository, no access to it, or no connection.
    """
    pinned = None if _anew.get() else kept_listing(repo)
    if pinned is not None:
        return pinned.refs
    if offline():
        return listings.cached_refs(repo_folder(repo))
    told = _json(f"/api/models/{repo}/refs", what=f"{repo}: branches and tags")[0]
    return {
        ref["name"]: ref["targetCommit"]
        for kind in ("tags", "branches")
        for ref in told.get(kind) or ()
    }


def commit_of(repo: str, revision: str) -> str:
    """The commit that a branch, a tag or a commit itself names.

    Raises
    ------
    FileNotFoundError
        When the repository has no such branch or tag; says which it has.
    """
    known = refs(repo)
    if revision not in known and not re.fullmatch("[0-9a-f]{40}", revision):
        raise FileNotFoundError(f"got revision {revision!r} of {repo}; it has {quoted(known)}")
    return known.get(revision, revision)


def files(repo: str, commit: str) -> tuple[File, ...]:
    """Every file of a commit with its size and digest, sorted by name; nothing is downloaded.

    Raises
    ------
    HubError
        When the commit is not to be had, or, offline, was never listed nor brought.
    """
    key = (snapshot_path(repo, commit), _endpoint())
    if key in _known:
        return _known[key]
    pinned = kept_listing(repo)
    found = pinned.files.get(commit) if pinned else None
    if found is None:
        found = listings.remembered(repo, commit)
    if found is None and offline():
        return listings.cached_files(snapshot_path(repo, commit), repo)
    if found is None:
        query = urlencode({"recursive": "true", "expand": "false"})
        rows = _pages(f"/api/models/{repo}/tree/{commit}?{query}", what=f"{repo}@{commit:.8}")
        found = tuple(sorted(map(_file, (row for row in rows if row["type"] == "file")), key=_name))
        listings.remember(repo, commit, found)
    _known[key] = found
    return found


def repositories(prefix: str) -> list[str]:
    """Names of the repositories that begin with ``org/start``, sorted.

    Answered from the cache where one of them is pinned, or offline.
    """
    author, start = prefix.split("/")
    here = [
        folder.name.removeprefix("models--").replace("--", "/", 1)
        for folder in cache_folder().glob(f"models--{author}--{start}*")
    ]
    pinned = [name for name in here if kept_listing(name) is not None]
    if offline() or (pinned and not _anew.get()):
        return sorted(here if offline() else pinned)
    query = urlencode({"author": author, "search": start, "limit": 1000})
    rows = _pages(f"/api/models?{query}", what=f"{prefix}*: repositories")
    return sorted(row["id"] for row in rows if row["id"].startswith(prefix))


def read_range(repo: str, commit: str, name: str, start: int, stop: int) -> bytes:
    """Bytes ``start`` to ``stop`` (excluded) of a file, through redirects; fewer at its end.

    Raises
    ------
    HubError
        When there is no such file, or no connection.
    """
    from huggingface_hub import constants

    url = f"{_endpoint()}/{repo}/resolve/{commit}/{quote(name)}"

    def call() -> bytes:
        asked = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        stream = {"timeout": constants.HF_HUB_DOWNLOAD_TIMEOUT, "follow_redirects": True}
        with _session().stream("GET", url, headers=_headers() | asked, **stream) as response:
            if response.status_code == 416:  # the file ends before ``start``
                return b""
            _raise_for_status(response)
            # A server that knows no ranges sends the whole file: read no more than is wanted.
            skip = 0 if response.status_code == 206 else start
            return _first(response, skip + stop - start)[skip:]

    return retried(call, what=f"{repo}@{commit:.8}: {name}") if stop > start else b""


def kept_listing(repo: str) -> listings.Kept | None:
    """What ``prefetch`` pinned of a repository, None where it pinned nothing."""
    return listings.read(repo_folder(repo))


def keep_listing(repo: str, as_found: Mapping[str, str] | None = None) -> None:
    """Pin every listing known of a repository, and the refs that have one, for runs offline.

    Inside :func:`asking_anew` the refs are those of this moment; listings pinned before stay.

    Parameters
    ----------
    as_found
        Refs (name → commit) as a series was found by them, which may have been moved since.
    """
    folder, named = repo_folder(repo), {**refs(repo), **(as_found or {})}
    if "main" in named and not offline():
        files(repo, named["main"])  # an audit asks whether a step's weights are served there
    pinned = kept_listing(repo)
    listed = dict(pinned.files) if pinned else {}
    for (snapshot, _), found in _known.items():
        if snapshot.parents[1] == folder:
            listed[snapshot.name] = found
    # A name that was pushed meanwhile would send its reader to the network.
    known = {name: commit for name, commit in named.items() if commit in listed}
    listings.write(folder, listings.Kept(known, listed))


def _first(response: Any, length: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) >= length:
            break
    return bytes(content[:length])


def _pages(path: str, *, what: str) -> Iterator[Any]:
    """The rows of a listing, page by page; a page that fails is asked for again alone."""
    following: str | None = path
    while following:
        rows, following = _json(following, what=what)
        yield from rows


def _json(path: str, *, what: str) -> tuple[Any, str | None]:
    """An answer of the API and the address of its next page."""
    from huggingface_hub import constants
    from huggingface_hub.utils import fix_hf_endpoint_in_url

    # A mirror may pass on the next page's address as the Hub itself would have it.
    url = fix_hf_endpoint_in_url(path, None) if "://" in path else f"{_endpoint()}{path}"

    def call() -> tuple[Any, str | None]:
        limits = {"timeout": constants.HF_HUB_DOWNLOAD_TIMEOUT, "follow_redirects": True}
        response = _session().get(url, headers=_headers(), **limits)
        _raise_for_status(response)
        try:
            content = response.json()
        except ValueError:
            raise HubError(f"{what}: got no JSON from {url}; check HF_ENDPOINT") from None
        return content, response.links.get("next", {}).get("url")

    return retried(call, what=what)


def _file(row: dict[str, Any]) -> File:
    return File(row["path"], int(row["size"]), (row.get("lfs") or {}).get("oid") or row["oid"])


def _name(file: File) -> str:
    return file.name


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _session() -> Any:
    from huggingface_hub.utils import get_session

    return get_session()


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    return build_hf_headers(library_name="neurotrace")


def _raise_for_status(response: Any) -> None:
    from huggingface_hub.utils import hf_raise_for_status

    if response.status_code >= 400:
        response.read()  # the error's text quotes the body
    hf_raise_for_status(response)
