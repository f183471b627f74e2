"""A small Hub on loopback: what huggingface_hub asks of the real one, and the faults of a bad day.

``root/org/name/<revision>/...`` are its repositories. Large files are redirected to a second port,
as the Hub does to its content servers. ``requests`` keeps what was asked; ``faults`` spoils some.
"""

import hashlib
import json
import os
import random
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

LARGE = 10_000  # bytes from which a file is kept as a large one, whatever its name
LARGE_NAMES = (".safetensors", ".bin")
KINDS = ("429", "500", "503", "cut", "slow")


class Request(NamedTuple):
    """One request as it came: ``range`` is the header's text or None."""

    method: str
    path: str
    range: str | None
    status: int


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes = b""
    keep: int | None = None  # bytes of the body that get through before the line is cut


@dataclass
class Faults:
    """One request in ``1 / rate`` fails, at most ``most``, where the path matches ``match``."""

    rate: float = 0.2
    seed: int = 0
    kinds: tuple[str, ...] = KINDS
    match: str = ""
    most: int | None = None
    slow: float = 0.2  # seconds that a slow answer waits
    retry_after: str | None = "0"  # header of 429 and 503
    done: list[str] = field(default_factory=list)  # what was done so far

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._lock = threading.Lock()

    def draw(self, path: str) -> str | None:
        """What happens to the next request, None for nothing."""
        with self._lock:
            over = self.most is not None and len(self.done) >= self.most
            if over or not re.search(self.match, path) or self._rng.random() >= self.rate:
                return None
            self.done.append(self._rng.choice(self.kinds))
            return self.done[-1]


class HubServer:
    """Use as a context manager; change its attributes while it runs.

    ``tags`` holds (repository, revision) pairs that are tags, all others are branches; ``commits``
    overrides a revision's commit, which otherwise is the SHA-1 of its content; ``gated``
    repositories answer 403; ``truncate`` maps (repository, revision, file) to the number of bytes
    that ever come through.
    """

    def __init__(self, root: Path, *, page_size: int = 1000, faults: Faults | None = None) -> None:
        self.root = Path(root)
        self.page_size, self.faults = page_size, faults
        self.requests: list[Request] = []
        self.tags: set[tuple[str, str]] = set()
        self.gated: set[str] = set()
        self.commits: dict[tuple[str, str], str] = {}
        self.truncate: dict[tuple[str, str, str], int] = {}
        self._digests: dict[tuple[str, int, int], tuple[str, str]] = {}
        handler = type("Handler", (_Handler,), {"hub": self})
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        self.endpoint, self.content = (
            f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers
        )

    def __enter__(self) -> "HubServer":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def revisions(self, repo: str) -> list[str]:
        return sorted(sub.name for sub in (self.root / repo).iterdir() if sub.is_dir())

    def commit(self, repo: str, revision: str) -> str:
        """What a revision points at: 40 hexadecimal digits."""
        if (repo, revision) in self.commits:
            return self.commits[repo, revision]
        listing = [(name, self.digests(file)[0]) for name, file in self.files(repo, revision)]
        return hashlib.sha1(json.dumps(listing).encode()).hexdigest()

    def revision(self, repo: str, wanted: str) -> str | None:
        """The folder that a branch, tag or commit names."""
        known = self.revisions(repo)
        if wanted in known:
            return wanted
        if wanted == "main" and known:
            return known[-1]
        return next((name for name in known if self.commit(repo, name) == wanted), None)

    def files(self, repo: str, revision: str) -> list[tuple[str, Path]]:
        folder = self.root / repo / revision
        found = (file for file in folder.rglob("*") if file.is_file())
        return sorted((file.relative_to(folder).as_posix(), file) for file in found)

    def digests(self, file: Path) -> tuple[str, str]:
        """(SHA-256, git blob id) of a file's content, kept while the file stays as it is."""
        stat = file.stat()
        key = (str(file), stat.st_mtime_ns, stat.st_size)
        if key not in self._digests:
            content = file.read_bytes()
            self._digests[key] = hashlib.sha256(content).hexdigest(), git_blob(content)
        return self._digests[key]

    def entry(self, name: str, file: Path, *, expand: bool) -> dict[str, Any]:
        """One line of a tree listing."""
        sha256, blob = self.digests(file)
        size = file.stat().st_size
        row: dict[str, Any] = {"type": "file", "oid": blob, "size": size, "path": name}
        if is_large(name, size):
            pointer = "version https://git-lfs.github.com/spec/v1\n"
            pointer += f"oid sha256:{sha256}\nsize {size}\n"
            row["oid"] = git_blob(pointer.encode())
            row["lfs"] = {"oid": sha256, "size": size, "pointerSize": len(pointer)}
        if expand:
            row["lastCommit"] = {"id": blob, "title": "up", "date": "2024-01-01T00:00:00.000Z"}
        return row


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_large(name: str, size: int) -> bool:
    return size >= LARGE or name.endswith(LARGE_NAMES)


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        fault = self.hub.faults.draw(self.path) if self.hub.faults else None
        if fault == "slow":
            time.sleep(self.hub.faults.slow)
        if fault in ("429", "500", "503"):
            after = self.hub.faults.retry_after
            answer = Answer(int(fault), {"Retry-After": after} if after and fault != "500" else {})
        else:
            answer = self.answer()
        asked = self.headers.get("Range")
        self.hub.requests.append(Request(self.command, self.path, asked, answer.status))
        if fault == "cut":
            # Half of the body where there is one, else no answer at all.
            answer = answer._replace(keep=min(len(answer.body) // 2, answer.keep or 2**62))
            if self.command == "HEAD" or not answer.body:
                self.close_connection = True
                return
        self.send(answer)

    def send(self, answer: Answer) -> None:
        body, keep = answer.body, answer.keep
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self.wfile.write(body if keep is None else body[:keep])
            self.close_connection |= keep is not None and keep < len(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self) -> Answer:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if parts == ["api", "models"]:
            return self.models(query)
        first = {"api": 2, "cdn": 1}.get(parts[0], 0)
        repo, rest = "/".join(parts[first : first + 2]), parts[first + 2 :]
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo) or not (self.hub.root / repo).is_dir():
            return _error(401, "RepoNotFound")
        if repo in self.hub.gated:
            return _error(403, "GatedRepo")
        if parts[0] == "cdn":
            return self.content(repo, rest[0], "/".join(rest[1:]), {})
        of_api = parts[0] == "api"
        return self.api(repo, rest, query) if of_api else self.resolve(repo, *rest[1:])

    def models(self, query: dict[str, str]) -> Answer:
        author, search = query.get("author", ""), query.get("search", "")
        folders = sorted(path for path in self.hub.root.glob("*/*") if path.is_dir())
        names = [folder.relative_to(self.hub.root).as_posix() for folder in folders]
        chosen = [name for name in names if name.startswith(author) and search in name]
        return self.page([{"id": name, "modelId": name, "tags": []} for name in chosen], query)

    def api(self, repo: str, parts: list[str], query: dict[str, str]) -> Answer:
        if parts == ["refs"]:
            return _json(self.refs(repo))
        wanted = parts[1] if len(parts) > 1 else "main"
        revision = self.hub.revision(repo, wanted)
        if revision is None:
            return _error(404, "RevisionNotFound")
        commit, listed = self.hub.commit(repo, revision), self.hub.files(repo, revision)
        if parts[:1] == ["tree"]:
            expand = query.get("expand", "").lower() == "true"
            deep = query.get("recursive", "").lower() == "true"
            chosen = [(name, file) for name, file in listed if deep or "/" not in name]
            return self.page([self.hub.entry(*each, expand=expand) for each in chosen], query)
        siblings = [{"rfilename": name} for name, _ in listed]
        info = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings, "tags": []}
        return _json({**info, "private": False, "gated": False, "disabled": False})

    def refs(self, repo: str) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": []}
        for name in self.hub.revisions(repo):
            tag = (repo, name) in self.hub.tags
            ref = {"name": name, "ref": f"refs/{'tags' if tag else 'heads'}/{name}"}
            ref["targetCommit"] = self.hub.commit(repo, name)
            found["tags" if tag else "branches"].append(ref)
        return found

    def page(self, rows: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        start = int(query.get("cursor", "0"))
        stop = start + min(self.hub.page_size, int(query.get("limit", "1000")))
        answer = _json(rows[start:stop])
        if stop < len(rows):
            more = urlencode({**query, "cursor": str(stop)})
            link = f"<{self.hub.endpoint}{urlsplit(self.path).path}?{more}>"
            answer.headers["Link"] = f'{link}; rel="next"'
        return answer

    def resolve(self, repo: str, wanted: str, *names: str) -> Answer:
        name = "/".join(names)
        revision = self.hub.revision(repo, wanted)
        if revision is None:
            return _error(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": self.hub.commit(repo, revision)}
        file = dict(self.hub.files(repo, revision)).get(name)
        if file is None:
            return _error(404, "EntryNotFound", headers)
        size, (sha256, blob) = file.stat().st_size, self.hub.digests(file)
        if not is_large(name, size):
            return self.content(repo, revision, name, {**headers, "ETag": f'"{blob}"'})
        place = quote(f"/cdn/{repo}/{revision}/{name}")
        headers |= {"X-Linked-Size": str(size), "X-Linked-Etag": f'"{sha256}"'}
        return Answer(302, {**headers, "Location": f"{self.hub.content}{place}"})

    def content(self, repo: str, revision: str, name: str, headers: dict[str, str]) -> Answer:
        """A file or a range of it; a truncated one ends before its announced length."""
        content = (self.hub.root / repo / revision / name).read_bytes()
        start, stop, status = 0, len(content), 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            start, stop = int(asked[1]), min(stop, int(asked[2] or len(content) - 1) + 1)
            if start >= len(content):
                return Answer(416, {"Content-Range": f"bytes */{len(content)}"})
            status = 206
            headers = {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
        there = self.hub.truncate.get((repo, revision, name))
        keep = None if there is None else max(0, min(there, stop) - start)
        return Answer(status, {**headers, "Accept-Ranges": "bytes"}, content[start:stop], keep)


def _json(data: Any) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(data).encode())


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})


def point_at(monkeypatch: Any, server: HubServer, cache: Path) -> None:
    """Let this process take ``server`` for the Hub and ``cache`` for its home."""
    from huggingface_hub import constants

    hub = str(cache / "hub")
    homes = {"HF_HOME": str(cache), "HF_HUB_CACHE": hub, "HUGGINGFACE_HUB_CACHE": hub}
    homes |= {"HF_ASSETS_CACHE": str(cache / "assets"), "HF_TOKEN_PATH": str(cache / "token")}
    template = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    where = {"ENDPOINT": server.endpoint, "HUGGINGFACE_CO_URL_TEMPLATE": template}
    how = {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}
    for name, value in {**homes, **where, **how}.items():
        monkeypatch.setattr(constants, name, value)


def environment(server: HubServer, cache: Path) -> dict[str, str]:
    """The environment of a subprocess that takes ``server`` for the Hub."""
    dropped = ("HF_TOKEN", "HF_HUB_CACHE", "HF_ASSETS_CACHE", "HF_HUB_OFFLINE")
    mine = {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    return {key: value for key, value in os.environ.items() if key not in dropped} | mine
