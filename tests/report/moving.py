"""Invented onsets, change points, lags, turnover and compression, in the trajectories' form."""

import numpy as np
import xarray as xr

PATH = "mlp.hook_post/max"
Results = dict[str, xr.Dataset]


def moving(coords: dict, langs: tuple[str, ...], *, n_layers: int, sharing: float) -> Results:
    """When things happen in a run whose corrected overlap ends at ``sharing``; 0 is a control."""
    steps = np.asarray(coords["step"], float)
    grown = 1 / (1 + np.exp(-3.5 * (np.log(np.maximum(steps, 0.5)) - np.log(170))))
    there = sharing > 0.1
    halves = [180.0 + 25 * layer for layer in range(n_layers)]
    found = {
        "onset_overlap": onset(coords, sharing * grown, [180.0], run_on="corrected", there=there),
        "onset_expertise": onset(coords, 0.5 * grown, [120.0], run_on="own AP", there=True),
        "onset_use": onset(coords, 2.5 * sharing * grown, [150.0], run_on="ratio", there=there),
        "onset_layers": layered(coords, sharing * grown, halves, there=there),
        "changes": changes(there=there),
        "lag_use_overlap": xr.Dataset(
            {"value": -0.3 if there else np.nan, "low": -0.6 if there else np.nan,
             "high": 0.05 if there else np.nan, "chance": 0.0},
            attrs={"half_use": 150.0, "half_overlap": 180.0},
        ),
    }  # fmt: skip
    return found | _sets(coords, langs, grown, n_layers=n_layers, sharing=sharing)


def onset(
    coords: dict, value: np.ndarray, half: list[float], *, run_on: str, there: bool
) -> xr.Dataset:
    """One curve's onset with simultaneous bands; NaN where there is none."""
    steps = np.asarray(coords["step"], float)
    band = 0.04 + 0.1 * np.abs(value)
    last = float(steps[-1])
    columns = {"detect": float(steps[np.searchsorted(steps, min(96, last))])}
    columns |= {"half": half[0], "half_low": 0.8 * half[0], "half_high": 1.3 * half[0]}
    columns |= {"level_step": 210.0, "level_step_low": 180.0, "level_step_high": 260.0}
    columns = {name: at if there and len(steps) > 2 else np.nan for name, at in columns.items()}
    risen = bool(np.isfinite(columns["half"]))
    return xr.Dataset(
        columns
        | {
            "outcome": "onset" if risen else "none",
            "value": ("step", value),
            "low": ("step", value - band),
            "high": ("step", value + band),
            "null_high": ("step", np.full(len(steps), 0.04)),
            "chance": 0.0,
        },
        coords,
        {"run": 2, "alpha": 0.05, "level": 0.15, "still_rising": 0, "curve": run_on},
    )


def layered(coords: dict, value: np.ndarray, halves: list[float], *, there: bool) -> xr.Dataset:
    """The onset of every layer; the last layer has none where there are several."""
    several = len(halves) > 1
    parts = [
        onset(coords, value, [half], run_on="layers", there=there and not (several and last))
        for half, last in zip(halves, [*[False] * (len(halves) - 1), True], strict=True)
    ]
    found = xr.concat(parts, dim="layer", combine_attrs="override")
    return found.assign_coords(layer=range(len(halves))).assign(chance=0.0)


def changes(*, there: bool) -> xr.Dataset:
    """One change, or none: a table of no rows."""
    rows = [(192.0, 128.0, 256.0, 0.02, 0.27, 0.85)] if there else []
    names = ("at", "at_low", "at_high", "before", "after", "support")
    columns = {name: ("pair", np.array([row[i] for row in rows])) for i, name in enumerate(names)}
    return xr.Dataset(columns | {"chance": 0.12})


def _sets(
    coords: dict, langs: tuple[str, ...], grown: np.ndarray, *, n_layers: int, sharing: float
) -> Results:
    n, m = len(grown), len(langs)
    lost = 0.85 - 0.6 * grown
    lost[0] = np.nan
    null = 0.02 + 0.05 * grown
    layers = np.arange(n_layers)
    ratio = 60 - 25 * grown[:, None] - 4 * layers
    return {
        "turnover": xr.Dataset(
            _spanned("value", lost, 0.04)
            | {"chance": 0.95, "ceiling": ("step", 0.3 - 0.1 * grown)}
            | {"corrected": ("step", (lost - 0.25) / 0.7)},
            coords, {"path": PATH},
        ),
        "compression": xr.Dataset(
            _spanned("value", null + sharing * grown, 0.03)
            | _spanned("chance", null, 0.01)
            | {"deranged": ("step", null), "sizes": (("step", "lang"), np.full((n, m), 250.0))},
            coords | {"lang": list(langs)}, {"path": PATH},
        ),
        "participation": xr.Dataset(
            _spanned("value", ratio, 3.0, dims=("step", "layer"))
            | {"chance": (("step", "layer"), np.full((n, n_layers), 200.0)), "ceiling": 256.0},
            coords | {"layer": layers}, {"path": PATH},
        ),
        "participation_twin": xr.Dataset(
            _spanned("value", ratio[:1] * 0 + 80, 3.0, dims=("step", "layer"))
            | {"chance": (("step", "layer"), np.full((1, n_layers), 200.0)), "ceiling": 256.0},
            {"step": [0], "layer": layers}, {"path": PATH},
        ),
    }  # fmt: skip


def _spanned(name: str, value: np.ndarray, half: float, dims: tuple = ("step",)) -> dict:
    ends = (("", 0), ("_low", -1), ("_high", 1))
    return {name + end: (dims, value + side * half) for end, side in ends}
