"""Check that the page stayed in another application's call, and which part of an observed call a file covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.verification.measures.alignment.alignment import Alignment
from harness.verification.values.findings import Examined, Finding, limited, milliseconds, passed, span
from harness.verification.values.intervals import longer, merged, subtract, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.timeline import Interval
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


def call(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that the page was in the call for the whole recording; warn if the recording participant was alone."""
    manifest = evidence.manifest
    if manifest is None or not manifest.timeline.is_application_call:
        return
    duration = evidence.media.duration
    timeline = manifest.timeline
    out = timeline.out_of_call(duration)
    over = longer(subtract([at for at, _ in out], evidence.unobserved), limits.absence)
    reasons = {at: next(reason for (start, end), reason in out if start <= at[0] <= end) for at in over}
    yield from limited(
        [
            Finding(
                check="call",
                result="failed",
                at=milliseconds(at),
                expected="in a call",
                got="not in a call",
                message=f"Nobody was in the call {_when(at, duration)}: {reasons[at]}.",
            )
            for at in over
        ]
    )
    if evidence.recorder == "all":
        others = [one.name for one in timeline.members if one.name != manifest.participant]
        together = merged([at for name in others for at in timeline.present(name, duration)])
        excused = [*together, *(at for at, _ in out), *evidence.unobserved]
        alone = longer(subtract([(0.0, duration)], excused), limits.absence)
        for at in alone:
            text = f"{manifest.participant} was alone in the call {_when(at, duration)}."
            yield Finding(check="call", result="warning", at=milliseconds(at), message=text)
    if not over:
        examined = Examined(seconds=total([evidence.judged]))
        yield passed("call", "The page was in the call for the whole recording.", examined)


def _when(at: Interval, duration: float) -> str:
    return f"from {at[0]:.2f} s on" if at[1] >= duration else span(at)
