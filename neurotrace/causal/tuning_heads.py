"""What a model is tuned on: the next token, or the class of a text read at its last token."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from neurotrace.capture.loading import load_tokenizer, load_weights
from neurotrace.capture.plain import Model
from neurotrace.capture.pooling import Batch
from neurotrace.capture.tokens import Tokenized, tokenize
from neurotrace.checkpoints import Checkpoint

WEIGHTS, NAMES = "classifier.safetensors", "classifier.json"
SPREAD = 0.02  # of a new head's weights


@dataclass(frozen=True)
class CausalHead:
    """The language model's own head: the next token, where that is content."""

    def loss(self, model: Model, batch: Batch, rows: NDArray[np.intp]) -> Tensor:  # noqa: ARG002
        """Sum of −log p over the content tokens that have a token before them, in nats."""
        out = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)
        wanted = batch.content[:, 1:]
        # Only what counts is turned into float32: padding and special tokens have no loss.
        return cross_entropy(out.logits[:, :-1][wanted].float(), batch.ids[:, 1:][wanted],
                             reduction="sum")  # fmt: skip

    def weight(self, texts: Tokenized, rows: NDArray[np.intp]) -> int:
        """Tokens whose loss :meth:`loss` sums."""
        return int(predicted(texts)[rows].sum())

    def parameters(self) -> list[nn.Parameter]:
        """None of its own: they are the model's."""
        return []

    def save(self, folder: Path) -> None:
        """Nothing beside the model."""


@dataclass(frozen=True)
class ClassHead:
    """A linear head on the final state of the last content token.

    Attributes
    ----------
    names
        Classes, sorted.
    wanted
        ``(text,)`` index of each text's class.
    linear
        Its weights, ``(class, feature)``.
    reading
        How texts become ids, kept for those that are classified later.
    """

    names: tuple[str | int, ...]
    wanted: NDArray[np.int64]
    linear: nn.Linear
    reading: dict[str, Any]

    @classmethod
    def draw(
        cls, labels: Sequence[str | int], width: int, *, seed: int, reading: dict[str, Any]
    ) -> "ClassHead":
        """A new head, its weights drawn with a seed.

        Raises
        ------
        ValueError
            For labels of one class only.
        """
        names = sorted(set(labels), key=lambda name: (isinstance(name, str), name))
        if len(names) < 2:
            raise ValueError(f"got labels of {len(names)} classes; expected at least 2")
        place = {name: at for at, name in enumerate(names)}
        weights = np.random.default_rng([seed, 42]).normal(0, SPREAD, (len(names), width))
        linear = nn.Linear(width, len(names))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights))
            linear.bias.zero_()
        wanted = np.array([place[label] for label in labels])
        return cls(tuple(names), wanted, linear, reading)

    def loss(self, model: Model, batch: Batch, rows: NDArray[np.intp]) -> Tensor:
        """Sum of −log p of the texts' classes, in nats."""
        wanted = torch.from_numpy(self.wanted[rows]).to(batch.ids.device)
        return cross_entropy(self.logits(model, batch), wanted, reduction="sum")

    def weight(self, texts: Tokenized, rows: NDArray[np.intp]) -> int:  # noqa: ARG002
        """Texts whose loss :meth:`loss` sums."""
        return len(rows)

    def parameters(self) -> list[nn.Parameter]:
        """Weights and bias, always trained."""
        return list(self.linear.parameters())

    def logits(self, model: Model, batch: Batch) -> Tensor:
        """``(batch, class)``"""
        body = model.base_model
        states = body(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)
        place = torch.arange(batch.content.shape[1], device=batch.ids.device)
        last = (batch.content * place).argmax(dim=1)
        return self.linear(states.last_hidden_state[torch.arange(len(last)), last].float())

    def save(self, folder: Path) -> None:
        """Beside the model: its weights, and the names of the classes."""
        tensors = {"weight": self.linear.weight, "bias": self.linear.bias}
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(kept, folder / WEIGHTS)
        facts = {"labels": list(self.names), **self.reading}
        (folder / NAMES).write_text(json.dumps(facts, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ClassHead":
        """The head that :meth:`save` left.

        Raises
        ------
        ValueError
            For a checkpoint without one.
        """
        if not (folder / NAMES).is_file():
            raise ValueError(
                f"{folder.name}: got no {NAMES}; expected a checkpoint that was tuned with "
                "head='classification'"
            )
        facts = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        names, tensors = tuple(facts.pop("labels")), load_file(folder / WEIGHTS)
        linear = nn.Linear(tensors["weight"].shape[1], len(names))
        linear.load_state_dict(tensors)
        return cls(names, np.empty(0, dtype=np.int64), linear, facts)


Head = CausalHead | ClassHead


def classify(
    checkpoint: Checkpoint | str | Path,
    texts: Sequence[str],
    *,
    batch_size: int = 64,
    device: str = "cpu",
    trust_remote_code: bool = False,
) -> NDArray[Any]:
    """The classes that a tuned checkpoint gives some texts.

    Parameters
    ----------
    checkpoint
        One that :func:`finetune` made with ``head="classification"``.

    Returns
    -------
    ``(text,)`` names, or numbers, as the labels were.

    Raises
    ------
    ValueError
        For a checkpoint without a classifier, or a text without content tokens.
    """
    folder = checkpoint.path if isinstance(checkpoint, Checkpoint) else Path(checkpoint)
    head = ClassHead.load(folder)
    model = load_weights(folder, device=device, trust_remote_code=trust_remote_code)
    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    read = encode(tokenizer, texts, **head.reading)
    head.linear.to(device)
    found = np.zeros(len(texts), dtype=np.int64)
    order = np.argsort(read.lengths, kind="stable")
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            logits = head.logits(model, read.batch(rows, device=device))
            found[rows] = logits.argmax(dim=1).cpu().numpy()
    return np.array(head.names)[found]


def encode(tokenizer: Any, texts: Sequence[str], *, max_length: int, bos: str) -> Tokenized:
    """Texts as ids, each cut off after ``max_length`` tokens.

    Raises
    ------
    ValueError
        For no texts, or one without content tokens, naming it.
    """
    if not len(texts):
        raise ValueError("got no texts; expected at least one")
    frame = pd.DataFrame(
        {"text": list(texts), "lang": "text", "group": [*map(str, range(len(texts)))]}
    )
    whole = tokenize(tokenizer, frame, bos=bos)
    at = np.arange(len(whole.ids)) - np.repeat(whole.offsets[:-1], whole.lengths)
    kept = at < max_length
    lengths = np.minimum(whole.lengths, max_length)
    cut = Tokenized(
        ids=whole.ids[kept],
        content=whole.content[kept],
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        bos_present=whole.bos_present,
        pad_id=whole.pad_id,
    )
    empty = np.flatnonzero(cut.n_tokens == 0)
    if len(empty):
        raise ValueError(
            f"text {empty[0]}: got no content token within max_length {max_length}; "
            "expected at least one"
        )
    return cut


def predicted(texts: Tokenized) -> NDArray[np.int64]:
    """``(text,)``: content tokens that have a token before them."""
    return texts.n_tokens - texts.content[texts.offsets[:-1]]
