"""Tokens appear in neither URLs nor logs, only loopback ports are open, and folders are private."""

from __future__ import annotations

import logging
import re
import stat
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from harness import RecordConfig
from harness.server.room_server import RoomServer
from harness.session.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.support.goals import Goals

pytestmark = pytest.mark.parallel

_ADDRESS = re.compile(r"\b(?!127\.0\.0\.1)(?:\d{1,3}\.){3}\d{1,3}\b")


class Seen:
    """Collects the URLs that pages request, and the tokens that the server issues to them."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.tokens: set[str] = set()

    def watch(self, context: BrowserContext) -> BrowserContext:
        """Collect the URLs that a context's pages request."""
        context.on("request", lambda request: self.addresses.append(request.url))
        context.on("page", self._watch_page)
        return context

    def listen(self, server: RoomServer) -> None:
        """Collect the tokens that the server issues."""
        issue = server._admission.issue

        def issued(*grant: Any, **options: Any) -> str:
            token = issue(*grant, **options)
            self.tokens.add(token)
            return token

        server._admission.issue = issued  # type: ignore[method-assign]

    def _watch_page(self, page: Page) -> None:
        page.on("websocket", lambda socket: self.addresses.append(socket.url))
        page.on("framenavigated", lambda frame: self.addresses.append(frame.url))


@pytest.fixture
def seen() -> Seen:
    """Return an empty collection of URLs and tokens."""
    return Seen()


@pytest.fixture
def room(seen: Seen, new_context: Callable[..., BrowserContext], tmp_path: Path) -> Iterator[Room]:
    """Open a room, and collect the URLs that its pages request and the tokens that it issues."""
    with RoomServer(recordings=tmp_path / "recordings", versions={}) as server:
        seen.listen(server)
        with Room(
            server=server, new_context=lambda **options: seen.watch(new_context(**options)), recordings=tmp_path
        ) as room:
            yield room


def test_tokens_appear_in_no_address_and_no_log(
    seen: Seen, room: Room, caplog: pytest.LogCaptureFixture, goals: Goals
) -> None:
    """No log line contains tokens, not even at the DEBUG level.

    Log lines at the INFO level and above contain neither SDP nor IP addresses.
    """
    caplog.set_level(logging.DEBUG)
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="call"))
    room.wait(seconds=1)
    alice.stop_media_recording()
    alice.download_media_recording()
    alice.clean_media_recording()
    # This recording is never downloaded, which should cause a warning.
    alice.start_media_recording(record_config=RecordConfig(record_name="never fetched"))
    room.wait(seconds=1)
    room.close()

    logs = "\n".join(record.getMessage() for record in caplog.records)
    usual = "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.INFO)
    addresses = "\n".join(seen.addresses)
    assert logs
    assert len(seen.tokens) >= 6
    assert {"/signal", "/spool"} <= {address.rpartition(":")[2].lstrip("0123456789") for address in seen.addresses}
    leaked = [token for token in seen.tokens if token in logs or token in addresses]
    private = [word for word in ("candidate:", "a=ice-", "v=0") if word in usual] + _ADDRESS.findall(usual)
    goals.measured(
        f"{len(seen.tokens)} tokens of a recorded call",
        bar="none in a URL or a log line",
        figure=f"{len(leaked)} in {len(seen.addresses)} URLs and {len(caplog.records)} log lines",
        met=not leaked,
    )
    assert [] == leaked
    assert [] == private


def test_nothing_listens_beyond_loopback(room: Room, goals: Goals) -> None:
    """Python, the Playwright driver and Chrome listen only on loopback addresses during a recorded call."""
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="call"))

    ours = {process.pid for process in psutil.Process().children(recursive=True)} | {psutil.Process().pid}
    listening = [
        one.laddr for one in psutil.net_connections("tcp") if one.pid in ours and one.status == psutil.CONN_LISTEN
    ]
    beyond = [address for address in listening if address and address.ip not in {"127.0.0.1", "::1"}]
    alice.stop_media_recording()
    goals.measured(
        "listening sockets of a recorded call",
        bar="none beyond loopback",
        figure=f"{len(beyond)} of {len(listening)} beyond loopback",
        met=not beyond,
    )
    assert listening
    assert [] == beyond


def test_recordings_in_progress_are_stored_in_private_folders(room: Room, tmp_path: Path) -> None:
    """Only the owner can access the spool and its subfolders."""
    alice, _ = room.join_all("alice", "bob")
    alice.start_media_recording(record_config=RecordConfig(record_name="call"))
    room.wait(seconds=0.5)

    spool = tmp_path / "recordings" / ".spool"
    folders = [spool, *(path for path in spool.rglob("*") if path.is_dir())]
    alice.stop_media_recording()

    assert len(folders) > 1
    assert {0o700} == {stat.S_IMODE(folder.stat().st_mode) for folder in folders}
