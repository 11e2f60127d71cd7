"""For every file, ``verify`` returns a report, and it refuses only impossible options."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest

from harness.errors import ConfigError
from harness.recording.config import Target
from harness.recording.conversion.convert import convert
from harness.recording.conversion.task import length
from harness.recording.files.names import statistics_of
from harness.recording.recording import Recording
from harness.verification import verify
from harness.verification.report.filmstrip import filmstrip
from tests.support.media.recording_file import write_media, write_recording
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice", "bob"), seconds=2.0)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Write a clean recording with its manifest next to it."""
    return write_recording(tmp_path_factory.mktemp("verify") / "standup.webm", SCENE)


@pytest.fixture
def recording(original: Recording, tmp_path: Path) -> Recording:
    """Copy the clean recording, so that a test can damage the copy."""
    path = shutil.copy(original.path, tmp_path)
    manifest = shutil.copy(original.manifest, tmp_path)
    return original.model_copy(update={"path": Path(path), "manifest": Path(manifest)})


def test_verify_accepts_a_recording_a_path_or_a_string(recording: Recording) -> None:
    """``verify`` accepts a Recording, a Path or a string, and the path in the report is absolute."""
    reports = [verify(recording), verify(recording.path), verify(str(recording.path))]

    assert reports[0] == reports[1] == reports[2]
    assert reports[0].path.is_absolute()


def test_file_without_manifest_is_checked_by_its_content(tmp_path: Path) -> None:
    """Without a manifest, participants are named after their markers, and checks that need a manifest do not run."""
    write_media(tmp_path / "standup.webm", SCENE)

    report = verify(tmp_path / "standup.webm")

    assert "unverified" == report.result
    assert ["marker 1", "marker 2"] == [one.name for one in report.participants]
    assert not {"hash", "unexpected", "frame-rate"} & {finding.check for finding in report.findings}


def test_audio_only_file_shows_who_is_audible(tmp_path: Path) -> None:
    """If a file has no video and no manifest, participants are identified by their audio markers alone."""
    write_media(tmp_path / "standup.webm", Scene(participants=SCENE.participants, seconds=3.0, video=False))

    report = verify(tmp_path / "standup.webm")

    assert "unverified" == report.result
    assert ["marker 1", "marker 2"] == [one.name for one in report.participants]
    assert report.participants[0].video is None


def test_damaged_manifest_is_a_finding(recording: Recording) -> None:
    """A file with a damaged manifest is checked as if it had no manifest, and the report states the reason."""
    recording.manifest.write_text('{"schema": 1}')

    report = verify(recording)

    assert ["hash"] == [finding.check for finding in report.failures]
    assert "is not a valid manifest" in report.failures[0].message
    assert report.participants


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00", '{"schema": 1e999}'])
def test_hostile_manifest_is_a_finding(recording: Recording, text: str) -> None:
    """Invalid content in a manifest is reported as a finding, not raised as an error."""
    recording.manifest.write_text(text)

    assert ["hash"] == [finding.check for finding in verify(recording).failures]


@pytest.mark.parametrize("sample", [float("nan"), float("inf"), 3e38])
def test_audio_with_invalid_samples_has_a_report(tmp_path: Path, sample: float) -> None:
    """All numbers in a report are finite, even if the file's audio samples are infinite or not a number."""
    path = tmp_path / "standup.wav"
    with av.open(str(path), "w") as media:
        stream = media.add_stream("pcm_f32le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 48_000), sample, np.float32), format="flt", layout="mono")
        frame.sample_rate = 48_000
        media.mux(stream.encode(frame))
        media.mux(stream.encode(None))

    report = verify(path)

    assert report.media is not None
    assert json.dumps(report.as_json(), allow_nan=False)
    assert report.write_html(tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"frame_rate": 30', f'"frame_rate": {"9" * 400}'),
        ('"x": 0', f'"x": {10**30}'),
        ('"width": 320', f'"width": {"9" * 400}'),
        ('"duration": 2.0', '"duration": Infinity'),
    ],
    ids=range(4),
)
def test_manifest_with_impossible_numbers_is_a_finding(recording: Recording, old: str, new: str) -> None:
    """A manifest with impossible numbers is reported as a finding, and the numbers are not used."""
    text = json.dumps(json.loads(recording.manifest.read_text()))
    assert old in text
    recording.manifest.write_text(text.replace(old, new))

    report = verify(recording)

    assert ["hash"] == [finding.check for finding in report.failures]
    assert json.dumps(report.as_json(), allow_nan=False)


def test_changed_byte_is_found(recording: Recording) -> None:
    """If a byte of a recording changes, the recording's hash no longer matches the manifest."""
    data = bytearray(recording.path.read_bytes())
    data[-1] ^= 1
    recording.path.write_bytes(data)

    assert "hash" in {finding.check for finding in verify(recording).failures}


def test_truncated_recording_is_found(recording: Recording) -> None:
    """If a recording is truncated, the checks ``container``, ``duration`` and ``hash`` fail."""
    data = recording.path.read_bytes()
    recording.path.write_bytes(data[: len(data) // 2])

    assert {"container", "duration", "hash"} == {finding.check for finding in verify(recording).failures}


def test_expected_duration_is_checked(recording: Recording) -> None:
    """A two-second recording passes if the expected duration is two seconds, and fails if it is three."""
    assert verify(recording, duration=2.0).ok
    assert ["duration"] == [finding.check for finding in verify(recording, duration=3.0).failures]


@pytest.mark.parametrize("duration", [-1.0, float("nan"), float("inf")])
def test_impossible_duration_is_refused(recording: Recording, duration: float) -> None:
    """The error for an impossible duration contains the name of the option and the value."""
    with pytest.raises(ConfigError, match=r"duration: .* is not valid"):
        verify(recording, duration=duration)


@pytest.mark.parametrize("name", ["nothing.webm", "."])
def test_path_that_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    """If the path is not a file, the error asks for the path of a recording."""
    with pytest.raises(ConfigError, match=r"give the path of a recording\.$"):
        verify(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"# Readme\n" * 50, bytes(4000)])
def test_file_that_is_not_media_has_a_failed_report(tmp_path: Path, data: bytes) -> None:
    """If a file is not a media file, the report's only finding is about the container."""
    path = tmp_path / "README.webm"
    path.write_bytes(data)

    report = verify(path)

    assert not report.ok
    assert report.as_json()["media"] is None
    assert [("container", "failed")] == [(finding.check, finding.result) for finding in report.findings]


def test_damage_anywhere_never_crashes_verify(recording: Recording) -> None:
    """If bytes at any position were changed, the report fails, but ``verify`` never raises an error."""
    data = recording.path.read_bytes()
    for start in range(60):
        damaged = bytearray(data)
        for at in range(start * 7, len(damaged), 1009 + 400 * start):
            damaged[at] ^= 0x5A
        recording.path.write_bytes(damaged)

        assert not verify(recording).ok


LISTS = {
    "concat": "ffconcat version 1.0\nfile private.webm\n",
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nprivate.webm\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_list_of_other_files_is_not_opened(recording: Recording, text: str) -> None:
    """If a file refers to other files, the other files are not verified, shown or copied."""
    private = recording.path.rename(recording.path.with_name("private.webm"))
    gift = private.with_name("gift.webm")
    gift.write_text(text)

    report = verify(gift)

    assert report.media is None
    assert "is not a readable media file" in report.findings[0].message
    assert [] == filmstrip(gift, 3.0)
    for target in get_args(Target):
        with pytest.raises(ConfigError, match="can't be converted"):
            convert(gift, target)
    assert length(gift) is None
    assert {private, gift, recording.manifest} == set(private.parent.iterdir())


def test_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """If a file name is too long, every command that accepts a path prints a one-line error."""
    long = "a" * 300

    for command in (("verify", f"{long}.webm"), ("convert", f"{long}.webm"), ("verify", "x", "--expect", long)):
        ran = run_harness(*command, folder=tmp_path)

        assert 2 == ran.returncode
        assert "can't be read: File name too long." in ran.stderr
        assert 1 == ran.stderr.count("\n")


def test_endless_statistics_do_not_block_verify(recording: Recording) -> None:
    """If the statistics file is a pipe, ``verify`` does not wait for data from the pipe."""
    os.mkfifo(statistics_of(recording.path))

    assert verify(recording).ok


def test_unknown_option_is_a_type_error(original: Recording) -> None:
    """An unknown option of ``verify`` raises Python's usual TypeError, which contains the option's name."""
    options: dict[str, Any] = {"duraton": 3}

    with pytest.raises(TypeError, match=r"verify\(\) got an unexpected keyword argument 'duraton'"):
        verify(original, **options)
