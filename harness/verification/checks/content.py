"""Check the video below each participant's strip, and the content of video without markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.values.findings import Examined, Finding, limited, milliseconds, passed, span
from harness.verification.values.intervals import longer, merged, subtract, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits
    from harness.verification.values.models import ShownPlace, VideoContent

_TURNS: Final = ("", "turned by 90° to the right", "upside down", "turned by 90° to the left")
# The size of a small video is inaccurate by up to this many pixels.
_INACCURATE: Final = 1.5


def content(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that the video below each strip is the participant's. Without markers, warn about still or blank video."""
    if evidence.scope != "file":
        yield from _participants(evidence, limits)
    unmarked = not evidence.visible_participants if evidence.scope == "file" else not evidence.has_markers
    if evidence.scope != "call" and evidence.media.video and unmarked:
        yield from _unmarked(evidence, limits)


def _participants(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    for one in evidence.visible_participants:
        if one.report.video is None:
            continue
        measured = one.report.video.content
        wrong = [
            _content_finding(one.name, at, got, text, limits)
            for got, text, intervals in _faults(measured, evidence.video_missing, limits)
            for at in intervals
        ]
        yield from limited(sorted(wrong, key=lambda finding: finding.at or (0.0, 0.0)))
        if not measured.samples:
            text = f"No frame of {one.name}'s video could be compared. Record again for longer than 0.1 s."
            yield Finding(check="content", result="unverified", participant=one.name, message=text)
            continue
        if not wrong:
            text = f"All parts of {one.name}'s video are correct in the {measured.samples} frames that were compared."
            if measured.colors_known and measured.symbols < measured.samples:
                text += (
                    f" The symbol was compared in {measured.symbols} of them, because it is too small or blurred in "
                    "the others."
                )
            examined = Examined(frames=measured.samples, seconds=total(one.visible), participants=1)
            yield passed("content", text, examined, participant=one.name)
        if not (measured.colors_known or measured.wrong_colors):
            text = (
                f"The colors of {one.name}'s video are unknown, so only the colors of the strip were checked. Record "
                "with the harness's synthetic camera."
            )
            yield Finding(check="content", result="unverified", participant=one.name, message=text)


def shape(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Warn if a participant's video is mirrored, turned, too wide or too narrow.

    If the manifest states the layout, the markers were read upright, so there is nothing to check.
    """
    if evidence.layout_is_known:
        return
    for one in evidence.visible_participants:
        if not one.report.places:
            continue
        wrong = [
            Finding(
                check="shape",
                result="warning",
                participant=one.name,
                at=milliseconds(at),
                expected=expected,
                got=got,
                message=f"{one.name}'s video is {got} {span(at)}{note}.",
            )
            for (got, expected, note), intervals in _wrong_shapes(one.report.places, limits).items()
            for at in longer(merged(intervals), limits.shape)
        ]
        yield from limited(sorted(wrong, key=lambda finding: finding.at or (0.0, 0.0)))
        if not wrong:
            frames = one.report.video.frames if one.report.video else 0
            examined = Examined(frames=frames, seconds=total(one.visible), participants=1)
            text = f"{one.name}'s video is upright, not mirrored, and has the right aspect ratio."
            yield passed("shape", text, examined, participant=one.name)


def _wrong_shapes(places: Sequence[ShownPlace], limits: Limits) -> dict[tuple[str, str, str], list[Interval]]:
    """Return the intervals of each wrong shape; the key is what was found, what was expected, and a note."""
    wrong: dict[tuple[str, str, str], list[Interval]] = {}
    for place in places:
        at = (place.start, place.end)
        if place.mirrored:
            wrong.setdefault(("mirrored", "not mirrored", ""), []).append(at)
        if place.turn:
            wrong.setdefault((_TURNS[place.turn], "upright", ""), []).append(at)
        percent = 100 * (place.stretch - 1)
        if abs(percent) > limits.aspect_percent + 100 * _INACCURATE / max(1, min(place.width, place.height)):
            got = f"{abs(percent):.0f} % too {'wide' if percent > 0 else 'narrow'}"
            wrong.setdefault((got, "the right aspect ratio", f" (limit: {limits.aspect_percent:g} %)"), []).append(at)
    return wrong


def _faults(
    measured: VideoContent, missing: Sequence[Interval], limits: Limits
) -> Iterator[tuple[str, str, list[Interval]]]:
    """Yield each fault with its description and the intervals in which it lasts longer than the limit."""
    found: list[Interval] = []
    for got, text, intervals in (
        ("black", "A part of {name}'s video is black", measured.black),
        ("wrong colors", "A part of {name}'s video has the wrong colors", measured.wrong_colors),
        ("frozen", "A part of {name}'s video is frozen while the marker strip changes", measured.frozen),
        ("wrong video", "A part of {name}'s video shows noise or another video", measured.wrong_video),
        ("wrong symbol", "The symbol in {name}'s video does not match the marker strip", measured.wrong_symbol),
    ):
        # Where another fault was found, a wrong symbol is a part of it.
        explained = found if got == "wrong symbol" else ()
        lasting = longer(subtract(intervals, [*missing, *explained]), limits.content)
        found += lasting
        yield got, text, lasting


def _content_finding(name: str, at: Interval, got: str, text: str, limits: Limits) -> Finding:
    return Finding(
        check="content",
        result="failed",
        participant=name,
        at=milliseconds(at),
        expected=f"{name}'s video",
        got=got,
        message=f"{text.format(name=name)} {span(at)} (limit: {limits.content:g} s).",
    )


def _unmarked(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Warn about the longest interval in which video without markers is still, black or partly blank."""
    still = subtract(evidence.still, evidence.black)
    warned = False
    for text, intervals in (
        ("The video does not move", still),
        ("The video is black", evidence.black),
        ("A part of the video that had content before is blank", subtract(evidence.blank, still)),
    ):
        if found := longer(intervals, limits.still):
            yield _longest(text, found)
            warned = True
    if not warned:
        text = f"The video is not still, black or partly blank for longer than {limits.still:g} s."
        yield passed("content", text, evidence.examined_media)


def _longest(text: str, found: Sequence[Interval]) -> Finding:
    longest = max(found, key=lambda at: at[1] - at[0])
    more = f", the longest of {len(found)} such intervals" if len(found) > 1 else ""
    return Finding(
        check="content",
        result="warning",
        at=milliseconds(longest),
        got=f"{longest[1] - longest[0]:.2f} s",
        message=f"{text} {span(longest)}{more}.",
    )
