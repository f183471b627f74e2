"""Can a linear probe tell scripts apart by embedding rows? One class against the rest, balanced."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurotrace.geometry.nearest import refuse_not_finite

CHANCE = 0.5
TOLERANCE = 1e-5  # on the largest entry of the gradient, a row
NEWTON_STEPS, HALVINGS, ROUNDS = 40, 12, 200
ROWS = 8192  # squared at a time

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


def script_separability(
    W_E: ArrayLike,
    scripts: ArrayLike,
    *,
    min_tokens: int = 500,
    folds: int = 10,
    seed: int = 150,
    solver: Literal["fast", "sklearn"] = "fast",
) -> pd.Series:
    """How well does a linear probe tell each script from all others by embedding rows?

    Rows are scaled to length 1. For each class of at least ``min_tokens`` tokens, the larger of
    the class and the rest is under-sampled to the size of the smaller, and a logistic regression
    (L2, C = 1, intercept free) is scored by stratified cross-validation.

    Chance is one half, by balance. A row of zeros stays one.

    *Eats* token, feature → *leaves* script.

    Parameters
    ----------
    W_E
        ``(token, feature)`` embedding rows.
    scripts
        ``(token,)`` classes, of :func:`scripts_of` or any other; rows with an empty class are
        left out altogether.
    min_tokens
        Classes with fewer tokens are not probed; they stay among the rest of others.
    folds
        Parts of the cross-validation.
    seed
        Of under-sampling and folds.
    solver
        ``fast`` fits all folds of a class together by Newton's method in single precision, to the
        optimum; ``sklearn`` is the published estimator, which stops earlier.

    Returns
    -------
    Accuracies by script, in alphabetical order; ``attrs``: ``chance``, ``tokens`` and
    ``left_out`` (class → tokens), ``min_tokens``, ``folds``.

    Raises
    ------
    ValueError
        Arrays that do not fit, values that are not finite, or no class that can be probed.

    References
    ----------
    Wen-Yi and Mimno 2023, "Hyperpolyglot LLMs", with scikit-learn's LogisticRegression; there the
    sample is drawn by imbalanced-learn, here from our own stream, so that single figures differ by
    the draw.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scripts = np.repeat(["LATIN", "GREEK"], 60)
    >>> rows = rng.standard_normal((120, 8))
    >>> rows[:, 0] = np.where(scripts == "GREEK", 9, -9)
    >>> script_separability(rows, scripts, min_tokens=50).to_dict()
    {'GREEK': 1.0, 'LATIN': 1.0}
    """
    rows, classes = _checked(W_E, scripts)
    if solver not in ("fast", "sklearn"):
        raise ValueError(f"got solver={solver!r}; valid are fast, sklearn")
    if not 2 <= folds <= min_tokens:
        raise ValueError(f"got folds={folds}; expected 2 to min_tokens, {min_tokens}")
    names, counts = np.unique(classes, return_counts=True)
    enough = (counts >= min_tokens) & (len(classes) - counts >= folds)
    if not enough.any():
        had = ", ".join(f"{name} {n}" for name, n in zip(names, counts, strict=True))
        raise ValueError(
            f"got classes {had}; expected one of {min_tokens} tokens or more, "
            f"and {folds} tokens beside it"
        )
    found = {}
    for name in names[enough]:
        rng = np.random.default_rng([seed, 61])
        chosen, fold = _balanced(classes == name, folds, rng)
        score = _fast if solver == "fast" else _reference
        # Of a large vocabulary no more than the chosen rows, once, as they are needed.
        found[str(name)] = score(_unit_rows(rows[chosen]), classes[chosen] == name, fold)
    result = pd.Series(found, dtype=float, name="accuracy").rename_axis("script")
    tally = {str(name): int(n) for name, n in zip(names, counts, strict=True)}
    result.attrs = {
        "chance": CHANCE,
        "tokens": {name: tally[name] for name in found},
        "left_out": {name: n for name, n in tally.items() if name not in found},
        "min_tokens": min_tokens,
        "folds": folds,
    }
    return result


def largest_min_tokens(scripts: ArrayLike, *, among: tuple[int, ...] = (500, 100, 50, 20)) -> int:
    """The largest bound that leaves two classes or more; the smallest there is, if none does.

    >>> largest_min_tokens(["LATIN"] * 600 + ["GREEK"] * 120)
    100
    """
    classes = np.asarray(scripts)
    counts = np.unique(classes[classes != ""], return_counts=True)[1]
    fitting = (bound for bound in sorted(among, reverse=True) if (counts >= bound).sum() >= 2)
    return next(fitting, min(among))


def has_contrast(scripts: ArrayLike, *, folds: int = 10) -> bool:
    """Whether a class can be probed at all: one that is large enough, with tokens beside it.

    >>> has_contrast(["LATIN"] * 600 + ["P"] * 9), has_contrast(["LATIN"] * 600 + ["P"] * 10)
    (False, True)
    """
    classes = np.asarray(scripts)
    counts = np.unique(classes[classes != ""], return_counts=True)[1]
    enough = counts >= largest_min_tokens(classes)
    return bool((enough & (counts.sum() - counts >= folds)).any())


def _balanced(
    own: Bools, folds: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of a class and as many others, and the fold of each, even within both."""
    size = min(int(own.sum()), int((~own).sum()))
    sides = [rng.permutation(np.flatnonzero(side))[:size] for side in (own, ~own)]
    return np.concatenate(sides), np.tile(np.arange(size) % folds, 2)


def _reference(X: Floats, y: Bools, fold: NDArray[np.intp]) -> float:
    from sklearn.linear_model import LogisticRegression

    correct = 0
    for number in range(fold.max() + 1):
        out = fold == number
        fitted = LogisticRegression().fit(X[~out], y[~out])
        correct += (fitted.predict(X[out]) == y[out]).sum()
    return float(correct / len(y))


def _fast(X: Floats, y: Bools, fold: NDArray[np.intp]) -> float:
    """One problem a fold, solved together: each pass over the rows is a product of matrices."""
    # The intercept is free, so that a shift of all rows changes nothing but the conditioning.
    shifted = np.ones((len(X), X.shape[1] + 1), X.dtype)
    np.subtract(X, X.mean(0), out=shifted[:, :-1])
    del X
    train = fold[:, None] != np.arange(fold.max() + 1)
    scores = shifted @ _fit(shifted, np.where(y, 1, -1), train)
    return float(((scores[np.arange(len(y)), fold] > 0) == y).mean())


class _Problems(NamedTuple):
    """Ridge logistic regressions on the same rows, one for each set of training rows."""

    X: Floats
    """``(row, feature + 1)``, the last column ones"""
    signs: Floats
    """``(row, 1)``: 1 for the class, −1 for the rest"""
    train: Floats
    """``(row, problem)``: 1 where a row is trained on, else 0"""
    penalty: Floats
    """``(feature + 1, 1)``: 1, and 0 for the intercept"""

    def losses(self, w: Floats, z: Floats) -> NDArray[np.float64]:
        """½|w|² + Σ log(1 + exp(−sign z)) of each problem, with z = X w."""
        told = (self.train * np.logaddexp(0, -self.signs * z)).sum(0, dtype=np.float64)
        return told + (self.penalty * w**2).sum(0, dtype=np.float64) / 2


def _fit(X: Floats, sign: NDArray[np.integer], train: Bools) -> Floats:
    """Weights ``(feature + 1, problem)`` of least loss, by Newton's method."""
    penalty = np.ones((X.shape[1], 1), X.dtype)
    penalty[-1] = 0
    problems = _Problems(X, sign.astype(X.dtype)[:, None], train.astype(X.dtype), penalty)
    w = np.zeros((X.shape[1], train.shape[1]), X.dtype)
    z = X @ w
    first = 0.0
    for _ in range(NEWTON_STEPS):
        miss = problems.train / (1 + np.exp(problems.signs * z))
        gradient = penalty * w - X.T @ (problems.signs * miss)
        size = float(np.abs(gradient).max() / len(X))
        first = first or size
        if size <= TOLERANCE:
            break
        # Far from the optimum a rough direction will do.
        precision = max(min(0.1, np.sqrt(size / first)), 0.1 * TOLERANCE / size)
        step = _direction(problems, miss * (1 - miss), gradient, precision)
        if not _descend(problems, w, z, step):
            break  # what is left is rounding
    return w


def _direction(problems: _Problems, bend: Floats, gradient: Floats, precision: float) -> Floats:
    """Newton's direction by conjugate gradients, all problems at once."""
    X, _, train, penalty = problems
    scale = penalty + _squares(X, train) / 4
    step = np.zeros_like(gradient)
    residual = -gradient
    search = residual / scale
    energy = (residual * search).sum(0)
    goal = precision**2 * energy
    for _ in range(ROUNDS):
        image = penalty * search + X.T @ (bend * (X @ search))
        curvature = (search * image).sum(0)
        going = (energy > goal) & (curvature > 0)
        if not going.any():
            break
        along = np.divide(energy, curvature, out=np.zeros_like(energy), where=going)
        step += along * search
        residual -= along * image
        scaled = residual / scale
        after = (residual * scaled).sum(0)
        search = scaled + np.divide(after, energy, out=np.zeros_like(after), where=going) * search
        energy = after
    return step


def _squares(X: Floats, train: Floats) -> Floats:
    """``(feature + 1, problem)`` sums of squares, without a second copy of the rows."""
    parts = range(0, len(X), ROWS)
    total = [np.square(X[at : at + ROWS]).T @ train[at : at + ROWS] for at in parts]
    return np.sum(total, axis=0)


def _descend(problems: _Problems, w: Floats, z: Floats, step: Floats) -> bool:
    """Go along the step, halved where that raises a problem's loss; False where none moves."""
    moved = problems.X @ step
    before, length = problems.losses(w, z), np.ones(w.shape[1], w.dtype)
    for _ in range(HALVINGS):
        worse = problems.losses(w + length * step, z + length * moved) > before
        if not worse.any():
            break
        length[worse] /= 2
    else:
        length[worse] = 0
    w += length * step
    z += length * moved
    return bool(length.any())


def _unit_rows(rows: Floats) -> Floats:
    """Rows of length 1 in single precision; zeros stay zeros."""
    length = np.linalg.norm(rows.astype(np.float32, copy=False), axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros(rows.shape, np.float32), where=length > 0)


def _checked(W_E: ArrayLike, scripts: ArrayLike) -> tuple[Floats, NDArray[np.str_]]:
    rows, classes = np.asarray(W_E), np.asarray(scripts).astype(np.str_)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiub":
        raise ValueError(f"got W_E of shape {rows.shape}; expected numbers (token, feature)")
    if classes.shape != rows.shape[:1]:
        raise ValueError(f"got {classes.size} scripts for {len(rows)} tokens; expected one each")
    kept = classes != ""
    rows, classes = (rows, classes) if kept.all() else (rows[kept], classes[kept])
    refuse_not_finite("W_E", rows, numbers=np.flatnonzero(kept))
    return rows, classes
