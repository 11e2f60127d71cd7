"""Verify a recording, and return its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from harness.errors import ConfigError, HarnessError
from harness.recording.files.names import manifest_of
from harness.recording.files.text import printable
from harness.recording.recording import Recording, check_file
from harness.verification.isolation.readers import analyze_in_child
from harness.verification.playlists.folder import is_folder_of_a_call
from harness.verification.playlists.inputs import call_sources
from harness.verification.report.failure import failed_report
from harness.verification.report.redaction import STEM
from harness.verification.request import VerifyRequest
from harness.verification.values.profiles import DEFAULT_PROFILE, Profile, chosen_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.verification.report.report import Report
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


class VerifyOptions(TypedDict, total=False):
    """The options of ``verify``. All options may be omitted."""

    manifest: Path | str | None
    """Path of the manifest. The default is the file ``NAME.manifest.json`` next to the recording, if it exists. If the
    manifest is an observation (``Room.observe``), the file may come from any recorder, and may cover only a part of the
    observed call."""
    duration: float | None
    """Expected duration in seconds. The durations in the manifest and the container are always checked."""
    limits: Limits | None
    """Limits of the checks. The default is ``Limits()``."""
    profile: str | None
    """Name of the limits. Without ``limits``, the name selects the limits: ``"default"`` or ``"strict"``. With
    ``limits``, the report shows this name for the given limits."""
    expect: Sequence[Expectation]
    """Expectations about which participants are visible or audible, and when, in addition to the manifest."""
    expected: Sequence[str]
    """Names of participants who must be in the call for the whole recording. An expected participant may be muted, and
    may have the camera off."""
    complete: bool
    """Whether the report fails if the recording was not stopped normally or an alarm was raised during the recording.
    By default, an abnormal stop or an alarm is only reported as a warning."""
    track: int | None
    """Number of the video or audio track to examine, counting from 0, as in the report's list of tracks. By default,
    the checks examine the file's default tracks, or the first ones."""
    redact: bool | str
    """Whether the report leaves out all names of participants and files, and all of the recording's video, so that the
    report can be shared. A string specifies the name of the file in the report. The default is False."""


def verify(recording: Recording | Path | str, **options: Unpack[VerifyOptions]) -> Report:
    """Verify a recording: compare the contents of the file with its manifest and the options, and return the report.

    A separate process with limited memory and time reads the file. If the file's media can't be read, a failed report
    is returned.

    Args:
        recording: The recording, or the path of any media file.

    Raises:
        ConfigError: The file or the given manifest does not exist or can't be read, ``duration``, ``expected``,
            ``track`` or ``profile`` is not valid, or an expectation covers too short a time.
        SetupError: The process that reads the file can't be started.
    """
    _check_names(options)
    request = _request(recording, options)
    if is_folder_of_a_call(request.path):
        message = (
            f"{request.path} is a folder; to verify the files in it as one call, use 'harness verify --together' or "
            "verify_together()."
        )
        raise ConfigError(message)
    return _analyzed(request, options)


def verify_together(recordings: Sequence[Recording | Path | str], **options: Unpack[VerifyOptions]) -> Report:
    """Verify several files of one call, and return one report on one timeline.

    The files can be the parts of a split recording, one file for each participant, or HLS and DASH playlists. They are
    put onto one timeline by the capture times in their markers, by the playlists, or by the start times that they
    state. A separate process with limited memory and time reads one file after another.

    Args:
        recordings: Recordings, or paths of media files, playlists (.m3u8, .mpd), or folders with either. ``manifest``
            is a manifest of the whole call; without it, the manifests next to the files are joined. ``track`` can't
            be used.

    Raises:
        ConfigError: A path does not exist or is used twice, a playlist can't be used, or an option is not valid.
        SetupError: The process that reads the files can't be started.
    """
    _check_names(options)
    if options.get("track") is not None:
        message = "track: a track can't be chosen for several files; verify the file with this track on its own."
        raise ConfigError(message)
    if isinstance(recordings, str | Path | Recording):
        message = f"recordings: {recordings!r} is not valid; give a list of files, for example ['a.webm', 'b.webm']."
        raise ConfigError(message)
    paths = [(one.path if isinstance(one, Recording) else Path(one)).absolute() for one in recordings]
    sources, notes = call_sources(paths)
    request = _request(paths[0], options)
    own = manifest_of(paths[0])
    # A playlist has no manifest of its own, so the manifest with its name describes the call.
    only = own if len(paths) == 1 and all(one.clock for one in sources) and own.is_file() else None
    manifest = request.manifest_path if options.get("manifest") is not None else only
    request = replace(request, sources=sources, notes=notes, manifest_path=manifest)
    return _analyzed(request, options)


def _check_names(options: VerifyOptions) -> None:
    if unknown := sorted(options.keys() - VerifyOptions.__optional_keys__):
        message = f"verify() got an unexpected keyword argument {unknown[0]!r}"
        raise TypeError(message)


def _analyzed(request: VerifyRequest, options: VerifyOptions) -> Report:
    """Check the options, and return the report. Raises ConfigError or SetupError."""
    if isinstance(options.get("expected", ()), str):
        message = f"expected: {options['expected']!r} is not valid; give a list of names, for example ['alice', 'bob']."
        raise ConfigError(message)
    check_options(request.duration, request.limits, request.expect)
    if request.track is not None and request.track < 0:
        message = f"track: {request.track!r} is not valid; give the number of a track, counting from 0."
        raise ConfigError(message)
    if not request.sources:
        check_file(request.path)
    if options.get("manifest") is not None and request.manifest_path is not None:
        check_file(request.manifest_path, "a manifest")
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
    profile = chosen_profile(options.get("limits"), options.get("profile"))
    return VerifyRequest(
        path=path,
        manifest_path=manifest_path,
        duration=options.get("duration"),
        limits=profile.limits,
        expect=tuple(options.get("expect", ())),
        # A manifest stores names in printable form, so the expected names need the same form.
        expected=tuple(printable(name) for name in dict.fromkeys(options.get("expected", ()))),
        complete=options.get("complete", False),
        track=options.get("track"),
        profile=profile.name,
        redact=STEM if redact is True else redact or None,
    )


def verify_safely(
    recording: Recording,
    *,
    duration: float | None = None,
    profile: Profile = DEFAULT_PROFILE,
    expect: Sequence[Expectation] = (),
    expected: Sequence[str] = (),
) -> Report:
    """Verify a recording. If ``verify`` raises an error, return a failed report that contains the error's message."""
    try:
        return verify(
            recording,
            duration=duration,
            limits=profile.limits,
            profile=profile.name,
            expect=expect,
            expected=expected,
        )
    except HarnessError as error:
        return failed_report(recording.path, str(error), profile=profile.name)
    except OSError as error:
        return failed_report(recording.path, f"{error.strerror or error}.", profile=profile.name)


def check_options(duration: float | None, limits: Limits, expect: Sequence[Expectation]) -> None:
    """Raise ConfigError for options that no recording can satisfy."""
    if duration is not None and not 0 <= duration < float("inf"):
        message = f"duration: {duration!r} is not valid; specify 0 seconds or more."
        raise ConfigError(message)
    for one in expect:
        if problem := one.problem(limits):
            message = f"expect: {problem}."
            raise ConfigError(message)
