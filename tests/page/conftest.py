"""The browser and the servers that the page's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from chromium import chromium

if TYPE_CHECKING:
    from comfy_server import Comfy
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(params=["own frontend", "newest frontend"])
def server(request: pytest.FixtureRequest, comfy: Comfy) -> Comfy:
    """ComfyUI with its own frontend, then with the newest."""
    return comfy if request.param == "own frontend" else request.getfixturevalue("comfy_newest")
