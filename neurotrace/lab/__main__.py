"""The lab's command line."""

import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import tyro

from neurotrace.lab import presets, pretrain


@dataclass(frozen=True)
class LabConfig:
    """Pre-train a small language model whose answer is known, and keep its checkpoints."""

    out: Path
    """Folder of the run. The same command again goes on where an interrupted run stood."""
    preset: str = "default"
    """What is run, one of those above."""
    seed: int = 0
    """Decides grammar, documents, weights and order."""
    steps: int | None = None
    """Updates, if other than the preset's: the schedule of the learning rate ends with them."""
    texts: Path | None = None
    """For texts, a folder with one UTF-8 file a language (eng_Latn.txt), a passage a line; for
    clone, one such file. Given without a preset, it means texts."""
    shared_types: float = 0.3
    """Share of the text's types that clone writes alike in both languages, 0 to 1."""
    vocab_size: int | None = None
    """Types learnt from the texts: 4096 unless said, 1200 for clone."""
    threads: int = 1
    """Torch threads. More bring little at this size."""


def main(arguments: list[str] | None = None) -> int:
    """Run the lab; returns 0 when done, 2 for wrong input, 130 when interrupted."""
    config = tyro.cli(
        LabConfig,
        prog="python -m neurotrace.lab",
        description=_description(),
        args=arguments,
    )
    again = f"the same command goes on from the last checkpoint in {config.out}"
    try:
        out = pretrain(
            config.preset,
            out=config.out,
            seed=config.seed,
            steps=config.steps,
            texts=config.texts,
            shared_types=config.shared_types,
            vocab_size=config.vocab_size,
            threads=config.threads,
        )
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, FloatingPointError) as error:
        print(f"error: {error}; {again}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; {again}", file=sys.stderr)
        return 130
    print(_next(out))
    return 0


def _next(out: Path) -> str:
    """What to type now; a run on the user's texts has no sentences of its own to evaluate on."""
    concepts = "" if (out / "concepts.jsonl").is_file() else " --concepts FILE"
    source, run = quote(str(out)), quote(f"{out}-trace")
    return f"next: python -m neurotrace.trace --source {source} --out {run}{concepts}"


def _description() -> str:
    width = max(map(len, presets()))
    found = "\n".join(f"  {name:<{width}}  {finding}" for name, finding in presets().items())
    return (
        f"{LabConfig.__doc__}\n\nPresets, and what must be found in each:\n{found}\n\n"
        "Examples:\n"
        "  python -m neurotrace.lab --preset tiny --out runs/tiny\n"
        "  python -m neurotrace.lab --preset control --steps 256 --out runs/silent\n"
        "  python -m neurotrace.lab --preset clone --texts bible.txt --shared-types 0.3 "
        "--out runs/clone\n"
        "  python -m neurotrace.lab --texts corpora --steps 1000 --out runs/own"
    )


if __name__ == "__main__":
    sys.exit(main())
