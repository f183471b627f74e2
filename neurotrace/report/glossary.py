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
        "neurons minus rotated basis lies above 0.",
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
