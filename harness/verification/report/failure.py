"""A failed report on a file that can't be read, so that the other files of a run keep their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.recording.files.text import printable
from harness.recording.timeline import LONGEST_TEXT
from harness.verification.report.redaction import STEM, unnamed
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from pathlib import Path


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
