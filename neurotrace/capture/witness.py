"""A second opinion: a model loaded anew by transformers, and what its modules say by themselves.

Nothing here knows the table of families or a bridge. Which modules are the blocks, which are linear
maps and which activation functions is read off a pass through the model, so that a wrong row in
that table, or a hook that lies, stands against something that does not share its mistake.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn

from neurotrace.capture.devices import DTYPES

Values = NDArray[Any]  # (token, feature) float32, padding left out


@dataclass
class Block:
    """What the modules of one block read and wrote.

    Attributes
    ----------
    reads, writes
        Values in and out of each linear map by its name, in the order of the calls.
    activation
        What the last activation function before the last linear map read; None where none is a
        module.
    state
        What the block gave.
    """

    reads: dict[str, Values] = field(default_factory=dict)
    writes: dict[str, Values] = field(default_factory=dict)
    activation: Values | None = None
    state: Values | None = None
    _candidate: Values | None = None


@dataclass(frozen=True)
class Testimony:
    """One pass: the embedding's output, and every block."""

    embed: Values
    blocks: tuple[Block, ...]


class Witness:
    """A checkpoint folder as transformers loads it by the name its configuration gives.

    Parameters
    ----------
    stack
        ``encoder`` or ``decoder`` of a model that has both; ``auto`` takes the encoder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stack: str = "auto",
        device: str = "cpu",
        dtype: str = "float32",
        trust_remote_code: bool = False,
    ):
        with _quiet():
            model = _class_of(folder, trust_remote_code).from_pretrained(
                folder,
                dtype=DTYPES[dtype],
                local_files_only=True,
                trust_remote_code=trust_remote_code,
            )
        self.model: Any = model.to(device).eval()
        self.attention = str(self.model.config._attn_implementation)
        self.two_stacks = bool(self.model.config.is_encoder_decoder)
        self.decodes = self.two_stacks and stack == "decoder"
        body = self.model.base_model
        if self.two_stacks:
            body = self.model.get_decoder() if self.decodes else self.model.get_encoder()
        self.body: Any = body
        self.blocks = _blocks(body)

    def testify(self, ids: Tensor, mask: Tensor, *, attention: str | None = None) -> Testimony:
        """Run sentences through and keep what the modules read and wrote.

        Parameters
        ----------
        ids, mask
            ``(sentence, token)``, padded on the right.
        attention
            Implementation, the model's own where none is named.
        """
        self.model.set_attn_implementation(attention or self.attention)
        device = self.model.device
        ids, mask = ids.to(device), mask.to(device)
        blocks = tuple(Block() for _ in self.blocks)
        embedded: list[Values] = []
        with ExitStack() as hooks, torch.inference_mode():
            keep = _keeper(mask, shift=self.decodes)
            for module, block in zip(self.blocks, blocks, strict=True):
                hooks.enter_context(_watched(module, block, keep))
            embedding = self.body.get_input_embeddings()
            handle = embedding.register_forward_hook(lambda _, __, x: embedded.append(keep(x)))
            hooks.callback(handle.remove)
            self._run(ids, mask)
        return Testimony(embedded[-1], blocks)

    @torch.inference_mode()
    def loss(self, ids: Tensor, wanted: Tensor, *, mask_id: int | None = None) -> float:
        """Nats a token of one sentence, as the model itself computes its loss.

        Parameters
        ----------
        ids, wanted
            ``(1, token)``: the sentence, and which of its tokens count.
        mask_id
            What stands for them in the input of a masked model; None of one that predicts the next
            token.
        """
        shown = ids if mask_id is None else ids.masked_fill(wanted, mask_id)
        labels = ids.masked_fill(~wanted, -100)
        found = self.model(input_ids=shown, attention_mask=torch.ones_like(ids), labels=labels)
        return float(found.loss)

    def _run(self, ids: Tensor, mask: Tensor) -> None:
        if not self.decodes:
            self.body(input_ids=ids, attention_mask=mask)
            return
        # The decoder reads the same sentence behind the token that it starts with.
        start = self.model.config.decoder_start_token_id
        first = torch.full_like(ids[:, :1], start)
        self.model(
            input_ids=ids,
            attention_mask=mask,
            decoder_input_ids=torch.cat([first, ids], dim=1),
            decoder_attention_mask=torch.cat([torch.ones_like(first), mask], dim=1),
        )


@contextmanager
def _quiet() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _class_of(folder: Path, trust_remote_code: bool) -> Any:
    import transformers

    config = transformers.AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=trust_remote_code
    )
    names = [name for name in config.architectures or () if hasattr(transformers, name)]
    return getattr(transformers, names[0] if names else "AutoModelForCausalLM")


def _blocks(body: nn.Module) -> nn.ModuleList:
    """The list of modules that holds most of the weights."""
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=lambda found: sum(p.numel() for p in found.parameters()))


def _keeper(mask: Tensor, *, shift: bool) -> Callable[[Tensor], Values]:
    """Values of real tokens as an array; ``shift`` leaves out the place of a start token."""
    sentences, length = len(mask), mask.shape[1] + shift

    def keep(x: Tensor) -> Values:
        if not isinstance(x, Tensor):
            raise LookupError  # a router gives several things
        if x.ndim == 2 and len(x) == sentences * length:
            # Some MLPs run over all tokens in one row.
            x = rearrange(x, "(sentence token) feature -> sentence token feature", token=length)
        if tuple(x.shape[:2]) != (sentences, length) or x.ndim != 3:
            raise LookupError  # not over these tokens: the other stack's, or over experts
        return x[:, int(shift) :][mask.bool()].float().cpu().numpy()

    return keep


@contextmanager
def _watched(module: nn.Module, block: Block, keep: Callable[[Tensor], Values]) -> Iterator[None]:
    def of_linear(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            try:
                read, written = keep(given[0]), keep(out)
            except LookupError:
                return
            block.reads[name], block.writes[name] = read, written
            # Whatever function came before this map came before the last one, if this is the last.
            block.activation = block._candidate

        return hook

    def of_function(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        if not given or not isinstance(out, Tensor) or out.shape != given[0].shape:
            return
        # Dropout gives back what it reads.
        if not torch.equal(out, given[0]):
            try:
                block._candidate = keep(given[0])
            except LookupError:
                return

    def of_block(_: nn.Module, __: Any, out: Any) -> None:
        block.state = keep(out[0] if isinstance(out, tuple) else out)

    handles = [module.register_forward_hook(of_block)]
    for name, part in module.named_modules():
        if next(part.children(), None) is not None:
            continue
        if _is_linear(part):
            handles.append(part.register_forward_hook(of_linear(name)))
        elif not any(p.numel() > 1 for p in part.parameters()):
            handles.append(part.register_forward_hook(of_function))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_linear(part: nn.Module) -> bool:
    weight = getattr(part, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 2 and not isinstance(part, nn.Embedding)
