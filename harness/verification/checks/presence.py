"""Check that participants are visible and audible when expected, and that no unexpected participant is in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from harness.recording.timeline import SCREEN_MARKER
from harness.verification.checks.audio import shared_tone
from harness.verification.values.expectations import is_long_enough, without_edges
from harness.verification.values.findings import Examined, Finding, limited, milliseconds, passed, span
from harness.verification.values.intervals import intersection, longer, subtract, total, widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits

# What users can do about video or audio without markers.
_REMEDY: Final = "Watch the recording yourself, or use synthetic media."


def presence(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether every participant is visible (in the right tile) and audible exactly when expected."""
    yield from _as_in_manifest(evidence, limits)
    yield from _missing_tracks(evidence, limits)
    yield from _extra_tracks(evidence, limits)
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
            unmarked = manifest.timeline.unmarked(one.name, ("camera", "video"), one.marker, duration)
            visible = subtract(one.visible, evidence.unobserved)
            checked |= bool(visible or widened(subtract(wanted, unmarked), -limits.edge))
            wrong += _not_visible(one, wanted, [*evidence.video_missing, *unmarked], limits)
            yield from _unmarked_findings(one.name, "video", intersection(wanted, unmarked), limits)
            wrong += _unwanted(one.name, "visible", subtract(visible, widened(wanted, limits.edge)), limits)
        if evidence.media.audio and one.own_voice:
            wanted = manifest.timeline.audible(one.name, duration)
            unmarked = manifest.timeline.unmarked(one.name, ("microphone", "audio"), one.marker, duration)
            audible = subtract(one.audible, evidence.unobserved)
            checked |= bool(audible or widened(subtract(wanted, unmarked), -limits.edge))
            missing = _missing(wanted, one.audible, [*evidence.audio_missing, *unmarked], limits)
            yield from _unmarked_findings(one.name, "audio", intersection(wanted, unmarked), limits)
            wrong += [_state_finding(one.name, at, "audible", wanted=True) for at in missing]
            wrong += _unwanted(one.name, "audible", subtract(audible, widened(wanted, limits.edge)), limits)
        elif evidence.media.audio and longer(manifest.timeline.audible(one.name, duration), limits.absence):
            yield shared_tone("presence", one)
        yield from limited(wrong)
        if not checked:
            text = (
                f"{one.name} is neither visible nor audible, and the manifest does not expect {one.name} to be either "
                f"for longer than {2 * limits.edge:g} s at a time, so {one.name} could not be examined. Record "
                f"{one.name} with the camera or the microphone on."
            )
            yield Finding(check="presence", result="unverified", participant=one.name, message=text)
        elif not wrong:
            examined = evidence.judged_media.model_copy(update={"participants": 1})
            yield passed("presence", _summary(one, evidence), examined, participant=one.name)


def _missing_tracks(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Report that another recorder's file has no video or no audio, although participants sent it in the call."""
    if evidence.manifest is None or evidence.alignment is None:
        return
    timeline, duration = evidence.manifest.timeline, evidence.media.duration
    for kind, found, sent in (
        ("video", evidence.media.video, timeline.visible),
        ("audio", evidence.media.audio, timeline.audible),
    ):
        names = [member.name for member in timeline.members if longer(sent(member.name, duration), limits.absence)]
        if found is None and names:
            text = (
                f"The recording has no {kind}, but in the observed call, {', '.join(names)} sent {kind}, which could "
                f"not be examined. If the recorder should record {kind}, this is a fault."
            )
            yield Finding(check="presence", result="unverified", message=text)


def _extra_tracks(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether every shared screen is visible exactly when the manifest says so.

    The audio of a shared screen, and tracks without a marker, can't be examined.
    """
    if evidence.manifest is None:
        return
    timeline, duration = evidence.manifest.timeline, evidence.media.duration
    screens = {one.marker: one for one in evidence.participants if one.is_screen}
    for one in _allowed_participants(evidence):
        for (label, kind), present in timeline.extra_tracks(one.name, duration).items():
            marker = one.marker + SCREEN_MARKER
            unmarked = timeline.unmarked(one.name, (label, kind), marker, duration)
            examinable = subtract(present, unmarked)
            if kind == "audio" or not longer(examinable, limits.absence):
                yield _unexamined_track(one.name, label, kind, present)
                continue
            wanted = timeline.visible(one.name, duration, track=label)
            visible = screens[marker].visible if marker in screens else ()
            missing = _missing(wanted, visible, [*evidence.video_missing, *unmarked], limits)
            name = f"{one.name}'s {label}"
            yield from limited([_state_finding(name, at, "visible", wanted=True) for at in missing])
            yield from _unmarked_findings(name, kind, intersection(wanted, unmarked), limits)
            if not missing:
                text = f"{name} is visible for {total(visible):.1f} s, as the manifest expects."
                yield passed("presence", text, Examined(seconds=total(visible), participants=1), participant=one.name)


def _unexamined_track(name: str, label: str, kind: str, present: list[Interval]) -> Finding:
    at = (present[0][0], present[-1][1])
    text = f"{name}'s {label} ({kind}) has no marker that can be read, so it could not be examined. {_REMEDY}"
    return Finding(check="presence", result="unverified", participant=name, at=milliseconds(at), message=text)


def _unmarked_findings(name: str, kind: str, intervals: list[Interval], limits: Limits) -> Iterator[Finding]:
    """Report the intervals in which a participant's track has no marker and therefore can't be examined."""
    for at in longer(intervals, limits.absence):
        text = f"{name}'s {kind} has no marker {span(at)}, so it could not be examined there. {_REMEDY}"
        yield Finding(check="presence", result="unverified", participant=name, at=milliseconds(at), message=text)


def _as_expected(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the caller's expectations that a participant is, or is not, visible or audible in an interval."""
    participants = {one.name: one for one in evidence.participants}
    for expected in evidence.expectations:
        name = expected.participant
        if problem := _not_verifiable(expected, participants, evidence, limits):
            result, reason = problem
            yield Finding(check="presence", result=result, participant=name, message=reason)
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
                examined = Examined(seconds=total(checked), participants=1)
                yield passed("presence", text, examined, participant=name)


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
        absences = subtract([(0.0, duration)], [*present, *evidence.unobserved])
        absent = [at for at in absences if _is_too_long(at, evidence.judged, limits)]
        wrong = [_absence_finding(name, at, f"{name} was not in the call {span(at)}.") for at in absent]
        if not present:
            wrong = [_absence_finding(name, (0.0, duration), f"{name} was never in the call.")]
        yield from limited(wrong)
        if not wrong:
            text = f"{name} was in the call for the whole recording, as expected."
            examined = Examined(seconds=total([evidence.judged]), participants=1)
            yield passed("presence", text, examined, participant=name)


def _expected_anywhere(evidence: Evidence) -> Iterator[Finding]:
    found = {one.name for one in evidence.participants if one.visible or one.audible}
    for name in evidence.expected:
        if name in found:
            reason = (
                "without a manifest that lists the participants"
                if evidence.alignment is None
                else "because the recording can't be aligned with the observed call"
            )
            text = (
                f"{name} is in the recording, but {reason}, it is unknown whether {name} was in the call the whole "
                "time."
            )
            yield Finding(check="presence", result="unverified", participant=name, message=text)
        else:
            at = (0.0, evidence.media.duration)
            yield _absence_finding(name, at, f"{name} is neither visible nor audible anywhere in the recording.")


def _is_too_long(absence: Interval, judged: Interval, limits: Limits) -> bool:
    """Return whether an expected participant's absence is too long; ``judged`` is the part of the file that is checked.

    At the start of the recording, the application may still be connecting; at the end, it may already be hanging up.
    """
    start, end = absence
    at_an_end = start <= judged[0] or end >= judged[1]
    return bool(longer([absence], limits.absence + (limits.edge if at_an_end else 0.0)))


def _absence_finding(name: str, at: Interval, message: str) -> Finding:
    return Finding(
        check="presence",
        result="failed",
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
) -> tuple[Literal["failed", "unverified"], str] | None:
    """Return why the file can't show whether an expectation is met, or None if the expectation can be checked."""
    name = expected.participant
    without_marker = _without_marker(evidence)
    if name in without_marker:
        return "unverified", f"{name} has no marker, so it is unknown when {name} is visible or audible. {_REMEDY}"
    if name not in participants:
        known = ", ".join((*participants, *without_marker)) or "nobody"
        source = "The manifest names" if evidence.manifest else "The recording shows"
        return "failed", f"{name} is not in the recording. {source} {known}."
    if problem := _beyond_the_end(expected, evidence, limits) or _without_a_track(expected, evidence):
        return "failed", problem
    if expected.audible is not None and not participants[name].own_voice:
        return "unverified", f"{name} can't be checked, because another participant has the same audio marker."
    return None


def _beyond_the_end(expected: Expectation, evidence: Evidence, limits: Limits) -> str | None:
    name, duration = expected.participant, evidence.media.duration
    if expected.end is not None and expected.start < duration and expected.end > duration + limits.duration:
        return f"{name} can't be checked up to {expected.end:g} s, because the recording ends at {duration:.2f} s."
    if expected.start >= duration or not is_long_enough(expected.start, _end(expected, evidence), limits):
        return f"{name} can't be checked from {expected.start:g} s on, because the recording ends at {duration:.2f} s."
    return None


def _without_a_track(expected: Expectation, evidence: Evidence) -> str | None:
    name = expected.participant
    if expected.visible is not None and evidence.media.video is None:
        return f"{name} can't be checked, because the recording has no video."
    if expected.audible is not None and evidence.media.audio is None:
        return f"{name} can't be checked, because the recording has no audio."
    return None


def _not_checked(evidence: Evidence) -> Iterator[Finding]:
    """Report participants without a marker, and a manifest that names no participant."""
    names = _without_marker(evidence)
    for name in names:
        text = f"{name}'s video and audio have no markers, so {name} could not be examined. {_REMEDY}"
        yield Finding(check="presence", result="unverified", participant=name, message=text)
    if evidence.manifest and not names and not _allowed_participants(evidence):
        text = "According to the manifest, nobody should be in the recording, so no participant could be examined."
        yield Finding(check="presence", result="unverified", message=text)
    for part in evidence.parts:
        if not part.participants:
            text = f"No participant's marker was found in {part.name}, so nobody in it could be examined. {_REMEDY}"
            yield Finding(check="presence", result="unverified", file=part.name, message=text)


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
        result="failed",
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
    if evidence.manifest is None:
        return
    if _lost_its_members(evidence.manifest):
        text = "The participants of this recovered recording are unknown, so nobody in it counts as unexpected."
        yield Finding(check="unexpected", result="unverified", message=text)
        return
    allowed = {one.marker for one in _allowed_participants(evidence)}
    allowed |= {one.marker for one in evidence.participants if one.is_screen and one.marker - SCREEN_MARKER in allowed}
    found = [
        Finding(
            check="unexpected",
            result="failed",
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
        if one.marker not in allowed
        and (present := longer(subtract((*one.visible, *one.audible), evidence.unobserved), limits.absence))
    ]
    yield from found
    if not found:
        yield passed("unexpected", "The recording contains no unexpected participant.", evidence.judged_media)


def _lost_its_members(manifest: AnyManifest) -> bool:
    """Return whether the file is a recovered recording whose participants could not be determined."""
    recording = manifest.recording
    return recording is not None and recording.recovered is not None and not manifest.timeline.members


def _allowed_participants(evidence: Evidence) -> list[MeasuredParticipant]:
    """Return the participants in the manifest who are allowed to be in the file.

    In a local recording, only the recording participant may be in the file.
    """
    if evidence.manifest is None:
        return []
    return [one for one in evidence.participants if one.known and not one.is_screen and _may_be_in(evidence, one.name)]


def _without_marker(evidence: Evidence) -> list[str]:
    """Return the names of participants without a marker who can be in the file according to the manifest."""
    if evidence.manifest is None:
        return []
    with_marker = {one.name for one in evidence.participants if one.known}
    manifest = evidence.manifest
    names = dict.fromkeys((manifest.participant, *(member.name for member in manifest.timeline.members)))
    return [name for name in names if name not in with_marker and _may_be_in(evidence, name)]


def _may_be_in(evidence: Evidence, name: str) -> bool:
    return evidence.recorder == "all" or (evidence.manifest is not None and name == evidence.manifest.participant)
