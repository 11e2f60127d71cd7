"""Repeat a failed test once if the machine was too busy to record, and list all repeated tests in the summary.

A failed test is repeated only if the manifest of one of its recordings shows that the machine starved the recording.
All other failures count at once, and so do those of tests with the marker ``starves``, which starve their recordings
themselves. If the recording was made by a fixture that the tests of a module share, the fixture
is set up again before the first repeated test of the module.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from pathlib import Path

# A recording was starved if it missed more than this share of its ticks, if a participant painted as many frames late,
# or if other virtual machines or the limit of the control group took more than this share of the recorded time.
_MISSED: Final = 0.02
_TAKEN: Final = 0.01
_REPEATED: Final = "repeated"
# When the first test of each module began, for modules whose tests share fixtures; 0 after the fixtures were set up
# again.
_BEGAN: Final[dict[str, float]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test. If it fails and one of its recordings was starved, run it again, and report only the second run."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    module = item.location[0]
    began = time.time()
    shared = _BEGAN.setdefault(module, began) if _shares_fixtures(item) else 0
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    failed = any(report.failed for report in reports) and item.get_closest_marker("starves") is None
    if failed and (reason := _starved(item.config, shared or began)):
        if shared:
            _BEGAN[module] = 0
            item.session._setupstate.teardown_exact(_test_elsewhere(item))
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        reports[-1].user_properties.append((_REPEATED, reason))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List all repeated tests, with the reason for each."""
    reports = [one for kind in terminalreporter.stats.values() for one in kind if isinstance(one, pytest.TestReport)]
    repeated = [
        f"{report.nodeid}: {reason}"
        for report in reports
        for name, reason in report.user_properties
        if name == _REPEATED and report.when == "teardown"
    ]
    if repeated:
        terminalreporter.section("repeated because the machine was too busy to record")
        for line in repeated:
            terminalreporter.write_line(line)


def _shares_fixtures(item: pytest.Item) -> bool:
    """Return whether a test uses fixtures that the tests of its module share."""
    info = getattr(item, "_fixtureinfo", None)
    return info is not None and any(
        definition.scope == "module" for found in info.name2fixturedefs.values() for definition in found
    )


def _test_elsewhere(item: pytest.Item) -> pytest.Item | None:
    """Return a test of another module. Until it runs, pytest keeps only the fixtures of the session."""
    return next((one for one in item.session.items if one.location[0] != item.location[0]), None)


def _starved(config: pytest.Config, started: float) -> str | None:
    """Return how the machine starved one of the recordings that were made since ``started``, or None."""
    folder: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    for path in folder.glob("**/*.manifest.json"):
        if path.stat().st_mtime >= started and (reason := _reason(json.loads(path.read_text(encoding="utf-8")))):
            return f"{path.name.removesuffix('.manifest.json')} {reason}"
    return None


def _reason(manifest: dict[str, Any]) -> str | None:
    ticks, missed = manifest.get("ticks", 0), manifest.get("ticks_missed", 0)
    if missed > _MISSED * ticks:
        return f"missed {missed} of {ticks} ticks"
    late: Counter[str] = Counter()
    for event in manifest.get("timeline", {}).get("events", ()):
        if event["event"] == "late-frames":
            late[event["participant"]] += len(event["counters"])
    for participant, count in late.most_common(1):
        # A single late frame explains no failure, not even in a short recording.
        if count > max(1, _MISSED * ticks):
            return f"contains {ticks} ticks, and {participant} painted {count} frames late"
    seconds = manifest.get("wall_seconds") or 0
    taken = (manifest.get("throttled_seconds") or 0) + (manifest.get("stolen_seconds") or 0)
    return f"lost {taken:.2f} of {seconds:.1f} s of CPU time" if seconds and taken > _TAKEN * seconds else None
