"""Invented tuning on one language, in the form the experiment gives it."""

import json

import numpy as np
import xarray as xr

ARMS = {"base": 0.0, "free": 1.0, "frozen_early": 0.25, "frozen_late": 0.9, "frozen_phi": 0.3,
        "frozen_random": 0.6, "frozen_random_0": 0.5, "frozen_random_1": 0.7}  # fmt: skip


def tuning(langs: tuple[str, ...], *, n_layers: int, runs: int = 3) -> xr.Dataset:
    """``ARMS`` says how much of the alignment an arm breaks; the source language gains by it."""
    rng = np.random.default_rng(5)
    broken = np.array(list(ARMS.values()))
    depth = np.linspace(1, 0.4, n_layers)
    loss = broken[None, :, None] * depth + 0.02 * rng.standard_normal((runs, len(ARMS), n_layers))
    by_lang = np.ones(len(langs))
    ilo = (0.04 - 0.3 * loss)[..., None] * by_lang
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
        "mexa": (per_layer, 0.5 - 0.4 * loss),
        "retrieval": (per_layer, 0.6 - 0.4 * loss),
        "loss": (per_lang, nats[None] + jitter),
        "zero_shot": (per_lang, zero_shot[None] + jitter),
        "probe": (per_lang, 0.9 * accuracy[None] + jitter),
        "value": (per_lang, zero_shot[None] + jitter),
    }
    found |= {"mexa_chance": 1 / 1993, "retrieval_chance": 1 / 997, "phi_chance": 1.0}
    majority = (("run", "lang"), np.full((runs, len(langs)), 0.5))
    found |= {"zero_shot_chance": majority, "chance": majority, "loss_chance": float(np.log(948))}
    names = {"run": range(runs), "arm": list(ARMS), "layer": range(n_layers), "lang": list(langs)}
    half = list(range(max(n_layers // 3, 1)))
    freeze = {arm: [] if arm in ("base", "free") else ["embed", *half] for arm in ARMS}
    return xr.Dataset(found, names,
                      {"source": langs[0], "steps": 100, "freeze": json.dumps(freeze)})  # fmt: skip
