"""Invented labels of neurons, in the trajectories' form: counts over steps and one row table."""

import numpy as np
import xarray as xr

KINDS = ("shared", "script", "language", "one_language")


def labels(coords: dict, langs: tuple[str, ...], n_concepts: int, *, sharing: float) -> xr.Dataset:
    """Counts that rise with sharing beside silent nulls; languages have a phase in the middle."""
    steps = np.asarray(coords["step"])
    n, m = len(steps), len(langs)
    grown = 1 / (1 + np.exp(-3.5 * (np.log(np.maximum(steps, 0.5)) - np.log(170))))
    phase = np.exp(-((np.log(np.maximum(steps, 0.5)) - np.log(64)) ** 2) / 4)
    counts = {"shared": 900 * sharing * grown, "one_language": 5 + 200 * grown}
    counts |= {"language": np.round(40 + 500 * phase), "script": np.full(n, np.nan)}
    counts["neither"] = 1024 - sum(np.nan_to_num(one) for one in counts.values())
    found = {name: ("step", np.round(value)) for name, value in counts.items()}
    for kind in (*KINDS, "neither"):
        blank = counts[kind] * 0
        found |= {f"{kind}_{null}": ("step", blank) for null in ("chance", "pseudo")}
        found[f"{kind}_words"] = ("step", blank + 30)
        found[f"{kind}_learned"] = ("step", np.floor(0.8 * counts[kind]))
    for kind, top, null in (
        ("exactly_one", 2200, 2300),
        ("at_least_two", 2600, 220),
        ("all", 300, 1),
    ):
        found[kind] = ("step", np.round((top * sharing if kind != "exactly_one" else top) * grown))
        for end, share in (("", 1), ("_low", 0.9), ("_high", 1.1)):
            found[f"{kind}_chance{end}"] = ("step", share * null * grown)
    known = np.round(counts["shared"] + counts["one_language"])
    found |= {"concept": ("step", 0 * known), "word": ("step", 0 * known)}
    found |= {"undecided": ("step", known)}
    told = np.repeat(counts["language"][:, None] / m, m, 1)
    found |= {"tells": (("step", "lang"), told), "tells_chance": (("step", "lang"), 0 * told)}
    attrs = {"path": "mlp.hook_post/max", "score": "auroc", "alpha": 0.05, "method": "bh"}
    attrs |= {"least": 0.9, "neurons": 1024, "concepts": n_concepts, "languages": m}
    attrs |= {"compared": 256, "language_p": 2e-12, "lacking": 0}
    return xr.Dataset(found, coords | {"lang": list(langs)}, attrs)


def labelled_neurons(langs: tuple[str, ...], *, step: int, each: int = 3) -> xr.Dataset:
    """``each`` rows of every kind but script, which one script a language does not allow."""
    rows = []
    for kind in ("shared", "language", "one_language"):
        for at in range(each):
            of_concept = kind != "language"
            named = langs if kind == "shared" and at == 0 else langs[: 2 if kind == "shared" else 1]
            rows.append(
                {
                    "layer": at % 2,
                    "neuron": 117 + at,
                    "kind": kind,
                    "tells": "" if of_concept else langs[0],
                    "concept": f"concept {at}" if of_concept else "",
                    "languages": " ".join(named),
                    "n_languages": len(named),
                    "q": 3e-9,
                    "q_confirmed": 2e-8,
                    "ap": 0.9 if of_concept else np.nan,
                    "auroc": 0.97 if of_concept else np.nan,
                    "chance": 0.066 if of_concept else np.nan,
                    "wins": np.nan if of_concept else 0.98,
                    "evidence": "undecided" if of_concept else "",
                    "without_word": 0,
                    "learned": float(at % 2 == 0),
                    "best_other_concept": f"concept {at + 1}" if of_concept else "",
                    "best_other_ap": 0.2 if of_concept else np.nan,
                    "concepts_passed": 2 if of_concept else 0,
                    "coincidence": 0.25 if kind == "shared" else np.nan,
                }
            )
    columns = {name: ("example", np.array([row[name] for row in rows])) for name in rows[0]}
    attrs = {"step": step, "alpha": 0.05, "method": "bh", "least": 0.9, "languages": len(langs)}
    attrs |= {"family": "6 concepts x 1024 neurons at each number of languages"}
    attrs |= {"family_languages": "4096 tests (4 x 1024)", "scripts": "not decidable"}
    attrs |= {"shared_called": 270, "script_called": 0, "language_called": each}
    return xr.Dataset(columns, attrs=attrs | {"one_language_called": 205})
