"""The command line of input embeddings: one model, or two side by side on what they share."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.table import Table

PROG = "python -m neurotrace.geometry"
USAGE = f"""\
neurotrace.geometry looks at the input embeddings of one model, or of two side by side: can a
linear probe tell scripts apart, how many scripts surround a token, do two models agree.

  {PROG} CHECKPOINT
  {PROG} CHECKPOINT OTHER --out FOLDER

A folder of checkpoints stands for its last one; of two models, all figures are of the tokens that
both have. All options: {PROG} --help"""
SAMPLED = 1000  # tokens whose neighbours are looked at, where 1 % are fewer
COMPARED = 20_000  # tokens on which two models' neighbours are compared
NAMES = ("A", "B")


@dataclass(frozen=True)
class GeometryConfig:
    """Scripts in the input embedding of one model, or of two side by side."""

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint, or of several, of which the last is read."""
    other: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="OTHER")] = None
    """A second one, compared on the tokens that both have."""
    k: int = 50
    """Neighbours whose scripts are counted."""
    agreement_k: int = 100
    """Neighbours on which two models may agree."""
    sample: float | None = None
    """Share of the tokens whose neighbours are looked at. None given: .01, or 1000 tokens."""
    min_tokens: int | None = None
    """Tokens that a class needs. None given: 500, or as many of 100, 50, 20 as leave two."""
    folds: int = 10
    """Parts of the cross-validation."""
    seed: int = 0
    """Of samples and folds."""
    out: Path | None = None
    """Folder for embeddings.json and a map of the tokens as CSV."""
    trust_remote_code: bool = False
    """Whether Python code that lies in the checkpoint's folder may run."""


@dataclass(frozen=True)
class _Model:
    """An embedding, and what its rows are."""

    name: str
    ids: NDArray[np.intp]
    texts: list[str]
    scripts: NDArray[np.str_]
    W: NDArray[np.float32] = field(repr=False)

    def of(self, places: NDArray[np.intp]) -> "_Model":
        texts = [self.texts[place] for place in places]
        return _Model(self.name, self.ids[places], texts, self.scripts[places], self.W[places])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 2 the input is wrong, 1 anything else."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments:
        print(USAGE)
        return 0
    config = tyro.cli(GeometryConfig, args=arguments, prog=PROG, description=USAGE)
    try:
        models = _models(config)
        found = measured(config, models)
        if config.out:
            _write(config.out, found, models)
        show(found)
    except KeyboardInterrupt:
        return _say("interrupted", 1)
    except (FileNotFoundError, PermissionError, NotADirectoryError, ValueError) as error:
        return _say(str(error), 2)
    except OSError as error:
        return _say(str(error), 1)
    return 0


def _models(config: GeometryConfig) -> list[_Model]:
    from neurotrace.geometry.embeddings import shared_tokens

    folders = [config.model, *([config.other] if config.other else [])]
    models = [_read(folder, trust_remote_code=config.trust_remote_code) for folder in folders]
    if len(models) == 1:
        return models
    both = shared_tokens(models[0].texts, models[1].texts)
    if len(both[0]) < 3:
        raise ValueError(f"got {len(both[0])} tokens that both models have; expected some")
    return [model.of(places) for model, places in zip(models, both, strict=True)]


def _read(folder: Path, *, trust_remote_code: bool) -> _Model:
    """Tokens that have a text and a direction."""
    from neurotrace.capture.embedding import embedding_matrix, token_texts
    from neurotrace.checkpoints import find
    from neurotrace.geometry.scripts import decode_bytes, scripts_of

    try:
        last = find(folder)[-1]
    except FileNotFoundError:
        lacks = "without a checkpoint" if folder.is_dir() else "which is no folder"
        raise FileNotFoundError(
            f"got {str(folder)!r}, {lacks}; expected weights in it, or in folders below it named "
            "like step512, checkpoint-512 or global_step512"
        ) from None
    texts = token_texts(last, trust_remote_code=trust_remote_code)
    W = embedding_matrix(last, trust_remote_code=trust_remote_code)
    ids = np.flatnonzero(W.any(1) & np.array([bool(text) for text in texts]))
    plain, scripts = decode_bytes(texts), scripts_of(texts, nameless="OTHER")
    path = last.path.resolve()
    name = f"{path.parent.name}/{path.name}"
    return _Model(name, ids, [plain[at] for at in ids], scripts[ids], W[ids])


def measured(config: GeometryConfig, models: Sequence[_Model]) -> dict[str, Any]:
    """All figures of one model or two, as plain numbers."""
    from rich.console import Console
    from threadpoolctl import threadpool_limits

    # Small products gain nothing from threads, and threads that wait for cores lose much.
    with threadpool_limits(1, user_api="blas"), Console(stderr=True).status("measuring"):
        found: dict[str, Any] = {"models": [_alone(config, model) for model in models]}
        if len(models) == 2:
            found["together"] = _together(config, models[0], models[1])
    return found


def _alone(config: GeometryConfig, model: _Model) -> dict[str, Any]:
    from neurotrace.geometry.embeddings import neighbour_scripts, token_map
    from neurotrace.geometry.separability import largest_min_tokens, script_separability

    least = largest_min_tokens(model.scripts) if config.min_tokens is None else config.min_tokens
    probe = script_separability(
        model.W, model.scripts, min_tokens=least, folds=config.folds, seed=config.seed
    )
    sample = config.sample or min(1.0, max(0.01, SAMPLED / len(model.ids)))
    around = neighbour_scripts(model.W, model.scripts, k=config.k, sample=sample, seed=config.seed)
    return {
        "name": model.name,
        "tokens": len(model.ids),
        "features": model.W.shape[1],
        "min_tokens": least,
        "classes": probe.attrs["tokens"] | probe.attrs["left_out"],
        "separability": float(probe.mean()),
        "separability_chance": probe.attrs["chance"],
        "separability_by": probe.to_dict(),
        "scripts": around.value,
        "scripts_sd": around.sd,
        "scripts_chance": around.chance,
        "scripts_tokens": around.tokens,
        "scripts_k": config.k,
        "map_explained": float(token_map(model.W).explained.sum()),
    }


def _together(config: GeometryConfig, a: _Model, b: _Model) -> dict[str, Any]:
    from neurotrace.geometry.canonical import (
        canonical_cosines,
        canonical_cosines_null,
        mean_cosine_null,
    )
    from neurotrace.geometry.nearest import knn_agreement, knn_agreement_chance

    n = len(a.ids)
    some = np.random.default_rng([config.seed, 66]).permutation(n)[:COMPARED]
    k = min(config.agreement_k, len(some) - 1)
    cosines = canonical_cosines(a.W, b.W)
    widths = [min(model.W.shape[1], n - 1) for model in (a, b)]
    low, high = canonical_cosines_null(n - 1, *widths)
    return {
        "agreement": knn_agreement(a.W[some], b.W[some], k=k),
        "agreement_chance": knn_agreement_chance(len(some), k),
        "agreement_k": k,
        "agreement_tokens": len(some),
        "cosines": cosines.round(6).tolist(),
        "cosines_chance": [low, high],
        "mean_cosine": float(cosines.mean()) if len(cosines) else float("nan"),
        "mean_cosine_chance": mean_cosine_null(n - 1, *widths),
    }


def show(found: dict[str, Any]) -> None:
    """Print the figures, each with its chance."""
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a log may know no Unicode
    console = Console(highlight=False)
    models, together = found["models"], found.get("together")
    shared = " that both have" if together else ""
    for label, one in zip(NAMES, models, strict=False):
        console.print(
            f"{label}  {one['name']}: {one['tokens']} tokens{shared}, {one['features']} features",
            style="bold", markup=False, soft_wrap=True,
        )  # fmt: skip
    console.print()
    console.print(_by_script(models))
    console.print(
        f"accuracy of one script against the rest, chance 0.500; - for fewer than "
        f"{models[0]['min_tokens']} tokens",
        style="dim", soft_wrap=True,
    )  # fmt: skip
    console.print()
    console.print(_figures(models, together))


def _by_script(models: Sequence[dict[str, Any]]) -> "Table":
    """Accuracy of each class that is large enough, and tokens of the others."""
    heads = ["accuracy"] if len(models) == 1 else [f"accuracy {name}" for name in NAMES]
    table = _table(["script", "tokens", *heads])
    counts = models[0]["classes"]
    for script in sorted(counts, key=lambda name: -counts[name]):
        cells = [_number(one["separability_by"].get(script)) for one in models]
        table.add_row(script, str(counts[script]), *cells)
    return table


def _figures(models: Sequence[dict[str, Any]], together: dict[str, Any] | None) -> "Table":
    table = _table(["figure", *NAMES[: len(models)], "chance"])
    first = models[0]
    for label, name in (
        ("separability, mean over scripts", "separability"),
        (f"scripts among a token and {first['scripts_k']} neighbours", "scripts"),
    ):
        values = [_number(one[name]) for one in models]
        table.add_row(label, *values, _number(first[f"{name}_chance"]))
    table.add_row("variance in the map", *[_number(one["map_explained"]) for one in models], "-")
    if together is None:
        return table
    cosines, (low, high) = together["cosines"], together["cosines_chance"]
    rows = [
        (f"agreement of {together['agreement_k']} neighbours", together["agreement"],
         _number(together["agreement_chance"])),
        ("mean canonical cosine", together["mean_cosine"],
         _number(together["mean_cosine_chance"])),
        ("largest canonical cosine", max(cosines, default=None), f"up to {_number(high)}"),
        ("smallest canonical cosine", min(cosines, default=None), f"from {_number(low)}"),
    ]  # fmt: skip
    for label, value, chance in rows:
        table.add_row(label, _number(value), "", chance)
    return table


def _write(out: Path, found: dict[str, Any], models: Sequence[_Model]) -> None:
    from neurotrace.geometry.embeddings import token_map

    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    (out / "embeddings.json").write_text(text, encoding="utf-8")
    for label, model in zip(NAMES, models, strict=False):
        places = token_map(model.W).coordinates
        with (out / f"map_{label}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "token", "script", "x", "y"])
            for row in zip(model.ids, model.texts, model.scripts, places, strict=True):
                number, token, script, (x, y) = row
                writer.writerow([number, token, script, f"{x:.6g}", f"{y:.6g}"])


def _table(columns: Sequence[str]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim",
    )  # fmt: skip
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=bool(place))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"


def _say(line: str, code: int) -> int:
    print(f"neurotrace: {' '.join(line.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
