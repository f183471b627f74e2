"""What a worker finds around it: one thread, one GPU, and how many workers a machine takes."""

import os
import subprocess

# Workers share the cores already; threads of their own would only wait for each other.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}


def gpus() -> list[str]:
    """Names of the GPUs that CUDA would see, without waking it; empty where there are none."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        names = [name.strip() for name in told.split(",")]
        # CUDA stops reading at the first name it cannot use; -1 is the usual one.
        return names[: names.index("-1")] if "-1" in names else [name for name in names if name]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return listed_gpus(listed)


def listed_gpus(listed: str) -> list[str]:
    """Unique names in the answer of ``nvidia-smi -L``; slices of a GPU where it is divided.

    CUDA may number GPUs in another order than ``nvidia-smi``; unique names mean one thing.

    >>> listed_gpus("GPU 0: A100 (UUID: GPU-1f)")
    ['GPU-1f']
    """
    found = [part.split(")")[0].strip() for part in listed.split("(UUID:")[1:]]
    slices = [name for name in found if name.startswith("MIG-")]
    return slices or found


def cores() -> int:
    """Cores this process may use: within a container or a job fewer than the machine has."""
    import joblib

    return int(joblib.cpu_count())


def around(slot: int, devices: list[str]) -> dict[str, str]:
    """Environment of the worker in a slot; GPUs are dealt out in turn."""
    one = {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if devices else {}
    return {**os.environ, **ONE_THREAD, **one}
