"""Parameters of tests, of which some are slow or seldom used: those are for `make test-all`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest

from pez_core.search import METHODS


def with_slow(values: Iterable[Any], slow: Collection[Any]) -> list[Any]:
    """The values, those among `slow` with that mark."""
    return [pytest.param(value, marks=pytest.mark.slow) if value in slow else value for value in values]


every_method = pytest.mark.parametrize("method", with_slow(METHODS, ("autoprompt-sgd", "fluentprompt", "random")))
