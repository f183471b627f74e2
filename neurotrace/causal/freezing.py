"""Which parameters of a model a freeze list names: blocks by number, and three parts by name."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from neurotrace.capture.plain import Model, UnsupportedModel, family_of

PARTS = ("embed", "norm", "head")
Part = int | str


def freeze_parts(model: Model, freeze: Sequence[Part]) -> list[str]:
    """Keep the named parts of a model as they are, and let everything else learn.

    Parameters
    ----------
    freeze
        Numbers of blocks, counted from 0, and names: ``"embed"`` is everything before the blocks,
        ``"norm"`` what follows them, ``"head"`` the language model's output matrix. A list of
        what is meant, never a count: the released code of Wilie et al. (2025) freezes blocks 0–8
        where its text says the first eight, and another version of it 0–6.

    Returns
    -------
    Names of the frozen parameters. With tied embeddings ``embed`` and ``head`` are one matrix:
    freezing either freezes both.

    Raises
    ------
    ValueError
        For a name or block that the model lacks, listing the valid ones, or a part named twice.
    """
    found = parts(model)
    wanted = check_freeze(freeze, sum(isinstance(part, int) for part in found))
    frozen = {id(parameter) for part in wanted for parameter in found[part]}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) not in frozen)
    # Names as the model gives them: of a tied matrix only the first.
    return [name for name, parameter in model.named_parameters() if id(parameter) in frozen]


def parts(model: Model) -> dict[Part, list[nn.Parameter]]:
    """The parameters of each block, and of ``embed``, ``norm`` and ``head``; all have a place.

    Raises
    ------
    UnsupportedModel
        For a family that is not known or not causal, or one that keeps parameters elsewhere.
    """
    family, body = family_of(model, ()), model.base_model
    name, kind = family.blocks, model.config.model_type
    if family.auto != "causal" or "." in name:
        why = f"which is {family.auto}" if family.auto != "causal" else f"with its blocks in {name}"
        raise UnsupportedModel(
            f"got a {kind} model, {why}; expected a causal one whose body holds its blocks itself"
        )
    children = dict(body.named_children())
    at = list(children).index(name)
    before, after = list(children.values())[:at], list(children.values())[at + 1 :]
    output = model.get_output_embeddings()
    found: dict[Part, list[nn.Parameter]] = {
        **{number: list(block.parameters()) for number, block in enumerate(children[name])},
        "embed": [*body.parameters(recurse=False), *_parameters(before)],
        "norm": _parameters(after),
        "head": [] if output is None else list(output.parameters()),
    }
    placed = {id(parameter) for own in found.values() for parameter in own}
    lost = [key for key, parameter in model.named_parameters() if id(parameter) not in placed]
    if lost:
        raise UnsupportedModel(f"got parameter {lost[0]}; expected it in a block or in {PARTS}")
    return found


def check_freeze(freeze: Any, n_layers: int) -> list[Part]:
    """A freeze list, seen to name parts of a model of so many blocks, each once.

    Returns
    -------
    Blocks in ascending order, then names.

    >>> check_freeze(["head", 2, 0], 4)
    [0, 2, 'head']
    """
    valid = f"valid are 0 to {n_layers - 1}, {', '.join(PARTS)}"
    listed = as_list(freeze)
    wanted: list[Part] = [part if isinstance(part, str) else _block(part) for part in listed]
    for part in wanted:
        if not (part in PARTS if isinstance(part, str) else 0 <= part < n_layers):
            raise ValueError(f"got freeze {part!r}; {valid}")
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"got freeze {listed} with a part twice; {valid}")
    blocks = sorted(part for part in wanted if not isinstance(part, str))
    return [*blocks, *(name for name in PARTS if name in wanted)]


def as_list(freeze: Any) -> list[Any]:
    """A freeze list, seen to be one: no single block, name or count."""
    if isinstance(freeze, str | int):
        raise ValueError(
            f"got freeze {freeze!r}; expected a list of blocks and names, such as [0, 1, 'embed']"
        )
    return list(freeze)


def _block(part: Any) -> int:
    if isinstance(part, bool) or int(part) != part:
        raise ValueError(f"got freeze {part!r}; expected the number of a block")
    return int(part)


def _parameters(modules: Sequence[nn.Module]) -> list[nn.Parameter]:
    return [parameter for module in modules for parameter in module.parameters()]
