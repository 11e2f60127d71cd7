"""A fixture that makes ``verify`` read files in the test's own process, where coverage can be measured."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from harness.verification.analysis import analyze
from harness.verification.isolation.wire import ChildMessage, encode_report

if TYPE_CHECKING:
    from harness.verification.report.report import Report
    from harness.verification.request import VerifyRequest


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``verify`` read files in this process, because a confined child process can't report its coverage.

    The ``in_process`` fixture is meant for tests of measurements and checks. Tests of the process isolation do not use
    the ``in_process`` fixture. With the fixture, reports are still encoded and decoded as if a child process had sent
    them.
    """
    monkeypatch.setattr(import_module("harness.verification.verify"), "analyze_in_child", _analyze_here)


def _analyze_here(request: VerifyRequest) -> Report:
    report = ChildMessage.decode(encode_report(analyze(request, lambda *_: None))).result(request)
    assert report is not None
    assert not isinstance(report, OSError)
    return report
