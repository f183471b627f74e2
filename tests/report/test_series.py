import xml.etree.ElementTree as ET

import numpy as np
import pytest

from neurotrace import report
from neurotrace.report.brief import brief
from neurotrace.report.reading import along
from neurotrace.report.step_axis import place, places

NEW = (
    "onset_overlap", "onset_layers", "changes", "lag_use_overlap", "turnover", "compression",
    "participation", "lives", "lives_counts", "roles", "division", "claims", "interchange",
    "interchange_doses", "forcing", "ablation", "ilo", "companions", "embeddings", "embedding_map",
    "latent_concepts", "latent_words", "evolution", "distances", "tuning",
)  # fmt: skip


def drawn(results):
    """Every figure that the results allow, each well-formed; their names."""
    plots = [plot for plot in report.GALLERY if plot.drawn(results)]
    for plot in plots:
        ET.fromstring(report.svg(plot.draw(results)))
    return [plot.name for plot in plots]


def undefined(dataset):
    """A copy in which no number is defined."""
    floats = {n: v * np.nan for n, v in dataset.data_vars.items() if v.dtype.kind in "fi"}
    return dataset.assign(floats)


@pytest.mark.parametrize("steps", [(0,), (0, 143_000), (1000, 1100, 1200)])
def test_every_figure_bears_series_of_any_length(steps, made):
    changes = len(steps) > 1  # one checkpoint has none before it
    names = drawn(made(steps=steps, n_layers=1))
    assert len(names) == len(report.GALLERY) - (not changes)
    assert ("evolution" in names) == changes


def test_what_is_undefined_is_drawn_and_said_without_a_fault(default_like):
    nothing = default_like | {name: undefined(default_like[name]) for name in NEW}
    needed = {plot.name for plot in report.GALLERY if plot.needs in NEW}
    assert needed <= set(drawn({name: nothing[name] for name in NEW}))
    said = " ".join(one.text for one in report.opening(nothing).rest)
    assert "nan" not in said
    assert not [one for one in report.opening(nothing).rest if one.kind == "found"]
    assert all("nan" not in line for _, line in brief(nothing))


def test_no_figure_is_drawn_of_no_lives(control_like):
    assert control_like["lives"].sizes["neuron"] == 0
    assert "lives" not in [plot.name for plot in report.GALLERY if plot.drawn(control_like)]


def test_many_layers_and_languages_have_room(made):
    langs = tuple(f"l{i:02d}_Latn" for i in range(12))
    results = made(steps=(0, 8, 64, 512), langs=langs, n_layers=24, n_concepts=2)
    assert len(report.layer_maps(results).axes) == 12  # six maps, six scales
    names = [label.get_text() for label in report.onsets(results).axes[0].get_yticklabels()]
    assert len(names) == len(set(names)) == 27
    texts = [text.get_text() for text in report.lives(results).legends[0].get_texts()]
    assert set(langs) <= set(texts)


def test_an_intervention_at_six_checkpoints_stands_at_their_steps(default_like):
    whole, few = default_like["summary"], default_like["forcing"]
    x = np.arange(whole.sizes["step"], dtype=float)
    expected = [list(whole["step"].values).index(step) for step in few["step"].values]
    assert places(few, whole, x).tolist() == expected
    unknown = few.assign_coords(step=few["step"] + 7)
    assert np.isnan(places(unknown, whole, x)).all()
    ratio = along(few.assign(ratio=("step", np.arange(6.0))), "ratio", whole)
    assert np.isfinite(ratio).sum() == 6


def test_a_step_between_two_checkpoints_has_a_place_unless_stages_start_again(default_like):
    whole = default_like["summary"]
    x = np.maximum(whole["step"].values.astype(float), 0.5)
    assert place(180.0, whole, x) == 180.0
    assert place(0.0, whole, x) == 0.5
    assert np.isnan(place(np.nan, whole, x))
    stages = np.r_[np.zeros(9, int), np.ones(8, int)]
    assert np.isnan(place(180.0, whole.assign_coords(stage=("step", stages)), x))


def test_an_onset_is_marked_with_its_interval_and_the_null_is_shaded(default_like, control_like):
    texts = [text.get_text() for text in report.corrected_overlap(default_like).axes[0].texts]
    assert {"half: step 180", "detect: step 96"} <= set(texts)
    silent = [text.get_text() for text in report.corrected_overlap(control_like).axes[0].texts]
    assert not [text for text in silent if text.startswith(("half", "detect"))]
    rows = [text.get_text() for text in report.onsets(control_like).axes[0].texts]
    assert rows.count("no onset") == 6  # overlap, use and four layers; own AP has one


def test_the_scale_of_every_map_holds_its_chance(default_like):
    axes = report.layer_maps(default_like).axes
    for scale, chance in zip(axes[6:], (0.0, 0.25, 0.066, 0.066, 0.25, 0.0), strict=True):
        assert scale.lines[0].get_ydata()[0] == pytest.approx(chance)
        low, high = scale.get_ylim()
        assert low <= chance <= high
