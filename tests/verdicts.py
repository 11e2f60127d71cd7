"""What the tests of the calls ask of a recording, when another test may run beside them on the same machine."""

from pathlib import Path

from harness import Recording, Report, verify

# How smoothly it ran is asked by the tests that have the machine to themselves (marker real_time).
SMOOTHNESS = {"repeat", "av-offset"}


def whole(recording: Recording | Path) -> Report:
    """Judge a recording and return the report: everything is as it should be, except perhaps how smoothly it ran."""
    report = verify(recording)
    harm = [finding for finding in report.findings if not finding.ok and finding.check not in SMOOTHNESS]
    assert [] == harm
    return report
