"""How much of each kind of work an analysis is, for one checkpoint.

A law is a sum over kinds of :class:`neurotrace.pricing_work.Work`: a share of 4.83 for
``ranking`` says that an analysis takes as long as ranking every neuron 4.83 times, and 0.4 for
``one`` that it takes 0.4 s whatever the size. Shares were fitted, none of them negative, to traces
of random models that differed in sentences, layers, neurons, features, languages and concepts;
``benchmarks/scale.py`` holds them against runs of other sizes.
"""

from collections.abc import Mapping

Law = Mapping[str, float]

LAWS: dict[str, Law] = {
    "overlap": {"one": 0.37, "layers": 0.0083, "overlaps": 1.6},
    "expertise": {"ranking": 2.4, "halves": 9.8, "grams": 2.3, "calls": 6.7},
    "turnover": {"one": 0.09, "halves": 23},
    "counts": {"one": 0.11, "halves": 18, "languages": 2},
    "labels": {"one": 0.4, "cells": 21000, "wins": 34},
    "compression": {"one": 0.25, "cells": 1200, "scatter": 10, "values": 170},
    "lives": {"one": 0.18, "ranking": 6, "cells": 160},
    "roles": {"one": 0.33, "ranking": 13, "layer_calls": 2.1, "solving": 20, "decoding": 8},
    "language_id": {"one": 0.08, "tokens": 7.7, "probing": 740},
    "retrieval": {"one": 0.084, "translations": 7, "candidates": 5},
    "loss": {"one": 0.059},
    "confounds": {"one": 0.081, "sentences": 51},
    "ilo": {"one": 0.17, "layers": 0.11, "comparisons": 18, "neighbours": 8.8},
    "embeddings": {"one": 0.4, "vocabulary": 34},
    "latent_concepts": {"one": 0.71, "layers": 0.058, "clusters": 230},
    "evolution": {"one": 0.12, "layers": 0.012, "translations": 1.3},
}
# Done for every checkpoint when results are made: intervals of overlaps, onsets.
COMMON: dict[str, Law] = {
    "overlap": {"one": 0.4, "layers": 0.023, "squares": 320},
    "onset": {"one": 0.19, "layers": 0.015, "squares": 170},
}
# What the re-initialised twin takes, in checkpoints.
TWIN = {
    "overlap": 0.6,
    "expertise": 0.45,
    "labels": 0.35,
    "compression": 0.4,
    "roles": 0.9,
    "language_id": 1.0,
    "retrieval": 1.0,
    "ilo": 0.8,
    "evolution": 1.0,
}
ONCE = {"labels": 0.77}  # of the nulls, whose tables serve all checkpoints
REPORT = 3.5  # seconds of the page and its figures
STARTING = 9.0  # seconds of imports, of finding checkpoints and of reading results back
SOME = 6  # checkpoints at which words are clustered, and most experiments are done
VISITED = SOME
# Tokens of forward passes: for two languages and a concept, for a language, for a concept.
CAUSED = {"interchange": 90.0, "ablation": 7000.0, "forcing": 12000.0}
