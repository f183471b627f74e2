"""The plain back end: Hugging Face's own modules with ordinary torch hooks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from neurotrace.capture.families import FAMILIES, Family
from neurotrace.capture.sites import NEURON_SITES

Place = tuple[str, int | None]  # site, block (None for `embed`)
Reader = Callable[[Tensor], None]
Editor = Callable[[Tensor], Tensor]
Model = Any  # a transformers.PreTrainedModel; torch types what it holds as Tensor | Module


class UnsupportedModel(ValueError):
    """A model whose neurons cannot be reached, or not rightly; the message says what can be."""


def family_of(model: Model, sites: Sequence[str]) -> Family:
    """The row of a model in the table of families.

    Raises
    ------
    UnsupportedModel
        For a family without a row, and for a mixture of experts whose neurons are asked for.
    """
    kind = str(model.config.model_type)
    if kind not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise UnsupportedModel(f"got a model of family {kind!r}; known families are {known}")
    family = FAMILIES[kind]
    if not family.down and set(sites) & set(NEURON_SITES):
        raise UnsupportedModel(
            f"got a {kind} model, a mixture of experts: its neurons run inside one fused module "
            "and only the MLP's output can be hooked; valid sites are hook_resid_post and embed"
        )
    return family


@contextmanager
def plain_hooks(model: Model, hooks: Mapping[Place, Reader | Editor]) -> Iterator[None]:
    """Call each hook with the values at its place, as long as the ``with`` lasts.

    What an editor returns takes the place of the values.
    """
    family = FAMILIES[str(model.config.model_type)]
    with ExitStack() as stack:
        for place, hook in hooks.items():
            stack.callback(_attach(model.base_model, family, place, hook).remove)
        yield


def down_projection(model: Model, layer: int) -> nn.Module:
    """The module of a block that reads its MLP neurons and writes into the residual stream."""
    family = FAMILIES[str(model.config.model_type)]
    block = model.base_model.get_submodule(f"{family.blocks}.{layer}")
    return block.get_submodule(family.down)


def _attach(body: nn.Module, family: Family, place: Place, hook: Reader | Editor) -> Any:
    """One hook: on the input of the down-projection, or on the output of another module."""
    site, layer = place
    if site == "embed":
        return body.get_submodule(family.embed).register_forward_hook(_output(hook))
    block = body.get_submodule(f"{family.blocks}.{layer}")
    if site == "mlp.hook_post":
        return block.get_submodule(family.down).register_forward_pre_hook(_input(hook))
    name = {"mlp.hook_pre": family.pre, "mlp.hook_out": family.mlp, "hook_resid_post": ""}[site]
    return block.get_submodule(name).register_forward_hook(_output(hook))


def _input(hook: Reader | Editor) -> Callable[..., Any]:
    def function(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        edited = hook(inputs[0])
        return None if edited is None else (edited, *inputs[1:])

    return function


def _output(hook: Reader | Editor) -> Callable[..., Any]:
    def function(_: nn.Module, __: Any, output: Any) -> Any:
        # Some blocks return a tuple with attention weights behind the state, some the state alone.
        if not isinstance(output, tuple):
            return hook(output)
        edited = hook(output[0])
        return None if edited is None else (edited, *output[1:])

    return function
