"""The arms of an interchange: whose values are written into a frame, and along what.

Every arm is one way of changing the neurons of the same frames, in the same forward pass, so that
a control can be given the size of the experts' change token by token and layer by layer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from einops import einsum, rearrange
from numpy.typing import NDArray
from torch import Tensor

from neurotrace.capture.rotation import Rotation
from neurotrace.causal.controls import named
from neurotrace.causal.ingredients import Experts, Source

ARMS = (
    "experts", "random_matched", "random", "wrong_concept", "source_only", "rotated", "direction",
)  # fmt: skip
ON_REQUEST = ("rotated_matched",)
# Given the size of the experts' change; the others are written as they come.
MATCHED = frozenset({"random_matched", "wrong_concept", "rotated_matched", "direction"})
RANDOM, WRONG = 11, 12  # streams of random numbers
_BLOCK = 256  # rows of the identity that are rotated at once


@dataclass(frozen=True)
class Cases:
    """What the rows of a batch are: each ``(case,)``, numbers on the experts' own axes."""

    concept: NDArray[np.intp]
    lang_a: NDArray[np.intp]
    lang_b: NDArray[np.intp]
    frame: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.concept)


# (layer, the neurons as they are: (case, token, neuron), cases) → what is added to them.
Change = Callable[[int, Tensor, Cases], Tensor]


@dataclass(frozen=True)
class Arms:
    """Makes the changes of one checkpoint.

    Attributes
    ----------
    experts, source
        Sets chosen on half A, and values read on half B.
    rotated
        The same two in a rotated basis, for the arm of that name.
    n_frames
        Frames a language: each gets its own draw of random neurons.
    seed
        Of the draws, which follow names and not their order.
    device
        Where the model is.
    """

    experts: Experts
    source: Source
    rotated: tuple[Experts, Source] | None
    n_frames: int
    seed: int
    device: torch.device

    def available(self) -> tuple[str, ...]:
        """The arms that what was given allows, those on request last."""
        possible = {
            "rotated": self.rotated is not None,
            "rotated_matched": self.rotated is not None,
            "direction": self.experts.directions is not None,
            "wrong_concept": len(self.experts.concepts) > 1,
        }
        return tuple(name for name in (*ARMS, *ON_REQUEST) if possible.get(name, True))

    def change(self, name: str) -> Change:
        """What an arm adds to the neurons of a layer.

        Raises
        ------
        ValueError
            For an arm that does not exist, or whose ingredients were not given.
        """
        if name not in self.available():
            raise ValueError(f"got arm {name!r}; valid here are {', '.join(self.available())}")
        if self.rotated is not None and name in ("rotated", "rotated_matched"):
            return Rotated(*self.rotated, self.device)
        if name == "direction":
            return self._along_direction
        return lambda layer, x, cases: self._neurons(name, layer, x, cases)

    @cached_property
    def members(self) -> NDArray[np.bool_]:
        """``(concept, lang, neuron)``: who is an expert."""
        return self.experts.members()

    @cached_property
    def other(self) -> NDArray[np.intp]:
        """``(concept, frame)``: wrong concepts, in turn those that follow in a seeded circle."""
        order = np.argsort(np.array(self.experts.concepts))
        circle = order[np.random.default_rng([self.seed, WRONG]).permutation(len(order))]
        other = np.empty((len(order), self.n_frames), dtype=np.intp)
        for frame in range(self.n_frames):
            # Never a whole round: that would be the concept itself.
            other[circle, frame] = np.roll(circle, -1 - frame % max(1, len(order) - 1))
        return other

    @cached_property
    def drawn(self) -> NDArray[np.bool_]:
        """``(concept, lang, frame, neuron)``: others than experts, as many in every layer."""
        drawn = np.zeros((*self.members.shape[:2], self.n_frames, self.members.shape[2]), bool)
        for c, concept in enumerate(self.experts.concepts):
            for a, lang in enumerate(self.experts.languages):
                rng = np.random.default_rng(named(self.seed, RANDOM, concept, lang))
                lottery = rng.random(drawn.shape[2:])
                # Experts last: they are taken only where a layer has too few others.
                lottery += self.members[c, a]
                for own in self.experts.spans:
                    k = int(self.members[c, a, own].sum())
                    best = np.argsort(lottery[:, own], axis=1)[:, :k]
                    np.put_along_axis(drawn[c, a, :, own], best, True, axis=1)
        return drawn

    def _neurons(self, name: str, layer: int, x: Tensor, cases: Cases) -> Tensor:
        """Some neurons are set, each to its value in the source sentence."""
        own = self.experts.spans[layer]
        whose = cases.concept
        if name == "wrong_concept":
            whose = self.other[cases.concept, cases.frame]
        written = self._who(name, own, cases)
        wanted = _rows(self._values, own, whose, cases)
        chosen = torch.as_tensor(written, device=self.device, dtype=x.dtype)
        return (rearrange(wanted, "case n -> case 1 n") - x) * rearrange(
            chosen, "case n -> case 1 n"
        )

    def _who(self, name: str, own: slice, cases: Cases) -> NDArray[np.bool_]:
        """``(case, neuron)``: the neurons of a layer that are written."""
        c, a, b = cases.concept, cases.lang_a, cases.lang_b
        members = self.members[..., own]
        if name in ("random", "random_matched"):
            return np.asarray(self.drawn[..., own][c, a, cases.frame])
        if name == "wrong_concept":
            return np.asarray(members[self.other[c, cases.frame], a])
        if name == "source_only":
            return np.asarray(members[c, a] & ~members[c, b])
        return np.asarray(members[c, a])

    def _along_direction(self, layer: int, x: Tensor, cases: Cases) -> Tensor:
        """One coordinate is set: the one along the difference in means of this layer."""
        own = self.experts.spans[layer]
        along = self._directions[..., own][cases.concept, cases.lang_a]
        along = along / along.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        wanted = _rows(self._values, own, cases.concept, cases)
        goal = einsum(wanted, along, "case n, case n -> case")
        now = einsum(x, along, "case token n, case n -> case token")
        step = rearrange(goal, "case -> case 1") - now
        return einsum(step, along, "case token, case n -> case token n")

    @cached_property
    def _values(self) -> Tensor:
        return torch.as_tensor(self.source.values, dtype=torch.float32, device=self.device)

    @cached_property
    def _directions(self) -> Tensor:
        given = self.experts.directions
        return torch.as_tensor(given, dtype=torch.float32, device=self.device)


@dataclass(frozen=True)
class Rotated:
    """Units of a rotated basis are set, each along its direction, to its value in the sentence.

    Attributes
    ----------
    experts, source
        Of the rotated basis.
    device
        Where the model is.
    """

    experts: Experts
    source: Source
    device: torch.device
    _bases: dict[int, tuple[NDArray[np.intp], Tensor]] = field(default_factory=dict, repr=False)

    def __call__(self, layer: int, x: Tensor, cases: Cases) -> Tensor:
        """What is added to the neurons of a layer."""
        own = self.experts.spans[layer]
        units, basis = self._basis(layer)
        members = self._members[..., own][..., units]
        chosen = torch.as_tensor(
            members[cases.concept, cases.lang_a], device=self.device, dtype=x.dtype
        )
        wanted = _rows(self._values, own, cases.concept, cases)[:, units]
        now = einsum(x, basis, "case token n, n unit -> case token unit")
        step = rearrange(wanted, "case unit -> case 1 unit") - now
        step = step * rearrange(chosen, "case unit -> case 1 unit")
        return einsum(step, basis, "case token unit, n unit -> case token n")

    def _basis(self, layer: int) -> tuple[NDArray[np.intp], Tensor]:
        """The units that any set holds, and ``(neuron, unit)`` their directions."""
        if layer not in self._bases:
            members = self._members[..., self.experts.spans[layer]]
            units = np.flatnonzero(members.any(axis=(0, 1)))
            seed = self.experts.rotation or 0
            rotation = Rotation(members.shape[-1], seed=seed, layer=layer)
            self._bases[layer] = (units, _columns(rotation, units).to(self.device))
        return self._bases[layer]

    @cached_property
    def _members(self) -> NDArray[np.bool_]:
        return self.experts.members()

    @cached_property
    def _values(self) -> Tensor:
        return torch.as_tensor(self.source.values, dtype=torch.float32, device=self.device)


def _rows(values: Tensor, own: slice, concept: NDArray[np.intp], cases: Cases) -> Tensor:
    """``(case, neuron)``: values of the sentence that goes with a case's frame."""
    return values[..., own][concept, cases.lang_a, cases.frame % values.shape[2]]


def _columns(rotation: Rotation, units: NDArray[np.intp]) -> Tensor:
    """Some columns of a rotation's matrix, made without the whole of it."""
    eye = torch.eye(rotation.width).split(_BLOCK)
    return torch.cat([rearrange(rotation(rows[None]), "1 n o -> n o")[:, units] for rows in eye])
