"""Tokenizers of the lab's models: one word an id, or byte-level pieces learnt from text.

Both put the document mark ``<bos>`` in front by themselves. GPT-NeoX tokenizers do not, but every
document of the lab begins with it, so that a tokenizer which left it out would show the model
texts that it never saw in training.
"""

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS, UNK = "<pad>", "<bos>", "<unk>"
SPECIALS = (PAD, BOS, UNK)
PAD_ID, BOS_ID, UNK_ID = range(len(SPECIALS))


def word_level(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that splits at blanks; word i has id ``3 + i``, after the special tokens.

    Raises
    ------
    ValueError
        When a word stands twice.
    """
    vocabulary = {word: index for index, word in enumerate([*SPECIALS, *words])}
    if len(vocabulary) != len(SPECIALS) + len(words):
        raise ValueError(f"got {len(words)} words with repetitions; expected them all to differ")
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _wrap(tokenizer)


def byte_level(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-pair encoding over bytes, learnt from the texts: no text is out of vocabulary.

    Sennrich et al. (2016), https://arxiv.org/abs/1508.07909, over bytes as in GPT-2. The special
    tokens count among ``vocab_size``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrap(tokenizer)


def _wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, BOS_ID)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        pad_token=PAD,
        unk_token=UNK,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
