"""Which tests run in one worker of pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs a whole file, because to open ComfyUI's page takes seconds, and one all tests of the newest page.

    pytest-xdist's own `--dist loadgroup` writes a group into an item's private name, which pytest 9 no longer reads.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "the newest page" if file.startswith("tests/page/") and "newest" in nodeid else file

    return Groups(config, log)
