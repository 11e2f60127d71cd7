"""If a disk error prevents a recording from being finished, it fails with a reason, and its raw bytes are kept."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from harness.errors import DiskFullError, HarnessError, RecordingError
from harness.recording.manifest import Manifest
from harness.recording.spool import publish as publishing
from harness.recording.spool.folder import FOLDER, Folder
from harness.recording.spool.recover import recover
from harness.server.access.limits import ServerLimits
from harness.server.library.library import Library
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from harness.server.spool.spool import Spool
from tests.support.disks import mounted_disk, use_up_inodes
from tests.support.program import running_harness
from tests.support.sockets import AUDIO_HELLO, CHUNK, receive_answer, sockets
from tests.support.spooling import VERSIONS, begin, recorded

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

pytestmark = pytest.mark.parallel

STEPS = {"name": (Folder, "name"), "describe": (Manifest, "write"), "settle": (Folder, "settle")}
ERRORS = [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.EDQUOT, errno.ENOENT]


def refuse(monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> None:
    """Make one step of finishing a recording fail with a disk error."""

    def fail(*_: object, **__: object) -> Never:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*STEPS[step], fail)


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("step", ["name", "describe", "settle"])
def test_a_recording_fails_when_the_disk_refuses_a_step(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """A failed recording no longer counts as running.

    A failed recording always reports the same reason, and can be recovered later.
    """
    spool = Spool(tmp_path, VERSIONS)
    active = recorded(spool, audio_bytes, recordName="standup")
    with monkeypatch.context() as patch:
        refuse(patch, step, number)

        # finish_with_manifest() can succeed before the file is safely on disk.
        with contextlib.suppress(HarnessError):
            active.finish_with_manifest()
        active.wait_until_safe()

    assert "failed" == active.state
    assert 0 == spool.count_unfinished("daily")
    kind = DiskFullError if number in {errno.ENOSPC, errno.EDQUOT} else RecordingError
    for again in (active.finish, active.finish_with_manifest):
        with pytest.raises(kind, match=f"standup.webm can't be finished: {os.strerror(number)}"):
            again()
    assert active.publish(tmp_path) is None
    assert active.folder.raw.is_file()
    spool.close()
    (recovery,) = recover(tmp_path)
    assert recovery.recording is not None
    assert tmp_path / "standup.webm" == recovery.recording.path


@pytest.mark.parametrize("left", range(8))
def test_a_disk_without_inodes_loses_nothing(tmp_path: Path, audio_bytes: bytes, left: int) -> None:
    """If the disk has no free inodes, the recording can be recovered later, whichever of its files can't be created."""
    with mounted_disk(tmp_path / "disk", "size=16M,nr_inodes=60") as folder:
        with RoomServer(recordings=folder, versions={}) as server:
            active = recorded(server._spool, audio_bytes, recordName="standup")
            fillers = use_up_inodes(folder, leave=left)

            published = server.publish(folder)

            assert "recording" != active.state
            assert 0 == server._spool.count_unfinished("daily")
        if not published:
            assert [] == [*folder.glob("*.webm"), *folder.glob("*.json")]
            shutil.rmtree(fillers)
            (recovery,) = recover(folder)
            assert recovery.recording is not None, recovery
        assert (folder / "standup.webm").is_file()
        assert not list((folder / FOLDER).glob("*")) if (folder / FOLDER).exists() else True


@pytest.mark.parametrize("left", range(6))
def test_a_recording_that_cannot_begin_leaves_no_folder(tmp_path: Path, left: int) -> None:
    """If a recording can't begin on a full disk, DiskFullError is raised, and the recording's folder is removed."""
    with mounted_disk(tmp_path / "disk", "size=16M,nr_inodes=60") as folder:
        spool = Spool(folder, VERSIONS)
        spool.root.mkdir()
        use_up_inodes(folder, leave=left)

        with pytest.raises(DiskFullError, match=r"No space left on device|the disk is full"):
            begin(spool)

        assert {} == spool.recordings
        assert [] == list(spool.root.iterdir())


@pytest.mark.parametrize("broken", ["folder", "publish"])
def test_other_recordings_are_published_when_one_cannot_be(
    tmp_path: Path, audio_bytes: bytes, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If one recording can't be published, a warning with its name is logged, and other recordings are published."""
    with RoomServer(recordings=tmp_path / "spool", versions={}) as server:
        recordings = [recorded(server._spool, audio_bytes, recordName=name) for name in ("one", "two", "three")]
        if broken == "folder":
            shutil.rmtree(recordings[1].folder.path)
        else:
            replace = type(tmp_path).replace

            def stuck(path: Path, target: Path) -> Path:
                if target.name == "two.webm":
                    raise OSError(errno.EIO, "Input/output error", str(path))
                return replace(path, target)

            monkeypatch.setattr(type(tmp_path), "replace", stuck)

        published = server.publish(tmp_path / "kept")

    assert {"one.webm", "three.webm"} == {recording.path.name for recording in published}
    assert {"one.webm", "three.webm"} == {path.name for path in (tmp_path / "kept").glob("*.webm")}
    assert any("two.webm" in line for line in caplog.messages)


def test_a_file_that_was_not_read_back_is_not_published(
    spool: Spool, audio_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the finished file can't be read back, the raw bytes are kept, because they are the only reliable copy."""
    active = recorded(spool, audio_bytes)
    refuse(monkeypatch, "settle", errno.EIO)

    published = active.publish(tmp_path / "kept")

    assert published is None
    assert active.folder.raw.is_file()
    assert not (tmp_path / "kept").exists()


def test_a_recording_is_finished_without_statistics_that_cannot_be_written(
    spool: Spool, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the statistics can't be written, an alarm in the manifest reports that they are lost."""
    active = recorded(spool, audio_bytes)
    active.folder.statistics.write_text('{"time": 1, "participant": "bob", "report": []}\n')
    opened = type(active.path).open

    def refused(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name.endswith(".stats.jsonl"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(type(active.path), "open", refused)

    manifest = active.finish_with_manifest()

    assert ("the statistics were lost: No space left on device",) == manifest.alarms


async def record(server: RoomServer, audio_bytes: bytes, *, then: Any) -> dict[str, Any]:
    """Record like a page.

    Return the server's error, the recording's entry in the list of recordings, and the responses to later requests.
    """
    async with sockets(server) as wire:
        inside, welcome = await wire.enter("daily", "alice")
        spool = await wire.open("/spool")
        await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
        await receive_answer(spool, "ready")
        await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
        await receive_answer(spool, "ack")
        then()
        await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
        answers = [json.loads(message.data) async for message in spool]
        listed = [one for one in [await inside.receive_json(timeout=10)] if one]
        while listed[-1].get("recordings", [{}])[0].get("state") != "failed":
            listed.append(await inside.receive_json(timeout=10))
        (item,) = listed[-1]["recordings"]
        headers = {"Authorization": f"Bearer {welcome['spool_token']}"}
        deleted = await wire.session.delete(f"{server.url}/library/{item['id']}", headers=headers)
        again = await wire.open("/spool")
        await again.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
        ready = await again.receive_json(timeout=10)
        for socket in (again, inside):
            await socket.close()
        return {"error": answers[-1], "item": item, "deleted": deleted.status, "next": ready["type"]}


@pytest.mark.parametrize("step", ["name", "describe"])
def test_a_failed_recording_reports_its_reason_and_the_next_one_begins(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The page and the list of recordings show why a recording failed.

    A failed recording can be deleted, and another one can begin.
    """

    def never_verify(_: Path) -> Never:
        raise NotImplementedError

    library = Library("daily", tmp_path, never_verify, lambda _: None)
    limits = ServerLimits(recordings=1)
    with RoomServer(
        recordings=tmp_path, versions={}, library=library, options=ServeOptions(public_room="daily", limits=limits)
    ) as server:
        result = asyncio.run(record(server, audio_bytes, then=lambda: refuse(monkeypatch, step, errno.ENOSPC)))

    assert ("error", "DiskFullError") == (result["error"]["type"], result["error"]["name"])
    for reason in (result["error"]["message"], result["item"]["reason"]):
        assert "heard.webm can't be finished: No space left on device" in reason
        assert str(tmp_path) not in reason
    assert (204, "ready") == (result["deleted"], result["next"])
    # The next recovery can finish the recording.
    monkeypatch.undo()
    assert ["heard.webm"] == [one.recording.path.name for one in recover(tmp_path) if one.recording]


def test_an_interrupted_server_publishes_the_other_recordings(tmp_path: Path, audio_bytes: bytes) -> None:
    """If one recording's folder was removed, a server stopped with Ctrl-C logs one line and publishes the rest."""

    async def begin_two(url: str) -> None:
        async with aiohttp.ClientSession(headers={"Origin": url}) as session:
            inside = await session.ws_connect(f"{url}/signal")
            await inside.send_json({"type": "hello", "name": "alice", "media": "camera"})
            welcome = await inside.receive_json(timeout=10)
            for name in ("one", "two"):
                spool = await session.ws_connect(f"{url}/spool")
                config = {"recordType": "audio", "recordName": name}
                await spool.send_json({**AUDIO_HELLO, "config": config, "token": welcome["spool_token"]})
                await receive_answer(spool, "ready")
                await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
                await receive_answer(spool, "ack")
            for facts in (tmp_path / "recordings" / FOLDER).glob("*/recording.json"):
                if json.loads(facts.read_text())["stem"] == "one":
                    shutil.rmtree(facts.parent)
            program.send_signal(signal.SIGINT)
            await asyncio.to_thread(until_ended)

    complaints = ""

    def until_ended() -> None:
        nonlocal complaints
        complaints += program.communicate(timeout=60)[1]

    with running_harness("serve", "--port", "0", folder=tmp_path) as program:
        assert program.stderr is not None
        complaints = program.stderr.readline()
        asyncio.run(begin_two(complaints.split()[-1]))

        assert 130 == program.returncode, complaints
    assert "Traceback" not in complaints
    assert "one.webm can't be finished" in complaints
    assert (tmp_path / "recordings" / "two.webm").is_file()


def test_a_recording_is_published_even_if_it_cannot_be_marked_as_published(
    spool: Spool, audio_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A published recording stays published even if the file that marks it as published can't be created.

    In the worst case, recovery publishes a second copy of a recording that could not be marked as published.
    """
    active = recorded(spool, audio_bytes)
    active.finish_with_manifest()
    active.wait_until_safe()

    def full(*_: object, **__: object) -> Never:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(type(tmp_path), "touch", full)

    recording = active.publish_copy(tmp_path / "kept")

    assert recording is not None
    assert active.published_as


def test_the_first_error_while_publishing_is_raised(
    spool: Spool, audio_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If publishing fails and then the cleanup also fails, the first error is raised."""
    active = recorded(spool, audio_bytes)
    manifest = active.finish_with_manifest()
    active.wait_until_safe()

    def refused(number: int) -> Never:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(manifest), "write", lambda *_: refused(errno.ENOSPC))
    monkeypatch.setattr(type(tmp_path), "unlink", lambda *_, **__: refused(errno.EROFS))

    with pytest.raises(OSError, match="No space left on device"):
        publishing.publish(manifest, active.path, tmp_path / "kept")

    monkeypatch.undo()
    assert active.path.is_file()
