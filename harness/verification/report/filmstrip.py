"""Create the thumbnails on a report's page in a confined child process, because a recording may be hostile.

The child process prints each thumbnail on one line, as a JPEG image in base64. The parent process limits the child's
run time.
"""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from harness.recording.isolation.child import Child, confine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import av

_THUMBNAILS: Final = 12
_HEIGHT: Final = 90
# Maximum width in pixels: four times the height, since no camera or screen has a wider aspect ratio.
_WIDEST: Final = 4 * _HEIGHT
# Maximum CPU time in seconds, which applies even after the parent has exited. A typical recording needs half a second.
_CPU_SECONDS: Final = 10.0
# Maximum elapsed time in seconds, which is longer than the CPU time because the machine may be busy.
_TIMEOUT: Final = 60.0
# Maximum output in bytes; a thumbnail takes about 5,000 bytes.
_LARGEST_OUTPUT: Final = 2_000_000
_PROGRAM: Final = "from harness.verification.report.filmstrip import main; main()"


def filmstrip(path: Path, duration: float) -> list[str]:
    """Return evenly spaced thumbnails of a recording of ``duration`` seconds, as data URLs.

    Thumbnails that can't be decoded within ten seconds of CPU time are omitted.
    """
    child = Child(_PROGRAM, str(path), str(duration), stdout=subprocess.PIPE)
    timeout = threading.Timer(_TIMEOUT, child.process.kill)
    timeout.start()
    try:
        with child.process.stdout or io.BytesIO() as stdout:
            output = stdout.read(_LARGEST_OUTPUT)
    finally:
        timeout.cancel()
        child.end()
    # The text after the last line break may be an incomplete thumbnail.
    lines = output.split(b"\n")[:-1][:_THUMBNAILS]
    return ["data:image/jpeg;base64," + line.decode("ascii", "replace") for line in lines]


def main() -> None:
    """Print thumbnails of a recording. The arguments are the recording's path and its duration in seconds."""
    confine(seconds=_CPU_SECONDS)
    for thumbnail in _thumbnails(sys.argv[1], float(sys.argv[2])):
        sys.stdout.buffer.write(base64.b64encode(thumbnail) + b"\n")
        sys.stdout.buffer.flush()


def _thumbnails(path: str, duration: float) -> Iterator[bytes]:
    # The import is here, so that only the child process imports the decoder.
    import av
    import av.error

    from harness.recording.files.formats import open_media

    try:
        with open_media(path) as media:
            stream = media.streams.video[0]
            for number in range(_THUMBNAILS):
                at = (number + 0.5) * duration / _THUMBNAILS
                media.seek(round(at * av.time_base), backward=True)
                frame = next((frame for frame in media.decode(stream) if (frame.time or 0.0) >= at - 0.05), None)
                if frame is not None:
                    yield _jpeg(frame)
    except (av.error.FFmpegError, ValueError, IndexError, MemoryError):
        return


def _jpeg(frame: av.VideoFrame) -> bytes:
    import av

    width = 2 * round(frame.width * _HEIGHT / frame.height / 2)
    width = min(max(width, 2), _WIDEST)
    small = frame.reformat(width=width, height=_HEIGHT, format="yuvj420p")
    small.pts = 0
    file = io.BytesIO()
    with av.open(file, "w", format="mjpeg") as output:
        stream = output.add_stream("mjpeg", rate=1, options={"qscale": "4"})
        stream.width, stream.height, stream.pix_fmt = width, _HEIGHT, "yuvj420p"
        output.mux(stream.encode(small))
        output.mux(stream.encode(None))
    return file.getvalue()
