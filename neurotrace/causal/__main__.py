"""An intervention's command line: run the file again and print the texts."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

USAGE = """\
Run an intervention again: neurons of a checkpoint are held at the values that the file names while
the model writes, and the texts are printed, one a line.

  python -m neurotrace.causal FILE.json --checkpoint FOLDER"""


@dataclass(frozen=True)
class InterventionConfig:
    """What to run, and on which checkpoint."""

    file: Annotated[Path, tyro.conf.Positional]
    """The intervention, in JSON."""
    checkpoint: Path
    """Folder of the checkpoint it was made on."""
    n: int = 10
    """Texts to print, of the first seeds in the file."""
    allow_other: bool = False
    """Run on other weights of the same shape, whose neurons may mean something else."""
    backend: Literal["bridge", "plain"] = "bridge"
    """TransformerLens's bridge, or plain Hugging Face hooks."""
    device: str = "cpu"
    """Where the model runs."""
    trust_remote_code: bool = False
    """Whether Python code that lies in the checkpoint's folder may run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 2 the input is wrong, 1 anything else."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments:
        print(USAGE)
        return 0
    config = tyro.cli(
        InterventionConfig,
        args=arguments,
        prog="python -m neurotrace.causal",
        description=USAGE,
    )
    try:
        for line in texts(config):
            print(line)
    except KeyboardInterrupt:
        return _say("interrupted", 1)
    except (FileNotFoundError, PermissionError, ValueError) as error:
        return _say(str(error), 2)
    except OSError as error:
        return _say(str(error), 1)
    return 0


def texts(config: InterventionConfig) -> Iterator[str]:
    """The lines to print: what is done, then a seed and its text each."""
    from neurotrace.capture import load_model
    from neurotrace.causal.intervention import Intervention

    if config.n < 1:
        raise ValueError(f"got --n {config.n}; expected at least 1")
    intervention = Intervention.read(config.file)
    if not config.checkpoint.is_dir():
        raise ValueError(f"got --checkpoint {config.checkpoint}, which is no folder")
    if not config.allow_other:
        intervention.refuse_other(config.checkpoint)
    model = load_model(
        config.checkpoint,
        backend=config.backend,
        device=config.device,
        trust_remote_code=config.trust_remote_code,
        sites=(intervention.site,),
    )
    written = intervention.run(model, n=config.n)
    yield (
        f"{intervention.model} step {intervention.step}: {len(intervention.neurons)} neurons, "
        f"{intervention.how} at {intervention.positions} positions"
    )
    for seed, text in zip(written.seeds, written.texts, strict=True):
        yield f"{seed}\t{' '.join(text.split())}"


def _say(line: str, code: int) -> int:
    print(f"neurotrace: {' '.join(line.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
