"""What a report may hold: its analyses by name, and its sections in order of reading."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from neurotrace.report.reading import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    "ilo": "Interlingual overlap of sentence states",
    "ilo_twin": "Interlingual overlap of the re-initialised twin",
    "companions": "MEXA, mutual neighbours and retrieval as it is",
    "embeddings": "Input embeddings: scripts, neighbours, translations",
    "embedding_map": "Map of input embeddings",
    "latent_concepts": "Latent concepts of words, aligned and shared",
    "latent_words": "Words of latent concepts",
    "evolution": "Change of states between checkpoints and languages",
    "evolution_twin": "Distance between languages in the re-initialised twin",
    "distances": "Correlation with language distance",
    "tuning": "Tuning on one language, with layers frozen",
    "tuning_pairs": "Tuning on each language in turn",
    "transfer": "Correlation of transfer with change by tuning",
    "tuning_distances": "Correlation of change by tuning with language distance",
}


class Plot(NamedTuple):
    """One figure: how it is drawn, where it stands and what is written under it."""

    draw: Callable[[Results], "Figure"]
    needs: str
    section: str
    shows: str
    reading: str
    wide: bool = False
    aside: bool = False  # folded away until asked for
    there: Callable[[Results], bool] | None = None
    path: str | None = None  # of the states it shows, where they are not the result's own

    @property
    def name(self) -> str:
        return str(getattr(self.draw, "__name__", self.needs))

    def drawn(self, results: Results) -> bool:
        """Do the results hold anything that this figure would show?"""
        return self.needs in results and (self.there is None or self.there(results))


SECTIONS = {
    "overlap": "Overlap",
    "when": "When",
    "where": "Where",
    "which": "Which neurons",
    "use": "Does the model use them",
    "language": "Language",
    "geometry": "How do the spaces lie to each other",
    "tuning": "What tuning on one language does",
    "checks": "Checks",
}


def sections(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    present = {
        "findings": ("Findings", True),
        **{part["anchor"]: (part["name"], True) for part in found["sheets"]},
        "confounds": ("What else differs", bool(found["confounds"])),
        "numbers": ("Headline numbers", len(found["numbers"]["columns"]) > 1),
        "labels": ("Labels of neurons", bool(found["labels"])),
        "neurons": ("Top neurons", bool(found["neurons"]["concepts"])),
        "checkpoints": ("Checkpoints", bool(found["checkpoints"]["rows"])),
        "audit": ("Audit of checkpoints", bool(found["audit"])),
        "provenance": ("Provenance", True),
        "definitions": ("Definitions", True),
    }
    return [(anchor, name) for anchor, (name, there) in present.items() if there]
