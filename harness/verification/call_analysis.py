"""Analyze several files of one call, one after another: observe each, put them onto one timeline, and check the call.

This module runs only in the child process that reads untrusted files.
"""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.recording.isolation.child import MEMORY
from harness.recording.manifest import Manifest, read_manifest
from harness.verification.assembly.call import CallOptions, assemble
from harness.verification.assembly.observed import ProgressReporter, observe
from harness.verification.assembly.placed import CallFile
from harness.verification.checks.catalogue import run_call_checks
from harness.verification.measures.curves import curves_of
from harness.verification.probe.probe import UnreadableError
from harness.verification.report.redaction import Redaction
from harness.verification.values.findings import Finding
from harness.verification.values.models import FileReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recording.manifest import AnyManifest
    from harness.verification.report.report import Report
    from harness.verification.request import VerifyRequest
    from harness.verification.sources import Source


def analyze_call(request: VerifyRequest, report_progress: Callable[[float, int], object]) -> Report:
    """Analyze the files of a call, and return one report.

    Call ``report_progress`` with the number of seconds that have been read in all files, and the number of the file.

    Raises OSError if a file can't be read.
    """
    reader = _CallReader(request, report_progress)
    files, unreadable = reader.read()
    request = reader.request
    failed = tuple(
        Finding(check="container", result="failed", file=request.display_sources[number].name, message=message)
        for number, message in sorted(unreadable.items())
    )
    if not files:
        return request.report(media=None, findings=failed)
    assembled = assemble(
        list(files.values()),
        CallOptions(
            path=request.display_path,
            manifest=reader.manifest,
            manifest_error=reader.manifest_error,
            expected_duration=request.duration,
            expect_complete=request.complete,
            expectations=request.expect,
            expected=request.expected,
        ),
    )
    findings = run_call_checks(assembled.call, assembled.files, request.limits)
    if reader.redaction:
        findings = reader.redaction.findings(findings)
    reports = dict(zip(files, assembled.reports, strict=True))
    return request.report(
        media=assembled.call.media,
        participants=tuple(participant.report for participant in assembled.call.participants),
        findings=(*failed, *reader.notes(), *findings),
        files=tuple(
            reports.get(number) or _unreadable_file(source) for number, source in enumerate(request.display_sources)
        ),
        curves=curves_of(assembled.call, request.limits),
    )


class _CallReader:
    """Reads the manifests and the media of a call. ``request`` has aliases in place of names if it is redacted."""

    def __init__(self, request: VerifyRequest, report_progress: Callable[[float, int], object]) -> None:
        self._report_progress = report_progress
        self.manifest, self.manifest_error = manifest_at(request.manifest_path)
        own = [_own_manifest(source, request) for source in request.sources]
        self.redaction = Redaction(None, request.redact) if request.redact else None
        if self.redaction:
            for manifest in (self.manifest, *(manifest for manifest, _ in own)):
                if manifest:
                    self.redaction.learn(manifest)
            self.manifest = self.redaction.manifest(self.manifest) if self.manifest else None
            self.manifest_error = "The manifest can't be read." if self.manifest_error else None
            aliases = tuple(self.redaction.alias(name) for name in request.expected)
            request = replace(request, expect=self.redaction.expectations(request.expect), expected=aliases)
            own = [
                (self._redacted(manifest), "The manifest can't be read." if error else None) for manifest, error in own
            ]
        self._own = own
        self._shown = request.display_sources
        self.request = request

    def read(self) -> tuple[dict[int, CallFile], dict[int, str]]:
        """Return the files that could be read, and a message about each other file, by the numbers of the sources."""
        files: dict[int, CallFile] = {}
        unreadable: dict[int, str] = {}
        seconds = 0.0
        for number, source in enumerate(self.request.sources):
            self._report_progress(seconds, number)
            name = self._shown[number].name
            manifest, error = self._own[number]
            progress = ProgressReporter(self._progress_in(number), base=seconds)
            try:
                observed = observe(source if source.pieces or source.clock else source.path, manifest, progress)
            except UnreadableError as problem:
                own_name = source.name if source.pieces or source.clock else source.path.name
                unreadable[number] = f"{name} {str(problem).removeprefix(f'{own_name} ')}"
                continue
            except MemoryError:
                unreadable[number] = f"{name} needs more than {MEMORY / 1e9:g} GB of memory to be read."
                continue
            finally:
                # A container and its streams form a reference cycle, which holds the decoder's memory.
                gc.collect()
            shown = replace(source, lost=self._shown[number].lost)
            files[number] = CallFile(shown, name, observed, manifest, error)
            seconds += observed.end - files[number].begins
        return files, unreadable

    def _progress_in(self, number: int) -> Callable[[float], object]:
        return lambda at: self._report_progress(at, number)

    def notes(self) -> Iterator[Finding]:
        """Yield the findings about playlists, with the names that the report shows."""
        shown = {one.path: other.path.name for one, other in zip(self.request.sources, self._shown, strict=True)}
        for path, note in self.request.notes:
            name = shown[path] if self.redaction else str(note.file)
            yield note.model_copy(update={"file": name, "message": f"{name}: {note.message}"})

    def _redacted(self, manifest: Manifest | None) -> Manifest | None:
        return self.redaction.manifest(manifest) if self.redaction and manifest else None


def _own_manifest(source: Source, request: VerifyRequest) -> tuple[Manifest | None, str | None]:
    """Return a file's own manifest, and the reason if it can't be used. A manifest of the whole call replaces it."""
    if request.manifest_path:
        return None, None
    manifest, error = manifest_at(source.manifest_path)
    if manifest is None or isinstance(manifest, Manifest):
        return manifest, error
    return None, f"{source.manifest_path} describes an observed call; specify it as the manifest of all files."


def _unreadable_file(source: Source) -> FileReport:
    return FileReport(
        name=source.name,
        path=source.path,
        start=None,
        end=None,
        aligned_by=None,
        media=None,
        segments=source.segments,
        lost_segments=len(source.lost),
    )


def manifest_at(path: Path | None) -> tuple[AnyManifest | None, str | None]:
    """Return (manifest, None), (None, reason) if the manifest can't be read, or (None, None) if it does not exist."""
    # Path.exists raises an error if the recording's name is so long that its manifest's name would be too long.
    if path is None or not os.path.exists(path):  # noqa: PTH110
        return None, None
    try:
        return read_manifest(path), None
    except ConfigError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{path} can't be read: {error.strerror}."
