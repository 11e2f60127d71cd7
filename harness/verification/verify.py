"""verify: from a path to a report, whatever lies there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ConfigError, HarnessError
from harness.recording.files.names import manifest_of
from harness.recording.recording import Recording, check_file
from harness.verification.isolation.readers import judge_apart
from harness.verification.report.failure import failed_report
from harness.verification.report.redaction import STEM
from harness.verification.request import Question
from harness.verification.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.verification.report.report import Report
    from harness.verification.values.expectations import Expectation


def verify(
    recording: Recording | Path | str,
    *,
    manifest: Path | str | None = None,
    duration: float | None = None,
    limits: Limits | None = None,
    expect: Sequence[Expectation] = (),
    complete: bool = False,
    redact: bool | str = False,
) -> Report:
    """Return the verdict on a recording, by what is in the file and in the manifest beside it, if there is one.

    ``manifest`` is where that lies, if not beside the file by its name. ``duration`` is how long it should last, in
    seconds, and ``expect`` who should be seen or heard when. With ``complete`` a recording fails that no call stopped,
    or during which an alarm was raised. With ``redact`` the report can be shared: it names neither people nor
    files, and shows no picture; a text is what the file is called in it. Bad media gives a report that says so: it is
    read in a process of its own, with limits on memory and time.

    Raises ConfigError where there is no file to read, a duration that can't be, or an expectation for too short a time
    to tell, and SetupError where no process that reads can be started.
    """
    allowed = limits or Limits()
    check_question(duration, allowed, expect)
    path = (recording.path if isinstance(recording, Recording) else Path(recording)).absolute()
    beside = recording.manifest if isinstance(recording, Recording) else manifest_of(path)
    if manifest is not None:
        beside = Path(manifest).absolute()
    check_file(path)
    question = Question(
        path=path,
        beside=beside,
        duration=duration,
        limits=allowed,
        expect=tuple(expect),
        complete=complete,
        redact=STEM if redact is True else redact or None,
    )
    try:
        return judge_apart(question)
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}."
        raise ConfigError(message) from error


def verify_safely(
    recording: Recording,
    *,
    duration: float | None = None,
    limits: Limits | None = None,
    expect: Sequence[Expectation] = (),
) -> Report:
    """Return what ``verify`` returns; if that raises an error, return a failed report with its message."""
    try:
        return verify(recording, duration=duration, limits=limits, expect=expect)
    except HarnessError as error:
        return failed_report(recording.path, str(error))
    except OSError as error:
        return failed_report(recording.path, f"{error.strerror or error}.")


def check_question(duration: float | None, limits: Limits, expect: Sequence[Expectation]) -> None:
    """Raise ConfigError for what can be asked of no recording."""
    if duration is not None and not 0 <= duration < float("inf"):
        message = f"duration: {duration!r} is not possible; give seconds from 0 up."
        raise ConfigError(message)
    for one in expect:
        if problem := one.problem(limits):
            message = f"expect: {problem}."
            raise ConfigError(message)
