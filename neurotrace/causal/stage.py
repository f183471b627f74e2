"""One model, neutral frames, and the arms of an experiment that are tried on them side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import xarray as xr
from einops import rearrange, repeat
from numpy.typing import NDArray
from torch import Tensor

from neurotrace.capture import HookedModel
from neurotrace.capture.head import Head
from neurotrace.capture.plain import Editor, Place
from neurotrace.causal.arms import Cases, Change
from neurotrace.causal.ingredients import Experts
from neurotrace.causal.materials import Materials
from neurotrace.causal.writes import norm, rescaled

SITE = "mlp.hook_post"
VALUES = 1 << 24  # most neuron values of a layer at once: a pass holds some six copies of them


@dataclass(frozen=True)
class Arm:
    """One condition.

    Attributes
    ----------
    name
        What it is called.
    change
        What it adds to the neurons of a layer.
    size
        ``"own"``: as it comes; ``"experts"``: rescaled, token by token and layer by layer, to the
        size of the first arm's change in the same pass; a number: to that share of the norm that
        the residual stream has there in the unforced frame.
    """

    name: str
    change: Change
    size: str | float = "own"


@dataclass(frozen=True)
class Stage:
    """One model, the frames, and the arms that are tried on them side by side.

    Attributes
    ----------
    arms
        All run in one pass, the first is what others may be sized after.
    n_frames
        Frames a language, at most.
    batch_rows
        Rows of a pass, at most; fewer where layers are wide.
    """

    model: HookedModel
    experts: Experts
    target: Materials
    arms: Sequence[Arm]
    n_frames: int
    batch_rows: int
    _seen: list[NDArray[np.float32]] = field(default_factory=list, repr=False)

    def effects(self, concepts: Sequence[str], languages: Sequence[str]) -> xr.Dataset:
        """``value`` and ``se`` over (arm, concept, lang_a, lang_b), arms without coordinate."""
        per_target = [self._into(lang, concepts, languages) for lang in languages]
        mean = [frames.mean(-1) for frames in per_target]
        spread = [
            frames.std(-1, ddof=1) / np.sqrt(frames.shape[-1])
            if frames.shape[-1] > 1
            else np.full(frames.shape[:-1], np.nan)
            for frames in per_target
        ]
        dims = ("arm", "concept", "lang_a", "lang_b")
        coords = {"concept": list(concepts), "lang_a": list(languages), "lang_b": list(languages)}
        return xr.Dataset(
            {"value": (dims, np.stack(mean, -1)), "se": (dims, np.stack(spread, -1))}, coords
        )

    def sizes(self) -> NDArray[np.float64]:
        """``(arm,)``: mean ‖W_out·Δa‖ over everything written so far."""
        return np.concatenate(self._seen, axis=1).mean(axis=1, dtype=np.float64)

    def _into(
        self, lang: str, concepts: Sequence[str], languages: Sequence[str]
    ) -> NDArray[np.float64]:
        """``(arm, concept, lang_a, frame)``: effects in one target language."""
        frames = self.target.frames[lang][: self.n_frames]
        ids, contrast = self._contrast(lang, concepts)
        found = np.full((len(self.arms), len(concepts), len(languages), len(frames)), np.nan)
        for same in _alike(frames):
            tokens = torch.tensor([frames[f] for f in same], device=self.model.device)
            unforced = self._next(tokens, ids) @ contrast
            residual = self._residual(tokens)
            shape = (len(concepts), len(languages), len(same))
            for c, a, f in self._batches(*shape, length=tokens.shape[1]):
                cases = Cases(
                    np.array([self.experts.concepts.index(concepts[i]) for i in c]),
                    np.array([self.experts.languages.index(languages[i]) for i in a]),
                    np.full(len(c), self.experts.languages.index(lang)),
                    np.array(same)[f],
                )
                scores = self._forced(tokens[f], cases, residual[:, f], ids) @ contrast
                scores = rearrange(scores, "(arm case) c -> arm case c", case=len(c))
                change = scores - unforced[f]
                at = torch.arange(len(c))
                found[:, c, a, np.array(same)[f]] = change[:, at, c].cpu().double().numpy()
        return found

    def _batches(
        self, n_concepts: int, n_languages: int, n_frames: int, *, length: int
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
        """Concepts, source languages and frames of the cases, a batch at a time."""
        whole = [at.ravel() for at in np.indices((n_concepts, n_languages, n_frames))]
        rows = min(self.batch_rows, VALUES // (length * self.model.widths[SITE]))
        step = max(1, rows // len(self.arms))
        for start in range(0, len(whole[0]), step):
            c, a, f = (at[start : start + step] for at in whole)
            yield c, a, f

    def _contrast(self, lang: str, concepts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids of all concepts' words, and ``(id, concept)`` own mean minus mean of the others.

        Its columns sum to 0, so that logits give what log p would.
        """
        words = [np.asarray(self.target.words[concept, lang]) for concept in concepts]
        ids = np.unique(np.concatenate(words))
        mean = np.stack([np.isin(ids, own) / len(np.unique(own)) for own in words], axis=1)
        others = (mean.sum(1, keepdims=True) - mean) / (len(concepts) - 1)
        device = self.model.device
        return torch.as_tensor(ids, device=device), torch.as_tensor(
            mean - others, dtype=torch.float32, device=device
        )

    @cached_property
    def _head(self) -> Head | None:
        return Head.of(self.model)

    def _next(self, ids: Tensor, words: Tensor) -> Tensor:
        """``(row, word)``: logits of some words after the last token."""
        mask = torch.ones_like(ids)
        if self._head is not None:
            return self._head.logits(self._head.states(ids, mask)[:, -1], words)
        with torch.inference_mode():
            # The head is run on one position: with 250,000 words it costs more than the body.
            out = self.model.model(
                input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=1
            )
        return out.logits[:, -1].float()[:, words]

    def _forced(self, ids: Tensor, cases: Cases, residual: Tensor, words: Tensor) -> Tensor:
        """``(arm · case, word)``: logits while each arm's change is written."""
        editors: dict[Place, Editor] = {
            (SITE, layer): self._editor(layer, cases, residual)
            for layer in range(self.model.n_layers)
        }
        with self.model.edit(editors):
            rows = repeat(ids, "case token -> (arm case) token", arm=len(self.arms))
            return self._next(rows, words)

    def _editor(self, layer: int, cases: Cases, residual: Tensor) -> Callable[[Tensor], Tensor]:
        w_out = self.model.w_out(layer).float()

        def edit(x: Tensor) -> Tensor:
            now = rearrange(x, "(arm case) token n -> arm case token n", case=len(cases))
            # The start token is the same everywhere and no part of the frame.
            free = now[:, :, 1:].float()
            written = now.clone()
            sizes: list[Tensor] = []
            for at, (arm, own) in enumerate(zip(self.arms, free, strict=True)):
                delta = arm.change(layer, own, cases)
                size = norm(delta, w_out)
                if arm.size == "experts":
                    delta, size = rescaled(delta, size, sizes[0])
                elif not isinstance(arm.size, str):
                    delta, size = rescaled(delta, size, arm.size * residual[layer])
                sizes.append(size)
                written[at, :, 1:] += delta.to(x.dtype)
            seen = rearrange(torch.stack(sizes), "arm case token -> arm (case token)")
            self._seen.append(seen.cpu().numpy())
            return rearrange(written, "arm case token n -> (arm case) token n")

        return edit

    def _residual(self, ids: Tensor) -> Tensor:
        """``(layer, frame, token)``: norms of the unforced residual stream, but the start's."""
        if not any(isinstance(arm.size, float) for arm in self.arms):
            return torch.zeros(self.model.n_layers, *ids.shape)
        norms: dict[int, Tensor] = {}

        def keeping(layer: int) -> Callable[[Tensor], None]:
            def read(x: Tensor) -> None:
                norms[layer] = x[:, 1:].float().norm(dim=-1)

            return read

        layers = range(self.model.n_layers)
        with self.model.watch({("hook_resid_post", at): keeping(at) for at in layers}) as run:
            run(ids, torch.ones_like(ids))
        return torch.stack([norms[at] for at in layers])


def _alike(frames: Sequence[Sequence[int]]) -> list[list[int]]:
    """Numbers of the frames of each length: rows of one pass need no padding."""
    lengths = sorted({len(frame) for frame in frames})
    return [[f for f, frame in enumerate(frames) if len(frame) == n] for n in lengths]
