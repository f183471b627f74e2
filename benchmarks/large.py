"""A model of BLOOM-560M's shape through a whole trace: memory, time by stage, bytes against plan.

    python benchmarks/large.py FOLDER [--layers 24 --hidden 1024 --vocabulary 250880 …]

Makes random checkpoints in float16 and a tokenizer as large as the vocabulary, takes sentences in
four languages of the set that comes with neurotrace, and runs the command line on them with its
default analyses. Memory is the resident set of the process and its children together, looked at
twice a second, beside the kernel's own count of the process alone; time is CPU time of all of
them. What was made before is used again, so that a run that was interrupted goes on.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from neurotrace import capture
from neurotrace.concepts import ConceptSet
from neurotrace.concepts.lexicon import SUFFIX
from neurotrace.concepts.shipped import locate
from neurotrace.road import capture_options, prepare
from neurotrace.trace import parse

SET = "everyday"
LANGUAGES = ("eng_Latn", "deu_Latn", "rus_Cyrl", "hin_Deva")
STEPS = (1000, 10_000, 100_000, 600_000)
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
LEARNED = 20_000  # tokens learned from texts; pieces of words fill the vocabulary up
SPARE = 200  # rows of the embedding without a token, as BLOOM has them
EVERY = 0.5  # seconds between two looks at the process
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def tokenizer_of(texts: list[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with as many tokens as there are pieces of words to fill it up."""
    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    learning = trainers.BpeTrainer(
        vocab_size=min(size, LEARNED),
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, learning)
    state = json.loads(raw.to_str())
    known = state["model"]["vocab"]
    for word in sorted({w for text in texts for w, _ in raw.pre_tokenizer.pre_tokenize_str(text)}):
        for piece in (word[a:b] for a in range(len(word)) for b in range(a + 2, len(word) + 1)):
            if len(known) >= size:
                break
            known.setdefault(piece, len(known))  # no merge leads to it: sentences are cut as before
    names = dict(zip(("unk_token", "bos_token", "eos_token", "pad_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)), **names)


def checkpoints(folder: Path, shape: argparse.Namespace) -> None:
    """Random models of one shape, one a step, in float16."""
    config = BloomConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        n_layer=shape.layers,
        n_head=max(1, shape.hidden // 64),
    )
    texts = ConceptSet.load(SET).frame["text"].tolist()
    tokenizer = tokenizer_of(texts, shape.vocabulary - SPARE)
    for step in STEPS[: shape.checkpoints]:
        torch.manual_seed(step)
        model = BloomForCausalLM(config).to(torch.float16)
        model.save_pretrained(folder / f"step{step}")
        tokenizer.save_pretrained(folder / f"step{step}")


def sentences(file: Path, most: int) -> None:
    """Whole groups in four languages, as many of each concept, and the lexicon beside them."""
    every = ConceptSet.load(SET).select(languages=LANGUAGES)
    groups = every.frame.drop_duplicates("group")[["group", "concepts"]].explode("concepts")
    turn = groups.groupby("concepts").cumcount()
    kept = groups.assign(turn=turn).sort_values("turn", kind="stable")["group"].drop_duplicates()
    chosen = set(kept.iloc[: most // len(LANGUAGES)])
    frame = every.frame[every.frame["group"].isin(chosen)].reset_index(drop=True)
    ConceptSet.from_frame(frame, name=f"{SET}-{len(frame)}").to_jsonl(file)
    lexicon = Path(locate(SET)).with_name(f"{SET}{SUFFIX}").read_text(encoding="utf-8")
    file.with_name(f"{file.stem}{SUFFIX}").write_text(lexicon, encoding="utf-8")


class Watch:
    """A process and its children, looked at again and again from a thread."""

    def __init__(self, process: subprocess.Popen[str]):
        self.pid, self.stage, self.peak = process.pid, "start", 0
        self.by_stage: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._seen = 0.0
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def _look_on(self) -> None:
        while self._look():
            time.sleep(EVERY)

    def _look(self) -> bool:
        there, resident, seconds, todo = False, 0, 0.0, [self.pid]
        while todo:
            own = Path("/proc") / str(todo.pop())
            try:
                fields = (own / "stat").read_text().rpartition(")")[2].split()
                todo += map(int, (own / f"task/{own.name}/children").read_text().split())
            except OSError:
                continue  # it has ended
            there = True
            seconds += sum(map(int, fields[11:15])) / TICK  # its ended children's, too
            resident += int(fields[21]) * PAGE
        stage = self.by_stage[self.stage]
        stage[0] += max(0.0, seconds - self._seen)
        stage[1] = max(stage[1], resident)
        self._seen, self.peak = max(seconds, self._seen), max(self.peak, resident)
        return there


def traced(command: list[str]) -> Watch:
    """Run a trace, its lines shown, and its stages told from them."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        watch = Watch(process)
        for line in process.stderr or ():
            print(f"  {line.rstrip()}", file=sys.stderr)
            if line.startswith("analysis "):
                watch.stage = line.split(": ")[1].strip()
            elif ": " in line and "sentences" in line:
                watch.stage = f"capture of {line.split(':')[0]}"
    if process.returncode:
        raise SystemExit(process.returncode)
    return watch


def arguments() -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Behind -- further options of neurotrace.trace.",
    )
    parser.add_argument("folder", type=Path)
    for name, default in (
        ("layers", 24), ("hidden", 1024), ("vocabulary", 250_880), ("sentences", 500),
        ("checkpoints", 2),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    # Split by hand: what follows -- begins with dashes, which argparse takes for its own.
    told = [*sys.argv[1:], "--"]
    given = parser.parse_args(told[: told.index("--")])
    given.trace = told[told.index("--") + 1 : -1]
    return given


def main() -> None:
    """Print peak memory, bytes planned and written, and the stages."""
    logging.disable_progress_bar()
    given = arguments()
    source, out, texts = (given.folder / name for name in ("series", "run", "sentences.jsonl"))
    if not texts.is_file():
        given.folder.mkdir(parents=True, exist_ok=True)
        checkpoints(source, given)
        sentences(texts, given.sentences)
    options = ["--source", str(source), "--concepts", str(texts), "--out", str(out), *given.trace]
    road = prepare(parse(options))
    planned = capture.plan(road.series, road.concepts, **capture_options(road))
    begun = time.perf_counter()
    watch = traced([sys.executable, "-m", "neurotrace.trace", *options])
    wall = time.perf_counter() - begun
    captured = sum(file.stat().st_size for file in out.glob("*.h5") if file.name != "results.h5")
    written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(
        f"{given.layers} layers of {4 * given.hidden}, {given.vocabulary:,} words, {road.concepts}"
    )
    print(f"  peak memory    {max(watch.peak, kernel) / 2**30:6.2f} GiB  (to reach: under 6)")
    print(f"  planned bytes  {planned.n_bytes:,}")
    print(f"  captured       {captured:,}  {planned.n_bytes / captured - 1:+.1%}")
    print(f"  whole folder   {written:,}  {planned.n_bytes / written - 1:+.1%}  (to reach: ±10 %)")
    seconds = sum(of[0] for of in watch.by_stage.values())
    print(f"  time           {seconds:,.0f} CPU s in {wall:,.0f} s")
    for stage, (cpu, peak) in sorted(watch.by_stage.items(), key=lambda item: -item[1][0])[:24]:
        print(f"    {stage:32} {cpu:8.1f} CPU s  {peak / 2**30:5.2f} GiB")


if __name__ == "__main__":
    main()
