import re

import pytest

from neurotrace import report
from neurotrace.report.cards import language_of, section


@pytest.fixture(scope="module")
def scripts(made):
    """A run in languages of several scripts and directions."""
    langs = ("arb_Arab", "heb_Hebr", "jpn_Jpan", "zho_Hans")
    found = made(steps=(0, 64, 512), langs=langs, n_concepts=2)
    return {name: found[name] for name in ("cards", "lives", "lives_counts")}


@pytest.mark.parametrize(
    ("code", "lang", "direction"),
    [("arb_Arab", "arb-Arab", "rtl"), ("heb_Hebr", "heb-Hebr", "rtl"),
     ("jpn_Jpan", "jpn-Jpan", "ltr"), ("urd_Aran", "urd-Aran", "rtl"), ("de", "de", "auto")],
)  # fmt: skip
def test_a_text_carries_its_language_and_direction(code, lang, direction):
    assert language_of(code) == {"lang": lang, "dir": direction}


def test_a_card_has_a_cell_for_every_language_and_checkpoint(scripts):
    cards = section(scripts)["cards"]
    assert [card["name"] for card in cards] == list(scripts["lives"]["name"].values)
    card = cards[0]
    assert card["steps"] == ["step 0", "step 64", "step 512"]
    assert [row["lang"] for row in card["rows"]] == ["arb_Arab", "heb_Hebr", "jpn_Jpan", "zho_Hans"]
    assert all(len(row["cells"]) == 3 for row in card["rows"])
    assert "chance 0.066" in card["beside"]
    assert "best other concept 0.20" in card["beside"]


def test_an_unknown_label_is_not_marked_as_a_hit(scripts):
    cell = section(scripts)["cards"][0]["rows"][0]["cells"][0]
    assert [one["positive"] for one in cell] == [True, False, False]  # 1, 0, and −1: unknown


def test_scripts_are_set_in_their_direction_in_the_page(scripts, origin):
    text = report.page(scripts, origin)
    assert re.search(r'lang="heb-Hebr" dir="rtl"[^>]*>.*?הרכבת', text)
    assert re.search(r'lang="jpn-Jpan" dir="ltr"[^>]*>.*?雪', text)


def test_without_cards_there_is_no_section(control_like, origin):
    assert section({}) is None
    assert section(control_like) is None
    assert "Cards of neurons</h3>" not in report.page({"loss": control_like["loss"]}, origin)
