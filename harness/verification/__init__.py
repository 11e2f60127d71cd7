"""The judge: what is really in a recorded file, and whether it is what it should be."""

from harness.verification.report.report import Report
from harness.verification.values.expectations import Expectation
from harness.verification.values.findings import Finding
from harness.verification.values.limits import Limits
from harness.verification.values.models import ParticipantReport
from harness.verification.verify import verify

__all__ = ["Expectation", "Finding", "Limits", "ParticipantReport", "Report", "verify"]
