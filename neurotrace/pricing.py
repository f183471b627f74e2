"""What a job costs: core-hours, GPU-hours, bytes and wall time, before anything is made.

Capture is timed on a few batches, scoring on small blocks of neurons at the job's own number of
sentences; :mod:`neurotrace.pricing_laws` says how much of each a checkpoint needs. Times are those
of this machine. Experiments on the model are counted in forward passes, which is rough.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neurotrace.capture import Plan
from neurotrace.checkpoints.quantities import human
from neurotrace.pricing_blocks import Blocks, Shape
from neurotrace.pricing_laws import (
    CAUSED,
    COMMON,
    LAWS,
    ONCE,
    REPORT,
    SOME,
    STARTING,
    TWIN,
    VISITED,
)
from neurotrace.pricing_work import Work
from neurotrace.probes import n_experts
from neurotrace.road import Road
from neurotrace.runner.surroundings import cores, gpus

PER_BLOCK = 2e-3  # seconds of a block's hooks and small kernels for a batch
READ, WRITE = 4e8, 6e8  # bytes a second
BATCH = 1024  # tokens
KEEPS = ("activations", "states", "scores")
# Bytes of what scoring keeps: for each (expert set entry), (concept, pair of languages and set
# size or layer), (concept, language, language) and sentence; and of all else. Seen on disk.
OF_EXPERT, OF_PAIR, OF_LAYER, OF_SQUARE, OF_SENTENCE, OF_FILE = 2.1, 19.0, 11.3, 28.0, 14.0, 6e5
KEPT_SPLITS = 4  # whose expert sets are kept


@dataclass(frozen=True, kw_only=True)
class Price:
    """A job, priced.

    Attributes
    ----------
    capture
        Seconds of all checkpoints: of a core, or of the GPU where the model runs on one.
    scoring
        Core-seconds by analysis, of all checkpoints and the twin.
    series
        Core-seconds of what is done once, when all checkpoints are scored: intervals, the report.
    experiments
        Seconds where the model runs. Rough.
    read, written
        Bytes: weights; files of activations.
    kept
        Bytes that stay, under each ``--keep``.
    """

    shape: Shape
    capture: float
    scoring: Mapping[str, float]
    series: float
    experiments: float
    read: int
    written: int
    kept: Mapping[str, int]

    @property
    def on_gpu(self) -> bool:
        return not self.shape.device.startswith("cpu")

    @property
    def core_seconds(self) -> float:
        """Of a CPU, in all."""
        where = 0.0 if self.on_gpu else self.capture + self.experiments
        return where + sum(self.scoring.values()) + self.series

    @property
    def gpu_seconds(self) -> float:
        return self.capture + self.experiments if self.on_gpu else 0.0

    def wall(self, workers: int = 1) -> float:
        """Seconds from start to report with so many checkpoints at work at once."""
        files = self.shape.n_files
        rounds = math.ceil(files / min(workers, files)) / files
        shared = (self.capture + self.experiments) * rounds
        return shared + sum(self.scoring.values()) / workers + self.series

    def _at_once(self, executor: str, workers: int | None) -> int:
        if executor == "serial":
            return 1
        if workers is None and executor == "processes":
            workers = len(gpus()) or cores()
        return min(workers or self.shape.n_files, self.shape.n_files)

    def lines(self, *, executor: str = "serial", workers: int | None = None) -> list[str]:
        """What a reader is told, one statement a line.

        Parameters
        ----------
        executor, workers
            Where, and on how many checkpoints at once. None: on a cluster as many as there are,
            in processes as many as this machine has GPUs, or else cores.
        """
        at_once = self._at_once(executor, workers)
        unit = "GPU-hours" if self.on_gpu else "core-hours"
        scored = ", ".join(
            f"{name} {_hours(seconds)}"
            for name, seconds in sorted(self.scoring.items(), key=lambda item: -item[1])[:4]
        )
        kept = "; ".join(f"{human(size)} with --keep {name}" for name, size in self.kept.items())
        made = [
            f"capture                 {_hours(self.capture)} {unit}",
            f"scoring                 {_hours(sum(self.scoring.values()))} core-hours"
            + (f" (most of it: {scored})" if scored else ""),
            f"intervals and report    {_hours(self.series)} core-hours",
        ]
        if self.experiments:
            made.append(f"experiments             {_hours(self.experiments)} {unit}, rough")
        used = [f"{_hours(self.core_seconds)} core-hours"]
        used += [f"{_hours(self.gpu_seconds)} GPU-hours"] if self.on_gpu else []
        how = f" with --executor {executor}"
        how += f", {at_once} at once" if executor != "serial" else ""
        return [
            *made,
            f"in all                  {' and '.join(used)}, at this machine's speed",
            f"read                    {human(self.read)} of weights",
            f"written                 {human(self.written)} of files",
            f"kept                    {kept}",
            f"the whole job           roughly {_time(self.wall(at_once))}{how}",
        ]


def price(
    shape: Shape,
    blocks: Blocks,
    *,
    analyses: Sequence[str],
    capture: float | None = None,
    full: bool = False,
) -> Price:
    """Price a job.

    Parameters
    ----------
    blocks
        As measured at this shape.
    analyses
        Names as in :data:`neurotrace.config.ANALYSES`.
    capture
        Seconds a checkpoint, where they were measured; else told from the operations.
    full
        Whether experiments and latent concepts keep to nothing (``--causes full``).
    """
    work, n = Work(shape, blocks), shape.n_checkpoints
    counted = {name: LAWS[name] for name in analyses if name in LAWS}
    scoring: dict[str, float] = {}
    for name, law in counted.items():
        some = min(n, SOME) if name == "latent_concepts" and not full else n
        times = some + (TWIN.get(name, 0.0) if shape.twin else 0.0)
        own = sum(share * float(getattr(work, part)) for part, share in law.items())
        scoring[name] = own * times + ONCE.get(name, 0.0) * work.nulls
    common = {name: law for name, law in COMMON.items() if name in analyses}
    series = (
        STARTING
        + REPORT
        + n
        * sum(
            share * float(getattr(work, part))
            for law in common.values()
            for part, share in law.items()
        )
    )
    forward = passes(shape, blocks) if capture is None else capture
    return Price(
        shape=shape,
        capture=forward * shape.n_files,
        scoring=scoring,
        series=series,
        experiments=experiments(shape, forward, analyses=analyses, full=full),
        read=shape.bytes_read * n,
        written=shape.bytes_written * shape.n_files,
        kept=kept_bytes(shape),
    )


def of_trace(road: Road, planned: Plan) -> Price:
    """The price of a trace whose capture was planned; a few seconds of measuring."""
    config, model = road.config, planned.sampled
    concepts = road.concepts
    n_languages = len(concepts.languages)
    n_neurons = planned.n_layers * planned.width
    shape = Shape(
        n_checkpoints=planned.n_checkpoints,
        n_layers=planned.n_layers,
        width=planned.width,
        n_features=model.n_features,
        n_weights=model.n_weights,
        n_embedded=model.n_embedded,
        n_languages=n_languages,
        n_concepts=max(1, len(concepts.concepts)),
        n_sentences=round(planned.n_examples / n_languages),
        n_tokens=planned.n_tokens,
        top=n_experts(config.expert_size, n_neurons),
        n_splits=config.splits,
        rotations=config.rotations,
        n_drawn=round(planned.n_drawn / n_languages),
        n_words=round(planned.n_words / n_languages),
        bytes_read=model.bytes_read,
        bytes_written=planned.bytes_per_checkpoint,
        bytes_states=planned.bytes_of_states,
        twin=planned.n_files > planned.n_checkpoints,
        device=config.device,
    )
    return price(
        shape,
        Blocks.measured(shape),
        analyses=config.analyses,
        capture=model.total,
        full=config.causes == "full",
    )


def passes(shape: Shape, blocks: Blocks, *, speed: float | None = None) -> float:
    """Seconds of one checkpoint's capture, told from its operations.

    Parameters
    ----------
    speed
        Multiplications and additions a second; a core's of this machine by default.
    """
    turned = shape.rotations * min(shape.width, 1024) * shape.width * shape.n_layers
    operations = 2.0 * shape.n_tokens * (shape.n_weights + turned)
    forward = operations * blocks.operation if speed is None else operations / speed
    batches = shape.n_tokens / BATCH
    moved = shape.bytes_read / READ + shape.bytes_written / WRITE
    return forward + batches * shape.n_layers * PER_BLOCK + moved


def experiments(
    shape: Shape, capture: float, *, analyses: Sequence[str], full: bool = False
) -> float:
    """Seconds of the experiments asked for: their tokens, at the speed of capture."""
    a_token = capture / max(1, shape.n_tokens)
    n, tokens = shape.n_checkpoints, 0.0
    langs, concepts = shape.n_languages, shape.n_concepts
    if not full:
        langs, concepts = min(4, langs), min(16, concepts)
    for name in set(analyses) & set(CAUSED):
        times = n if full or name == "interchange" else min(n, VISITED)
        size = {"interchange": langs**2 * concepts, "ablation": langs, "forcing": 1.0}[name]
        if name == "forcing":
            size = (langs * concepts) if full else min(4, concepts)
        tokens += CAUSED[name] * size * times
    return tokens * a_token


def kept_bytes(shape: Shape) -> dict[str, int]:
    """Bytes that stay of all checkpoints and the twin, under each ``--keep``."""
    langs, concepts, layers = shape.n_languages, shape.n_concepts, shape.n_layers
    scores = OF_FILE + OF_SENTENCE * langs * shape.n_sentences
    scores += OF_EXPERT * 2 * KEPT_SPLITS * langs * concepts * shape.top
    scores += concepts * shape.n_pairs * (6 * OF_PAIR + layers * OF_LAYER)
    scores += OF_SQUARE * concepts * langs**2
    each = {"activations": shape.bytes_written, "states": shape.bytes_states, "scores": 0}
    return {name: round((each[name] + scores) * shape.n_files) for name in KEEPS}


def _hours(seconds: float) -> str:
    """Hours, to two digits.

    >>> _hours(7_200), _hours(90), _hours(360_000_000)
    ('2.0', '0.025', '100,000')
    """
    hours = seconds / 3600
    if hours >= 10:
        return f"{hours:,.0f}"
    return f"{hours:.2g}" if hours < 1 else f"{hours:.1f}"


def _time(seconds: float) -> str:
    """Seconds, minutes, hours or days.

    >>> _time(300), _time(400_000)
    ('5 min', '4.6 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
