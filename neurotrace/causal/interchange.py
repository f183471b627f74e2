"""Does a language read what another language's neurons say? The interchange test.

A concept's neuron values, taken from a sentence of the source language, are written into a
neutral frame of the target language. If the concept's words of the target language become
likelier, what those neurons write is common to both languages, whether or not the same neurons
are experts in both.
"""

from collections.abc import Sequence

import xarray as xr

from neurotrace.capture import HookedModel
from neurotrace.causal.arms import MATCHED, ON_REQUEST, Arms
from neurotrace.causal.ingredients import Experts, Source
from neurotrace.causal.materials import Materials
from neurotrace.causal.neurons import widths_of
from neurotrace.causal.stage import SITE, Arm, Stage
from neurotrace.causal.use import node_draws


def interchange(
    model: HookedModel,
    experts: Experts,
    source: Source,
    target: Materials,
    *,
    arms: Sequence[str] | None = None,
    rotated: tuple[Experts, Source] | None = None,
    frames_per_language: int = 4,
    seed: int = 0,
    batch_rows: int = 4096,
) -> xr.Dataset:
    """Effects of writing source-language values into target-language frames, one checkpoint.

    At all positions but the start token and in all layers, the experts' neurons are set to what
    they are in a source sentence (its pooled activations). The outcome, in nats, is the change of
    the mean log p of the concept's words as the next token, minus that of the other concepts':

        Δ mean_w log p(w of c) − mean_c′≠c Δ mean_w log p(w of c′),   Δ = forced − unforced

    Parameters
    ----------
    experts, source
        Chosen on half A, and read on half B; see
        :func:`neurotrace.trajectories.handles`.
    target
        Frames and words of the target languages.
    arms
        ``experts``; ``random_matched``: as many neurons of every layer, set to their values in
        the same sentence, the change rescaled to the size of the experts'; ``random``: the same,
        as it comes; ``wrong_concept``: experts and values of another concept, size matched;
        ``source_only``: experts of the source that are none in the target language; ``rotated``:
        experts among the units of a rotated basis, written along their directions, as they come
        (``rotated_matched``, on request: size matched); ``direction``:
        the coordinate along the difference in means, size matched (the ceiling of steering). Size
        is ‖W_out·Δa‖ at each token and layer. By default all that the ingredients allow; the
        experts are always among them.
    rotated
        Experts and source of the rotated basis.
    frames_per_language
        Frames, each with another source sentence and another draw of random neurons.
    batch_rows
        Rows of a forward pass.

    Returns
    -------
    Over (arm): ``across``, the mean over concepts and ordered pairs of languages, ``within``, that
    of a language's values written into itself, and ``ratio``, the one over the other; intervals
    come from :func:`neurotrace.causal.summarize_interchange`.
    Over (arm, concept, lang_a, lang_b), source and target: ``value``, the mean over frames
    (across languages off the diagonal, within one on it), and ``se``, its standard error over
    frames; over (arm): ``size``, the mean size of the change. ``chance`` is the value of
    ``random_matched``, ``ceiling`` (concept, lang_b) that of the experts within the language.

    Raises
    ------
    ValueError
        For an unknown arm, or ingredients that do not fit the model or the materials.

    Notes
    -----
    After the interchange interventions of Geiger et al. (2021), arXiv:2106.02997. Here the source
    is another language's sentence, and a pooled one, so that frames need not be aligned with it.
    """
    languages, concepts = common(model, experts, source, target, rotated)
    makers = Arms(experts, source, rotated, frames_per_language, seed, model.device)
    default = [name for name in makers.available() if name not in ON_REQUEST]
    names = default if arms is None else ["experts", *arms]
    chosen = [
        Arm(name, makers.change(name), "experts" if name in MATCHED else "own")
        for name in dict.fromkeys(names)
    ]
    stage = Stage(model, experts, target, chosen, frames_per_language, batch_rows)
    result = stage.effects(concepts, languages)
    result = result.assign_coords(arm=[arm.name for arm in chosen])
    # Within a language no expert is the source's alone.
    alone = (result["arm"] == "source_only") & (result["lang_a"] == result["lang_b"])
    result = result.where(~alone)
    result["size"] = ("arm", stage.sizes())
    result["ceiling"] = _diagonal(result["value"].sel(arm="experts"))
    means = node_draws(result["value"], replicates=0, seed=seed).isel(replicate=0, drop=True)
    result = result.assign({name: means[name] for name in ("across", "within", "ratio")})
    if "random_matched" in names:
        result["chance"] = result["value"].sel(arm="random_matched", drop=True)
    left = "; ".join([*target.left_out, *_lacking(experts, target)])
    return result.assign_attrs(unit="nats", frames_per_language=frames_per_language, left_out=left)


def common(
    model: HookedModel,
    experts: Experts,
    source: Source,
    target: Materials,
    rotated: tuple[Experts, Source] | None = None,
) -> tuple[list[str], list[str]]:
    """Languages and concepts that experts and materials both have, in the experts' order.

    Raises
    ------
    ValueError
        When the ingredients do not fit each other or the model, or fewer than two concepts or no
        language are left.
    """
    widths = widths_of(model, SITE)
    for sets, read in [(experts, source), *([rotated] if rotated else [])]:
        if sets.widths != widths:
            raise ValueError(f"got experts of layers {sets.widths}; the model has {widths}")
        shape = (len(sets.concepts), len(sets.languages), sum(widths))
        if (*read.values.shape[:2], read.values.shape[3]) != shape:
            raise ValueError(
                f"got source values of shape {read.values.shape}; expected "
                f"({shape[0]}, {shape[1]}, sentence, {shape[2]})"
            )
    if rotated and (rotated[0].concepts, rotated[0].languages, rotated[0].rotation is None) != (
        experts.concepts, experts.languages, False,
    ):  # fmt: skip
        raise ValueError("got rotated experts of other concepts, languages or no rotation")
    languages = [lang for lang in experts.languages if lang in target.languages]
    concepts = [concept for concept in experts.concepts if concept in target.concepts]
    if len(concepts) < 2 or not languages:
        raise ValueError(
            f"got {len(concepts)} concepts and {len(languages)} languages that experts and "
            "materials both have; expected two concepts and a language at least"
        )
    return languages, concepts


def _diagonal(value: xr.DataArray) -> xr.DataArray:
    """``(concept, lang_b)``: a language's values written into itself."""
    own = value.where(value["lang_a"] == value["lang_b"])
    return own.max("lang_a").drop_vars("arm", errors="ignore")


def _lacking(experts: Experts, target: Materials) -> list[str]:
    """What has experts and no materials, and is not accounted for yet."""
    told = {line.split(":")[0] for line in target.left_out}
    names = [*experts.languages, *experts.concepts]
    known = {*target.languages, *target.concepts, *told}
    return [f"{name}: no frames or words" for name in names if name not in known]
