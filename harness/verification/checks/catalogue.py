"""List all checks, each with its name, the question that it answers, and the function that produces its findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.verification.checks import (
    audio,
    call,
    container,
    content,
    continuity,
    file,
    presence,
    smoothness,
    timing,
)
from harness.verification.measures.alignment.alignment import Unaligned
from harness.verification.values.findings import CheckName, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.verification.measures.evidence import Evidence, Scope
    from harness.verification.values.limits import Limits


@dataclass(frozen=True)
class Check:
    """One check; its ``run`` yields at least one finding, or none if the check does not apply to the file.

    If several files are verified as one call, ``scopes`` states whether the check runs on each file, on the call, or on
    both.
    """

    name: CheckName
    question: str
    run: Callable[[Evidence, Limits], Iterator[Finding]]
    scopes: tuple[Scope, ...] = ("call",)


_EACH_FILE: Final[tuple[Scope, ...]] = ("file",)
_BOTH: Final[tuple[Scope, ...]] = ("file", "call")

CHECKS: Final = (
    Check(
        "container",
        "Does the format match the file's suffix, and is the file complete and seekable?",
        container.container,
        _EACH_FILE,
    ),
    Check("timeline", "Could all files of the call be put onto one timeline?", file.timeline),
    Check("size", "Does every frame have the requested size?", file.size, _EACH_FILE),
    Check("frame-rate", "Does the file have the requested frame rate?", file.frame_rate, _EACH_FILE),
    Check("gap", "Are the frames evenly spaced, and is the audio free of gaps?", continuity.gap, _BOTH),
    Check(
        "black", "Is the video free of black intervals while a participant should be visible?", continuity.black, _BOTH
    ),
    Check("silent", "Is the audio free of silence while a participant should be audible?", continuity.silent, _BOTH),
    Check("clipping", "Is the audio free of clipping?", audio.clipping, _EACH_FILE),
    Check("noise", "Is synthetic audio free of noise, distortion, clicks and echo?", audio.noise, _EACH_FILE),
    Check(
        "channels",
        "Do the left and right channels contain audio, and can all channels be mixed without canceling out?",
        audio.channels,
        _EACH_FILE,
    ),
    Check(
        "alignment",
        "Which part of the observed call does another recorder's file cover?",
        call.alignment,
    ),
    Check(
        "presence",
        "Is every participant visible in the right tile, and audible, exactly when expected?",
        presence.presence,
    ),
    Check("call", "Was the page in the call for the whole recording?", call.call),
    Check(
        "start-up", "Do every participant's video and audio appear soon after the participant joins?", timing.start_up
    ),
    Check("frozen", "Is every participant's video free of freezes?", smoothness.frozen),
    Check(
        "content",
        "Is each participant's whole video correct: the right colors, movement, and no black parts?",
        content.content,
        _BOTH,
    ),
    Check(
        "shape",
        "Is each participant's video upright, not mirrored, and neither too wide nor too narrow?",
        content.shape,
    ),
    Check("repeated", "Does the file show every frame of each participant exactly once?", smoothness.repeated),
    Check("av-offset", "Are every participant's audio and video in sync?", smoothness.av_offset),
    Check("drift", "Do every participant's audio and video stay in sync?", smoothness.drift),
    Check(
        "delay",
        "Do every participant's video and audio appear in the file soon after they are captured?",
        timing.delay,
    ),
    Check("level", "Is every participant as loud as expected?", audio.level),
    Check("duration", "Do video, audio, container and manifest have the same duration?", file.duration, _BOTH),
    Check("unexpected", "Does the file contain only participants who should be in it?", presence.unexpected),
    Check("hash", "Is the file identical to the one that was recorded?", file.hash_, _BOTH),
    Check("complete", "Was the recording stopped normally and without alarms?", file.complete, _BOTH),
)


def run_checks(evidence: Evidence, limits: Limits) -> tuple[Finding, ...]:
    """Run all checks, and return their findings in the order of CHECKS.

    If there is no manifest, or if the file can't be aligned with an observation, the findings include an unverified one
    that lists the checks that did not run.
    """
    findings = tuple(finding for check in CHECKS for finding in check.run(evidence, limits))
    return (*findings, *_unknown_participants(evidence, findings))


def run_call_checks(call: Evidence, files: Sequence[Evidence], limits: Limits) -> tuple[Finding, ...]:
    """Run all checks on each file of a call and on the whole call, and return their findings in the order of CHECKS.

    Findings about one file name the file.
    """
    findings = tuple(
        finding if evidence is call else _about(evidence.name, finding)
        for check in CHECKS
        for evidence in (*files, call)
        if evidence.scope in check.scopes
        for finding in check.run(evidence, limits)
    )
    return (*findings, *_unknown_participants(call, findings))


def _about(file: str, finding: Finding) -> Finding:
    message = finding.message if file in finding.message else f"{file}: {finding.message}"
    return finding.model_copy(update={"file": file, "message": message})


def _unknown_participants(evidence: Evidence, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield a finding that lists the checks that did not run, if there is no manifest, or if it does not fit."""
    if evidence.manifest:
        return
    ran = {finding.check for finding in findings}
    check, reason, remedy = _no_manifest(evidence)
    missing = [one.name for one in CHECKS if one.name not in {*ran, "alignment", "timeline"}]
    text = (
        f"{reason}, so it is unknown who should be visible and audible, and when. These checks did not run: "
        f"{', '.join(missing)}. {remedy}"
    )
    yield Finding(check=check, result="unverified", message=text)


def _no_manifest(evidence: Evidence) -> tuple[CheckName, str, str]:
    """Return why the file is not compared with a manifest: the check to name, the reason, and what to do about it."""
    if isinstance(evidence.alignment, Unaligned):
        reason = f"The recording can't be aligned with the observed call ({evidence.alignment.reason.rstrip('.')})"
        return "alignment", reason, "Check that the manifest belongs to the recorded call."
    remedy = "Keep NAME.manifest.json next to the recording, or specify the manifest's path."
    return "presence", "There is no valid manifest", remedy
