"""If the browser fails to download a recording, the harness promptly takes it from the spool and logs a warning."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from playwright.sync_api import Error

from harness import Participant, RecordConfig, verify
from harness.browser.pages.page_downloads import NotDownloaded, PageDownloads
from harness.server.spool import delivery
from tests.support.application_calls import meet
from tests.support.servers.web_server import Served

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Route

    from harness import Recording, Room
    from tests.support.servers.application_site import Site

SMALL = RecordConfig(record_name="out", record_type="audio")
# The time limit in seconds for each download in these tests, from the API call until the file is in its folder.
WITHIN = 10.0


def record(room: Room, alice: Participant) -> Recording:
    """Record for a second, and download the recording within the time limit."""
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)
    alice.stop_media_recording()
    began = time.monotonic()
    recording = alice.download_media_recording()
    assert time.monotonic() - began < WITHIN
    return recording


def assert_from_spool(recording: Recording, reason: str) -> None:
    """Check that a recording is complete, and that its manifest and report state why the download failed."""
    assert (False, None) == (recording.downloaded, recording.download_ms)
    assert recording.download_failure is not None
    assert reason in recording.download_failure
    report = verify(recording, complete=True)
    assert not {"container", "hash", "complete"} & {finding.check for finding in report.failures}
    text = f"The browser did not download the file ({recording.download_failure}); the file was taken from the spool."
    assert text in [finding.message for finding in report.warnings]


def test_call_in_a_sandboxed_frame_delivers_every_recording(
    room: Room, site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame blocks all downloads, even the automatic download of a recording when the next recording starts."""
    alice, bob = (room.enter(name, ignore_https_errors=True) for name in ("alice", "bob"))
    alice.page.goto(f"{site.url}/frames/sandboxed-call.html")
    bob.page.goto(f"{site.url}/simple-peer.html")
    meet(room, alice, bob)

    with caplog.at_level(logging.WARNING):
        first = record(room, alice)
        monkeypatch.setattr(delivery, "BEGINS_WITHIN", 1.0)
        alice.start_media_recording(record_config=SMALL)
        alice.start_media_recording(record_config=SMALL)
        alice.stop_media_recording()
        last = alice.download_media_recording()

    assert ["out.webm", "out-2.webm", "out-3.webm"] == [one.path.name for one in room.recordings]
    assert [first, last] == [room.recordings[0], room.recordings[2]]
    for recording in room.recordings:
        assert_from_spool(recording, "the page is in a sandboxed frame without allow-popups")
    assert 3 == sum("was taken from the spool" in line for line in caplog.messages)


@pytest.mark.thorough
@pytest.mark.parametrize("permissions", ["allow-popups", "allow-popups%20allow-downloads"])
def test_window_of_a_sandboxed_frame_is_closed_after_the_download(room: Room, site: Site, permissions: str) -> None:
    """With allow-popups, Chrome requests the file in a new window, which has the same sandbox."""
    alice, bob = (room.enter(name, ignore_https_errors=True) for name in ("alice", "bob"))
    alice.page.goto(f"{site.url}/frames/sandboxed-call.html?{permissions}")
    bob.page.goto(f"{site.url}/simple-peer.html")
    meet(room, alice, bob)

    recording = record(room, alice)

    if "allow-downloads" in permissions:
        assert recording.downloaded
    else:
        assert_from_spool(recording, "the page is in a sandboxed frame without allow-downloads")
    assert [alice.page] == alice.page.context.pages


def test_context_without_downloads_delivers_the_recording_twice(room: Room, site: Site) -> None:
    """Playwright refuses downloads in a context with accept_downloads=False."""
    alice, bob = (room.enter(name, ignore_https_errors=True, accept_downloads=False) for name in ("alice", "bob"))
    for one in (alice, bob):
        one.page.goto(f"{site.url}/simple-peer.html")
    meet(room, alice, bob)

    first, second = record(room, alice), alice.download_media_recording()

    for recording in (first, second):
        assert_from_spool(recording, "accept_downloads=False")
    assert first.sha256 == second.sha256


def test_route_that_aborts_downloads_is_named(room: Room, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests often abort requests to all hosts but the application's, which also aborts the recording's download."""
    monkeypatch.setattr(delivery, "BEGINS_WITHIN", 1.0)
    alice, bob = (room.enter(name, ignore_https_errors=True) for name in ("alice", "bob"))

    def abort_others(route: Route) -> None:
        if "/recordings/" in route.request.url:
            route.abort()
        else:
            route.continue_()

    alice.page.context.route("**/*", abort_others)
    for one in (alice, bob):
        one.page.goto(f"{site.url}/simple-peer.html")
    meet(room, alice, bob)

    assert_from_spool(record(room, alice), "the browser could not request the file")


def test_user_of_the_page_gets_the_reason(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a download does not begin, the page gets an error. Python still gets the file and can repeat the download."""
    monkeypatch.setattr(delivery, "BEGINS_WITHIN", 1.0)
    alice = room.join("alice")
    alice.start_media_recording(record_config=SMALL)
    room.wait(seconds=1)
    alice.page.evaluate("() => { HTMLAnchorElement.prototype.click = () => undefined; }")

    with pytest.raises(
        Error, match=r"The browser did not download out.webm \(the browser did not request the file within 1 s\)"
    ):
        alice.page.evaluate("() => window.client.downloadMediaRecording()")

    assert_from_spool(alice.download_media_recording(), "the browser did not request the file within 1 s")
    alice.page.evaluate("() => { delete HTMLAnchorElement.prototype.click; }")
    assert alice.download_media_recording().downloaded


class StuckServer(Served):
    """Serves a download that does not end while the server runs."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    def build(self) -> web.Application:
        """Return a web application with one file."""
        app = web.Application()
        app.router.add_get("/file.webm", self._send_beginning)
        return app

    async def _send_beginning(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Disposition": "attachment", "Content-Length": "9999"})
        response.content_type = "video/webm"
        await response.prepare(request)
        # Chrome does not begin a download before it has read enough bytes to guess the file's type.
        await response.write(bytes(5000))
        await self._over.wait()
        return response

    async def _stop(self) -> None:
        self._over.set()
        await super()._stop()


def test_download_that_never_ends_is_abandoned(context: BrowserContext, tmp_path: Path) -> None:
    """Playwright's own calls would wait forever for a download that never ends."""
    page = context.new_page()
    downloads = PageDownloads(page, lambda url: url.endswith("/file.webm"))
    with StuckServer() as server:
        page.evaluate("(url) => { location.href = url; }", f"{server.url}/file.webm")
        stuck = downloads.next()
        began = time.monotonic()

        with pytest.raises(NotDownloaded, match="the browser did not finish the download within 1 s"):
            downloads.save(stuck, tmp_path / "file.webm", seconds=1)
        with pytest.raises(NotDownloaded, match=r"Playwright reported no download within 0\.1 s"):
            downloads.next(seconds=0.1)

    assert time.monotonic() - began < WITHIN
    assert "failed" == stuck.state
    assert not (tmp_path / "file.webm").exists()
