"""What tests expect of a recording, on any machine."""

from pathlib import Path
from typing import Any

from harness import Limits, Recording, Report, verify

# How smoothly it ran depends on the machine; tests that are about it ask for the whole verdict.
SMOOTHNESS_CHECKS = {"repeated", "av-offset"}
# What others who record on the same processors can do to it, too; and for how long, where there is no list of excuses.
BUSY_CHECKS = SMOOTHNESS_CHECKS | {"gap", "frozen"}
LENIENT_LIMITS = Limits(
    start=1,
    missed_percent=30,
    audio_gap=1,
    absence=1,
    frozen=1,
    repeated_percent=50,
    av_offset_ms=400,
    own_av_offset_ms=400,
)


def failed_findings(answer: dict[str, Any], *, excused: set[str] = SMOOTHNESS_CHECKS) -> list[dict[str, Any]]:
    """Return the failed findings in the JSON of the command line, except those about smoothness."""
    findings = [finding for report in answer["reports"] for finding in report["findings"]]
    return [one for one in findings if not one["ok"] and one["check"] not in excused]


def check_recording(recording: Recording | Path, *, crowded: bool = False) -> Report:
    """Verify a recording and return its report: all checks passed, except perhaps those about smoothness."""
    report = verify(recording, limits=LENIENT_LIMITS if crowded else Limits())
    excused = BUSY_CHECKS if crowded else SMOOTHNESS_CHECKS
    harm = [finding for finding in report.findings if not finding.ok and finding.check not in excused]
    # No test module, so the assertion has to say itself what it found.
    assert [] == harm, harm
    return report
