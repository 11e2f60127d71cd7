"""Verify a recording: from its path to its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from harness.errors import ConfigError, HarnessError
from harness.recording.files.names import manifest_of
from harness.recording.recording import Recording, check_file
from harness.verification.isolation.readers import analyze_in_child
from harness.verification.report.failure import failed_report
from harness.verification.report.redaction import STEM
from harness.verification.request import VerifyRequest
from harness.verification.values.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.verification.report.report import Report
    from harness.verification.values.expectations import Expectation


class VerifyOptions(TypedDict, total=False):
    """The options of ``verify``, all of which may be omitted."""

    manifest: Path | str | None
    duration: float | None
    limits: Limits | None
    expect: Sequence[Expectation]
    complete: bool
    redact: bool | str


def verify(recording: Recording | Path | str, **options: Unpack[VerifyOptions]) -> Report:
    """Return the report on a recording: what the file contains, compared with its manifest and with the options.

    - ``manifest``: path of the manifest; by default the file of that name next to the recording, if there is one.
    - ``duration``: expected duration in seconds.
    - ``limits``: Limits of the checks.
    - ``expect``: Expectations: which participants should be visible or audible, and when.
    - ``complete``: whether to fail if no call stopped the recording, or if an alarm was raised while it ran.
    - ``redact``: whether the report can be shared: it names neither participants nor files and shows no video. A
      string is the name of the file in the report.

    Media that can't be read gives a failed report: it is read in a process of its own, with limits on memory and time.

    Raises ConfigError if there is no file to read, if the duration is not possible or if an expectation covers too
    short a time; raises SetupError if the process that reads the file can't be started.
    """
    if unknown := sorted(options.keys() - VerifyOptions.__optional_keys__):
        message = f"verify() got an unexpected keyword argument {unknown[0]!r}"
        raise TypeError(message)
    request = _request(recording, options)
    check_options(request.duration, request.limits, request.expect)
    check_file(request.path)
    try:
        return analyze_in_child(request)
    except OSError as error:
        message = f"{request.path} can't be read: {error.strerror}."
        raise ConfigError(message) from error


def _request(recording: Recording | Path | str, options: VerifyOptions) -> VerifyRequest:
    path = (recording.path if isinstance(recording, Recording) else Path(recording)).absolute()
    manifest_path = recording.manifest if isinstance(recording, Recording) else manifest_of(path)
    if (manifest := options.get("manifest")) is not None:
        manifest_path = Path(manifest).absolute()
    redact = options.get("redact", False)
    return VerifyRequest(
        path=path,
        manifest_path=manifest_path,
        duration=options.get("duration"),
        limits=options.get("limits") or Limits(),
        expect=tuple(options.get("expect", ())),
        complete=options.get("complete", False),
        redact=STEM if redact is True else redact or None,
    )


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


def check_options(duration: float | None, limits: Limits, expect: Sequence[Expectation]) -> None:
    """Raise ConfigError for options that no recording can meet."""
    if duration is not None and not 0 <= duration < float("inf"):
        message = f"duration: {duration!r} is not possible; specify 0 seconds or more."
        raise ConfigError(message)
    for one in expect:
        if problem := one.problem(limits):
            message = f"expect: {problem}."
            raise ConfigError(message)
