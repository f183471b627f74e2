"""One file from the Hub into its cache, by huggingface_hub's own downloader.

It lays out the cache, keeps two processes apart and takes up a cut transfer where it broke off;
added here: retries, word of the progress, a way to call it off, and the size that was promised.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurotrace.checkpoints import hub
from neurotrace.checkpoints.remote import File


class CalledOff(Exception):
    """A download that is no longer wanted."""


class Download:
    """What the downloads of a checkpoint have in common: who hears of them, and when they end."""

    def __init__(self) -> None:
        self._tell: Callable[[int], None] | None = None
        self._before = self._now = 0
        self._over = threading.Event()

    def listen(self, tell: Callable[[int], None] | None, n_here: int = 0) -> None:
        """Tell someone how many bytes are here, each time that more have come."""
        self._tell, self._before, self._now = tell, n_here, 0

    def call_off(self) -> None:
        """End what is under way at its next piece; its partial file is removed."""
        self._over.set()

    def file(self, repo: str, commit: str, file: File) -> Path:
        """Bring one file; nothing is asked of the network where it lies in the cache.

        Returns
        -------
        Its path in the snapshot.

        Raises
        ------
        HubError
            When it cannot be had, or has not the size of the listing.
        CalledOff
            When it is no longer wanted.
        """
        what = f"{file.name} of {repo} at {commit[:7]}"
        path = Path(hub.retried(lambda: self._fetch(repo, commit, file.name), what=what))
        self._before, self._now = self._before + file.size, 0
        size = path.stat().st_size
        if size != file.size:
            raise hub.HubError(
                f"{what}: got {size:,} bytes; expected {file.size:,}, as it is listed "
                f"(remove {path} and try again)"
            )
        return path

    def _fetch(self, repo: str, commit: str, name: str) -> str:
        from huggingface_hub import constants, hf_hub_download

        self._now = 0
        if self._over.is_set():
            raise CalledOff(name)
        return hf_hub_download(
            repo,
            name,
            revision=commit,
            cache_dir=hub.cache_folder(),
            endpoint=constants.ENDPOINT,
            library_name="neurotrace",
            tqdm_class=self._bar(),
        )

    def _bar(self) -> Any:
        """What the downloader takes for its progress bar: it draws nothing."""
        from tqdm import tqdm

        outer = self

        class Silent(tqdm):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                options.pop("name", None)
                super().__init__(*arguments, **{**options, "disable": True})

            def update(self, n: float | None = 1) -> None:
                if outer._over.is_set():
                    raise CalledOff
                outer._now += int(n or 0)
                if outer._tell is not None:
                    outer._tell(outer._before + outer._now)

            def update_transfer(self, n: float | None = 1) -> None:
                """Bytes on the wire, which are those on disk or fewer."""

        return Silent
