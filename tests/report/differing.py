"""Invented figures of what differs between languages besides meaning, in the trajectories' form."""

import numpy as np
import xarray as xr

SHARED = (0.31, 0.12, 0.05, 0.02, 0.0)


def differing(
    langs: tuple[str, ...], n_concepts: int, *, overlap: float | None = 0.3, step: int = 1500
) -> xr.Dataset:
    """Lengths that tell nothing, spelling that goes with nothing; one language without spaces."""
    m, rng = len(langs), np.random.default_rng(1)
    two, by_concept = ("lang", "concept"), ("concept", "lang_a", "lang_b")
    pairs = np.array([[SHARED[(a + b) % len(SHARED)] for b in range(m)] for a in range(m)])
    np.fill_diagonal(pairs, np.nan)
    fertility = 1.2 + 0.4 * np.arange(m)
    words = np.where(np.arange(m) == m - 1, np.nan, 10.0 + np.arange(m))

    def flat(value: float) -> tuple:
        return two, np.full((m, n_concepts), value)

    found = xr.Dataset(
        {
            "sentences": (two, np.full((m, n_concepts), 60)),
            "language_sentences": ("lang", np.full(m, 60 * n_concepts)),
            "words": (two, np.repeat(words[:, None], n_concepts, 1)),
            "language_words": ("lang", words),
            "characters": flat(48.0),
            "language_characters": ("lang", np.full(m, 48.0)),
            "tokens": flat(14.0),
            "language_tokens": ("lang", np.full(m, 14.0)),
            "fertility": (two, np.repeat(fertility[:, None], n_concepts, 1)),
            "language_fertility": ("lang", fertility),
            "fertility_ratio": flat(1.0),
            "length_ratio": flat(1.02),
            "length_auroc": (two, 0.5 + 0.03 * rng.uniform(-1, 1, (m, n_concepts))),
            "length_auroc_chance": 0.5,
            "length_auroc_sd": flat(0.04),
            "length_p": flat(1.0),
            "shared": (("lang_a", "lang_b"), pairs),
            "shared_by_concept": (by_concept, np.repeat(pairs[None], n_concepts, 0)),
            "recurring": (("lang_a", "lang_b"), 0.2 * pairs),
            "shared_chance": (("lang_a", "lang_b"), 0.1 * pairs),
            "shared_examples": (("lang_a", "lang_b"), np.where(pairs > 0, "hospital", "")),
        },
        {
            "lang": list(langs),
            "unit": ("lang", ["word"] * (m - 1) + ["character"]),
            "concept": [f"concept {i}" for i in range(n_concepts)],
            "lang_a": list(langs),
            "lang_b": list(langs),
        },
        {"length": "tokens"},
    )
    if overlap is None:
        return found
    corrected = np.where(np.isnan(pairs), np.nan, overlap)
    found["corrected"] = (("lang_a", "lang_b"), corrected + 0.01 * np.arange(m * m).reshape(m, m))
    chances = {"corrected_chance": 0.0, "shared_r_chance": 0.0, "shared_r_detectable": 0.93}
    found = found.assign(shared_r=-0.12, shared_p=0.92, **chances)
    return found.assign_attrs(step=step, nodes=m)
