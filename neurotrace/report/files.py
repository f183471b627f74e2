"""The figures of a report as files of their own, for papers and slides."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neurotrace.report.canvas import RC, svg
from neurotrace.report.gallery import GALLERY
from neurotrace.report.reading import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
DPI = 200
# No date and no version: the same results give the same bytes.
METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def figures(
    results: Results, folder: str | Path, *, formats: Sequence[str] = ("svg",)
) -> list[Path]:
    """Write each figure that the results allow into a folder, named as in the report.

    Parameters
    ----------
    results
        One Dataset for each analysis; figures of absent ones are left out.
    folder
        Made where it does not exist.
    formats
        Any of ``svg png pdf``; pixels are 200 to the inch.

    Raises
    ------
    ValueError
        For another format, or where a Dataset has no ``chance``.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"got formats {', '.join(unknown)}; valid are {', '.join(FORMATS)}")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in GALLERY:
        if not plot.drawn(results):
            continue
        figure = plot.draw(results)
        for kind in formats:
            file = out / f"{plot.name}.{kind}"
            _save(figure, file, kind, alt=plot.shows)
            written.append(file)
    return written


def _save(figure: "Figure", file: Path, kind: str, *, alt: str) -> None:
    from matplotlib import rc_context

    if kind == "svg":
        text = svg(figure, salt=f"neurotrace-{file.stem}", alt=alt)
        file.write_text(f"{text}\n", encoding="utf-8")
        return
    with rc_context({**RC, "pdf.fonttype": 42}), warnings.catch_warnings():
        # a script the drawing library has no font for is drawn as boxes, and no reason to stop
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(file, format=kind, dpi=DPI, metadata=METADATA[kind])
