"""All search methods as the parameters of a test. Those that few use are for `make test-all`."""

from __future__ import annotations

import pytest

from pez_core.search import METHODS

SELDOM = ("autoprompt-sgd", "fluentprompt", "random")

every_method = pytest.mark.parametrize(
    "method", [pytest.param(method, marks=pytest.mark.slow) if method in SELDOM else method for method in METHODS]
)
