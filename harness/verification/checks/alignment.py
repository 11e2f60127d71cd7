"""Report which part of an observed call another recorder's file covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.verification.measures.alignment.alignment import Alignment
from harness.verification.values.findings import Examined, Finding, milliseconds, passed, span
from harness.verification.values.intervals import longer, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits


def alignment(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Report the covered part of the observed call, and warn about the parts of the file that were not observed.

    If the file can't be aligned with the call, ``run_checks`` reports the reason.
    """
    found = evidence.alignment
    if not isinstance(found, Alignment):
        return
    start, end = found.covered
    text = (
        f"The recording covers {start:.1f} to {end:.1f} s of the observed call, which was observed for "
        f"{found.manifest.observation.duration:.1f} s."
    )
    yield passed("alignment", text, Examined(seconds=total([found.observed])))
    for at in longer(evidence.unobserved, limits.edge):
        text = f"The call was not observed {span(at)} of the recording, so the participants were not checked there."
        yield Finding(check="alignment", result="warning", at=milliseconds(at), message=text)
    if found.ambiguous is not None:
        text = (
            f"The recording may also cover a part of the call that is a multiple of {found.ambiguous:.0f} s earlier or "
            "later, because its markers repeat after this time, and the same participants should be in the recording "
            "there."
        )
        yield Finding(check="alignment", result="warning", message=text)
