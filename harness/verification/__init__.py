"""Verify recordings: measure what a file really contains, and check it against the manifest, limits and expectations.

``verify`` takes the path of a file and the caller's expectations, and returns a Report. A failed check is only reported
and does not raise an error. The command line, the pytest plugin, scenarios, the server's recording library and user
code call ``verify``.
"""

from harness.verification.report.report import Report
from harness.verification.values.expectations import Expectation
from harness.verification.values.findings import Finding
from harness.verification.values.limits import Limits
from harness.verification.values.models import ParticipantReport
from harness.verification.verify import verify, verify_together

__all__ = ["Expectation", "Finding", "Limits", "ParticipantReport", "Report", "verify", "verify_together"]
