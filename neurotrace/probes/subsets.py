"""Scores from means and variances within many subsets of the same sentences.

Cross-validation scores the same neurons on one training set after the other. What does not depend
on the set (copies, centres, squares) is done once here; a set then costs two thin products.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDING = 1e-12  # share of a sum of squares below which a spread is rounding


class Subsets(NamedTuple):
    """Responses prepared for scores within subsets of their sentences.

    Attributes
    ----------
    moved : (example, neuron), about the mean of all sentences
    squares : (example, neuron) of `moved`
    """

    moved: Floats
    squares: Floats

    @classmethod
    def of(cls, X: NDArray[Any]) -> Self:
        """Prepare finite responses.

        Parameters
        ----------
        X : (example, neuron)
        """
        moved = X.astype(np.float64)
        moved -= moved.mean(0)
        return cls(moved, np.square(moved))

    def scores(self, states: NDArray[np.int8], *, ranking: str) -> Floats:
        """|mean difference|, or the share of variance between the classes, of each neuron.

        share = between / total = F / (F + n - 2): it ranks as the F statistic does, and stays
        finite where the classes are perfectly apart.

        Parameters
        ----------
        states : (example, concept)
            1 positive, 0 negative, -1 unknown or outside the subset.
        ranking
            ``mean_difference`` or ``f_statistic``.

        Returns
        -------
        (concept, neuron); a neuron that is constant in the subset has share 0
        """
        positive, known = (states == 1).T.astype(np.float64), (states >= 0).T.astype(np.float64)
        if (known == known[0]).all():  # the usual case: one set for all concepts
            known = known[:1]
        n_pos, n = positive.sum(1)[:, None], known.sum(1)[:, None]
        sums = np.concatenate([positive, known]) @ self.moved
        above, every = sums[: len(positive)], sums[len(positive) :]
        difference = above / n_pos - (every - above) / (n - n_pos)
        if ranking == "mean_difference":
            return np.abs(difference)
        square = known @ self.squares
        total = square - every**2 / n
        between = difference**2 * (n_pos * (n - n_pos) / n)
        flat = total <= ROUNDING * square
        return np.where(flat, 0.0, between / np.where(flat, 1.0, total))
