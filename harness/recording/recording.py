"""Recording represents a finished file and the facts about it."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.recording.config import Recorder, RecordType
from harness.recording.files.names import manifest_of, statistics_of
from harness.recording.timeline import Moment, Name, Pixels, Seconds, Text

if TYPE_CHECKING:
    from typing import Self

# Every JSON reader represents integers up to this limit exactly.
_LARGEST_COUNT: Final = 2**53
Count = Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]


class Recording(BaseModel):
    """A finished recording.

    ``path`` and ``manifest`` are absolute; ``duration`` is in seconds, ``size`` in bytes, ``frame_rate`` in frames per
    second. ``started_at`` is an ISO 8601 time in UTC, ``stop_to_file_ms`` the time from the call of stop to the
    complete file, and ``download_ms`` the time that the download took. ``recovered`` is the reason why the recording
    did not end by a stop, or None. Width, height and frame_rate are None for an audio recording.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Text
    path: Path
    manifest: Path
    participant: Name
    recorder: Recorder
    type: RecordType
    mime_type: Text
    codec: Text
    width: Pixels | None
    height: Pixels | None
    frame_rate: Annotated[int, Field(gt=0, le=1000)] | None
    duration: Seconds
    size: Count
    sha256: Text
    started_at: Text
    stop_to_file_ms: Moment | None = None
    download_ms: Moment | None = None
    recovered: Text | None = None

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """Its files: the recording, the manifest and the WebRTC statistics, which an application may not have."""
        return self.path, self.manifest, statistics_of(self.path)

    def at(self, path: Path) -> Self:
        """Return the same recording stored at ``path``, with the manifest next to it."""
        return self.model_copy(update={"path": path, "manifest": manifest_of(path)})

    def as_json(self) -> dict[str, Any]:
        """Return the RECORDING object of the command line's answers."""
        return self.model_dump(mode="json")


def check_file(path: Path) -> None:
    """Raise ConfigError if ``path`` is not a file."""
    try:
        # Since Python 3.14, Path.is_file hides the error.
        if stat.S_ISREG(path.stat().st_mode):
            return
        message = f"{path} is not a file; give the path of a recording."
    except (FileNotFoundError, NotADirectoryError):
        message = f"{path} does not exist; give the path of a recording."
    except OSError as error:
        # The name is too long, or the folder is not accessible.
        message = f"{path} can't be read: {error.strerror}."
    raise ConfigError(message)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hash of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
