"""Capture a series: every sentence once through every checkpoint, one file a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from neurotrace.capture.bringing import shelf_of
from neurotrace.capture.devices import DeviceMap, resolve, usual_batch
from neurotrace.capture.folder import file_name, settle
from neurotrace.capture.job import Options, prepare
from neurotrace.capture.progress import Reporter
from neurotrace.capture.series import TWIN, Afterwards, Capturing
from neurotrace.checkpoints import Checkpoint
from neurotrace.checkpoints.shelf import Shelf
from neurotrace.concepts import ConceptSet
from neurotrace.runner import ELSEWHERE, Executor, map_each
from neurotrace.store import ActivationStore
from neurotrace.store.match import TWIN as TWIN_FILE


def run(
    series: Sequence[Checkpoint],
    concepts: ConceptSet,
    out: str | Path,
    *,
    what: Sequence[str] = ("mlp.hook_post/max",),
    dtype: str = "float16",
    bos: str = "default",
    device: str = "auto",
    compute_dtype: str = "auto",
    device_map: DeviceMap | None = None,
    batch_tokens: int | None = None,
    backend: str = "bridge",
    stack: str = "auto",
    tokens_per_language: int = 1000,
    words_per_language: int = 1000,
    word_cap: int = 15,
    loss_sentences: int = 32,
    exclude_ids: Sequence[int] = (),
    twin: str | Path | int | None = None,
    allow_equal: bool = False,
    trust_remote_code: bool = False,
    seed: int = 0,
    executor: str | Executor = "serial",
    only: Sequence[Checkpoint] | None = None,
    afterwards: Afterwards | None = None,
    cache_budget: int | None = None,
    shelf: Shelf | None = None,
    progress: bool = True,
) -> ActivationStore:
    """Capture pooled activations of every sentence at every checkpoint.

    The same call again goes on where the last one was stopped, whatever stopped it; on a finished
    folder it checks the weights and captures nothing.

    Parameters
    ----------
    series
        Checkpoints of one training run, in order, such as :func:`neurotrace.checkpoints.find`
        gives.
    concepts
        The sentences. They are kept as ``concepts.jsonl`` beside the activations.
    out
        Folder of the run.
    what
        Paths, all captured in one pass: ``site/pooling`` or ``site@rotatedSEED/pooling``.
    dtype
        Of neurons on disk, ``float16`` or ``float32``; states are always float32.
    bos
        ``default`` (what the tokenizer does), ``always`` or ``never``. Whatever the policy, BOS,
        other special tokens and padding are never pooled (``mean_all`` alone keeps specials).
    device, compute_dtype
        Of the forward pass; ``auto`` as in :func:`neurotrace.capture.devices.resolve`. What the
        type came to is recorded.
    device_map
        For models that do not fit on one device: ``auto``, or the device of each module, as
        :func:`transformers.PreTrainedModel.from_pretrained` takes it. Plain hooks read such models.
    batch_tokens
        Most tokens of a batch, padding included; 1024 on a CPU and 8192 elsewhere by default.
    backend
        ``bridge`` or ``plain``; families without a bridge are read by plain hooks. The one that was
        used is recorded.
    stack
        ``encoder`` or ``decoder`` of a model that has both (then it is recorded); ``auto`` is the
        encoder. The decoder reads the same sentence, behind its start token.
    tokens_per_language
        Tokens drawn for ``/tokens`` paths, once, before the first forward pass.
    words_per_language, word_cap
        Words drawn for ``/words`` paths (``/words_first``, ``/words_mean``), once, before the first
        forward pass, from at most ``word_cap`` occurrences of each type of word.
    loss_sentences
        Sentences a language whose next-token loss is kept; 0 for none.
    exclude_ids
        Token ids that are never pooled nor drawn, alone or in a word.
    twin
        Folder of a re-initialised model, or the seed to make one from the series' configuration;
        it is captured into ``twin.h5``, apart from the steps.
    allow_equal
        Whether two steps may have the same weights.
    executor
        Where checkpoints are captured, see :func:`neurotrace.runner.map_each`. Any number of
        calls may work on one folder at a time: each checkpoint is captured by one of them.
    only
        Those of the series to capture now, others being captured elsewhere.
    afterwards
        Called with each file once it is whole and the lease of it, where the file was made; the
        twin's comes first.
    cache_budget, shelf
        For checkpoints on the Hub, which are brought one by one while others are captured: most
        bytes of them on disk at any time, or the shelf they are taken from.

    Raises
    ------
    ValueError, BrokenCheckpoint, UnsupportedModel
        For input that is refused, naming it; most of it before anything is captured.
    HubError
        When a checkpoint cannot be downloaded; the same call goes on from there.
    StoreMismatch
        When the folder holds something captured in another way, naming what differs.
    StoreFull
        When the disk cannot hold what is missing.
    """
    place = Executor(executor) if isinstance(executor, str) else executor
    here = place.kind not in ELSEWHERE
    device, compute_dtype = resolve(device, compute_dtype, here=here)
    options = Options(
        what=what,
        dtype=dtype,
        bos=bos,
        device=device,
        compute_dtype=compute_dtype,
        device_map=device_map,
        batch_tokens=batch_tokens or usual_batch(device),
        # A bridge would move the layers; plain hooks leave them where they lie.
        backend=backend if device_map is None else "plain",
        tokens_per_language=tokens_per_language,
        words_per_language=words_per_language,
        word_cap=word_cap,
        loss_sentences=loss_sentences,
        exclude_ids=exclude_ids,
        trust_remote_code=trust_remote_code,
        seed=seed,
        stack=stack,
    )
    shelf = shelf_of(series, cache_budget=cache_budget, shelf=shelf)
    job, out = prepare(series, concepts, options), Path(out)
    files = {checkpoint: out / file_name(n, checkpoint) for n, checkpoint in enumerate(series)}
    settle(job, out, [*files.values(), *([out / TWIN_FILE] if twin is not None else [])])
    labels = [one.label for one in (series if only is None else only)]
    twins = [TWIN] if twin is not None else []
    alone = place.kind == "serial"
    with Reporter(len(files) + len(twins), len(concepts), shown=progress and alone) as reporter:
        one = Capturing(
            job=job,
            files=files,
            shelf=shelf,
            twin=twin,
            twin_file=out / TWIN_FILE,
            allow_equal=allow_equal,
            afterwards=afterwards,
            shown=progress,
            reporter=reporter if alone else None,
        )
        # What is done with a file afterwards may ask what the twin shows: it comes first then.
        for items in ([*labels, *twins],) if afterwards is None else (twins, labels):
            done = map_each(one, items, executor=place)
            # What others are at comes last: two calls on one folder share the work between them.
            held = [label for label, ours in zip(items, done, strict=True) if not ours]
            map_each(one.wait, held, executor=place)
    one.refuse_copies()
    return ActivationStore.open(out)
