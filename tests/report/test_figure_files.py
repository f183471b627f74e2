import pytest

from neurotrace import report


@pytest.fixture(scope="module")
def small(default_like):
    return {name: default_like[name] for name in ("loss", "roles", "summary_layers")}


def test_each_figure_becomes_a_file_in_every_format_asked_for(small, tmp_path):
    files = report.figures(small, tmp_path / "new", formats=("svg", "png", "pdf"))
    names = {"overlap_per_layer", "layer_maps", "loss"}
    assert {file.name for file in files} == {
        f"{n}.{k}" for n in names for k in ("svg", "png", "pdf")
    }
    assert all(file.stat().st_size > 5000 for file in files)
    heads = {".svg": b"<svg", ".png": b"\x89PNG", ".pdf": b"%PDF"}
    for file in files:
        assert file.read_bytes().startswith(heads[file.suffix])


def test_files_hold_no_date_and_are_the_same_twice(small, tmp_path):
    kinds = ("svg", "png", "pdf")
    one, two = (
        report.figures({"loss": small["loss"]}, tmp_path / name, formats=kinds) for name in "ab"
    )
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert b"CreationDate" not in first.read_bytes()
        assert b"matplotlib" not in first.read_bytes().lower()


def test_only_svg_is_written_unless_more_is_asked_for(small, tmp_path):
    assert {file.suffix for file in report.figures({"loss": small["loss"]}, tmp_path)} == {".svg"}


def test_another_format_is_refused_with_the_valid_ones(small, tmp_path):
    with pytest.raises(ValueError, match="got formats gif; valid are svg, png, pdf"):
        report.figures(small, tmp_path, formats=("svg", "gif"))
