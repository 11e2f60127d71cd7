"""Options with which media files are opened alone: a list of other files, which FFmpeg would read too, is no medium."""

from __future__ import annotations

from typing import Final

_FORMATS: Final = (
    *("matroska", "webm", "mov", "mp4", "m4a", "wav", "w64", "ogg", "flac", "mp3", "aac", "avi", "flv", "ivf"),
    *("mpegts", "aiff"),
)
# By FFmpeg's names (AVFormatContext).
ALONE: Final = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}
