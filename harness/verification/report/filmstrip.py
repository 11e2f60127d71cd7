"""The pictures of a report's page: taken from the film in a process of its own, within limits, as films are hostile.

It ends with its answer: a line for each picture, a JPEG in base64. The time it takes is bounded by whoever asks.
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

_PICTURES: Final = 12
_HEIGHT: Final = 90
# Wider ones are no camera's and no screen's.
_WIDEST: Final = 4 * _HEIGHT
# In seconds of processor time, also where the asker is gone; half a second is enough for a usual recording.
_WORKS_FOR: Final = 10.0
# In seconds on the clock: a busy machine takes longer.
_WITHIN: Final = 60.0
# In bytes; a picture has some 5,000.
_LARGEST_ANSWER: Final = 2_000_000
_PROGRAM: Final = "from harness.verification.report.filmstrip import main; main()"


def filmstrip(path: Path, duration: float) -> list[str]:
    """Return some pictures of a film of so many seconds, evenly spread, as data addresses.

    Fewer where they can't be decoded, or not within ten seconds of work.
    """
    child = Child(_PROGRAM, str(path), str(duration), stdout=subprocess.PIPE)
    late = threading.Timer(_WITHIN, child.process.kill)
    late.start()
    try:
        with child.process.stdout or io.BytesIO() as answer:
            told = answer.read(_LARGEST_ANSWER)
    finally:
        late.cancel()
        child.end()
    # What stands behind the last line's end is half a picture.
    lines = told.split(b"\n")[:-1][:_PICTURES]
    return ["data:image/jpeg;base64," + line.decode("ascii", "replace") for line in lines]


def main() -> None:
    """Print the pictures of the film that the first argument names, whose length in seconds is the second."""
    confine(seconds=_WORKS_FOR)
    for picture in _pictures(sys.argv[1], float(sys.argv[2])):
        sys.stdout.buffer.write(base64.b64encode(picture) + b"\n")
        sys.stdout.buffer.flush()


def _pictures(path: str, duration: float) -> Iterator[bytes]:
    # Only the child imports the decoder.
    import av
    import av.error

    from harness.recording.files.formats import open_media

    try:
        with open_media(path) as media:
            stream = media.streams.video[0]
            for number in range(_PICTURES):
                at = (number + 0.5) * duration / _PICTURES
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
