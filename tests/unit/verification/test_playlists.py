"""HLS and DASH segments are verified as one call: the playlist states their order, and a missing segment is a gap."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from harness.errors import ConfigError
from harness.verification import Report, verify, verify_together
from harness.verification.playlists.inputs import call_sources
from harness.verification.probe.segments import SegmentStream
from harness.verification.sources import Piece
from harness.verification.values.findings import Finding
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants, with_participant
from tests.support.segments.calls import part_of
from tests.support.segments.playlists import write_dash, write_hls, write_hls_renditions

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("in_process")]

SCENE: Final = Scene(participants=participants("alice"), seconds=4.0, width=256, height=144)
CLOSE: Final = 0.07

WRITERS: Final[dict[str, Callable[[Path], Path]]] = {
    "hls-ts": lambda folder: write_hls(folder, SCENE),
    "hls-mp4": lambda folder: write_hls(folder, SCENE, fmp4=True),
    "hls-one-file": lambda folder: write_hls(folder, SCENE, hls_flags="single_file"),
    "hls-renditions-ts": lambda folder: write_hls_renditions(folder, SCENE),
    "hls-renditions-mp4": lambda folder: write_hls_renditions(folder, SCENE, fmp4=True),
    "dash-timeline": lambda folder: write_dash(folder, SCENE),
    "dash-duration": lambda folder: write_dash(folder, SCENE, use_timeline="0"),
    "dash-list": lambda folder: write_dash(folder, SCENE, use_template="0"),
    "dash-one-file": lambda folder: write_dash(folder, SCENE, single_file="1"),
}
# The playlists with separate renditions for video and audio.
SEPARATE: Final = ("hls-renditions-ts", "hls-renditions-mp4", *(name for name in WRITERS if name.startswith("dash")))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the scene in each of the formats, and return the playlists."""
    found = {}
    for name, write in WRITERS.items():
        folder = tmp_path_factory.mktemp(name)
        found[name] = write(folder)
    return found


@pytest.fixture
def copied(originals: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies a playlist with its segments, so that a test can change them."""

    def copy(name: str) -> Path:
        shutil.copytree(originals[name].parent, tmp_path / name)
        return tmp_path / name / originals[name].name

    return copy


def findings(report: Report, check: str, result: str) -> list[Finding]:
    """Return the findings of a check with a result."""
    return [one for one in report.findings if (one.check, one.result) == (check, result)]


@pytest.mark.parametrize("name", WRITERS)
def test_segments_are_one_call(originals: dict[str, Path], name: str) -> None:
    """Of a complete playlist, only the missing manifest is unverified."""
    report = verify_together([originals[name]])

    assert () == report.failures
    assert () == report.warnings
    assert ["presence"] == [one.check for one in report.unverified]
    assert (2 if name in SEPARATE else 1) == len(report.files)
    assert report.media is not None
    assert 4.0 == pytest.approx(report.media.duration, abs=CLOSE)
    (alice,) = report.participants
    assert alice.is_visible(0.05, 3.95)
    assert alice.is_audible(0.05, 3.95)
    assert alice.av_offset_ms is not None
    assert abs(alice.av_offset_ms.median) < 5


@pytest.mark.parametrize("name", ["hls-renditions-ts", "hls-renditions-mp4", "dash-timeline"])
def test_offset_between_renditions_is_measured(tmp_path: Path, name: str) -> None:
    """The renditions of a playlist share a clock, so late audio in a separate rendition is found."""
    late = with_participant(SCENE, "alice", audio_delay=0.3)
    path = (
        write_dash(tmp_path, late)
        if name.startswith("dash")
        else write_hls_renditions(tmp_path, late, fmp4=name.endswith("mp4"))
    )

    report = verify_together([path])

    (offset,) = findings(report, "av-offset", "failed")
    assert isinstance(offset.got, float)
    assert 300 == pytest.approx(offset.got, abs=10)


MISSING: Final = {
    "hls-ts": ("call1.ts", "call.m3u8"),
    "hls-mp4": ("call1.m4s", "call.m3u8"),
    "hls-renditions-ts": ("stream_01.ts", "master.m3u8 (video)"),
    "dash-timeline": ("chunk-stream0-00002.m4s", "call.mpd (video)"),
    "dash-duration": ("chunk-stream0-00002.m4s", "call.mpd (video)"),
    "dash-list": ("chunk-stream0-00002.m4s", "call.mpd (video)"),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_segment_is_reported_with_its_time(copied: Callable[[str], Path], name: str) -> None:
    """The second segment of the video does not exist, and the participant is not visible in this second."""
    playlist = copied(name)
    segment, file = MISSING[name]
    (playlist.parent / segment).unlink()

    report = verify_together([playlist])

    lost = [one for one in findings(report, "gap", "failed") if segment in one.message]
    assert [file] == [one.file for one in lost]
    assert lost[0].at == pytest.approx((1.0, 2.0), abs=CLOSE)
    assert [1] == [one.lost_segments for one in report.files if one.lost_segments]
    (alice,) = report.participants
    assert alice.is_visible(0.1, 0.9)
    assert not alice.is_visible(1.2, 1.8)
    assert alice.is_visible(2.2, 3.9)


def test_missing_first_segment_does_not_shift_the_others(copied: Callable[[str], Path]) -> None:
    """If the first segment of the video is missing, the audio is still in sync with the video."""
    playlist = copied("dash-timeline")
    (playlist.parent / "chunk-stream0-00001.m4s").unlink()

    report = verify_together([playlist])

    assert any(one.at == pytest.approx((0.0, 1.0), abs=CLOSE) for one in findings(report, "gap", "failed") if one.at)
    (alice,) = report.participants
    assert alice.av_offset_ms is not None
    assert abs(alice.av_offset_ms.median) < 5
    assert alice.is_visible(1.1, 3.9)
    assert not alice.is_visible(0.1, 0.9)


def test_empty_segment_is_found(copied: Callable[[str], Path]) -> None:
    """A segment without content leaves a gap in the video."""
    playlist = copied("hls-ts")
    (playlist.parent / "call2.ts").write_bytes(b"")

    report = verify_together([playlist])

    assert findings(report, "gap", "failed")


def test_truncated_segment_is_found(copied: Callable[[str], Path]) -> None:
    """A segment whose end is missing makes the result failed."""
    playlist = copied("hls-mp4")
    segment = playlist.parent / "call2.m4s"
    segment.write_bytes(segment.read_bytes()[:-500])

    report = verify_together([playlist])

    assert findings(report, "container", "failed")


@pytest.mark.parametrize("lost", [0.0, 3.0])
def test_discontinuity_hides_no_gap(tmp_path: Path, lost: float) -> None:
    """Timestamps start again at a discontinuity, but the capture times show whether a part of the call is missing."""
    lines = []
    for number, start in enumerate((0.0, 3.0 + lost)):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        playlist = write_hls(folder, part_of(SCENE, start, 3.0)).read_text()
        lines += ["#EXT-X-DISCONTINUITY"] if number else []
        lines += [
            re.sub(r"^call", f"run{number}/call", line)
            for line in playlist.split("\n")
            if "EXTINF" in line or ".ts" in line
        ]
    (tmp_path / "call.m3u8").write_text("\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST", ""]))

    report = verify_together([tmp_path / "call.m3u8"])

    assert ["call.m3u8 (part 1)", "call.m3u8 (part 2)"] == [one.name for one in report.files]
    gaps = findings(report, "gap", "failed")
    if lost:
        assert gaps[0].at == pytest.approx((3.0, 6.0), abs=0.1)
    else:
        assert [] == gaps
        assert report.participants[0].is_visible(0.1, 5.9)


def test_periods_of_a_dash_manifest_follow_each_other(tmp_path: Path) -> None:
    """Each period has its own segments, and starts when the manifest says so."""
    periods = []
    for number, start in enumerate((0.0, 3.0)):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        text = write_dash(folder, part_of(SCENE, start, 3.0)).read_text()
        period = text[text.index("<Period") : text.index("</MPD>")]
        period = re.sub(r"<Period[^>]*>", f'<Period start="PT{start}S" duration="PT3S">', period)
        periods.append(re.sub(r'(initialization|media)="', rf'\1="run{number}/', period))
    (tmp_path / "call.mpd").write_text(f'<MPD type="static">{"".join(periods)}</MPD>')

    report = verify_together([tmp_path / "call.mpd"])

    assert () == report.failures
    assert [0.0, 3.0, 0.0, 3.0] == [round(one.start or 0.0, 1) for one in report.files]
    (alice,) = report.participants
    assert alice.is_visible(0.1, 5.9)
    assert alice.is_audible(0.1, 5.9)


def test_best_variant_is_examined_and_the_others_are_named(copied: Callable[[str], Path]) -> None:
    """Of several variants, the one with the highest bandwidth is examined."""
    playlist = copied("hls-ts")
    folder = playlist.parent
    (folder / "master.m3u8").write_text(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100\nmissing.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900\ncall.m3u8\n"
    )

    report = verify_together([folder / "master.m3u8"])

    (warning,) = report.warnings
    assert (
        "Only the variant with the highest bandwidth (900 bit/s) was examined, and another one was not."
        in warning.message
    )


def test_other_audio_renditions_are_unverified(copied: Callable[[str], Path]) -> None:
    """The default audio is examined; another audio rendition has other content, so it makes the result unverified."""
    playlist = copied("hls-renditions-ts")
    text = playlist.read_text()
    tag = next(line for line in text.split("\n") if line.startswith("#EXT-X-MEDIA:"))
    other = tag.replace("DEFAULT=YES", "DEFAULT=NO").replace("audio_1", "audio_2").replace("stream_1", "missing")
    playlist.write_text(text.replace(tag, f"{other}\n{tag}"))

    report = verify_together([playlist])

    assert any(
        "Only the default audio rendition was examined, and another one was not." in one.message
        for one in report.unverified
    )


def test_playlist_without_an_end_may_be_incomplete(copied: Callable[[str], Path]) -> None:
    """A playlist of a killed recorder has no end; if it lists only the newest segments, the rest is unverified."""
    playlist = copied("hls-ts")
    text = playlist.read_text().replace("#EXT-X-ENDLIST", "").replace("MEDIA-SEQUENCE:0", "MEDIA-SEQUENCE:7")
    playlist.write_text(text)

    report = verify_together([playlist])

    assert ["complete"] == [one.check for one in report.warnings]
    assert any("begins with segment number 7" in one.message for one in report.unverified)


def test_folder_with_a_playlist_stands_for_the_playlist(originals: dict[str, Path]) -> None:
    """A folder can be given instead of the playlist in it; of several HLS playlists, the master playlist is used."""
    for name in ("hls-ts", "hls-renditions-ts", "dash-timeline"):
        folder = originals[name].parent
        names = {source.name for source in call_sources([folder])[0]}
        assert all(one.startswith(f"{folder.name}/{originals[name].name}") for one in names)


@pytest.mark.parametrize("name", ["hls-ts", "hls-mp4", "dash-timeline"])
def test_segments_without_a_playlist_are_combined_by_their_names(copied: Callable[[str], Path], name: str) -> None:
    """The segments in a folder are combined with their initialization segment, but the end may be missing."""
    playlist = copied(name)
    for one in (*playlist.parent.glob("*.m3u8"), *playlist.parent.glob("*.mpd")):
        one.unlink()

    report = verify_together([playlist.parent])

    assert () == report.failures
    assert any("combined by their names" in one.message for one in report.unverified)
    (alice,) = report.participants
    assert alice.is_visible(0.1, 3.9)
    assert alice.is_audible(0.1, 3.9)


def test_segments_that_could_belong_to_several_renditions_are_refused(copied: Callable[[str], Path]) -> None:
    """If the names do not show which initialization segment belongs to which segments, the playlist is needed."""
    playlist = copied("hls-renditions-mp4")
    for one in playlist.parent.glob("*.m3u8"):
        one.unlink()

    with pytest.raises(ConfigError, match="it is unclear which initialization segment belongs to them"):
        verify_together([playlist.parent])


def test_missing_number_in_a_folder_of_segments_is_found(copied: Callable[[str], Path]) -> None:
    """Without a playlist, the numbers in the names show that a segment is missing."""
    playlist = copied("hls-ts")
    playlist.unlink()
    (playlist.parent / "call1.ts").unlink()

    report = verify_together([playlist.parent])

    assert any("with these numbers do not exist: 1." in one.message for one in findings(report, "gap", "failed"))


def test_folder_of_recordings_is_one_call(tmp_path: Path) -> None:
    """A folder with media files is the same as the list of these files, in the natural order of their names."""
    for name in ("call-10.webm", "call-2.webm", "call-2.manifest.json", ".hidden.webm", "notes.txt"):
        (tmp_path / name).write_bytes(b"\x1a\x45\xdf\xa3")

    sources, _ = call_sources([tmp_path])

    assert [f"{tmp_path.name}/call-2.webm", f"{tmp_path.name}/call-10.webm"] == [source.name for source in sources]


def test_recording_that_the_playlist_does_not_list_is_unverified(copied: Callable[[str], Path]) -> None:
    """A recording next to a playlist in the same folder is not ignored silently."""
    playlist = copied("hls-mp4")
    (playlist.parent / "alice.webm").write_bytes(b"\x1a\x45\xdf\xa3")

    _, notes = call_sources([playlist.parent])

    assert ["unverified"] == [note.result for _, note in notes]
    assert "another recording that the playlist does not list" in notes[0][1].message


def test_redacted_report_names_no_segments(copied: Callable[[str], Path], tmp_path: Path) -> None:
    """The names of a playlist and of its segments can contain a participant's name."""
    playlist = copied("hls-renditions-mp4")
    (playlist.parent / "stream_01.m4s").unlink()

    report = verify_together([playlist], redact=True)

    page = report.write_html(tmp_path / "report.html").read_text(encoding="utf-8")
    text = f"{report}{report.as_json()}{page}"
    assert ["recording 1.m3u8 (video)", "recording 1.m3u8 (audio)"] == [one.name for one in report.files]
    assert findings(report, "gap", "failed")
    for name in ("stream_", "master", str(tmp_path)):
        assert name not in text


def test_manifest_next_to_a_playlist_describes_the_call(copied: Callable[[str], Path], tmp_path: Path) -> None:
    """If a manifest has the playlist's name, the call is compared with it."""
    recording = write_recording(tmp_path / "call.webm", replace(SCENE, zero_ms=5_100.0))
    playlist = copied("hls-mp4")
    shutil.copy(recording.manifest, playlist.parent / "call.manifest.json")

    report = verify_together([playlist])

    assert () == report.failures
    assert ["alice"] == [one.name for one in report.participants]
    assert findings(report, "presence", "passed")


# ---- without --together ---------------------------------------------------------------------------------------------


def test_playlist_on_its_own_is_refused_with_a_hint(originals: dict[str, Path]) -> None:
    """``verify`` opens no segments, and says how they can be verified."""
    report = verify(originals["hls-ts"])

    assert "failed" == report.result
    assert "use --together" in report.failures[0].message


def test_folder_on_its_own_is_refused_with_a_hint(originals: dict[str, Path]) -> None:
    """``verify`` does not accept folders, and says how their files can be verified."""
    with pytest.raises(ConfigError, match="is a folder; to verify the files in it as one call, use"):
        verify(originals["hls-ts"].parent)


# ---- reading segments -----------------------------------------------------------------------------------------------


@pytest.fixture
def pieces(tmp_path: Path) -> list[Piece]:
    """Write three files, and return pieces of them with the bytes abcdefghi."""
    for number, content in enumerate((b"abc", b"--def--", b"ghi")):
        (tmp_path / str(number)).write_bytes(content)
    return [Piece(tmp_path / "0"), Piece(tmp_path / "1", 2, 3), Piece(tmp_path / "2")]


def test_stream_of_segments_reads_like_one_file(pieces: list[Piece]) -> None:
    """The stream can be read and searched like a file that contains all pieces."""
    with SegmentStream(pieces) as stream:
        assert 9 == stream.size
        assert b"abcde" == stream.read(5)
        assert 5 == stream.tell()
        assert b"fghi" == stream.read()
        assert b"" == stream.read(1)
        assert 2 == stream.seek(2)
        assert b"cdefg" == stream.read(5)
        assert 7 == stream.seek(-2, os.SEEK_END)
        assert b"hi" == stream.read(10)


def test_stream_of_segments_opens_one_file_at_a_time(pieces: list[Piece]) -> None:
    """However many segments there are, only one descriptor is in use."""

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    with SegmentStream(pieces) as stream:
        counts = set()
        while stream.read(1):
            counts.add(open_files())
    assert {before + 1} == counts
    assert before == open_files()


def test_segment_that_was_replaced_by_a_link_is_not_read(pieces: list[Piece], tmp_path: Path) -> None:
    """If a segment is replaced after the playlist was checked, a link is not followed."""
    (tmp_path / "2").unlink()
    (tmp_path / "2").symlink_to("/etc/passwd")

    with SegmentStream(pieces) as stream, pytest.raises(OSError, match="symbolic links"):
        stream.read()


def test_segment_that_was_replaced_by_a_pipe_does_not_block(pieces: list[Piece], tmp_path: Path) -> None:
    """If a segment is replaced by a pipe after the playlist was checked, reading fails instead of waiting."""
    with SegmentStream(pieces) as stream:
        (tmp_path / "2").unlink()
        os.mkfifo(tmp_path / "2")
        with pytest.raises(OSError, match="Invalid argument"):
            stream.read()
