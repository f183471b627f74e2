"""Labels of sentences, checked once and laid out for the walks of a Ranking."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.inputs import plain_array


class Pattern(NamedTuple):
    """Concepts that leave out the same sentences, so that one walk serves them all."""

    members: NDArray[np.intp]  # (concept of the pattern,)
    left_out: NDArray[np.bool_]  # (example,)
    starts: NDArray[np.uint32]  # (example + 1,)
    concepts: NDArray[np.uint32]  # concepts of sentence i: concepts[starts[i]:starts[i + 1]]


@dataclass(frozen=True, eq=False)
class Labels:
    """Which sentences are positive, negative or unknown for which concept.

    Attributes
    ----------
    positive : (example, concept) bool
    unknown : (example, concept) bool, or None where every label is known
    single : whether one label vector was given, so that results drop the concept axis
    """

    positive: NDArray[np.bool_]
    unknown: NDArray[np.bool_] | None
    single: bool

    @classmethod
    def of(cls, labels: ArrayLike, n_examples: int) -> "Labels":
        """Check labels: bool, or 1 positive, 0 negative, -1 unknown; (example[, concept]).

        Raises
        ------
        ValueError
            Labels of another shape, dtype or value.
        """
        y = plain_array(labels)
        if y.ndim not in (1, 2) or len(y) != n_examples or 0 in y.shape:
            raise ValueError(
                f"got labels of shape {y.shape}, "
                f"expected ({n_examples},) or ({n_examples}, concept)"
            )
        if y.dtype.kind not in "fiub":
            raise ValueError(f"got labels of dtype {y.dtype}, expected bool or numbers 1, 0, -1")
        table = y.reshape(n_examples, -1)
        positive = table if y.dtype == bool else table == 1
        unknown = None
        if y.dtype != bool and not (table[~positive] == 0).all():
            unknown = table == -1
            if not (positive | unknown | (table == 0)).all():
                raise ValueError(
                    f"got labels {np.unique(y)[:5].tolist()}, "
                    "expected bool, or 1 positive, 0 negative, -1 unknown"
                )
        return cls(positive, unknown, y.ndim == 1)

    @property
    def n_concepts(self) -> int:
        return self.positive.shape[1]

    def shaped(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(concept, neuron) scores, without the concept axis where one vector was given."""
        return scores[0] if self.single else scores

    @cached_property
    def patterns(self) -> list[Pattern]:
        if self.unknown is None:
            nobody = np.zeros(len(self.positive), bool)
            return [Pattern(np.arange(self.n_concepts), nobody, *_by_sentence(self.positive))]
        # Who is left out changes every rank, so each set of left-out sentences needs its walk.
        left_out, which = np.unique(self.unknown, axis=1, return_inverse=True)
        patterns = []
        for number, rows in enumerate(left_out.T):
            members = np.flatnonzero(which.ravel() == number)
            patterns.append(Pattern(members, rows, *_by_sentence(self.positive[:, members])))
        return patterns

    def check_classes(self, in_a: NDArray[np.bool_] | None, *, negatives: bool) -> None:
        """Refuse concepts without a positive, or a needed negative, in any half of any split.

        Parameters
        ----------
        in_a : (split, example) bool, or None for all sentences at once.
        negatives : whether a concept needs a negative.
        """
        sides = {"the sentences": np.ones((1, len(self.positive)), bool)}
        if in_a is not None:
            sides = {"half A": in_a, "half B": ~in_a}
        for name, rows in sides.items():
            weight = rows.astype(np.float32)  # counts far below 2 ** 24 are exact
            positives = weight @ self.positive
            known = weight.sum(1, keepdims=True)
            known = known - (0 if self.unknown is None else weight @ self.unknown)
            _refuse_empty(positives == 0, f"no positive in {name}")
            # Labels of 1 and -1 alone are another convention, in which -1 means negative.
            one_sided = (known == positives) & (negatives | (known < weight.sum(1, keepdims=True)))
            _refuse_empty(one_sided, f"no negative (0; -1 is unknown) in {name}")


def _refuse_empty(lacking: NDArray[np.bool_], what: str) -> None:
    if lacking.any():
        split, concept = np.argwhere(lacking)[0]
        raise ValueError(
            f"got {what} for concept (column) {concept} in split {split}, expected at least one"
            if len(lacking) > 1
            else f"got {what} for concept (column) {concept}, expected at least one"
        )


def _by_sentence(positive: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    starts = np.zeros(len(positive) + 1, np.uint32)
    np.cumsum(positive.sum(1), out=starts[1:])
    return starts, np.nonzero(positive)[1].astype(np.uint32)
