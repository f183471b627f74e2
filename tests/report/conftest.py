"""Invented runs of every shape a report must bear."""

from collections.abc import Callable

import pytest
import xarray as xr
from report.invented import invented, minimal
from report.origins import provenance

from neurotrace import report

Results = dict[str, xr.Dataset]
Make = Callable[..., Results]


@pytest.fixture(scope="session")
def made() -> Make:
    return invented


@pytest.fixture(scope="session")
def default_like() -> Results:
    return invented()


@pytest.fixture(scope="session")
def control_like() -> Results:
    return invented(sharing=0.0, basis=0.0)


@pytest.fixture(scope="session")
def single() -> Results:
    return minimal()


@pytest.fixture
def origin() -> dict:
    return provenance()


@pytest.fixture(scope="session")
def default_page(default_like: Results) -> str:
    return report.page(default_like, provenance())
