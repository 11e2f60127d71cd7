"""Fixtures for tests of Chrome's behavior: a page in the plugin's Chrome, and one in Chrome without our switches.

The tests are skipped if they have passed with the same versions of Chrome and Playwright before.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from tests.expectations.observed import Observed
from tests.expectations.site import Site
from tests.support.goals import FULL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserType, Page


@pytest.fixture(scope="session", autouse=True)
def unless_observed(browser: Browser) -> None:
    """Skip the test if all tests have passed with these versions of Chrome and Playwright; the full form skips none."""
    if not FULL and Observed.read() == Observed(chrome=browser.version, playwright=metadata.version("playwright")):
        pytest.skip("Passed with these versions of Chrome and Playwright. To repeat it, run: make test-expectations")


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Return the server that serves the test page."""
    with Site() as site:
        yield site


@pytest.fixture
def page(page: Page, site: Site) -> Page:
    """Return pytest-playwright's page, in a new context and with the test page loaded."""
    page.goto(site.url)
    return page


@pytest.fixture(scope="session")
def bare_chrome(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """Return a second Chrome instance, started with fake devices but without the harness's other switches."""
    devices = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = browser_type.launch(**{**browser_type_launch_args, "args": devices})
    yield browser
    browser.close()


@pytest.fixture
def bare_page(bare_chrome: Browser, site: Site) -> Iterator[Page]:
    """Return a page in the second Chrome instance, with the test page loaded."""
    context = bare_chrome.new_context()
    page = context.new_page()
    page.goto(site.url)
    yield page
    context.close()
