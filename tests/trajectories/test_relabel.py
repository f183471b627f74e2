"""Labels that must find nothing keep what is judged, in every language."""

import numpy as np

from neurotrace.trajectories.relabel import relabel

LANGS = np.array(["qaa_Latn", "qab_Cyrl"])


def test_pseudo_concepts_judge_as_many_negatives_as_real_ones():
    rng = np.random.default_rng(0)
    groups, langs = np.repeat(np.arange(120), 2), np.tile(LANGS, 120)
    labels = (groups[:, None] % 6 == np.arange(6)).astype(np.int8)
    for column in labels.T:  # of 100 other groups, 20 are judged, the same in both languages
        column[
            ~np.isin(groups, rng.choice(np.flatnonzero(column[::2] == 0), 20)) & (column == 0)
        ] = -1
    judged = (labels == 0).sum(0).mean() / 2
    made = relabel("pseudo", labels, groups, langs)
    for lang in LANGS:
        own = made[langs == lang]
        assert ((own == 1).sum(0) == 20).all()
        assert (abs((own == 0).sum(0) - judged) <= 1).all()
    assert (made[::2] == made[1::2]).all()


def test_pseudo_concepts_are_even_in_languages_that_share_no_group():
    groups, langs = np.arange(96), np.repeat(LANGS, 48)
    labels = (groups[:, None] % 6 == np.arange(6)).astype(np.int8)
    made = relabel("pseudo", labels, groups, langs)
    for lang in LANGS:
        assert ((made[langs == lang] == 1).sum(0) == 8).all()
