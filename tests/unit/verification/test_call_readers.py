"""The files of a call are read by one confined process, one after another, and a hostile file is named."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest

from harness.verification import Limits, verify_together
from harness.verification.isolation import readers, wire
from harness.verification.request import VerifyRequest
from harness.verification.sources import Source
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness
from tests.support.segments.calls import part_of
from tests.support.segments.playlists import write_hls

pytestmark = pytest.mark.parallel

CALL: Final = Scene(participants=participants("alice"), seconds=10.0, width=256, height=144)
PROGRAM: Final = """
import sys
from harness.verification import verify_together

report = verify_together(sys.argv[2:])
report.write_html(sys.argv[1])
print(report.result, *(name for name in ("av", "numpy") if name in sys.modules))
"""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """End all idle reader processes before and after each test."""
    readers._POOL.end()
    yield
    readers._POOL.end()


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Write two parts of a call that follow each other."""
    paths = [tmp_path / "call-1.webm", tmp_path / "call-2.webm"]
    for path, start in zip(paths, (0, 2), strict=True):
        write_media(path, part_of(CALL, start, 2))
    return paths


def test_caller_imports_neither_pyav_nor_numpy(parts: list[Path], tmp_path: Path) -> None:
    """The process that calls ``verify_together`` decodes nothing."""
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "report.html", *parts],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (0, "unverified\n") == (program.returncode, program.stdout), program.stderr


def test_file_that_takes_too_long_is_named(parts: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """If decoding the second file takes too long, the reader process is killed, and the report names the file."""
    monkeypatch.setattr(readers, "_AT_LEAST", 1.0)
    side, frames = 4096, 600
    with av.open(str(parts[1]), "w", format="webm") as media:
        stream: Any = media.add_stream("libvpx", rate=30)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "16"}
        frame = av.VideoFrame.from_ndarray(np.full((side * 3 // 2, side), 128, np.uint8), format="yuv420p")
        frame.pts = 0
        packets = list(stream.encode(frame)) + list(stream.encode(None))
        data = bytes(packets[0])
        for number in range(frames):
            again = av.Packet(data)
            again.stream = stream
            # The frames are one millisecond apart, so that the file seems to be short.
            again.pts = again.dts = number
            again.time_base = stream.codec_context.time_base / 33
            again.is_keyframe = True
            media.mux(again)

    report = verify_together(parts)

    assert "failed" == report.result
    assert report.media is None
    assert report.failures[0].message.startswith("call-2.webm could not be read within ")


def test_paths_of_the_files_come_from_the_request(tmp_path: Path) -> None:
    """A compromised decoder can't make the report's page refer to other files."""
    request = _request(tmp_path / "a.webm", tmp_path / "b.webm")
    entry = {"start": 0.0, "end": 1.0, "aligned_by": "markers", "media": None}
    files = [{"name": "passwd", "path": "/etc/passwd", **entry}] * 2
    content = {"media": None, "participants": [], "findings": [], "files": files, "curves": None}

    report = wire.ChildMessage.decode(json.dumps({"report": content}).encode()).result(request)

    assert not isinstance(report, OSError | None)
    assert [(tmp_path / name, name) for name in ("a.webm", "b.webm")] == [(one.path, one.name) for one in report.files]


@pytest.mark.parametrize("count", [1, 3])
def test_report_on_another_number_of_files_counts_as_a_crash(tmp_path: Path, count: int) -> None:
    """A compromised decoder can't leave out a file, or invent one."""
    request = _request(tmp_path / "a.webm", tmp_path / "b.webm")
    entry = {"name": "a", "path": "a", "start": 0.0, "end": 1.0, "aligned_by": "markers", "media": None}
    content = {"media": None, "participants": [], "findings": [], "files": [entry] * count, "curves": None}

    with pytest.raises(wire.ProtocolError):
        wire.ChildMessage.decode(json.dumps({"report": content}).encode()).result(request)


def _request(*paths: Path) -> VerifyRequest:
    sources = tuple(Source(path=path, name=path.name) for path in paths)
    return VerifyRequest(path=paths[0], manifest_path=None, duration=None, limits=Limits(), expect=(), sources=sources)


# ---- the command ----------------------------------------------------------------------------------------------------


def test_command_prints_one_report_on_the_call(parts: list[Path], tmp_path: Path) -> None:
    """With --together, there is one report for all files, and it can be written as a page."""
    ran = run_harness(
        "verify", "--together", "--json", "--html", "report.html", *(one.name for one in parts), folder=tmp_path
    )

    assert 4 == ran.returncode, ran.stderr
    (report,) = json.loads(ran.stdout)["reports"]
    assert ["call-1.webm", "call-2.webm"] == [one["name"] for one in report["files"]]
    assert "call-1.webm and 1 other file" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_command_without_together_prints_a_report_on_each_file(parts: list[Path], tmp_path: Path) -> None:
    """Without --together, each file has its own report."""
    ran = run_harness("verify", "--json", *(one.name for one in parts), folder=tmp_path)

    reports = json.loads(ran.stdout)["reports"]
    assert [[], []] == [one["files"] for one in reports]


def test_command_verifies_a_playlist(tmp_path: Path) -> None:
    """The segments of a playlist are verified, and the page says that it can't play them."""
    write_hls(tmp_path, part_of(CALL, 0, 2))

    ran = run_harness("verify", "--together", "call.m3u8", "--html", "report.html", folder=tmp_path)

    assert 4 == ran.returncode, ran.stderr
    assert "call.m3u8: 0.00 to 2." in ran.stdout
    assert "This page can't play the segments of a playlist." in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--together", "--track", "1", "a.webm"), "--track can't be used with --together"),
        (("--html", "report.html", "a.webm", "b.webm"), "or --together if they belong to one call"),
        (("--together", "missing.webm"), "missing.webm does not exist"),
        (("--together", "."), "contains neither a playlist nor media files"),
    ],
)
def test_command_refuses_impossible_options_with_one_line(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Wrong usage ends with exit code 2 and a line that states what to do."""
    ran = run_harness("verify", *arguments, folder=tmp_path)

    assert 2 == ran.returncode
    assert 1 == len(ran.stderr.strip().split("\n"))
    assert message in " ".join(ran.stderr.split())
