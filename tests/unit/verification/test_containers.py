"""Each generated file, in any container and with any property, gets the right report: it passes, or names the problem.

To add a case, add a line to ``GOOD``, ``BAD`` or ``EDITED``.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from harness.verification import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.verification import Report

pytestmark = [
    pytest.mark.parallel,
    pytest.mark.usefixtures("in_process"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (scripts/ci-packages)"),
]

# Inputs of ffmpeg: moving video, a tone, and silence, two seconds each.
_VIDEO: Final = "-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds}"
_TONE: Final = "-f lavfi -i sine=f=440:r=48000:d={seconds}"
_QUIET: Final = "-f lavfi -i anullsrc=r=48000:cl=mono:d={seconds}"
_INPUTS: Final = {"V": _VIDEO, "A": _TONE, "Q": _QUIET}
_VP8: Final = "-c:v libvpx -deadline realtime -cpu-used -8"
_VP9: Final = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"
_H264: Final = "-c:v libx264 -preset ultrafast"
_BFRAMES: Final = "-c:v libx264 -preset veryfast -bf 3"
_OPUS: Final = "-c:a libopus"

# File name: inputs, and ffmpeg options. Each file passes, and only the missing manifest is unverified.
GOOD: Final[dict[str, tuple[str, str]]] = {
    "a.webm": ("VA", f"{_VP8} {_OPUS}"),
    "vp9.webm": ("VA", f"{_VP9} {_OPUS}"),
    "vorbis.webm": ("VA", f"{_VP8} -c:a libvorbis"),
    "video only.webm": ("V", _VP8),
    "audio only.webm": ("A", _OPUS),
    "odd size.webm": ("VA size=161x91", f"{_VP8} {_OPUS}"),
    "ten bit.webm": ("VA", f"{_VP9} -pix_fmt yuv420p10le {_OPUS}"),
    "4-4-4.webm": ("V", f"{_VP9} -pix_fmt yuv444p"),
    "alpha vp8.webm": ("V", f"{_VP8} -auto-alt-ref 0 -pix_fmt yuva420p"),
    "alpha vp9.webm": ("V", f"{_VP9} -auto-alt-ref 0 -pix_fmt yuva420p"),
    "one frame.webm": ("V", f"{_VP8} -frames:v 1"),
    "two frames.webm": ("V", f"{_VP8} -frames:v 2"),
    "pixel aspect.webm": ("VA", f"{_VP8} {_OPUS} -vf setsar=2/1"),
    "index in front.webm": ("VA", f"{_VP8} {_OPUS} -cues_to_front 1 -reserve_index_space 5000"),
    "a.mkv": ("VA", f"{_VP8} {_OPUS}"),
    "h264.mkv": ("VA", f"{_H264} -c:a aac"),
    "b-frames.mkv": ("VA", f"{_BFRAMES} -c:a aac"),
    "hevc.mkv": ("V", "-c:v libx265 -preset ultrafast -x265-params log-level=none"),
    "flac.mka": ("A", "-c:a flac -f matroska"),
    "one frame.mkv": ("V", f"{_H264} -frames:v 1"),
    "a.mp4": ("VA", f"{_H264} -c:a aac"),
    "faststart.mp4": ("VA", f"{_H264} -c:a aac -movflags faststart"),
    "b-frames.mp4": ("VA", f"{_BFRAMES} -c:a aac"),
    "fragmented.mp4": ("VA", f"{_H264} -c:a aac -movflags frag_keyframe+delay_moov"),
    "dash.mp4": ("VA", f"{_H264} -g 30 -c:a aac -movflags dash+delay_moov+frag_keyframe"),
    "vp9.mp4": ("VA", f"{_VP9} {_OPUS} -strict -2"),
    "one frame.mp4": ("V", f"{_H264} -frames:v 1"),
    "video only.mp4": ("V", _H264),
    "audio only.mp4": ("A", "-c:a aac"),
    "odd size.mp4": ("V size=161x91", f"{_H264} -pix_fmt yuv444p"),
    "ten bit.mp4": ("V", f"{_H264} -pix_fmt yuv420p10le"),
    "a.m4a": ("A", "-c:a aac"),
    "alac.m4a": ("A", "-c:a alac"),
    "a.mov": ("VA", f"{_H264} -c:a aac"),
    "prores.mov": ("VA", "-c:v prores_ks -c:a pcm_s16le"),
    "b-frames.mov": ("VA", f"{_BFRAMES} -c:a aac"),
    "a.ts": ("VA", f"{_H264} -c:a aac"),
    "b-frames.ts": ("VA", f"{_BFRAMES} -c:a aac"),
    "mp2.ts": ("VA", "-c:v mpeg2video -c:a mp2"),
    "audio only.ts": ("A", "-c:a aac"),
    "a.m2ts": ("VA", f"{_H264} -c:a aac"),
    "opus.ogg": ("A", _OPUS),
    "vorbis.ogg": ("A", "-c:a libvorbis"),
    "a.opus": ("A", _OPUS),
    "flac.oga": ("A", "-c:a flac"),
    "theora.ogv": ("VA", "-c:v libtheora -c:a libvorbis"),
    "a.mp3": ("A", "-c:a libmp3lame"),
    "variable.mp3": ("A", "-c:a libmp3lame -q:a 5"),
    "no header.mp3": ("A", "-c:a libmp3lame -write_xing 0 -id3v2_version 0"),
    "a.wav": ("A", ""),
    "24 bit.wav": ("A", "-c:a pcm_s24le"),
    "float.wav": ("A", "-c:a pcm_f32le"),
    "stereo.wav": ("A", "-ac 2"),
    "adpcm.wav": ("A", "-c:a adpcm_ms"),
    "rf64.wav": ("A", "-rf64 always"),
    "a.flac": ("A", ""),
    "a.aac": ("A", "-c:a aac"),
    "a.avi": ("VA", "-c:v mjpeg -c:a pcm_s16le"),
    "a.flv": ("VA", f"{_H264} -c:a aac"),
    "a.aiff": ("A", ""),
    "ogg without a suffix": ("A", f"{_OPUS} -f ogg"),
    "mp4.recording": ("VA", f"{_H264} -c:a aac -f mp4"),
    "far from zero.ts": ("VA", f"{_H264} -c:a aac -output_ts_offset 20000"),
    "rotated.mp4": ("VA", f"{_H264} -c:a aac -metadata:s:v rotate=90"),
    "pixel aspect.mp4": ("VA", f"{_H264} -c:a aac -vf setsar=1/2"),
    "bars.mp4": ("V", f"{_H264} -vf crop=160:60,pad=160:90:0:15"),
    **{
        f"{name} fps.{suffix}": (f"VA rate={rate}", f"{codecs} -g 48")
        for suffix, codecs in (
            ("webm", f"{_VP8} {_OPUS}"),
            ("mkv", f"{_BFRAMES} -c:a aac"),
            ("mp4", f"{_BFRAMES} -c:a aac"),
            ("ts", f"{_BFRAMES} -c:a aac"),
        )
        for name, rate in (
            *((str(rate), str(rate)) for rate in (12, 24, 25, 48, 50, 60)),
            *(("23.976", "24000/1001"), ("29.97", "30000/1001"), ("59.94", "60000/1001")),
        )
    },
}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _twice(data: bytes) -> bytes:
    return data * 2


def _junk(data: bytes) -> bytes:
    return data + bytes(range(256)) * 4


_SECOND: Final = "a second recording begins at byte {size}, "
_CUT: Final = "is truncated or damaged"

# File name: inputs, options, an edit of the bytes, and for each failure, the check and a part of the message. In a
# message, {size} is the size of the file before the edit.
BAD: Final[dict[str, tuple[str, str, Callable[[bytes], bytes] | None, list[tuple[str, str]]]]] = {
    "ogg.webm": ("A", f"{_OPUS} -f ogg", None, [("container", "is ogg instead of webm")]),
    "mp4.webm": ("V", f"{_VP9} -f mp4", None, [("container", "is mp4 instead of webm")]),
    "matroska.webm": ("V", f"{_VP8} -f matroska", None, [("container", "is matroska instead of webm")]),
    "wav.mkv": ("A", "-f wav", None, [("container", "is wav instead of matroska")]),
    "webm.mp4": ("V", f"{_VP8} -f webm", None, [("container", "is webm instead of mp4")]),
    "mp4.mov": ("V", f"{_H264} -f mp4", None, [("container", "is mp4 instead of mov")]),
    "aac.mp3": ("A", "-c:a aac -f adts", None, [("container", "is aac instead of mp3")]),
    "mp3.aac": ("A", "-c:a libmp3lame -f mp3", None, [("container", "is mp3 instead of aac")]),
    "ts.ogg": ("V", f"{_H264} -f mpegts", None, [("container", "is mpegts instead of ogg")]),
    "flac.wav": ("A", "-f flac", None, [("container", "is flac instead of wav")]),
    "m4a.ogg": ("A", "-c:a aac -f ipod", None, [("container", "is m4a instead of ogg")]),
    "H264.WEBM": (
        "V",
        f"{_H264} -f matroska",
        lambda data: data.replace(b"matroska", b"webm\0\0\0\0", 1),
        [("container", "can't contain h264")],
    ),
    "live.webm": ("VA", f"{_VP8} {_OPUS} -live 1", None, [("container", "no Duration"), ("container", "no Cues")]),
    "live.mkv": ("VA", f"{_VP8} {_OPUS} -live 1", None, [("container", "no Duration"), ("container", "no Cues")]),
    "late.webm": ("V", f"{_VP8} -output_ts_offset 3600", None, [("container", "video starts at 3600.00 s")]),
    "late.mp4": ("V", f"{_H264} -output_ts_offset 5", None, [("container", "video starts at 5.00 s")]),
    "twice.webm": ("VA", f"{_VP8} {_OPUS}", _twice, [("container", _SECOND)]),
    "twice audio.webm": ("A", _OPUS, _twice, [("container", _SECOND)]),
    "twice live.webm": (
        "VA",
        f"{_VP8} {_OPUS} -live 1",
        _twice,
        [("container", _SECOND), ("container", "no Duration"), ("container", "no Cues")],
    ),
    "three times.webm": ("V", _VP8, lambda data: data * 3, [("container", _SECOND)]),
    "twice.mkv": ("VA", f"{_BFRAMES} -c:a aac", _twice, [("container", _SECOND)]),
    "twice.mp4": ("VA", f"{_H264} -c:a aac", _twice, [("container", _SECOND)]),
    "twice faststart.mp4": ("VA", f"{_H264} -c:a aac -movflags faststart", _twice, [("container", _SECOND)]),
    "twice fragmented.mp4": (
        "VA",
        f"{_H264} -c:a aac -movflags frag_keyframe+delay_moov",
        _twice,
        [("container", _SECOND)],
    ),
    "twice.mov": ("VA", f"{_H264} -c:a aac", _twice, [("container", _SECOND)]),
    "twice.m4a": ("A", "-c:a aac", _twice, [("container", _SECOND)]),
    "twice.ogg": ("A", _OPUS, _twice, [("container", _SECOND)]),
    "twice.ogv": ("VA", "-c:v libtheora -c:a libvorbis", _twice, [("container", _SECOND)]),
    "twice.wav": ("A", "", _twice, [("container", _SECOND)]),
    "twice 8 bit.wav": ("A", "-c:a pcm_u8", _twice, [("container", _SECOND)]),
    "twice.ts": ("VA", f"{_H264} -c:a aac", _twice, [("container", _SECOND)]),
    "twice b-frames.ts": ("VA", f"{_BFRAMES} -c:a aac", _twice, [("container", _SECOND)]),
    "twice audio.ts": ("A", "-c:a aac", _twice, [("container", _SECOND)]),
    "twice.m2ts": ("VA", f"{_H264} -c:a aac", _twice, [("container", _SECOND)]),
    "twice.mp3": ("A", "-c:a libmp3lame", _twice, [("container", _SECOND)]),
    "twice without a tag.mp3": ("A", "-c:a libmp3lame -id3v2_version 0", _twice, [("container", _SECOND)]),
    "twice.flac": ("A", "", _twice, [("container", _SECOND)]),
    "twice.avi": ("V", "-c:v mjpeg", _twice, [("container", _SECOND)]),
    "half.webm": ("VA", f"{_VP8} {_OPUS}", _half, [("container", _CUT), ("container", "no Cues"), ("duration", "")]),
    "half.mkv": (
        "V",
        f"{_BFRAMES}",
        _half,
        [("container", _CUT), ("container", "no Cues"), ("gap", "missing"), ("duration", "")],
    ),
    "half.mp4": ("VA", f"{_H264} -c:a aac", _half, [("container", "the mdat box at byte")]),
    "half faststart.mp4": (
        "V",
        f"{_H264} -movflags faststart",
        _half,
        [("container", _CUT), ("container", "1 video packet can't be decoded"), ("duration", "")],
    ),
    "half fragmented.mp4": (
        "V",
        f"{_H264} -g 15 -movflags frag_keyframe+delay_moov",
        _half,
        [("container", "the moof box at byte")],
    ),
    "half.wav": ("A", "", _half, [("container", _CUT), ("duration", "container's duration is 2.00 s")]),
    "half.ogg": ("A", _OPUS, _half, [("container", _CUT)]),
    "half.flac": ("A", "", _half, [("container", "1 audio packet"), ("duration", "container's duration is 2.00 s")]),
    "half.mp3": ("A", "-c:a libmp3lame", _half, [("container", _CUT), ("duration", "")]),
    "half.avi": ("V", "-c:v mjpeg", _half, [("container", _CUT)]),
    "cut.ts": ("V", _H264, lambda data: data[:-100], [("container", "last packet has 88 of 188 bytes")]),
    "junk.webm": ("V", _VP8, _junk, [("container", "1024 bytes follow the end of the Segment")]),
    "junk.mp4": ("V", _H264, _junk, [("container", "no box begins at byte {size}")]),
    "junk.wav": ("A", "", _junk, [("container", "1024 bytes follow the end of the RIFF chunk")]),
    "junk.ogg": ("A", _OPUS, _junk, [("container", "no page begins at byte {size}")]),
    "silent.mp4": ("VQ", f"{_H264} -c:a aac", None, [("silent", "The audio is silent from 0.00 to")]),
    "black.mp4": ("V", f"{_H264} -vf drawbox=t=fill:c=black", None, [("black", "The video is black from 0.00 to")]),
    "first is silent.mkv": (
        "QA",
        f"-map 0 -map 1 {_OPUS}",
        None,
        [("silent", "This is track 0. Track 1 is not silent; to examine it, use --track 1.")],
    ),
}

# File name: inputs, options, and the start of the warning of the check "gap".
VARYING: Final[dict[str, tuple[str, str]]] = {
    "some frames.webm": ("V", f"-vf select='not(mod(n,3))+not(mod(n,7))' -vsync vfr {_VP8}"),
    "half slow.mp4": ("V rate=60", f"-vf select='gt(n,60)+not(mod(n,2))' -vsync vfr {_H264}"),
}

# File name: inputs, options, and a value of the report's video with its expected value.
SHOWN: Final[dict[str, tuple[str, str, dict[str, int]]]] = {
    "wide.webm": ("V", f"{_VP8} -vf setsar=2/1", {"display_width": 320, "display_height": 90, "rotation": 0}),
    "tall.mp4": ("V", f"{_H264} -vf setsar=1/2", {"display_width": 160, "display_height": 180, "rotation": 0}),
    "wide.ts": ("V", f"{_H264} -vf setsar=2/1", {"display_width": 320, "display_height": 90, "rotation": 0}),
    "plain.mkv": ("V", _H264, {"display_width": 160, "display_height": 90, "rotation": 0}),
}


def make(path: Path, inputs: str, options: str) -> Path:
    """Make a media file with ffmpeg. ``inputs`` has one letter per input, and values such as ``rate=60``."""
    letters, *values = inputs.split()
    settings = {"size": "160x90", "rate": "30", "seconds": "2"} | dict(value.split("=") for value in values)
    sources = [word for letter in letters for word in _INPUTS[letter].format(**settings).split()]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *sources, *options.split(), str(path)], check=True)
    return path


def failures(report: Report) -> list[tuple[str, str]]:
    """Return the checks and the messages of all failed findings."""
    return [(one.check, one.message) for one in report.failures]


@pytest.mark.parametrize("name", GOOD)
def test_good_file_passes_in_any_container(tmp_path: Path, name: str) -> None:
    """A file without faults passes, and nothing that its format does not support is reported as missing."""
    inputs, options = GOOD[name]

    report = verify(make(tmp_path / name, inputs, options))

    assert [] == failures(report)
    assert [] == [one.message for one in report.warnings]
    assert ["presence"] == [one.check for one in report.unverified]


@pytest.mark.parametrize("name", BAD)
def test_fault_is_named_and_nothing_else_is_blamed(tmp_path: Path, name: str) -> None:
    """A file with a fault fails with a message that names the fault, and no other check fails."""
    inputs, options, edit, expected = BAD[name]
    path = make(tmp_path / name, inputs, options)
    size = path.stat().st_size
    if edit:
        path.write_bytes(edit(path.read_bytes()))

    found = failures(verify(path))

    assert [check for check, _ in expected] == [check for check, _ in found], found
    for (_, part), (_, message) in zip(expected, found, strict=True):
        assert part.format(size=size) in message


@pytest.mark.parametrize("name", VARYING)
def test_varying_frame_rate_is_only_a_warning(tmp_path: Path, name: str) -> None:
    """The report says that the frame rate varies, and does not count missing frames."""
    inputs, options = VARYING[name]

    report = verify(make(tmp_path / name, inputs, options))

    assert [] == failures(report)
    (warning,) = (one.message for one in report.warnings if one.check == "gap")
    assert warning.startswith("The frame rate varies: ")
    assert "manifest" not in warning


@pytest.mark.parametrize("name", SHOWN)
def test_display_size_and_rotation_are_reported(tmp_path: Path, name: str) -> None:
    """The report states the size at which players show the video, and by how much they turn it."""
    inputs, options, expected = SHOWN[name]

    media = verify(make(tmp_path / name, inputs, options)).media

    assert media is not None
    assert media.video is not None
    assert expected == {key: getattr(media.video, key) for key in expected}


def test_rotation_is_reported_as_ffprobe_reports_it(tmp_path: Path) -> None:
    """A video that a player turns by 90 degrees is shown upright, with width and height exchanged."""
    plain = make(tmp_path / "plain.mp4", "V", _H264)
    path = tmp_path / "rotated.mp4"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(plain), "-c", "copy", "-metadata:s:v", "rotate=90"]
    subprocess.run([*command, str(path)], check=True)

    media = verify(path).media

    assert media is not None
    assert media.video is not None
    assert (160, 90) == (media.video.width, media.video.height)
    assert (90, 160, 90) == (media.video.display_width, media.video.display_height, media.video.rotation)


def test_cues_that_lead_nowhere_fail(tmp_path: Path) -> None:
    """Each position in the Cues must be the position of a Cluster that contains the time."""
    path = make(tmp_path / "cues.webm", "VA seconds=4", f"{_VP8} -g 15 {_OPUS} -cluster_time_limit 500")
    data = bytearray(path.read_bytes())
    cues = data.rindex(b"\x1c\x53\xbb\x6b")
    first = data.index(b"\xf1", cues)
    last = data.rindex(b"\xf1")
    length = data[first + 1] & 0x7F
    data[last + 2 : last + 2 + length] = data[first + 2 : first + 2 + length]
    other = tmp_path / "other.webm"
    other.write_bytes(data)
    data[first + 2 + length - 1] ^= 0xFF
    nowhere = tmp_path / "nowhere.webm"
    nowhere.write_bytes(data)

    (wrong,) = failures(verify(other))
    (both,) = failures(verify(nowhere))

    assert [] == failures(verify(path))
    assert "Players can't seek in other.webm: 1 of " in wrong[1]
    assert "Players can't seek in nowhere.webm: 2 of " in both[1]
