"""What the fault tests share: the table of the promise, and what every file that they leave must stand."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext

from harness import Recording, Report, Room
from harness.server.room_server import RoomServer
from tests.support.goals import Goals, Row
from tests.support.media.second_opinions import disagreements
from tests.support.network.proxy import Network
from tests.support.reports import check_recording

# Every file that was judged, and what the other programs said against our probe.
JUDGED: list[Path] = []
DISAGREED: list[str] = []


@pytest.fixture
def judged() -> Iterator[Callable[[Recording], Report]]:
    """Return a function that judges a file, with second opinions; in what they differ fails the test at its end."""
    before = len(DISAGREED)

    def judge(recording: Recording) -> Report:
        JUDGED.append(recording.path)
        DISAGREED.extend(disagreements(recording.path))
        return check_recording(recording)

    yield judge
    assert [] == DISAGREED[before:]


@pytest.fixture(scope="session", autouse=True)
def _opinions(goals: Goals) -> Iterator[None]:
    """Note at the end what the other programs said of all these files."""
    yield
    if JUDGED:
        figure = f"{len(JUDGED)} files, {len(DISAGREED)} differences"
        goals.rows.append(Row("ffprobe, MediaInfo, mkvinfo on these", "agree", figure, met=not DISAGREED))


class Beyond:
    """A server as a page sees it through a network."""

    def __init__(self, server: RoomServer, network: Network) -> None:
        self._server = server
        self.url = network.url

    def attach(self, room: str, name: str, media: str) -> str:
        """Return the script for another application's page, with the server's address behind the network."""
        return self._server.attach(room, name, media).replace(self._server.url, self.url)

    def __getattr__(self, name: str) -> object:
        return getattr(self._server, name)


@pytest.fixture
def network(room_server: RoomServer) -> Iterator[Network]:
    """Return a network between pages and the server."""
    with Network(urlsplit(room_server.url).port or 0) as network:
        room_server._admission.allow(network.url)
        yield network


@pytest.fixture
def far_room(
    room_server: RoomServer, network: Network, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> Iterator[Room]:
    """Return a room whose participants reach the server through the network."""
    server: RoomServer = Beyond(room_server, network)  # type: ignore[assignment]
    with Room(server=server, new_context=new_context, recordings=tmp_path, name=network.url) as room:
        yield room
