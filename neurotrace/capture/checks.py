"""What is checked of every loaded model by running it on two made-up sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from neurotrace.capture.devices import home
from neurotrace.capture.plain import Model, Place, UnsupportedModel
from neurotrace.capture.sites import NEURON_SITES

# Largest difference between back ends, as a share of the site's largest value. Half precision
# rounds differently in the two attention implementations.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


def places(sites: Sequence[str], n_layers: int, *, whole_mlp: bool = True) -> list[Place]:
    """Where to look: the sites in every block and, beside neurons, the MLP's output.

    Parameters
    ----------
    whole_mlp
        Whether a module holds the MLP, so that its output can be looked at.
    """
    in_blocks = [site for site in sites if site != "embed"]
    if whole_mlp and set(sites) & set(NEURON_SITES):
        in_blocks.append("mlp.hook_out")
    found: list[Place] = [("embed", None)] if "embed" in sites else []
    return found + [(site, layer) for layer in range(n_layers) for site in in_blocks]


def sentences(model: Model) -> tuple[Tensor, Tensor]:
    """Ids and mask ``(2, 6)``, the second sentence shorter by two."""
    device = home(model)
    # Any ids do; different ones at every place show sites that mix up axes.
    ids = (torch.arange(12, device=device).reshape(2, 6) * 7 + 3) % vocabulary_of(model.config)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    return ids, mask


def vocabulary_of(config: Any) -> int:
    """Token ids of a model, those of its text where it knows images too."""
    return int(config.get_text_config().vocab_size)


def refuse_difference(
    model: Model, plain: Mapping[Place, Tensor], bridged: Mapping[Place, Tensor]
) -> None:
    """Refuse a bridge whose values are not those of plain hooks on the same weights."""
    tolerance = TOLERANCE[next(model.parameters()).dtype]
    for place, truth in plain.items():
        got = bridged.get(place)
        name = f"{model.config.model_type}: {_name(place)}"
        if got is None or got.shape != truth.shape:
            shape = None if got is None else tuple(got.shape)
            raise UnsupportedModel(f"{name}: got {shape}; expected {tuple(truth.shape)}")
        # Weights may hold NaN: the run will name the sentence; here equal means equal where finite.
        both = torch.isfinite(truth) & torch.isfinite(got)
        difference = (got - truth)[both].abs()
        scale = truth[both].abs()
        if len(scale) and difference.max() > tolerance * scale.max().clamp(min=1e-6):
            raise UnsupportedModel(
                f"{name}: the bridge differs from plain hooks by {float(difference.max()):.3g} "
                f"at values up to {float(scale.max()):.3g}; use backend='plain'"
            )


def refuse_outputs(model: Model, values: Mapping[Place, Tensor]) -> None:
    """Refuse a "neuron" site that is nothing but the MLP's output (mixtures of experts)."""
    for (site, layer), x in values.items():
        output = values.get(("mlp.hook_out", layer))
        if site in NEURON_SITES and output is not None and x.shape == output.shape:
            if torch.equal(x.nan_to_num(), output.nan_to_num()):
                raise UnsupportedModel(
                    f"{model.config.model_type}: {site} of layer {layer} is the MLP's output, not "
                    "its neurons; valid sites are hook_resid_post and embed"
                )


def widths(model: Model, values: Mapping[Place, Tensor], sites: Sequence[str]) -> dict[str, int]:
    """Columns of each site, taken from its values: configurations are not to be trusted here."""
    found = {}
    for site in sites:
        sizes = {int(x.shape[-1]) for (name, _), x in values.items() if name == site}
        if len(sizes) != 1:
            raise UnsupportedModel(
                f"{model.config.model_type}: {site} has widths {sorted(sizes)}; expected one width "
                "in all layers"
            )
        found[site] = sizes.pop()
    return found


def _name(place: Place) -> str:
    site, layer = place
    return site if layer is None else f"{site} of layer {layer}"
