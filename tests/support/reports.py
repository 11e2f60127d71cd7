"""Verify recordings in tests, without failures caused by a slow machine."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from harness import Limits, Recording, Report, verify
from harness.verification.values.models import ParticipantReport

# How smooth a recording is depends on the machine. Tests about smoothness check the whole report instead.
SMOOTHNESS_CHECKS = {"repeated", "av-offset", "delay"}
# Other recordings on the same processors can also make these checks fail, so the limits below are lenient.
BUSY_CHECKS = SMOOTHNESS_CHECKS | {"gap", "frozen"}
LENIENT_LIMITS = Limits(
    start=1,
    missed_percent=30,
    audio_gap=1,
    absence=1,
    frozen=1,
    repeated_percent=50,
    audio_early_ms=400,
    audio_late_ms=400,
    own_av_offset_ms=400,
    av_offset_p95_ms=1000,
    delay_ms=2000,
    delay_p95_ms=4000,
)


def failed_findings(answer: dict[str, Any], *, excused: set[str] = SMOOTHNESS_CHECKS) -> list[dict[str, Any]]:
    """Return the failed findings in the command line's JSON output, except the findings of smoothness checks."""
    findings = [finding for report in answer["reports"] for finding in report["findings"]]
    return [one for one in findings if one["result"] == "failed" and one["check"] not in excused]


def check_recording(recording: Recording | Path, *, crowded: bool = False, excused: Collection[str] = ()) -> Report:
    """Verify a recording and return its report.

    All checks except the smoothness checks and the ``excused`` checks must pass.
    """
    report = verify(recording, limits=LENIENT_LIMITS if crowded else Limits())
    may_fail = {*(BUSY_CHECKS if crowded else SMOOTHNESS_CHECKS), *excused}
    failed = [finding for finding in report.findings if finding.result == "failed" and finding.check not in may_fail]
    # The message is needed because pytest shows the values of a failed assertion only in test modules.
    assert [] == failed, failed
    return report


def audible_share(participant: ParticipantReport, start: float, end: float) -> float:
    """Return the share of the time from ``start`` to ``end`` (in seconds) in which a participant is audible."""
    intervals = participant.audio.audible if participant.audio else []
    return sum(max(0.0, min(until, end) - max(since, start)) for since, until in intervals) / (end - start)
