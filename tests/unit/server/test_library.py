"""Library publishes each finished recording once, and never deletes a recording that is not published."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.errors import HarnessError
from harness.recording.manifest import Manifest
from harness.recording.spool.folder import Folder
from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Admission, Token
from harness.server.library.library import Library
from harness.server.room_server import RoomServer
from harness.server.rooms.signaling import Signaling
from harness.server.serve_options import ServeOptions
from harness.server.spool.connections import Connections
from tests.support.sockets import AUDIO_HELLO, CHUNK, receive_answer, sockets
from tests.support.spooling import STARTED, announce, feed, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.server.access.page_socket import PageSocket
    from harness.server.library.summaries import ReportSummary
    from harness.server.spool.active_recording import ActiveRecording
    from harness.server.spool.spool import Spool


pytestmark = pytest.mark.parallel


def never_verify(_: Path) -> ReportSummary:
    """Fail if called: no recording is verified in these tests."""
    raise NotImplementedError


def record(
    library: Library, spool: Spool, data: bytes, *, until: str = "end", **config: Any
) -> tuple[ActiveRecording, str]:
    """Record in the room whose recordings ``library`` contains.

    Return the recording and its final state in the list of recordings.
    """

    async def run() -> tuple[ActiveRecording, str]:
        admission, limits = Admission(), ServerLimits()
        connections = Connections(spool, Signaling(admission, limits, lambda: 0.0), admission, limits, library)
        token = admission.issue(Token(role="recorder", room="daily", name="alice"))
        ended = asyncio.Event()

        def on_change(items: list[dict[str, Any]]) -> None:
            if not items or items[0]["state"] != "recording":
                ended.set()

        async def ignore(_: ActiveRecording) -> None:
            return

        library.subscribe(on_change)
        active = connections.open(cast("PageSocket", None), announce(token=token, **config), ignore)
        active.log.add_recorder_state("started", STARTED)
        feed(active, data)
        with contextlib.suppress(HarnessError):
            await asyncio.to_thread(active.clean if until == "clean" else active.finish_with_manifest)
        await asyncio.wait_for(ended.wait(), 10)
        return active, str(library.listed()[0]["state"]) if library.listed() else "gone"

    return asyncio.run(run())


def test_a_recording_is_published_as_soon_as_it_is_safe(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """A recording is published once, with the requested name and a manifest, and its page can still download it."""
    published: list[Recording] = []
    library = Library("daily", tmp_path / "kept", never_verify, published.append)

    active, state = record(library, spool, audio_bytes, recordName="standup")

    assert "published" == state
    assert [tmp_path / "kept" / "standup.webm"] == [one.path for one in published]
    assert published[0] == Manifest.read(published[0].manifest).recording
    assert active.path.read_bytes() == published[0].path.read_bytes()
    library.publish(active)
    active.clean()
    assert 1 == len(published)
    assert published[0].path.is_file()


def test_earlier_recordings_are_listed_after_a_restart(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """Recordings from other rooms in the same folder are not listed."""
    folder = tmp_path / "kept"
    for name in ("mine", "gone"):
        record(Library("daily", folder, never_verify, lambda _: None), spool, audio_bytes, recordName=name)
    (folder / "gone.webm").unlink()
    again, other = (Library(room, folder, never_verify, lambda _: None) for room in ("daily", "weekly"))

    again.read_folder()
    other.read_folder()

    assert [("mine.webm", "published")] == [(one["name"], one["state"]) for one in again.listed()]
    assert [] == other.listed()


def test_a_recording_that_cannot_be_published_is_not_freed(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """If a recording can't be published, the list of recordings shows the reason, and the spool keeps the file.

    A second attempt to publish the recording also fails.
    """
    (tmp_path / "file").touch()
    library = Library("daily", tmp_path / "file" / "kept", never_verify, lambda _: None)

    active, state = record(library, spool, audio_bytes)

    assert "failed" == state
    assert "Recordings can't be stored in" in str(library.listed()[0]["reason"])
    with pytest.raises(HarnessError, match="Recordings can't be stored in"):
        library.publish(active)
    assert active.path.is_file()


def test_a_recording_that_cannot_be_read_back_is_not_published(
    spool: Spool, audio_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the finished file can't be read back, the raw bytes are kept, because they are the only reliable copy."""

    def fail(*_: object) -> None:
        message = "read back with other packets"
        raise OSError(message)

    monkeypatch.setattr(Folder, "settle", fail)
    library = Library("daily", tmp_path / "kept", never_verify, lambda _: None)

    active, state = record(library, spool, audio_bytes)

    assert "failed" == state
    assert not (tmp_path / "kept").exists()
    assert active.folder.raw.is_file()
    with pytest.raises(HarnessError, match="read back"):
        library.publish(active)


def test_a_stopping_server_does_not_wait_for_verification(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """If a server stops while it verifies a recording, the request ends quickly, and nothing waits for its thread."""
    asked, never = threading.Event(), threading.Event()
    folder = tmp_path / "kept"
    active, _ = record(Library("daily", folder, never_verify, lambda _: None), spool, audio_bytes)

    def verify_slowly(_: Path) -> ReportSummary:
        asked.set()
        never.wait()
        raise NotImplementedError

    library = Library("daily", folder, verify_slowly, lambda _: None)
    with RoomServer(
        recordings=folder, versions={}, library=library, options=ServeOptions(public_room="daily")
    ) as server:
        token = server._admission.issue(Token(role="recorder", room="daily"))
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{server.url}/library/{active.id}/verify",
            method="POST",
            headers={"Authorization": f"Bearer {token}", "Origin": server.url},
        )

        def ask() -> None:
            try:
                urllib.request.urlopen(request, timeout=60)  # noqa: S310 - our own server
            except urllib.error.HTTPError as refused:
                refused.close()
            except (OSError, http.client.HTTPException):
                return

        asking = threading.Thread(target=ask)
        asking.start()
        assert asked.wait(10)
        began = time.monotonic()
        server.stop()
        took = time.monotonic() - began
    asking.join(10)
    never.set()

    assert took < 10
    assert not asking.is_alive()


def test_a_recording_discarded_before_its_end_is_listed_as_failed(
    spool: Spool, audio_bytes: bytes, tmp_path: Path
) -> None:
    """A discarded recording is no longer listed as running."""
    library = Library("daily", tmp_path / "kept", never_verify, lambda _: None)

    _, state = record(library, spool, audio_bytes, until="clean")

    assert "failed" == state
    assert [] == list(tmp_path.glob("kept/*"))


def test_a_recording_without_bytes_is_not_listed(spool: Spool, tmp_path: Path) -> None:
    """Recordings without bytes are not listed, since they could crowd other recordings out of the list."""
    library = Library("daily", tmp_path / "kept", never_verify, lambda _: None)

    assert "gone" == record(library, spool, b"", until="clean")[1]


def test_a_recording_is_listed_even_if_its_download_finished_first(
    audio_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording is published even if the page downloads and deletes it before the server has read the file back."""
    settle, sent = Folder.settle, threading.Event()

    def slowly(*arguments: Any) -> None:
        sent.wait(10)
        settle(*arguments)

    monkeypatch.setattr(Folder, "settle", slowly)
    folder = tmp_path / "kept"
    library = Library("room", folder, never_verify, lambda _: None)

    async def record_and_download(server: RoomServer) -> None:
        async with sockets(server) as web:
            room = await web.open("/signal")
            await room.send_json({"type": "hello", "name": "alice", "media": "camera"})
            token = (await room.receive_json(timeout=10))["spool_token"]
            spool_socket = await web.open("/spool")
            await spool_socket.send_json(AUDIO_HELLO | {"token": token})
            await spool_socket.receive_json(timeout=10)
            await spool_socket.send_json({"type": "recorder", "state": "started", "time": 1000})
            await spool_socket.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await spool_socket.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
            await receive_answer(spool_socket, "finished")
            await spool_socket.send_json({"type": "download"})
            address = (await receive_answer(spool_socket, "address"))["url"]
            for method in ("HEAD", "GET"):
                got = await web.session.request(method, server.url + address)
                await got.read()
            await spool_socket.send_json({"type": "delivery"})
            assert (await receive_answer(spool_socket, "delivery"))["failure"] is None
            await spool_socket.send_json({"type": "clean"})
            sent.set()
            await receive_answer(spool_socket, "cleaned")

    with RoomServer(
        recordings=folder, versions={}, library=library, options=ServeOptions(public_room="room")
    ) as server:
        asyncio.run(record_and_download(server))

        assert ["published"] == [one["state"] for one in library.listed()]
        assert (folder / "heard.webm").is_file()


def test_links_are_not_listed_and_copies_hide_no_recording(spool: Spool, audio_bytes: bytes, tmp_path: Path) -> None:
    """Copied recordings and file names that are not valid UTF-8 are listed, but symbolic links are omitted.

    An unpacked archive can contain copied recordings, invalid file names and symbolic links.
    """
    active = recorded(spool, audio_bytes, recordName="standup")
    active.finish_with_manifest()
    published = active.publish(tmp_path / "kept")
    assert published is not None
    folder = published.path.parent
    secret = tmp_path / "secret"
    secret.write_text("root")
    for name in ("link", "copy", os.fsdecode(b"odd \xff")):
        (folder / f"{name}.manifest.json").write_bytes(published.manifest.read_bytes())
    (folder / "copy.webm").write_bytes(published.path.read_bytes())
    # Transcribers write their result as NAME.json next to NAME.webm.
    (folder / "copy.json").write_bytes(published.manifest.read_bytes())
    (folder / os.fsdecode(b"odd \xff.webm")).write_bytes(published.path.read_bytes())
    (folder / "link.webm").symlink_to(secret)
    library = Library("daily", folder, never_verify, lambda _: None)

    library.read_folder()

    listed = library.listed()
    assert ["copy.webm", "odd \ufffd.webm", "standup.webm"] == sorted(str(one["name"]) for one in listed)
    assert 3 == len({str(one["id"]) for one in listed})


def test_the_reason_for_a_failure_contains_no_folder(spool: Spool, tmp_path: Path) -> None:
    """A recording's failure reason must not contain a path, since all members and viewers of the room can read it."""
    library = Library("daily", spool.root.parent, never_verify, lambda _: None)

    record(library, spool, b"nothing that can be read")

    reason = str(library.listed()[0]["reason"])
    assert "contains no readable media" in reason
    assert str(tmp_path) not in reason
