"""Which tests are slow, and which run in one worker of pytest-xdist."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest


def is_of_the_newest_page(nodeid: str) -> bool:
    """Whether a test opens the newest page, not that of the installed ComfyUI."""
    return nodeid.startswith("tests/page/") and "newest" in nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The newest page is for `make test-all`: the same tests open the installed one."""
    for item in items:
        if is_of_the_newest_page(item.nodeid):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Python's collector need not look through half a million objects of imported modules again and again: that takes 3% of the time."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many as there are cores, and one more unless only the core is tested: a worker that tests a page waits for it now and then."""
    only_core = all(argument.startswith("tests/core") for argument in config.args)
    return (os.cpu_count() or 1) + (not only_core)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs a whole file, because to open ComfyUI's page takes seconds, and one all tests of the newest page.

    Half of the workers take the first files, those of page and nodes, the others the last ones, those of the core, so that few start a
    ComfyUI, and a core is busy while a page is waited for.
    pytest-xdist's own `--dist loadgroup` writes a group into an item's private name, which pytest 9 no longer reads.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "the newest page" if is_of_the_newest_page(nodeid) else nodeid.partition("::")[0]

        def _assign_work_unit(self, node: Any) -> None:
            if self.nodes.index(node) >= max(1, len(self.nodes) // 2):
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    return Groups(config, log)
