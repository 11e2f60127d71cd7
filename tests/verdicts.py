"""What the tests of the calls ask of a recording, on whatever machine they run."""

from pathlib import Path

from harness import Limits, Recording, Report, verify

# How smoothly it ran depends on the machine; tests that are about it ask for the whole verdict.
SMOOTHNESS = {"repeat", "av-offset"}
# What others who record on the same processors can do to it, too.
CROWDED = SMOOTHNESS | {"gap", "freeze"}
LATE = Limits(repeat_percent=50, av_offset_ms=400, own_av_offset_ms=400, missed_percent=30, freeze=1)


def whole(recording: Recording | Path, *, excused: set[str] = SMOOTHNESS) -> Report:
    """Judge a recording and return the report: everything is as it should be, except perhaps how smoothly it ran."""
    report = verify(recording)
    harm = [finding for finding in report.findings if not finding.ok and finding.check not in excused]
    # No test module, so the assertion has to say itself what it found.
    assert [] == harm, harm
    return report
