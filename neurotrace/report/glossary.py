"""The words of a report and the formulas behind them, as its last section defines them."""

from typing import NamedTuple


class Term(NamedTuple):
    """A word, what it means, and its formula where it has one."""

    term: str
    meaning: str
    formula: str = ""


GLOSSARY = (
    Term(
        "expert",
        "One of the k neurons that tell a concept best in a language, by average precision over "
        "the sentences of one half of the groups. A group is a sentence with all its translations; "
        "it is never in both halves.",
    ),
    Term(
        "overlap",
        "Share of experts that two languages have in common, one chosen on half A, the other on "
        "half B, averaged over both directions, all splits, concepts and language pairs.",
        "|E(c, a, A) ∩ E(c, b, B)| / k",
    ),
    Term(
        "rel",
        "The same between the two halves of one language: how well it agrees with itself.",
        "|E(c, a, A) ∩ E(c, a, B)| / k",
    ),
    Term("chance", "Overlap of two random sets of k out of n neurons.", "k / n"),
    Term(
        "chance by layer",
        "Overlap of random sets that keep every layer's number of experts.",
    ),
    Term(
        "wrong concept",
        "Overlap of the experts of one concept with those of the others in another language.",
        "|E(c, a, A) ∩ E(c′, b, B)| / k",
    ),
    Term(
        "ceiling",
        "What overlap would be if the languages shared all they can.",
        "chance + √((rel_a − chance)(rel_b − chance))",
    ),
    Term(
        "corrected overlap",
        "Overlap above chance as a share of what its ceiling allows; formed for each language pair "
        "from the means over concepts, undefined where a rel is below 0.2, never clipped.",
        "(overlap − chance) / √((rel_a − chance)(rel_b − chance))",
    ),
    Term(
        "excess",
        "Overlap above the larger of its two baselines.",
        "overlap − max(wrong concept, chance by layer)",
    ),
    Term(
        "interval",
        "95 % of a bootstrap that draws concepts and languages anew as nodes. It does not cover "
        "other training runs, and with fewer than five languages it is rough.",
    ),
    Term(
        "rotated basis",
        "The same site after a random orthogonal map, applied to every token before pooling. What "
        "survives it is a property of the subspace; “neurons” is said only where the interval of "
        "neurons minus rotated basis lies above 0. “Rotated units” are the coordinates of that "
        "basis.",
    ),
    Term(
        "twin",
        "A model of the same configuration and tokenizer with other random weights, never trained.",
    ),
    Term(
        "deranged labels",
        "Every language assigns concepts to sentences in a wrong way of its own: a null that must "
        "find nothing in any model.",
    ),
    Term(
        "pseudo-concepts",
        "Random groups of sentences, the same in every language, each drawing evenly from the "
        "real concepts.",
    ),
    Term(
        "AP",
        "Average precision: the mean, over a concept's sentences, of the share of its sentences "
        "among those ranked as high by the neuron. Its chance level is the exact mean under random "
        "rankings.",
    ),
    Term(
        "learned",
        "AP above the 99th percentile of the same layer of the twin; the column “twin” holds that "
        "percentile, and an AP above it is printed bold.",
    ),
    Term(
        "onset",
        "When a curve begins, as two numbers. “Detect” is the first step at which its simultaneous "
        "band leaves the null for several checkpoints in a row; more data detect earlier. “Half” "
        "is the step at which a rising curve fitted to it reaches half of its end; it compares "
        "between layers and runs, but is early where the curve still rises at the end. The step of "
        "a fixed level does not depend on the end.",
    ),
    Term(
        "simultaneous band",
        "A band that holds the whole curve at once, at all steps and layers, in 95 % of samples; "
        "wider than intervals that hold at each step by itself. The null's band is of the same "
        "kind, from labels permuted once for all steps.",
    ),
    Term(
        "turnover",
        "Share of a concept's experts that were none at the checkpoint before, within one training "
        "run. Its floor is what two halves of one checkpoint differ by.",
    ),
    Term(
        "compression",
        "Share of expert places that are saved where experts of several languages are the same "
        "neurons. Its chance keeps every neuron's number of concepts in each language.",
        "1 − |∪ experts over languages| / Σ |experts|",
    ),
    Term(
        "participation ratio",
        "Over how many directions the variance of a layer's neurons is spread; λ are the "
        "eigenvalues of their covariance. It ranges from 1 to the number of neurons.",
        "(Σ λ)² / Σ λ²",
    ),
    Term(
        "life",
        "The average precision of one neuron for one concept in every language, held out, over "
        "training. A neuron serves a language where that is above the null and above what the "
        "re-initialised model reaches.",
    ),
    Term(
        "coincidence",
        "Of the pairs of a neuron and a concept that are called in as many languages as a life's, "
        "the share that languages would have in common if they chose independently. Near 1 "
        "nothing speaks for sharing; a life above 0.5 is marked.",
    ),
    Term(
        "division of labour",
        "Spread of a quantity over layers, beside that of layers that are all alike but as noisy.",
        "standard deviation over layers",
    ),
    Term(
        "interchange",
        "The values that a concept's experts take in a sentence of one language are written into a "
        "neutral sentence of another. Its effect is how much more likely the concept's words "
        "become there, beyond other concepts' words.",
        "Δ log p(the concept's words) − Δ log p(other concepts' words)",
    ),
    Term(
        "use",
        "Effect of interchange across languages as a share of the effect within one: 0 is none, 1 "
        "is fully shared.",
        "across / within",
    ),
    Term(
        "norm-matched",
        "A control whose change has the same length in the residual stream as the one it is a "
        "control for, at every token and layer. Random neurons at their own values hardly write "
        "anything, and would make any effect look large.",
        "‖W_out · Δa‖",
    ),
    Term(
        "degenerate",
        "A text in which no language can be identified, or which repeats itself. Where more than "
        "20 % of an arm's texts are, no language shares are given.",
    ),
    Term(
        "ILO",
        "Interlingual overlap of a language. Bridge is the share of its sentences whose nearest "
        "neighbours speak several other languages; reach is the share of all other languages that "
        "are met at all. It saturates on noise. Its chance leaves the neighbours as they are and "
        "permutes the languages over the points.",
        "2 · bridge · reach / (bridge + reach)",
    ),
    Term(
        "MEXA",
        "Share of sentences that lie nearer to their translation than to every other sentence of "
        "the other language, in both directions.",
        "chance 1 / (2n − 1)",
    ),
    Term(
        "mutual neighbours",
        "Neighbours that the same sentence has in two languages, as a share of k.",
        "|N(a) ∩ N(b)| / k, chance k / (n − 1)",
    ),
    Term(
        "latent concept",
        "A cluster of word states, found without labels.",
    ),
    Term(
        "C-ALIGN",
        "Share of one language's latent concepts that have a counterpart in another: a cluster "
        "that holds a translation of more than a threshold of their words. Its chance permutes "
        "the words over the other language's clusters.",
    ),
    Term(
        "C-OVERLAP",
        "Share of latent concepts, of two languages clustered together, of which each supplies "
        "more than a threshold. It saturates on noise: large clusters drawn at random hold both.",
    ),
    Term(
        "separability",
        "Accuracy of a linear probe that tells the input embeddings of a script's tokens from as "
        "many others, on tokens it was not trained on; chance is 0.5.",
    ),
    Term(
        "canonical cosine",
        "Cosine between two spaces in each of the directions in which they agree best; 1 where one "
        "is a linear image of the other. Spaces drawn at random do not have 0.",
    ),
    Term(
        "1 − CKA",
        "How unlike two sets of states of the same sentences are, whatever their rotation and "
        "scale: 0 alike, 1 unrelated. The published estimate is biased, unrelated states stay "
        "below 1 the more, the fewer the sentences; the debiased one is corrected for that, the "
        "calibrated one by permuted sentences.",
    ),
    Term(
        "correlation with distance",
        "Rank correlation, over language pairs, of the distance of two languages with what lies "
        "between them in the model. p comes from permuted languages, after Holm over the layers of "
        "a checkpoint. “Partial” holds the covariates fixed; “detectable” is the weakest "
        "correlation that so few languages can tell from chance.",
    ),
    Term(
        "tuning",
        "Further training on one language, with a list of layers frozen. Each list is held against "
        "random lists of as many layers; runs are training seeds.",
    ),
    Term(
        "Φ(S, T)",
        "How far tuning on S moves the states of T: 0 not at all but for rotation and scale, 1 "
        "when nothing is alike. Held against zero-shot accuracy: of a classifier taught in S and "
        "read in T.",
        "1 − CKA(before, after), debiased",
    ),
    Term(
        "equivalence bound",
        "Where nothing is found, the interval of corrected overlap is held against ±0.05: inside, "
        "it is as good as none; else sharing is not shown, and not excluded.",
    ),
    Term(
        "fertility",
        "Tokens that the model's tokenizer makes of a word, over all sentences of a language; of a "
        "character in scripts that put no space between words. Figures of the two kinds do not "
        "compare.",
        "Σ tokens / Σ words",
    ),
    Term(
        "strings shared",
        "Share of sentence groups in which two languages write a word of four letters or more "
        "alike, case and accents aside, or two Han characters in a row. “Within a concept” "
        "compares sentences of different groups with the same concept, which is all that experts "
        "from disjoint halves can meet; “unrelated” are those without a common concept.",
    ),
    Term(
        "AUROC of length",
        "Probability that a sentence of the concept is longer than another sentence of its "
        "language; chance is 0.5. p is two-sided, after Holm over languages and concepts.",
    ),
    Term(
        "L2.N117",
        "Neuron 117 of layer 2, both counted from 0; the embedding output is no layer.",
    ),
)
