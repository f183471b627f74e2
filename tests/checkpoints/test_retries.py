"""Calls that fail: which are tried again, how long they wait, and what is said at the end."""

import random
import re

import pytest
from hub_server import Faults, HubServer, point_at
from named_suites import repository

from neurotrace.checkpoints import HubError, hub, retries

REPO = "org/model"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Waits are counted, not sat through."""
    waits: list[float] = []
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retries, "sleep", waits.append)
    return waits


@pytest.fixture
def server(tmp_path, monkeypatch):
    root = repository(tmp_path / "hub", REPO, ["main", "step1", "step2"])
    with HubServer(root, page_size=2) as server:
        server.tags.add((REPO, "step2"))
        point_at(monkeypatch, server, tmp_path / "home")
        yield server


def test_six_failures_in_a_row_are_one_line_that_says_what_to_try(server, patience):
    server.faults = Faults(rate=1, kinds=("503",))
    with pytest.raises(HubError) as caught:
        hub.refs(REPO)
    message = str(caught.value)
    assert re.fullmatch(
        rf"{REPO}: branches and tags: got 503 from {server.endpoint}/api/models/{REPO}/refs; "
        r"the server is busy or down: try again later, what is here stays, 6 times in a row",
        message,
    )
    assert len(patience) == 5


@pytest.mark.parametrize(
    ("repo", "words"),
    [
        ("org/none", "got 401 .*expected a public repository .*, or a folder of that name"),
        ("org/closed", "got 403 .*access is restricted: ask for it"),
    ],
)
def test_a_refusal_is_not_asked_again(server, repo, words, patience):
    (server.root / "org" / "closed" / "main").mkdir(parents=True)
    server.gated.add("org/closed")
    with pytest.raises(HubError, match=words):
        hub.refs(repo)
    assert not patience
    assert len([r for r in server.requests if repo in r.path]) == 1


def test_the_wait_asked_for_is_waited(server, patience):
    server.faults = Faults(rate=1, kinds=("429",), most=1, retry_after="7")
    hub.refs(REPO)
    assert patience[0] == pytest.approx(7, abs=0.01)
    limits = {"ratelimit": '"api";r=0;t=55'}
    assert retries._asked_wait(limits) == 55
    assert retries._asked_wait({"ratelimit": '"api";r=12;t=55'}) is None


def test_waits_double_with_jitter_and_move_no_global_seed(patience, monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.5)
    random.seed(1)
    before = random.getstate()
    with pytest.raises(HubError):
        retries.retried(cut, what="x")
    assert random.getstate() == before
    for attempt, wait in enumerate(patience):
        assert 0.5 <= wait / (0.5 * 2**attempt) <= 1.5
    assert len({round(wait / 2**attempt, 6) for attempt, wait in enumerate(patience)}) == 5


def test_a_call_inside_a_call_is_not_tried_six_times_six(server, patience):
    server.faults = Faults(rate=1, kinds=("503",))
    with pytest.raises(HubError, match=f"^{REPO}: branches and tags"):
        retries.retried(lambda: hub.refs(REPO), what="outer")
    assert len(patience) == 5


def cut():
    raise TimeoutError("slow")


def test_errors_of_ours_and_full_disks_are_not_tried_again(patience):
    full = OSError(28, "No space left on device")
    for error in (full, KeyError("x"), ValueError("y"), HubError("z")):
        calls = []

        def call(error=error, calls=calls):
            calls.append(1)
            raise error

        with pytest.raises(type(error)) as caught:
            retries.retried(call, what="x")
        assert caught.value is error
        assert len(calls) == 1
    assert not patience


def test_without_a_network_by_choice_nothing_is_tried_again(patience):
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    calls = []

    def call():
        calls.append(1)
        raise LocalEntryNotFoundError("not here") from OfflineModeIsEnabled("HF_HUB_OFFLINE=1")

    with pytest.raises(HubError, match="x: got HF_HUB_OFFLINE=1 and no such file in the cache"):
        retries.retried(call, what="x")
    assert len(calls) == 1
    assert not patience


def test_a_file_that_came_short_is_fetched_again(patience):
    answers = iter([OSError("Consistency check failed: file should be of size 3"), None])

    def call():
        error = next(answers)
        if error:
            raise error
        return "whole"

    assert retries.retried(call, what="x") == "whole"
    assert len(patience) == 1
