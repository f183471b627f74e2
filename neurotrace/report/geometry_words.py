"""What the geometry allows one to say: each value beside its chance, verdicts only beyond a band.

ILO and C-OVERLAP saturate on noise, so no sentence gives them alone; alignment is called necessary
and never sufficient.
"""

from collections.abc import Iterator
from math import isfinite

import numpy as np
import xarray as xr

from neurotrace.report.cause_words import NECESSARY
from neurotrace.report.reading import (
    Results,
    Said,
    attribute,
    between,
    by_family,
    count,
    curve,
    demand,
    number,
    step_names,
)

ALPHA = 0.05
NAMED = 3  # correlations in a sentence
SATURATES = "{} saturates on noise, so only what leaves its chance counts"
APART = (
    "C-ALIGN compares clusters found in each language by itself, and rises where languages share "
    "no space, too."
)
ROLES = "Words of one role lie together, too, so that a little more is no evidence of meaning."
LEAD = (
    "ILO and C-OVERLAP saturate on noise: nothing is read from them but what leaves their chance. "
    + NECESSARY
)


def findings_of_geometry(results: Results) -> Iterator[str]:
    """One sentence or two for each result of geometry.

    Raises
    ------
    ValueError
        Where a Dataset has no ``chance``.
    """
    for part in (_ilo, _companions, _concepts, _embeddings, _change, _distances):
        yield from part(results)


def spaces(results: Results) -> Iterator[Said]:
    """What leaves its band of chance, for the first paragraph; nothing where no band was drawn."""
    parts = [text for text in (_ilo_short(results), _concepts_short(results)) if text]
    if parts:
        aligned = f" {APART}" if _concepts_short(results) else ""
        said = f"{' '.join(parts)}{aligned} {NECESSARY}"
        yield Said("The spaces of the languages", said, "note")  # mixing is no meaning


def layers_outside(found: xr.Dataset) -> tuple[int, int, int]:
    """Layers above and below their band of chance at the last step, and all that have a band."""
    value, low, high = (
        by_family(found, "layer", name) if name in found else {}
        for name in ("value", "chance_low", "chance_high")
    )
    layers = [layer for layer in value if layer in low and isfinite(low[layer][-1])]
    above = sum(value[layer][-1] > high[layer][-1] for layer in layers)
    return int(above), int(sum(value[layer][-1] < low[layer][-1] for layer in layers)), len(layers)


def _verdict(found: xr.Dataset, above: str, below: str) -> str:
    up, down, of = layers_outside(found)
    if not of:
        return "no band of chance was drawn, so nothing is concluded"
    parts = [f"{words} in {n} of {of} layers" for n, words in ((up, above), (down, below)) if n]
    return " and ".join(parts) or f"it stays within the band of chance in all {of} layers"


def with_chance(found: xr.Dataset, name: str, chance: str, digits: int = 3) -> str:
    """A value at the last step and its chance with a band where there is one."""
    low, high = (curve(found, f"{chance}_{end}")[-1] for end in ("low", "high"))
    band = between(low, high, digits)
    level = f"{number(curve(found, chance)[-1], digits)} {band}".rstrip()
    return f"{number(curve(found, name)[-1], digits)} (chance {level})"


def _known(found: xr.Dataset, name: str) -> bool:
    return bool(isfinite(curve(found, name)[-1]))


def _ilo_short(results: Results) -> str:
    if "ilo" not in results or not _known(demand(results, "ilo"), "value"):
        return ""
    found = results["ilo"]
    said = _verdict(found, "languages meet beyond mixing by lot", "languages keep apart")
    value = with_chance(found, "value", "chance")
    return f"ILO of sentence states is {value} at {step_names(found)[-1]}: {said}."


def _ilo(results: Results) -> Iterator[str]:
    short = _ilo_short(results)
    if not short:
        return
    found = results["ilo"]
    more = (
        f"With each language's mean off it is {with_chance(found, 'centered', 'centered_chance')}"
    )
    spread = with_chance(found, "spread", "spread_chance")
    yield (
        f"{short} {SATURATES.format('ILO')}. {more}. What is beyond chance differs between "
        f"languages by a standard deviation of {spread}."
    )


def _companions(results: Results) -> Iterator[str]:
    if "companions" not in results or not _known(demand(results, "companions"), "value"):
        return
    found = results["companions"]
    layer, best = max(by_family(found, "layer").items(), key=lambda item: item[1][-1])
    chance = number(curve(found, "chance")[-1])
    silent = curve(found, "deranged")[-1]
    deranged = f", deranged translations {number(silent)}" if isfinite(silent) else ""
    yield (
        f"A translation is nearer than every other sentence, both ways (MEXA), in "
        f"{number(best[-1])} of cases at {step_names(found)[-1]} in the best layer, {layer} "
        f"(chance {chance}{deranged}). Over all layers two languages have "
        f"{with_chance(found, 'mutual', 'mutual_chance')} of their neighbours in common, and "
        f"states as they are retrieve {with_chance(found, 'retrieval_raw', 'retrieval_chance')} "
        f"of all translations. {NECESSARY}"
    )


def _concepts_short(results: Results) -> str:
    name = "latent_concepts"
    if name not in results or not _known(demand(results, name), "value"):
        return ""
    found = results[name]
    said = _verdict(found, "clusters have translated counterparts beyond chance",
                    "clusters have fewer counterparts than by chance")  # fmt: skip
    value = with_chance(found, "value", "chance")
    return f"C-ALIGN of words is {value} at {step_names(found)[-1]}: {said}."


def _concepts(results: Results) -> Iterator[str]:
    short = _concepts_short(results)
    if not short:
        return
    found = results["latent_concepts"]
    shared = with_chance(found, "overlap", "overlap_chance")
    stable = with_chance(found, "stability", "stability_chance")
    yield (
        f"{short} C-OVERLAP is {shared}; {SATURATES.format('C-OVERLAP')}. Clusters drawn again "
        f"agree by an adjusted Rand index of {stable}. {APART}"
    )


def _beyond_translations(found: xr.Dataset) -> str:
    """Is the share of translations outside what tokens as frequent give?"""
    value, low, high = (curve(found, f"translations{end}")[-1] for end in ("", "_low", "_high"))
    if not (isfinite(low) and isfinite(high)):
        return ""
    word = "beyond" if value > high else "below" if value < low else "within"
    return f", {word} the band of tokens as frequent {between(low, high)}"


def _embeddings(results: Results) -> Iterator[str]:
    if "embeddings" not in results or not _known(demand(results, "embeddings"), "value"):
        return
    found = results["embeddings"]
    said = [f"Input embeddings tell a script from the rest with accuracy "
            f"{with_chance(found, 'value', 'chance', 2)} at {step_names(found)[-1]}"]  # fmt: skip
    if _known(found, "scripts"):
        mixed = with_chance(found, "scripts", "scripts_chance", 2)
        said.append(f"a token's neighbours are of {mixed} scripts")
    if _known(found, "translations"):
        share = with_chance(found, "translations", "translations_chance")
        beyond = _beyond_translations(found)
        said.append(f"a share of {share} of tokens has a translation among them{beyond}")
    roles = f" {ROLES}" if _known(found, "translations") else ""
    yield f"{'; '.join(said)}.{roles}"


def _change(results: Results) -> Iterator[str]:
    if "evolution" not in results:
        return
    found = demand(results, "evolution")
    names, value, said = step_names(found), curve(found, "value"), []
    if np.isfinite(value).any():
        most = int(np.nanargmax(value))
        said.append(
            f"Sentence states change most up to {names[most]}, by {number(value[most])} from the "
            f"checkpoint before (1 − debiased CKA: 0 is no change, unrelated states have a chance "
            f"level of 1)"
        )
    if _known(found, "apart") and "apart_chance" in found:
        said.append(
            f"translations in two languages lie {with_chance(found, 'apart', 'apart_chance')} "
            f"apart by the same measure at {names[-1]}"
        )
    if said:
        text = "; ".join(said)
        shape = " Languages that share nothing come nearer, too: no evidence of shared meaning."
        yield f"{text[0].upper()}{text[1:]}.{shape if 'apart' in found else ''}"


def _distances(results: Results) -> Iterator[str]:
    if "distances" not in results:
        return
    found = demand(results, "distances").isel(step=-1)
    kept = correlated(found)
    nodes, least = attribute(found, "nodes"), _least(found)
    few = f"with {nodes} languages" if nodes else "with so few languages"
    limit = f"no correlation weaker than {number(least, 2)}" if isfinite(least) else "none at all"
    worth = f"{few} {limit} could be told from chance, 0, in one layer alone"
    at = step_names(demand(results, "distances"))[-1]
    if not kept:
        yield f"That distant languages lie further apart is not seen at {at}; {worth}."
        return
    named = ", ".join(kept[:NAMED])
    more = f" and {len(kept) - NAMED} more" if len(kept) > NAMED else ""
    yield (
        f"Distance between languages and distance in the model are correlated at {at}, above 0 "
        f"where distant languages lie further apart: {named}{more} (rank correlations, p after "
        f"Holm over layers, from permuted languages); {worth}."
    )


def correlated(found: xr.Dataset) -> list[str]:
    """Correlations of one step that hold after Holm, the strongest first, in words."""
    r, p = (found[name].transpose("layer", "distance").values for name in ("value", "p_holm"))
    spots = [(at, of) for at, of in np.argwhere(p <= ALPHA) if isfinite(r[at, of])]
    spots.sort(key=lambda spot: -abs(r[spot]))
    layers, names = found["layer"].values, found["distance"].values
    return [
        f"{str(names[of]).replace('_', ' ')} in layer {layers[at]} (r = {number(r[at, of], 2)}, "
        f"p = {number(p[at, of])})"
        for at, of in spots
    ]


def _least(found: xr.Dataset) -> float:
    if "detectable" not in found:
        return float("nan")
    return float(found["detectable"].astype(float).mean())


def tested(found: xr.Dataset) -> str:
    """How many correlations of the last step hold, of how many: ``2 of 12``."""
    last = found.isel(step=-1)
    return f"{len(correlated(last))} of {count(last['value'].size)}"
