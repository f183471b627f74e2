"""URIEL+ is asked in its own way and its gaps are errors; a stand-in has its interface."""

import logging
import sys
from types import ModuleType

import numpy as np
import pytest

from neurotrace.geometry.uriel import uriel

KNOWN = {"eng": 0.0, "fra": 0.4, "cmn": 0.9, "deu": 0.2}


class StandIn:
    """Of two languages a number or an error; of more a table, with -1 where nothing is known."""

    def new_distance(self, distance, langs):
        logging.getLogger().info("asked")
        unknown = [lang for lang in langs if lang not in KNOWN]
        if unknown:
            raise ValueError(f"Unknown languages: {', '.join(unknown)}.")
        at = np.array([KNOWN[lang] for lang in langs])
        table = abs(at[:, None] - at).round(4) + 2e-4 * np.eye(len(at))
        if distance == "gaps":
            table[table > 0.5] = -1
        return table[0, 1] if len(langs) == 2 else table


@pytest.fixture
def stand_in(monkeypatch):
    module = ModuleType("urielplus.urielplus")
    module.URIELPlus = StandIn
    monkeypatch.setitem(sys.modules, "urielplus", ModuleType("urielplus"))
    monkeypatch.setitem(sys.modules, "urielplus.urielplus", module)


@pytest.mark.usefixtures("stand_in")
def test_tables_are_in_the_order_asked_and_zero_on_the_diagonal():
    found = uriel(["zho_Hans", "eng_Latn", "fra_Latn", "zho_Hant"], kinds=["syntactic", "gap"])
    assert list(found) == ["syntactic", "gap"]
    assert found["syntactic"].loc["zho_Hant"].tolist() == pytest.approx([0, 0.9, 0.5, 0])
    assert (np.diag(found["gap"]) == 0).all()


@pytest.mark.usefixtures("stand_in")
def test_two_languages_are_a_table_too(caplog):
    caplog.set_level(logging.INFO)
    found = uriel(["fra_Latn", "eng_Latn"], kinds=["syntactic"])["syntactic"]
    assert found.to_numpy().tolist() == [[0, 0.4], [0.4, 0]]
    assert not caplog.records
    logging.getLogger().info("heard again")
    assert len(caplog.records) == 1
    assert uriel(["zho_Hans", "zho_Hant"], kinds=["x"])["x"].to_numpy().max() == 0


@pytest.mark.usefixtures("stand_in")
def test_who_wants_it_quieter_keeps_it_so():
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        uriel(["fra_Latn", "eng_Latn"], kinds=["syntactic"])
        assert logging.root.manager.disable == logging.ERROR
    finally:
        logging.disable(before)


@pytest.mark.usefixtures("stand_in")
def test_what_uriel_does_not_know_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"URIEL\+, gaps: got no finite distance of eng_Latn zho"):
        uriel(["eng_Latn", "deu_Latn", "zho_Hans"], kinds=["gaps"])
    with pytest.raises(ValueError, match=r"URIEL\+, syntactic: Unknown languages: qaa."):
        uriel(["eng_Latn", "qaa_Latn"])


def test_without_the_package_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "urielplus.urielplus", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'neurotrace\[typology\]'"):
        uriel(["eng_Latn", "fra_Latn"])
