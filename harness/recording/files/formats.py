"""Open media files for reading: one way for all of them, whichever PyAV and however many processors there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import av

from harness.recording.machine import processors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO, Protocol

    from av.container import InputContainer

    class Readable(Protocol):
        """A pipe-like object."""

        def read(self, size: int, /) -> bytes:
            """Return up to ``size`` bytes."""


_FORMATS: Final = (
    *("matroska", "webm", "mov", "mp4", "m4a", "wav", "w64", "ogg", "flac", "mp3", "aac", "avi", "flv", "ivf"),
    *("mpegts", "aiff"),
)
# By FFmpeg's names (AVFormatContext). A playlist, which FFmpeg would follow to other files, is not a media file.
_ALONE: Final = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}
# Metadata need not be UTF-8: PyAV 18 raises unless it is asked not to, and PyAV 19 has no such option.
_LENIENT: Final[dict[str, Any]] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}  # noqa: PLR2004
# Every decoder thread keeps frames of its own; more than four decode no faster than we analyze.
_MOST_THREADS: Final = 4


def open_media(
    source: Path | str | BinaryIO | Readable,
    *,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> InputContainer:
    """Open a media file, or an object that can be read, with a bounded number of decoder threads.

    ``container`` is FFmpeg's name of the only format to try, and ``options`` are FFmpeg's; both are for files of our
    own. Without options nothing but media containers is opened, and no other file that one refers to.

    Raises FFmpegError or ValueError where this is not a media file.
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
    """Return how many threads a decoder or encoder may have: one for each processor that is ours, four at most."""
    return min(_MOST_THREADS, processors())
