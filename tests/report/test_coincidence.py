"""Lives that languages choosing independently would share are marked wherever they are shown."""

import numpy as np
import pytest

from neurotrace import report
from neurotrace.report import opening
from neurotrace.report.cards import section
from neurotrace.report.coincidence import MARK, lives_said
from neurotrace.report.life_plots import DOUBTFUL


def shared_by(results, *values):
    """A copy whose lives have these shares of coincidence, the last one for all that are left."""
    lives = results["lives"]
    filled = [*values, *values[-1:] * lives.sizes["neuron"]][: lives.sizes["neuron"]]
    return results | {"lives": lives.assign(coincidence=("neuron", np.array(filled, float)))}


def fourth(results):
    return opening(results).shapes[3].text


def marked_panels(results):
    from matplotlib.colors import to_rgba

    return [ax.get_facecolor() == to_rgba(DOUBTFUL) for ax in report.lives(results).axes]


def test_lives_beyond_coincidence_are_counted_where_the_shape_is_said(default_like):
    text = fourth(shared_by(default_like, 0.98, 0.7, 0.5, 0.004))
    assert "Of the 5 neurons whose lives this page follows, 3 are beyond coincidence" in text
    assert "in common 0.004 to 0.98 of the pairs called in as many languages." in text
    assert "nothing here speaks for sharing" not in text


def test_a_run_whose_lives_are_all_coincidence_says_so_plainly(default_like, origin):
    control = shared_by(default_like, 1.0, 0.98)
    control = {name: control[name] for name in ("lives", "lives_counts", "cards")}
    said = lives_said(control)
    assert "none are beyond coincidence" in said
    assert said.endswith("so nothing here speaks for sharing.")
    page = report.page(control, origin)
    assert page.count(said) == 2  # in the first paragraph and in the section
    assert page.count(f'<b class="kind warning">{MARK}</b>') == 5


def test_only_lives_that_are_mostly_coincidence_are_marked(default_like):
    mixed = shared_by(default_like, 0.51, 0.5, np.nan, 0.02)
    assert marked_panels(mixed) == [True, False, False, False, False]
    assert [card["doubt"] for card in section(mixed)["cards"]] == [MARK, "", "", "", ""]
    assert "tinted: mostly coincidence" in report.lives(mixed).texts[1].get_text()
    assert "tinted" not in report.lives(default_like).texts[1].get_text()


def test_every_panel_and_card_has_its_share(default_like):
    mixed = shared_by(default_like, 0.98, 0.004)
    for at, ax in enumerate(report.lives(mixed).axes):
        words = " ".join(text.get_text() for text in ax.texts)
        assert ("mostly coincidence 0.98" if at == 0 else "coincidence 0.004") in words
    first, second = (card["beside"] for card in section(mixed)["cards"][:2])
    assert first.endswith("coincidence 0.98")
    assert second.endswith("coincidence 0.004")


@pytest.mark.parametrize("absent", [True, False])
def test_what_is_unknown_is_not_called_beyond_coincidence(absent, default_like):
    lives = default_like["lives"].drop_vars("coincidence")
    unknown = default_like | {"lives": lives} if absent else shared_by(default_like, np.nan)
    assert "beyond coincidence" not in fourth(unknown)
    assert "was not examined" in lives_said(unknown)
    assert section(unknown)["cards"][0]["beside"].endswith("coincidence unknown")
    assert not any(marked_panels(unknown))
