"""Choose what a participant sends: synthetic video and audio, the browser's devices, or a video file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

# One of the kinds below, or the path of a video file that plays in a loop as the camera and microphone.
Media = str | os.PathLike[str]
MEDIA: Final = ("synthetic", "camera")
# The kinds of media in another application's call: synthetic media, or the browser's own devices.
APPLICATION_MEDIA: Final = ("synthetic", "own")


def media_of(given: object, kinds: Sequence[str], *, folder: Path | None = None, option: str = "media") -> str | Path:
    """Return ``given`` if it is one of the ``kinds``, or the absolute path if it is the path of a video file.

    A relative path is relative to ``folder``, or to the current directory if no folder is given. Raises ConfigError for
    any other value.
    """
    if given in kinds:
        return str(given)
    choices = ", ".join(repr(kind) for kind in kinds)
    if isinstance(given, str | os.PathLike):
        file = (folder or Path.cwd()) / os.fspath(given)
        # If the system does not accept the path, for example because it is too long, checking it raises OSError.
        with contextlib.suppress(OSError):
            if file.is_file():
                return file.resolve()
    message = f"{option}: {str(given)!r} is not valid; choose one of {choices}, or give the path of a video file."
    raise ConfigError(message)
