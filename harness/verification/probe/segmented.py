"""Read the segments of a rendition in one pass, as if they were one file that keeps its own timestamps."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import av
import av.error

from harness.recording.files.formats import open_media
from harness.verification.probe.container import structure_of
from harness.verification.probe.probe import Medium, Streams, UnreadableError
from harness.verification.probe.segments import OneWay, SegmentStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.container import InputContainer

    from harness.verification.probe.track_set import AudioSink, VideoSink
    from harness.verification.sources import Piece, Source

# Raw audio has no timestamps, so it can't be placed on the playlist's clock.
_WITHOUT_CLOCK: Final = frozenset({"aac", "mp3", "flac", "ac3", "eac3"})


def probe_segments(
    source: Source, *, video_sinks: Sequence[VideoSink] = (), audio_sinks: Sequence[AudioSink] = ()
) -> Streams:
    """Return the properties of a rendition, and pass its frames and audio to each of the sinks.

    All times are the media's own timestamps, because the renditions of a playlist share a clock.

    Raises UnreadableError if the segments contain no media that can be analyzed, or can't be read.
    """
    try:
        with SegmentStream(source.pieces) as stream:
            if stream.size == 0:
                message = f"{source.name} has no segment that contains anything."
                raise UnreadableError(message)
            structure = structure_of(cast("BinaryIO", stream), stream.size)
        medium = Medium(source.name, structure, lambda: _opened(source.pieces), keeps_clock=True)
        decoded = medium.decode(video_sinks, audio_sinks, None)
        if decoded.container in _WITHOUT_CLOCK:
            message = (
                f"{source.name} consists of {decoded.container} audio without timestamps, so its times are unknown. "
                "Configure the recorder to write MPEG-TS or MP4 segments."
            )
            raise UnreadableError(message)
        return decoded.streams(seekable=_starts_in_the_middle(source), segmented=True)
    except OSError as error:
        message = f"{source.name} can't be read: {error.strerror}."
        raise UnreadableError(message) from error


@contextmanager
def _opened(pieces: Sequence[Piece]) -> Iterator[InputContainer]:
    with SegmentStream(pieces) as stream, open_media(OneWay(stream)) as media:
        yield media


def _starts_in_the_middle(source: Source) -> bool:
    """Return whether players can start at the segment in the middle, which must begin with a keyframe."""
    first = int(source.initialization)
    middle = first + (len(source.pieces) - first) // 2
    with (
        suppress(av.error.FFmpegError, ValueError),
        _opened((*source.pieces[:first], *source.pieces[middle:])) as media,
    ):
        stream = next(iter((*media.streams.video, *media.streams.audio)), None)
        packets = media.demux(stream) if stream is not None else ()
        packet = next((one for one in packets if one.size), None)
        if packet is not None and stream is not None and (packet.is_keyframe or stream.type == "audio"):
            packet.decode()
            return True
    return False
