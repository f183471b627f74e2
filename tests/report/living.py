"""Invented lives, cards and roles of layers, in the trajectories' form."""

import numpy as np
import xarray as xr

PATH = "mlp.hook_post/max"
TEXTS = {
    "Hebr": "הרכבת מאחרת היום בגלל השלג",
    "Arab": "القطار متأخر اليوم بسبب الثلج",
    "Jpan": "雪のため今日は列車が遅れています",
    "Hans": "由于下雪,今天火车晚点了",
    "Cyrl": "Сегодня поезд опаздывает из-за снега",
    "Grek": "Το τρένο αργεί σήμερα λόγω χιονιού",
}
LATIN = "The train is late today because of the snow"
Results = dict[str, xr.Dataset]


def living(
    coords: dict, langs: tuple[str, ...], *, n_layers: int, n_concepts: int, sharing: float
) -> Results:
    """Neurons that come to serve several languages, and what each layer does."""
    steps = np.asarray(coords["step"], float)
    grown = 1 / (1 + np.exp(-3.5 * (np.log(np.maximum(steps, 0.5)) - np.log(170))))
    names = [f"L{i % n_layers}.N{100 + 7 * i}" for i in range(5 if sharing > 0.1 else 0)]
    concepts = [f"concept {i % n_concepts}" for i in range(len(names))]
    found = {
        "lives": lives(coords, langs, grown, names, concepts),
        "lives_counts": counts(coords, grown, sharing=sharing),
        "roles": roles(coords, grown, n_layers=n_layers, n_langs=len(langs), sharing=sharing),
        "division": division(coords, grown),
        "claims": claims(steps, sharing=sharing),
    }
    return found | {"cards": cards(names, concepts, langs, steps)}


def lives(
    coords: dict, langs: tuple[str, ...], grown: np.ndarray, names: list[str], concepts: list[str]
) -> xr.Dataset:
    """Held-out AP of each neuron in each language, the languages joining one after another."""
    n, u, m = len(grown), len(names), len(langs)
    delay = 1 - 0.12 * np.arange(m)
    value = 0.07 + 0.85 * grown[:, None, None] * np.maximum(delay, 0.3) * np.ones((1, u, 1))
    serves = (value > 0.5).sum(-1)
    return xr.Dataset(
        {
            "value": (("step", "neuron", "lang"), value),
            "chance": (("neuron", "lang"), np.full((u, m), 0.066)),
            "null_high": (("neuron", "lang"), np.full((u, m), 0.16)),
            "learned": (("neuron", "lang"), np.full((u, m), 0.41)),
            "best_other": (("step", "neuron"), np.full((n, u), 0.2)),
            "serves": (("step", "neuron"), serves),
            "since": ("neuron", np.full(u, 256.0)),
            "coincidence": ("neuron", np.full(u, 0.04)),
        },
        coords
        | {"lang": list(langs), "name": ("neuron", np.array(names, dtype="U12"))}
        | {"of_concept": ("neuron", np.array(concepts, dtype="U12"))},
        {"path": PATH, "selected_at": int(coords["step"][-1]), "least_languages": 3,
         "how": "serves most languages at the last step"},
    )  # fmt: skip


def counts(coords: dict, grown: np.ndarray, *, sharing: float) -> xr.Dataset:
    null = 4 + 20 * grown
    return xr.Dataset(
        {
            "value": ("step", np.round(null + 600 * sharing * grown)),
            "neurons": ("step", np.round(0.9 * (null + 600 * sharing * grown))),
            "chance": ("step", null),
            "chance_low": ("step", 0.7 * null),
            "chance_high": ("step", 1.4 * null),
            "deranged": ("step", np.zeros(len(grown))),
        },
        coords,
        {"path": PATH, "least_languages": 3},
    )


def cards(
    names: list[str], concepts: list[str], langs: tuple[str, ...], steps: np.ndarray
) -> xr.Dataset:
    """Two sentences a language at three checkpoints for every neuron."""
    when = sorted({int(steps[0]), int(steps[len(steps) // 2]), int(steps[-1])})
    rows = [
        (name, concept, step, lang, rank, text_in(lang), 1.5 - 0.4 * rank, (1, 0, -1)[rank])
        for name, concept in zip(names, concepts, strict=True)
        for step in when
        for lang in langs
        for rank in range(3)
    ]
    columns = ("name", "of_concept", "step", "lang", "rank", "text", "activation", "positive")
    return xr.Dataset(
        {key: ("example", np.array([row[i] for row in rows])) for i, key in enumerate(columns)}
    )


def text_in(lang: str) -> str:
    return TEXTS.get(lang.rpartition("_")[2], LATIN)


def roles(
    coords: dict, grown: np.ndarray, *, n_layers: int, n_langs: int, sharing: float
) -> xr.Dataset:
    """Languages are told apart ever later, concepts ever more alike."""
    depth = np.arange(n_layers) / max(n_layers - 1, 1)
    up = grown[:, None]
    share = np.ones_like(up) / n_layers * (1 + 0.5 * up * (depth - depth.mean()))
    values = {
        "language_id": 0.75 + 0.2 * depth - 0.2 * up * (1 - depth),
        "within": 0.3 + 0.5 * up + 0.05 * depth,
        "across": 0.08 + sharing * up * (1.5 - 0.4 * depth),
        "experts": share,
        "language_neurons": 0.2 * (1 - up) * np.ones_like(depth) + 0.02,
    }
    chances = {"language_id": 1 / n_langs, "within": 0.066, "across": 0.066}
    chances |= {"experts": 1 / n_layers, "language_neurons": 0.0}
    columns = {name: (("step", "layer"), value) for name, value in values.items()}
    columns |= {f"{name}_chance": value for name, value in chances.items()}
    found = xr.Dataset(columns | {"chance": 0.066}, coords | {"layer": range(n_layers)})
    return found.assign_attrs(path=PATH)


def division(coords: dict, grown: np.ndarray) -> xr.Dataset:
    found = {}
    for at, name in enumerate(("language_id", "within", "across", "experts", "language_neurons")):
        spread = 0.01 + 0.02 * (at + 1) * grown
        for end, side in (("", 0), ("_low", -1), ("_high", 1)):
            found[name + end] = ("step", np.maximum(spread + side * 0.012, 0))
        found[f"{name}_chance"] = ("step", np.full(len(grown), 0.008))
    return xr.Dataset(found, coords)


def claims(steps: np.ndarray, *, sharing: float) -> xr.Dataset:
    """What the paper says of language identification, and the same across languages."""
    values = {"mean_change": -0.11, "spread_change": 0.05}
    values |= {"across_mean_change": sharing, "across_spread_change": 0.1 * sharing}
    ends = (("", 0.0), ("_low", -0.03), ("_high", 0.03))
    found = {name + end: value + add for name, value in values.items() for end, add in ends}
    attrs = {"first": int(steps[len(steps) // 2]), "last": int(steps[-1])}
    attrs |= {"series_first": int(steps[0])}
    return xr.Dataset(found | {"chance": 0.0}, attrs=attrs)
