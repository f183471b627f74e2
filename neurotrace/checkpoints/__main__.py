"""The command line of checkpoints: what is there, whether it is right, and bringing it here.

Each command is a module ``<name>_command`` with a dataclass ``Config``, which says its arguments,
and a function ``run(config)``, which returns the exit code.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro

if TYPE_CHECKING:
    from neurotrace.checkpoints.audit_command import Config as AuditConfig
    from neurotrace.checkpoints.deep import Loss
    from neurotrace.checkpoints.series import Checkpoint

PROG = "python -m neurotrace.checkpoints"
SENTENCES = 8  # of each language, by which a loss is taken
COMMANDS = ("list", "audit", "prefetch")
USAGE = f"""\
neurotrace.checkpoints finds the checkpoints of a training run, checks them and brings them here.

  {PROG} list SOURCE          steps, tokens, sizes, what is here and what is missing
  {PROG} audit SOURCE         copies, final weights under another name, broken files; --deep
  {PROG} prefetch SOURCE      download all, for a run without a network

SOURCE is a folder of checkpoints, a repository org/model of the Hugging Face Hub, or a .toml file
with the keys source, pattern, tokenizer, tokens_per_step, steps, repositories.
It ends with 0, with 1 where something is wrong or failed, with 2 for wrong input.
All options: {PROG} COMMAND --help"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 for all is well, 1 for something wrong, 2 for wrong input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        return _refuse(f"got command {name!r}; valid are {', '.join(COMMANDS)}")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a log may know no Unicode
    command = import_module(f"neurotrace.checkpoints.{name}_command")
    # What has no default comes without a flag: the commands themselves need not know tyro.
    config = tyro.cli(
        command.Config,
        args=rest,
        prog=f"{PROG} {name}",
        description=command.Config.__doc__,
        config=(tyro.conf.PositionalRequiredArgs,),
    )
    try:
        if name == "audit":
            return command.run(config, measure=sentence_loss)
        return command.run(config)
    except KeyboardInterrupt:
        return _refuse("interrupted", code=130)
    except (ValueError, OSError) as error:
        wrong_input = isinstance(error, ValueError | FileNotFoundError | NotADirectoryError)
        return _refuse(str(error), code=2 if wrong_input else 1)


def sentence_loss(config: "AuditConfig") -> "Loss":
    """What measures the loss of a checkpoint on a few sentences of each language.

    Returns
    -------
    A function of a checkpoint whose files are at hand: mean nats a predicted token; None for
    models that have no loss on one sentence alone, or whose parts are not known.
    """
    from neurotrace import capture
    from neurotrace.capture.checks import vocabulary_of
    from neurotrace.capture.devices import resolve
    from neurotrace.capture.job import refuse_unknown_ids
    from neurotrace.capture.loss import nats, plan_loss
    from neurotrace.capture.plain import known_family, stack_of
    from neurotrace.capture.positions import n_positions
    from neurotrace.capture.tokens import tokenize
    from neurotrace.concepts import ConceptSet

    own = Path(config.source) / "concepts.jsonl"
    concepts = ConceptSet.load(config.concepts or (own if own.is_file() else "everyday"))
    few = concepts.frame.groupby("lang", sort=False).head(SENTENCES).reset_index(drop=True)
    device, dtype = resolve()

    def loss(checkpoint: "Checkpoint") -> float | None:
        try:
            model = capture.load_model(
                checkpoint, backend="plain", device=device, dtype=dtype, sites=("hook_resid_post",)
            )
        except capture.UnsupportedModel:
            return None
        family = known_family(model.model.config)
        longest = n_positions(model.model.config, family, stack_of(model.model, "auto"))
        tokenized = tokenize(model.tokenizer, few, max_length=longest)
        refuse_unknown_ids(tokenized, vocabulary_of(model.model.config), few)
        planned = plan_loss(
            family.auto,
            model.tokenizer,
            tokenized,
            frame=few,
            per_language=SENTENCES,
            seed=0,
        )
        if planned.rows is None:
            return None
        rows = planned.rows["example"].to_numpy()
        each = nats(model, tokenized, rows, masked=planned.masked)
        return float(np.average(each, weights=planned.rows["n_tokens"]))

    return loss


def _refuse(message: str, *, code: int = 2) -> int:
    print(f"neurotrace.checkpoints: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
