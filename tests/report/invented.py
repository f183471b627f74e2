"""Invented results in the form the trajectories give them: no store, no model, no statistics."""

import numpy as np
import xarray as xr
from report.causing import causing
from report.differing import differing
from report.labelled import labelled_neurons, labels
from report.living import living
from report.moving import moving
from report.spacing import spacing
from report.tuned import moved_by_distance, pairs, transfer, tuning

STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500)
LANGS = ("ada_Latn", "bel_Cyrl", "cyr_Grek", "dov_Hebr")
NEURONS = 1024
PATH = "mlp.hook_post/max"
Results = dict[str, xr.Dataset]


def invented(
    *,
    sharing: float = 0.3,
    basis: float = 0.09,
    steps: tuple[int, ...] = STEPS,
    langs: tuple[str, ...] = LANGS,
    n_layers: int = 4,
    n_concepts: int = 6,
    tokens: bool = True,
) -> Results:
    """Results of a whole run; ``sharing`` is the corrected overlap at the end."""
    rng = np.random.default_rng(0)
    steps_ = np.array(steps)
    grown = 1 / (1 + np.exp(-3.5 * (np.log(np.maximum(steps_, 0.5)) - np.log(170))))
    coords: dict = {"step": steps_, "stage": ("step", np.zeros(len(steps_), int))}
    if tokens:
        coords["tokens"] = ("step", steps_ * 1024.0)
    one = {"step": [0]}

    def noise(*shape: int, size: float = 0.003) -> np.ndarray:
        return size * rng.standard_normal(shape)

    def summary(strength: float, k: int, at: dict, curve: np.ndarray) -> xr.Dataset:
        n, chance = len(curve), k / NEURONS
        rel = 0.55 + 0.3 * curve
        corrected = strength * curve + noise(n)
        value = chance + corrected * (rel - chance)
        wrong = chance * (1 - 0.3 * curve * (strength > 0.1)) + noise(n, size=0.0008)
        columns = {
            "value": value,
            "stratified": chance + 0.001 + noise(n, size=0.0003),
            "wrong_concept": wrong,
            "rel": rel,
            "ceiling": rel + noise(n, size=0.002),
            "corrected": corrected,
        }
        columns["excess"] = value - np.maximum(columns["wrong_concept"], columns["stratified"])
        half = 0.006 + 0.12 * np.abs(corrected)
        ends = (("", 0), ("_low", -1), ("_high", 1))
        result = {
            name + end: ("step", column + side * half)
            for name, column in columns.items()
            for end, side in ends
        }
        pairs = len(langs) * (len(langs) - 1) // 2
        data = xr.Dataset(result | {"valid_pairs": ("step", np.full(n, pairs)), "pairs": pairs})
        data = data.assign(chance=chance).assign_coords(at)
        return data.assign_attrs(path=PATH, n_splits=20, score="average_precision", alpha=0.05)

    ks = [10, 51, 256]
    full = xr.concat([summary(sharing, k, coords, grown) for k in ks], dim="k").assign_coords(k=ks)
    result: Results = {"summary": full.assign_attrs(main_k=51)}
    result["summary_rotated"] = summary(max(sharing - basis, 0), 51, coords, grown)
    result["summary_twin"] = summary(0, 51, one, np.zeros(1))
    result["summary_deranged"] = summary(0, 51, coords, grown)
    result["summary_pseudo"] = summary(0.01, 51, coords, grown)
    per_layer = [summary(sharing * (1 - 0.12 * i), 13, coords, grown) for i in range(n_layers)]
    stacked = xr.concat(per_layer, dim="layer")
    result["summary_layers"] = stacked.assign_coords(layer=range(n_layers))
    gap = min(basis, sharing) * grown
    ends = (("", 0), ("_low", -0.02), ("_high", 0.02))
    bounds = {f"value{end}": ("step", gap + shift) for end, shift in ends}
    result["basis"] = xr.Dataset(bounds | {"chance": 0.0}, coords)
    result |= _experts(rng, coords, one, grown, langs=langs, n_concepts=n_concepts, sharing=sharing)
    result |= _layers(rng, coords, one, grown, langs=langs, n_layers=n_layers, sharing=sharing)
    result["top_neurons"] = _table(rng, langs, n_concepts, n_layers, int(steps_[-1]))
    result["labels"] = labels(coords, langs, n_concepts, sharing=sharing)
    result["labelled_neurons"] = labelled_neurons(langs, step=int(steps_[-1]))
    result["confounds"] = differing(langs, n_concepts, overlap=sharing, step=int(steps_[-1]))
    result |= moving(coords, langs, n_layers=n_layers, sharing=sharing)
    result |= living(coords, langs, n_layers=n_layers, n_concepts=n_concepts, sharing=sharing)
    result |= spacing(coords, langs, n_layers=n_layers, sharing=sharing)
    result["tuning"] = tuning(langs, n_layers=n_layers)
    result["tuning_pairs"] = pairs(langs, n_layers=n_layers)
    result["transfer"] = transfer(n_layers, nodes=len(langs), last=-0.3, p=0.8)
    result["tuning_distances"] = moved_by_distance(n_layers, p=0.8)
    return result | causing(coords, langs, n_concepts=n_concepts, sharing=sharing)


def _experts(
    rng: np.random.Generator,
    coords: dict,
    one: dict,
    grown: np.ndarray,
    *,
    langs: tuple[str, ...],
    n_concepts: int,
    sharing: float,
) -> Results:
    n, m = len(grown), len(langs)
    concepts = [f"concept {i}" for i in range(n_concepts)]
    names = {"concept": concepts, "lang_a": list(langs), "lang_b": list(langs)}
    dims = ("step", "concept", "lang_a", "lang_b")

    def quality(at: dict, curve: np.ndarray) -> xr.Dataset:
        value = 0.09 + 1.4 * sharing * curve[:, None, None, None] * np.ones((1, n_concepts, m, m))
        own = 0.48 + 0.45 * curve - 0.4 * curve * (1 - curve)
        value[..., range(m), range(m)] = own[:, None, None]
        value = value + 0.015 * rng.standard_normal((1, n_concepts, m, m))
        return xr.Dataset(
            {
                "value": (dims, value),
                "auroc": (dims, 0.5 + value / 2),
                "chance": (("concept", "lang_b"), np.full((n_concepts, m), 0.066)),
                "auroc_chance": 0.5,
            },
            at | names,
            {"path": PATH, "n_best": 5, "n_splits": 4},
        )

    phase = np.exp(-((np.log(np.maximum(coords["step"], 0.5)) - np.log(64)) ** 2) / 4)
    per_lang = (30 * grown + 180 * phase)[:, None] * (1 + 0.15 * np.arange(m) / m)
    counts = {}
    kinds = (("exactly_one", 1250, 1400), ("at_least_two", 600, 160), ("all", 70, 1))
    for name, top, null in kinds:
        counts |= {
            name: ("step", 5 + top * grown),
            f"{name}_chance": ("step", 4 + null * grown),
            f"{name}_chance_low": ("step", 2 + 0.94 * null * grown),
            f"{name}_chance_high": ("step", 6 + 1.06 * null * grown),
        }
    return {
        "expertise": quality(coords, grown),
        "expertise_twin": quality(one, np.zeros(1)),
        "concept_neurons": xr.Dataset(counts, coords)
        .assign(base=0.066)
        .assign_attrs(path=PATH, threshold=0.5, pairs=n_concepts * NEURONS),
        "language_neurons": xr.Dataset(
            {
                "value": (("step", "lang"), np.round(per_lang)),
                "chance": (("step", "lang"), np.zeros((n, m))),
            },
            coords | {"lang": list(langs)},
            {"path": PATH, "threshold": 0.9, "neurons": NEURONS},
        ),
    }


def _layers(
    rng: np.random.Generator,
    coords: dict,
    one: dict,
    grown: np.ndarray,
    *,
    langs: tuple[str, ...],
    n_layers: int,
    sharing: float,
) -> Results:
    m = len(langs)
    depth = np.arange(n_layers) / max(n_layers - 1, 1)
    early = 1 / (1 + np.exp(-2 * (np.log(np.maximum(coords["step"], 0.5)) - np.log(8))))

    def identified(at: dict, rise: np.ndarray, late: np.ndarray) -> xr.Dataset:
        value = 0.5 + 0.18 * depth + (0.46 - 0.17 * depth) * rise[:, None]
        value = value - late[:, None] * 0.2 * (1 - depth) + 0.004 * rng.standard_normal(value.shape)
        return xr.Dataset(
            {
                "value": (("step", "layer"), value),
                "embed": ("step", 0.24 + 0.4 * rise - 0.1 * late),
                "chance": 1 / m,
            },
            at | {"layer": range(n_layers)},
            {"path": "hook_resid_post/tokens", "disjoint_types": 1, "tokens": 4000, "seeds": 3},
        )

    def found(at: dict, curve: np.ndarray) -> xr.Dataset:
        value = 0.004 + 0.4 * sharing * curve[:, None] * (1 - 0.5 * depth)
        value = np.repeat(value[:, :, None], m * m, 2).reshape(*value.shape, m, m)
        value[..., range(m), range(m)] = np.nan
        return xr.Dataset(
            {"value": (("step", "layer", "lang_a", "lang_b"), value), "chance": 1 / 512},
            at | {"layer": range(n_layers), "lang_a": list(langs), "lang_b": list(langs)},
            {"path": "hook_resid_post/mean", "center": 1, "candidates": 512},
        )

    nats = 6.87 - 4.9 / (1 + np.exp(-1.3 * (np.log(np.maximum(coords["step"], 0.5)) - np.log(60))))
    return {
        "language_id": identified(coords, early, grown),
        "language_id_twin": identified(one, np.zeros(1), np.zeros(1)),
        "retrieval": found(coords, grown),
        "retrieval_twin": found(one, np.zeros(1)),
        "loss": xr.Dataset(
            {
                "value": (("step", "lang"), nats[:, None] + 0.08 * np.arange(m)),
                "chance": float(np.log(948)),
            },
            coords | {"lang": list(langs)},
        ),
    }


def _table(
    rng: np.random.Generator, langs: tuple[str, ...], n_concepts: int, n_layers: int, step: int
) -> xr.Dataset:
    rows = [(c, lang, r) for c in range(n_concepts) for lang in langs for r in range(5)]
    n = len(rows)
    ap = np.sort(0.7 + 0.28 * rng.random((n // 5, 5)))[:, ::-1].ravel()
    columns = {
        "concept": [f"concept {c}" for c, _, _ in rows],
        "lang": [lang for _, lang, _ in rows],
        "rank": [r for _, _, r in rows],
        "layer": rng.integers(0, n_layers, n),
        "neuron": rng.integers(0, 256, n),
        "ap": ap,
        "auroc": 0.5 + ap / 2,
        "chance": np.full(n, 0.066),
        "learned": np.full(n, 0.41),
        "other_languages": 0.6 * rng.random(n),
        "best_other_concept": [f"concept {(c + 1) % n_concepts}" for c, _, _ in rows],
        "best_other_ap": 0.3 * rng.random(n),
        "concepts_passed": rng.integers(1, 3, n),
    }
    return xr.Dataset({k: ("example", v) for k, v in columns.items()}, attrs={"step": step})


def minimal() -> Results:
    """One checkpoint, one layer, no rotated basis to speak of, most analyses absent."""
    found = invented(steps=(0,), n_layers=1, tokens=False)
    empty = found["summary_rotated"]
    found["summary_rotated"] = empty.assign(
        {name: empty[name] * np.nan for name in ("corrected", "corrected_low", "corrected_high")}
    )
    kept = ("summary", "summary_rotated", "summary_layers", "language_id", "expertise")
    return {name: found[name] for name in kept}
