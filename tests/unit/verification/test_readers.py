"""``verify`` reads files in a separate process.

Even hostile files are reported within a time limit, and no process is left behind.
"""

import json
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from harness.errors import ConfigError
from harness.recording.files.disk import stored_bytes
from harness.recording.isolation import child
from harness.recording.manifest import Manifest
from harness.verification import Limits, verify
from harness.verification.analysis import analyze
from harness.verification.isolation import readers, wire
from harness.verification.request import VerifyRequest
from tests.support.media.recording_file import write_media, write_recording
from tests.support.media.scene import Scene, participants
from tests.support.processes import still_running
from tests.support.program import wait_until

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice"), seconds=1.0)
# The curve "level" in this report has one time but no value.
UNEVEN: dict[str, Any] = {
    "media": None,
    "participants": [],
    "findings": [],
    "curves": {
        "manifest": None,
        "limits": {},
        "duration": 1.0,
        "rate": 30.0,
        "level": {"times": "AAAAAAAAAAA=", "values": ""},
        "gaps": {"times": "", "values": ""},
    },
}
# This program acts like a compromised decoder: it reads the request and responds with arbitrary bytes.
COMPROMISED = """
import socket, sys
from harness.verification.isolation import wire
line = socket.socket(fileno=int(sys.argv[1]))
wire.send(line, wire.encode_ready())
line.recv(1_000_000)
line.sendall({sent!r})
line.recv(1)
"""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """End all idle reader processes before and after each test."""
    readers._POOL.end()
    yield
    readers._POOL.end()


def reader_processes() -> list[psutil.Process]:
    """Return the running reader processes that this process has started."""
    return [one for one in psutil.Process().children() if "isolation.worker" in " ".join(one.cmdline())]


def test_one_reader_answers_successive_requests(tmp_path: Path) -> None:
    """A second request is handled by the same reader process as the first, and gives the same report."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)

    reports = [verify(recording)]
    (first,) = reader_processes()
    reports.append(verify(recording))

    assert reports[0] == reports[1]
    assert reports[0].ok
    assert [first] == reader_processes()


def test_simultaneous_requests_use_different_readers(tmp_path: Path) -> None:
    """If several threads verify files at the same time, each receives the report on its own file."""
    recordings = [write_recording(tmp_path / f"{number}.webm", SCENE) for number in range(3)]
    reports = {}

    def run(number: int) -> None:
        reports[number] = verify(recordings[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [recording.path for recording in recordings] == [reports[number].path for number in range(3)]


def bomb(path: Path, *, side: int, frames: int) -> None:
    """Write a small file that contains the same huge frame many times."""
    with av.open(str(path), "w", format="webm") as media:
        stream = media.add_stream("libvpx", rate=30)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "16"}
        frame = av.VideoFrame.from_ndarray(np.full((side * 3 // 2, side), 128, np.uint8), format="yuv420p")
        frame.pts = 0
        (packet,) = [*stream.encode(frame), *stream.encode(None)]
        data = bytes(packet)
        for number in range(frames):
            again = av.Packet(data)
            again.stream = stream
            # The frames are one millisecond apart.
            again.pts = again.dts = number
            again.time_base = Fraction(1, 1000)
            again.is_keyframe = True
            media.mux(again)


def test_file_that_takes_too_long_is_reported_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If decoding a one-second file takes ten seconds, the reader process is killed and the report fails."""
    monkeypatch.setattr(readers, "_AT_LEAST", 1.0)
    bomb(tmp_path / "bomb.webm", side=4096, frames=1_000)

    report = verify(tmp_path / "bomb.webm")

    assert not report.ok
    assert report.media is None
    (finding,) = report.findings
    assert finding.message.startswith("bomb.webm could not be read within ")
    assert [] == reader_processes()


def test_file_that_needs_too_much_memory_is_reported(tmp_path: Path) -> None:
    """A file that needs too much memory is reported.

    In a video of 16383 by 16383 pixels, each copy of a frame takes up 400 MB.
    """
    write_media(tmp_path / "huge.webm", SCENE)
    data = (tmp_path / "huge.webm").read_bytes()
    small, huge = ((size).to_bytes(2, "little") for size in (SCENE.width, 16383))
    key = b"\x9d\x01\x2a"
    assert key + small in data
    height = SCENE.height.to_bytes(2, "little")
    (tmp_path / "huge.webm").write_bytes(data.replace(key + small + height, key + huge + huge))

    report = verify(tmp_path / "huge.webm")

    assert not report.ok
    for process in reader_processes():
        assert process.memory_info().rss < 1.5e9


def test_crashed_reader_is_reported_and_the_next_file_is_read(tmp_path: Path) -> None:
    """If the decoder crashes, the file's report contains a finding, and the program can verify the next file."""
    long = write_recording(tmp_path / "long.webm", Scene(participants=participants("alice"), seconds=20.0))
    short = write_recording(tmp_path / "short.webm", SCENE)
    verify(short)
    (reader,) = reader_processes()
    killer = threading.Timer(0.1, reader.kill)
    killer.start()

    report = verify(long)

    assert not report.ok
    assert "long.webm crashes the decoder." == report.findings[0].message
    assert verify(short).ok


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="only Linux reports the limits of another process")
def test_reader_is_confined(tmp_path: Path) -> None:
    """The reader process has limits on memory, open files and file writes, and can't raise these limits."""
    verify(write_recording(tmp_path / "standup.webm", SCENE))
    (reader,) = reader_processes()

    limits = {name: reader.rlimit(getattr(psutil, f"RLIMIT_{name}")) for name in ("DATA", "NOFILE", "FSIZE", "CORE")}

    memory, _ = limits["DATA"]
    # The limit is 1.5 GB more than the memory in use before the first file.
    assert 1.5e9 <= memory < 2e9
    assert {"DATA": (memory, memory), "NOFILE": (64, 64), "FSIZE": (0, 0), "CORE": (0, 0)} == limits


class CreateFolder:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self._path),))


def message(data: bytes, *, more: int = 0) -> bytes:
    """Return a message whose header announces ``more`` bytes in addition to the actual data."""
    return struct.pack("!I", len(data) + more) + data


def compromise_reader(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Replace every new reader process with a program that sends the given bytes."""
    monkeypatch.setattr(
        readers, "_PROGRAM", f"# harness.verification.isolation.worker\n{COMPROMISED.format(sent=sent)}"
    )


def test_message_of_a_reader_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the decoder is compromised, it can't make the parent process run any code."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    compromise_reader(monkeypatch, message(pickle.dumps(CreateFolder(tmp_path / "harm"))))

    report = verify(recording)

    assert not (tmp_path / "harm").exists()
    assert "standup.webm crashes the decoder." == report.findings[0].message
    assert [] == reader_processes()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(message(b""), id="nothing"),
        pytest.param(message(b"\xff\xfe"), id="not text"),
        pytest.param(message(b"[" * 100_000), id="deep"),
        pytest.param(message(b"9" * 100_000), id="a long number"),
        pytest.param(message(b"[]"), id="not an object"),
        pytest.param(message(b'{"progress": NaN}'), id="not a time"),
        pytest.param(message(b'{"progress": 1e999}'), id="infinite time"),
        pytest.param(message(b'{"error": 1e30}'), id="not an error number"),
        pytest.param(message(b'{"report": {"path": "/etc/passwd"}}'), id="incomplete report"),
        pytest.param(
            message(json.dumps({"report": UNEVEN}).encode()),
            id="uneven curves",
        ),
        pytest.param(message(b"", more=wire.LARGEST_MESSAGE + 1), id="too much"),
        pytest.param(struct.pack("!i", -1) + struct.pack("!Q", 1 << 62), id="far too much"),
    ],
)
def test_invalid_message_of_a_reader_is_reported_as_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """If a reader process sends an invalid message, the file's report fails, and a new reader reads the next file."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    with monkeypatch.context() as hostile:
        compromise_reader(hostile, sent)
        report = verify(recording)

    assert not report.ok
    assert "standup.webm crashes the decoder." == report.findings[0].message
    assert [] == reader_processes()
    assert verify(recording).ok


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\0", id="incomplete length"),
        pytest.param(message(b"{", more=10), id="incomplete message"),
        pytest.param(message(b'{"progress": 0.5}'), id="only progress"),
    ],
)
def test_reader_that_stops_in_the_middle_of_a_message_is_reported_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Once a reader has sent the first part of a message, the rest must arrive within a time limit."""
    monkeypatch.setattr(child, "_STALLED", 1.0)
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    compromise_reader(monkeypatch, sent)

    report = verify(recording)

    assert report.findings[0].message.startswith("standup.webm could not be read within ")
    assert [] == reader_processes()


@pytest.mark.parametrize("name", ["standup.webm", os.fsdecode(b"standup \xff.webm")])
def test_report_arrives_complete(tmp_path: Path, name: str) -> None:
    """The parent process receives the whole report, including warnings and the measured curves that JSON omits.

    File names do not have to be valid UTF-8.
    """
    recording = write_recording(
        tmp_path / "standup.webm",
        Scene(participants=participants("alice", "张三"), seconds=2.0, dropped=frozenset({20})),
    )
    path = recording.path.rename(tmp_path / name)
    manifest = Manifest.read(recording.manifest).model_copy(update={"ticks_missed": 1})
    recording.manifest.unlink()
    manifest.write(recording.manifest)
    limits = Limits(frozen=0.5)
    request = VerifyRequest(
        path=path, manifest_path=recording.manifest, duration=None, limits=limits, expect=(), profile="custom"
    )

    here = analyze(request, lambda _: None)
    report = verify(path, manifest=recording.manifest, limits=limits)

    assert here == report
    assert report.warnings
    assert here.findings == report.findings
    ours, theirs = here.curves, report.curves
    assert ours is not None
    assert theirs is not None
    assert (ours.manifest, ours.limits, ours.duration, ours.rate) == (
        *(theirs.manifest, theirs.limits, theirs.duration, theirs.rate),
    )
    for ours_of, theirs_of in (({"": ours.level}, {"": theirs.level}), (ours.offsets, theirs.offsets)):
        assert ours_of.keys() == theirs_of.keys()
        for participant, curve in ours_of.items():
            assert curve.times == theirs_of[participant].times
            assert curve.values == theirs_of[participant].values


def test_file_that_cannot_be_opened_is_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a file can't be opened, the operating system's message is reported."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    monkeypatch.setattr(import_module("harness.verification.verify"), "check_file", lambda _: None)
    recording.path.unlink()
    recording.path.mkdir()

    with pytest.raises(ConfigError, match=r"standup\.webm can't be read: "):
        verify(recording)


@pytest.mark.parametrize("end", ["pass", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_no_reader_outlives_its_parent(tmp_path: Path, end: str) -> None:
    """A reader process ends when its parent exits normally, and also when the parent is killed."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    program = f"""
import psutil
from harness import verify
verify({str(recording.path)!r})
print(*(one.pid for one in psutil.Process().children()), flush=True)
{end}
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ}
    )

    left = [psutil.Process(int(pid)) for pid in ended.stdout.split() if psutil.pid_exists(int(pid))]
    assert ended.stdout.split()
    _, alive = psutil.wait_procs(left, timeout=5)
    assert [] == alive


CALLER = """
import sys
from harness.verification.isolation import readers
from harness.verification import verify
readers._PROGRAM = {program!r}
verify({path!r})
"""


def test_reader_ends_with_its_parent_while_reading(tmp_path: Path) -> None:
    """If the parent process ends, its reader also ends, even if the decoder never returns."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    busy = (
        "import signal; from harness.verification.isolation import worker; worker.analyze = lambda *_: signal.pause()"
    )
    program = [sys.executable, "-c", CALLER.format(program=f"{busy}; worker.main()", path=str(recording.path))]
    with subprocess.Popen(program, text=True) as caller:
        wait_until(lambda: psutil.Process(caller.pid).children(), caller)
        family = psutil.Process(caller.pid).children()

        caller.kill()

    assert [] == still_running(family, within=10)


def test_error_in_the_harness_is_not_reported_as_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the harness is reported as a finding that names the exception.

    After a bug in the harness has been reported, the same reader process handles the next request.
    """
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    fault = "from harness.verification.isolation import worker; worker.analyze = lambda *_: dict()['no such key']"
    monkeypatch.setattr(readers, "_PROGRAM", f"{fault}; worker.main()")

    (finding,) = verify(recording).findings
    (reader,) = readers._POOL._idle
    verify(recording)

    assert "standup.webm could not be verified because of an error in the harness (KeyError)." == finding.message
    assert [reader] == readers._POOL._idle


def test_time_for_a_sparse_file_depends_on_its_stored_bytes(tmp_path: Path) -> None:
    """The time limit for a sparse file does not depend on its nominal size, which can be huge."""
    path = write_recording(tmp_path / "standup.webm", SCENE).path
    size = path.stat().st_size
    assert size == stored_bytes(path)

    os.truncate(path, 10**13)

    assert size == pytest.approx(stored_bytes(path), abs=8192)
