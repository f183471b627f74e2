"""The path string that names captured data everywhere: what is asked for, kept, read and drawn.

``mlp.hook_post/max`` is a site of the model and a pooling over its tokens;
``mlp.hook_post@rotated7/max`` the same site in the rotated basis of seed 7. Sites are
TransformerLens hook names; the outputs of the linear maps have short ones (``attn.q``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# `embed` exists once, the others in every block.
SITES = {
    "embed": "the embedding of the token: its row of W_E, before positions and norms",
    "mlp.hook_pre": "before the activation function; in a gated MLP the gate",
    "mlp.hook_post": "the MLP's neurons: what its down-projection reads",
    "hook_resid_post": "the residual stream after the block",
}
# Every linear map of a block, by its own output: bias included, before any norm or rotation.
LINEAR_SITES = {
    "attn.q": "queries of all heads",
    "attn.k": "keys of all heads",
    "attn.v": "values of all heads",
    "attn.out": "output projection of the attention",
    "mlp.in": "up-projection of the MLP",
    "mlp.gate": "gate of the MLP, in families that have one",
    "mlp.out": "down-projection of the MLP",
}
SHARED = "mlp.shared_expert.hook_post"
FURTHER_SITES = {
    **LINEAR_SITES,
    SHARED: "neurons of the expert that every token passes through, in some mixtures of experts",
}
POOLINGS = {
    "max": "largest value over the sentence's content tokens",
    "mean": "mean over the content tokens",
    "last": "value at the last content token",
    "rate": "share of content tokens above zero",
    "tokens": "no pooling: the drawn tokens, one row each",
    "words": "the last token of each drawn word, one row each",
    "words_first": "the first token of each drawn word",
    "words_mean": "mean over the tokens of each drawn word",
    "mean_all": "mean over every token, BOS and other special ones included",
    "weighted_mean": "mean over the content tokens with weights 1, 2, 3, …",
}
NEURON_SITES = ("mlp.hook_pre", "mlp.hook_post")
UNIT_SITES = (*NEURON_SITES, *FURTHER_SITES)

_FORM = re.compile(r"(?P<site>[\w.]+)(?:@rotated(?P<seed>\d+))?/(?P<pooling>\w+)")


@dataclass(frozen=True)
class Target:
    """One thing to capture.

    Attributes
    ----------
    site
        Key of ``SITES`` or ``FURTHER_SITES``.
    pooling
        Key of ``POOLINGS``.
    rotation
        Seed of the orthogonal map applied per token before pooling, or None for the model's own
        basis.
    """

    site: str
    pooling: str
    rotation: int | None = None

    @property
    def of_neurons(self) -> bool:
        """Whether columns are neurons or other units; else they are coordinates of a state."""
        return self.site in UNIT_SITES

    def dtype(self, neurons: str) -> str:
        """Type on disk: the one chosen for neurons and other units, float32 for states."""
        return neurons if self.of_neurons else "float32"

    def layers(self, n_layers: int) -> list[int | None]:
        """Blocks it exists in; the embedding is no block."""
        return [None] if self.site == "embed" else list(range(n_layers))

    def __str__(self) -> str:
        basis = "" if self.rotation is None else f"@rotated{self.rotation}"
        return f"{self.site}{basis}/{self.pooling}"


def parse(path: str) -> Target:
    """The parts of a path string.

    Raises
    ------
    ValueError
        Naming the valid sites and poolings.

    >>> parse("mlp.hook_post@rotated7/max")
    Target(site='mlp.hook_post', pooling='max', rotation=7)
    """
    match = _FORM.fullmatch(path)
    known = {**SITES, **FURTHER_SITES}
    valid = f"sites {', '.join(known)}; poolings {', '.join(POOLINGS)}"
    if not match:
        raise ValueError(
            f"got path {path!r}; expected site/pooling or site@rotatedSEED/pooling; valid {valid}"
        )
    site, pooling, seed = match["site"], match["pooling"], match["seed"]
    if site not in known or pooling not in POOLINGS:
        part = f"site {site!r}" if site not in known else f"pooling {pooling!r}"
        raise ValueError(f"got {part} in path {path!r}; valid {valid}")
    return Target(site, pooling, None if seed is None else int(seed))


def parse_all(what: Sequence[str]) -> list[Target]:
    """The targets of a run, each once.

    Raises
    ------
    ValueError
        For no path at all, one named twice, or one that :func:`parse` refuses.
    """
    if isinstance(what, str):
        raise ValueError(f"got what={what!r}; expected a sequence of paths, such as [{what!r}]")
    targets = [parse(path) for path in what]
    if not targets:
        raise ValueError("got no path to capture; expected at least one, such as mlp.hook_post/max")
    twice = [str(target) for target in targets if targets.count(target) > 1]
    if twice:
        raise ValueError(f"got {twice[0]} twice; expected every path once")
    return targets
