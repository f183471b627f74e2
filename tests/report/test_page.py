import re
from html.parser import HTMLParser

import numpy as np
import pytest

from neurotrace import report
from neurotrace.report import tables
from neurotrace.report.contents import SECTIONS
from neurotrace.report.page import ANALYSES

EVIL = '<script>alert("x")</script>'


class Requests(HTMLParser):
    """Every address a browser would fetch, and every tag it would open."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action", "srcset"):
                self.fetched.append(value or "")


def read(text: str) -> Requests:
    parser = Requests()
    parser.feed(text)
    return parser


def test_the_page_asks_for_nothing_from_outside(default_page):
    text = default_page
    parser = read(text)
    assert all(address.startswith("#") for address in parser.fetched)
    assert not {"script", "link", "img", "iframe", "object"} & set(parser.tags)
    assert not re.search(r"url\((?!#)|@import", text)


def test_two_renderings_are_byte_equal(default_like, default_page, origin):
    assert report.page(default_like, origin) == default_page


def test_every_text_is_escaped(default_like, origin):
    table = default_like["top_neurons"]
    marked = table.assign(concept=("example", np.array([EVIL] * table.sizes["example"])))
    langs = [EVIL, "b & c", "日本語", "עברית"]
    evil = {
        "top_neurons": marked,
        "loss": default_like["loss"].assign_coords(lang=langs),
        "expertise": default_like["expertise"].assign_coords(lang_a=langs, lang_b=langs),
    }
    told = {
        "model": EVIL,
        "config": {EVIL: EVIL},
        "versions": {EVIL: EVIL},
        "concepts": {"name": EVIL, "digest": EVIL},
        "checkpoints": [{"step": 0, "label": EVIL, "weight_hash": EVIL}],
        "notes": [EVIL],
    }
    cards, texts = default_like["cards"], default_like["forcing_texts"]
    evil["cards"] = cards.assign(
        {
            n: ("example", np.array([EVIL] * cards.sizes["example"]))
            for n in ("text", "lang", "name")
        }
    )
    evil["forcing_texts"] = texts.assign(
        text=("example", np.array([EVIL] * texts.sizes["example"]))
    )
    evil |= {name: default_like[name] for name in ("lives_counts", "forcing")}
    text = report.page(evil, origin | told)
    assert "script" not in read(text).tags
    assert text.count("&lt;script&gt;") >= 20
    assert "日本語" in text
    assert "עברית" in text


def test_absent_analyses_are_named(single, origin):
    text = report.page(single, origin)
    for name, words in ANALYSES.items():
        assert (f"{words} ({name})" in text) == (name not in single)
    assert text.count("<figure") == sum(plot.drawn(single) for plot in report.GALLERY)


def test_a_run_of_nothing_still_has_a_page(origin):
    assert "Overlap of experts was not traced" in report.page({}, origin)
    assert "Overlap of experts was not traced" in report.page({}, {})


def test_no_machine_path_and_no_time_is_in_the_page(default_page):
    text = default_page
    assert "/home" not in text
    assert "someone" not in text
    assert "twin made from step-000000 with seed 1" in text
    assert "mlp.hook_post/max" in text  # a path inside a model is no path on a machine
    assert not re.search(
        r"\d{4}-\d\d-\d\d|\d\d:\d\d", re.sub("<svg.*?</svg>", "", text, flags=re.S)
    )


def test_the_answer_comes_first(default_page, control_like, origin):
    control = report.page({"summary": control_like["summary"]}, origin)
    for page, words in ((default_page, "Shared neurons"), (control, "No sharing is found")):
        body = page.partition("<main>")[2]
        assert 0 < body.index(words) < body.index("<svg")


def test_neurons_are_named_by_layer_and_index(default_like):
    found = tables.neurons(default_like)
    assert [block["name"] for block in found["concepts"]] == [f"concept {i}" for i in range(6)]
    table, row = default_like["top_neurons"], found["concepts"][0]["rows"][0]
    assert row["neuron"] == f"L{int(table['layer'][0])}.N{int(table['neuron'][0])}"
    assert row["learned"] == "0.410"
    assert row["is_learned"]
    assert found["step"] == "step 1,500"


def test_numbers_stand_with_their_intervals_and_empty_columns_are_left_out(single, origin):
    found = report.summary(single, origin)["numbers"]
    names = [name for name, _ in found["columns"]]
    assert "corrected" in names
    assert "loss" not in names
    assert "rotated" not in names  # undefined throughout
    assert found["rows"][0][names.index("corrected")]["beside"].startswith("[")
    assert found["rows"][0][names.index("pairs")]["text"] == "6 of 6"


def test_checkpoints_are_told_by_their_weights(origin):
    found = tables.checkpoints(origin["checkpoints"])
    assert found["columns"] == ["checkpoint", "step", "tokens", "weights"]
    assert found["rows"][-1]["weights"] == f"{1500:064x}"[:12]


def test_the_file_is_whole_or_absent(tmp_path, default_like, origin):
    few = {name: default_like[name] for name in ("loss", "claims")}
    file = report.write(tmp_path, few, origin)
    assert file == tmp_path / "report.html"
    assert file.read_text(encoding="utf-8") == report.page(few, origin)
    file.unlink()
    broken = {"loss": default_like["loss"].drop_vars("chance")}
    with pytest.raises(ValueError, match="chance"):
        report.write(tmp_path, broken, origin)
    assert not list(tmp_path.iterdir())


def test_many_languages_and_layers_fit(made, origin):
    langs = tuple(f"l{i:02d}_Latn" for i in range(12))
    results = made(langs=langs, n_layers=24, n_concepts=1)
    text = report.page({name: results[name] for name in ("language_id", "loss")}, origin)
    assert ">layer 23<" in text
    assert ">l11_Latn<" in text


def test_figures_stand_in_sections_named_in_the_contents(default_page):
    at = [default_page.index(f'<section id="{anchor}">') for anchor in SECTIONS]
    assert at == sorted(at)
    contents = default_page[default_page.index("<nav>") : default_page.index("</nav>")]
    for anchor, name in SECTIONS.items():
        assert f'<a href="#{anchor}">{name}</a>' in contents
    empty = report.page({}, {})
    assert not [anchor for anchor in SECTIONS if f'<section id="{anchor}">' in empty]


def test_the_first_paragraph_stands_between_the_answer_and_the_figures(default_page):
    body = default_page.partition("<main>")[2]
    places = [body.index(words) for words in
              ("Shared neurons are found", "Four shapes have been published",
               "Use across languages.", 'class="tiles"', "<nav>", "<svg")]  # fmt: skip
    assert places == sorted(places)


def test_use_stands_in_the_headline_numbers_with_its_interval(default_like):
    found = tables.numbers(default_like)
    at = [name for name, _ in found["columns"]].index("use")
    assert found["rows"][-1][at] == {"text": "0.780", "beside": "[0.660, 0.900]"}
    assert found["rows"][0][at]["text"] == ""  # no effect within, no ratio


def test_forced_texts_are_shown_with_their_arm(default_like):
    table = tables.forced(default_like)
    assert [row[1]["text"] for row in table["rows"]][1] == "experts"
    assert tables.forced({}) is None
