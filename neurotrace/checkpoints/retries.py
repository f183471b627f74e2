"""Calls over a network that is not always there: tried again where that can help."""

import logging
import random
import re
from collections.abc import Callable, Iterator, Mapping
from time import sleep
from typing import TypeVar

Result = TypeVar("Result")

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
# By name, since the Hub's client has changed its HTTP library before and may again.
CUT = {"TimeoutException", "NetworkError", "RemoteProtocolError", "ConnectionError", "TimeoutError"}
OFFLINE = "OfflineModeIsEnabled"
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds; doubled from one try to the next
PATIENCE = 600.0  # seconds that a server may ask us to wait
SAID_ALOUD = 5.0  # a longer wait is told, so that nobody takes it for a hang

_log = logging.getLogger(__name__)
_jitter = random.Random()  # its own: a retry must not move anybody's seed


class HubError(OSError):
    """What was asked of which endpoint, what came back, and what to try: one line."""


def retried(call: Callable[[], Result], *, what: str, tries: int = 6) -> Result:
    """The result of a call, tried again after faults that pass.

    Tried again are the answers 408, 425, 429 and 5xx, time-outs, cut connections and files that
    came short; never 401, 403 or 404, a full disk, or an error of ours. Waits double from half a
    second, with jitter; ``Retry-After`` and the Hub's own rate limits are honoured.

    Parameters
    ----------
    call
        A function of no arguments.
    what
        What is asked, for the error: ``"org/model: branches and tags"``.
    tries
        How often at most.

    Raises
    ------
    HubError
        When the last try failed, or an answer says that another try would not help.
    """
    for attempt in range(tries):
        try:
            return call()
        except Exception as error:
            if not _of_network(error):
                raise
            if not is_transient(error):
                raise HubError(f"{what}: {explained(error)}") from error
            if attempt == tries - 1:
                raise HubError(f"{what}: {explained(error)}, {tries} times in a row") from error
            _wait(error, attempt, what)
    raise ValueError(f"got {tries} tries; expected at least 1")


def is_transient(error: BaseException) -> bool:
    """Whether the same call may well succeed later."""
    for link in _chain(error):
        code = _status(link)
        if code is not None:
            return code in TRANSIENT
        if OFFLINE in _kinds(link):  # a broken connection by its kind, and no other try mends it
            return False
        if _kinds(link) & CUT or _came_short(link):
            return True
    return False


def explained(error: BaseException) -> str:
    """What came back, and what to try, in one line."""
    for link in _chain(error):
        code = _status(link)
        if code is not None:
            url = re.sub(r"\?.*", "", str(getattr(link, "response").request.url))  # noqa: B009
            return f"got {code} from {url}; {_advice(code, link)}"
    if any(OFFLINE in _kinds(link) for link in _chain(error)):
        return "got HF_HUB_OFFLINE=1 and no such file in the cache; prefetch it while online"
    last = list(_chain(error))[-1]
    text = " ".join(str(last).split()) or type(last).__name__
    return f"got no whole answer ({text:.160}); check the connection and HF_ENDPOINT"


def _advice(code: int, error: BaseException) -> str:
    kinds = _kinds(error)
    if code in TRANSIENT:
        return "the server is busy or down: try again later, what is here stays"
    if "GatedRepoError" in kinds or code == 403:
        return "access is restricted: ask for it on the model's page and set HF_TOKEN"
    if "RevisionNotFoundError" in kinds:
        return "there is no such revision"
    if kinds & {"EntryNotFoundError", "RemoteEntryNotFoundError"}:
        return "there is no such file"
    return "expected a public repository (HF_TOKEN for a private one), or a folder of that name"


def _of_network(error: BaseException) -> bool:
    if isinstance(error, HubError):
        return False
    return any(
        _status(link) is not None
        or _kinds(link) & {*CUT, "LocalEntryNotFoundError", OFFLINE, "HTTPError"}
        or _came_short(link)
        for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _came_short(error: BaseException) -> bool:
    return isinstance(error, OSError) and str(error).startswith("Consistency check failed")


def _wait(error: BaseException, attempt: int, what: str) -> None:
    asked = next(
        (
            _asked_wait(response.headers)
            for link in _chain(error)
            if (response := getattr(link, "response", None)) is not None
        ),
        None,
    )
    own = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * _jitter.uniform(0.5, 1.5)
    seconds = own if asked is None else min(asked, PATIENCE) + FIRST_WAIT * _jitter.random()
    if seconds > SAID_ALOUD:
        _log.warning("%s: %s; waiting %.0f s", what, explained(error), seconds)
    sleep(seconds)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks for: ``Retry-After: 30`` or ``ratelimit: "api";r=0;t=55``."""
    after = headers.get("Retry-After") or ""
    if re.fullmatch(r"\d+(\.\d+)?", after):
        return float(after)
    limit = re.search(r"\br=0\b.*\bt=(\d+)", headers.get("ratelimit") or "")
    return float(limit[1]) if limit else None
