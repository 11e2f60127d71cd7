"""Take the screenshots for docs/gallery.md: the page, a recording in the player, and its report.

Three participants meet in a real Chrome browser. One participant is silent for a while without being muted, and the
report contains a finding about it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect
from rich.console import Console

from harness import Report, verify
from harness.browser.chrome import Chrome
from harness.launch import serve_public_room
from harness.server.serve_options import ServeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "gallery"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light", "locale": "en-GB"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "zh-CN"}
_QUALITY = 82


def main() -> int:
    """Take all screenshots, and replace the old ones only if the report has no unintended findings."""
    with (
        tempfile.TemporaryDirectory() as new,
        tempfile.TemporaryDirectory() as temporary,
        Chrome(fake_devices=True) as chrome,
        serve_public_room(ServeOptions(), recordings=Path(temporary), on_published=lambda _: None) as server,
    ):
        folder = Path(new)

        def visit(name: str, options: dict[str, Any]) -> Page:
            page = chrome.new_context(**options).new_page()
            page.goto(server.url)
            page.locator("#join-name").fill(name)
            page.locator("input[value=synthetic]").check()
            if name == "Alice":
                _screenshot(page, folder / "lobby.jpg")
            page.locator("#join-button").click()
            expect(page.locator("#room")).to_be_visible()
            return page

        alice, bob, carol = visit("Alice", DESKTOP), visit("Bob", DESKTOP), visit("小红", PHONE)
        _record(
            alice,
            bob,
            lambda: _screenshot(alice, folder / "room.jpg"),
            lambda: _screenshot(carol, folder / "phone.jpg"),
        )
        _verify(alice)
        _screenshot(alice, folder / "player.jpg")
        with alice.expect_popup() as opened:
            alice.locator("#report-link").click()
        _report(opened.value, folder / "report.jpg")
        report = verify(Path(temporary) / "standup.webm")
        _terminal(report, folder / "terminal.svg")
        if {(one.check, one.participant) for one in report.failures} != {("presence", "Bob")}:
            sys.stderr.write(f"{report}\nThe machine was too busy. Run make gallery again.\n")
            return 1
        FOLDER.mkdir(exist_ok=True)
        for file in folder.iterdir():
            shutil.copy(file, FOLDER)
    return 0


def _screenshot(page: Page, path: Path, **options: Any) -> None:
    page.screenshot(path=path, type="jpeg", quality=_QUALITY, **options)


def _record(page: Page, silent: Page, *screenshots: Callable[[], None]) -> None:
    """Record for ten seconds, including two seconds in which one participant is silent, and take screenshots."""
    page.locator("#record-name").fill("standup")
    page.locator("#quality").select_option("720")
    page.locator("#start").click()
    for at, enabled in ((4, False), (6, True)):
        _wait_until(page, f"0:0{at}")
        silent.evaluate(
            "on => { for (const track of client.media.stream.getAudioTracks()) track.enabled = on; }", enabled
        )
    for screenshot in screenshots:
        screenshot()
    _wait_until(page, "0:10")
    page.locator("#stop").click()
    expect(page.locator("#download")).to_be_enabled()


def _wait_until(page: Page, elapsed: str) -> None:
    """Wait until the page shows at least this duration.

    Durations with the same number of characters can be compared as text.
    """
    page.wait_for_function("at => document.getElementById('elapsed').textContent >= at", arg=elapsed, timeout=15_000)


def _verify(page: Page) -> None:
    page.locator(".entry").first.click()
    page.locator("#player-verify").click()
    expect(page.locator("#report-link")).to_be_visible(timeout=60_000)
    page.locator("#report-findings .jump").first.click()
    video = "document.querySelector('#player-video')"
    page.wait_for_function(f"() => {video}.currentTime > 1 && {video}.readyState >= 2")
    page.evaluate(f"() => {video}.pause()")
    page.mouse.move(0, 0)


def _report(page: Page, path: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 1250})
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    _screenshot(page, path)


def _terminal(report: Report, path: Path) -> None:
    """Write the output of ``harness verify`` to an SVG file."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, file=nowhere, width=104, force_terminal=True)
        console.print(f"$ harness verify recordings/{report.path.name}", style="bold", highlight=False)
        console.print(report)
        console.save_svg(str(path), title="harness verify")


if __name__ == "__main__":
    sys.exit(main())
