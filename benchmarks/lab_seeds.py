"""What the lab shows over seeds: the table and the figure of the README.

    python benchmarks/lab_seeds.py runs/seeds

Trains and traces `default` with five seeds and `control` and `slow` with three, into the folder
given (runs that are there are read), prints mean [min, max] over seeds, and draws the figure.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from neurotrace import lab, trace, trajectories
from neurotrace.config import TraceConfig
from neurotrace.report.canvas import svg

SEEDS = {"default": range(5), "control": range(3), "slow": range(3)}
STEPS = (0, 64, 128, 192, 256, 512, 1500)
FIGURE = Path(__file__).parents[1] / "notebooks" / "lab.svg"
Results = dict[str, xr.Dataset]


def traced(folder: Path, preset: str, seed: int) -> Results:
    source = lab.pretrain(preset, out=folder / f"{preset}-{seed}", seed=seed)
    run = folder / f"{preset}-{seed}-trace"
    return trajectories.read(trace.run(TraceConfig(source=str(source), out=str(run))).parent)


def column(name: str, group: str = "summary") -> Callable[[Results], xr.DataArray]:
    def read(results: Results) -> xr.DataArray:
        found = results[group][name]
        return found.sel(k=results["summary"].attrs["main_k"]) if "k" in found.dims else found

    return read


def own_ap(results: Results) -> xr.DataArray:
    value = results["expertise"]["value"].transpose("step", "concept", "lang_a", "lang_b")
    return xr.DataArray(np.einsum("scll->s", value.values) / value[0, :, :, 0].size, dims="step")


def other_ap(results: Results) -> xr.DataArray:
    value = results["expertise"]["value"]
    n = value.sizes["lang_a"]
    return (value.mean(["concept", "lang_a", "lang_b"]) * n - own_ap(results)) / (n - 1)


COLUMNS: dict[str, Callable[[Results], xr.DataArray]] = {
    "loss": lambda r: r["loss"]["value"].mean("lang"),
    "own AP": own_ap,
    "AP elsewhere": other_ap,
    "corrected": column("corrected"),
    "rotated": column("corrected", "summary_rotated"),
    "wrong concept": column("wrong_concept"),
    "language neurons": lambda r: r["language_neurons"]["value"].sum("lang"),
    "pairs in all languages": lambda r: r["concept_neurons"]["all"],
}


WHOLE = ("language neurons", "pairs in all languages")


def table(runs: dict[str, list[Results]]) -> str:
    """Rows are steps of `default`; the last columns are the other presets' corrected overlap."""
    names = [*COLUMNS, "corrected, slow", "corrected, control"]
    lines = ["| step | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    for step in STEPS:
        cells = [spread(runs["default"], name, step) for name in COLUMNS]
        cells += [spread(runs[name], "corrected", step) for name in ("slow", "control")]
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(runs: list[Results], name: str, step: int) -> str:
    read = COLUMNS.get(name, column("corrected"))
    values = np.array([at(result, read, step) for result in runs])
    digits = 0 if values.max() > 10 or name in WHOLE else 2
    mean, low, high = (f"{v:.{digits}f}" for v in (values.mean(), values.min(), values.max()))
    return f"{mean} [{low}, {high}]"


def at(result: Results, read: Callable[[Results], xr.DataArray], step: int) -> float:
    steps = result["summary"]["step"].values
    return float(read(result).values[np.flatnonzero(steps == step)[0]])


def figure(runs: dict[str, list[Results]]) -> str:
    """Corrected overlap of every seed: neurons, rotated basis, slow, control."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(8, 3.6), layout="constrained")
    axes = drawn.subplots()
    looks = (
        ("default", "summary", "#0072b2", "default: 2 of 6 nouns shared"),
        ("default", "summary_rotated", "#e69f00", "default, rotated basis"),
        ("slow", "summary", "#009e73", "slow: the 2 rarest nouns shared"),
        ("control", "summary", "#666666", "control: nothing shared"),
    )
    for preset, group, colour, label in looks:
        curves = [column("corrected", group)(result) for result in runs[preset]]
        steps = np.where(curves[0]["step"] == 0, 0.5, curves[0]["step"])
        values = np.stack([curve.values for curve in curves])
        axes.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
        axes.plot(steps, values.mean(0), color=colour, lw=2)
        axes.annotate(
            label, (steps[-1], values.mean(0)[-1]), (8, 0), textcoords="offset points",
            color=colour, va="center", fontsize=9,
        )  # fmt: skip
    axes.axhline(0, color="black", lw=0.8, ls=":")
    axes.set_xscale("log")
    ticks = [0.5, 1, 10, 100, 1000]
    axes.set_xticks(ticks, ["0", *map(str, ticks[1:])])
    axes.set_xlabel("training step")
    axes.set_ylabel("corrected overlap of experts\n0 chance, 1 as one language with itself")
    axes.spines[["top", "right"]].set_visible(False)
    return svg(drawn, alt="Corrected overlap of experts over training in three lab presets")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/seeds")
    runs = {name: [traced(folder, name, seed) for seed in seeds] for name, seeds in SEEDS.items()}
    print(table(runs))
    FIGURE.write_text(figure(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
