"""What each arm of a forcing writes into the neurons, and the texts that come of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import ArrayLike, NDArray

from neurotrace.capture import HookedModel
from neurotrace.causal.clamp import clamp
from neurotrace.causal.controls import alike, named
from neurotrace.causal.generate import Generated, generate, log_likelihood
from neurotrace.causal.judges import distinct
from neurotrace.causal.neurons import Neurons, flat
from neurotrace.causal.writes import Units, Write

RANDOM = 22  # stream of random numbers
CACHED = 1 << 27  # most keys and values held while texts are written
MATCHED = ("random_matched", "direction")  # rescaled to the size of the experts' change


@dataclass(frozen=True)
class Plan:
    """What each arm of one concept writes."""

    experts: Write
    random: Write
    direction: list[Units]

    @classmethod
    def of(
        cls,
        concept: str,
        widths: Sequence[int],
        experts: Mapping[str, Neurons],
        values: Mapping[str, ArrayLike],
        directions: Mapping[str, ArrayLike] | None,
        *,
        seed: int,
    ) -> "Plan":
        own = flat(experts[concept], widths)
        held = _whole(f"values of {concept!r}", values[concept], widths)
        if not len(own):
            raise ValueError(f"got no experts of {concept!r}; expected at least one")
        drawn = alike(own, widths, key=named(seed, RANDOM, concept))
        along = None if directions is None else directions[concept]
        units = [] if along is None else _units(concept, along, own, widths)
        return cls(Write(own, held[own]), Write(drawn, held[drawn]), units)

    @contextmanager
    def on(self, model: HookedModel, arm: str, rows: slice) -> Iterator[None]:
        """Some rows of a batch forced in the way of an arm."""
        if arm == "unforced":
            yield
            return
        if arm == "direction":
            written = Write(self.direction, 1.0, "add")
        else:
            written = self.experts if arm == "experts" else self.random
        like = self.experts if arm in MATCHED else None
        with clamp(
            model, written.neurons, written.values, how=written.how, rows=rows, norm_like=like
        ):
            yield


@dataclass(frozen=True)
class Spoken:
    """What was written, ``(arm, seed)`` for a concept, ``(arm, concept, seed)`` for all."""

    texts: NDArray[np.object_]
    distinct: NDArray[np.float64]
    nats: NDArray[np.float64]
    tokens: NDArray[np.float64]

    @classmethod
    def of(cls, model: HookedModel, said: Generated, n_arms: int) -> "Spoken":
        """Rows of a batch, arm after arm."""
        special = model.tokenizer.all_special_ids
        words = said.mask & ~np.isin(said.ids, special)
        own = [distinct(ids[kept]) for ids, kept in zip(said.ids, words, strict=True)]
        lost = -log_likelihood(model, said) * said.lengths
        texts = np.array(said.texts, dtype=object)
        columns = texts, np.array(own), lost, said.lengths.astype(float)
        by_arm: list[Any] = [rearrange(c, "(arm seed) -> arm seed", arm=n_arms) for c in columns]
        return cls(*by_arm)

    @classmethod
    def joined(cls, parts: Sequence["Spoken"], *, axis: int) -> "Spoken":
        """Several, one behind the other (``axis`` 1), or on a new axis of concepts (-2)."""
        join: Any = np.concatenate if axis == 1 else np.stack
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(join(column, axis=axis) for column in columns))


def speak(
    model: HookedModel,
    plan: Plan,
    arms: Sequence[str],
    seeds: Sequence[int],
    *,
    max_new_tokens: int,
    temperature: float,
    rows_at_once: int,
) -> Spoken:
    each = max(1, min(rows_at_once, _fitting(model, max_new_tokens)) // len(arms))
    parts = []
    for start in range(0, len(seeds), each):
        own = seeds[start : start + each]
        with ExitStack() as forced:
            for at, arm in enumerate(arms):
                rows = slice(at * len(own), (at + 1) * len(own))
                forced.enter_context(plan.on(model, arm, rows))
            said = generate(
                model, seeds=list(own) * len(arms), max_new_tokens=max_new_tokens,
                temperature=temperature,
            )  # fmt: skip
        # Behind the clamps: the model left alone says how likely it finds every text.
        parts.append(Spoken.of(model, said, len(arms)))
    return Spoken.joined(parts, axis=1)


def _fitting(model: HookedModel, length: int) -> int:
    """Rows whose keys and values are no more than :data:`CACHED` numbers."""
    # As if there were as many heads of keys as of queries: an upper bound.
    width = int(model.model.config.get_text_config().hidden_size)
    return CACHED // (2 * model.n_layers * width * (length + 1))


def _whole(what: str, given: ArrayLike, widths: Sequence[int]) -> NDArray[np.float64]:
    array = np.asarray(given, dtype=float)
    if array.shape != (sum(widths),):
        raise ValueError(f"got {what} of shape {array.shape}; expected ({sum(widths)},)")
    return array


def _units(
    concept: str, along: ArrayLike, experts: NDArray[np.intp], widths: Sequence[int]
) -> list[Units]:
    """The direction in each layer that has experts, as a unit of its own."""
    whole = _whole(f"direction of {concept!r}", along, widths)
    starts = np.cumsum([0, *widths])
    layers = np.unique(np.searchsorted(starts, experts, side="right") - 1).tolist()
    units = []
    for layer in layers:
        own = whole[starts[layer] : starts[layer + 1]]
        length = float(np.linalg.norm(own))
        if not length > 0:
            raise ValueError(f"layer {layer}: got no direction of {concept!r}; expected one")
        basis = torch.as_tensor(own / length, dtype=torch.float32)
        units.append(Units(layer, basis=rearrange(basis, "neuron -> neuron 1")))
    return units
