"""Where work runs: one call over a list of items. Knows nothing of neurons."""

from neurotrace.runner.each import ELSEWHERE, EXECUTORS, Executor, map_each
from neurotrace.runner.outcome import WorkerLost
from neurotrace.runner.sbatch import sbatch_script
from neurotrace.runner.sharding import shard

__all__ = ["ELSEWHERE", "EXECUTORS", "Executor", "WorkerLost", "map_each", "sbatch_script", "shard"]
