"""The checks as data: a name, the limits it uses, and the function that turns evidence into findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.verification import file_checks, flow_checks, person_checks
from harness.verification.findings import CheckName, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.verification.evidence import Evidence
    from harness.verification.limits import Limits


@dataclass(frozen=True)
class Check:
    """One check; ``judge`` yields nothing where it does not apply, and else at least one finding."""

    name: CheckName
    asks: str
    judge: Callable[[Evidence, Limits], Iterator[Finding]]


CHECKS: Final = (
    Check("container", "Is it really the container that its name says, complete and seekable?", file_checks.container),
    Check("size", "Does every picture have the size that was asked for?", file_checks.size),
    Check("frame-rate", "Are there as many pictures a second as were asked for?", file_checks.frame_rate),
    Check("gap", "Do the pictures stand on an exact grid, and does the sound go on without holes?", flow_checks.gap),
    Check("black", "Is there a picture as long as somebody should be seen?", flow_checks.black),
    Check("silent", "Is there sound as long as somebody should be heard?", flow_checks.silent),
    Check(
        "presence",
        "Is everybody seen in place, and heard, when manifest and caller say, and only then?",
        person_checks.presence,
    ),
    Check("freeze", "Does everybody's picture move?", person_checks.freeze),
    Check("repeat", "Is every picture of everybody shown once?", person_checks.repeat),
    Check("av-offset", "Are sound and picture of everybody together?", person_checks.av_offset),
    Check("drift", "Do they stay together?", person_checks.drift),
    Check("duration", "Do picture, sound, container and manifest last equally long?", file_checks.duration),
    Check("intruder", "Is nobody in it who should not be?", person_checks.intruder),
    Check("hash", "Is it the very file that was recorded?", file_checks.hash_),
    Check("complete", "Was the recording stopped by a call, without an alarm?", file_checks.complete),
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
