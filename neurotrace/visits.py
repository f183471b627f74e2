"""One visit to each checkpoint: the model is loaded once, and all experiments are done there.

What a visit finds is kept in ``RUN/causes/0007_step512-DIGEST.h5``, so that an interrupted trace
goes on where it stopped; the digest is of the words, frames and judges it was made with.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neurotrace import trajectories
from neurotrace.bench import CONCEPTS, FORCED, Bench
from neurotrace.checkpoints import Checkpoint
from neurotrace.runner.leases import hold
from neurotrace.store import ActivationStore
from neurotrace.trajectories.lifts import StepKey
from neurotrace.trajectories.result_files import guard

if TYPE_CHECKING:
    from neurotrace.capture import HookedModel
    from neurotrace.causal import Experts, Source

FOLDER, FILES = "causes", "interventions"
NEW_TOKENS = 31  # of a forced text
SITES = ("mlp.hook_post", "hook_resid_post")


@dataclass(frozen=True)
class Visits:
    """The visits of a run, each made once.

    Attributes
    ----------
    bench
        What they share.
    """

    bench: Bench
    _made: dict[int, trajectories.Results] = field(default_factory=dict, repr=False)

    def found(self, name: str) -> dict[int, xr.Dataset]:
        """An experiment's findings at each checkpoint it is done at, by position."""
        return {
            at: self.make(at)[name] for at in range(len(self.bench.keys)) if name in self.asked(at)
        }

    def asked(self, at: int) -> list[str]:
        """What is done at a checkpoint: ``interchange doses ablation forcing_LANGUAGE``."""
        return list(self._asked(at))

    def _asked(self, at: int) -> Iterator[str]:
        bench = self.bench
        if "interchange" in bench.possible:
            yield "interchange"
            if at == len(bench.keys) - 1:
                yield "doses"
        if at in bench.some and "ablation" in bench.possible:
            yield "ablation"
        if at in bench.some and "forcing" in bench.possible:
            yield from (f"forcing_{lang}" for lang in bench.sources)

    def make(self, at: int) -> trajectories.Results:
        """What a visit to a checkpoint finds: read where it was made, made where it was not."""
        if at not in self._made:
            file = self._file(at)
            kept = trajectories.Results(file.parent, file=file.name)
            if self._todo(at, kept):
                with hold(guard(self.bench.store.path, file)) as lease:
                    kept = trajectories.Results(file.parent, file=file.name, lease=lease)
                    self._do(at, kept)
            self._made[at] = kept
        return self._made[at]

    def left(self) -> list[int]:
        """Positions of the checkpoints of which something that is asked for is not found yet."""
        files = ((at, self._file(at)) for at in range(len(self.bench.keys)) if self.asked(at))
        return [
            at
            for at, file in files
            if self._todo(at, trajectories.Results(file.parent, file=file.name))
        ]

    def _file(self, at: int) -> Path:
        name = Path(str(self.bench.store.checkpoints["file"].iloc[at])).stem
        # With other words or another version it is another visit.
        return self.bench.store.path / FOLDER / f"{name}-{self.bench.digest}.h5"

    def _todo(self, at: int, kept: trajectories.Results) -> list[str]:
        return [name for name in self.asked(at) if name not in kept]

    def _do(self, at: int, kept: trajectories.Results) -> None:
        visit = Visit(self.bench, at)
        later = [n for n in range(at + 1, len(self.bench.keys)) if self.asked(n)]
        then = self.bench.road.series[later[0]] if later else None
        with self.bench.road.shelf.at_hand(visit.checkpoint, then=then):
            for name in self._todo(at, kept):
                kept.get(name, partial(visit.do, name))
        kept.finish()
        visit.leave()


@dataclass(frozen=True)
class Visit:
    """One checkpoint, with its model in memory."""

    bench: Bench
    at: int

    @cached_property
    def model(self) -> "HookedModel":
        from neurotrace.capture import load_model
        from neurotrace.capture.devices import free

        config = self.bench.config
        free(config.device)  # what was computed before leaves holes that a model does not fit into
        return load_model(
            self.checkpoint,
            backend=config.backend,
            device=config.device,
            dtype=config.compute_dtype,
            trust_remote_code=config.trust_remote_code,
            sites=SITES,
        )

    def leave(self) -> None:
        """Give the model's memory back before the next one is loaded."""
        from neurotrace.capture.devices import free

        self.__dict__.pop("model", None)
        free(self.bench.config.device)

    @property
    def checkpoint(self) -> Checkpoint:
        return self.bench.road.series[self.at]

    @property
    def key(self) -> StepKey:
        return self.bench.keys[self.at]

    @property
    def store(self) -> ActivationStore:
        return self.bench.store

    def do(self, name: str) -> xr.Dataset:
        """Do one experiment."""
        if name.startswith("forcing_"):
            return self.forcing(name.removeprefix("forcing_"))
        return {"interchange": self.interchange, "doses": self.doses, "ablation": self.ablation}[
            name
        ]()

    def interchange(self) -> xr.Dataset:
        """Effects of a language's values in another language's frames."""
        from neurotrace import causal

        experts, source = self._ingredients()
        return causal.interchange(
            self.model,
            experts,
            source,
            self.bench.materials,
            rotated=self._ingredients(rotation=0) if self.bench.config.rotations else None,
            seed=self.bench.config.seed,
        )

    def doses(self) -> xr.Dataset:
        """The same at three strengths."""
        from neurotrace import causal

        return causal.interchange_doses(
            self.model, *self._ingredients(), self.bench.materials, seed=self.bench.config.seed
        )

    def ablation(self) -> xr.Dataset:
        """Loss without shared and without language-specific neurons."""
        from neurotrace import causal
        from neurotrace.capture.tokens import tokenize

        road, config = self.bench.road, self.bench.config
        frame = road.concepts.frame
        rows = causal.ablation_sample(frame, in_b=~self.bench.in_a, seed=config.seed)
        frame = frame.iloc[rows].reset_index(drop=True)
        sets = trajectories.neuron_sets(
            self.store, self.key, path=config.path, most=config.expert_size, seed=config.seed
        )
        own = dict(zip(self.store.languages, sets.language, strict=True))
        return causal.ablate(
            self.model,
            {"shared": sets.shared, "language": own},
            tokenize(self.model.tokenizer, frame, bos=config.bos, exclude_ids=road.exclude_ids),
            frame=frame,
            languages=self.store.languages,
            concepts=self.store.concepts,
            seed=config.seed,
        )

    def forcing(self, lang: str) -> xr.Dataset:
        """What the model writes while a language's experts are held."""
        from neurotrace import causal

        bench, config = self.bench, self.bench.config
        held = trajectories.handles(
            self.store,
            self.key,
            path=config.path,
            top=config.expert_size,
            languages=[lang],
            concepts=bench.concepts(FORCED),
            seed=config.seed,
        )
        experts, values, directions = (
            dict(zip(held.concepts, of[0], strict=True))
            for of in (held.experts, held.medians, held.directions)
        )
        topics, identify = bench.judges
        for concept, neurons in experts.items():
            self._keep(lang, concept, neurons, values[concept][neurons])
        return causal.force(
            self.model,
            experts,
            values,
            language=lang,
            topics=topics,
            identify=identify,
            directions=directions,
            arms=causal.FORCING_ARMS if bench.full else causal.DEFAULT_FORCING_ARMS,
            max_new_tokens=NEW_TOKENS,
            seed=config.seed,
        )

    def _ingredients(self, rotation: int | None = None) -> "tuple[Experts, Source]":
        """Experts of half A and values of half B, of the neurons or of a rotated basis."""
        from neurotrace import causal

        bench, config = self.bench, self.bench.config
        path = config.path if rotation is None else config.rotated_paths[rotation]
        held = trajectories.handles(
            self.store,
            self.key,
            path=path,
            top=config.expert_size,
            languages=bench.languages,
            concepts=bench.concepts(CONCEPTS),
            seed=config.seed,
        )
        experts = causal.Experts(
            tuple(held.concepts),
            tuple(held.languages),
            held.experts.swapaxes(0, 1),
            tuple(self.store.width(path)),
            directions=held.directions.swapaxes(0, 1) if rotation is None else None,
            rotation=rotation,
        )
        return experts, causal.Source(held.sources.swapaxes(0, 1))

    def _keep(
        self, lang: str, concept: str, neurons: NDArray[np.intp], values: NDArray[np.float32]
    ) -> None:
        """Write what is forced as a file that another person can run again."""
        from neurotrace import causal

        number = self.store.concepts.index(concept)  # names may differ in marks alone
        name = f"{self.checkpoint.label}-{lang}-{number:02d}-{_plain(concept)}.json"
        file = self.store.path / FILES / name
        file.parent.mkdir(exist_ok=True)
        causal.Intervention.on(
            self.checkpoint,
            neurons,
            values.tolist(),
            model=self.model,
            path=self.bench.config.path,
            max_new_tokens=NEW_TOKENS,
            seeds=causal.sampling_seeds(concept, n=10, seed=self.bench.config.seed),
            note=f"experts of {concept!r} in {lang}, held at their medians over its sentences",
        ).write(file)


def _plain(name: str) -> str:
    """A concept's name as part of a file's."""
    return "".join(char if char.isalnum() else "_" for char in name)
