"""Every test here runs on the native masker and on its Python twin."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.masking.engines import MASKERS


@pytest.fixture(params=list(MASKERS))
def masker(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """A masker with the default rules, before and after."""
    chosen = MASKERS[request.param]
    chosen.mask_configure()
    yield chosen
    chosen.mask_configure()
