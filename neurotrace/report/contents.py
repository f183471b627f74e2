"""What a report may hold: its analyses by name, and its sections in order of reading."""

from collections.abc import Mapping
from typing import Any

ANALYSES = {
    "summary": "Overlap of experts between languages",
    "summary_rotated": "The same in a rotated basis",
    "basis": "Neurons minus rotated basis",
    "summary_twin": "The re-initialised twin",
    "summary_layers": "Overlap by layer",
    "summary_deranged": "Deranged labels",
    "summary_pseudo": "Pseudo-concepts",
    "expertise": "Average precision of the best neurons",
    "ceilings": "Directions and dense probes as ceilings",
    "top_neurons": "Table of top neurons",
    "concept_neurons": "Concept neurons in one, two or all languages",
    "language_neurons": "Language neurons",
    "labels": "Labels of neurons",
    "labelled_neurons": "Table of labelled neurons",
    "language_id": "Language identification by layer",
    "retrieval": "Retrieval of translations",
    "loss": "Loss",
    "confounds": "What else differs between languages",
    "onset_overlap": "Onset of corrected overlap",
    "onset_layers": "Onset by layer",
    "onset_expertise": "Onset of average precision",
    "onset_use": "Onset of use across languages",
    "onset_effect": "Onset of the effect across languages, in nats",
    "lag_effect_overlap": "Lag between that effect and overlap",
    "changes": "Change points of corrected overlap",
    "lag_use_overlap": "Lag between use and overlap",
    "turnover": "Turnover of experts",
    "compression": "Compression of expert sets",
    "participation": "Participation ratio of each layer",
    "participation_twin": "Participation ratio of the re-initialised twin",
    "lives": "Lives of neurons",
    "lives_counts": "Neurons that serve several languages",
    "cards": "Cards of neurons",
    "roles": "Roles of layers",
    "division": "Division of labour between layers",
    "claims": "Changes of language identification over training",
    "interchange": "Interchange between languages",
    "interchange_doses": "Interchange at several strengths",
    "forcing": "Forced generation",
    "forcing_texts": "Texts of forced generation",
    "ablation": "Ablation of neurons",
}


def sections(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    present = {
        "findings": ("Findings", True),
        **{part["anchor"]: (part["name"], True) for part in found["sheets"]},
        "confounds": ("What else differs", bool(found["confounds"])),
        "numbers": ("Headline numbers", bool(found["numbers"]["rows"])),
        "labels": ("Labels of neurons", bool(found["labels"])),
        "neurons": ("Top neurons", bool(found["neurons"]["concepts"])),
        "checkpoints": ("Checkpoints", bool(found["checkpoints"]["rows"])),
        "provenance": ("Provenance", True),
        "definitions": ("Definitions", True),
    }
    return [(anchor, name) for anchor, (name, there) in present.items() if there]
