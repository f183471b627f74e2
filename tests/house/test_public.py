"""Manners of every public name: documented, keyword-only where it should be, no catch-alls."""

import importlib
import inspect
from collections.abc import Iterator

import pytest

import neurotrace

ROOMS = [room for room in neurotrace.ROOMS if room != "trace"]


def public() -> Iterator[tuple[str, object]]:
    for room in ROOMS:
        module = importlib.import_module(f"neurotrace.{room}")
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
        for name in names:
            yield f"{room}.{name}", getattr(module, name)


CALLABLE = [
    pytest.param(value, id=name)
    for name, value in public()
    if inspect.isfunction(value) or inspect.isclass(value)
]
FUNCTIONS = [param for param in CALLABLE if inspect.isfunction(param.values[0])]


@pytest.mark.parametrize("value", CALLABLE)
def test_a_public_name_says_what_it_is(value):
    first = (inspect.getdoc(value) or "").split("\n\n")[0]
    assert first.endswith((".", "?", ":", "…")), first


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_public_function_takes_few_positional_arguments_and_no_catch_all(function):
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    positional = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    # An interchange has a source and a target.
    assert positional <= (4 if "interchange" in function.__name__ else 3), positional


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_positional_switches(function):
    for parameter in inspect.signature(function).parameters.values():
        if isinstance(parameter.default, bool):
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, parameter


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_hands_out_what_it_says(room):
    module = importlib.import_module(f"neurotrace.{room}")
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name)
