"""Check that participants are visible and audible when expected, and that no unexpected participant is in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.measures.participants import SCREEN_MARKER
from harness.verification.values.expectations import is_long_enough, without_edges
from harness.verification.values.findings import Finding, limited, milliseconds, span
from harness.verification.values.intervals import intersection, longer, merged, subtract, total, widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.recording.manifest import Manifest
    from harness.recording.recording import Recording
    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits

# Maximum number of names in a message; a longer list would hide the rest of the message.
_MOST_NAMED: Final = 5


def presence(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether every participant is visible (in the right tile) and audible exactly when expected."""
    yield from _as_in_manifest(evidence, limits)
    yield from _as_expected(evidence, limits)
    yield from _expected_presence(evidence, limits)
    yield from _not_checked(evidence)


def _as_in_manifest(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether every participant is visible and audible exactly when the manifest says so."""
    manifest = evidence.manifest
    if manifest is None:
        return
    duration = evidence.media.duration
    for one in _allowed_participants(evidence):
        wrong: list[Finding] = []
        checked = False
        if evidence.media.video:
            wanted = manifest.timeline.visible(one.name, duration)
            unmarked = manifest.timeline.unmarked(one.name, one.marker, "video", duration)
            checked |= bool(one.visible or widened(subtract(wanted, unmarked), -limits.edge))
            wrong += _not_visible(one, wanted, [*evidence.video_missing, *unmarked], limits)
            yield from _unmarked_findings(one.name, "video", intersection(wanted, unmarked), limits)
            wrong += _unwanted(one.name, "visible", subtract(one.visible, widened(wanted, limits.edge)), limits)
        if evidence.media.audio and one.own_voice:
            wanted = manifest.timeline.audible(one.name, duration)
            unmarked = manifest.timeline.unmarked(one.name, one.marker, "audio", duration)
            checked |= bool(one.audible or widened(subtract(wanted, unmarked), -limits.edge))
            missing = _missing(wanted, one.audible, [*evidence.audio_missing, *unmarked], limits)
            yield from _unmarked_findings(one.name, "audio", intersection(wanted, unmarked), limits)
            wrong += [_state_finding(one.name, at, "audible", wanted=True) for at in missing]
            wrong += _unwanted(one.name, "audible", subtract(one.audible, widened(wanted, limits.edge)), limits)
        yield from limited(wrong)
        if not checked:
            text = (
                f"{one.name} is neither visible nor audible, and the manifest does not expect {one.name} to be either "
                f"for longer than {2 * limits.edge:g} s at a time, so {one.name} was not checked."
            )
            yield Finding(check="presence", ok=True, warning=True, participant=one.name, message=text)
        elif not wrong:
            yield Finding(check="presence", ok=True, participant=one.name, message=_summary(one, evidence))


def _unmarked_findings(name: str, kind: str, intervals: list[Interval], limits: Limits) -> Iterator[Finding]:
    """Warn about the intervals in which a participant's track has no marker and therefore can't be checked."""
    for at in longer(intervals, limits.absence):
        text = f"{name}'s {kind} has no marker {span(at)}, so it was not checked there."
        yield Finding(check="presence", ok=True, warning=True, participant=name, at=milliseconds(at), message=text)


def _as_expected(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the caller's expectations that a participant is, or is not, visible or audible in an interval."""
    participants = {one.name: one for one in evidence.participants}
    for expected in evidence.expectations:
        name = expected.participant
        if reason := _not_verifiable(expected, participants, evidence, limits):
            yield Finding(check="presence", ok=False, participant=name, message=reason)
            continue
        found = participants[name]
        end = _end(expected, evidence)
        for state, wanted, intervals in (
            ("visible", expected.visible, found.visible),
            ("audible", expected.audible, found.audible),
        ):
            if wanted is None:
                continue
            checked = [without_edges(expected.start, end, limits)]
            wrong = longer(subtract(checked, intervals) if wanted else intersection(checked, intervals), limits.absence)
            for at in wrong:
                yield _state_finding(name, at, state, wanted=wanted)
            if not wrong:
                text = f"{name} is {'' if wanted else 'not '}{state} {span((expected.start, end))}, as expected."
                yield Finding(check="presence", ok=True, participant=name, message=text)


def _expected_presence(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether each participant that the caller expects is in the call for the whole recording.

    An expected participant may be muted, and may have the camera off. Without the manifest's list of participants, the
    check only requires that an expected participant is visible or audible somewhere in the file.
    """
    manifest, duration = evidence.manifest, evidence.media.duration
    if manifest is None or _lost_its_members(manifest):
        yield from _expected_anywhere(evidence)
        return
    out_of_call = [at for at, _ in manifest.timeline.out_of_call(duration)]
    for name in evidence.expected:
        # In the timeline, the recording participant stays present when the page leaves the call.
        present = subtract(manifest.timeline.present(name, duration), out_of_call)
        absent = [at for at in subtract([(0.0, duration)], present) if _is_too_long(at, duration, limits)]
        wrong = [_absence_finding(name, at, f"{name} was not in the call {span(at)}.") for at in absent]
        if not present:
            wrong = [_absence_finding(name, (0.0, duration), f"{name} was never in the call.")]
        yield from limited(wrong)
        if not wrong:
            text = f"{name} was in the call for the whole recording, as expected."
            yield Finding(check="presence", ok=True, participant=name, message=text)


def _expected_anywhere(evidence: Evidence) -> Iterator[Finding]:
    found = {one.name for one in evidence.participants if one.visible or one.audible}
    for name in evidence.expected:
        if name in found:
            text = f"{name} is in the recording, but it is unknown whether {name} was in the call the whole time."
            yield Finding(check="presence", ok=True, participant=name, message=text)
        else:
            at = (0.0, evidence.media.duration)
            yield _absence_finding(name, at, f"{name} is neither visible nor audible anywhere in the recording.")


def _is_too_long(absence: Interval, duration: float, limits: Limits) -> bool:
    """Return whether an expected participant's absence is too long.

    At the start of the recording, the application may still be connecting; at the end, it may already be hanging up.
    """
    start, end = absence
    at_an_end = start <= 0 or end >= duration
    return bool(longer([absence], limits.absence + (limits.edge if at_an_end else 0.0)))


def _absence_finding(name: str, at: Interval, message: str) -> Finding:
    return Finding(
        check="presence",
        ok=False,
        participant=name,
        at=milliseconds(at),
        expected="in the call",
        got="not in the call",
        message=message,
    )


def _end(expected: Expectation, evidence: Evidence) -> float:
    """Return the end of an expectation's interval, or the end of the recording if the recording ends earlier."""
    duration = evidence.media.duration
    return duration if expected.end is None else min(expected.end, duration)


def _not_verifiable(
    expected: Expectation, participants: Mapping[str, MeasuredParticipant], evidence: Evidence, limits: Limits
) -> str | None:
    """Return why the file can't show whether an expectation is met, or None if the expectation can be checked."""
    name = expected.participant
    without_marker = _without_marker(evidence)
    if name in without_marker:
        return f"{name} has no marker, so it is unknown when {name} is visible or audible."
    if name not in participants:
        known = ", ".join((*participants, *without_marker)) or "nobody"
        source = "The manifest names" if evidence.manifest else "The recording shows"
        return f"{name} is not in the recording. {source} {known}."
    return _beyond_the_end(expected, evidence, limits) or _without_a_track(expected, participants[name], evidence)


def _beyond_the_end(expected: Expectation, evidence: Evidence, limits: Limits) -> str | None:
    name, duration = expected.participant, evidence.media.duration
    if expected.end is not None and expected.start < duration and expected.end > duration + limits.duration:
        return f"{name} can't be checked up to {expected.end:g} s, because the recording ends at {duration:.2f} s."
    if expected.start >= duration or not is_long_enough(expected.start, _end(expected, evidence), limits):
        return f"{name} can't be checked from {expected.start:g} s on, because the recording ends at {duration:.2f} s."
    return None


def _without_a_track(expected: Expectation, participant: MeasuredParticipant, evidence: Evidence) -> str | None:
    name = participant.name
    if expected.visible is not None and evidence.media.video is None:
        return f"{name} can't be checked, because the recording has no video."
    if expected.audible is not None and evidence.media.audio is None:
        return f"{name} can't be checked, because the recording has no audio."
    if expected.audible is not None and not participant.own_voice:
        return f"{name} can't be checked, because another participant has the same audio marker."
    return None


def _not_checked(evidence: Evidence) -> Iterator[Finding]:
    """Warn about participants without a marker, and about a manifest that names no participant."""
    names = _without_marker(evidence)
    if names:
        some = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if (more := len(names) - _MOST_NAMED) > 0 else "")
        text = (
            f"{some} has no marker and was not checked: it is unknown when {some} is visible or audible."
            if len(names) == 1
            else f"{some} have no marker and were not checked: it is unknown when they are visible or audible."
        )
        yield Finding(check="presence", ok=True, warning=True, message=text)
    elif evidence.manifest and not _allowed_participants(evidence):
        text = "According to the manifest, nobody should be in the recording, so no participant was checked."
        yield Finding(check="presence", ok=True, warning=True, message=text)


def _not_visible(
    participant: MeasuredParticipant, wanted: list[Interval], excused: list[Interval], limits: Limits
) -> Iterator[Finding]:
    """Yield a finding for each interval in which the video is missing or not in the participant's own tile."""
    missing = _missing(wanted, participant.in_own_tile, excused, limits)
    in_another_tile = longer(intersection(missing, widened(participant.visible, limits.absence / 2)), limits.absence)
    for at in in_another_tile:
        yield _presence_finding(participant.name, at, "visible in the right tile", "visible in the wrong tile")
    for at in longer(subtract(missing, in_another_tile), limits.absence):
        yield _state_finding(participant.name, at, "visible", wanted=True)


def _missing(
    wanted: list[Interval], found: Iterable[Interval], excused: list[Interval], limits: Limits
) -> list[Interval]:
    """Return the intervals in which a participant should be in the file but is not, except those in ``excused``."""
    return longer(subtract(subtract(widened(wanted, -limits.edge), found), excused), limits.absence)


def _unwanted(name: str, state: str, found: list[Interval], limits: Limits) -> Iterator[Finding]:
    """Yield a finding for each interval in which a muted or absent participant is visible or audible."""
    for at in longer(found, limits.absence):
        yield _state_finding(name, at, state, wanted=False)


def _state_finding(name: str, at: Interval, state: str, *, wanted: bool) -> Finding:
    """Return a finding about an interval in which a participant is not visible or audible as ``wanted``."""
    if wanted:
        return _presence_finding(name, at, state, f"not {state}", but=", but should be")
    return _presence_finding(name, at, f"not {state}", state, but=", but should not be")


def _presence_finding(name: str, at: Interval, expected: str, got: str, *, but: str = "") -> Finding:
    return Finding(
        check="presence",
        ok=False,
        participant=name,
        at=milliseconds(at),
        expected=expected,
        got=got,
        message=f"{name} is {got} {span(at)}{but}.",
    )


def _summary(participant: MeasuredParticipant, evidence: Evidence) -> str:
    parts = []
    if evidence.media.video:
        parts.append(f"visible for {total(participant.visible):.1f} s")
    if evidence.media.audio:
        parts.append(f"audible for {total(participant.audible):.1f} s")
    return f"{participant.name} is {' and '.join(parts)}, as specified in the manifest."


def unexpected(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that no unexpected participant is in the file.

    A local recording may contain only the recording participant.
    """
    if evidence.manifest is None or _lost_its_members(evidence.manifest):
        return
    allowed = {one.marker for one in _allowed_participants(evidence)}
    allowed |= {one.marker for one in evidence.participants if one.is_screen and one.marker - SCREEN_MARKER in allowed}
    found = [
        Finding(
            check="unexpected",
            ok=False,
            participant=one.name,
            at=milliseconds((present[0][0], present[-1][1])),
            expected="nobody else",
            got=one.name,
            message=(
                f"{one.name} is in the recording for {total(present):.1f} s, between {present[0][0]:.2f} and "
                f"{present[-1][1]:.2f} s, but should not be."
            ),
        )
        for one in evidence.participants
        if one.marker not in allowed and (present := longer(merged((*one.visible, *one.audible)), limits.absence))
    ]
    yield from found
    if not found:
        yield Finding(check="unexpected", ok=True, message="The recording contains no unexpected participant.")


def _lost_its_members(manifest: Manifest) -> bool:
    """Return whether the file is a recovered recording whose participants could not be determined."""
    return manifest.recording.recovered is not None and not manifest.timeline.members


def _allowed_participants(evidence: Evidence) -> list[MeasuredParticipant]:
    """Return the participants in the manifest who are allowed to be in the file.

    In a local recording, only the recording participant may be in the file.
    """
    if evidence.manifest is None:
        return []
    recording = evidence.manifest.recording
    return [one for one in evidence.participants if one.known and not one.is_screen and _may_be_in(recording, one.name)]


def _without_marker(evidence: Evidence) -> list[str]:
    """Return the names of participants without a marker who can be in the file according to the manifest."""
    if evidence.manifest is None:
        return []
    recording = evidence.manifest.recording
    with_marker = {one.name for one in evidence.participants if one.known}
    names = dict.fromkeys((recording.participant, *(member.name for member in evidence.manifest.timeline.members)))
    return [name for name in names if name not in with_marker and _may_be_in(recording, name)]


def _may_be_in(recording: Recording, name: str) -> bool:
    return recording.recorder == "all" or name == recording.participant
