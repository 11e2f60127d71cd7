"""Join the manifests of several files into the manifest of one call, on the call's timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.recording.timeline import Event, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Member, Tile

# Events with a state that continues until the next event.
_SWITCHES: Final = frozenset({"video", "audio", "track"})


@dataclass(frozen=True)
class PlacedManifest:
    """The manifest of a file that covers the call's timeline from ``start`` to ``end``, in seconds.

    ``zero`` is the time on the call's timeline at which the manifest's times begin.
    """

    manifest: Manifest
    zero: float
    start: float
    end: float


def shifted_manifest(manifest: Manifest, by: float) -> Manifest:
    """Return a manifest with all events ``by`` seconds later."""
    events = tuple(event.model_copy(update={"at": round(event.at + by, 4)}) for event in manifest.timeline.events)
    timeline = Timeline.model_construct(members=manifest.timeline.members, events=events)
    return manifest.model_copy(update={"timeline": timeline})


def joined_manifest(chains: Sequence[Sequence[PlacedManifest]], duration: float) -> Manifest | None:
    """Return the manifest of a call, or None if the manifests contradict each other about the participants' markers.

    Each chain holds the manifests of files that follow each other. Files of different chains were recorded at the same
    time: a local recording describes only its own participant.
    """
    first = chains[0][0].manifest
    members = _members([one.manifest for chain in chains for one in chain])
    if members is None:
        return None
    local = all(one.manifest.recording.recorder == "local" for chain in chains for one in chain)
    if local:
        described = [
            _about_participant(list(_chain_events(chain)), chain[0].manifest.recording.participant) for chain in chains
        ]
    else:
        # Another recording of everybody describes the same events again.
        described = [list(_chain_events(chains[0]))]
    events = _merged(described)
    recording = first.recording.model_copy(
        update={"duration": duration, "recorder": "all" if len(chains) > 1 or not local else "local"}
    )
    timeline = Timeline.model_construct(members=members, events=tuple(events))
    alarms = tuple(alarm for chain in chains for one in chain for alarm in one.manifest.alarms)
    zeros = [None if one.manifest.zero_ms is None else one.manifest.zero_ms - one.zero * 1000 for one in chains[0]]
    zero = None if None in zeros else zeros[0]
    return first.model_copy(
        update={"recording": recording, "timeline": timeline, "alarms": alarms, "zero_ms": zero, "wall_seconds": None}
    )


def _merged(described: Sequence[Sequence[Event]]) -> list[Event]:
    """Return the events of several files in order of time. A layout event lists the tiles of all files."""
    numbered = [(event.at, number, event) for number, events in enumerate(described) for event in events]
    tiles: dict[int, tuple[Tile, ...]] = {}
    merged: list[Event] = []
    for _, number, event in sorted(numbered, key=lambda one: one[0]):
        if event.tiles is None:
            merged.append(event)
        else:
            tiles[number] = event.tiles
            every = tuple(tile for shown in tiles.values() for tile in shown)
            merged.append(event.model_copy(update={"tiles": every}))
    return merged


def _members(manifests: Sequence[Manifest]) -> tuple[Member, ...] | None:
    """Return all members, or None if a name has different markers or a marker has different names."""
    members: dict[str, Member] = {}
    for manifest in manifests:
        for member in manifest.timeline.members:
            known = members.setdefault(member.name, member)
            if known.marker != member.marker:
                return None
    markers = [member.marker for member in members.values() if member.marker is not None]
    return tuple(members.values()) if len(set(markers)) == len(markers) else None


def _chain_events(chain: Sequence[PlacedManifest]) -> Iterator[Event]:
    """Yield the events of files that follow each other; nothing is known about the time between them."""
    covered = float("-inf")
    for one in chain:
        begin = max(one.start, covered)
        events = list(shifted_manifest(one.manifest, one.zero).timeline.events)
        if covered > float("-inf"):
            # The first events state who is in the room when the file begins.
            events = [event.model_copy(update={"at": max(event.at, begin)}) for event in events]
        yield from (event for event in events if event.at <= one.end)
        if one is not chain[-1]:
            yield from _end_events(events, one.end)
        covered = max(covered, one.end)


def _end_events(events: Sequence[Event], at: float) -> Iterator[Event]:
    """Yield the events that end everything that a file's manifest describes."""
    switched = dict.fromkeys(
        (event.event, event.participant, event.track, event.kind) for event in events if event.event in _SWITCHES
    )
    for name, participant, track, kind in switched:
        yield Event(at=at, event=name, participant=participant, track=track, kind=kind, on=False)
    for participant in dict.fromkeys(event.participant for event in events if event.event == "join"):
        yield Event(at=at, event="leave", participant=participant)
    if any(event.event == "layout" for event in events):
        yield Event(at=at, event="layout", tiles=())


def _about_participant(events: Sequence[Event], participant: str) -> list[Event]:
    """Return the events that describe one participant's own recording."""
    return [
        event.model_copy(update={"tiles": tuple(tile for tile in event.tiles if tile.participant == participant)})
        if event.tiles is not None
        else event
        for event in events
        if event.participant in {participant, None}
    ]
