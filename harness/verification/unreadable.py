"""failed: reports on files that can't be read, so that the others of a run keep theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.recording.files.text import printable
from harness.recording.timeline import LONGEST_TEXT
from harness.verification.report.redaction import STEM, unnamed
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding
from harness.verification.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


def report_on(
    recording: Recording,
    *,
    duration: float | None = None,
    limits: Limits | None = None,
    expect: Sequence[Expectation] = (),
) -> Report:
    """Return what ``verify`` returns; where that raises an error, a report that failed for it."""
    try:
        return verify(recording, duration=duration, limits=limits, expect=expect)
    except HarnessError as error:
        return failed_report(recording.path, str(error))
    except OSError as error:
        return failed_report(recording.path, f"{error.strerror or error}.")


def failed_report(path: Path, reason: str, *, redact: bool | str = False) -> Report:
    """Return a report that failed for ``reason``; with ``redact`` it names no file, as in ``verify``.

    ``reason`` is an error's message. Where it begins with the path, the report has the file's name there instead.
    """
    path = path.absolute()
    named = unnamed(path, STEM if redact is True else redact) if redact else path
    begins = next((one for one in (f"{path} ", f"{path.name} ") if reason.startswith(one)), None)
    if begins:
        message = f"{named.name} {reason.removeprefix(begins)}"
    elif redact:
        # The reason may say where the file is stored.
        message = f"{named.name} could not be read."
    else:
        message = f"{named.name} could not be read: {reason}"
    finding = Finding(check="container", ok=False, message=printable(message)[:LONGEST_TEXT])
    return Report(path=named, media=None, findings=(finding,), redacted=bool(redact))
