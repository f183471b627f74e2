"""The configuration of a trace: one documented dataclass, from which the command line is made."""

from dataclasses import dataclass
from typing import Literal, get_args

from neurotrace.checkpoints.quantities import bytes_of

Analysis = Literal[
    "overlap", "onset", "turnover", "expertise", "counts", "labels", "compression", "lives",
    "roles", "language_id", "retrieval", "loss", "confounds", "ilo", "embeddings",
    "latent_concepts", "evolution", "interchange", "ablation", "forcing", "tuning",
]  # fmt: skip
TUNING = "tuning"  # trains the model further: done only where it is asked for
ANALYSES: tuple[Analysis, ...] = tuple(name for name in get_args(Analysis) if name != TUNING)
CAUSES = ("interchange", "ablation", "forcing")  # those that run the model again
SPACES = ("ilo", "embeddings", "latent_concepts", "evolution", TUNING)  # the geometry of states
# What needs no concepts: parallel sentences, as FLORES has them, are enough.
CONCEPT_FREE = frozenset({"language_id", "retrieval", "loss", *SPACES})
WORDS = "hook_resid_post/words"
Format = Literal["svg", "png", "pdf"]
Site = Literal[
    "mlp.hook_post", "mlp.hook_pre", "mlp.in", "mlp.gate", "mlp.out",
    "attn.q", "attn.k", "attn.v", "attn.out", "mlp.shared_expert.hook_post",
]  # fmt: skip


@dataclass(frozen=True)
class TraceConfig:
    """Everything that decides what a trace is; saved in RUN/trace.json, read back by --config."""

    source: str = ""
    """Folder of checkpoint folders, such as neurotrace.lab writes; a repository ORG/MODEL of the
    Hugging Face Hub; a TOML file that describes a suite; or the folder of a captured run."""
    out: str = ""
    """Folder of the run. The same command again resumes; on a finished run it does nothing."""
    concepts: str | None = None
    """Concept set: the path of a JSONL, TSV, CSV or OneSec file, or the name of one that comes
    with neurotrace, such as everyday. Without it the source's own set is used."""
    languages: tuple[str, ...] = ()
    """Languages to trace, such as eng_Latn deu_Latn. None given: all of the set."""
    negatives: int | None = None
    """Negatives of a concept in each language, drawn with the seed. None given: all its sentences
    without the concept, or, where languages differ, as many as the poorest has."""
    checkpoints: str = "all"
    """Which steps: all, a list 0,64,512, a range 64:1024, every n-th ::2, log:12 for twelve evenly
    on a log axis."""
    pattern: str | None = None
    """Regular expression with a group named step, for folders or revisions with unusual names."""
    tokenizer: str | None = None
    """Folder or repository of the tokenizer. None given: the checkpoints' own, or their suite's."""
    stack: Literal["auto", "encoder", "decoder"] = "auto"
    """Which half of a model that has two. None given: the encoder."""
    site: Site = "mlp.hook_post"
    """Where a neuron is read: hook_post is the input of the down-projection; attn.q and its like
    are outputs of linear maps."""
    pooling: Literal["max", "mean", "last"] = "max"
    """How a sentence's tokens become one number a neuron; BOS and padding never take part."""
    score: Literal["average_precision", "auroc"] = "average_precision"
    """What makes a neuron an expert in the overlap; other figures are in average precision."""
    top: float = 0.05
    """Experts per concept and language: a fraction of all neurons (at most 500), or a number."""
    splits: int = 20
    """Seeded divisions of the sentence groups into disjoint halves."""
    rotations: int = 1
    """Random rotations of the neuron basis that are traced beside it; 0 leaves them out."""
    analyses: tuple[Analysis, ...] = ANALYSES
    """What to compute. None given: everything but tuning, which trains the model further."""
    causes: Literal["default", "full"] = "default"
    """How much of what is costly, experiments on the model and latent concepts: default keeps to
    the first 4 languages, 16 concepts and six checkpoints (interchange: all of these); full does
    all, and tunes on every language that has texts."""
    force: str | None = None
    """Language whose experts are forced while the model writes. None given: the second of the
    set; all of them with --causes full."""
    states: Literal["mean", "mean_all", "weighted_mean", "last"] = "mean"
    """How a sentence's states become one vector: the mean of its own tokens, of all tokens with
    BOS, the mean weighted by position, or the last token."""
    strata: str | None = None
    """Table with the columns lang and stratum, by which ILO is also given. None given: scripts."""
    distances: str | None = None
    """Table of language distances with the columns lang_a, lang_b, kind, value. None given: from
    geography and family trees, where all languages are known."""
    dictionary: str | None = None
    """Folder of word lists LANG-LANG.txt, a pair a line. None given: from the sentences of half
    A."""
    clusters: int | None = None
    """Latent concepts of a language. None given: one for about every 20 words."""
    words_per_language: int = 1000
    """Words whose states are kept for latent concepts, at most 15 of a type."""
    tune: str | None = None
    """Language on which the last checkpoint is tuned. None given: the first of the set."""
    tune_texts: str | None = None
    """File of texts in that language, one a line, or a folder of LANG.txt; the lab brings its
    own."""
    tune_steps: int = 100
    """Updates of each tuning."""
    figures: tuple[Format, ...] = ()
    """Write every figure as a file too, in RUN/figures: svg, png, pdf."""
    twin_seed: int = 1
    """Seed of the re-initialised twin, where the source brings none."""
    bos: Literal["default", "always", "never"] = "default"
    """Whether sentences begin with BOS: as the model's tokenizer does, always, or never."""
    dtype: Literal["float16", "float32"] = "float16"
    """How neurons are kept on disk."""
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """How the model computes. None given: bfloat16 on an accelerator that has it, else float32."""
    backend: Literal["bridge", "plain"] = "bridge"
    """TransformerLens's bridge, or plain Hugging Face hooks."""
    device: str = "auto"
    """Where the model runs. None given: cuda or mps where there is one, else cpu."""
    device_map: str | None = None
    """For a model that does not fit one device: auto spreads its blocks over all there are, memory
    and disk included."""
    batch_tokens: int | None = None
    """Tokens a batch, padding included. None given: 1024 on a CPU, 8192 elsewhere."""
    tokens_per_language: int = 1000
    """Token states kept for language identification."""
    loss_sentences: int = 32
    """Sentences a language on which the loss is measured."""
    seed: int = 0
    """Decides splits, token draws, rotations and nulls."""
    keep: Literal["activations", "states", "scores"] = "activations"
    """What stays of a checkpoint once it is scored: all that was captured; states alone; or scores
    and statistics alone, a thousandth of the bytes. What needs more is left out by name."""
    executor: Literal["serial", "processes", "slurm", "ray"] = "serial"
    """Where checkpoints are captured and scored: here, in processes of this machine, as jobs of a
    SLURM cluster, or on a Ray cluster. All give the same values."""
    workers: int | None = None
    """Checkpoints at work at once. None given: one a GPU or core here, all a cluster takes."""
    executor_options: tuple[str, ...] = ()
    """KEY=VALUE for SLURM (partition=gpu time=120 mem=32G) or Ray (address=auto)."""
    shard: str | None = None
    """Capture and score a share of the checkpoints: i/n with i from 0, or auto in a SLURM array
    job. Whoever finds all of them done makes the results."""
    allow: bool = False
    """Go on although the audit refuses checkpoints: copies are traced as they are, broken ones are
    left out."""
    cache_budget: str | None = None
    """Most bytes of downloaded checkpoints on disk at any time, such as 50GB: the one at work, the
    next, and what fits. None given: all are kept."""
    repair: bool = False
    """Read every captured file against its checksums first; capture again what was harmed (the
    harmed file is kept beside it)."""
    trust_remote_code: bool = False
    """Run code that comes with a checkpoint. Never by default."""
    dry_run: bool = False
    """Print what would run, how many bytes and roughly how long; nothing is written to --out, and
    of checkpoints on the Hub only configurations and tokenizers are downloaded."""
    print_sbatch: bool = False
    """Print a job script for SLURM that does all this on --workers nodes; nothing is run."""
    config: str | None = None
    """A saved trace.json whose values are the defaults of this call."""

    def check(self) -> None:
        """Refuse values that no run could have.

        Raises
        ------
        ValueError
            Naming the setting. Not raised on construction: the command line says it in one line.
        """
        checks = (
            (self.splits >= 1, f"got splits {self.splits}; expected at least 1"),
            (
                0 < self.top < 1 or (self.top >= 1 and self.top == int(self.top)),
                f"got top {self.top}; expected a fraction below 1 or a whole number",
            ),
            (self.seed >= 0, f"got seed {self.seed}; expected 0 or more"),
            (self.twin_seed >= 0, f"got twin_seed {self.twin_seed}; expected 0 or more"),
            (
                self.negatives is None or self.negatives > 0,
                f"got negatives {self.negatives}; expected 1 or more",
            ),
            (
                self.clusters is None or self.clusters > 1,
                f"got clusters {self.clusters}; expected 2 or more",
            ),
            (self.tune_steps > 0, f"got tune_steps {self.tune_steps}; expected 1 or more"),
            (self.rotations >= 0, f"got rotations {self.rotations}; expected 0 or more"),
            (len(self.analyses) > 0, f"got no analyses; valid are {', '.join(ANALYSES)}"),
            (
                set(self.analyses) != {"onset"},
                "got analyses onset alone; expected overlap or expertise beside it",
            ),
        )
        bytes_of(self.cache_budget)
        for holds, message in checks:
            if not holds:
                raise ValueError(message)

    @property
    def expert_size(self) -> float | int:
        """``top`` as probes take it: a fraction, or a whole number, which a command line cannot
        tell from one."""
        return self.top if self.top < 1 else int(self.top)

    @property
    def path(self) -> str:
        """The neurons' path string."""
        return f"{self.site}/{self.pooling}"

    @property
    def rotated_paths(self) -> list[str]:
        """The same neurons in randomly rotated bases."""
        return [f"{self.site}@rotated{seed}/{self.pooling}" for seed in range(self.rotations)]

    @property
    def states_path(self) -> str:
        """The sentence states' path string."""
        return f"hook_resid_post/{self.states}"

    @property
    def what(self) -> tuple[str, ...]:
        """All paths to capture."""
        paths = [] if CONCEPT_FREE.issuperset(self.analyses) else [self.path, *self.rotated_paths]
        if {"ilo", "evolution"} & set(self.analyses):
            paths.append(self.states_path)
        if {"retrieval", "roles"} & set(self.analyses):
            paths.append("hook_resid_post/mean")
        if "latent_concepts" in self.analyses:
            paths.append(WORDS)
        if {"language_id", "roles"} & set(self.analyses):
            paths += ["hook_resid_post/tokens", "embed/tokens"]
        # A store holds something even where all is read off the weights.
        return tuple(dict.fromkeys(paths or [self.states_path]))
