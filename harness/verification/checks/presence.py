"""The checks of each synthetic participant, by the markers in picture and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.values.expectations import settled, tellable
from harness.verification.values.findings import Finding, milliseconds, span, stretches
from harness.verification.values.intervals import grown, longer, merged, shared, subtract, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.recording.manifest import Manifest
    from harness.recording.recording import Recording
    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import Person
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits

# More names than these would bury what is said of them.
_MOST_NAMED: Final = 5


def presence(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge whether everybody is seen in place and heard when the manifest and the caller say."""
    yield from _as_told(evidence, limits)
    yield from _as_expected(evidence, limits)
    yield from _unjudged(evidence)


def _as_told(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether every participant is visible and audible when the manifest says, and only then."""
    manifest = evidence.manifest
    if manifest is None:
        return
    duration = evidence.media.duration
    for person in _guests(evidence):
        wrong: list[Finding] = []
        examined = False
        if evidence.media.video:
            wanted = manifest.timeline.visible(person.name, duration)
            examined |= bool(person.visible or grown(wanted, -limits.edge))
            wrong += _absent(person, wanted, evidence.video_missing, limits)
            wrong += _unwanted(person, "visible", person.visible, wanted, limits)
        if evidence.media.audio and person.own_voice:
            wanted = manifest.timeline.audible(person.name, duration)
            examined |= bool(person.audible or grown(wanted, -limits.edge))
            missing = _missing(wanted, person.audible, evidence.audio_missing, limits)
            wrong += [_stretch(person.name, at, "audible", "not audible") for at in missing]
            wrong += _unwanted(person, "audible", person.audible, wanted, limits)
        yield from stretches(wrong)
        if not examined:
            text = (
                f"{person.name} is neither visible nor audible, and the manifest expects neither for longer than "
                f"{2 * limits.edge:g} s, so {person.name} was not examined."
            )
            yield Finding(check="presence", ok=True, warning=True, participant=person.name, message=text)
        elif not wrong:
            yield Finding(check="presence", ok=True, participant=person.name, message=_summary(person, evidence))


def _as_expected(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check what the caller expects: that a participant is, or is not, visible or audible for a while."""
    people = {person.name: person for person in evidence.people}
    for asked in evidence.expectations:
        if why := _not_tellable(asked, people, evidence, limits):
            yield Finding(check="presence", ok=False, participant=asked.participant, message=why)
            continue
        person = people[asked.participant]
        end = _end(asked, evidence)
        for sense, wanted in (("visible", asked.visible), ("audible", asked.audible)):
            if wanted is None:
                continue
            found: Iterable[Interval] = getattr(person, sense)
            while_ = [settled(asked.start, end, limits)]
            off = subtract(while_, found) if wanted else shared(while_, found)
            wrong = longer(off, limits.absence)
            said = (sense, f"not {sense}") if wanted else (f"not {sense}", sense)
            for at in wrong:
                yield _stretch(asked.participant, at, *said)
            if not wrong:
                text = f"{said[0]} {span((asked.start, end))}, as expected"
                yield Finding(check="presence", ok=True, participant=asked.participant, message=text)


def _end(asked: Expectation, evidence: Evidence) -> float:
    """Return when an expectation ends; the end of the recording is good to what its length is."""
    duration = evidence.media.duration
    return duration if asked.end is None else min(asked.end, duration)


def _not_tellable(asked: Expectation, people: Mapping[str, Person], evidence: Evidence, limits: Limits) -> str | None:
    """Return why nothing in the file can show what is expected; None where something can."""
    name = asked.participant
    unmarked = _unmarked(evidence)
    if name in unmarked:
        return f"{name} carries no marker, so it is unknown when {name} is visible or audible."
    if name not in people:
        known = ", ".join((*people, *unmarked)) or "nobody"
        by = "The manifest names" if evidence.manifest else "The recording shows"
        return f"{name} is not in the recording. {by} {known}."
    why = _beyond_the_end(asked, evidence, limits) or _without_a_track(asked, people[name], evidence)
    return f"{name} can't be examined{why}." if why else None


def _beyond_the_end(asked: Expectation, evidence: Evidence, limits: Limits) -> str | None:
    duration = evidence.media.duration
    ends = f": the recording ends at {duration:.2f} s"
    if asked.start >= duration:
        return f" from {asked.start:g} s on{ends}"
    if asked.end is not None and asked.end > duration + limits.duration:
        return f" until {asked.end:g} s{ends}"
    if not tellable(asked.start, _end(asked, evidence), limits):
        return f" from {asked.start:g} s on{ends}, which is too soon after"
    return None


def _without_a_track(asked: Expectation, person: Person, evidence: Evidence) -> str | None:
    if asked.visible is not None and evidence.media.video is None:
        return ": the recording has no video"
    if asked.audible is not None and evidence.media.audio is None:
        return ": the recording has no audio"
    if asked.audible is not None and not person.own_voice:
        return ": another participant has the same audio marker"
    return None


def _unjudged(evidence: Evidence) -> Iterator[Finding]:
    """Warn about participants who carry no marker, and about a manifest that names no participant."""
    names = _unmarked(evidence)
    if names:
        some = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if (more := len(names) - _MOST_NAMED) > 0 else "")
        carry = "carries no marker, and was" if len(names) == 1 else "carry no marker, and were"
        text = f"{some} {carry} not examined: it is unknown when they are visible or audible."
        yield Finding(check="presence", ok=True, warning=True, message=text)
    elif evidence.manifest and not _guests(evidence):
        text = "The manifest names no participant who could be in the recording, so no participant was examined."
        yield Finding(check="presence", ok=True, warning=True, message=text)


def _absent(person: Person, wanted: list[Interval], excused: list[Interval], limits: Limits) -> Iterator[Finding]:
    """Yield when the picture is missing, and when it stands in somebody else's place."""
    missing = _missing(wanted, person.home, excused, limits)
    astray = longer(shared(missing, grown(person.visible, limits.absence / 2)), limits.absence)
    for at in astray:
        yield _stretch(person.name, at, "visible in its own tile", "visible outside its own tile")
    for at in longer(subtract(missing, astray), limits.absence):
        yield _stretch(person.name, at, "visible", "not visible")


def _missing(
    wanted: list[Interval], found: Iterable[Interval], excused: list[Interval], limits: Limits
) -> list[Interval]:
    """Return when somebody should be there and is not; ``excused`` is what the whole file lacks, another check's."""
    return longer(subtract(subtract(grown(wanted, -limits.edge), found), excused), limits.absence)


def _unwanted(
    person: Person, sense: str, found: Iterable[Interval], wanted: list[Interval], limits: Limits
) -> Iterator[Finding]:
    """Yield when somebody is seen or heard who should not be then: muted, or gone."""
    for at in longer(subtract(found, grown(wanted, limits.edge)), limits.absence):
        yield _stretch(person.name, at, f"not {sense}", sense)


def _stretch(name: str, at: Interval, expected: str, got: str) -> Finding:
    return Finding(
        check="presence",
        ok=False,
        participant=name,
        at=milliseconds(at),
        expected=expected,
        got=got,
        message=f"{name} is {got} {span(at)}.",
    )


def _summary(person: Person, evidence: Evidence) -> str:
    said = []
    if evidence.media.video:
        said.append(f"visible for {total(person.visible):.1f} s")
    if evidence.media.audio:
        said.append(f"audible for {total(person.audible):.1f} s")
    return " and ".join(said)


def unexpected(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge whether somebody is in the file whom the manifest does not name, or anybody else in a local one."""
    if evidence.manifest is None or _lost_its_members(evidence.manifest):
        return
    guests = {person.marker for person in _guests(evidence)}
    found = [
        Finding(
            check="unexpected",
            ok=False,
            participant=person.name,
            at=milliseconds((present[0][0], present[-1][1])),
            expected="nobody else",
            got=person.name,
            message=f"{person.name} is in the recording for {total(present):.1f} s and should not be.",
        )
        for person in evidence.people
        if person.marker not in guests
        and (present := longer(merged((*person.visible, *person.audible)), limits.absence))
    ]
    yield from found
    if not found:
        yield Finding(check="unexpected", ok=True, message="nobody else")


def _lost_its_members(manifest: Manifest) -> bool:
    """Return whether recovery saved a file of which it could not find out who was in it."""
    return manifest.recording.recovered is not None and not manifest.timeline.members


def _guests(evidence: Evidence) -> list[Person]:
    """Return those who may be in the file: the manifest's members, of whom a local recording has one."""
    if evidence.manifest is None:
        return []
    told = evidence.manifest.recording
    return [person for person in evidence.people if person.known and _may_be_in(told, person.name)]


def _unmarked(evidence: Evidence) -> list[str]:
    """Return who the manifest says may be in the file, and who carries no marks."""
    if evidence.manifest is None:
        return []
    told = evidence.manifest.recording
    marked = {person.name for person in evidence.people if person.known}
    names = dict.fromkeys((told.participant, *(member.name for member in evidence.manifest.timeline.members)))
    return [name for name in names if name not in marked and _may_be_in(told, name)]


def _may_be_in(told: Recording, name: str) -> bool:
    return told.recorder == "all" or name == told.participant
