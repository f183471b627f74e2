"""The figures of geometry and tuning in reading order, with what is written under them."""

from neurotrace.report import (
    distance_plots,
    embedding_plots,
    geometry_plots,
    latent_plots,
    transfer_plots,
    tuning_plots,
)
from neurotrace.report.contents import Plot

SPACES = (
    Plot(
        geometry_plots.ilo,
        "ilo",
        "geometry",
        "Do a sentence’s nearest neighbours speak other languages?",
        "Left: ILO saturates on noise: among many languages states of no meaning give almost 1, so "
        "the value says nothing without its chance. Middle: 0 is chance, languages mixed as if "
        "each state had its language by lot; below, languages keep apart; above, states of "
        "different languages seek each other. Dashed: all that could lie above chance. Right: "
        "after each language’s mean is taken off. Dark layers are early, light ones late.",
        wide=True,
    ),
    Plot(
        geometry_plots.ilo_spread,
        "ilo",
        "geometry",
        "Are all languages drawn in alike?",
        "Left and middle: 0 is chance, dashed is the most there could be. Right: how unlike the "
        "languages are; dotted, the same where languages are permuted. Only what lies above it is "
        "a difference between languages.",
        wide=True,
    ),
    Plot(
        geometry_plots.shared_core,
        "ilo",
        "geometry",
        "How much lies in a core that languages share?",
        "Share of sentence states tied to states of other languages in the largest component. "
        "Chance permutes languages over the same points.",
        there=geometry_plots.any_core,
    ),
    Plot(
        geometry_plots.companions,
        "companions",
        "geometry",
        "Is it meaning that brings languages together, or mere mixing?",
        "ILO cannot tell; MEXA and retrieval can. Left: a translation is nearer than every other "
        "sentence, both ways; deranged translations must stay at chance. Middle: the same "
        "sentences are neighbours in both languages, wherever those lie; it rises where nothing "
        "is shared, too, since each language orders its sentences alike. Right: the translation "
        "is the nearest state, with no mean taken off. Alignment is necessary for transfer, not "
        "sufficient.",
        wide=True,
    ),
    Plot(
        latent_plots.latent_concepts,
        "latent_concepts",
        "geometry",
        "Do words form the same clusters in two languages?",
        "Left: clusters of one language whose words have their translations in one cluster of the "
        "other. Middle: both languages clustered together; C-OVERLAP saturates on noise, large "
        "clusters drawn at random hold both languages. Right: whether clusters are the same when "
        "drawn again; where they are not, neither measure means much. "
        "Grey: words, or languages, permuted.",
        wide=True,
    ),
    Plot(
        latent_plots.latent_corrected,
        "latent_concepts",
        "geometry",
        "How much of that is more than chance?",
        "0 is chance; dashed is all that could lie above it. C-ALIGN compares clusters found in "
        "each language by itself and rises where languages share no space, too; only the right "
        "panel asks for a common space. Below 0 there, languages keep to clusters of their own.",
        wide=True,
    ),
    Plot(
        embedding_plots.embeddings,
        "embeddings",
        "geometry",
        "What do the input embeddings know of scripts, and of translations?",
        "Left: a linear probe for each script against as many other tokens; thin lines are "
        "scripts. Middle: 1 means that tokens keep to their own script; dotted, random tokens. "
        "Right: dotted, tokens as frequent as the translations.",
        wide=True,
    ),
    Plot(
        embedding_plots.embedding_drift,
        "embeddings",
        "geometry",
        "Do input embeddings still move?",
        "1 means that nothing has moved. Left: the cosine between the whole spaces; dotted, spaces "
        "drawn at random. Right: neighbours each token has in common with itself at the end; "
        "dotted, as many tokens at random.",
        wide=True,
    ),
    Plot(
        embedding_plots.embedding_map,
        "embedding_map",
        "geometry",
        "What does the space of input embeddings look like?",
        "A projection onto two directions for the eye. Distances on it are no evidence: most of "
        "the variance is not on the map.",
    ),
    Plot(
        distance_plots.evolution,
        "evolution",
        "geometry",
        "When do sentence states change, and where?",
        "0: the same but for rotation and scale; 1, dotted: unrelated states. The published "
        "estimate is biased: unrelated states stay below 1 by the more, the fewer the sentences, "
        "so it stands beside that level, at the right. Checkpoints further apart change more.",
        wide=True,
        there=distance_plots.any_change,
    ),
    Plot(
        distance_plots.languages_apart,
        "evolution",
        "geometry",
        "How far apart do the same sentences lie in two languages?",
        "Left: 0, two languages arrange translations alike; dotted, with translations deranged. "
        "Languages that share nothing come nearer, too: no evidence of shared meaning. "
        "Right: how much of the way to the end is left; dotted, unrelated states.",
        wide=True,
        there=distance_plots.any_pairs,
    ),
    Plot(
        distance_plots.language_distance,
        "distances",
        "geometry",
        "Do distant languages lie further apart?",
        "One panel a distance, dark layers early. Pairs with a language in common depend on each "
        "other, so p comes from permuted languages; filled dots hold after Holm over layers. Grey: "
        "what so few languages cannot tell from chance. A dot in it is no sign of absence.",
        wide=True,
    ),
    Plot(
        tuning_plots.tuning_layers,
        "tuning",
        "tuning",
        "Does tuning on one language break the alignment of all, and does freezing keep it?",
        "Dashed: the model before. What an arm keeps counts only beyond random lists of as many "
        "layers. ILO beyond chance below 0 keeps languages apart; change from the untuned model "
        "is 1 − debiased CKA: 0 where nothing moved, 1 where nothing is alike. Runs are training "
        "seeds and no confidence interval.",
        wide=True,
    ),
    Plot(
        tuning_plots.tuning_languages,
        "tuning",
        "tuning",
        "Who gains, and who loses?",
        "Loss on the evaluation sentences; accuracy for a concept, taught in the source language "
        "on one half of the groups and read in every language on the other. Of the untuned "
        "model the classifier’s head alone is trained. Alignment is necessary for transfer, not "
        "sufficient.",
        wide=True,
    ),
    Plot(
        transfer_plots.tuning_task,
        "tuning",
        "tuning",
        "Do clusters of words align better once a task is learnt, and does the task come along?",
        "C-ALIGN from the source: its clusters of words with a twin in each other language, before "
        "(dashed) and after tuning on the task. Dotted: the same with words permuted, for each "
        "model; only what lies above its own counts. C-ALIGN compares clusters found in each "
        "language by itself. Right: accuracy of that classifier, and of one whose head alone was "
        "trained. Two models and a few languages say nothing of cause.",
        wide=True,
        there=transfer_plots.any_task,
        path="hook_resid_post/words",
    ),
    Plot(
        transfer_plots.tuning_transfer,
        "tuning_pairs",
        "tuning",
        "Does a task reach less the languages that tuning moves more?",
        "One point a pair: tuned on S, read in another language T. Φ is 1 − debiased CKA of T’s "
        "states before and after: 0 where nothing moved, 1 for unrelated states. Dotted: the "
        "commonest concept’s share. Pairs with a language in common depend on each other, so p "
        "comes from permuted languages; an r below the detectable one is no sign of anything.",
        wide=True,
        there=transfer_plots.any_transfer,
    ),
)
