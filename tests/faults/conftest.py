"""One preloaded process for all tests of faults; it forks runs of seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.forge import Forge, Run
from faults.small_road import arguments


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    made = Forge(tmp_path_factory.mktemp("forge"))
    yield made
    made.close()


Begin = Callable[..., Run]


@pytest.fixture
def begin(forge: Forge, tmp_path: Path) -> Iterator[Begin]:
    """``begin("--keep", "scores", out=…, traps=[…])``: a run, ended when the test ends."""
    begun: list[Run] = []

    def one(*options: str, out: Path = tmp_path / "run", traps: list[list[Any]] = []) -> Run:  # noqa: B006
        begun.append(forge.start(arguments(forge.source, out, *options), *traps))
        return begun[-1]

    yield one
    for run in begun:
        if run.within(0) is None:
            run.send("SIGKILL")
            run.wait()
