"""The plain back end: Hugging Face's own modules with ordinary torch hooks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from neurotrace.capture.families import AROUND, FAMILIES, Family, Name, Part, Stack, inside
from neurotrace.capture.fused import put, take
from neurotrace.capture.sites import LINEAR_SITES, NEURON_SITES, SHARED

Place = tuple[str, int | None]  # site, block (None for `embed`)
Reader = Callable[[Tensor], None]
Editor = Callable[[Tensor], Tensor]
Model = Any  # a transformers.PreTrainedModel; torch types what it holds as Tensor | Module

STACKS = ("encoder", "decoder")


class UnsupportedModel(ValueError):
    """A model whose neurons cannot be reached, or not rightly; the message says what can be."""


def family_of(model: Model, sites: Sequence[str], *, stack: str = "auto") -> Family:
    """The row of a model in the table of families.

    Raises
    ------
    UnsupportedModel
        For a family without a row, a stack that it lacks, and sites that it lacks: a mixture of
        experts whose neurons are asked for, the gate of an MLP without one.
    """
    family = known_family(model.config)
    row = family.stacks[stack_of(model, stack)]
    block = model.base_model.get_submodule(f"{row.blocks}.0")
    missing = [site for site in sites if not has_site(block, row, site)]
    if not missing:
        return family
    kind, valid = model.config.model_type, ", ".join(valid_sites(block, row))
    if not row.down and set(missing) & {*NEURON_SITES, "mlp.in", "mlp.gate", "mlp.out"}:
        raise UnsupportedModel(
            f"got a {kind} model, a mixture of experts: its neurons run inside one fused module "
            f"and only the MLP's output can be hooked; valid sites are {valid}"
        )
    raise UnsupportedModel(
        f"got site {missing[0]!r}, which a {kind} model lacks; valid are {valid}"
    )


def known_family(config: Any) -> Family:
    """The row of a configuration.

    Raises
    ------
    UnsupportedModel
        For a family without a row, listing those that have one.
    """
    kind = str(config.model_type)
    if kind in AROUND:
        return inside(FAMILIES[AROUND[kind]])
    if kind not in FAMILIES:
        known = ", ".join([*FAMILIES, *AROUND])
        raise UnsupportedModel(f"got a model of family {kind!r}; known families are {known}")
    return FAMILIES[kind]


def stack_of(model: Model, stack: str = "auto") -> str:
    """The stack that is meant: ``auto`` is the encoder where there are two, else the only one.

    Raises
    ------
    UnsupportedModel
        For a stack that the model lacks.
    ValueError
        For a name that is none.
    """
    if stack not in ("auto", *STACKS):
        raise ValueError(f"got stack {stack!r}; valid are auto, {', '.join(STACKS)}")
    valid = known_family(model.config).stacks
    if stack == "auto":
        return next(iter(valid))
    if stack not in valid:
        raise UnsupportedModel(
            f"got stack {stack!r} of a {model.config.model_type} model; valid is {', '.join(valid)}"
        )
    return stack


def row_of(model: Model, stack: str = "auto") -> Stack:
    """Where the sites of one stack of a model lie."""
    return known_family(model.config).stacks[stack_of(model, stack)]


def valid_sites(block: nn.Module, row: Stack) -> list[str]:
    """Sites that a block has, and ``embed``."""
    sites = (*NEURON_SITES, SHARED, *LINEAR_SITES, "hook_resid_post")
    return [*(site for site in sites if has_site(block, row, site)), "embed"]


def has_site(block: nn.Module, row: Stack, site: str) -> bool:
    """Whether a block has a site; the embedding every model has."""
    if site in ("embed", "hook_resid_post"):
        return True
    return bool(_name(block, _of_site(block, row, site)))


@contextmanager
def plain_hooks(
    model: Model, hooks: Mapping[Place, Reader | Editor], *, stack: str = "auto"
) -> Iterator[None]:
    """Call each hook with the values at its place, as long as the ``with`` lasts.

    What an editor returns takes the place of the values.
    """
    row = row_of(model, stack)
    with ExitStack() as attached:
        for place, hook in hooks.items():
            attached.callback(_attach(model, row, place, hook).remove)
        yield


def down_projection(model: Model, layer: int, *, stack: str = "auto") -> nn.Module:
    """The module of a block that reads its MLP neurons and writes into the residual stream."""
    row = row_of(model, stack)
    block = model.base_model.get_submodule(f"{row.blocks}.{layer}")
    return _module(block, row.down, f"{model.config.model_type}, block {layer}")


def width_of(model: Model, site: str, *, stack: str = "auto") -> int:
    """Columns of a site, from the first block's modules; also of a model without weights."""
    row = row_of(model, stack)
    body = model.base_model
    if site == "embed":
        return int(body.get_submodule(row.embed).weight.shape[1])
    block = body.get_submodule(f"{row.blocks}.0")
    # What the attention writes is as wide as the residual stream that it is added to.
    name = row.out if site == "hook_resid_post" else _of_site(block, row, site)
    width_in, width_out = _sizes(_module(block, name, f"{model.config.model_type}, block 0"))
    if isinstance(name, Part):
        fused = torch.empty((1, 1, width_out), device="meta")
        return take(fused, name, model.config).shape[-1]
    return width_in if site in ("mlp.hook_post", SHARED) else width_out


# Sites that are outputs of a module, by the field of the row that names it.
_FIELDS = {
    "attn.q": "q",
    "attn.k": "k",
    "attn.v": "v",
    "attn.out": "out",
    "mlp.in": "up",
    "mlp.gate": "gate",
    "mlp.out": "down",
    "mlp.hook_out": "mlp",
}


def _of_site(block: nn.Module, row: Stack, site: str) -> Name:
    """What a row says of a site's module."""
    if site == "mlp.hook_pre":
        return row.gate if _name(block, row.gate) else row.up
    field = {"mlp.hook_post": "down", SHARED: "shared"}.get(site) or _FIELDS[site]
    found: Name = getattr(row, field)
    return found


def _name(block: nn.Module, name: Name) -> str | Part:
    """The name that a block has, of several; empty where it has none of them."""
    if not isinstance(name, tuple):
        return name
    held = {held for held, _ in block.named_modules()}
    return next((one for one in name if one in held), "")


def _module(block: nn.Module, name: Name, where: str) -> nn.Module:
    """The module of a block that a row names; of a part, the fused one."""
    found = _name(block, name)
    path = found.module if isinstance(found, Part) else found
    try:
        return block.get_submodule(path)
    except AttributeError:
        raise UnsupportedModel(
            f"{where}: got no module {path}; expected every block alike"
        ) from None


def _sizes(module: nn.Module) -> tuple[int, int]:
    """Inputs and outputs of a linear map."""
    shape = tuple(int(size) for size in module.weight.shape)  # type: ignore[union-attr]
    # GPT-2 keeps its maps the other way round.
    return (shape[0], shape[1]) if is_turned(module) else (shape[1], shape[0])


def is_turned(module: nn.Module) -> bool:
    """Whether a linear map keeps its weight as (input, output), as GPT-2's do."""
    return type(module).__name__ == "Conv1D"


def _attach(model: Model, row: Stack, place: Place, hook: Reader | Editor) -> Any:
    """One hook: on the input of a down-projection, or on the output of another module."""
    site, layer = place
    if site == "embed":
        return model.base_model.get_submodule(row.embed).register_forward_hook(_output(hook))
    block = model.base_model.get_submodule(f"{row.blocks}.{layer}")
    if site == "hook_resid_post":
        return block.register_forward_hook(_output(hook))
    name = _of_site(block, row, site)
    module = _module(block, name, f"{model.config.model_type}, {site} of layer {layer}")
    if isinstance(name, Part):
        return module.register_forward_hook(_output(_partly(hook, name, model.config)))
    if site in ("mlp.hook_post", SHARED):
        return module.register_forward_pre_hook(_input(hook))
    return module.register_forward_hook(_output(hook))


def _partly(hook: Reader | Editor, part: Part, config: Any) -> Callable[[Tensor], Any]:
    """A hook that sees one part of a fused output, and replaces that part alone."""

    def function(x: Tensor) -> Any:
        edited = hook(take(x, part, config))
        return None if edited is None else put(x, part, config, edited)

    return function


def _input(hook: Reader | Editor) -> Callable[..., Any]:
    def function(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        edited = hook(inputs[0])
        return None if edited is None else (edited, *inputs[1:])

    return function


def _output(hook: Callable[[Tensor], Any]) -> Callable[..., Any]:
    def function(_: nn.Module, __: Any, output: Any) -> Any:
        # Some blocks return a tuple with attention weights behind the state, some the state alone.
        if not isinstance(output, tuple):
            return hook(output)
        edited = hook(output[0])
        return None if edited is None else (edited, *output[1:])

    return function
