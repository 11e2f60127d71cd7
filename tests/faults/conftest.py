"""Fixtures for fault tests: a check for recordings that survived a fault, and a network that can be interrupted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext

from harness import Recording, Report, Room
from harness.server.room_server import RoomServer
from tests.support.goals import Goals, Row
from tests.support.network.proxy import Network
from tests.support.recordings.second_opinions import disagreements
from tests.support.reports import check_recording

# All files that were checked, and all differences between our probe's results and those of other programs.
CHECKED_FILES: list[Path] = []
DIFFERENCES: list[str] = []


@pytest.fixture
def check_file() -> Iterator[Callable[[Recording], Report]]:
    """Return a function that verifies a recording and compares the harness's probe of the file with other programs.

    The test fails during teardown if another program disagrees with the harness's probe.
    """
    before = len(DIFFERENCES)

    def check(recording: Recording) -> Report:
        CHECKED_FILES.append(recording.path)
        DIFFERENCES.extend(disagreements(recording.path))
        return check_recording(recording)

    yield check
    assert [] == DIFFERENCES[before:]


@pytest.fixture(scope="session", autouse=True)
def _opinions(goals: Goals) -> Iterator[None]:
    """Add a row to the table of measurements: how often the harness's probe and other programs disagree."""
    yield
    if CHECKED_FILES:
        figure = f"{len(CHECKED_FILES)} files, {len(DIFFERENCES)} differences"
        goals.rows.append(Row("ffprobe, MediaInfo, mkvinfo on these files", "agree", figure, met=not DIFFERENCES))


class ServerBehindNetwork:
    """A server that pages reach only through an interruptible network."""

    def __init__(self, server: RoomServer, network: Network) -> None:
        self._server = server
        self.url = network.url

    def attach(self, room: str, name: str, media: str) -> str:
        """Return the script for another application's page, with the server's URL replaced by the network's URL."""
        return self._server.attach(room, name, media).replace(self._server.url, self.url)

    def __getattr__(self, name: str) -> object:
        return getattr(self._server, name)


@pytest.fixture
def network(room_server: RoomServer) -> Iterator[Network]:
    """Return an interruptible network between the pages and the server."""
    with Network(urlsplit(room_server.url).port or 0) as network:
        room_server._admission.allow(network.url)
        yield network


@pytest.fixture
def far_room(
    room_server: RoomServer, network: Network, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> Iterator[Room]:
    """Return a room whose participants reach the server through the network."""
    server = cast("RoomServer", ServerBehindNetwork(room_server, network))
    with Room(server=server, new_context=new_context, recordings=tmp_path, name=network.url) as room:
        yield room
