"""Fixtures for the end-to-end tests: shared rooms, browser pages, and a file reader that does not use the harness."""

import functools
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from harness import Participant, Room, verify
from harness.launch import serve_public_room
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.support.page_actions import Visit
from tests.support.reports import LENIENT_LIMITS


@dataclass(frozen=True)
class Observations:
    """A file's codecs, frame sizes and packet times in ms, as PyAV reads them."""

    codecs: set[str]
    sizes: set[tuple[int, int]]
    video_times: list[float]
    audio_times: list[float]

    @property
    def gaps(self) -> list[float]:
        """The time from each video frame to the next, in ms."""
        return [after - before for before, after in zip(self.video_times, self.video_times[1:], strict=False)]


def _read(path: Path) -> Observations:
    sizes: set[tuple[int, int]] = set()
    times: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(path) as container:
        codecs = {stream.codec_context.name for stream in container.streams}
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            times[packet.stream.type].append(float(packet.pts * packet.time_base * 1000))
            if packet.stream.type == "video":
                sizes |= {(frame.width, frame.height) for frame in packet.decode() if isinstance(frame, av.VideoFrame)}
    return Observations(codecs, sizes, times["video"], times["audio"])


@pytest.fixture(scope="session")
def read_back() -> Callable[[Path], Observations]:
    """Return a function that reads every packet and frame of a finished file."""
    return _read


@pytest.fixture(scope="module")
def _open_rooms(browser: Browser, room_server: RoomServer, recordings: Path) -> Iterator[Callable[..., Room]]:
    """Yield a function that opens a room with the given participants; the room stays open for all tests in a module."""
    rooms: dict[tuple[str, ...], Room] = {}

    def room_with(*names: str) -> Room:
        if names not in rooms:
            rooms[names] = Room(
                server=room_server, new_context=browser.new_context, recordings=recordings, name=secrets.token_hex(8)
            )
            rooms[names].join_all(*names)
        return rooms[names]

    yield room_with
    for room in rooms.values():
        room.close()


def _without_recordings(room: Room) -> Iterator[Participant]:
    """Yield the room's first participant, and discard the participant's recordings before and after the test."""
    first = room.participants[0]
    first.recordings.clear()
    yield first
    first.clean_media_recording()


@pytest.fixture
def alice(_open_rooms: Callable[..., Room]) -> Iterator[Participant]:
    """Yield Alice, who is alone in a room; the room stays open for the next test."""
    yield from _without_recordings(_open_rooms("alice"))


@pytest.fixture
def alice_with_bob(_open_rooms: Callable[..., Room]) -> Iterator[Participant]:
    """Yield Alice, who is in a room with Bob; the room stays open for the next test."""
    yield from _without_recordings(_open_rooms("alice", "bob"))


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoomServer]:
    """Serve a public room whose reports use lenient limits, because the machine may be busy with other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.verification.verify", functools.partial(verify, limits=LENIENT_LIMITS))
        with serve_public_room(
            ServeOptions(), recordings=tmp_path_factory.mktemp("page"), on_published=lambda _: None
        ) as server:
            yield server


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext]) -> Iterator[Visit]:
    """Yield a function that opens a page in a new context.

    The test fails if a page logs an error, except for errors that contain the text in ``unless``.
    """
    contexts: list[BrowserContext] = []
    page_errors: list[str] = []

    def visit(url: str, *, unless: str | None = None, **options: Any) -> Page:
        def on_error(text: str) -> None:
            if unless is None or unless not in text:
                page_errors.append(text)

        contexts.append(new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: on_error(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: on_error(str(error)))
        page.goto(url)
        return page

    yield visit

    for context in contexts:
        context.close()
    assert [] == page_errors
