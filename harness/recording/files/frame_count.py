"""Count the frames of a recording that is held in memory."""

from __future__ import annotations

import io

import av

from harness.recording.files.formats import open_media


def count_frames(data: bytes) -> int:
    """Return the number of frames in a WebM file; 0 if the file can't be read."""
    try:
        with open_media(io.BytesIO(data)) as media:
            return sum(packet.size > 0 for packet in media.demux(video=0))
    except (av.FFmpegError, IndexError):
        return 0
