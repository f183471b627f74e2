"""Invented tuning on one language, in the form the experiment gives it."""

import json

import numpy as np
import xarray as xr

ARMS = {"base": 0.0, "free": 1.0, "frozen_early": 0.25, "frozen_late": 0.9, "frozen_phi": 0.3,
        "frozen_random": 0.6, "frozen_random_0": 0.5, "frozen_random_1": 0.7}  # fmt: skip


def tuning(langs: tuple[str, ...], *, n_layers: int, runs: int = 3) -> xr.Dataset:
    """``ARMS`` says how much of the alignment an arm breaks; the source language gains by it.

    Layers were chosen on the second language, where that list, and it alone, breaks nothing.
    """
    rng = np.random.default_rng(5)
    broken = np.array(list(ARMS.values()))
    depth = np.linspace(1, 0.4, n_layers)
    loss = broken[None, :, None] * depth + 0.02 * rng.standard_normal((runs, len(ARMS), n_layers))
    by_lang = np.ones(len(langs))
    ilo = (0.04 - 0.3 * loss)[..., None] * by_lang
    met = 0.4 * loss[..., None] * by_lang
    met[..., 0] = np.nan
    met[:, list(ARMS).index("frozen_phi"), :, 1] = 0
    foreign = np.arange(len(langs)) > 0
    nats = 2.0 - 0.3 * broken[:, None] * ~foreign + 0.8 * broken[:, None] * foreign
    accuracy = 0.55 + 0.35 * (~foreign) * (broken[:, None] > 0) + 0.1 * (1 - broken[:, None])
    zero_shot = np.where(broken[:, None] > 0, accuracy, np.nan)
    per_layer, per_lang = ("run", "arm", "layer"), ("run", "arm", "lang")
    jitter = 0.01 * rng.standard_normal((runs, 1, 1))
    found = {
        "ilo": ((*per_layer, "lang"), 0.8 + ilo),
        "ilo_chance": ((*per_layer, "lang"), 0.8 + 0 * ilo),
        "ilo_corrected": ((*per_layer, "lang"), ilo),
        "phi": ((*per_layer, "lang"), np.abs(loss)[..., None] * by_lang * 0.8),
        "mexa": ((*per_layer, "lang"), 0.5 - met),
        "retrieval": ((*per_layer, "lang"), 0.6 - met),
        "loss": (per_lang, nats[None] + jitter),
        "zero_shot": (per_lang, zero_shot[None] + jitter),
        "probe": (per_lang, 0.9 * accuracy[None] + jitter),
        "value": (per_lang, zero_shot[None] + jitter),
    }
    for name, end in (("zero_shot_chance_low", 0.4), ("zero_shot_chance_high", 0.6)):
        found[name] = (per_lang, np.where(np.isnan(found["zero_shot"][1]), np.nan, end))
    found |= {"mexa_chance": 1 / 1993, "retrieval_chance": 1 / 997, "phi_chance": 1.0}
    aligned = np.full((runs, len(ARMS), n_layers, len(langs)), np.nan)
    aligned[:, :2, :, 1:] = 0.4 + 0.2 * (broken[:2, None, None] + depth[:, None])
    by_chance = 0 * aligned + 0.25 + 0.1 * broken[:, None, None]
    found |= {"task_align": ((*per_layer, "lang"), aligned)}
    found |= {"task_align_chance": ((*per_layer, "lang"), by_chance)}
    majority = (("run", "lang"), np.full((runs, len(langs)), 0.5))
    found |= {"zero_shot_chance": majority, "chance": majority, "loss_chance": float(np.log(948))}
    names = {"run": range(runs), "arm": list(ARMS), "layer": range(n_layers), "lang": list(langs)}
    size = max(n_layers // 3, 1)
    first = {"frozen_early": 0, "frozen_late": n_layers - size, "frozen_phi": 1,
             "frozen_random_0": 2, "frozen_random_1": n_layers - size}  # fmt: skip
    freeze = {arm: ["embed", *range(at, at + size)] for arm, at in first.items()} | {"free": []}
    told = {"source": langs[0], "chosen_on": langs[1], "steps": 100}
    return xr.Dataset(found, names, told | {"freeze": json.dumps(freeze)})


def pairs(langs: tuple[str, ...], *, n_layers: int) -> xr.Dataset:
    """Tuning on each language: what it moves more, the task reaches less, deep layers most."""
    rng = np.random.default_rng(6)
    m = len(langs)
    moved = 0.1 + 0.8 * rng.random((n_layers, m, m))
    reached = 0.9 - 0.4 * moved[-1]
    np.fill_diagonal(reached, 0.97)
    between = ("lang_a", "lang_b")
    found = {"value": (("layer", *between), moved), "chance": (("layer", *between), 0 * moved + 1)}
    found |= {"value_chance": 1.0, "zero_shot": (between, reached)}
    found |= {"zero_shot_chance": (between, np.full((m, m), 0.5))}
    names = {"layer": range(n_layers), "lang_a": list(langs), "lang_b": list(langs)}
    return xr.Dataset(found, names, {"steps": 100})


def transfer(n_layers: int, *, nodes: int = 12, last: float = -0.9, p: float = 0.004) -> xr.Dataset:
    """Correlations of 0.05 in every layer but the last, which has one as given."""
    r = np.append(np.full(n_layers - 1, 0.05), last)
    by_p = np.append(np.full(n_layers - 1, 0.9), p)
    found = {"value": r - 0.02, "crossed": r, "p": by_p / 4, "p_holm": by_p, "crossed_p": by_p / 3}
    found |= {"detectable": 0 * r + 0.5, "crossed_detectable": 0 * r + 0.6}
    values = {name: ("layer", own) for name, own in found.items()}
    values |= {"transfer": ("distance", [0.33]), "transfer_p": ("distance", [0.2])}
    values |= {"transfer_detectable": ("distance", [0.44]), "chance": 0.0}
    names = {"layer": range(n_layers), "distance": ["genetic"]}
    return xr.Dataset(values, names, {"nodes": nodes})


def moved_by_distance(n_layers: int, *, p: float) -> xr.Dataset:
    """Change by tuning against one distance, in every layer alike."""
    flat = np.full((n_layers, 1), 1.0)
    found = {"value": 0.7 * flat, "p": p * flat / 2, "p_holm": p * flat, "detectable": 0.58 * flat}
    names = {"layer": range(n_layers), "distance": ["genetic"]}
    values = {name: (("layer", "distance"), own) for name, own in found.items()}
    return xr.Dataset(values | {"chance": 0.0}, names, {"nodes": 12})
