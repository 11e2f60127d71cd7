"""Open media files with safe options, using any supported version of PyAV."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import av

from harness.recording.machine import processors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO, Protocol

    from av.container import InputContainer

    class Readable(Protocol):
        """A file-like object that supports only ``read``, like a pipe."""

        def read(self, size: int, /) -> bytes:
            """Return up to ``size`` bytes."""


_FORMATS: Final = (
    *("matroska", "webm", "mov", "mp4", "m4a", "wav", "w64", "ogg", "flac", "mp3", "aac", "avi", "flv", "ivf"),
    *("mpegts", "aiff"),
)
# Options for FFmpeg's AVFormatContext. The format list excludes playlists, because FFmpeg would open the files that a
# playlist lists.
_ALONE: Final = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}
# PyAV 18 needs this option to read metadata that is not valid UTF-8; PyAV 19 no longer has the option.
_LENIENT: Final[dict[str, Any]] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}  # noqa: PLR2004
# Every decoder thread needs memory for its own frames, so limit the number of threads. Four threads are fast enough for
# the analysis.
_MOST_THREADS: Final = 4


def open_media(
    source: Path | str | BinaryIO | Readable,
    *,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> InputContainer:
    """Open a media file or a file-like object with a limited number of decoder threads.

    ``container`` is FFmpeg's name for the format; other formats are not tried. ``options`` are passed to FFmpeg, and
    must only be used for files that the harness wrote. Unless the caller passes options, FFmpeg opens only media
    containers, and never opens other files that a container refers to.

    Raises FFmpegError or ValueError if the source is not a media file.
    """
    media: InputContainer = av.open(
        source if hasattr(source, "read") else str(source),
        mode="r",
        format=container,
        options=_ALONE if options is None else options,
        **_LENIENT,
    )
    threads = decoder_threads()
    for stream in (*media.streams.video, *media.streams.audio):
        # A stream with an unknown codec has no decoder.
        if stream.codec_context is not None:
            stream.codec_context.thread_count = threads
    return media


def decoder_threads() -> int:
    """Return the number of threads for a decoder or encoder: one per available processor, but at most four."""
    return min(_MOST_THREADS, math.ceil(processors()))
