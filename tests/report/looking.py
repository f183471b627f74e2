"""What stands in a figure and in words: for tests of the sections on geometry."""

import numpy as np

from neurotrace.report import geometry_words
from neurotrace.report.canvas import COLOURS


def changed(results, name, **columns):
    dataset = results[name]
    return results | {name: dataset.assign({k: f(dataset[k]) for k, f in columns.items()})}


def said(results):
    return list(geometry_words.findings_of_geometry(results))


def panels_of(figure):
    return [ax for ax in figure.axes if len(ax.lines)]


def ceilings(figure):
    """Where each panel draws its ceiling."""
    return [
        float(np.mean(line.get_ydata())) for ax in panels_of(figure) for line in ax.lines
        if line.get_color() == COLOURS["ceiling"]
    ]  # fmt: skip
