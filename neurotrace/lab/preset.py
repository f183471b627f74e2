"""The presets: pre-training runs whose answer is known before they start."""

from dataclasses import dataclass
from typing import Literal

EVEN = (0.25, 0.25, 0.25, 0.25)
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1500)


@dataclass(frozen=True)
class Preset:
    """One run of the lab.

    Attributes
    ----------
    name, finding
        What it is called, and what must be found in it.
    source
        Where documents come from: the ``grammar``, the user's ``texts``, or a text and its
        ``clone``.
    steps
        Optimiser updates; the schedule of the learning rate ends there.
    shared
        Which nouns are written alike in all languages: ``none``, the two ``drawn`` for each topic,
        or the same two made the ``rarest`` of their topic.
    shared_after
        Updates before they are shared; until then every language has its own word.
    mix
        Share of the documents each language has.
    tied
        Whether input and output embeddings are one matrix.
    hidden, length, batch, weight_decay
        Width of the residual stream, tokens a row (predicted ones), rows an update, decay of
        matrices a unit of learning rate.
    """

    name: str
    finding: str
    source: Literal["grammar", "texts", "clone"] = "grammar"
    steps: int = 1500
    shared: Literal["none", "drawn", "rarest"] = "drawn"
    shared_after: int = 0
    mix: tuple[float, ...] = EVEN
    tied: bool = False
    hidden: int = 64
    length: int = 32
    batch: int = 32
    weight_decay: float = 0.01


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("tiny", "sharing has begun: corrected overlap above .12 at step 256", steps=256),
        Preset("short", "sharing stands: language phase, experts, sharing", steps=512),
        Preset(
            "default",
            "no sharing up to step 64, then experts that languages come to share: corrected "
            "overlap above .20 at the end, while experts of different concepts fall below chance",
        ),
        Preset("control", "nothing: concept experts form and no language shares them", "grammar",
               shared="none"),
        Preset("late", "a planted onset: nothing shared at step 512, sharing at the next "
               "checkpoint", shared_after=512),
        Preset("slow", "experts as early as in default, their sharing later and weaker",
               shared="rarest"),
        Preset("strong", "more sharing than in default", tied=True),
        Preset("imbalanced", "sharing with a dominant language: 70, 15, 10 and 5 % of documents",
               mix=(0.70, 0.15, 0.10, 0.05)),
        Preset(
            "clone",
            "translation retrieval rises far above chance with 30 % shared types and stays there "
            "with none; concept experts stay as they were at step 0",
            source="clone", length=64, batch=16,
        ),
        Preset(
            "texts",
            "at this size a gradient of language identification over layers, and no sharing",
            source="texts", hidden=96, length=64, batch=16, weight_decay=0.1,
        ),
    )
}  # fmt: skip


def presets() -> dict[str, str]:
    """What must be found in each preset, by name.

    >>> presets()["control"]
    'nothing: concept experts form and no language shares them'
    """
    return {name: preset.finding for name, preset in PRESETS.items()}


def preset_named(name: str) -> Preset:
    """Look one up.

    Raises
    ------
    ValueError
        Naming those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"got preset {name!r}; valid are {', '.join(PRESETS)}")
    return PRESETS[name]


def checkpoint_steps(steps: int) -> list[int]:
    """The steps at which a run of that many updates is saved, its last one included.

    >>> checkpoint_steps(100)
    [0, 1, 2, 4, 8, 16, 32, 64, 96, 100]
    """
    return sorted({step for step in STEPS if step <= steps} | {steps})
