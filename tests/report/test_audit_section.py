"""The page says what the audit of the checkpoints found."""

import numpy as np
import pandas as pd

from neurotrace import report
from neurotrace.report import audit_words


def audit(**verdicts):
    steps = [0, 1, 2, 4, 8]
    frame = pd.DataFrame({"stage": 0, "step": steps, "drift": np.nan, "detour": np.nan,
                          "loss": np.nan, "note": "", "verdict": "ok"})  # fmt: skip
    for step, verdict in verdicts.items():
        frame.loc[frame["step"] == int(step[1:]), "verdict"] = verdict
    return frame


def test_a_page_without_an_audit_has_no_section(single, origin):
    assert 'id="audit"' not in report.page(single, origin)


def test_verdicts_are_told_as_sentences_and_as_a_table(single, origin):
    found = audit(s1="unmoved since step 0", s2="off the curve", s8="copy of step 4")
    found.loc[2, ["drift", "detour", "note"]] = [0.25, 3.456, "fits as step 4: swapped labels?"]
    page = report.page(single, origin | {"audit": found})
    assert '<a href="#audit">Audit of checkpoints</a>' in page
    for words in (
        "Step 8 is not what its name says: copy of step 4.",
        "Step 2 is off the path of the others",
        "Step 1 has the weights of the step before",
        "fits as step 4: swapped labels?",
        "3.46",
        "a random walk has 1.41",
    ):
        assert words in page
    kinds = [kind for kind, _ in audit_words.said(found)]
    assert kinds == ["warning", "warning", "note"]


def test_an_audit_in_order_and_a_cheap_one_say_so(single, origin):
    page = report.page(single, origin | {"audit": audit()})
    assert "All 5 checkpoints are what their names say, as far as was looked." in page
    section = audit_words.section(audit())
    assert [name for name, _ in section["table"]["columns"]] == ["step", "verdict"]
    assert "Weights were read" not in section["lead"]


def test_texts_of_an_audit_are_escaped_and_name_no_folder(single, origin):
    evil = audit(s4="broken: <script> in /home/someone/step4/model.safetensors")
    page = report.page(single, origin | {"audit": evil})
    assert "someone" not in page
    assert "&lt;script&gt; in model.safetensors" in page


def test_the_line_of_the_terminal_names_a_few_and_counts_the_rest():
    few = audit(s1="missing", s4="copy of step 2")
    assert audit_words.line(few) == "audit: 4 checkpoints; step 4: copy of step 2; 1 missing"
    many = pd.DataFrame({"stage": 0, "step": range(1000, 1020), "verdict": "off the curve"})
    assert audit_words.line(many).endswith("step 1,005: off the curve; and 14 more")
