"""What ``--keep scores`` leaves on disk at the paper's shape, against ``--keep activations``.

    python -m benchmarks.kept

A checkpoint of 24 layers of 4,096 neurons, 200 concepts, 16 languages and 20,000 sentences a
language. Its scores are drawn at random, which compresses worse than real ones, and written as
scoring writes them; its file is written without its activations, and stripped; the activations are
counted as the format lays them out.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neurotrace.pricing import kept_bytes
from neurotrace.pricing_blocks import Shape
from neurotrace.store import ActivationStore, CheckpointWriter, layout, strip
from neurotrace.trajectories.parts import Part, Parts

LAYERS, WIDTH, FEATURES, LANGS, CONCEPTS, SENTENCES = 24, 4_096, 1_024, 16, 200, 20_000
TOP, SPLITS, BINS, NEURONS = 500, 4, 200, 24 * 4_096
PAIRS = LANGS * (LANGS - 1) // 2
REQUIRED = 0.1  # per cent


def experts(rng: np.random.Generator) -> xr.Dataset:
    """Ranked experts of one split, and the sets of the others as steps between neurons."""
    sets = np.empty((SPLITS, LANGS, 2, CONCEPTS, TOP), np.int32)
    for own in sets.reshape(-1, TOP):
        own[:] = np.sort(rng.choice(NEURONS, TOP, replace=False))
    first = rng.permuted(sets[0], axis=-1).transpose(2, 0, 1, 3)
    ranked = ("concept", "lang", "half", "rank")
    return xr.Dataset(
        {
            "layer": (ranked, (first // WIDTH).astype(np.uint8)),
            "neuron": (ranked, (first % WIDTH).astype(np.uint16)),
            "held_out": (ranked, rng.normal(1200, 600, first.shape).clip(0, 4000).astype("u2")),
            "gaps": (
                ("split", "lang", "half", "concept", "rank"),
                np.diff(sets[1:], axis=-1, prepend=-1).astype(np.uint32),
            ),
        }
    )


def tables(rng: np.random.Generator) -> dict[str, list[xr.Dataset]]:
    """What else scoring keeps: overlaps of three sizes, of layers and of nulls, and tables."""

    def overlap(layers: int, sizes: int) -> xr.Dataset:
        shares = rng.integers(0, 20_000, (4, layers, sizes, CONCEPTS, PAIRS)) / 20_000
        dims = ("layer", "k", "concept", "pair")
        names = ("value", "same_half", "wrong_concept", "stratified")
        return xr.Dataset({name: (dims, own) for name, own in zip(names, shares, strict=True)})

    def square() -> xr.Dataset:
        both = rng.random((2, CONCEPTS, LANGS, LANGS))
        dims = ("concept", "lang_a", "lang_b")
        return xr.Dataset({"value": (dims, both[0]), "auroc": (dims, both[1])})

    def members() -> xr.Dataset:
        place = np.sort(rng.choice(NEURONS * 50, LANGS * CONCEPTS * TOP, replace=False))
        return xr.Dataset({"own": ("member", np.diff(place, prepend=-1).astype(np.uint32))})

    counts = rng.integers(0, 40_000, (LAYERS, LANGS, BINS)).astype(np.uint32)
    return {
        "experts": [experts(rng)],
        "histogram": [xr.Dataset({"count": (("layer", "lang", "bin"), counts)})],
        "overlap": [overlap(1, 3), *(overlap(1, 1) for _ in range(3))],
        "overlap_layers": [overlap(LAYERS, 1)],
        "expertise": [square()],
        "ceilings": [square()],
        "expert_sets": [members()],
    }


def scores(folder: Path) -> int:
    """Bytes of one checkpoint's scores."""
    parts = Parts(folder, {(0, 0): ("0000_step0", "benchmark")})
    for name, made in tables(np.random.default_rng(0)).items():
        for number, dataset in enumerate(made):
            parts.get(0, Part.of(name, {"number": number}), lambda dataset=dataset: dataset)  # type: ignore[misc]
    return parts.fold(0).stat().st_size


def stripped(folder: Path) -> tuple[int, int]:
    """Bytes of the checkpoint's file without its activations, and with them."""
    rng, n = np.random.default_rng(1), LANGS * SENTENCES
    concept = np.tile(np.arange(n // LANGS) % CONCEPTS, LANGS)
    examples = pd.DataFrame(
        {
            "group": [f"g{number % SENTENCES:05d}" for number in range(n)],
            "lang": np.repeat([f"q{chr(97 + at)}a_Latn" for at in range(LANGS)], SENTENCES),
            "n_tokens": rng.integers(8, 40, n),
            "text_hash": [rng.bytes(8).hex() for _ in range(n)],
            "lexical": rng.random(n) < 0.5,
        }
    )
    file = folder / "0000_step0.h5"
    # One column stands for all: what is dropped leaves its checksums behind, not its width.
    with CheckpointWriter.open(
        file,
        header={"model": "benchmark", "step": 0, "stage": 0, "weight_hash": "0" * 64},
        examples=examples,
        labels=(concept[:, None] == np.arange(CONCEPTS)).astype(np.int8),
        concepts=[f"concept{number:03d}" for number in range(CONCEPTS)],
        arrays={("mlp.hook_post/max", layer): (1, "float16") for layer in range(2 * LAYERS)},
    ) as writer:
        for start, stop in layout.slabs(n):
            rows = np.zeros((stop - start, 1), np.float32)
            keys = [("mlp.hook_post/max", layer) for layer in range(2 * LAYERS)]
            writer.write(start, dict.fromkeys(keys, rows))
        writer.finish()
    ActivationStore.open(folder)
    whole = {("mlp.hook_post/max", n): (WIDTH, "float16") for n in range(LAYERS)}
    whole |= {("mlp.hook_post@rotated0/max", n): (WIDTH, "float16") for n in range(LAYERS)}
    whole |= {("hook_resid_post/mean", n): (FEATURES, "float32") for n in range(LAYERS)}
    return strip(file, "scores").stat().st_size, layout.bytes_needed(whole, n_examples=n)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts, (tables_left, whole) = scores(folder / "scores"), stripped(folder)
    kept = parts + tables_left
    shape = Shape(
        n_checkpoints=1, n_layers=LAYERS, width=WIDTH, n_features=FEATURES, n_weights=0,
        n_embedded=0, n_languages=LANGS, n_concepts=CONCEPTS, n_sentences=SENTENCES, n_tokens=0,
        top=TOP, twin=False,
    )  # fmt: skip
    foretold = kept_bytes(shape)["scores"]
    print(f"scores {parts / 1e6:.1f} MB, stripped file {tables_left / 1e6:.1f} MB")
    print(f"activations {whole / 1e9:.1f} GB")
    print(f"--keep scores to --keep activations: {100 * kept / whole:.3f} %", end="")
    print(f"  (to reach: at most {REQUIRED} %); foretold {foretold / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
