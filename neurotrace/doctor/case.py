"""One checkpoint on its way through the checks that need its weights."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from neurotrace.checkpoints import Checkpoint
from neurotrace.doctor import here, numbers, reading, sites, values
from neurotrace.doctor.findings import Finding, judged

LOSS_SENTENCES = 4  # a language
LOSS_HEARD = 8  # sentences whose loss the independent model takes, too


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a model would be captured; see :func:`neurotrace.doctor.diagnose`."""

    backend: str
    device: str
    dtype: str
    stack: str
    trust_remote_code: bool
    seed: int


class Case:
    """One checkpoint on its way through the checks that need its weights."""

    def __init__(self, checkpoint: Checkpoint, options: Options):
        from neurotrace.capture import loading, plain
        from neurotrace.capture.checks import vocabulary_of
        from neurotrace.capture.positions import n_positions

        self.checkpoint, self.options = checkpoint, options
        skeleton = loading.skeleton(checkpoint.path, trust_remote_code=options.trust_remote_code)
        self.family = plain.known_family(skeleton.config)
        self.stack = plain.stack_of(skeleton, options.stack)
        row = plain.row_of(skeleton, options.stack)
        block = skeleton.base_model.get_submodule(f"{row.blocks}.0")
        self.sites = plain.valid_sites(block, row)
        self.n_vocabulary = vocabulary_of(skeleton.config)
        self.n_positions = n_positions(skeleton.config, self.family, self.stack)
        self.prepends: bool | None = None
        self.tokenizer: Any = None

    def findings(self, tokenizer: Any, tokenized: Any, frame: pd.DataFrame) -> Iterator[Finding]:
        """All of them. One model at a time is in memory: the independent one goes first."""
        from neurotrace.capture.devices import free

        rows = reading.chosen(tokenized.lengths, most=self.n_positions)
        loss = self._loss(tokenizer, tokenized, frame)
        heard = self._testimonies(tokenized, rows, loss)
        free(self.options.device)
        start = time.perf_counter()
        model = self._load(self.sites, self.options.dtype, backend=self.options.backend)
        seconds = time.perf_counter() - start
        self.prepends = _prepends(model)
        hooks = _count_hooks(model)
        places = reading.places_of(self.sites, model.n_layers)
        batch = tokenized.batch(rows, device=str(model.device))
        got = reading.read(model, batch, places)
        bound = values.TOLERANCE[self.options.dtype]
        spots = sites.spots_of(self.sites, got, next(iter(heard.told.values())), tolerance=bound)
        yield from sites.of_sites(spots, got, model.n_layers, heard.n_blocks)
        yield from self._compared(model, tokenized, rows, spots=spots, told=heard.told)
        yield _left_behind(model, hooks)
        units = [site for site in self.sites if site not in ("embed", "hook_resid_post")]
        yield from values.of_storage(got, units)
        yield from self._losses(model, tokenized, loss, heard.losses)
        main = "mlp.hook_post" if "mlp.hook_post" in self.sites else "hook_resid_post"
        yield from here.of_speed(model, tokenized, main, loading=seconds)
        del model
        free(self.options.device)
        yield from self._drift(main, tokenized, rows, got)
        yield from here.of_memory(self.options.device, heard.n_bytes)

    def _load(self, wanted: list[str], dtype: str, *, backend: str) -> Any:
        from neurotrace.capture import load_model

        return load_model(
            self.checkpoint,
            backend=backend,
            device=self.options.device,
            dtype=dtype,
            trust_remote_code=self.options.trust_remote_code,
            sites=wanted,
            stack=self.options.stack,
        )

    def _testimonies(self, tokenized: Any, rows: Any, loss: Any) -> "_Heard":
        from neurotrace.capture.witness import Witness

        witness = Witness(
            self.checkpoint.path,
            stack=self.stack,
            device=self.options.device,
            dtype=self.options.dtype,
            trust_remote_code=self.options.trust_remote_code,
        )
        batch = tokenized.batch(rows, device=self.options.device)
        alone = [tokenized.batch(rows[[n]], device=self.options.device) for n in range(len(rows))]
        own = witness.attention
        told = {"Hugging Face, eager": witness.testify(batch.ids, batch.mask, attention="eager")}
        if own != "eager":
            told[f"Hugging Face, {own}"] = witness.testify(batch.ids, batch.mask)
        told["Hugging Face, one by one"] = values.joined(
            [witness.testify(one.ids, one.mask) for one in alone]
        )
        n_bytes = sum(p.numel() * p.element_size() for p in witness.model.parameters())
        losses = []
        if loss.rows is not None:
            chosen = loss.rows["example"].to_numpy()[:LOSS_HEARD]
            losses = [self._heard_loss(witness, tokenized, n, loss.masked) for n in chosen]
        return _Heard(told, len(witness.blocks), n_bytes, losses)

    def _heard_loss(self, witness: Any, tokenized: Any, row: int, masked: Any) -> float:
        shown = tokenized if masked is None else replace(tokenized, content=masked)
        batch = shown.batch(np.array([row]), device=self.options.device)
        mask_id = None if masked is None else self.tokenizer.mask_token_id
        return float(witness.loss(batch.ids, batch.content, mask_id=mask_id))

    def _compared(
        self, model: Any, tokenized: Any, rows: Any, *, spots: dict[str, Any], told: dict[str, Any]
    ) -> Iterator[Finding]:
        yield from values.of_values(
            model,
            tokenized,
            rows,
            places=reading.places_of(self.sites, model.n_layers),
            spots={site: spot for site, spot in spots.items() if spot is not None},
            told=told,
            dtype=self.options.dtype,
        )

    def _loss(self, tokenizer: Any, tokenized: Any, frame: pd.DataFrame) -> Any:
        from neurotrace.capture.loss import plan_loss

        self.tokenizer = tokenizer
        return plan_loss(
            self.family.auto,
            tokenizer,
            tokenized,
            frame=frame,
            per_language=LOSS_SENTENCES,
            seed=self.options.seed,
        )

    def _losses(self, model: Any, tokenized: Any, loss: Any, heard: list[float]) -> Any:
        from neurotrace.capture.loss import nats

        if loss.rows is None:
            why = "a model of two stacks has none" if self.family.auto == "seq2seq" else "no mask"
            yield Finding("numbers", "loss", why, "", "not checked")
            return
        each = nats(model, tokenized, loss.rows["example"].to_numpy(), masked=loss.masked)
        yield from numbers.of_loss(each, heard, kind=loss.kind, n_vocabulary=self.n_vocabulary)

    def _drift(self, site: str, tokenized: Any, rows: Any, got: Any) -> Iterator[Finding]:
        """The same sentences in both types, one model after the other."""
        from neurotrace.capture.devices import free

        batch = tokenized.batch(rows, device=self.options.device)
        found = {self.options.dtype: got}
        for dtype in ("float32", "bfloat16"):
            if dtype not in found:
                # Of the type alone: plain hooks add nothing of their own.
                model = self._load([site], dtype, backend="plain")
                places = reading.places_of([site], model.n_layers)
                found[dtype] = reading.read(model, batch, places)
                del model
                free(self.options.device)
        yield from numbers.of_drift(
            found["float32"],
            found["bfloat16"],
            [site],
            used=self.options.dtype,
            content=batch.content[batch.mask.bool()].cpu().numpy(),
            counts=tokenized.lengths[rows],
        )


def _prepends(model: Any) -> bool | None:
    """What TransformerLens would do with strings; None without a bridge."""
    config = getattr(getattr(model, "_bridge", None), "cfg", None)
    return getattr(config, "default_prepend_bos", None)


def _count_hooks(model: Any) -> int:
    held = ("_forward_hooks", "_forward_pre_hooks")
    return sum(len(getattr(module, name)) for module in model.model.modules() for name in held)


def _left_behind(model: Any, before: int) -> Finding:
    n = _count_hooks(model) - before
    return Finding("values", "hooks left behind", str(n), "0", judged(n == 0), float(n))


@dataclass(frozen=True)
class _Heard:
    """What the independent model said: by the name of each hearing; and its size and losses."""

    told: dict[str, Any]
    n_blocks: int
    n_bytes: int
    losses: list[float]
