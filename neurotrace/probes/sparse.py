"""A probe that reads k neurons, as a scikit-learn classifier.

The neurons are chosen inside `fit`, on the sentences it is given, so that cross-validation of the
classifier is cross-validation of the choice, too, and nothing of a held-out sentence leaks in.
"""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from neurotrace.probes.batched import fit_logistic
from neurotrace.probes.inputs import not_finite, plain_array
from neurotrace.probes.selection import RankingName, check_ranking, select_neurons
from neurotrace.probes.softmax import fit_softmax

Floats = NDArray[np.float64]


class SparseProbe(ClassifierMixin, BaseEstimator):
    """How well do the k best neurons tell the classes, read together?

    Ranks the neurons on the training sentences, standardises the k best, and fits a logistic
    regression with an L2 penalty of strength 1 / C and balanced class weights: a concept that one
    sentence in twelve has is worth as much as its absence. Several classes share one support, for
    which each neuron counts by its best score of one class against the rest, and a multinomial
    regression. The optimum is that of scikit-learn's `LogisticRegression` on the same columns.

    Parameters
    ----------
    k
        Neurons to read. Above the number there is, all are read, with a warning.
    ranking
        ``mean_difference``, ``f_statistic``, ``mutual_information``, ``average_precision``,
        ``l1``, ``adaptive`` or ``random``: see `select_neurons`.
    C
        Inverse strength of the penalty on the coefficients of standardised neurons.
    random_state
        Of the ranking ``random``; nothing else is drawn.

    Attributes
    ----------
    support_ : (k,) column indices, best first
    coef_ : (1, k), or (class, k) for more than two classes, in the order of `support_`
        In units of X: standardisation is folded in.
    intercept_ : (1,) or (class,)
    classes_ : (class,) sorted
    n_features_in_ : neurons seen in `fit`

    References
    ----------
    Gurnee et al. 2023, "Finding neurons in a haystack", arXiv:2305.01610. Their activations were
    quantised to 255 levels before; here they are taken as they come.

    Examples
    --------
    >>> X = np.array([[0.0, 5.0, 1.0], [0.1, 5.0, 0.0], [0.9, 5.0, 1.0], [1.0, 5.0, 0.0]])
    >>> probe = SparseProbe(k=1).fit(X, ["other", "other", "sport", "sport"])
    >>> probe.support_, probe.predict(X).tolist()
    (array([0]), ['other', 'other', 'sport', 'sport'])
    """

    def __init__(
        self,
        k: int = 16,
        *,
        ranking: RankingName = "mean_difference",
        C: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.k = k
        self.ranking = ranking
        self.C = C
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Choose the neurons and fit the probe.

        Parameters
        ----------
        X : (example, neuron)
            Finite and dense; never modified.
        y : (example,)
            Class of each example, of any type that sorts.

        Raises
        ------
        ValueError
            NaN or infinity (named by neuron), one class only, X and y of different length, k < 1,
            C not above 0, or an unknown ranking.
        TypeError
            A sparse matrix.
        """
        self._check_parameters()
        X = self._checked(X, reset=True)
        self.classes_, codes = self._classes(y, len(X))
        seed = 0
        if self.ranking == "random":
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        n_classes = len(self.classes_)
        states = codes == 1 if n_classes == 2 else codes[:, None] == np.arange(n_classes)
        self.support_ = select_neurons(
            X, states, k=self._size(X.shape[1]), ranking=self.ranking, seed=seed, together=True
        )
        chosen = X[:, self.support_].astype(np.float64)
        fit = _binary if n_classes == 2 else _multinomial
        self.coef_, self.intercept_ = fit(chosen, codes, self.C)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Log-odds of the second class (example,), or scores (example, class) of more classes.

        Parameters
        ----------
        X : (example, neuron)
        """
        check_is_fitted(self)
        chosen = self._checked(X, reset=False)[:, self.support_].astype(np.float64)
        scores = chosen @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each example: (example,).

        Parameters
        ----------
        X : (example, neuron)
        """
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)
        return self.classes_[best]

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities (example, class); balanced weights make them those of even classes.

        Parameters
        ----------
        X : (example, neuron)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return np.asarray(softmax(scores, axis=1))

    def get_support(self, indices: bool = False) -> NDArray[Any]:  # as scikit-learn's selectors
        """The neurons that are read: a mask (neuron,), or their indices in rising order.

        Parameters
        ----------
        indices
            Indices instead of a mask; `support_` has them best first.
        """
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, bool)
        mask[self.support_] = True
        return np.flatnonzero(mask) if indices else mask

    def _check_parameters(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int | np.integer) or self.k < 1:
            raise ValueError(f"got k={self.k!r}, expected a whole number of neurons, at least 1")
        check_ranking(self.ranking)
        if not 0 < self.C < np.inf:
            raise ValueError(f"got C={self.C!r}, expected a finite number above 0")

    def _checked(self, X: Any, *, reset: bool) -> NDArray[Any]:
        """X as scikit-learn checks it; what is not finite is told by its neuron."""
        X = plain_array(X) if hasattr(X, "detach") else X
        X = validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32, np.float16],
            ensure_all_finite=False,
        )  # fmt: skip
        finite = np.isfinite(X).all(0)
        if not finite.all():
            raise not_finite(int(finite.argmin()))
        return X

    def _classes(self, y: Any, n: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
        if y is None:
            raise ValueError("got y=None; requires y to be passed, but the target y is None")
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        if len(y) != n:
            raise ValueError(f"got X of {n} examples and y of {len(y)}, expected as many")
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"got one class, {classes[0]!r}; expected labels of at least two")
        return classes, codes

    def _size(self, n_neurons: int) -> int:
        if self.k > n_neurons:
            warnings.warn(
                f"got k={self.k} for {n_neurons} neurons; all of them are read", stacklevel=3
            )
        return min(int(self.k), n_neurons)


def _binary(X: Floats, codes: NDArray[np.intp], C: float) -> tuple[Floats, Floats]:
    mean, scale = X.mean(0), X.std(0)
    scale[scale <= 1e-12 * np.abs(mean)] = 1
    probe = fit_logistic((X - mean) / scale, codes == 1, C=C, balanced=True)
    coef = probe.coef / scale
    return coef[None], np.atleast_1d(probe.intercept - coef @ mean)


def _multinomial(X: Floats, codes: NDArray[np.intp], C: float) -> tuple[Floats, Floats]:
    counts = np.bincount(codes)
    weight = len(codes) / (len(counts) * counts)
    probes = fit_softmax(X, codes, weight[codes][None], C=C, tolerance=1e-8)
    return probes.coef[0], probes.intercept[0]
