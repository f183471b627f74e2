"""The README is true: its program runs, its map names every file, its commands exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, after: str) -> str:
    section = README[README.index(after) :]
    return re.search(rf"```{language}\n(.*?)```", section, re.S).group(1)


def test_the_ten_line_program_runs(tiny_lab, tmp_path):
    program = block("python", "## Ten lines")
    lines = [line for line in program.splitlines() if line.strip()]
    assert len(lines) <= 10
    shutil.copytree(tiny_lab, tmp_path / "runs" / "tiny")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "corrected" in done.stdout


def mapped() -> set[str]:
    tree, found, folders = block("text", "## File map"), set(), []
    for line in tree.splitlines():
        name = (
            line.split("  ")[0].strip() if not line.startswith(" ") else line.strip().split("  ")[0]
        )
        depth = (len(line) - len(line.lstrip())) // 2
        if not name:
            continue
        folders = folders[:depth]
        for part in name.split():
            if part.endswith("/"):
                folders = [*folders[:depth], part]
            else:
                found.add("".join(folders) + part)
    return found


def test_the_file_map_names_every_file_and_nothing_else():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip("the map is compared with the files of a git checkout")
    present = {
        name for name in listed if name.startswith(("neurotrace/", "benchmarks/", "notebooks/"))
    }
    present = {name for name in present if not name.endswith(("__init__.py", "py.typed"))}
    assert mapped() == present


def test_the_two_commands_are_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_links_within_the_repository_lead_somewhere():
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
