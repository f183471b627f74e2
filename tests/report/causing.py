"""Invented interventions in the form their rooms give them: interchange, forcing, ablation."""

import numpy as np
import xarray as xr

ARMS = {"experts": 1.0, "random_matched": 0.0, "random": 0.0, "wrong_concept": 0.0,
        "source_only": 0.35, "rotated": 0.7, "direction": 1.05}  # fmt: skip
FORCED = {"unforced": 0.0, "experts": 1.0, "random_matched": 0.04, "direction": 1.2}
ABLATED = {"shared": 0.6, "language": 0.15, "random_shared": 0.03, "random_language": 0.02}
Results = dict[str, xr.Dataset]


def causing(
    coords: dict, langs: tuple[str, ...], *, n_concepts: int, sharing: float, loud: bool = False
) -> Results:
    """Effects that grow with ``sharing``; ``loud`` lets norm-matched random neurons act too."""
    steps = np.asarray(coords["step"], float)
    grown = 1 / (1 + np.exp(-3.5 * (np.log(np.maximum(steps, 0.5)) - np.log(150))))
    strength = min(2.6 * sharing, 0.9)
    some = sorted({round(at) for at in np.linspace(0, len(steps) - 1, min(6, len(steps)))})
    few = {key: (value if isinstance(value, tuple) else ("step", np.asarray(value)))
           for key, value in coords.items()}  # fmt: skip
    few = {key: ("step", np.asarray(values)[some]) for key, (_, values) in few.items()}
    concepts = [f"concept {i}" for i in range(n_concepts)]
    return {
        "interchange": interchange(coords, langs, grown, strength, loud=loud),
        "interchange_draws": draws(coords, grown, strength),
        "interchange_doses": doses(strength),
        "forcing": forcing(few, langs, grown[some], strength, loud=loud),
        "forcing_texts": forcing_texts(langs, int(steps[-1])),
        "ablation": ablation(few, langs, concepts, grown[some]),
    }


def interchange(
    coords: dict, langs: tuple[str, ...], grown: np.ndarray, strength: float, *, loud: bool
) -> xr.Dataset:
    shares = np.array([0.3 if loud and arm == "random_matched" else x for arm, x in ARMS.items()])
    within = 2.5 * grown[:, None] * np.where(shares > 0, np.maximum(shares, 0.3), 0)
    across = within * strength * np.minimum(shares, 1)
    dims, m = ("step", "arm"), len(langs)
    pairs = np.repeat(across[:, :1], m * m, 1).reshape(-1, m, m)
    ratio = strength * np.where(grown > 0.02, 1, np.nan)
    found = _spanned("across", across, 0.15, dims) | _spanned("within", within, 0.2, dims)
    found |= _spanned("ratio", ratio, 0.12, ("step",))
    found |= {"by_pair": (("step", "lang_a", "lang_b"), pairs), "chance": ("step", across[:, 1])}
    found["topics_positive"] = (dims, np.round(16 * np.clip(0.5 + across, 0, 1)))
    found |= _spanned("excess", across - across[:, 1:2], 0.2, dims)
    names = {"arm": list(ARMS), "lang_a": list(langs), "lang_b": list(langs)}
    return xr.Dataset(found, coords | names, {"seed": 0, "concepts": 16})


def draws(coords: dict, grown: np.ndarray, strength: float) -> xr.Dataset:
    value = np.repeat((strength * grown)[None], 20, 0)
    columns = {name: (("replicate", "step"), value) for name in ("ratio", "across")}
    return xr.Dataset(columns | {"chance": 0.0}, coords | {"replicate": range(20)})


def doses(strength: float) -> xr.Dataset:
    dose, arms = np.array([0.1, 0.3, 1.0]), ("experts", "random_matched", "direction")
    across = np.outer([strength, 0.01, 1.1 * strength], 3 * dose)
    found = _spanned("across", across, 0.1, ("arm", "dose"))
    return xr.Dataset(
        found | {"chance": ("dose", across[1])}, {"arm": list(arms), "dose": dose}, {"step": 1500}
    )


def forcing(
    coords: dict, langs: tuple[str, ...], grown: np.ndarray, strength: float, *, loud: bool
) -> xr.Dataset:
    gains = np.array([0.4 if loud and a == "random_matched" else x for a, x in FORCED.items()])
    n, dims = len(grown), ("step", "arm")
    odds = 2 * strength * grown[:, None] * gains
    odds[:, 0] = 0  # the unforced arm is what the others are held against
    share = 0.06 + 0.3 * strength * grown[:, None] * gains
    tongue = np.full((n, len(gains), len(langs)), 1 / len(langs))
    degenerate = np.full((n, len(gains)), 0.05)
    degenerate[0], tongue[0] = 0.9, np.nan
    found = _spanned("topic_log_odds", odds, 0.25, dims)
    found |= _spanned("source_log_odds", 0 * odds + 0.03, 0.2, dims)
    over = odds - odds[:, 2:3]
    found |= _spanned("topic_over_random", over, 0.3, dims)
    found |= _spanned("topic_other_over_random", 0.7 * over, 0.3, dims)
    found |= {
        "topic": (dims, share),
        "topic_own": (dims, 1.2 * share),
        "topic_other": (dims, 0.9 * share),
        "topic_wrong": (dims, 0 * share + 0.05),
        "language": ((*dims, "lang"), tongue),
        "perplexity": (dims, np.full((n, len(gains)), 40.0)),
        "distinct": (dims, np.full((n, len(gains)), 0.8)),
        "degenerate": (dims, degenerate),
        "chance": ("step", share[:, 0]),
    }
    names = {"arm": list(FORCED), "lang": list(langs)}
    attrs = {"language": langs[0], "concepts": "concept 0, concept 1", "seeds": 50}
    return xr.Dataset(found, coords | names, attrs)


def forcing_texts(langs: tuple[str, ...], step: int) -> xr.Dataset:
    rows = [(step, arm, "concept 0", f"mi ra {arm} do .", langs[0]) for arm in FORCED]
    names = ("step", "arm", "concept", "text", "lang")
    columns = {
        name: ("example", np.array([row[i] for row in rows])) for i, name in enumerate(names)
    }
    return xr.Dataset(columns).assign(chance=0.25)


def ablation(
    coords: dict, langs: tuple[str, ...], concepts: list[str], grown: np.ndarray
) -> xr.Dataset:
    value, m, c = grown[:, None] * np.array(list(ABLATED.values())), len(langs), len(concepts)
    found = _spanned("value", value, 0.03, ("step", "arm"))
    found |= _spanned("over_random", value - np.tile(value[:, 2:], 2), 0.04, ("step", "arm"))
    each = {"own": 0.3 * grown, "other": 0 * grown - 0.01, "own_chance": 0.02 * grown}
    for name, one in each.items():
        found |= _spanned(name, one, 0.01, ("step",))
    found |= _spanned("by_language", np.repeat(value[..., None], m, -1), 0.05,
                      ("step", "arm", "lang"))  # fmt: skip
    found |= {
        "by_concept": (("step", "arm", "concept"), np.repeat(value[..., None], c, -1)),
        "of_language": (("step", "lang_a", "lang_b"), grown[:, None, None] * np.eye(m)),
        "neurons": (("step", "arm"), np.full(value.shape, 80.0)),
        "chance": ("step", value[:, 2]),
    }
    names = {"arm": list(ABLATED), "lang": list(langs), "concept": concepts}
    names |= {"lang_a": list(langs), "lang_b": list(langs)}
    return xr.Dataset(found, coords | names)


def _spanned(name: str, value: np.ndarray, half: float, dims: tuple) -> dict:
    ends = (("", 0), ("_low", -1), ("_high", 1))
    return {name + end: (dims, value + side * half) for end, side in ends}
