"""Counting the pictures of a recording that is still in memory."""

from __future__ import annotations

import io

import av

from harness.recording.files.formats import open_media


def count_pictures(data: bytes) -> int:
    """Return how many pictures a WebM holds; 0 where it holds none that can be read."""
    try:
        with open_media(io.BytesIO(data)) as media:
            return sum(packet.size > 0 for packet in media.demux(video=0))
    except (av.FFmpegError, IndexError):
        return 0
