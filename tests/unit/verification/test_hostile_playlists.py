"""A playlist from an unknown source can neither make the harness open other files nor use up its time or memory."""

import os
import re
import time
from pathlib import Path
from typing import Final

import pytest

from harness.errors import ConfigError
from harness.verification import verify_together
from harness.verification.playlists.inputs import call_sources
from tests.support.program import run_harness

pytestmark = pytest.mark.parallel

# A playlist must be refused within this many seconds, even on a busy machine.
QUICKLY: Final = 60.0


def hls(*references: str, before: str = "") -> str:
    """Return a media playlist with segments of one second at these references."""
    entries = "".join(f"#EXTINF:1.0,\n{reference}\n" for reference in references)
    return f"#EXTM3U\n{before}{entries}#EXT-X-ENDLIST\n"


def mpd(segments: str, *, attributes: str = 'mediaPresentationDuration="PT10S"') -> str:
    """Return a DASH manifest with one representation that has these segments."""
    return (
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {attributes}><Period><AdaptationSet contentType="video">'
        f'<Representation id="0" bandwidth="1">{segments}</Representation></AdaptationSet></Period></MPD>'
    )


def timeline(steps: str) -> str:
    """Return a SegmentTemplate with these steps of its timeline."""
    return f'<SegmentTemplate media="a.ts"><SegmentTimeline>{steps}</SegmentTimeline></SegmentTemplate>'


def refusal(path: Path, text: str) -> str:
    """Write a playlist, and return the message with which it is refused."""
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        call_sources([path])
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a segment, next to a file that the playlist must not reach."""
    (tmp_path / "private.ts").write_bytes(b"private")
    (tmp_path / "call").mkdir()
    (tmp_path / "call" / "a.ts").write_bytes(b"G" * 188)
    return tmp_path / "call"


OUTSIDE: Final = (
    "../private.ts",
    "../../etc/passwd",
    "sub/../../private.ts",
    "%2e%2e/private.ts",
    "/etc/passwd",
    "//server/share/a.ts",
    "\\\\server\\share\\a.ts",
    "C:\\a.ts",
    "http://127.0.0.1:9/a.ts",
    "https://example.com/a.ts",
    "file:///etc/passwd",
    "data:text/plain,hello",
    "concat:a.ts|/etc/passwd",
    "crypto:a.ts",
    ".",
    "..",
)


@pytest.mark.parametrize("reference", OUTSIDE)
def test_reference_out_of_the_folder_is_refused(folder: Path, reference: str) -> None:
    """URLs, absolute paths and paths with '..' are refused, in HLS and in DASH."""
    assert "only files below the playlist's folder are opened" in refusal(folder / "call.m3u8", hls(reference))
    template = f'<SegmentTemplate duration="1" media="{reference}"/>'
    assert "only files below the playlist's folder are opened" in refusal(folder / "call.mpd", mpd(template))


@pytest.mark.parametrize(
    "segments",
    [
        '<BaseURL>https://example.com/</BaseURL><SegmentTemplate duration="1" media="a.ts"/>',
        '<BaseURL>/etc/</BaseURL><SegmentTemplate duration="1" media="passwd"/>',
        '<BaseURL>../</BaseURL><SegmentTemplate duration="1" media="private.ts"/>',
        "<BaseURL>../private.ts</BaseURL>",
        '<SegmentTemplate duration="1" media="$RepresentationID$" initialization="/etc/passwd"/>',
        '<SegmentList duration="1"><SegmentURL media="file:///etc/passwd"/></SegmentList>',
        '<SegmentList duration="1"><Initialization sourceURL="../private.ts"/><SegmentURL media="a.ts"/></SegmentList>',
    ],
)
def test_other_references_in_a_dash_manifest_are_refused(folder: Path, segments: str) -> None:
    """Base URLs and initialization segments are checked like segments."""
    assert "only files below the playlist's folder are opened" in refusal(folder / "call.mpd", mpd(segments))


@pytest.mark.parametrize(
    "tag",
    ['#EXT-X-MAP:URI="../private.ts"\n', '#EXT-X-MAP:URI="https://example.com/init.mp4"\n'],
)
def test_initialization_segment_out_of_the_folder_is_refused(folder: Path, tag: str) -> None:
    """The initialization segment of an HLS playlist is checked like its segments."""
    assert "only files below" in refusal(folder / "call.m3u8", hls("a.ts", before=tag))


def test_media_playlist_in_another_folder_is_refused(folder: Path) -> None:
    """A master playlist can't refer to playlists outside its folder."""
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../other.m3u8\n"

    assert "only files below" in refusal(folder / "master.m3u8", text)


def test_representation_id_is_not_a_path(folder: Path) -> None:
    """A representation's id is inserted into file names, but can't lead out of the folder."""
    text = mpd('<SegmentTemplate duration="1" media="$RepresentationID$"/>').replace('id="0"', 'id="../private.ts"')

    assert "only files below" in refusal(folder / "call.mpd", text)


@pytest.mark.parametrize("name", ["file", "folder"])
def test_link_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    """A symbolic link to a file outside the playlist's folder is not followed."""
    if name == "file":
        (folder / "link.ts").symlink_to("../private.ts")
    else:
        (folder / "sub").symlink_to("..")
    reference = {"file": "link.ts", "folder": "sub/private.ts"}[name]

    assert "a link to a file outside the playlist's folder" in refusal(folder / "call.m3u8", hls(reference))
    assert "a link to a file outside" in refusal(
        folder / "call.mpd", mpd(f'<SegmentTemplate duration="1" media="{reference}"/>')
    )


def test_link_within_the_folder_is_followed(folder: Path) -> None:
    """A symbolic link to another file in the playlist's folder is allowed."""
    (folder / "link.ts").symlink_to("a.ts")
    (folder / "call.m3u8").write_text(hls("link.ts"))

    (source,), _ = call_sources([folder / "call.m3u8"])

    assert [folder / "a.ts"] == [piece.path for piece in source.pieces]


def test_loop_of_links_is_refused(folder: Path) -> None:
    """Links that refer to each other end with an error."""
    (folder / "link.ts").symlink_to("other.ts")
    (folder / "other.ts").symlink_to("link.ts")

    assert "which can't be read" in refusal(folder / "call.m3u8", hls("link.ts"))


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_segment_that_is_not_a_regular_file_is_refused(folder: Path, kind: str) -> None:
    """A pipe would block the reader, and a device could be endless."""
    path = folder / "segment.ts"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        try:
            os.mknod(path, 0o20600, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root can create devices")

    assert "which is not a regular file" in refusal(folder / "call.m3u8", hls("segment.ts"))


def test_playlist_with_a_million_segments_is_refused_quickly(folder: Path) -> None:
    """The size of a playlist and the number of its segments are limited."""
    began = time.monotonic()

    assert "too large for a playlist" in refusal(folder / "call.m3u8", hls(*["a.ts"] * 1_000_000))
    assert "more than 100000 segments" in refusal(folder / "short.m3u8", hls(*["a.ts"] * 200_000))
    assert time.monotonic() - began < QUICKLY


@pytest.mark.parametrize(
    "segments",
    [
        timeline('<S d="1" r="999999999999"/>'),
        timeline('<S d="1" r="-1"/>'),
        '<SegmentTemplate media="a.ts" duration="1" timescale="1000000000"/>',
        timeline('<S d="1"/>' * 150_000),
        "".join(('<SegmentList duration="1">', '<SegmentURL media="a.ts"/>' * 150_000, "</SegmentList>")),
    ],
    ids=range(5),
)
def test_dash_manifest_with_too_many_segments_is_refused_quickly(folder: Path, segments: str) -> None:
    """A few bytes of XML can describe any number of segments, so their number is limited."""
    began = time.monotonic()
    manifest = mpd(segments, attributes='mediaPresentationDuration="PT999999S"')

    assert "more than 100000 segments" in refusal(folder / "call.mpd", manifest)
    assert time.monotonic() - began < QUICKLY


ENTITIES: Final = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(10))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<a>" * 100_000, "nested more than 32 levels deep"),
        (f"<MPD>{'<Period/>' * 400_000}</MPD>", "more than 300000 elements"),
        (f'<!DOCTYPE MPD [<!ENTITY e0 "x">{ENTITIES}]><MPD>&e10;</MPD>', "document type declaration"),
        ('<!DOCTYPE MPD SYSTEM "file:///etc/passwd"><MPD/>', "document type declaration"),
        ('<!DOCTYPE MPD [<!ENTITY x SYSTEM "file:///etc/passwd">]><MPD>&x;</MPD>', "document type declaration"),
        ("<MPD>&undeclared;</MPD>", "is not valid XML"),
        ("<MPD", "is not valid XML"),
        ('<?xml version="1.0" encoding="nonsense"?><MPD/>', "is not valid XML"),
        ("", "is not valid XML"),
        ("<html/>", "its root element is html"),
        ("<MPD/>", "has no Period"),
        ("<MPD><Period/></MPD>", "lists no segments"),
        ('<MPD xmlns:xlink="x"><Period xlink:href="http://127.0.0.1:9/period.xml"/></MPD>', "xlink:href"),
        (mpd("<SegmentTemplate/>"), "without the attribute media"),
        (mpd('<SegmentTemplate media="a.ts" duration="-5"/>'), "neither a SegmentTimeline nor a duration"),
        (mpd('<SegmentTemplate media="a.ts" duration="5" timescale="0"/>'), "the timescale 0"),
        (mpd('<SegmentTemplate media="a.ts" duration="five"/>'), "which is not a whole number"),
        (mpd('<SegmentTemplate media="$SubNumber$" duration="5"/>'), "$SubNumber$"),
        (mpd("<SegmentBase/>"), "names no segments"),
        (mpd("<ContentProtection/>"), "encrypted"),
        (mpd("", attributes='mediaPresentationDuration="P1Y"'), "states the duration 'P1Y'"),
    ],
    ids=range(21),
)
def test_invalid_dash_manifest_is_refused(folder: Path, text: str, reason: str) -> None:
    """XML that is invalid, too deep or refers to other files is refused with a reason."""
    began = time.monotonic()

    assert reason in refusal(folder / "call.mpd", text)
    assert time.monotonic() - began < QUICKLY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its first line is not #EXTM3U"),
        ("#EXTM3U8\n", "its first line is not #EXTM3U"),
        ("#EXTM3U\n", "lists no segments"),
        ("#EXTM3U\na.ts\n", "without a duration"),
        ("#EXTM3U\n#EXTINF:nan,\na.ts\n", "which is not a number"),
        ("#EXTM3U\n#EXTINF:1e308,\na.ts\n", "which is not a number"),
        ("#EXTM3U\n#EXTINF:-1,\na.ts\n", "which is not a number"),
        (hls("a.ts", before='#EXT-X-KEY:METHOD=AES-128,URI="key"\n'), "encrypted"),
        (hls("{$name}.ts"), "variables"),
        (hls("a.ts", before="#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"), "not supported"),
        (hls("a.ts", before='#EXT-X-MAP:URI="init.mp4"\n'), "init.mp4, which does not exist"),
        (hls("a.ts", before="#EXT-X-BYTERANGE:99999999999999999999\n"), "instead of a whole number"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "lists no playlist"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\na.m3u8\n", "instead of a whole number"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmissing.m3u8\n", "missing.m3u8, which does not exist"),
        (hls(*["a.ts\n#EXT-X-DISCONTINUITY"] * 300), "300 discontinuities"),
    ],
    ids=range(16),
)
def test_invalid_hls_playlist_is_refused(folder: Path, text: str, reason: str) -> None:
    """A playlist that can't be used is refused with a reason."""
    assert reason in refusal(folder / "call.m3u8", text)


def test_playlist_that_is_not_text_is_refused(folder: Path) -> None:
    """Binary data and null characters in a playlist end with an error that names the line."""
    for content in (b"\xff\xfe\xfa", b"#EXTM3U\n\0"):
        (folder / "call.m3u8").write_bytes(content)
        with pytest.raises(ConfigError):
            call_sources([folder / "call.m3u8"])


def test_playlist_that_is_a_pipe_is_refused(folder: Path) -> None:
    """A pipe instead of a playlist does not block."""
    os.mkfifo(folder / "call.m3u8")

    with pytest.raises(ConfigError, match="is not a file"):
        call_sources([folder / "call.m3u8"])


def test_control_characters_in_a_playlist_are_not_printed(folder: Path) -> None:
    """A reference with escape sequences does not reach the terminal."""
    assert "\x1b" not in refusal(folder / "call.m3u8", hls("/\x1b[31mred.ts"))


def test_command_prints_one_line_for_a_refused_playlist(folder: Path) -> None:
    """``harness verify --together`` ends with exit code 2 and one line."""
    (folder / "call.m3u8").write_text(hls("https://example.com/a.ts"))

    ran = run_harness("verify", "--together", "call.m3u8", folder=folder)

    assert 2 == ran.returncode
    assert 1 == len(ran.stderr.strip().split("\n"))
    assert re.search("Download the files, and use relative paths", ran.stderr)


def test_playlist_whose_segments_contain_no_media_is_a_failed_report(folder: Path) -> None:
    """Segments with arbitrary bytes are read by the confined process, and are reported as unreadable."""
    (folder / "call.m3u8").write_text(hls("a.ts", "missing.ts"))

    report = verify_together([folder / "call.m3u8"])

    assert "failed" == report.result
    assert report.media is None
    assert report.failures[0].message.startswith("call.m3u8 ")
