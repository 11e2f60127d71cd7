"""Find the files that follow each other, and the parts of the call that no file covers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from harness.verification.assembly.call_evidence import ACCURACY
from harness.verification.assembly.joined import MOST_OVERLAP
from harness.verification.measures.evidence import Loss
from harness.verification.values.intervals import intersection, longer, subtract, widened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Interval
    from harness.verification.assembly.alignment import Placement, Unit
    from harness.verification.assembly.placed import FileGroup, PlacedFile
    from harness.verification.measures.evidence import Evidence


def common_clock(placed: Sequence[PlacedFile], placements: Sequence[Placement]) -> Callable[[int, int], bool]:
    """Return a function that states whether the times in two files can be compared without relying on the markers."""

    def root(unit: int) -> int:
        anchor = placements[unit].anchor
        return unit if anchor is None else root(anchor)

    return lambda first, second: root(placed[first].unit) == root(placed[second].unit)


def chains_of(groups: Sequence[FileGroup], placements: Sequence[Placement]) -> list[list[int]]:
    """Return the numbers of the units that follow each other, for example the parts of a split recording."""
    at = [_interval(group.unit, placement) for group, placement in zip(groups, placements, strict=True)]
    chains: list[list[int]] = []
    for number in sorted(range(len(groups)), key=lambda one: at[one]):
        fitting = [
            chain
            for chain in chains
            if _are_alike(groups[chain[-1]].unit, groups[number].unit) and _follows(at[chain[-1]], at[number])
        ]
        if fitting:
            max(fitting, key=lambda chain: at[chain[-1]][1]).append(number)
        else:
            chains.append([number])
    return chains


def _interval(unit: Unit, placement: Placement) -> Interval:
    return (placement.at + unit.start, placement.at + unit.end)


def _follows(before: Interval, after: Interval) -> bool:
    shortest = min(before[1] - before[0], after[1] - after[0])
    return before[1] - after[0] <= MOST_OVERLAP * shortest


def _are_alike(before: Unit, after: Unit) -> bool:
    """Return whether two units have the same kinds of tracks, and show the same participants as far as is known."""
    known = [(before.markers, after.markers), (before.voices, after.voices)]
    compared = [bool(one & other) for one, other in known if one and other]
    return before.kinds == after.kinds and (any(compared) or not compared)


def losses(
    chains: Sequence[Sequence[int]],
    groups: Sequence[FileGroup],
    placements: Sequence[Placement],
    placed: Sequence[PlacedFile],
    is_absence: Callable[[Interval, str], bool],
) -> tuple[Loss, ...]:
    """Return the gaps between files that follow each other, the times that no file covers, and the lost segments.

    A gap is not a loss if ``is_absence`` returns true for the gap and the name of the file after it.
    """
    found = [loss for loss in _between_files(chains, groups, placements) if not is_absence(loss.at, loss.file)]
    covered = [*((one.start, one.end) for one in placed), *widened((loss.at for loss in found), ACCURACY)]
    for gap in longer(subtract([(0.0, max(one.end for one in placed))], covered), ACCURACY):
        after = min((one for one in placed if one.start >= gap[1] - ACCURACY), key=lambda one: one.start)
        found.append(Loss(after.file.name, gap, f"No file covers the time before {after.file.name}"))
    found += _lost_segments(groups, placements, placed)
    return tuple(sorted(found, key=lambda loss: loss.at))


def _between_files(
    chains: Sequence[Sequence[int]], groups: Sequence[FileGroup], placements: Sequence[Placement]
) -> Iterator[Loss]:
    for chain in chains:
        for before, after in pairwise(chain):
            gap = (
                _interval(groups[before].unit, placements[before])[1],
                _interval(groups[after].unit, placements[after])[0],
            )
            if longer([gap], ACCURACY):
                name = groups[after].unit.name
                text = f"Nothing was recorded between {groups[before].unit.name} and {name}"
                yield Loss(name, gap, text)


def _lost_segments(
    groups: Sequence[FileGroup], placements: Sequence[Placement], placed: Sequence[PlacedFile]
) -> Iterator[Loss]:
    for one in placed:
        playlist = groups[one.unit].unit.playlist
        for lost in one.file.source.lost if playlist else ():
            shift = placements[one.unit].at - (playlist[1] if playlist else 0.0)
            at = (max(0.0, lost.at[0] + shift), max(0.0, lost.at[1] + shift))
            segment = f"Segment {lost.name}" if lost.name else "A segment"
            yield Loss(one.file.name, at, f"{segment} of {one.file.name} {lost.reason}: it should be played")


def absence_test(files: Sequence[Evidence], manifest: AnyManifest | None) -> Callable[[Interval, str], bool]:
    """Return a function that states whether the participants in a file were not in the call during a gap before it."""

    def is_absence(gap: Interval, file: str) -> bool:
        if manifest is None:
            return False
        names = {participant.name for one in files if one.name == file for participant in one.participants}
        present = [at for name in names for at in manifest.timeline.present(name, gap[1] + 1)]
        return bool(present) and not intersection(present, [gap])

    return is_absence
