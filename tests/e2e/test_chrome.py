"""Tests for launching and closing Chrome, and for protecting it from signals sent to the process group."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.browser.chrome import Chrome
from harness.errors import SetupError
from tests.support import processes

pytestmark = [pytest.mark.own_thread, pytest.mark.parallel]

# A program that catches three signals and keeps using its page; it prints "ready" and "closed".
PROGRAM_WITH_CHROME = """
import signal
import sys
from harness.browser.chrome import Chrome

caught = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: caught.append(number))

with Chrome() as chrome:
    page = chrome.new_context().new_page()
    print("ready", flush=True)
    while len(caught) < 3:
        page.wait_for_timeout(20)
    for _ in range(5):
        page.wait_for_timeout(100)
        assert page.evaluate("1 + 1") == 2
print("closed", *(signal.Signals(number).name for number in caught), flush=True)
"""


@contextlib.contextmanager
def program_with_chrome() -> Iterator[subprocess.Popen[str]]:
    """Start the test program in its own process group, and yield the process once its page is open."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM_WITH_CHROME], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    family = [psutil.Process(process.pid)]
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        family += family[0].children(recursive=True)
        yield process
    finally:
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.communicate()


def test_chrome_opens_a_page_and_knows_its_version() -> None:
    """Chrome's reported version matches the user agent in a page."""
    with Chrome() as chrome:
        page = chrome.new_context().new_page()

        agent = page.evaluate("navigator.userAgent")

        assert f"Chrome/{chrome.version.partition('.')[0]}." in agent
        assert chrome.found.version == chrome.version


def test_chrome_disables_all_features_that_playwright_disables() -> None:
    """Chrome applies only the last --disable-features switch: ours, which also lists all of Playwright's features."""
    with Chrome():
        line = processes.chrome_processes("browser")[-1].cmdline()
        first, last = (
            set(argument.partition("=")[2].split(","))
            for argument in line
            if argument.startswith("--disable-features=")
        )

        assert first < last


def test_a_browser_context_uses_one_process() -> None:
    """A browser context has one renderer process for its page, and no spare renderer."""
    others = processes.chrome_processes("--type=renderer")
    with Chrome() as browser:
        browser.new_context().new_page()
        before = len(processes.chrome_processes("--type=renderer", besides=others))

        browser.new_context().new_page()

        assert len(processes.chrome_processes("--type=renderer", besides=others)) == before + 1


def test_chrome_can_be_closed_twice() -> None:
    """Closing Chrome a second time has no effect."""
    with Chrome() as chrome:
        chrome.close()


def test_a_crashed_chrome_closes_without_an_error() -> None:
    """No process remains after the browser crashes."""
    others = psutil.Process().children()
    with Chrome() as chrome:
        chrome.new_context().new_page()
        (driver,) = (child for child in psutil.Process().children() if child not in others)
        family = [driver, *driver.children(recursive=True)]

        driver.children()[0].kill()

    assert [] == processes.still_running(family, within=2)


def test_fake_devices_are_a_camera_and_a_microphone() -> None:
    """A page can use the camera and the microphone without a permission prompt."""
    with Chrome(fake_devices=True) as chrome:
        page = chrome.new_context().new_page()
        page.route("http://localhost/", lambda route: route.fulfill(body="a page"))
        page.goto("http://localhost/")

        kinds = page.evaluate(
            "navigator.mediaDevices.getUserMedia({audio: true, video: true})"
            ".then((stream) => stream.getTracks().map((track) => track.kind).sort())"
        )

        assert kinds == ["audio", "video"]


def test_signals_to_the_process_group_reach_only_python() -> None:
    """After SIGINT, SIGTERM and SIGHUP, the page keeps working until Python closes the browser."""
    with program_with_chrome() as process:
        family = psutil.Process(process.pid).children(recursive=True)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.killpg(process.pid, number)

        closed, *caught = process.communicate(timeout=30)[0].split()
        assert ("closed", {"SIGINT", "SIGTERM", "SIGHUP"}) == (closed, set(caught))
        assert process.returncode == 0
        assert [] == processes.still_running(family, within=2)


def test_a_browser_that_does_not_start_is_a_setup_error(tmp_path: Path) -> None:
    """If a browser does not start, the error contains the browser's output and explains how to fix the problem."""
    broken = tmp_path / "chrome"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exec echo Chromium 1.2.3.4\necho no libnss3 >&2\nexit 127\n')
    broken.chmod(0o755)

    with pytest.raises(SetupError, match=r"failed to start: .*no libnss3.*--executable"), Chrome(broken):
        pass
