import subprocess
import sys

import numpy as np
import pytest

from neurotrace import report
from neurotrace.report.canvas import spread
from neurotrace.report.reading import by_family, main_k, number

PLOTS = [pytest.param(plot, id=plot.name) for plot in report.GALLERY]


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_refuses_a_dataset_without_chance(plot, default_like):
    stripped = {
        name: dataset.drop_vars([v for v in dataset.data_vars if "chance" in str(v)])
        for name, dataset in default_like.items()
    }
    with pytest.raises(ValueError, match="without its chance level"):
        plot.draw(stripped)


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_names_the_result_it_lacks(plot):
    with pytest.raises(ValueError, match=r"got no result .*valid are none"):
        plot.draw({})


@pytest.mark.parametrize("plot", PLOTS)
def test_a_figure_of_the_same_results_has_the_same_bytes_and_changes_nothing(plot, default_like):
    before = {name: dataset.copy(deep=True) for name, dataset in default_like.items()}
    first, second = (report.svg(plot.draw(default_like), salt=plot.name) for _ in range(2))
    assert first == second
    assert "<metadata" not in first
    assert "data:" not in first  # no picture within the picture
    for name, dataset in default_like.items():
        assert dataset.identical(before[name])


def test_step_zero_stands_at_half_of_the_first_positive_step(made):
    figure = report.corrected_overlap(made(steps=(0, 16, 64, 256)))
    ax = figure.axes[0]
    assert ax.lines[1].get_xdata()[0] == 8
    assert dict(zip(ax.get_xticks(), (t.get_text() for t in ax.get_xticklabels()), strict=True))[
        8
    ] == ("0")


def test_stages_are_drawn_in_order_of_checkpoints(made):
    results = made(steps=(0, 8, 64))
    staged = {
        name: dataset.assign_coords(step=[0, 64, 8], stage=("step", [0, 0, 1]))
        if dataset.sizes.get("step") == 3
        else dataset
        for name, dataset in results.items()
    }
    assert report.loss(staged).axes[0].lines[0].get_xdata().tolist() == [0, 1, 2]


def test_no_two_labels_stand_closer_than_a_line():
    wanted = sorted(np.random.default_rng(0).random(9))
    places = spread(wanted, 0.08)
    assert np.diff(places).min() >= 0.08 - 1e-12
    assert spread([0.1, 0.5], 0.08) == pytest.approx([0.1, 0.5])  # what has room is not moved
    many = spread([0.0] * 40, 0.08)
    assert -0.121 < many[0] < many[-1] < 1.041  # nothing leaves the figure


def test_a_curve_without_any_value_is_called_undefined(single):
    texts = [text.get_text() for text in report.corrected_overlap(single).axes[0].texts]
    assert "undefined: rotated basis" in texts


def test_figures_show_themselves_in_a_notebook_without_pyplot(default_like):
    assert report.loss(default_like)._repr_svg_().startswith("<svg")


def test_the_room_opens_without_drawing_libraries():
    code = (
        "import sys, neurotrace.report as r; r.findings({});"
        "sys.exit(bool({'matplotlib', 'jinja2', 'rich', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numbers_are_read_at_the_headline_k_and_averaged_over_what_is_not_shown(default_like):
    assert main_k(default_like) == 51
    small = default_like | {"summary": default_like["summary"].assign_attrs(main_k=10)}
    assert main_k(small) == 10
    unsaid = {"summary": default_like["summary"].drop_attrs()}
    assert main_k(unsaid) == 51  # the middle one
    assert "top 10 of 1,024 neurons" in report.corrected_overlap(small).texts[1].get_text()
    losses = by_family(default_like["loss"], "lang")
    assert list(losses) == ["ada_Latn", "bel_Cyrl", "cyr_Grek", "dov_Hebr"]
    layers = by_family(default_like["retrieval"], "layer")
    expected = np.nanmean(default_like["retrieval"]["value"].values[-1, 2])
    assert layers["2"][-1] == pytest.approx(expected)
    assert number(-0.0004) == "0.000"
    assert number(-0.25, 2) == "−0.25"
