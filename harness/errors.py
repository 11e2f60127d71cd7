"""Define the hierarchy of exceptions that users of the harness see.

HarnessError
  ConfigError            a RecordConfig, scenario or option is invalid
  SetupError             Chrome, a codec, a port or the disk is missing or can't be used
  StepTimeout            a wait timed out
  PageError              a call to the page failed; see .code, .name and .page_log
    InvalidStateError    a valid call was made at the wrong moment
    NotSupportedError    the browser can't record as requested
    RecordingError       the recording failed; .recording is the part that was saved
      DiskFullError      the disk is full
  VerificationError      a recording failed its checks; raised by Report.raise_for_failures()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harness.recording.recording import Recording


class HarnessError(Exception):
    """Base class of all errors that the harness raises intentionally. Messages explain what happened and what to do."""


class ConfigError(HarnessError):
    """An option is not valid. The message contains the option, the given value and the allowed values."""


class SetupError(HarnessError):
    """Something that the harness requires is missing. The message explains what is missing and how to get it."""


class StepTimeout(HarnessError):
    """A wait timed out. The message states what was expected, how long the wait lasted, and what was found instead."""


class PageError(HarnessError):
    """The page rejected a call, or a call failed."""

    code: int | None
    """NERTC's error code; None if the error has no code."""
    name: str
    """Name of the error in the page. The default is the name of the Python class."""
    page_log: tuple[str, ...]
    """Last lines of the page's console."""

    def __init__(
        self, message: str, *, code: int | None = None, name: str | None = None, page_log: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.name = name or type(self).__name__
        self.page_log = tuple(page_log)


class InvalidStateError(PageError):
    """A call was made outside a room, or in a state of the recording that does not allow the call (NERTC 10454)."""


class NotSupportedError(PageError):
    """This browser can't record in the requested format, or is not based on Chromium (NERTC 10450)."""


class RecordingError(PageError):
    """The recording failed (NERTC 10452, 10453)."""

    recording: Recording | None = None
    """The part of the recording that was saved; None if nothing was saved."""


class DiskFullError(RecordingError):
    """The disk is full. The spool keeps the recorded data, and no partial file is published."""


class VerificationError(HarnessError):
    """A recording failed its checks. The message lists the failed findings."""


def not_supported(message: str, *, page_log: Sequence[str] = ()) -> NotSupportedError:
    """Return the error for a browser that can't record (NERTC 10450, RECORDING_NOT_SUPPORT)."""
    return NotSupportedError(message, code=10450, page_log=page_log)


def spool_error(message: str) -> RecordingError:
    """Return the error for a recording whose data the spool refused or lost (NERTC 10452, RECORDING_CACHE_ERROR)."""
    return RecordingError(message, code=10452)


def disk_full(message: str) -> DiskFullError:
    """Return the error for a disk without enough space for the recording (NERTC 10452, RECORDING_CACHE_ERROR)."""
    return DiskFullError(message, code=10452)


def recording_error(message: str, *, page_log: Sequence[str] = ()) -> RecordingError:
    """Return the error for a recording that failed while it was running (NERTC 10453, RECORDING_ERROR)."""
    return RecordingError(message, code=10453, page_log=page_log)


def page_error(
    *, message: str, code: int | None = None, name: str = "Error", page_log: Sequence[str] = ()
) -> HarnessError:
    """Return the Python error that corresponds to an error in the page."""
    if name == "ConfigError":
        return ConfigError(message)
    if name == "StepTimeout":
        return StepTimeout(message)
    classes: dict[str, type[PageError]] = {
        "InvalidStateError": InvalidStateError,
        "NotSupportedError": NotSupportedError,
        "RecordingError": RecordingError,
        "DiskFullError": DiskFullError,
    }
    return classes.get(name, PageError)(message, code=code, name=name, page_log=page_log)


def one_of(option: str, given: object, allowed: Collection[object]) -> None:
    """Raise ConfigError with the option's name unless ``given`` is one of the ``allowed`` values."""
    if given not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        message = f"{option}: {given!r} is not valid; choose one of {choices}."
        raise ConfigError(message)
