"""Imports go down: the house's floors, seen to hold and seen to fail."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "neurotrace"
FLOORS = {
    "axes": 0, "nodes": 0, "runner": 0, "splits": 0,
    "store": 1, "concepts": 1, "checkpoints": 1,
    "capture": 2, "probes": 2, "geometry": 2,
    "trajectories": 3, "causal": 3,
    "report": 4, "lab": 4,
    "config": 5, "config_file": 5, "captured": 5, "road": 5, "bench": 5, "visits": 5, "causes": 5,
    "givens": 5, "spaces": 5, "vocabulary_scores": 5, "vocabulary_words": 5, "tuning": 5,
    "tuning_arms": 5, "tuning_scores": 5, "tuning_pairs": 5, "stages": 5, "trace": 5, "doctor": 5,
    "mending": 5, "endings": 5,
    "pricing": 5, "pricing_blocks": 5, "pricing_laws": 5, "pricing_work": 5,
}  # fmt: skip
ONLY = {"probes": {"axes"}, "geometry": {"axes"}}
NEVER = {"trajectories": {"capture"}}
TORCH = {"torch", "transformers", "transformer_lens"}
TORCH_ROOMS = {"capture", "causal", "lab"}
IN_FUNCTIONS_ONLY = {
    "ray", "submitit", "cloudpickle", "joblib", "matplotlib", "tyro", "huggingface_hub",
}  # fmt: skip


def room_of(file: Path, house: Path) -> str:
    return file.relative_to(house).parts[0].removesuffix(".py")


def floor_of(file: Path, house: Path) -> int:
    if file.name == "__main__.py":
        return max(FLOORS.values())
    return FLOORS.get(room_of(file, house), max(FLOORS.values()))


def imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Dotted names that a file imports, and whether at the top level (run on import)."""
    top = {id(node) for statement in tree.body for node in _outside_functions(statement)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name, id(node) in top) for name in names)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return  # read by type checkers alone
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _outside_functions(child)


def violations(house: Path) -> list[str]:
    found = []
    for file in sorted(house.rglob("*.py")):
        room, floor = room_of(file, house), floor_of(file, house)
        main = file.name == "__main__.py"
        if room == "__init__":
            continue
        for name, at_top in imports(ast.parse(file.read_text(encoding="utf-8"))):
            first, *rest = name.split(".")
            where = f"{file.relative_to(house)} imports {name}"
            if first == "neurotrace" and rest:
                target = rest[0]
                if target == room or target not in FLOORS:
                    continue
                if FLOORS[target] >= floor and not (
                    floor == max(FLOORS.values()) and target != "trace"
                ):
                    found.append(f"{where}: floor {FLOORS[target]} from floor {floor}")
                if target == "trace":
                    found.append(f"{where}: nothing imports trace")
                if room in ONLY and not main and target not in ONLY[room]:
                    found.append(f"{where}: {room} uses only {ONLY[room]}")
                if target in NEVER.get(room, ()) and not main:
                    found.append(f"{where}: never")
            elif first in TORCH and at_top and room not in TORCH_ROOMS:
                found.append(f"{where} at the top level")
            elif first in IN_FUNCTIONS_ONLY and at_top and not main:
                found.append(f"{where} at the top level")
    return found


def test_every_room_has_a_floor():
    rooms = {room_of(file, HOUSE) for file in HOUSE.rglob("*.py")} - {"__init__"}
    assert rooms <= set(FLOORS)


def test_imports_go_down():
    assert violations(HOUSE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("store.py", "from neurotrace import probes"),
        ("store.py", "from neurotrace.concepts import ConceptSet"),
        ("probes/x.py", "from neurotrace.store import ActivationStore"),
        ("probes/x.py", "import torch"),
        ("trajectories/x.py", "def f():\n    from neurotrace import capture"),
        ("report/x.py", "import matplotlib.pyplot"),
        ("lab/x.py", "from neurotrace import trace"),
    ],
)
def test_the_test_of_floors_can_fail(tmp_path, file, line):
    bad = tmp_path / file
    bad.parent.mkdir(parents=True, exist_ok=True)
    bad.write_text(line)
    assert len(violations(tmp_path)) >= 1


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"torch", "transformers", "transformer_lens", "matplotlib", "numpy", "pandas", "h5py"}


def test_import_neurotrace_loads_nothing_but_the_standard_library():
    assert not loaded_by("import neurotrace") & HEAVY


@pytest.mark.parametrize(
    "room", ["probes", "geometry", "store", "concepts", "trajectories", "report"]
)
def test_the_analysis_half_needs_no_torch(room):
    assert not loaded_by(f"import neurotrace.{room}") & {*TORCH, "matplotlib"}


def test_the_test_of_light_imports_can_fail():
    assert "h5py" in loaded_by("import neurotrace.store")


def test_rooms_are_handed_out_lazily_and_unknown_ones_refused():
    import neurotrace

    assert neurotrace.splits.halves
    with pytest.raises(AttributeError, match="has no room 'cellar'; valid are axes"):
        _ = neurotrace.cellar
