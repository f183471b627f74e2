"""How much there is of each kind of work in one checkpoint of a job."""

from dataclasses import dataclass
from functools import cached_property

from neurotrace.pricing_blocks import Blocks, Shape


@dataclass(frozen=True)
class Work:
    """How much of each kind of work one checkpoint is, in seconds where a block is measured.

    Its properties are what the laws of :mod:`neurotrace.pricing_laws` are made of.
    """

    shape: Shape
    blocks: Blocks

    @property
    def one(self) -> float:
        """A checkpoint, whatever its size."""
        return 1.0

    @property
    def layers(self) -> float:
        return self.shape.n_layers

    @property
    def pairs(self) -> float:
        """Pairs of languages in each layer."""
        return self.shape.n_layers * self.shape.n_pairs

    @property
    def calls(self) -> float:
        """Thousands of (concept, language)."""
        return self.shape.n_languages * self.shape.n_concepts / 1e3

    @property
    def layer_calls(self) -> float:
        """The same in each layer."""
        return self.shape.n_layers * self.calls

    @property
    def squares(self) -> float:
        """Millions of (layer, concept, pair of languages)."""
        return self.pairs * self.shape.n_concepts / 1e6

    @property
    def sentences(self) -> float:
        """Millions of sentences of all languages."""
        return self.shape.n_languages * self.shape.n_sentences / 1e6

    @property
    def languages(self) -> float:
        """Every neuron scored for every other language in both halves."""
        return self.halves * self.shape.n_languages

    @cached_property
    def _units(self) -> float:
        return self.shape.n_neurons * self.shape.n_languages

    @property
    def ranking(self) -> float:
        """Every neuron of every language ranked once."""
        return self._units * self.blocks.ranking

    @property
    def halves(self) -> float:
        """And scored in both halves of one split."""
        return self._units * self.blocks.halves

    @property
    def choice(self) -> float:
        """And chosen among."""
        return self._units * self.blocks.choice

    @property
    def scores(self) -> float:
        """AP and AUROC of all concepts."""
        return self._units * (self.blocks.precision + self.blocks.area)

    @property
    def cells(self) -> float:
        """Billions of (concept, neuron, language)."""
        return self._units * self.shape.n_concepts / 1e9

    @property
    def values(self) -> float:
        """Billions of (sentence, neuron)."""
        return self._units * self.shape.n_sentences / 1e9

    @property
    def wins(self) -> float:
        """Billions of (sentence, neuron, other language)."""
        return self.values * self.shape.n_languages

    @property
    def nulls(self) -> float:
        """Nulls of AUROC, one for each number of positives; once for all checkpoints."""
        s = self.shape
        return min(s.n_languages * s.n_concepts, s.n_positives) * self.blocks.table

    @property
    def overlaps(self) -> float:
        """Expert sets for the overlap, its nulls and its rotated bases, and what they share."""
        s, b, few = self.shape, self.blocks, min(4, self.shape.n_splits)
        chosen = self._units * (b.largest + b.choice) * s.n_splits
        plain = self.halves + self.choice
        main = s.n_rankings * self.ranking + s.n_splits * self.halves + chosen
        nulls = 2 * (self.ranking + few * plain)
        rotated = s.rotations * (self.ranking + s.n_splits * plain)
        sizes = s.n_splits * (s.top // 10 + s.largest_top + 2 * s.top + s.rotations * s.top)
        shared = 2 * s.n_pairs * b.shared * (sizes + 2 * few * s.top)
        return main + nulls + rotated + shared

    @property
    def decoding(self) -> float:
        """Sentences ranked by every concept's probe of every language, in every language."""
        s = self.shape
        return s.n_layers * s.n_languages**2 * s.n_concepts * self.blocks.ranking / 2

    @property
    def solving(self) -> float:
        """Ridge probes of half the sentences of every language and layer, in double precision."""
        s, n = self.shape, self.shape.n_sentences / 2
        small = min(n, s.n_features)
        work = 2 * n * s.n_features * small + 20 * small**3
        return s.n_layers * s.n_languages * work * self.blocks.operation

    def _product(self, rows: float, columns: float, inner: float) -> float:
        return 2 * rows * columns * inner * self.blocks.operation

    @property
    def neighbours(self) -> float:
        """All drawn sentences against all, in every layer."""
        s, n = self.shape, self.shape.n_languages * min(1000, self.shape.n_sentences)
        return s.n_layers * self._product(n, n, s.n_features)

    @property
    def comparisons(self) -> float:
        """Billions of their distances."""
        s = self.shape
        return s.n_layers * (s.n_languages * min(1000, s.n_sentences)) ** 2 / 1e9

    @property
    def translations(self) -> float:
        """Drawn sentences of every pair of languages against each other, in every layer."""
        n = min(2000, self.shape.n_sentences)
        return self.pairs * self._product(n, n, self.shape.n_features)

    @property
    def candidates(self) -> float:
        """Billions of the same."""
        return self.pairs * min(2000, self.shape.n_sentences) ** 2 / 1e9

    @property
    def grams(self) -> float:
        """At most 750 sentences a language against all, over all neurons."""
        s, n = self.shape, self.shape.n_languages * min(750, self.shape.n_sentences)
        return s.n_layers * self._product(n, n, s.width)

    @property
    def scatter(self) -> float:
        """Neurons of a layer against each other, or sentences, of at most 10,000."""
        s, n = self.shape, min(10_000, self.shape.n_languages * self.shape.n_sentences)
        return s.n_layers * self._product(n, s.width, min(s.width, n))

    @property
    def probing(self) -> float:
        """A probe of the language of every drawn token, in every layer."""
        s = self.shape
        n = s.n_languages * s.n_drawn
        return (s.n_layers + 1) * self._product(n, s.n_features, s.n_languages)

    @property
    def tokens(self) -> float:
        """Millions of drawn tokens, in all layers."""
        s = self.shape
        return (s.n_layers + 1) * s.n_languages * s.n_drawn / 1e6

    @property
    def clusters(self) -> float:
        """Words of four languages against their cluster centres, in every layer."""
        s, n = self.shape, min(4, self.shape.n_languages) * self.shape.n_words
        return s.n_layers * self._product(n, s.n_words / 20, s.n_features)

    @property
    def vocabulary(self) -> float:
        """A hundredth of the vocabulary, at least a thousand, against all of it."""
        s = self.shape
        types = s.n_embedded / max(1, s.n_features)
        return self._product(types, min(types, max(1000, types / 100)), s.n_features)
