"""The wheel carries the concept sets, and an environment without a checkout finds them."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PARTS = ("neurotrace", "data", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
CHECK = """
import neurotrace
from neurotrace.concepts import ConceptSet
print(neurotrace.__file__, len(ConceptSet.load("everyday")), *ConceptSet.names())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("copy")
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        source = HOUSE / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=ignore)
        else:
            shutil.copy(source, copy / part)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "out"]
    subprocess.run([*command, copy], check=True, capture_output=True)
    return next((copy / "out").glob("*.whl"))


def test_the_wheel_carries_every_file_of_the_data_folder(wheel):
    with zipfile.ZipFile(wheel) as file:
        carried = {Path(name).name for name in file.namelist() if "/share/neurotrace/" in name}
    assert carried == {file.name for file in (HOUSE / "data" / "concepts").iterdir()}


def test_an_installed_wheel_finds_the_sets_without_a_checkout(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel]
    subprocess.run(command, check=True, capture_output=True)
    # Its dependencies come from here; the path goes last, so that its own package goes first.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    (site / "zz.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    said = subprocess.run(
        [python, "-c", CHECK],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    ).stdout.split()
    assert Path(said[0]).is_relative_to(tmp_path / "env")
    assert (int(said[1]), said[2:]) == (8640, ["everyday"])
