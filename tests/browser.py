"""Pages in Chromium, by Playwright; the fixture `chromium` is in `conftest.py`."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Visit = Callable[..., Any]


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def visits(browser: Any) -> Iterator[Visit]:
    """Opens addresses, each in a context of its own; nothing that a page loads or runs may be refused or fail."""
    contexts, problems = [], []

    def opened(url: str, *, width: int = 1280, height: int = 900, scheme: Any = "light", **more: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if _is_problem(line) else None)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def _is_problem(line: Any) -> bool:
    """Chromium logs each reply that is no success, which the page itself tells of."""
    return line.type in ("error", "warning") and "Failed to load resource" not in line.text
