"""Going on with the training of a checkpoint while named parts of it stay as they are."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurotrace.capture.devices import free
from neurotrace.capture.loading import load_tokenizer, load_weights
from neurotrace.capture.plain import Model
from neurotrace.capture.tokens import Tokenized
from neurotrace.causal.freezing import Part, as_list, freeze_parts
from neurotrace.causal.tuned_series import TunedSeries, is_whole
from neurotrace.causal.tuning_heads import CausalHead, ClassHead, Head, encode, predicted
from neurotrace.checkpoints import Checkpoint, find, weight_hash

HEADS = ("causal", "classification")
CLIP = 1.0  # largest norm of a gradient
LOGITS = 2**27  # most logits held at once, half a GiB: a batch of a large vocabulary is cut up


@dataclass(frozen=True)
class _Recipe:
    """How a checkpoint is trained, seen to make sense."""

    head: str
    steps: int
    lr: float
    head_lr: float
    batch_size: int
    max_length: int
    weight_decay: float
    save_every: int | None
    keep_start: bool
    bos: str
    seed: int

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise ValueError(f"got head {self.head!r}; valid are {', '.join(HEADS)}")
        for name in ("steps", "batch_size", "max_length", "save_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"got {name} {value}; expected at least 1")
        for name in ("lr", "head_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"got {name} {getattr(self, name)}; expected a number above 0")


def finetune(
    checkpoint: Checkpoint | str | Path,
    texts: Sequence[str],
    *,
    out: str | Path,
    freeze: Sequence[Part] = (),
    head: str = "causal",
    labels: Sequence[str | int] | None = None,
    steps: int = 100,
    epochs: float | None = None,
    lr: float = 2e-5,
    head_lr: float = 1e-2,
    batch_size: int = 32,
    max_length: int = 128,
    weight_decay: float = 0.0,
    save_every: int | None = None,
    keep_start: bool = False,
    bos: str = "default",
    device: str = "cpu",
    trust_remote_code: bool = False,
    seed: int = 0,
) -> list[Checkpoint]:
    """What becomes of a checkpoint that is trained further on some texts, parts of it frozen?

    AdamW on the texts in a seeded order, its rate falling evenly to nothing, without warm-up
    (Philippy et al., 2023). The loss counts content tokens only: neither padding nor BOS, EOS or
    unknown words are learnt. The same call on the same CPU gives the same weights bit for bit;
    where whole checkpoints of the same settings lie in ``out``, nothing is trained again.

    Parameters
    ----------
    checkpoint
        Where the training starts from; it is only read.
    texts
        ``(text,)``, such as sentences of one language.
    out
        Folder of the series, new or of the same settings: ``step-000100/`` and so on, in float32
        with the tokenizer, which :func:`neurotrace.checkpoints.find` and a trace take as they
        take any others.
    freeze
        What stays as it is, bit for bit: numbers of blocks, counted from 0, and the names
        ``embed``, ``norm``, ``head``. Always a list, never "the first n": see
        :func:`freeze_parts` for what the released code of Wilie et al. (2025) made of that. With
        tied embeddings, either of ``embed`` and ``head`` freezes both.
    head
        ``"causal"``: the next token. ``"classification"``: a new linear head on the final state of
        the last content token, always trained, kept beside the model; :func:`classify` reads it.
    labels
        ``(text,)`` classes, names or numbers, for ``"classification"`` and only there.
    steps, epochs
        Updates, or passes through the texts, which then decide the updates.
    lr, head_lr
        First learning rate of the model, and of a new head. The default is Philippy's, for models
        of hundreds of millions of parameters; tiny ones need far more.
    batch_size, max_length
        Texts an update, and tokens after which a text is cut off.
    save_every
        Updates between checkpoints; only the last one by default, which is always saved.
    keep_start
        Save step 0, the untuned model, too.
    bos
        As in :func:`neurotrace.capture.run`.

    Returns
    -------
    The saved checkpoints, in order.

    Raises
    ------
    ValueError
        For a freeze list that names what the model lacks, labels that do not fit the texts, texts
        without content, numbers below 1, or a folder that holds something else.
    FloatingPointError
        When the loss is no number any more.
    """
    source = checkpoint.path if isinstance(checkpoint, Checkpoint) else Path(checkpoint)
    if epochs is not None:
        steps = max(1, round(epochs * len(texts) / batch_size)) if epochs > 0 else 0
    recipe = _Recipe(
        head, steps, lr=lr, head_lr=head_lr, batch_size=batch_size, max_length=max_length,
        weight_decay=weight_decay, save_every=save_every, keep_start=keep_start, bos=bos, seed=seed,
    )  # fmt: skip
    _refuse_labels(texts, head, labels)
    settings: dict[str, Any] = {
        "weights": weight_hash(source), "texts": _digest(texts), "freeze": as_list(freeze),
        "labels": None if labels is None else _digest(labels), **asdict(recipe),
    }  # fmt: skip
    out = Path(out)
    if is_whole(out, settings):
        return find(out)
    model = load_weights(source, device=device, trust_remote_code=trust_remote_code)
    frozen = freeze_parts(model, freeze)
    _say_if_tied(model, freeze)
    tokenizer = load_tokenizer(checkpoint, trust_remote_code=trust_remote_code)
    read = encode(tokenizer, texts, max_length=max_length, bos=bos)
    made = _head(model, labels, recipe, device=device)
    _refuse_nothing(model, made, read)
    series = TunedSeries(out, {**settings, "frozen": frozen}, tokenizer)
    with _seeded(seed, device):
        if keep_start:
            series.save(0, model, made)
        for step in _updates(model, made, read, recipe):
            if step == steps or (save_every and step % save_every == 0):
                series.save(step, model, made)
    series.finish()
    del model, made
    free(device)
    return find(out)


def _updates(model: Model, head: Head, texts: Tokenized, recipe: _Recipe) -> Iterator[int]:
    """Train, handing out the number of every update that is done."""
    rates = [(recipe.lr, _trained(model)), (recipe.head_lr, head.parameters())]
    groups = [{"params": own, "lr": rate, "first": rate} for rate, own in rates if own]
    learning = [parameter for _, own in rates for parameter in own]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    order = _order(len(texts.lengths), recipe.steps * recipe.batch_size, seed=recipe.seed)
    for step, rows in enumerate(order.reshape(recipe.steps, -1), start=1):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = group["first"] * (1 - (step - 1) / recipe.steps)
        optimizer.zero_grad()
        loss = _backward(model, head, texts, rows)
        if not np.isfinite(loss):
            raise FloatingPointError(f"got loss {loss} at update {step}; expected a finite one")
        nn.utils.clip_grad_norm_(learning, CLIP)
        optimizer.step()
        model.eval()
        yield step


def _backward(model: Model, head: Head, texts: Tokenized, rows: NDArray[np.intp]) -> float:
    """Gradients of a batch's mean loss, a piece of the batch at a time; the loss."""
    device, weight = str(next(model.parameters()).device), head.weight(texts, rows)
    widest = int(texts.lengths[rows].max()) * int(model.config.vocab_size)
    size, total = max(1, LOGITS // widest), 0.0
    for start in range(0, len(rows), size):
        piece = rows[start : start + size]
        loss = head.loss(model, texts.batch(piece, device=device), piece) / weight
        loss.backward()
        total += loss.item()
    return total


def _order(n: int, wanted: int, *, seed: int) -> NDArray[np.intp]:
    """Texts in the order they are learnt from: one permutation after the other."""
    rng = np.random.default_rng([seed, 41])
    return np.concatenate([rng.permutation(n) for _ in range(-(-wanted // n))])[:wanted]


def _head(
    model: Model, labels: Sequence[str | int] | None, recipe: _Recipe, *, device: str
) -> Head:
    if labels is None:
        return CausalHead()
    plain = [label if isinstance(label, str) else int(label) for label in labels]
    reading = {"max_length": recipe.max_length, "bos": recipe.bos}
    made = ClassHead.draw(plain, int(model.config.hidden_size), seed=recipe.seed, reading=reading)
    made.linear.to(device)
    return made


def _trained(model: Model) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _digest(values: Sequence[Any]) -> str:
    return sha256(json.dumps([str(value) for value in values]).encode()).hexdigest()[:16]


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """Lend torch's generators out, from which dropout draws; bars of saving stay away."""
    from transformers.utils import logging

    mixed = int(np.random.SeedSequence([seed, 43]).generate_state(1)[0])
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
            torch.manual_seed(mixed)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _say_if_tied(model: Model, freeze: Sequence[Part]) -> None:
    tied = getattr(model.config, "tie_word_embeddings", False)
    if tied and len({"embed", "head"} & set(freeze)) == 1:
        warn("the embeddings are tied: embed and head are frozen together", stacklevel=3)


def _refuse_nothing(model: Model, head: Head, texts: Tokenized) -> None:
    if isinstance(head, CausalHead) and not _trained(model):
        raise ValueError("got a freeze list that leaves nothing to learn; expected some part free")
    alone = np.flatnonzero(predicted(texts) == 0)
    if isinstance(head, CausalHead) and len(alone):
        raise ValueError(
            f"text {alone[0]}: got no token that follows another; expected at least one"
        )


def _refuse_labels(texts: Sequence[str], head: str, labels: Sequence[str | int] | None) -> None:
    if isinstance(texts, str) or not len(texts):
        raise ValueError("got one string or no texts; expected a list of texts")
    if (labels is not None) != (head == "classification"):
        raise ValueError(
            f"got head {head!r} {'with' if labels is not None else 'without'} labels; "
            "expected labels for classification, and only there"
        )
    if labels is not None and len(labels) != len(texts):
        raise ValueError(f"got {len(labels)} labels for {len(texts)} texts; expected one a text")
