"""Counting labels of neurons at a checkpoint: what is asked, judged and counted, once for all.

The counts of a checkpoint and the table of its surest neurons rest on one reading of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neurotrace import probes
from neurotrace.store import ActivationStore
from neurotrace.trajectories.evidence import Bars, Evidence, Questions
from neurotrace.trajectories.lifts import StepKey, step_keys
from neurotrace.trajectories.parts import digest_of, kept, twin_hash

CONTROLS = {"chance": "deranged", "pseudo": "pseudo"}
EVIDENCE = ("concept", "word", "undecided")
PAIRS = ("exactly_one", "at_least_two", "all")


class Judged(NamedTuple):
    """One checkpoint: its neurons as a row table, who tells which language, and shared pairs."""

    frame: pd.DataFrame
    told: probes.Told | None
    pairs: dict[str, float]


@dataclass(frozen=True)
class Counting:
    """How the neurons of a store are labelled and counted.

    Attributes
    ----------
    store, path, score, alpha, method, least, twin, texts, replicates, seed
        As :func:`neurotrace.trajectories.label_counts` takes them.
    """

    store: ActivationStore
    path: str
    score: str
    alpha: float
    method: probes.Method
    least: float
    twin: ActivationStore | None
    texts: list[str] | None
    replicates: int
    seed: int

    @property
    def settings(self) -> Mapping[str, object]:
        """All that decides the counts of a checkpoint."""
        names = ("path", "score", "alpha", "method", "least", "replicates", "seed")
        return {name: getattr(self, name) for name in names} | {
            "twin": twin_hash(self.twin),
            "texts": None if self.texts is None else digest_of(self.texts),
        }

    @cached_property
    def own(self) -> Questions:
        return self._questions(None)

    @cached_property
    def nulls(self) -> dict[str, Questions]:
        """The same questions about labels that mean nothing."""
        nulls = {
            name: self._questions(null)
            for name, null in CONTROLS.items()
            if null != "pseudo" or len(self.store.concepts) > 1
        }
        control = None if self.texts is None else self.own.arbitrary_words(self.texts)
        return nulls if control is None else nulls | {"words": control}

    @cached_property
    def bars(self) -> Bars | None:
        """What the twin's neurons reach, read only where a checkpoint is asked."""
        if self.twin is None:
            return None
        twin = self.twin
        settings = {"path": self.path, "score": self.score, "least": self.least, "seed": self.seed}

        def compute() -> xr.Dataset:
            ap, wins = self.own.bars(twin)
            dims = {"ap": ("lang", "concept", "layer"), "wins": ("set", "layer")}
            return xr.Dataset({"ap": (dims["ap"], ap), "wins": (dims["wins"], wins)})

        found = kept(twin, step_keys(twin)[0], compute, name="label_bars", settings=settings)
        return Bars(found["ap"].values, found["wins"].values)

    def judged(self, step: StepKey) -> Judged:
        """Read one checkpoint and say what every neuron of it is."""
        evidence = self.own.ask(step)
        served, told = calls(self.own, evidence, self.alpha, self.method)
        frame = _frame(self.own, evidence, self.bars, served, told)
        pairs = _pair_counts(
            self.own, evidence, self.alpha, self.method, replicates=self.replicates
        )
        return Judged(frame, told, pairs)

    def counts(self, step: StepKey, judged: Judged) -> xr.Dataset:
        """The counts of one checkpoint, and those of the nulls."""
        found = _kind_counts(judged.frame, self.twin is not None)
        n_languages = len(self.store.languages)
        found["tells"] = ("lang", _told_by_language(judged.told, n_languages))
        for name, questions in self.nulls.items():
            evidence = questions.ask(step, show=False)
            silent = calls(questions, evidence, self.alpha, self.method)
            kinds = probes.kinds_of(*silent)[0]
            found |= {f"{kind}_{name}": float((kinds == kind).sum()) for kind in probes.KINDS}
            if name == "chance":
                by_language = _told_by_language(silent[1], n_languages)
                found["tells_chance"] = ("lang", by_language)
        return xr.Dataset(found | judged.pairs)

    def _questions(self, null: str | None) -> Questions:
        return Questions.of(
            self.store, self.path, score=self.score, least=self.least, seed=self.seed, null=null
        )


def calls(
    questions: Questions, evidence: Evidence, alpha: float, method: probes.Method
) -> tuple[probes.Served, probes.Told | None]:
    """Concepts and languages of every neuron, called on half A and confirmed on half B."""
    served = probes.languages_served(*evidence.p, alpha=alpha, method=method)
    if not questions.sets:
        return served, None
    first, second = (
        probes.wins_p_value(wins, n, least=questions.least)
        for wins, n in zip(evidence.wins, questions.n_compared, strict=True)
    )
    called = probes.call_experts(first, alpha=alpha, method=method)
    confirmed = probes.call_experts(second, alpha=alpha, method=method, among=called.passes)
    return served, probes.Told(questions.sets, called, confirmed)


def _frame(
    questions: Questions,
    evidence: Evidence,
    bars: Bars | None,
    served: probes.Served,
    told: probes.Told | None,
) -> pd.DataFrame:
    """The row table, with the layer of every neuron."""
    store, widths = questions.halved.store, questions.halved.widths
    learned = (None, None) if bars is None else tuple(np.repeat(bar, widths, -1) for bar in bars)
    shown = probes.HeldOut(
        ap=np.asarray(evidence.ap),
        auroc=np.asarray(evidence.auroc),
        chance=questions.chance,
        wins=evidence.wins[1],
        without_word=evidence.without_word,
        twin_ap=learned[0],
        twin_wins=learned[1],
    )
    frame = probes.neuron_kinds(
        served, shown, told, languages=store.languages, concepts=store.concepts
    )
    frame["neuron"] = np.concatenate([np.arange(width) for width in widths])
    frame.insert(0, "layer", np.repeat(store.layers, widths))
    return frame


def _kind_counts(frame: pd.DataFrame, with_twin: bool) -> dict[str, Any]:
    """Neurons of each kind, those learned among them, and what concepts' neurons rest on."""
    counts: dict[str, Any] = {}
    for kind in probes.KINDS:
        own = frame[frame["kind"] == kind]
        learned = float(own["learned"].sum()) if with_twin else np.nan
        counts |= {kind: float(len(own)), f"{kind}_learned": learned}
        counts |= {f"{kind}_pseudo": np.nan, f"{kind}_words": np.nan}  # until they are counted
    return counts | {name: float((frame["evidence"] == name).sum()) for name in EVIDENCE}


def _told_by_language(told: probes.Told | None, n_languages: int) -> NDArray[np.float64]:
    """``(lang,)`` neurons that answer to this language alone."""
    counts = np.zeros(n_languages)
    if told is not None:
        for number, one in enumerate(told.sets):
            if len(one.members) == 1:
                counts[one.members[0]] += (told.widest == number).sum()
    return counts


def _pair_counts(
    questions: Questions,
    evidence: Evidence,
    alpha: float,
    method: probes.Method,
    *,
    replicates: int,
) -> dict[str, float]:
    """Pairs by number of languages, beside what each neuron's number of concepts allows.

    Here every language calls for itself, one family of languages × concepts × neurons: the null
    has languages choose independently, and would not fit calls of several languages at once.
    """
    called = probes.call_experts(evidence.p[0], alpha=alpha, method=method).passes
    passes = probes.call_experts(evidence.p[1], alpha=alpha, method=method, among=called).passes
    halved = questions.halved
    drawn = probes.degree_preserving(
        passes,
        np.repeat(np.arange(len(halved.widths)), halved.widths),
        replicates=replicates,
        seed=questions.seed,
    )
    found: dict[str, float] = {}
    for name, count, draws in zip(PAIRS, probes.shared_counts(passes), drawn, strict=True):
        # A single concept has nothing to trade with.
        null = draws if passes.shape[1] > 1 else np.full(1, np.nan)
        low, high = np.quantile(null, [alpha / 2, 1 - alpha / 2])
        found |= {name: float(count), f"{name}_chance": float(null.mean())}
        found |= {f"{name}_chance_low": float(low), f"{name}_chance_high": float(high)}
    return found
