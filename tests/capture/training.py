"""Short training runs by the real Trainer, and files compared to the last bit."""

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from capture.tiny_families import model_of, tokenizer_of
from torch import nn
from transformers import (
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

WHAT = ("mlp.hook_post/max", "mlp.hook_post@rotated3/max", "hook_resid_post/tokens", "embed/mean")
# How all captures are made that are compared.
SAME = {"what": WHAT, "tokens_per_language": 30, "loss_sentences": 4, "dtype": "float32"}
AFTERWARDS = {**SAME, "backend": "plain", "progress": False}
STEPS, EVERY = 8, 4
DROPOUT = {
    "gpt_neox": ("hidden_dropout", "attention_dropout"),
    "llama": ("attention_dropout",),
    "bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
}


class Noisy(torch.utils.data.Dataset):
    """Sentences that draw on the random states of Python and NumPy whenever they are read."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, row: int) -> dict[str, Any]:
        drawn = random.randrange(20) + int(np.random.randint(20))  # noqa: NPY002
        return {"input_ids": [1, *(4 + (row * 7 + k * 3 + drawn) % 40 for k in range(8))]}


class StopAt(TrainerCallback):
    """A training that ends early."""

    def __init__(self, step: int):
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
        control.should_training_stop |= state.global_step == self.step


def train(
    family: str, out: Path, *callbacks: TrainerCallback, resume: bool = False, **options: Any
) -> Trainer:
    """Eight steps of a model with dropout, saved after four and at the end."""
    tokenizer = tokenizer_of(family)
    arguments = TrainingArguments(
        output_dir=str(out),
        max_steps=STEPS,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        seed=3,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **{"save_strategy": "steps", "save_steps": EVERY, **options},
    )
    trainer = Trainer(
        model=model_of(family, **dict.fromkeys(DROPOUT[family], 0.1)).train(),
        args=arguments,
        train_dataset=Noisy(),
        data_collator=DataCollatorForLanguageModeling(
            tokenizer, mlm=tokenizer.mask_token is not None
        ),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    trainer.train(resume_from_checkpoint=resume or None)
    return trainer


def nudged(model: nn.Module, *, seed: int = 0) -> nn.Module:
    """The same model after something like a step of training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return model


def curve(trainer: Trainer) -> list[Any]:
    """Loss and size of the gradient at each step."""
    return [(row.get("loss"), row.get("grad_norm")) for row in trainer.state.log_history]


def contents(file: Path | None) -> dict[str, Any]:
    """Every dataset and attribute of a file."""
    assert file is not None
    found: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[...]
        found.update({f"{name} @{key}": value for key, value in item.attrs.items()})

    with h5py.File(file) as h5:
        keep("", h5)
        h5.visititems(keep)
    return found


def equal(one: dict[str, Any], other: dict[str, Any], *, but: tuple[str, ...] = ()) -> None:
    """Refuse two files that differ, in whatever else than some root attributes."""
    assert one.keys() == other.keys()
    but = (*but, "tables_checksum") if but else but  # it is over the others, too
    for name in sorted(one.keys() - {f" @{name}" for name in but}):
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def same_weights(one: nn.Module, other: nn.Module) -> None:
    """Refuse two models of which one bit differs."""
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, x in one.state_dict().items():
        assert torch.equal(x, other.state_dict()[name]), name
