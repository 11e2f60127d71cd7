"""Recording represents a finished file and its properties."""

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

# Up to this limit, every JSON reader represents integers exactly.
_LARGEST_COUNT: Final = 2**53
Count = Annotated[int, Field(ge=0, le=_LARGEST_COUNT)]


class Recording(BaseModel):
    """The properties of a finished recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Text
    """Identifier of the recording, unique on its server."""
    path: Path
    """Absolute path of the file."""
    manifest: Path
    """Absolute path of the manifest."""
    participant: Name
    """Name of the recording participant."""
    recorder: Recorder
    """The recorded participants: everybody (``"all"``), or only the recording participant (``"local"``)."""
    type: RecordType
    """Tracks of the recording: video and audio (``"video"``), or only audio (``"audio"``)."""
    mime_type: Text
    """MIME type that the browser used for recording, for example ``video/webm;codecs=vp9,opus``."""
    codec: Text
    """Codec of the video, or of the audio if there is no video."""
    width: Pixels | None
    """Width of the video in pixels; None if there is no video."""
    height: Pixels | None
    """Height of the video in pixels; None if there is no video."""
    frame_rate: Annotated[int, Field(gt=0, le=1000)] | None
    """Requested frame rate in frames per second; None if there is no video."""
    duration: Seconds
    """Duration of the file in seconds."""
    size: Count
    """Size of the file in bytes."""
    sha256: Text
    """SHA-256 of the file, in hexadecimal."""
    started_at: Text
    """Time at which the recording started, in UTC (ISO 8601)."""
    stop_to_file_ms: Moment | None = None
    """Time from the request to stop the recording to the finished file, in milliseconds; None if not measured."""
    downloaded: bool | None = None
    """Whether the browser downloaded the file. False if the browser was asked to download the file but did not, so the
    file was taken from the spool. None if no download was requested."""
    download_failure: Text | None = None
    """Reason why the browser did not download the file; None unless ``downloaded`` is False."""
    download_ms: Moment | None = None
    """Time that the download took, in milliseconds; None if the browser did not download the file."""
    recovered: Text | None = None
    """Reason why the recording was not stopped normally; None if it was stopped normally."""

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """Paths of the recording, its manifest and its WebRTC statistics. The statistics file may not exist."""
        return self.path, self.manifest, statistics_of(self.path)

    def at(self, path: Path) -> Self:
        """Return the same recording with another path, and with the manifest next to that path.

        Args:
            path: Path of the file.
        """
        return self.model_copy(update={"path": path, "manifest": manifest_of(path)})

    def as_json(self) -> dict[str, Any]:
        """Return the recording as a JSON object, in the format that the commands print."""
        return self.model_dump(mode="json")


def check_file(path: Path, what: str = "a recording") -> None:
    """Raise ConfigError if ``path`` is not a file; ``what`` is what the path should lead to."""
    try:
        # Use stat, because Path.is_file suppresses errors in Python 3.14 and later.
        if stat.S_ISREG(path.stat().st_mode):
            return
        message = f"{path} is not a file; give the path of {what}."
    except (FileNotFoundError, NotADirectoryError):
        message = f"{path} does not exist; give the path of {what}."
    except OSError as error:
        # The name is too long, or the folder is not accessible.
        message = f"{path} can't be read: {error.strerror}."
    raise ConfigError(message)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hash of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
