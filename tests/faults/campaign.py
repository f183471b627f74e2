"""Faults at random moments, counted: what befell a run, in which stage, and that nothing was lost.

``PYTHONPATH=tests python -m faults.campaign [SHARE]`` prints the table of counts; a SHARE below 1
makes it smaller.
"""

import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faults.forge import Forge, Run
from faults.small_disk import fill, small
from faults.small_road import arguments, same, stage

STAGES = ("start", "capture", "scoring", "results", "report")
# Roads whose stages differ: scored while results are made, before them, and while captured.
ROADS = ((), ("--shard", "0/1"), ("--keep", "scores"), ("--keep", "states"))
EXPIRY = 1.0  # seconds
PATIENCE = 240.0


@dataclass
class Tally:
    """How often a fault struck, by stage, and how many runs were gone on with to their end."""

    fault: str
    struck: Counter[str] = field(default_factory=Counter)
    ended: int = 0

    def row(self) -> str:
        """A row of the table."""
        by_stage = " | ".join(str(self.struck[name] or "") for name in STAGES)
        return f"| {self.fault} | {self.struck.total()} | {by_stage} | {self.ended} |"


class Campaign:
    """Faults by seed over runs of a forge, each in a folder of its own.

    Parameters
    ----------
    folder
        Everything is made in it.
    """

    def __init__(self, forge: Forge, folder: Path, *, seed: int = 0) -> None:
        self.forge, self.folder = forge, folder
        self.random = random.Random(seed)
        self.wholes = {road: self._whole(number, road) for number, road in enumerate(ROADS)}
        self.made = 0

    def all(self, share: float = 1.0) -> list[Tally]:
        """Every fault its number of times, or a share of that."""
        faults: list[tuple[Callable[..., Tally], int, dict[str, str]]] = [
            (self.killed, 100, {}),
            (self.killed, 30, {"name": "SIGTERM"}),
            (self.killed, 10, {"name": "SIGINT"}),
            (self.hung, 20, {}),
            (self.together, 16, {}),
            (self.full, 20, {}),
        ]
        tallies = []
        for fault, count, options in faults:
            tallies.append(fault(max(1, round(share * count)), **options))
            sys.stderr.write(f"{tallies[-1].row()}\n")
        return tallies

    def killed(self, count: int, *, name: str = "SIGKILL") -> Tally:
        """Runs that get a signal, again and again until one ends; then the next."""
        tally = Tally(name)
        while tally.struck.total() < count:
            for out, road in self._rounds():
                while (run := self._begun(out, road)).within(self._moment()) is None:
                    run.send(name)
                    self._ended(run, tally, out, bad=(-9,) if name == "SIGKILL" else (1,))
                assert run.wait() == 0, run.said
                self._equal(out, road, tally)
                if tally.struck.total() >= count:
                    break
        return tally

    def hung(self, count: int) -> Tally:
        """Runs that are stopped past their lease, taken over, and woken."""
        tally = Tally("SIGSTOP past the lease, woken after or beside its heir")
        while tally.struck.total() < count:
            for out, road in self._rounds():
                run = self._begun(out, road, short=True)
                if run.within(self._moment()) is None:
                    run.send("SIGSTOP")
                    tally.struck[stage(out)] += 1
                    heir = self._begun(out, road, short=True)
                    heir.within(self.random.uniform(EXPIRY, EXPIRY + 2 * self.forge.seconds))
                    run.send("SIGCONT")
                    assert heir.wait(patience=PATIENCE) == 0, heir.said
                    code = run.wait(patience=PATIENCE)
                    assert code == 0 or "another took the file over" in run.last, run.said
                last = self._begun(out, road)
                assert last.wait(patience=PATIENCE) == 0, last.said
                self._equal(out, road, tally)
        return tally

    def together(self, count: int) -> Tally:
        """Two or three runs at once, one of which is killed in every other round."""
        tally = Tally("two or three runs at once, one killed in every other round")
        for at, (out, road) in zip(range(count), self._endless(), strict=False):
            runs = [self._begun(out, road) for _ in range(self.random.choice((2, 3)))]
            if at % 2 and runs[0].within(self._moment()) is None:
                runs[0].send("SIGKILL")
            codes = [run.wait(patience=PATIENCE) for run in runs]
            tally.struck["start"] += 1
            assert all(code == 0 for code in codes[1:]), [run.said for run in runs]
            assert codes[0] in (0, -9), runs[0].said
            self._equal(out, road, tally)
        return tally

    def full(self, count: int) -> Tally:
        """Disks that are full at a random moment, with a random rest of bytes."""
        tally = Tally("disk full")
        while tally.struck.total() < count:
            for _, road in self._rounds():
                with small(self.folder / "disk", 12) as disk:
                    self._filled(disk, road, tally)
        return tally

    def _filled(self, disk: Path, road: tuple[str, ...], tally: Tally) -> None:
        out = disk / "run"
        run = self._begun(out, road)
        run.within(self._moment())
        ballast = fill(disk, leaving=self.random.choice((0, 4096, 40_000, 300_000)))
        met = stage(out)
        code = run.wait(patience=PATIENCE)
        assert code in (0, 1), run.said
        if code:
            assert "Traceback" not in run.said, run.said
            assert "is full" in run.last or "too small" in run.last, run.said
            tally.struck[met] += 1
        ballast.unlink()
        last = self._begun(out, road)
        assert last.wait(patience=PATIENCE) == 0, last.said
        self._equal(out, road, tally)

    def _whole(self, number: int, road: tuple[str, ...]) -> Path:
        out = self.folder / f"whole-{number}"
        run = self._begun(out, road)
        assert run.wait(patience=PATIENCE) == 0, run.said
        return out

    def _rounds(self) -> Iterator[tuple[Path, tuple[str, ...]]]:
        for road in ROADS:
            self.made += 1
            yield self.folder / f"run-{self.made}", road

    def _endless(self) -> Iterator[tuple[Path, tuple[str, ...]]]:
        while True:
            yield from self._rounds()

    def _moment(self) -> float:
        """Seconds, drawn evenly from the time that a whole run takes."""
        return self.random.uniform(0, self.forge.seconds)

    def _begun(self, out: Path, road: tuple[str, ...], *, short: bool = False) -> Run:
        traps = [["expiry", EXPIRY]] if short else []
        return self.forge.start(arguments(self.forge.source, out, *road), *traps)

    def _ended(self, run: Run, tally: Tally, out: Path, *, bad: tuple[int, ...]) -> None:
        code = run.wait(patience=PATIENCE)
        if code in bad or code < 0:  # before it had begun, it has nothing to say
            assert code in bad or not run.said, run.said
            tally.struck[stage(out)] += 1
            if code == 1:
                assert "interrupted; " in run.last, run.said
                assert "the same command goes on: " in run.last, run.said
        else:  # it ended just before
            assert code == 0, run.said

    def _equal(self, out: Path, road: tuple[str, ...], tally: Tally) -> None:
        same(out, self.wholes[road])
        tally.ended += 1
        shutil.rmtree(out)


def table(tallies: list[Tally]) -> str:
    """The counts as Markdown."""
    head = f"| fault | times | {' | '.join(STAGES)} | runs that ended equal |"
    rule = "|---|--:|" + "--:|" * (len(STAGES) + 1)
    return "\n".join([head, rule, *(tally.row() for tally in tallies)])


def main(share: float = 1.0) -> str:
    """The whole campaign; its table."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "forge").mkdir()
        forge = Forge(Path(folder) / "forge")
        try:
            return table(Campaign(forge, Path(folder)).all(share))
        finally:
            forge.close()


if __name__ == "__main__":
    print(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))  # noqa: T201
