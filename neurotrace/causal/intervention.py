"""An intervention as a small file that another person can read, check and run again."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import torch

from neurotrace.capture import HookedModel
from neurotrace.capture import sites as capture_sites
from neurotrace.causal import neurons as named
from neurotrace.causal.clamp import clamp
from neurotrace.causal.generate import Generated, check, generate
from neurotrace.causal.positions import KINDS
from neurotrace.causal.writes import WAYS
from neurotrace.checkpoints import Checkpoint, fingerprint

FORMAT = "neurotrace intervention 1"
_MOST_LAYERS = 100_000  # a file that says more is damaged, and counting them would take all memory
_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "model": ("a text", (str,)),
    "weights": ("a text", (str,)),
    "step": ("a whole number", (int,)),
    "layers": ("a whole number", (int,)),
    "width": ("a whole number", (int,)),
    "neurons": ("an object of names and numbers", (dict,)),
    "how": ("a text", (str,)),
    "positions": ("a text", (str,)),
    "path": ("a text", (str,)),
    "prompt": ("a text or null", (str, type(None))),
    "temperature": ("a number", (int, float)),
    "top_p": ("a number or null", (int, float, type(None))),
    "max_new_tokens": ("a whole number", (int,)),
    "seeds": ("a list of whole numbers", (list,)),
    "note": ("a text", (str,)),
}


@dataclass(frozen=True)
class Intervention:
    """Neurons of one checkpoint held at some values while it writes texts.

    Plain neurons alone: directions and rotated units have no names that a reader could check.

    Attributes
    ----------
    model, step, weights
        The checkpoint: name of its series, updates, and the fingerprint of its weights.
    layers, width
        Layers, and neurons of each.
    neurons
        Names such as ``L3.N117``.
    values
        One a neuron; 0 where ``how`` is ``zero``.
    how, positions
        As in :func:`clamp`.
    path
        The site, and the pooling that the values come from.
    prompt, temperature, top_p, max_new_tokens, seeds
        As in :func:`generate`.
    note
        What it is meant to show.

    Raises
    ------
    ValueError
        For anything that could not be run, naming it.
    """

    model: str
    step: int
    weights: str
    layers: int
    width: int
    neurons: tuple[str, ...]
    values: tuple[float, ...]
    how: str = "set"
    positions: str = "all"
    path: str = "mlp.hook_post/max"
    prompt: str | None = None
    temperature: float = 1.0
    top_p: float | None = None
    max_new_tokens: int = 64
    seeds: tuple[int, ...] = (0,)
    note: str = ""

    def __post_init__(self) -> None:
        if self.how not in WAYS:
            raise ValueError(f"got how {self.how!r}; valid are {', '.join(WAYS)}")
        if self.positions not in KINDS:
            raise ValueError(f"got positions {self.positions!r}; valid are {', '.join(KINDS)}")
        if len(self.values) != len(self.neurons):
            raise ValueError(f"got {len(self.values)} values for {len(self.neurons)} neurons")
        for name, value in zip(self.neurons, self.values, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"got value {value} of {name}; expected a finite number")
        if not (0 < self.layers <= _MOST_LAYERS and self.width > 0):
            raise ValueError(f"got {self.layers} layers of {self.width} neurons; expected some")
        named.flat(self.neurons, (self.width,) * self.layers)
        if capture_sites.parse(self.path).rotation is not None:
            raise ValueError(f"got path {self.path!r}; expected one without rotation")
        check(self.max_new_tokens, self.temperature, self.top_p)
        if not self.seeds or min(self.seeds) < 0:
            raise ValueError(f"got seeds {list(self.seeds)}; expected at least one, none below 0")

    @classmethod
    def on(
        cls,
        checkpoint: Checkpoint,
        neurons: named.Neurons,
        values: float | Sequence[float] = 0.0,
        *,
        model: HookedModel,
        how: str = "set",
        positions: str = "all",
        path: str = "mlp.hook_post/max",
        prompt: str | None = None,
        temperature: float = 1.0,
        top_p: float | None = None,
        max_new_tokens: int = 64,
        seeds: Sequence[int] = (0,),
        note: str = "",
    ) -> Self:
        """The intervention on a checkpoint, whose model gives layers and width."""
        widths = named.widths_of(model, capture_sites.parse(path).site)
        names = tuple(named.names(neurons, widths))
        held = torch.as_tensor(values, dtype=torch.float64).expand(len(names)).tolist()
        return cls(
            model=checkpoint.model,
            step=checkpoint.step,
            weights=fingerprint(checkpoint.path),
            layers=len(widths),
            width=widths[0],
            neurons=names,
            values=(0.0,) * len(names) if how == "zero" else tuple(held),
            how=how,
            positions=positions,
            path=path,
            prompt=prompt,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seeds=tuple(int(seed) for seed in seeds),
            note=note,
        )

    def write(self, path: str | Path) -> Path:
        """Write the file; reading it gives the same intervention, to the last digit."""
        told = asdict(self)
        values = told.pop("values")
        told["neurons"] = dict(zip(self.neurons, values, strict=True))
        ordered = {"format": FORMAT, **{name: told[name] for name in _TYPES}}
        text = json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False)
        Path(path).write_text(f"{text}\n", encoding="utf-8")
        return Path(path)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a file that :meth:`write` made, or a person by hand.

        Raises
        ------
        FileNotFoundError
            When there is none.
        ValueError
            For what is no such file, in one line that names it.
        """
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(f"got no file {file.name}; expected an intervention in JSON")
        try:
            told = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once)
        except UnicodeDecodeError:
            raise ValueError(f"{file.name}: got bytes that are not UTF-8 text") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"{file.name}: not JSON (line {error.lineno}: {error.msg})") from None
        except RecursionError:
            raise ValueError(f"{file.name}: got brackets in brackets without end") from None
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from None
        try:
            return cls(**_arguments(told))
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from None

    def fits(self, model: HookedModel) -> None:
        """Refuse a model of another shape: its neurons are others.

        Raises
        ------
        ValueError
            Naming both shapes.
        """
        widths = named.widths_of(model, self.site)
        if widths != (self.width,) * self.layers:
            raise ValueError(
                f"got a model of {len(widths)} layers of {widths[0]} neurons; "
                f"expected {self.layers} of {self.width}"
            )

    def refuse_other(self, checkpoint: str | Path) -> None:
        """Refuse a checkpoint folder with other weights: neurons of another run mean nothing there.

        Raises
        ------
        ValueError
            Naming the checkpoint that is expected.
        """
        if fingerprint(checkpoint) != self.weights:
            raise ValueError(
                f"got {Path(checkpoint).name}, whose weights are not those of {self.model} at step "
                f"{self.step}; --allow-other runs it all the same"
            )

    def run(self, model: HookedModel, *, n: int | None = None) -> Generated:
        """Let the model write under this intervention; ``n`` takes the first seeds alone."""
        self.fits(model)
        return generate(
            model,
            seeds=self.seeds[:n],
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            prompt=self.prompt,
            during=clamp(
                model,
                self.neurons,
                self.values,
                how=self.how,
                positions=self.positions,
                site=self.site,
            ),
        )

    @property
    def site(self) -> str:
        """Where the neurons are."""
        return capture_sites.parse(self.path).site


def _arguments(told: Any) -> dict[str, Any]:
    """The fields of a file's object, each of the type it must have."""
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        given = told.get("format") if isinstance(told, dict) else type(told).__name__
        raise ValueError(f"got format {given!r}; expected {FORMAT!r}")
    fine = {name: value for name, value in told.items() if name != "format"}
    unknown = sorted(set(fine) - set(_TYPES))
    if unknown:
        raise ValueError(f"got {unknown[0]!r}; valid are {', '.join(_TYPES)}")
    needed = {f.name for f in fields(Intervention)[:6]}
    missing = sorted(needed - set(fine))
    if missing:
        raise ValueError(f"got no {missing[0]!r}")
    for name, value in fine.items():
        _refuse_type(name, value)
    try:
        fine["values"] = tuple(float(value) for value in fine["neurons"].values())
    except OverflowError:  # fine JSON all the same
        raise ValueError("got a value too large for a number of 64 bits") from None
    fine["neurons"] = tuple(fine["neurons"])
    if "seeds" in fine:
        fine["seeds"] = tuple(fine["seeds"])
    return fine


def _refuse_type(name: str, value: Any) -> None:
    wanted, types = _TYPES[name]
    right = isinstance(value, types) and not isinstance(value, bool)
    if right and name == "neurons":
        right = all(_number(held, (int, float)) for held in value.values())
    if right and name == "seeds":
        right = all(_number(seed, (int,)) for seed in value)
    if not right:
        raise ValueError(f"got {name} {json.dumps(value)!s:.60}; expected {wanted}")


def _number(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    """A JSON object; a name that stands twice would silently lose its first value."""
    told = dict(pairs)
    if len(told) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"got {twice!r} twice; expected every name once")
    return told
