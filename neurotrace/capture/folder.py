"""The folder of a run: what may stand in it, and whether its disk can hold what is missing."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from neurotrace.capture.job import Job
from neurotrace.checkpoints import Checkpoint
from neurotrace.concepts import ConceptSet
from neurotrace.store import StoreFull, StoreMismatch
from neurotrace.store.disk import naming_a_full_disk

CONCEPTS = "concepts.jsonl"


def file_name(index: int, checkpoint: Checkpoint) -> str:
    """Name of a checkpoint's file; step alone would be no key, since some suites have stages."""
    return f"{index:04d}_{checkpoint.label}.h5"


def settle(job: Job, out: Path, files: Sequence[Path]) -> None:
    """Make the folder fit for this run, or refuse it, before any weights are read.

    Parameters
    ----------
    files
        All that the run will hold.

    Raises
    ------
    StoreMismatch
        When it holds files of another series, or other sentences.
    StoreFull
        When the files that are not there yet do not fit, all of them.
    """
    names = {file.name for file in files}
    strange = sorted(f.name for f in out.glob("[0-9]*_*.h5") if f.name not in names)
    if strange:
        raise StoreMismatch(
            f"{out.name} holds {strange[0]}, which is no part of this series; one folder is one run"
        )
    kept = out / CONCEPTS
    if kept.exists() and _digest(kept) != job.concepts.digest:
        raise StoreMismatch(
            f"{out.name} was made with other concepts ({CONCEPTS} differs; where the file was "
            "harmed, --repair sets it aside and writes it again)"
        )
    out.mkdir(parents=True, exist_ok=True)
    # A partial file has its blocks already.
    missing = [f for f in files if not f.exists() and not any(out.glob(f"{f.name}.*.partial"))]
    needed, free = len(missing) * job.n_bytes, shutil.disk_usage(out).free
    if needed > free:
        raise StoreFull(
            f"the disk of {out.name} is too small: {needed:,} bytes needed for {len(missing)} "
            f"checkpoints, {free:,} free"
        )
    if not kept.exists():
        with naming_a_full_disk(kept):
            job.concepts.to_jsonl(kept)


def _digest(file: Path) -> str | None:
    """Digest of the sentences in a file; None for one that cannot be read."""
    try:
        return ConceptSet.load(file).digest
    except ValueError:
        return None
