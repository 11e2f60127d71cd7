"""The checks as data: a name, the limits it uses, and the function that turns evidence into findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.verification.checks import continuity, file, presence
from harness.verification.values.findings import CheckName, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits


@dataclass(frozen=True)
class Check:
    """One check; ``judge`` yields nothing where it does not apply, and else at least one finding."""

    name: CheckName
    asks: str
    judge: Callable[[Evidence, Limits], Iterator[Finding]]


CHECKS: Final = (
    Check("container", "Is it really the container that its name says, complete and seekable?", file.container),
    Check("size", "Does every picture have the size that was asked for?", file.size),
    Check("frame-rate", "Are there as many pictures a second as were asked for?", file.frame_rate),
    Check("gap", "Do the pictures stand on an exact grid, and does the sound go on without holes?", continuity.gap),
    Check("black", "Is there a picture as long as somebody should be seen?", continuity.black),
    Check("silent", "Is there sound as long as somebody should be heard?", continuity.silent),
    Check(
        "presence",
        "Is everybody seen in place, and heard, when manifest and caller say, and only then?",
        presence.presence,
    ),
    Check("freeze", "Does everybody's picture move?", presence.freeze),
    Check("repeat", "Is every picture of everybody shown once?", presence.repeat),
    Check("av-offset", "Are sound and picture of everybody together?", presence.av_offset),
    Check("drift", "Do they stay together?", presence.drift),
    Check("duration", "Do picture, sound, container and manifest last equally long?", file.duration),
    Check("intruder", "Is nobody in it who should not be?", presence.intruder),
    Check("hash", "Is it the very file that was recorded?", file.hash_),
    Check("complete", "Was the recording stopped by a call, without an alarm?", file.complete),
)


def judged(evidence: Evidence, limits: Limits) -> tuple[Finding, ...]:
    """Return the findings of all checks, in their order, and a warning that names the checks that could not run."""
    findings = tuple(finding for check in CHECKS for finding in check.judge(evidence, limits))
    ran = {finding.check for finding in findings}
    left = [check.name for check in CHECKS if check.name not in ran]
    if evidence.manifest or not left:
        return findings
    text = (
        "No manifest says what should be in it: whether every participant is visible and audible was not examined, and "
        f"these checks did not run: {', '.join(left)}."
    )
    return (*findings, Finding(check="presence", ok=True, warning=True, message=text))
