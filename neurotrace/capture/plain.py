"""The plain back end: Hugging Face's own modules with ordinary torch hooks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from neurotrace.capture.families import FAMILIES, Family
from neurotrace.capture.sites import NEURON_SITES

Place = tuple[str, int | None]  # site, block (None for `embed`)
Reader = Callable[[Tensor], None]
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
def plain_hooks(model: Model, readers: Mapping[Place, Reader]) -> Iterator[None]:
    """Call each reader with the values at its place, as long as the ``with`` lasts."""
    family = FAMILIES[str(model.config.model_type)]
    with ExitStack() as stack:
        for place, reader in readers.items():
            stack.callback(_attach(model.base_model, family, place, reader).remove)
        yield


def _attach(body: nn.Module, family: Family, place: Place, reader: Reader) -> Any:
    """One hook: on the input of the down-projection, or on the output of another module."""
    site, layer = place
    if site == "embed":
        return body.get_submodule(family.embed).register_forward_hook(_output(reader))
    block = body.get_submodule(f"{family.blocks}.{layer}")
    if site == "mlp.hook_post":
        return block.get_submodule(family.down).register_forward_pre_hook(_input(reader))
    name = {"mlp.hook_pre": family.pre, "mlp.hook_out": family.mlp, "hook_resid_post": ""}[site]
    return block.get_submodule(name).register_forward_hook(_output(reader))


def _input(reader: Reader) -> Callable[..., None]:
    def function(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        reader(inputs[0])

    return function


def _output(reader: Reader) -> Callable[..., None]:
    def function(_: nn.Module, __: Any, output: Any) -> None:
        # Some blocks return a tuple with attention weights behind the state, some the state alone.
        reader(output[0] if isinstance(output, tuple) else output)

    return function
