"""Create a failed report on a file that can't be read, so that a run can continue with its other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.recording.files.text import printable
from harness.recording.timeline import LONGEST_TEXT
from harness.verification.report.redaction import STEM, redacted_path
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding
from harness.verification.values.profiles import DEFAULT, shown_name

if TYPE_CHECKING:
    from pathlib import Path


def failed_report(path: Path, reason: str, *, redact: bool | str = False, profile: str = DEFAULT) -> Report:
    """Return a failed report that contains an error message.

    ``redact`` has the same meaning as in ``verify``, and ``profile`` is the name of the requested limits. If the error
    message ``reason`` starts with the file's path, the path is replaced by the file's name.
    """
    path = path.absolute()
    shown = redacted_path(path, STEM if redact is True else redact) if redact else path
    prefix = next((one for one in (f"{path} ", f"{path.name} ") if reason.startswith(one)), None)
    if prefix:
        message = f"{shown.name} {reason.removeprefix(prefix)}"
    elif redact:
        # The reason may contain the location of the file.
        message = f"{shown.name} could not be read."
    else:
        message = f"{shown.name} could not be read: {reason}"
    finding = Finding(check="container", result="failed", message=printable(message)[:LONGEST_TEXT])
    return Report(
        path=shown,
        media=None,
        findings=(finding,),
        profile=shown_name(profile, redacted=bool(redact)),
        redacted=bool(redact),
    )
