"""Find the files that a playlist refers to: only regular files below the playlist's folder."""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from harness.errors import ConfigError
from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

# The start of a URL, or of a Windows drive.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|\\\\")
# Maximum length of a reference in an error message, in characters.
_SHOWN: Final = 100


class LocalFolder:
    """The folder of a playlist. References are resolved relative to the folder or to a folder below it."""

    def __init__(self, playlist: Path) -> None:
        self._playlist = playlist
        self._root = playlist.parent.resolve()
        self._resolved: Callable[[Path], Path] = lru_cache(maxsize=256)(Path.resolve)

    @property
    def path(self) -> Path:
        """The folder's path, without symbolic links."""
        return self._root

    def find(self, reference: str, folder: Path) -> Path | None:
        """Return the file that a playlist in ``folder`` refers to, or None if it does not exist.

        Raises ConfigError if the reference is a URL, an absolute path or leads out of the playlist's folder, or if the
        file is not a regular file.
        """
        path = folder / self.relative(reference)
        if "%" in reference and not os.path.lexists(path):
            path = folder / self.relative(unquote(reference))
        try:
            # Resolving every segment's path would take long, and all segments are usually in the same folder.
            found = self._resolved(path.parent) / path.name
            info = found.lstat()
            if stat.S_ISLNK(info.st_mode):
                found = found.resolve()
                info = found.stat()
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "its symbolic links form a loop"
            raise self._refusal(reference, f"which can't be read: {reason}") from error
        if not found.is_relative_to(self._root):
            raise self._refusal(reference, "which is a link to a file outside the playlist's folder")
        if not stat.S_ISREG(info.st_mode):
            raise self._refusal(reference, "which is not a regular file")
        return found

    def relative(self, reference: str) -> Path:
        """Return a reference as a relative path; raises ConfigError if it is anything else."""
        only = "but only files below the playlist's folder are opened"
        if _SCHEME.match(reference):
            raise self._refusal(reference, f"{only}. Download the files, and use relative paths in the playlist")
        path = Path(reference)
        if path.is_absolute() or ".." in path.parts or "\0" in reference or not path.name:
            raise self._refusal(reference, f"{only}. Move the files, and use relative paths in the playlist")
        return path

    def _refusal(self, reference: str, reason: str) -> ConfigError:
        return refusal(self._playlist, f"refers to {shortened(reference)}, {reason}")


def refusal(playlist: Path, reason: str) -> ConfigError:
    """Return the error that a playlist can't be used; the message consists of the playlist's path and the reason."""
    return ConfigError(f"{playlist} {reason}.")


def shortened(text: str) -> str:
    """Return text from a playlist in a form that fits into an error message."""
    return f"{printable(text[:_SHOWN])}…" if len(text) > _SHOWN else printable(text)
