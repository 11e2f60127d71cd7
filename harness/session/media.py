"""What a participant brings: a made picture and tone, real devices, or a film."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

# One of the kinds, or the path of a film, which plays again and again in the place of camera and microphone.
Media = str | os.PathLike[str]
MEDIA: Final = ("synthetic", "camera")
# Whose camera and microphone an application gets: ours, or the browser's.
APPLICATION_MEDIA: Final = ("synthetic", "own")


def media_of(given: object, kinds: Sequence[str], *, folder: Path | None = None, option: str = "media") -> str | Path:
    """Return which of the ``kinds`` is meant, else the film, by its absolute path; text may name either.

    A relative path begins at ``folder``, or where the program runs. Raises ConfigError for what is neither.
    """
    if given in kinds:
        return str(given)
    choices = ", ".join(repr(kind) for kind in kinds)
    if isinstance(given, str | os.PathLike):
        film = (folder or Path.cwd()) / os.fspath(given)
        # A name that no file can have is none, either.
        with contextlib.suppress(OSError):
            if film.is_file():
                return film.resolve()
    message = f"{option}: {str(given)!r} is not possible; choose one of {choices}, or give the path of a film."
    raise ConfigError(message)
