"""Everything that is known about one file when the checks begin: measured, and told by its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.verification.values.intervals import grown, merged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Interval
    from harness.verification.measures.participants import Person
    from harness.verification.probe.probe import Streams
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.models import Media


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the checks judge.

    ``asked_duration`` (seconds), ``asked_complete`` and ``expectations`` are what the caller expects. ``unreadable``
    says why the manifest beside the file can't be used, where it can't; ``sha256`` is only taken where a manifest tells
    what it should be. ``black`` and ``silent`` are when the whole picture is black and the whole mix silent, ``holes``
    where no picture is written.
    """

    path: Path
    manifest: Manifest | None
    unreadable: str | None
    asked_duration: float | None
    asked_complete: bool
    expectations: tuple[Expectation, ...]
    sha256: str | None
    streams: Streams
    media: Media
    people: tuple[Person, ...]
    black: tuple[Interval, ...]
    silent: tuple[Interval, ...]
    holes: tuple[Interval, ...]
    rate: float | None

    @property
    def converted(self) -> bool:
        """Whether the file is a conversion of the recording that its manifest tells of: other bytes, same content."""
        return self.manifest is not None and self.manifest.recording.path.suffix != self.path.suffix

    @property
    def video_missing(self) -> list[Interval]:
        """When the whole video is black or missing, which no participant's check reports again."""
        return _widened((*self.black, *self.holes))

    @property
    def audio_missing(self) -> list[Interval]:
        """When the whole audio is silent or missing, which no participant's check reports again."""
        return _widened((*self.silent, *(self.streams.sound.holes if self.streams.sound else ())))

    @property
    def visible_people(self) -> list[Person]:
        """The participants who are visible in the file."""
        return [person for person in self.people if person.visible]


def _widened(intervals: Iterable[Interval]) -> list[Interval]:
    # Markers at the edge of such an interval are damaged with it.
    return grown(merged(intervals), 0.1)
