"""Provide context managers that start a server, Chrome and a room together."""

from __future__ import annotations

import contextlib
import platform
import secrets
import sys
import threading
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from harness.browser.chrome import Chrome
from harness.browser.proxy import bypass_proxy
from harness.browser.remote import RemoteChromes
from harness.session.venue import Venue

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Unpack

    from playwright.sync_api import Page

    from harness.recording.recording import Recording
    from harness.server.library.summaries import ReportSummary
    from harness.server.room_server import RoomServer
    from harness.server.serve_options import ServeOptions
    from harness.session.media import Media
    from harness.session.participant import Participant
    from harness.session.room import Room
    from harness.session.venue import VenueOptions
    from harness.verification.values.profiles import Profile

# The name of the public room.
_PUBLIC_ROOM = "public room"


def open_room(
    *,
    recordings: str | os.PathLike[str] = "recordings",
    name: str = "room",
    port: int = 0,
    **where: Unpack[VenueOptions],
) -> AbstractContextManager[Room]:
    """Start a server on the loopback interface, launch Chrome, and open an empty room.

    Use ``open_room`` in a ``with`` statement, for example ``with open_room() as room:``. At the end of the block,
    recordings that were not downloaded are saved, and the room, the browser and the server are closed.

    Args:
        recordings: Folder for finished recordings. The folder is created if it does not exist.
        name: Name of the room.
        port: TCP port of the server. With 0, the server uses a free port.

    Raises:
        ConfigError: An option is not valid.
        SetupError: Chrome, the port or the folder can't be used.
    """
    return open_room_at(Venue(**where), recordings=recordings, name=name, port=port)


def _prepare_room() -> None:
    """Import the room and its server, and bundle the page's modules."""
    from harness.server.web_app import page_scripts

    import_module("harness.session.room")
    import_module("harness.server.room_server")
    page_scripts()


@contextlib.contextmanager
def open_room_at(
    venue: Venue,
    *,
    recordings: str | os.PathLike[str] = "recordings",
    name: str = "room",
    port: int = 0,
) -> Iterator[Room]:
    """Open a room in the browsers that ``venue`` specifies; the other parameters are the same as for ``open_room``."""
    folder = Path(recordings).absolute()
    # The room and the server are slow to import, so a thread imports them while the browser starts.
    preparing = threading.Thread(target=_prepare_room, name="prepare the room")
    preparing.start()
    chrome = (
        RemoteChromes(venue.connect, venue.executable, headed=venue.headed)
        if venue.connect
        else Chrome(venue.executable, headed=venue.headed, fake_devices=not has_camera())
    )
    with chrome:
        preparing.join()
        from harness.server.room_server import RoomServer
        from harness.server.serve_options import ServeOptions
        from harness.session.room import Room

        options = ServeOptions(port=port, routes=venue.routes, local_browsers=not venue.connect)
        with (
            RoomServer(recordings=folder, versions=versions(chrome.version), options=options) as server,
            Room(
                server=server,
                new_context=lambda **options: chrome.new_context(
                    **bypass_proxy({"accept_downloads": True} | options, server.url)
                ),
                recordings=folder,
                name=name,
                watched=venue.headed,
            ) as room,
        ):
            yield room


@contextlib.contextmanager
def attach(
    page: Page,
    name: str = "recorder",
    *,
    media: Media = "own",
    emulate_network: bool = False,
    recordings: str | os.PathLike[str] = "recordings",
) -> Iterator[Participant]:
    """Attach to another application's page before it loads, and provide a participant that represents the page.

    Use ``attach`` in a ``with`` statement. The application is not changed, and its page stays open at the end of the
    block. To attach several participants to one call, use ``open_room`` and ``Room.attach``.

    Args:
        page: Playwright's page, which can belong to any running Chrome.
        name: Name of the participant.
        media: Camera and microphone of the application: ``"own"`` for the browser's devices, ``"synthetic"`` for video
            and audio that ``verify`` recognizes, or the path of a video file.
        emulate_network: Whether the page's network can be changed later with ``Participant.emulate_network``.
        recordings: Folder for finished recordings. The folder is created if it does not exist.

    Raises:
        ConfigError: The page has already loaded something, or ``media`` is not valid.
        NotSupportedError: The browser is not Chromium.
        SetupError: The folder can't be used, or the browser can't reach this machine's loopback interface.
    """
    from harness.server.room_server import RoomServer
    from harness.session.room import Room

    folder = Path(recordings).absolute()
    browser = page.context.browser
    with (
        RoomServer(recordings=folder, versions=versions(browser.version if browser else None)) as server,
        # The room has a random name, so nobody else can join it.
        Room(
            server=server, new_context=lambda **_: page.context, recordings=folder, name=secrets.token_urlsafe(16)
        ) as room,
    ):
        yield room.attach(page, name, media=media, emulate_network=emulate_network)


@contextlib.contextmanager
def serve_public_room(
    options: ServeOptions, *, recordings: Path, on_published: Callable[[Recording], None]
) -> Iterator[RoomServer]:
    """Serve a room that participants join from their own browsers, and publish their recordings in ``recordings``.

    ``on_published`` is called with each published recording, and the call can come from any thread.

    Raises SetupError if the port or the folder can't be used.
    """
    from harness.server.library.library import Library
    from harness.server.room_server import RoomServer

    library = Library(_PUBLIC_ROOM, recordings, _summarize, on_published)
    public = replace(options, public_room=_PUBLIC_ROOM)
    with RoomServer(recordings=recordings, versions=versions(), options=public, library=library) as server:
        yield server


def _summarize(path: Path) -> ReportSummary:
    """Verify a recording, and return a summary of the report for the page."""
    from harness.server.library.summaries import ReportSummary
    from harness.server.spool.downloads import ReportPage
    from harness.verification import verify
    from harness.verification.report.html import as_html

    report = verify(path)
    listed = [*report.failures, *report.unverified, *report.warnings]
    nonce = secrets.token_urlsafe(16)
    return ReportSummary(
        result=report.result,
        checks=len({finding.check for finding in report.findings}),
        findings=[finding.model_dump(mode="json") for finding in listed],
        page=ReportPage(as_html(report, path.with_suffix(".html"), nonce=nonce), nonce),
    )


def room_profile(venue: Venue, *, synthetic: bool, busy: bool) -> Profile:
    """Return the limits for recordings of our own room.

    The strict limits are for synthetic media that does not leave the machine. A ``busy`` machine, on which other
    programs leave too little CPU time for the recording, can't meet the strict limits, so the default limits apply
    there.
    """
    from harness.verification.values.profiles import DEFAULT_PROFILE, STRICT_PROFILE

    return STRICT_PROFILE if synthetic and venue.is_local and not busy else DEFAULT_PROFILE


def versions(chrome: str | None = None) -> dict[str, str]:
    """Return the version numbers to store in a manifest; ``chrome`` is None if participants use their own browsers."""
    return {
        "harness": metadata.version("recording-harness"),
        **({"chrome": chrome} if chrome else {}),
        "playwright": metadata.version("playwright"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def has_camera() -> bool:
    """Return whether this machine has a camera; systems other than Linux are assumed to have one."""
    return sys.platform != "linux" or any(Path("/dev").glob("video*"))
