"""Put the files of a call onto one timeline, and build the evidence about each file and about the call as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.recording.manifest import Manifest, ObservationManifest
from harness.recording.timeline import Timeline
from harness.verification.assembly.alignment import align
from harness.verification.assembly.call_evidence import CallEvidence, file_evidence
from harness.verification.assembly.call_media import call_media, file_reports
from harness.verification.assembly.chains import absence_test, chains_of, common_clock, losses
from harness.verification.assembly.joined import Joiner
from harness.verification.assembly.manifests import PlacedManifest, joined_manifest
from harness.verification.assembly.placed import PlacedFile, groups_of
from harness.verification.measures.alignment.alignment import Alignment
from harness.verification.measures.alignment.alignment import align as align_with
from harness.verification.measures.evidence import Double, Part
from harness.verification.measures.participants import measure_participants
from harness.verification.probe.probe import Streams
from harness.verification.values.intervals import intersection, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Interval
    from harness.verification.assembly.alignment import Placement
    from harness.verification.assembly.placed import CallFile, FileGroup
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.models import FileReport


@dataclass(frozen=True, kw_only=True)
class CallOptions:
    """The caller's expectations of a call, and the manifest of the whole call, if there is one.

    ``path`` is the path that the report shows. See Evidence for the other fields.
    """

    path: Path
    manifest: AnyManifest | None
    manifest_error: str | None
    expected_duration: float | None
    expect_complete: bool
    expectations: tuple[Expectation, ...]
    expected: tuple[str, ...]


@dataclass(frozen=True)
class AssembledCall:
    """The evidence about a call and about each of its files, and the list of the files for the report."""

    call: CallEvidence
    files: tuple[Evidence, ...]
    reports: tuple[FileReport, ...]


def assemble(files: Sequence[CallFile], options: CallOptions) -> AssembledCall:
    """Put the files onto one timeline, and return the evidence. There must be at least one file."""
    groups = groups_of(files)
    placements = align([group.unit for group in groups])
    placed = _placed(files, groups, placements)
    duration = max(one.end for one in placed)
    units = chains_of(groups, placements)
    chains = tuple(tuple(number for unit in chain for number in groups[unit].files) for chain in units)
    own = _own_manifest([[placed[number] for number in chain] for chain in chains], duration)
    joiner = Joiner(placed, duration, one_clock=common_clock(placed, placements))
    manifest, alignment = options.manifest or own, None
    if isinstance(manifest, ObservationManifest):
        alignment = align_with(manifest, joiner.observations(None, ()))
        members = Timeline(members=manifest.timeline.members)
        manifest = alignment.manifest if isinstance(alignment, Alignment) else None
    else:
        members = Timeline()
    timeline = manifest.timeline if manifest else members
    zero = manifest.zero_ms if isinstance(manifest, Manifest) else None
    observations = joiner.observations(zero, timeline.cuts())
    participants = measure_participants(observations, timeline)
    evidence = tuple(file_evidence(one, manifest, participants) for one in placed)
    call = CallEvidence(
        path=options.path,
        manifest=manifest,
        manifest_error=options.manifest_error,
        expected_duration=options.expected_duration,
        expect_complete=options.expect_complete,
        expectations=options.expectations,
        expected=options.expected,
        sha256=None,
        streams=Streams(container="", structure=None, tracks=(), track_count=0, truncated=False, seekable=True),
        media=call_media([one.media for one in evidence], duration),
        participants=participants,
        audio=observations.audio,
        black=_in_all_chains(evidence, chains, lambda one: one.black if one.media.video else None),
        silent=_in_all_chains(evidence, chains, lambda one: one.silent if one.media.audio else None),
        video_gaps=(),
        rate=observations.rate,
        alignment=alignment,
        scope="call",
        call_manifest=manifest,
        joined=manifest is not None and options.manifest is None,
        parts=tuple(_parts(placed, evidence, placements)),
        doubles=tuple(_doubles(joiner, files, participants)),
        files=evidence,
        chains=chains,
        observations=observations,
        # The files' own manifests say nothing about the time between two files.
        losses=losses(units, groups, placements, placed, absence_test(evidence, options.manifest)),
    )
    return AssembledCall(call, evidence, tuple(file_reports(placed, evidence, placements)))


def _placed(
    files: Sequence[CallFile], groups: Sequence[FileGroup], placements: Sequence[Placement]
) -> list[PlacedFile]:
    """Return the files in their original order, with their places on the timeline."""
    placed: dict[int, PlacedFile] = {}
    for unit, (group, placement) in enumerate(zip(groups, placements, strict=True)):
        start = max(0.0, placement.at + group.unit.start)
        for number, offset in zip(group.files, group.offsets, strict=True):
            at = placement.at + offset
            placed[number] = PlacedFile(files[number], unit, at, start, at + files[number].observed.end)
    return [placed[number] for number in range(len(files))]


def _own_manifest(chains: Sequence[Sequence[PlacedFile]], duration: float) -> Manifest | None:
    """Return the manifest that the files' own manifests form, or None unless every file has one."""
    placed = [
        [PlacedManifest(one.file.manifest, one.at, one.start, one.end) for one in chain if one.file.manifest]
        for chain in chains
    ]
    complete = all(len(own) == len(chain) for own, chain in zip(placed, chains, strict=True))
    return joined_manifest(placed, duration) if complete else None


def _parts(
    placed: Sequence[PlacedFile], evidence: Sequence[Evidence], placements: Sequence[Placement]
) -> Iterator[Part]:
    for one, own in zip(placed, evidence, strict=True):
        placement = placements[one.unit]
        yield Part(
            name=one.file.name,
            at=(one.start, one.end),
            aligned_by=placement.by,
            doubt=placement.doubt,
            participants=tuple(dict.fromkeys(each.name for each in own.participants)),
        )


def _doubles(
    joiner: Joiner, files: Sequence[CallFile], participants: Sequence[MeasuredParticipant]
) -> Iterator[Double]:
    names = {one.marker: one.name for one in participants}
    for one in joiner.doubles:
        name = names.get(one.marker, f"marker {one.marker}")
        yield Double(name, one.kind, files[one.used].name, files[one.unused].name)


def _in_all_chains(
    files: Sequence[Evidence],
    chains: Sequence[Sequence[int]],
    intervals: Callable[[Evidence], Iterable[Interval] | None],
) -> tuple[Interval, ...]:
    """Return the intervals that all chains have in common, ignoring chains without tracks of this kind."""
    found: list[Interval] | None = None
    for chain in chains:
        own = [list(at) for number in chain if (at := intervals(files[number])) is not None]
        if own:
            every = merged(at for one in own for at in one)
            found = every if found is None else intersection(found, every)
    return tuple(found or ())
