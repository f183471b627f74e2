"""What a source is called in reports: a repository by its whole name, never a machine's path."""

import pytest

from neurotrace.config import TraceConfig
from neurotrace.road import source_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("org/model", "org/model"),
        ("org/model@step512", "org/model@step512"),
        ("/home/me/runs/lab", "lab"),
    ],
)
def test_a_repository_keeps_its_name_and_a_path_its_last_part(source, name):
    assert source_name(TraceConfig(source=source)) == name
