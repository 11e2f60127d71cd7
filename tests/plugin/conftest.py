"""Fixtures for tests that run pytest in another project, with or without the plugin."""

import pytest
from playwright.sync_api import Playwright

from harness.browser.locate import locate


@pytest.fixture
def project(pytester: pytest.Pytester, playwright: Playwright) -> pytest.Pytester:
    """Return a project whose own tests use Chrome without the harness's arguments.

    The project names Chrome's path, because pytest-playwright finds no browser other than Playwright's own.
    """
    path = str(locate(None, bundled=playwright.chromium.executable_path).executable)
    pytester.makeconftest(
        f"""
        import pytest

        @pytest.fixture(scope="session")
        def browser_type_launch_args(browser_type_launch_args):
            return {{**browser_type_launch_args, "executable_path": {path!r}}}
        """
    )
    return pytester


@pytest.fixture
def ordered_project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project whose tests run in the order of their lines; by default, pytest groups tests by browser."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: item.location[1])
        """
    )
    return pytester
