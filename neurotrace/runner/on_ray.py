"""Items as tasks of a Ray cluster. Ray itself runs the tasks of a lost node again."""

import os
import pickle
from collections.abc import Callable, Sequence
from typing import Any

from neurotrace.runner.driver import drive
from neurotrace.runner.each import Executor
from neurotrace.runner.outcome import Outcome, attempt, failed, opened, packed_of, sealed
from neurotrace.runner.surroundings import ONE_THREAD, cores

RETRIES = 3  # after a worker or its node vanished
VALID = ("address", "gpus")


def on_ray(fn: Callable[[Any], Any], items: Sequence[Any], where: Executor) -> list[Any]:
    """Values of ``fn`` over ``items``, each from a task."""
    ray = checked(where)
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, where)
    try:
        return drive(Tasks(ray, packed_of(fn), where), items)
    finally:
        if ours:
            ray.shutdown()


def checked(where: Executor) -> Any:
    """Ray itself, once it is clear that it can be used as asked.

    Raises
    ------
    ModuleNotFoundError
        Without Ray; it names the extra.
    ValueError
        For an option that is not read.
    """
    unknown = sorted(where.options.keys() - set(VALID))
    if unknown:
        raise ValueError(f"got option {unknown[0]!r} for ray; valid are {', '.join(VALID)}")
    try:
        import ray
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "got no ray; expected it for executor 'ray': pip install 'neurotrace[ray]'"
        ) from None
    return ray


def _connect(ray: Any, where: Executor) -> None:
    """Join the cluster that is named, or start one on this machine."""
    # Read once by Ray: without it, it reports how it is used to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = where.options.get("address") or os.environ.get("RAY_ADDRESS")
    surroundings = {"env_vars": ONE_THREAD}
    if address:
        ray.init(address=address, runtime_env=surroundings, logging_level="warning")
        return
    ray.init(
        address="local",
        num_cpus=where.workers or cores(),
        runtime_env=surroundings,
        include_dashboard=False,
        logging_level="warning",
    )


class Tasks:
    """Tasks under way, as many as the cluster has places for."""

    def __init__(self, ray: Any, function: bytes, where: Executor) -> None:
        self._ray = ray
        resources = ray.cluster_resources()
        gpus = float(where.options.get("gpus", min(1.0, resources.get("GPU", 0.0))))
        if gpus > resources.get("GPU", 0.0):
            raise ValueError(
                f"got gpus={gpus:g} for ray, whose cluster has {resources.get('GPU', 0.0):g}; "
                "expected no more: its tasks would wait for ever"
            )
        places = resources.get("GPU", 0.0) / gpus if gpus else resources.get("CPU", 1.0)
        self.slots = where.workers or max(1, int(places))
        self._task = ray.remote(_task).options(max_retries=RETRIES, num_cpus=1, num_gpus=gpus)
        # Stored once: a thousand tasks do not carry it a thousand times.
        self._function = ray.put(function)
        self._running: dict[Any, int] = {}

    def begin(self, index: int, item: Any) -> None:
        """Submit a task."""
        self._running[self._task.remote(self._function, packed_of(item))] = index

    def ended(self) -> list[tuple[int, Outcome | str]]:
        """Wait for a task; one that failed for Ray's own reasons has vanished."""
        ready, _ = self._ray.wait(list(self._running), num_returns=1)
        return [(self._running.pop(reference), self._outcome(reference)) for reference in ready]

    def _outcome(self, reference: Any) -> Outcome | str:
        try:
            return opened(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            return f"{type(error).__name__} after {RETRIES + 1} tries: {first}"

    def alone(self) -> None:
        """Nothing to do: a task that is alone has what Ray's idle workers give back."""

    def close(self) -> None:
        """Cancel what still runs."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)


def _task(function: bytes, item: bytes) -> bytes:
    try:
        opened_function, opened_item = pickle.loads(function), pickle.loads(item)
    except Exception as error:
        return sealed(failed(error))
    return sealed(attempt(opened_function, opened_item))
