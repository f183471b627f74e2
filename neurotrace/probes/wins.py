"""Which neurons answer to a language, or to a script, and to no other?

Sentences are compared with their own translations: what a neuron prefers is then the language,
not what is said. Almost every neuron of any model prefers one language a little, since languages
share few words; so the null is not "no preference" but "less than `least`", and its p-value needs
no model of the responses.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurotrace.probes.ranking import check_responses, rankings

LEAST = 0.9  # of the comparisons that a neuron must win to be called a language's own


class LanguageSet(NamedTuple):
    """Languages that a neuron might answer to together.

    Attributes
    ----------
    name : a code (`deu_Latn`), a language in several scripts (`hin`), or a script (`Cyrl`)
    kind : "language" or "script"
    members : indices of the languages
    """

    name: str
    kind: Literal["language", "script"]
    members: tuple[int, ...]


def language_wins(
    X: ArrayLike, lang: ArrayLike, *, groups: ArrayLike | None = None
) -> NDArray[np.float64]:
    """How often does each neuron answer more to one language than to another?

    wins[a, b] = mean over groups of [x(a) > x(b)] + [x(a) = x(b)] / 2

    Eats `example`, leaves `lang_a`, `lang_b` and `neuron`.

    Parameters
    ----------
    X : (example, neuron)
        Responses, finite.
    lang : (example,)
        Languages; the axes of the result follow their sorted names.
    groups : (example,)
        The id that translations share; each must stand once in every language. None compares
        every sentence of a language with every one of the other, which is AUROC.

    Returns
    -------
    (lang, lang, neuron) fractions, ½ on the diagonal; wins[b, a] = 1 - wins[a, b]

    Raises
    ------
    ValueError
        Arrays of different length, values that are not finite, fewer than two languages, or
        groups that are not whole.

    Examples
    --------
    >>> X = [[1.0], [0.0], [2.0], [0.0], [0.0], [0.0]]
    >>> language_wins(X, list("ababab"), groups=[1, 1, 2, 2, 3, 3])[0, 1].round(3)
    array([0.833])
    """
    X = check_responses(X)
    names, code = np.unique(np.asarray(lang), return_inverse=True)
    if len(code) != len(X) or len(names) < 2:
        raise ValueError(
            f"got {len(code)} sentences in {len(names)} language(s) for X of shape {X.shape}, "
            "expected one language a row, at least two in all"
        )
    wins = np.full((len(names), len(names), X.shape[1]), 0.5)
    rows = [np.flatnonzero(code == number) for number in range(len(names))]
    if groups is not None:
        rows = _aligned(rows, np.asarray(groups), names)
        for at in np.flatnonzero(~np.isfinite(X).all(0))[:1]:
            raise ValueError(f"got NaN or infinity in neuron (column) {at}, expected finite")
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            wins[a, b] = (_paired if groups is not None else _unpaired)(X[rows[a]], X[rows[b]])
            wins[b, a] = 1 - wins[a, b]
    return wins


def wins_p_value(wins: ArrayLike, n: int, *, least: float = LEAST) -> NDArray[np.float64]:
    """Bound on the probability of so many wins where at most `least` are expected.

    p = exp(-n (w ln(w / least) + (1 - w) ln((1 - w) / (1 - least)))) for w > least, else 1

    Valid for any responses and any n, since a comparison is bounded and groups are independent;
    translations within a group may depend as they like. All n won gives least ** n, which no
    test of this null can beat.

    Parameters
    ----------
    wins : (…) fractions
    n
        Groups compared; without groups, sentences of the rarer language.
    least
        Wins that the null allows, a fraction in [½, 1).

    Raises
    ------
    ValueError
        Fractions or a `least` outside their range, or n below 1.

    References
    ----------
    Hoeffding 1963, doi:10.1080/01621459.1963.10500830, theorem 1 and, without groups, section 5.

    Examples
    --------
    >>> wins_p_value([1.0, 0.97, 0.9], 100).round(6)
    array([2.70e-05, 2.59e-02, 1.00e+00])
    """
    w = np.asarray(wins, float)
    if not 0.5 <= least < 1 or n < 1 or not ((w >= 0) & (w <= 1)).all():
        raise ValueError(
            f"got least={least}, n={n} and wins from {w.min()} to {w.max()}, expected least in "
            "[0.5, 1), n of at least 1 and fractions"
        )
    from scipy.special import rel_entr

    divergence = rel_entr(w, least) + rel_entr(1 - w, 1 - least)
    return np.where(w > least, np.exp(-n * divergence), 1.0)


def language_sets(languages: Sequence[str]) -> list[LanguageSet]:
    """The sets of languages worth asking about: each language, and each script that is more.

    A script with one language alone is that language as far as anyone can tell, so it is no set.
    Romanised twins undo this: of `hin_Deva` and `hin_Latn` each is its script, both together are
    the language.

    Parameters
    ----------
    languages
        Codes such as `eng_Latn`. Without an underscore the script is unknown.

    Examples
    --------
    >>> [s.name for s in language_sets(["deu_Latn", "fra_Latn", "rus_Cyrl"])]
    ['deu_Latn', 'fra_Latn', 'rus_Cyrl', 'Latn']
    >>> [(s.name, s.kind) for s in language_sets(["hin_Deva", "hin_Latn"])]
    [('Deva', 'script'), ('Latn', 'script')]
    """
    parts = [code.partition("_") for code in languages]
    found: dict[tuple[int, ...], LanguageSet] = {}

    def offer(name: str, kind: Literal["language", "script"], keep: list[bool]) -> None:
        members = tuple(int(i) for i in np.flatnonzero(keep))
        if len(members) < len(parts):
            found.setdefault(members, LanguageSet(name, kind, members))

    for code, (own, _, _) in zip(languages, parts, strict=True):
        same = [part[0] == own for part in parts]
        offer(code if sum(same) == 1 else own, "language", same)
    for script in dict.fromkeys(part[2] for part in parts if part[2]):
        offer(script, "script", [part[2] == script for part in parts])
    for code in languages:  # one of several scripts of a language
        offer(code, "language", [other == code for other in languages])
    return list(found.values())


def set_wins(wins: ArrayLike, sets: Sequence[LanguageSet]) -> NDArray[np.float64]:
    """The fewest wins of any member of a set over any language outside it.

    Answering to all of a set and to none of the others is a claim about each such pair, so the
    weakest of them decides, and its p-value is that of the claim.

    Eats `lang_a` and `lang_b`.

    Parameters
    ----------
    wins : (lang, lang, neuron), from `language_wins`

    Returns
    -------
    (set, neuron) fractions
    """
    table = np.asarray(wins)
    weakest = []
    for one in sets:
        others = [k for k in range(len(table)) if k not in one.members]
        weakest.append(table[np.ix_(one.members, others)].min((0, 1)))
    return np.stack(weakest) if weakest else np.empty((0, table.shape[-1]))


def _aligned(rows: list[NDArray[np.intp]], groups: NDArray, names: NDArray) -> list[NDArray]:
    """Rows of each language in one order of the groups."""
    aligned = [own[np.argsort(groups[own], kind="stable")] for own in rows]
    first = groups[aligned[0]]
    whole = len(np.unique(first)) == len(first)
    for name, own in zip(names, aligned, strict=True):
        if not whole or not np.array_equal(groups[own], first):
            raise ValueError(
                f"got groups that do not stand once in each of {names[0]} and {name}, expected "
                "whole groups; without groups= sentences are compared across groups"
            )
    return aligned


def _paired(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return (a > b).mean(0) + (a == b).mean(0) / 2


def _unpaired(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    in_a = np.arange(len(a) + len(b)) < len(a)
    return np.concatenate([part.auroc(in_a) for _, part in rankings(np.concatenate([a, b]))])
