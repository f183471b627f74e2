"""Words that stand for a concept, and openings that stand for none, found in sentences.

Where a lexicon names the forms they are the words; where there is none, a concept's words are
those that its sentences use more often than all others do.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import regex

from neurotrace.concepts import Lexicon
from neurotrace.concepts.lexicon import WITHOUT_SPACES, canonical, fold, script

WORD = regex.compile(r"[\p{L}\p{M}\u200c\u200d'’-]*\p{L}[\p{L}\p{M}\u200c\u200d'’-]*")
LEAST_Z = 3.0  # standard errors above zero: some hundreds of words are tried
LEAST_SENTENCES = 2
OPENING = (2, 1)  # words of a frame; a single one where no two open sentences of two concepts


def spaced(lang: str) -> bool:
    """Whether the language's script parts words by spaces."""
    return script(lang) not in WITHOUT_SPACES


def words_of(text: str, lang: str) -> list[str]:
    """The words of a text as written; pairs of neighbouring letters without spaces.

    >>> words_of("It rains.", "eng_Latn"), words_of("下雨了。", "zho_Hans")
    (['It', 'rains'], ['下雨', '雨了'])
    """
    found = WORD.findall(text)
    if spaced(lang):
        return [str(word) for word in found]
    return [run[at : at + 2] for run in found for at in range(len(run) - 1)]


def openings(
    texts: Sequence[str], concepts: Sequence[Sequence[str]], lang: str, *, n: int
) -> list[str]:
    """How sentences of the most different concepts begin: their first two words.

    Parameters
    ----------
    texts
        ``(sentence,)``
    concepts
        ``(sentence,)`` names of what each is about.
    n
        How many, at most.

    Returns
    -------
    Openings that at least two concepts share, most concepts first, then the most frequent; one
    word long where no two words do. Without spaces between words, a word is a letter here.
    """
    for length in OPENING:
        about: dict[str, Counter[str]] = {}
        for text, named in zip(texts, concepts, strict=True):
            opening = _first(text, lang, length)
            if opening:
                about.setdefault(opening, Counter()).update(named)
        shared = {opening: own for opening, own in about.items() if len(own) > 1}
        if shared:
            ranked = sorted(shared, key=lambda o: (-len(shared[o]), -shared[o].total(), o))
            return ranked[:n]
    return []


def listed_words(lexicon: Lexicon, concept: str, lang: str, texts: Sequence[str]) -> list[str]:
    """A lexicon's words: forms without ``*``, and what forms with one match in the texts.

    Those that the texts hold most often come first.
    """
    forms = lexicon.forms.get(concept, {}).get(canonical(lang), ())
    whole = [form for form in forms if "*" not in form]
    if not spaced(lang):
        whole = [form.strip("*") for form in forms if "*" not in form.strip("*")]
    seen = Counter(word for text in texts for word in WORD.findall(text))
    if not spaced(lang):
        held = Counter({form: sum(form in text for text in texts) for form in whole})
        return sorted(dict.fromkeys(whole), key=lambda form: (-held[form], form))
    found = [word for word in seen if lexicon.occurs(concept, lang, word)]
    known = {fold(word) for word in found}
    found += [form for form in whole if fold(form) not in known]
    return sorted(dict.fromkeys(found), key=lambda word: (-seen[word], word))


def typical_words(own: Sequence[str], others: Sequence[str], lang: str, *, n: int) -> list[str]:
    """Words that a concept's sentences use more than the others, clearest first.

    Log-odds with an informative Dirichlet prior, of the number of sentences that hold a word;
    z = δ / √(1/(y + α) + 1/(y′ + α)), with the corpus itself as the prior, as heavy as the
    concept's own sentences (Monroe, Colaresi & Quinn 2008, doi:10.1093/pan/mpn018). They count
    words, we sentences, so that one that repeats a word is no evidence of its own.

    Parameters
    ----------
    own, others
        Sentences of the concept, and those of all others.
    n
        How many, at most; only those of at least two sentences and z ≥ 3.
    """
    with_word, without = _held(own, lang), _held(others, lang)
    names = sorted(word for word, count in with_word.items() if count >= LEAST_SENTENCES)
    if not names:
        return []
    y = np.array([[counts[word] for word in names] for counts in (with_word, without)], float)
    totals = np.array([with_word.total(), without.total()], float)
    weight = totals[0]
    prior = weight * y.sum(0) / totals.sum()
    odds = np.log(y + prior) - np.log(totals[:, None] + weight - y - prior)
    z = (odds[0] - odds[1]) / np.sqrt((1 / (y + prior)).sum(0))
    return [names[at] for at in np.argsort(-z, kind="stable")[:n] if z[at] >= LEAST_Z]


def _first(text: str, lang: str, length: int) -> str:
    """A text's opening as it is written, without what follows."""
    if not spaced(lang):
        run = WORD.match(text)
        return run[0][:length] if run and len(run[0]) > length else ""
    parts = text.split()
    opening = parts[:length]
    if len(parts) <= length or not all(WORD.fullmatch(part) for part in opening):
        return ""
    return " ".join(opening)


def _held(texts: Sequence[str], lang: str) -> Counter[str]:
    """How many of the texts hold each word, compared without case and named as most write it."""
    counts: Counter[str] = Counter()
    spelled: dict[str, Counter[str]] = {}
    for text in texts:
        for word in set(words_of(text, lang)):
            spelled.setdefault(fold(word), Counter())[word] += 1
    for forms in spelled.values():
        name = min(forms, key=lambda form: (-forms[form], form))
        counts[name] = forms.total()
    return counts
