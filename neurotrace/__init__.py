"""When, in pre-training, do a model's neurons stop belonging to a language?

The rooms are handed out lazily: ``import neurotrace`` loads nothing but the standard library,
and ``neurotrace.probes`` never loads torch.
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

ROOMS = (
    "axes",
    "capture",
    "causal",
    "checkpoints",
    "concepts",
    "doctor",
    "geometry",
    "lab",
    "probes",
    "report",
    "runner",
    "splits",
    "store",
    "trajectories",
)
__all__ = ["ROOMS", "__version__"]


def __getattr__(name: str) -> ModuleType:
    if name in ROOMS:
        return importlib.import_module(f"neurotrace.{name}")
    raise AttributeError(
        f"neurotrace has no room {name!r}; valid are {', '.join(ROOMS)} "
        "(the road itself is the command line `python -m neurotrace.trace`)"
    )


def __dir__() -> list[str]:
    return sorted([*__all__, *ROOMS])
