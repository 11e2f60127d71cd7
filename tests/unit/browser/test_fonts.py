"""Test which names need a page to find out whether the fonts can draw them, and which packages contain the fonts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from harness.browser.fonts import REMEDY, packages_for, undrawable
from harness.browser.install import install_fonts
from harness.browser.locate import Browser

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="no names"),
        pytest.param(["alice", "bob-2", "José", "Žofie Šťastná", "<b>&</b>"], id="Latin letters"),
        pytest.param(["ali\u200dce", "bob\ufe0f", "\u2800\u3164", "carol\t\n\u3000"], id="invisible characters"),
        pytest.param(["e\u0301", "o\u20dd"], id="marks"),
        pytest.param(["bob\ud800"], id="an unpaired surrogate"),
    ],
)
def test_name_that_every_font_can_draw_does_not_use_the_page(names: list[str]) -> None:
    """A name with only Latin letters, marks and invisible characters is not checked in the browser.

    This page has no methods, so any use of it raises an error.
    """
    page = cast("Page", object())

    assert () == undrawable(page, names)


def test_remedy_lists_the_package_of_every_script() -> None:
    """The remedy that is shown to users lists all packages that ``harness browser install`` can install."""
    packages = packages_for(["Arabic", "Chinese", "Japanese", "Korean", "emoji"])

    assert ["fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"] == packages
    assert [] == [package for package in packages if package not in REMEDY]


def test_package_with_several_scripts_is_installed_once() -> None:
    """Only the packages of the missing scripts are installed."""
    assert ["fonts-noto-cjk"] == packages_for(["Japanese", "Korean"])


@pytest.mark.own_thread
def test_fonts_of_a_browser_that_does_not_start_cause_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If the browser does not start, the warning contains the browser's path, and nothing is installed."""
    chrome = tmp_path / "chrome"
    chrome.write_text("#!/bin/sh\nexit 1\n")
    chrome.chmod(0o755)

    install_fonts(Browser(chrome, None, "156.0.8078.79", "--executable"))

    (warning,) = caplog.messages
    assert f"The fonts could not be checked: {chrome} failed to start" in warning
