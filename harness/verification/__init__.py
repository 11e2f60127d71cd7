"""The judge: what is really in a recorded file, and whether it is what it should be."""

from harness.verification.expectations import Expectation
from harness.verification.facts import Participant
from harness.verification.findings import Finding
from harness.verification.limits import Limits
from harness.verification.report import Report
from harness.verification.verdict import verify

__all__ = ["Expectation", "Finding", "Limits", "Participant", "Report", "verify"]
