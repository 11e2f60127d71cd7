"""Write reports as JUnit XML, which every CI server can read.

Each recording is a test suite, and each check is a test case.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from harness.verification.report.target import XML, write_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.verification.report.report import Report
    from harness.verification.values.findings import Finding

# XML 1.0 does not allow control characters, not even escaped ones.
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(reports: Sequence[Report], target: Path, *, broken: Mapping[str, str] | None = None) -> None:
    """Write the findings of all reports to ``target``.

    ``broken`` maps each file without a report to its error message.
    """
    suites = ET.Element("testsuites", name="harness")
    for report in reports:
        suites.append(_suite(report))
    for name, reason in (broken or {}).items():
        suite = ET.SubElement(suites, "testsuite", name=_text(name), tests="1", failures="0", errors="1")
        case = ET.SubElement(suite, "testcase", classname=_text(name), name="steps")
        ET.SubElement(case, "error", message=_text(reason), type="steps").text = _text(reason)
    for count in ("tests", "failures", "errors", "skipped"):
        suites.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    ET.indent(suites)
    write_report(target, XML, ET.tostring(suites, encoding="utf-8", xml_declaration=True).decode())


def _suite(report: Report) -> ET.Element:
    cases: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in report.findings:
        cases.setdefault((finding.check, finding.participant or finding.file), []).append(finding)
    suite = ET.Element("testsuite", name=_text(report.title), tests=str(len(cases)))
    failures = skipped = 0
    for (check, subject), findings in cases.items():
        name = f"{check} ({subject})" if subject else check
        case = ET.SubElement(suite, "testcase", classname=_text(report.path.stem), name=_text(name))
        failed = [finding for finding in findings if finding.result == "failed"]
        if failed:
            failures += 1
            failure = ET.SubElement(case, "failure", message=_text(failed[0].message), type=check)
            failure.text = _text("\n".join(finding.message for finding in failed))
        unverified = [finding for finding in findings if finding.result == "unverified"]
        if unverified and not failed:
            skipped += 1
            ET.SubElement(case, "skipped", message=_text("\n".join(finding.message for finding in unverified)))
        warned = [finding for finding in findings if finding.result == "warning"]
        if warned:
            ET.SubElement(case, "system-out").text = _text("\n".join(finding.message for finding in warned))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    return suite


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
