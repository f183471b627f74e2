"""The bridge back end: the only file that imports TransformerLens."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from einops import rearrange
from torch import Tensor

from neurotrace.capture.plain import (
    Editor,
    Model,
    Place,
    Reader,
    known_family,
    plain_hooks,
    row_of,
)

_HEADS = "batch token head feature -> batch token (head feature)"
# What a point is called behind its block; the rest is called as the site is.
_POINTS = {
    "attn.q": "q.hook_out",
    "attn.k": "k.hook_out",
    "attn.v": "v.hook_out",
    "attn.out": "o.hook_out",
    "mlp.in": "mlp.in.hook_out",
    "mlp.gate": "mlp.gate.hook_out",
    "mlp.out": "mlp.out.hook_out",
}


def wrap(model: Model) -> Any:
    """A bridge around a model in memory, whose modules it rewrites in place."""
    # A private module: the public boot_transformers rebuilds the tokenizer and asks the hub.
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    adapter = known_family(model.config).adapter or type(model).__name__
    return build_bridge_from_module(model, adapter, hf_config=model.config, tokenizer=None)


@contextmanager
def bridge_hooks(
    model: Model, bridge: Any, hooks: Mapping[Place, Reader | Editor], *, stack: str = "auto"
) -> Iterator[None]:
    """Hooks by block and site: what a hook calls itself may be another name for the same point."""
    row = row_of(model, stack)
    plainly = {p: h for p, h in hooks.items() if p[0] == "embed" and not row.embed_point}
    points = [(_point(row, p), _nameless(h)) for p, h in hooks.items() if p not in plainly]
    with ExitStack() as attached:
        attached.enter_context(plain_hooks(model, plainly, stack=stack))
        attached.enter_context(bridge.hooks(fwd_hooks=points))
        yield


def _nameless(hook: Reader | Editor) -> Callable[..., Tensor | None]:
    # What a hook returns takes the place of the values: a reader returns nothing.
    def function(x: Tensor, hook: Any, own: Reader | Editor = hook) -> Tensor | None:  # noqa: ARG001
        if x.ndim != 4:
            return own(x)
        # Queries, keys and values come head by head.
        edited = own(rearrange(x, _HEADS))
        return None if edited is None else edited.reshape(x.shape)

    return function


def _point(row: Any, place: Place) -> str:
    site, layer = place
    if layer is None:
        return str(row.embed_point)
    name = _POINTS.get(site, site)
    inside = f"{row.attn}.{name}" if site.startswith("attn.") else name
    return f"{row.points}.{layer}.{inside}"
