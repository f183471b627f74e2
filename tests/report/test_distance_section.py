"""Change and distance on the page: only what holds after Holm, and what cannot be told is grey."""

import numpy as np
from report.looking import changed, panels_of, said

from neurotrace import report
from neurotrace.report import geometry_words


def filled_dots(results):
    """How many correlations each panel shows as holding."""
    return [
        sum(len(line.get_xdata()) for line in ax.lines
            if line.get_marker() == "o" and line.get_markersize() == 5)
        for ax in panels_of(report.language_distance(results))
    ]  # fmt: skip


def test_only_correlations_that_hold_after_holm_are_told_and_filled(default_like):
    text = said(default_like)[-1]
    assert "geographic in layer 0 (r = 0.81, p = 0.016)" in text
    assert "genetic" not in text
    assert text.index("in layer 0 (r = 0.81") < text.index("in layer 1 (r = ")  # strongest first
    filled = filled_dots(default_like)
    kept = (default_like["distances"]["p_holm"] <= 0.05).sum(["step", "layer"]).values
    assert filled == kept.tolist()
    assert filled[0] > 0
    assert filled[1:] == [0, 0]
    before_holm = changed(default_like, "distances", p_holm=lambda p: 4 * p)
    assert float(before_holm["distances"]["p"].min()) < 0.05
    assert filled_dots(before_holm) == [0, 0, 0]
    assert "is not seen" in said(before_holm)[-1]


def test_where_nothing_can_be_detected_the_grey_area_is_the_whole_panel(default_like):
    blind = changed(default_like, "distances", detectable=lambda d: d * np.nan)
    ax = report.language_distance(blind).axes[0]
    extent = ax.collections[0].get_datalim(ax.transData)
    assert (extent.y0, extent.y1) == (-1, 1)
    quiet = changed(blind, "distances", p_holm=lambda p: p * 0 + 1)
    assert "none at all could be told from chance" in said(quiet)[-1]


def test_nothing_is_drawn_of_change_where_there_is_one_checkpoint(made):
    one = {"evolution": made(steps=(0,))["evolution"]}
    drawn = [plot.name for plot in report.GALLERY if plot.drawn(one)]
    assert drawn == ["languages_apart"]
    assert len(report.languages_apart(one).axes) == 1
    apart_only = one["evolution"].drop_vars(["value", "to_last", "biased", "calibrated"])
    assert len(report.languages_apart({"evolution": apart_only}).axes) == 1
    alone = {"evolution": one["evolution"].drop_vars(["apart", "apart_chance"])}
    assert not [plot for plot in report.GALLERY if plot.drawn(alone)]


def test_nearness_that_needs_no_shared_meaning_is_called_so(default_like):
    text = " ".join(said(default_like))
    assert "rises where languages share no space, too" in text
    assert "no evidence of shared meaning" in text
    (entry,) = geometry_words.spaces(default_like)
    assert entry.kind == "note"
    assert "rises where languages share no space, too" in entry.text
    deeper = changed(default_like, "evolution_twin", apart=lambda v: v - 0.1 * v["layer"])
    for results in (default_like, deeper):  # a level, or a span of its layers
        texts = [text.get_text() for text in report.languages_apart(results).axes[0].texts]
        assert "twin" in texts
