"""The command line of the doctor: ``python -m neurotrace.doctor MODEL``."""

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import pandas as pd
import tyro

from neurotrace.checkpoints import Checkpoint
from neurotrace.doctor.diagnosis import checkpoint_of, diagnose
from neurotrace.doctor.screen import show

PROG = "python -m neurotrace.doctor"
USAGE = f"""\
neurotrace.doctor asks whether a model is measured rightly on this machine: its sentences, its
hooks, its numbers, its speed. Every value is compared with a model that transformers loads alone.

  {PROG} CHECKPOINT_FOLDER
  {PROG} org/model@step1000 --concepts everyday
  {PROG} runs/lab --backend plain

It ends with 0, with 1 where a check failed, with 2 for wrong input.
All options: {PROG} --help"""


@dataclass(frozen=True)
class DoctorConfig:
    """Check how one model is captured here."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Folder of a checkpoint, org/model or org/model@revision; of a series the last checkpoint."""
    backend: Literal["bridge", "plain"] = "bridge"
    """Whose hooks: TransformerLens, or plain ones on Hugging Face's modules."""
    device: str = "auto"
    """Where: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the computation."""
    stack: Literal["auto", "encoder", "decoder"] = "auto"
    """Of a model that has both."""
    concepts: str | None = None
    """Sentences: name or file of a set. Without it, those beside the model, else everyday."""
    tokenizer: str | None = None
    """Folder or org/model whose tokenizer is used."""
    trust_remote_code: bool = False
    """Let Python code that lies in the model's folder run."""
    seed: int = 0
    """Of the sentences whose loss is taken."""
    json: bool = False
    """Print the rows as JSON instead of a table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 1 where a check failed, 2 for wrong input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments == ["-h"]:
        print(USAGE)
        return 0
    config = tyro.cli(
        DoctorConfig, args=arguments, prog=PROG, description=DoctorConfig.__doc__ or ""
    )
    try:
        checkpoint = checkpoint_of(config.model, tokenizer=config.tokenizer)
        found = _diagnose(config, checkpoint)
    except (OSError, ValueError) as error:
        print(f"neurotrace.doctor: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("neurotrace.doctor: interrupted", file=sys.stderr)
        return 130
    title = f"{config.model}, {checkpoint.revision or checkpoint.label}"
    if config.json:
        rows = json.loads(found.to_json(orient="records"))
        print(json.dumps({"model": title, "checks": rows}, ensure_ascii=False, indent=1))
    else:
        show(found, title)
    return 1 if (found["verdict"] == "failed").any() else 0


def _diagnose(config: DoctorConfig, checkpoint: Checkpoint) -> pd.DataFrame:
    from rich.console import Console
    from threadpoolctl import threadpool_limits

    with (
        threadpool_limits(1, user_api="blas"),
        Console(stderr=True).status("checking"),
        warnings.catch_warnings(),
    ):
        return diagnose(
            checkpoint,
            concepts=config.concepts,
            backend=config.backend,
            device=config.device,
            dtype=config.dtype,
            stack=config.stack,
            trust_remote_code=config.trust_remote_code,
            seed=config.seed,
        )


if __name__ == "__main__":
    sys.exit(main())
