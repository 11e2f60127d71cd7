"""Check how soon each participant's video and audio appear after a join, and how much they are delayed in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.measures.alignment.alignment import Alignment
from harness.verification.values.findings import Examined, Finding, assessed, limited, passed
from harness.verification.values.intervals import merged, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.measures.start_up import StartUp
    from harness.verification.values.findings import Result
    from harness.verification.values.limits import Limits
    from harness.verification.values.models import Spread

# With fewer measurements, the 95th percentile is only the largest measurement.
FEWEST_FOR_P95: Final = 20


def start_up(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check how long each participant's video and audio take to appear after a join."""
    manifest = evidence.manifest
    if manifest is None:
        return
    # In another application's call, a track can exist without any media, for example while a camera is off.
    warning = manifest.timeline.is_application_call
    for one in evidence.participants:
        if evidence.recorder == "local" and one.name != manifest.participant:
            continue
        slow = [
            *_slow(one, "visible", one.video_start_ups, limits.first_video_ms, warning=warning),
            *_slow(one, "audible", one.audio_start_ups, limits.first_audio_ms, warning=warning),
        ]
        yield from limited(slow)
        times = (("visible", one.report.first_video_ms), ("audible", one.report.first_audio_ms))
        parts = [f"{state} after {ms / 1000:.2f} s" for state, ms in times if ms is not None]
        if parts and not slow:
            text = f"After joining, {one.name} is {' and '.join(parts)}."
            seconds = total(merged((*one.visible, *one.audible)))
            yield passed("start-up", text, Examined(seconds=seconds, participants=1), participant=one.name)


def _slow(
    one: MeasuredParticipant, state: str, found: tuple[StartUp, ...], limit_ms: float, *, warning: bool
) -> Iterator[Finding]:
    """Yield a finding for each join after which the video or audio appeared too late, or did not appear."""
    for each in found:
        if each.seconds * 1000 <= limit_ms or (warning and not each.appeared):
            continue
        start = f"joining at {each.since:.2f} s" if each.since else "the start of the recording"
        what = (
            f"{state} only {each.seconds:.2f} s after"
            if each.appeared
            else f"not {state} within {each.seconds:.2f} s of"
        )
        yield Finding(
            check="start-up",
            result="warning" if warning else "failed",
            participant=one.name,
            at=(round(each.since, 3), round(each.since + each.seconds, 3)),
            expected=f"{limit_ms:g} ms",
            got=f"{each.seconds * 1000:.0f} ms",
            message=f"{one.name} is {what} {start} (limit: {limit_ms / 1000:g} s).",
        )


def delay(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check how much time passes from the capture of each participant's media until the media appears in the file."""
    if isinstance(evidence.alignment, Alignment):
        yield from _lagging(evidence, evidence.alignment, limits)
        return
    error = abs((evidence.manifest.clock_error_ms or 0.0) if evidence.manifest else 0.0)
    # The clock of a participant who is not in the manifest is unknown.
    for one in (each for each in evidence.participants if each.known):
        frames = one.report.video.frames if one.report.video else 0
        measured = (("video", one.report.delay_ms, frames), ("audio", one.report.audio_delay_ms, len(one.offsets)))
        for kind, found, count in measured:
            # A burst that is attributed to the wrong second has an impossible delay; the check av-offset covers it.
            if found is not None and (kind == "video" or found.median >= -error):
                result, value, limit, text = _assessed(found, count, limits, error)
                message = f"{one.name}'s {kind} appears in the file {text}."
                examined = Examined(frames=frames, seconds=total(one.visible), participants=1)
                values = {"participant": one.name, "expected": f"{limit:g} ms", "got": f"{value:.0f} ms"}
                yield assessed("delay", result, message, examined, **values)


def _lagging(evidence: Evidence, alignment: Alignment, limits: Limits) -> Iterator[Finding]:
    """Report videos that appear much later in another recorder's file than the fastest participant's video.

    The fastest participant's own delay is unknown, so the other participants' delays are at least as long as found.
    """
    error = alignment.manifest.clock_error_ms or 0.0
    for one in evidence.participants:
        lag = alignment.lags.get(one.marker, 0.0)
        if lag - abs(error) > limits.delay_ms:
            yield Finding(
                check="delay",
                result="failed",
                participant=one.name,
                expected=f"{limits.delay_ms:g} ms",
                got=f"{lag:.0f} ms",
                message=(
                    f"{one.name}'s video appears in the file at least {lag:.0f} ms after the capture (limit: "
                    f"{limits.delay_ms:g} ms)."
                ),
            )


def _assessed(found: Spread, count: int, limits: Limits, error: float) -> tuple[Result, float, float, str]:
    """Return the result for one delay, the value that was compared, its limit (both in ms), and a description.

    ``count`` is the number of measurements. The clocks may differ by ``error`` ms.
    """
    if found.median < -error:
        text = (
            f"{-found.median:.0f} ms before the capture, which is impossible. The clocks do not match, or the manifest "
            "belongs to another recording"
        )
        return "unverified", found.median, limits.delay_ms, text
    values = [(found.median, limits.delay_ms, "")]
    if count >= FEWEST_FOR_P95:
        values.append((found.p95, limits.delay_p95_ms, " for at least 5 % of the time"))
    value, limit, scope = next((one for one in values if one[0] > one[1]), values[0])
    text = f"{value:.0f} ms after the capture{scope}"
    if value <= limit:
        return "passed", value, limit, text
    text = f"{text} (limit: {limit:g} ms)"
    if value - error > limit:
        return "failed", value, limit, text
    return "unverified", value, limit, f"{text}, but the clocks may differ by {error:.0f} ms. Set a higher limit"
