"""Open media files with safe options, for every supported version of PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import av

from harness.recording.machine import processors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO, Protocol

    from av.container import InputContainer

    class Readable(Protocol):
        """An object that is read like a pipe."""

        def read(self, size: int, /) -> bytes:
            """Return up to ``size`` bytes."""


_FORMATS: Final = (
    *("matroska", "webm", "mov", "mp4", "m4a", "wav", "w64", "ogg", "flac", "mp3", "aac", "avi", "flv", "ivf"),
    *("mpegts", "aiff"),
)
# FFmpeg's options (AVFormatContext). Playlists are excluded, because FFmpeg would open the files that they name.
_ALONE: Final = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}
# Metadata may not be UTF-8: PyAV 18 raises an error without this option, and PyAV 19 does not have it.
_LENIENT: Final[dict[str, Any]] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}  # noqa: PLR2004
# Every decoder thread has frames of its own, and with four of them decoding is as fast as the analysis.
_MOST_THREADS: Final = 4


def open_media(
    source: Path | str | BinaryIO | Readable,
    *,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> InputContainer:
    """Open a media file, or an object that can be read, with a bounded number of decoder threads.

    ``container`` is FFmpeg's name of the only format to try, and ``options`` are FFmpeg's; both are for files that the
    harness wrote. Without options only media containers are opened, and no other file that one refers to.

    Raises FFmpegError or ValueError if this is not a media file.
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
        # A stream of an unknown codec has no decoder.
        if stream.codec_context is not None:
            stream.codec_context.thread_count = threads
    return media


def decoder_threads() -> int:
    """Return how many threads a decoder or encoder may have: one per processor of this process, four at most."""
    return min(_MOST_THREADS, processors())
