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
from harness.verification.values.findings import CheckName, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits


@dataclass(frozen=True)
class Check:
    """One check; its ``run`` yields at least one finding, or none if the check does not apply to the file."""

    name: CheckName
    question: str
    run: Callable[[Evidence, Limits], Iterator[Finding]]


CHECKS: Final = (
    Check(
        "container",
        "Does the format match the file's suffix, and is the file complete and seekable?",
        container.container,
    ),
    Check("size", "Does every frame have the requested size?", file.size),
    Check("frame-rate", "Does the file have the requested frame rate?", file.frame_rate),
    Check("gap", "Are the frames evenly spaced, and is the audio free of gaps?", continuity.gap),
    Check("black", "Is the video free of black intervals while a participant should be visible?", continuity.black),
    Check("silent", "Is the audio free of silence while a participant should be audible?", continuity.silent),
    Check("clipping", "Is the audio free of clipping?", audio.clipping),
    Check("noise", "Is synthetic audio free of noise, distortion, clicks and echo?", audio.noise),
    Check(
        "channels",
        "Do the left and right channels contain audio, and can all channels be mixed without canceling out?",
        audio.channels,
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
    Check("duration", "Do video, audio, container and manifest have the same duration?", file.duration),
    Check("unexpected", "Does the file contain only participants who should be in it?", presence.unexpected),
    Check("hash", "Is the file identical to the one that was recorded?", file.hash_),
    Check("complete", "Was the recording stopped normally and without alarms?", file.complete),
)


def run_checks(evidence: Evidence, limits: Limits) -> tuple[Finding, ...]:
    """Run all checks, and return their findings in the order of CHECKS.

    If there is no manifest, the findings include an unverified one that lists the checks that did not run.
    """
    findings = tuple(finding for check in CHECKS for finding in check.run(evidence, limits))
    if evidence.manifest:
        return findings
    ran = {finding.check for finding in findings}
    missing = [check.name for check in CHECKS if check.name not in ran]
    text = (
        "There is no valid manifest, so it is unknown who should be visible and audible, and when. These checks did "
        f"not run: {', '.join(missing)}. Keep NAME.manifest.json next to the recording, or specify the manifest's path."
    )
    return (*findings, Finding(check="presence", result="unverified", message=text))
