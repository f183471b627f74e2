"""Invented geometry in the trajectories' form: ILO, companions, embeddings, concepts, distance."""

import numpy as np
import xarray as xr

STATES = "hook_resid_post/mean"
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "HEBREW")
DISTANCES = ("geographic", "genetic", "syntactic")
WORDS = {"Latn": "river, sea, lake", "Cyrl": "река, море, озеро", "Grek": "ποτάμι, θάλασσα",
         "Hebr": "נהר, ים, אגם"}  # fmt: skip
Results = dict[str, xr.Dataset]


def spacing(coords: dict, langs: tuple[str, ...], *, n_layers: int, sharing: float) -> Results:
    """Spaces of a run whose corrected overlap ends at ``sharing``; with 0 languages stay apart."""
    steps = np.asarray(coords["step"], float)
    grown = 1 / (1 + np.exp(-3.5 * (np.log(np.maximum(steps, 0.5)) - np.log(150))))
    depth = np.arange(n_layers) / max(n_layers - 1, 1)
    up = (grown[:, None] * (1 - 0.35 * depth)) * min(3 * sharing, 1)  # (step, layer)
    first = {name: (at if isinstance(at, tuple) else ("step", np.asarray(at)))
             for name, at in coords.items()}  # fmt: skip
    first = {name: ("step", np.asarray(at)[:1]) for name, (_, at) in first.items()}
    return {
        "ilo": ilo(coords, langs, up),
        "ilo_twin": ilo(first, langs, 0 * up[:1]),
        "companions": companions(coords, langs, up),
        "embeddings": embeddings(coords, grown, sharing=sharing),
        "embedding_map": embedding_map(int(steps[-1])),
        "latent_concepts": latent_concepts(coords, langs, up),
        "latent_words": latent_words(langs, int(steps[-1]), n_layers),
        "evolution": evolution(coords, langs, up),
        "evolution_twin": untrained(first, langs, n_layers),
        "distances": distances(coords, up, nodes=len(langs)),
    }


def ilo(coords: dict, langs: tuple[str, ...], up: np.ndarray) -> xr.Dataset:
    """Languages apart at first, mixed a little beyond chance at the end."""
    dims, m = ("step", "layer", "lang"), len(langs)
    chance = np.full((*up.shape, m), 0.8)
    value = chance - 0.7 + up[..., None] * (0.85 - 0.04 * np.arange(m))
    centered = chance - 0.3 * (1 - up[..., None]) + 0.06 * up[..., None]
    columns = {"value": value, "bridge": value**1.2, "reach": value**0.5, "chance": chance}
    columns |= {"chance_low": chance - 0.02, "chance_high": chance + 0.02}
    columns |= {"corrected": value - chance, "centered": centered, "centered_chance": chance}
    columns |= {"centered_corrected": centered - chance}
    found = {name: (dims, one) for name, one in columns.items()}
    found |= {"spread": (dims[:2], (value - chance).std(-1)), "spread_chance": (dims[:2], 0 * up)}
    scripts = sorted({lang.rpartition("_")[2] for lang in langs})
    of = np.array([scripts.index(lang.rpartition("_")[2]) for lang in langs])
    strata = np.stack([(value - chance)[..., of == at].mean(-1) for at in range(len(scripts))], -1)
    found["by_stratum"] = ((*dims[:2], "stratum"), strata)
    found |= {"shared_core": (dims[:2], 0.1 + 0.6 * up), "shared_core_chance": (dims[:2], 0 * up)}
    names = {"layer": range(up.shape[1]), "lang": list(langs), "stratum": scripts}
    attrs = {"path": STATES, "k": 5, "t": 3, "metric": "cosine", "permutations": 20}
    return xr.Dataset(found, coords | names, attrs | {"sentences": 997})


def companions(coords: dict, langs: tuple[str, ...], up: np.ndarray) -> xr.Dataset:
    found = {
        "value": 0.001 + 0.5 * up,
        "mutual": 0.01 + 0.25 * up,
        "retrieval_raw": 0.002 + 0.3 * up,
    }
    columns = {name: _of_pairs(one, len(langs)) for name, one in found.items()}
    columns |= {"chance": 1 / 1993, "mutual_chance": 10 / 996, "retrieval_chance": 1 / 997}
    columns["deranged"] = (("step", "layer"), 0 * up + 0.001)
    return xr.Dataset(columns, _named(coords, langs, up), {"path": STATES, "k": 10})


def embeddings(coords: dict, grown: np.ndarray, *, sharing: float) -> xr.Dataset:
    by = 0.55 + 0.4 * grown[:, None] * (1 - 0.08 * np.arange(len(SCRIPTS)))
    previous, agreement = 0.4 + 0.55 * grown, 0.05 + 0.9 * grown
    previous[0] = agreement[-1] = np.nan
    columns = {
        "value": by.mean(1),
        "separability": by.mean(1),
        "scripts": 5.2 - 3.6 * grown,
        "translations": 0.004 + 0.9 * sharing * grown,
        "previous": previous,
        "agreement": agreement,
    }
    found = {name: ("step", one) for name, one in columns.items()}
    found["separability_by"] = (("step", "script"), by)
    chances = {"chance": 0.5, "separability_chance": 0.5, "scripts_chance": 5.3,
               "translations_chance": 0.006, "translations_low": 0.001,
               "translations_high": 0.015, "previous_chance": 0.3,
               "agreement_chance": 0.01}  # fmt: skip
    attrs = {
        "k": 10,
        "script_k": 50,
        "tokens": 948,
        "min_tokens": 100,
        "classes": ", ".join(SCRIPTS),
    }
    return xr.Dataset(found | chances, coords | {"script": list(SCRIPTS)}, attrs)


def embedding_map(step: int, *, n: int = 600) -> xr.Dataset:
    rng = np.random.default_rng(3)
    of = rng.integers(0, len(SCRIPTS), n)
    x, y = rng.normal(size=(2, n)) * 0.5 + np.array([[0, 2, -1, 1.5], [0, 1, 2, -1.5]])[:, of]
    texts = np.array([f"▁{at}" for at in range(n)])
    columns = {"x": x, "y": y, "script": np.array(SCRIPTS)[of], "text": texts}
    found = xr.Dataset({name: ("token", one) for name, one in columns.items()})
    return found.assign(explained=0.21, chance=np.nan).assign_attrs(step=step)


def latent_concepts(coords: dict, langs: tuple[str, ...], up: np.ndarray) -> xr.Dataset:
    dims, m = ("step", "layer", "lang_a", "lang_b"), len(langs)
    chance, mixed = 0.03, 0.82
    values = {"value": chance + 0.45 * up, "overlap": mixed - 0.7 + 0.8 * up}
    found = {name: _of_pairs(one, m) for name, one in values.items()}
    flat = 0 * up
    for name, level in (("chance", chance), ("chance_low", 0.0), ("chance_high", 0.07),
                        ("overlap_chance", mixed), ("ceiling", 0.9)):  # fmt: skip
        found[name] = _of_pairs(flat + level, m)
    found["corrected"] = (dims, found["value"][1] - chance)
    found["overlap_corrected"] = (dims, found["overlap"][1] - mixed)
    found |= {"stability": (dims[:2], 0.3 + 0.3 * up), "stability_chance": 0.0}
    attrs = {"clusters": 50, "words": 1000, "path": "hook_resid_post/words"}
    attrs |= {"theta_align": 0.8, "theta_overlap": 0.3}
    return xr.Dataset(found, _named(coords, langs, up), attrs)


def latent_words(langs: tuple[str, ...], step: int, n_layers: int) -> xr.Dataset:
    """Three clusters, the first of several languages."""
    rows = [
        (cluster, lang, WORDS.get(lang.rpartition("_")[2], "word"), int(cluster == 0))
        for cluster, of in enumerate((langs, langs[:1], langs[1:2]))
        for lang in of
    ]
    columns = {
        name: ("example", np.array([row[at] for row in rows]))
        for at, name in enumerate(("cluster", "lang", "words", "overlapping"))
    }
    return xr.Dataset(columns, attrs={"step": step, "layer": n_layers - 1}).assign(
        value=0.8, chance=0.82
    )


def evolution(coords: dict, langs: tuple[str, ...], up: np.ndarray) -> xr.Dataset:
    dims, m = ("step", "layer", "lang"), len(langs)
    value = (0.6 - 0.55 * up)[..., None] * (1 + 0.05 * np.arange(m))
    value[0] = np.nan
    ending = (1 - up / np.maximum(up[-1], 1e-9))[..., None] * np.ones(m)
    columns = {"value": value, "biased": 0.9 * value, "chance": 0 * value + 0.9}
    columns |= {"calibrated": value + 0.03, "to_last": ending}
    found = {name: (dims, one) for name, one in columns.items()}
    found["apart"] = _of_pairs(0.95 - 0.6 * up, m)
    found["apart_chance"] = (dims[:2], 1 + 0 * up)
    names = _named(coords, langs, up) | {"lang": list(langs)}
    return xr.Dataset(found, names, {"path": STATES, "sentences": 997})


def untrained(first: dict, langs: tuple[str, ...], n_layers: int) -> xr.Dataset:
    """What one checkpoint allows: how far languages lie apart, and nothing of change."""
    found = evolution(first, langs, np.zeros((1, n_layers)))
    return found[["apart", "apart_chance"]].assign(chance=1.0)


def distances(coords: dict, up: np.ndarray, *, nodes: int) -> xr.Dataset:
    """The first distance goes with the model's own, the others do not."""
    dims = ("step", "layer", "distance")
    r = np.stack([0.9 * up, 0.2 * up, -0.1 * up], -1)
    p = np.where(r > 0.7, 0.004, 0.6)
    columns = {"value": r, "pearson": 0.9 * r, "p": p, "p_holm": np.minimum(4 * p, 1)}
    columns |= {"detectable": 0 * r + 0.62, "partial": 0.7 * r, "partial_p": p}
    found = {name: (dims, one) for name, one in columns.items()}
    names = {"layer": range(up.shape[1]), "distance": list(DISTANCES)}
    attrs = {"nodes": nodes, "covariates": "script, data share"}
    return xr.Dataset(found | {"chance": 0.0}, coords | names, attrs)


def _of_pairs(by_layer: np.ndarray, m: int) -> tuple:
    """The same for every pair; a language with itself is undefined."""
    value = np.repeat(by_layer[..., None], m * m, -1).reshape(*by_layer.shape, m, m)
    value[..., range(m), range(m)] = np.nan
    return ("step", "layer", "lang_a", "lang_b"), value


def _named(coords: dict, langs: tuple[str, ...], up: np.ndarray) -> dict:
    return coords | {"layer": range(up.shape[1]), "lang_a": list(langs), "lang_b": list(langs)}
