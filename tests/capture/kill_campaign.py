"""Kill a capture at random moments and resume it, again and again; run as a script by a test.

One process loads the libraries and forks the captures, so that a kill costs no import. Prints the
rows counted after every kill, as JSON.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path


def capture(source: Path, out: Path) -> None:
    """The capture under test."""
    from neurotrace import capture as room
    from neurotrace.checkpoints import find
    from neurotrace.concepts import ConceptSet

    room.run(
        find(source),
        ConceptSet.load(source / "concepts.jsonl"),
        out,
        what=("mlp.hook_post/max", "hook_resid_post/tokens", "hook_resid_post/words_mean"),
        tokens_per_language=40,
        loss_sentences=4,
        batch_tokens=48,  # many small batches, so that kills meet slabs and not only loading
        twin=5,
        progress=False,
    )


def forked(source: Path, out: Path) -> int:
    """Start a capture in a child; its standard error stays ours."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        capture(source, out)
        status = 0
    finally:
        os._exit(status)


def counted(out: Path, whole: Path) -> dict[str, int]:
    """Counted rows of every file; each must be there and be the undisturbed run's."""
    import h5py
    import numpy as np

    found = {}
    for file in sorted([*out.glob("*.h5"), *out.glob("*.partial")]):
        name = file.name.split(".h5")[0]
        try:
            h5 = h5py.File(file)
        except OSError:
            found[name] = 0
            continue
        with h5, h5py.File(whole / f"{name}.h5") as truth:
            n_done = found[name] = int(h5.attrs.get("n_done", 0))
            for path in ("mlp.hook_post/max/00", "mlp.hook_post/max/01") if n_done else ():
                np.testing.assert_array_equal(h5[path][:n_done], truth[path][:n_done])
    return found


def main(source: Path, out: Path, whole: Path, n_kills: int, seed: int) -> None:
    """Make the undisturbed run in ``whole``, then ``n_kills`` kills in ``out``."""
    import torch

    torch.set_num_threads(1)
    import transformer_lens.model_bridge  # noqa: F401 (so that no child pays for it)

    rng = random.Random(seed)
    capture(source, out / "warm")
    begun = time.monotonic()
    if os.waitpid(forked(source, whole), 0)[1]:
        sys.exit("the undisturbed capture failed")
    needed = time.monotonic() - begun
    log, rounds = [], 0
    while len(log) < n_kills:
        child = forked(source, out / str(rounds))
        time.sleep(rng.uniform(0, 0.7 * needed))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            log.append({"round": rounds, **counted(out / str(rounds), whole)})
        elif status:
            sys.exit("a resumed capture failed")
        else:
            rounds += 1
    capture(source, out / str(rounds))
    shutil.rmtree(out / "warm")
    sys.stdout.write(json.dumps(log))


if __name__ == "__main__":
    main(*(Path(path) for path in sys.argv[1:4]), int(sys.argv[4]), int(sys.argv[5]))
